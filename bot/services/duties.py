"""What must happen around bookings without anybody asking: reminders, ended holds, closed sessions, erasure."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Database
from bot.models import Booking
from bot.schedule import Jobs
from bot.services import bookings, linking, reminders, waitlist
from bot.services.desk import Desk
from bot.services.seating import seats

log = structlog.get_logger(__name__)

_AT_ONCE = 100


def register(jobs: Jobs, desk: Desk) -> None:
    """Make the jobs of bookings known to whoever takes what is due."""

    @jobs.job(reminders.JOB)
    async def remind(db: AsyncSession, now: datetime, **values: Any) -> None:
        await reminders.remind(db, now, desk=desk, **values)


async def sweep(database: Database, now: datetime, desk: Desk) -> int:
    """Free seats whose hold or offer is over, offer what was kept by night, close what ended.

    Meant to run often; twice is harmless. Each session is a transaction of its own. Returns how many it found.
    """
    async with database.reading() as db:
        over = select(Booking.session_id).where(Booking.state.in_(("held", "offered")), Booking.until <= now)
        session_ids = list(await db.scalars(over.distinct().limit(_AT_ONCE)))
    for session_id in session_ids:
        async with database.writing() as db:
            await seats.expire(db, session_id, now=now, desk=desk)
    others: list[Callable[..., Awaitable[int]]] = [waitlist.offer_kept, bookings.close_out]
    done = len(session_ids)
    for duty in others:
        async with database.writing() as db:
            done += await duty(db, now=now, desk=desk)
    return done


async def erase(database: Database, now: datetime) -> int:
    """Erase what has been kept long enough; hourly. Returns from how many bookings."""
    async with database.writing() as db:
        erased = await bookings.erase_old(db, now=now)
        await linking.forget_old(db, now=now)
    if erased:
        log.info("bookings erased", count=erased)
    return erased
