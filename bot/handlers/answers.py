"""What a rider answers while they book: encrypted as long as the dialog is open, masked whenever it is shown."""

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import cast

from bot.conversation import Turn
from bot.seals import Seals
from bot.services import bookings
from bot.services.bookings import Details
from bot.services.desk import Desk
from bot.services.offerings import Intake

_SEAL = "dialog-details"
_PLAIN = ("name", "phone", "note")


def kept(turn: Turn, said: str, key: str, value: str) -> str:
    """`said`, the encrypted answers so far, with one more."""
    everything = json.dumps(_opened(turn, said) | {key: value})
    return b64encode(turn.use(Seals).encrypt(everything, _SEAL)).decode()


def details(turn: Turn, said: str, questions: Sequence[Intake]) -> Details:
    """The answers as bookings take them."""
    answers = _opened(turn, said)
    plain = dict.fromkeys(_PLAIN, "")
    others = {}
    for question in questions:
        value = answers.get(question.key, "")
        if question.kind in plain:
            plain[question.kind] = value
        elif value:
            others[question.key] = value
    return Details(**plain, answers=others)


async def before(turn: Turn, question: Intake) -> str:
    """The name or number that this rider gave for a booking that is still to come or was today."""
    if question.kind not in ("name", "phone"):
        return ""
    rider_id = turn.person.rider_id
    found = await bookings.mine(turn.db, rider_id, now=turn.now, desk=turn.use(Desk))
    mine = [one for one in found if one.state != "held"]
    if not mine:
        return ""
    last = await bookings.details_of(turn.db, rider_id, booking_id=mine[-1].id, desk=turn.use(Desk))
    return last.name if question.kind == "name" else last.phone


def masked(answer: str) -> str:
    """A name or number as it may be shown: enough to recognise one's own."""
    return bookings.masked_phone(answer) if answer.isdecimal() else bookings.masked_name(answer)


def _opened(turn: Turn, said: str) -> dict[str, str]:
    if not said:
        return {}
    return cast(dict[str, str], json.loads(turn.use(Seals).decrypt(b64decode(said), _SEAL)))
