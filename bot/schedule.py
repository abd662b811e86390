"""Things to do later. What is due lives in the database; a ticker takes it, in any process, once."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Database, insert
from bot.models import Due

log = structlog.get_logger(__name__)

Job = Callable[..., Awaitable[None]]


class Jobs:
    """Functions that may be put off, by the names under which they are stored."""

    def __init__(self) -> None:
        self.by_name: dict[str, Job] = {}

    def job(self, name: str) -> Callable[[Job], Job]:
        """Decorate a function of (db, now, **values); its values are JSON."""

        def register(function: Job) -> Job:
            if name in self.by_name:
                raise ValueError(f"two jobs are called {name!r}")
            self.by_name[name] = function
            return function

        return register


async def later(db: AsyncSession, at: datetime, name: str, *, key: str, **values: Any) -> None:
    """Do job `name` at `at`; a second call with the same `key` changes nothing while the first is due."""
    due = {"key": key, "job": name, "at": at, "values": values, "tries": 0}
    await db.execute(insert(db, Due).values(**due).on_conflict_do_nothing())


class Ticker:
    """Does what is due, one transaction each."""

    def __init__(self, database: Database, jobs: Jobs, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._jobs = jobs
        self._clock = clock

    async def tick(self) -> int:
        """Do everything that is due; returns how many were done or put off."""
        done = 0
        while await self._one():
            done += 1
        return done

    async def _one(self) -> bool:
        now = self._clock()
        oldest = select(Due).where(Due.at <= now).order_by(Due.at, Due.id).limit(1)
        async with self._database.reading() as db:
            if await db.scalar(oldest) is None:
                return False
        async with self._database.writing() as db:
            due = await db.scalar(oldest.with_for_update(skip_locked=True))
            if due is None:
                return False
            try:
                async with db.begin_nested():
                    await self._jobs.by_name[due.job](db, now, **due.values)
                    await db.delete(due)
            except Exception:
                log.exception("job failed", job=due.job)
                due.tries += 1
                due.at = now + timedelta(seconds=min(2**due.tries, 3600))
        return True
