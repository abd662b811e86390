"""What must happen around bookings without anybody asking: reminders, ended holds, new sessions, erasure."""

from collections.abc import Awaitable, Callable
from datetime import datetime, time, timedelta
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Database
from bot.models import Booking
from bot.schedule import Jobs, later
from bot.services import (
    bookings,
    figures,
    help_calls,
    holidays,
    linking,
    patterns,
    place_uploads,
    pruning,
    reminders,
    waitlist,
)
from bot.services.desk import Desk
from bot.services.seating import seats

log = structlog.get_logger(__name__)

NIGHT = time(3)
NIGHTLY, EXTENSION = "nightly", "pattern"
_AT_ONCE = 100


def register(jobs: Jobs, desk: Desk) -> None:
    """Make the jobs of bookings known to whoever takes what is due."""

    @jobs.job(reminders.JOB)
    async def remind(db: AsyncSession, now: datetime, **values: Any) -> None:
        await reminders.remind(db, now, desk=desk, **values)

    @jobs.job(NIGHTLY)
    async def nightly(db: AsyncSession, now: datetime) -> None:
        await plan_night(db, now=now, desk=desk)
        for pattern_id in await patterns.going_on(db, now=now, desk=desk):
            await later(db, now, EXTENSION, key=f"{EXTENSION}:{pattern_id}", pattern_id=pattern_id)
        await later(db, now, pruning.JOB, key=pruning.JOB)
        remark_holidays(desk, now)

    @jobs.job(pruning.JOB)
    async def prune(db: AsyncSession, now: datetime, **values: Any) -> None:
        await pruning.prune(db, now, **values)

    @jobs.job(EXTENSION)
    async def extend(db: AsyncSession, now: datetime, pattern_id: int) -> None:
        await patterns.extend(db, pattern_id, now=now, desk=desk)


async def plan_night(db: AsyncSession, *, now: datetime, desk: Desk) -> None:
    """Put down what is to be done at the next 03:00, local; meant for every start, twice is harmless.

    What was due while nothing ran is still there: it is done once, however many nights that were.
    """
    local = now.astimezone(desk.zone)
    night = local.date() if local.time() < NIGHT else local.date() + timedelta(days=1)
    await later(db, datetime.combine(night, NIGHT, desk.zone), NIGHTLY, key=f"{NIGHTLY}:{night}")


def remark_holidays(desk: Desk, now: datetime) -> None:
    """Say in the log that somebody must enter a year's holidays, if so."""
    if year := desk.calendar.missing_year(now.astimezone(desk.zone).date()):
        log.warning("holidays are not known", year=year, file=holidays.FILE)


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
    """Erase what has been kept long enough, of people and of files that wait; hourly. Returns how many bookings."""
    async with database.writing() as db:
        erased = await bookings.erase_old(db, now=now)
        await linking.forget_old(db, now=now)
        await help_calls.erase_old(db, now=now)
        await figures.forget_people(db, now=now)
        await place_uploads.forget_old(db, now)
    if erased:
        log.info("bookings erased", count=erased)
    return erased
