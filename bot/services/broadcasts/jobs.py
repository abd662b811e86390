"""What goes on behind a change of state, slice by slice, as jobs that are due."""

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from bot.schedule import Jobs
from bot.services.broadcasts import clearing, corrections, digest
from bot.services.broadcasts.newsroom import Newsroom


def register(jobs: Jobs, newsroom: Newsroom) -> None:
    """Make the jobs of broadcasts known to whoever takes what is due."""

    @jobs.job(clearing.JOB)
    async def clear(db: AsyncSession, now: datetime, **values: Any) -> None:
        await clearing.clear(db, now, **values)

    @jobs.job(corrections.JOB)
    async def rewrite(db: AsyncSession, now: datetime, **values: Any) -> None:
        await corrections.rewrite_some(db, now, newsroom=newsroom, **values)

    @jobs.job(digest.JOB)
    async def gather(db: AsyncSession, now: datetime, **values: Any) -> None:
        await digest.gather(db, now, **values)
