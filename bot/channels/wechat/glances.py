"""Where a follower was as they opened the account: used for the next question of what is near, then dropped."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta

from bot.messages import Incoming

FRESH = timedelta(minutes=2)
MOST = 2_000


class Glances:
    """The places that WeChat told last, of this process and in memory alone. `asks_place` knows who wants one."""

    def __init__(self, asks_place: Callable[[str], bool]) -> None:
        self._asks_place = asks_place
        self._last: OrderedDict[str, Incoming] = OrderedDict()

    def keep(self, told: Incoming) -> None:
        """WeChat told where somebody is; nothing may be answered to that."""
        user = told.sender.user
        self._last[user] = told
        self._last.move_to_end(user)
        if len(self._last) > MOST:
            self._last.popitem(last=False)

    def meant(self, heard: Incoming) -> Incoming:
        """What was heard; in place of a question that needs a place, the place itself if it was told just now."""
        last = self._last.get(heard.sender.user)
        if last is None:
            return heard
        is_fresh = heard.at - last.at <= FRESH
        if is_fresh and not (heard.text and self._asks_place(heard.text)):
            return heard
        del self._last[heard.sender.user]
        return heard._replace(text="", location=last.location) if is_fresh else heard
