"""A place picked by a button of the menu comes twice, as an event and as a location message: one is answered."""

from collections import OrderedDict
from datetime import timedelta

from bot.channels.wechat.decode import Letter
from bot.messages import Incoming, Location

TOGETHER = timedelta(seconds=15)
NEAR = 0.001  # degrees; the two differ in how they are rounded
MOST = 2_000


class Twins:
    """The places that were sent last, of this process."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, tuple[Letter, Incoming]] = OrderedDict()

    def has_answered(self, letter: Letter, heard: Incoming) -> bool:
        """Whether this is the second of the two; a repeated delivery is judged like the first."""
        if heard.location is None:
            return False
        if last := self._last.get(letter.user):
            first, was_heard = last
            is_other = first.is_picked != letter.is_picked and heard.at - was_heard.at <= TOGETHER
            if is_other and was_heard.location and _is_near(was_heard.location, heard.location):
                return True
        self._last[letter.user] = (letter, heard)
        if len(self._last) > MOST:
            self._last.popitem(last=False)
        return False


def _is_near(one: Location, other: Location) -> bool:
    return abs(one.lat - other.lat) < NEAR and abs(one.lng - other.lng) < NEAR
