"""What the channel must remember beyond one process: who works on which message, and what was answered."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

import orjson

from bot.channels.wechat.decode import Opens


class Begun(NamedTuple):
    """What is known of a message when one of its deliveries arrives.

    `answer` is what was answered, None as long as nothing was; `told` is false where nobody was waiting for it.
    `is_mine`: there is no answer, and nobody else has begun to look for one or they have taken too long.
    `since` is when it first came, by our clock. The rest is about the person's other messages, in the order in
    which they first came: `last` is the newest answer that was told, `owed` are those that were not, by key,
    oldest first; `is_busy`: one of the last two minutes has no answer yet.
    """

    is_mine: bool
    since: datetime
    answer: bytes | None = None
    told: bool = True
    last: bytes | None = None
    owed: Mapping[str, bytes] = {}
    is_busy: bool = False


class Memory(Protocol):
    """One row a message, for ten minutes at least; what is owed stays until it is told.

    `begin` and `look` may be called where no task runs.
    """

    async def begin(self, key: str, user: str, *, opens: Opens, now: datetime, until: datetime) -> Begun:
        """A delivery of message `key` came `now`.

        Whoever first begins it works on it until `until`; the next one to begin it after that takes over.
        `opens` is the window for pushing that it opens, if it is new.
        """

    async def look(self, key: str, user: str, *, now: datetime) -> Begun:
        """What is known of a message as a delivery of it comes `now`; it `is_mine` if nobody has begun it."""

    def open(self, user: str, *, opens: Opens, at: datetime) -> None:
        """A message that nobody began, said at `at`, opens this window; it is written down soon."""

    def note(self, key: str, user: str, answer: bytes, *, now: datetime) -> None:
        """Somebody was told this answer to a message that nobody began; it is written down soon, unless it has one."""

    async def settle(self) -> None:
        """Return when everything is written down that was opened and noted until now."""

    async def keep(
        self,
        key: str,
        user: str,
        answer: bytes,
        *,
        told: bool,
        also: Collection[str] = (),
        shelf: Collection[str] = (),
        now: datetime,
    ) -> None:
        """The answer to `key`, in place of any before it, whether it was begun or not.

        What else it contains changes with it: the answers to the keys `also` count as told, the rows `shelf`
        are dropped.
        """

    async def forget(self, user: str) -> None:
        """Drop every row of this person."""


class Kept(NamedTuple):
    """An answer as it is remembered: its texts, and when it was given, in seconds since 1970."""

    at: int
    texts: tuple[str, ...] = ()

    def packed(self) -> bytes:
        return orjson.dumps([self.at, self.texts])


def unpacked(packed: bytes) -> Kept:
    at, texts = orjson.loads(packed)
    return Kept(at, tuple(texts))
