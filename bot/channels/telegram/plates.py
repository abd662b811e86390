"""A message that goes to many people is encoded once: only the chat's number differs."""

from collections import OrderedDict
from dataclasses import dataclass

import orjson

from bot.channels.telegram.encode import Call, chat_number, encode
from bot.messages import Address, Outgoing

MOST = 256


@dataclass(frozen=True, slots=True)
class Plate:
    """A call without its chat: `rest` is its JSON behind the chat's number."""

    call: Call
    rest: bytes


class Plates:
    """The last messages that were said, by identity: one that comes again is printed from its plate."""

    def __init__(self) -> None:
        self._seen: OrderedDict[int, tuple[Outgoing, Plate | None]] = OrderedDict()

    def print(self, to: Address, message: Outgoing) -> list[Call]:
        """The calls that say `message`; raises Unsayable."""
        known = self._seen.get(id(message))
        if known is None or known[0] is not message:
            self._keep(message, None)
            return encode(to, message)
        plate = known[1] or self._engraved(to, message)
        if plate is None:
            return encode(to, message)
        chat = chat_number(to)
        if plate.call.photo:
            return [Call(plate.call.method, {**plate.call.params, "chat_id": chat}, plate.call.photo, main=True)]
        return [Call(plate.call.method, {"chat_id": chat}, body=b'{"chat_id":%d%b' % (chat, plate.rest), main=True)]

    def _engraved(self, to: Address, message: Outgoing) -> Plate | None:
        calls = encode(to, message)
        if len(calls) != 1 or not calls[0].main:
            return None
        params = {name: value for name, value in calls[0].params.items() if name != "chat_id"}
        plate = Plate(calls[0], b"," + orjson.dumps(params)[1:] if params else b"}")
        self._keep(message, plate)
        return plate

    def _keep(self, message: Outgoing, plate: Plate | None) -> None:
        self._seen[id(message)] = (message, plate)
        self._seen.move_to_end(id(message))
        if len(self._seen) > MOST:
            self._seen.popitem(last=False)
