"""What the platform allows an account of its own accord: pushes to a person, and the tokens that it sends with."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from bot.channels.wechat.decode import Opens

Fetch = Callable[[], Awaitable[tuple[str, timedelta]]]

# For how long, and how many customer-service messages, each thing that a person does allows (since June 2023).
GRANTS: Mapping[Opens, tuple[timedelta, int]] = {
    "message": (timedelta(hours=48), 5),
    "tap": (timedelta(minutes=1), 3),
}


class Budget(Protocol):
    """Each person's window, kept over all processes; a window is known by its end."""

    async def take(self, user: str, count: int, *, now: datetime) -> datetime | None:
        """Take `count` pushes at once; returns the end of the window, None if that is not allowed."""

    async def give_back(self, user: str, count: int, *, until: datetime) -> None:
        """So many of those were not counted by the platform."""

    async def close(self, user: str, *, until: datetime) -> None:
        """The platform allows no more in this window."""


class Tokens(Protocol):
    """One token of each name for all processes."""

    async def get(self, name: str, fetch: Fetch, *, refused: str = "") -> str:
        """The token, fetched where there is none or it will soon be over; not the one that was `refused`.

        Raises what `fetch` raises, and TimeoutError where another process was to fetch it and did not.
        """
