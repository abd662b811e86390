"""What is written down a moment later, many things in one go: windows that were opened, answers that were told."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

import structlog
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import DATABASE_TROUBLE, Database
from bot.models import Exchange
from bot.services.windows import Opening, open_all

log = structlog.get_logger(__name__)

# A database has better to do than a commit for each message; nobody asks for an answer again as soon as that.
SECONDS_GATHERED = 0.1


class Noted(NamedTuple):
    """What somebody was told `now`, in answer to the message `key`; `answer` is encrypted."""

    key: str
    user: str
    answer: bytes
    now: datetime


@dataclass(slots=True, eq=False)
class _Round:
    """What is written down together. `is_due` ends the gathering."""

    opened: list[Opening] = field(default_factory=list)
    noted: list[Noted] = field(default_factory=list)
    is_due: asyncio.Event = field(default_factory=asyncio.Event)


class Jottings:
    """Those of one channel in this process. A crash loses what it has not written down yet."""

    def __init__(self, database: Database, channel: str) -> None:
        self._database = database
        self._channel = channel
        self._gathering: _Round | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()

    def open(self, opening: Opening) -> None:
        """Open a window; whoever writes to this person may look for it at any moment, so it does not wait."""
        gathering = self._round()
        gathering.opened.append(opening)
        gathering.is_due.set()

    def note(self, noted: Noted) -> None:
        """Keep an answer, unless there is one already."""
        self._round().noted.append(noted)

    async def settle(self) -> None:
        """Return when everything is written down, or was tried, that came until now."""
        if self._gathering:
            self._gathering.is_due.set()
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    def _round(self) -> _Round:
        if self._gathering is None:
            self._gathering = _Round()
            task = asyncio.create_task(self._write(self._gathering))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return self._gathering

    async def _write(self, gathered: _Round) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SECONDS_GATHERED):
                await gathered.is_due.wait()
        async with self._one_at_a_time:
            self._gathering = None
            # One after the other: in one transaction they could wait for each other's rows with whoever begins.
            if gathered.opened:
                await self._try("windows not opened", len(gathered.opened), partial(open_all, openings=gathered.opened))
            if gathered.noted:
                await self._try("answers not noted", len(gathered.noted), partial(self._note_all, gathered.noted))

    async def _try(self, failure: str, count: int, write: Callable[[AsyncSession], Awaitable[None]]) -> None:
        try:
            async with self._database.turn() as db:
                await write(db)
        except DATABASE_TROUBLE as trouble:
            log.warning(failure, channel=self._channel, count=count, error=type(trouble).__name__)

    async def _note_all(self, noted: Sequence[Noted], db: AsyncSession) -> None:
        # Everybody puts them in the same order.
        ordered = sorted(noted, key=lambda one: one.key)
        await db.execute(_NOTE, [{"channel": self._channel, "told": True, **one._asdict()} for one in ordered])


def answered() -> Any:
    """Puts a message that nobody began, with its answer."""
    table: Any = Exchange.__table__
    given = {name: bindparam(name, type_=table.c[name].type) for name in ("key", "channel", "user", "answer", "told")}
    now = bindparam("now", type_=table.c.since.type)
    return insert(table).values(**given, since=now, until=now, opens="")


_NOTE = answered().on_conflict_do_nothing(index_elements=["key"])
