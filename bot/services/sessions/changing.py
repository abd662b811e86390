"""What staff do to sessions; whoever has a seat is told."""

from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import insert, rows_changed
from bot.errors import Problem
from bot.i18n import _
from bot.models import Session as Row
from bot.services import reminders
from bot.services.desk import Desk
from bot.services.seating import seats, telling
from bot.services.seating.session_rows import NoSuchSession

# What Core does not fill in by itself.
BLANK: dict[str, Any] = {"taken": 0, "state": "open", "sequence": 0, "unoffered": ""}


class CodeTaken(Problem):
    text = _("There is already a session with that code.")


class BadTimes(Problem):
    text = _("A session must end after it begins, and begin in the future.")


class SeatsTaken(Problem):
    """The capacity cannot be less than the seats that people have."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(_("{count} seats are taken, so the capacity cannot be lower.", count=count))


async def create(
    db: AsyncSession,
    staff_id: int | None,
    *,
    offering_id: int,
    code: str,
    starts_at: datetime,
    ends_at: datetime,
    capacity: int,
    now: datetime,
    place_id: int | None = None,
    address: str = "",
    lawyer_id: int | None = None,
) -> int:
    """A new session's number; raises BadTimes or CodeTaken."""
    if not now < starts_at < ends_at or capacity < 0:
        raise BadTimes
    values = {
        "offering_id": offering_id,
        "code": code,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "capacity": capacity,
        "place_id": place_id,
        "address": address,
        "lawyer_id": lawyer_id,
        **BLANK,
    }
    made: int | None = await db.scalar(insert(db, Row).values(values).on_conflict_do_nothing().returning(Row.id))
    if made is None:
        raise CodeTaken
    return made


async def set_capacity(
    db: AsyncSession, staff_id: int | None, *, session_id: int, capacity: int, now: datetime, desk: Desk
) -> None:
    """Give the session `capacity` seats; new ones go to those who wait. Raises SeatsTaken, NoSuchSession."""
    change = update(Row).where(Row.id == session_id, Row.taken <= capacity).values(capacity=capacity)
    if capacity < 0 or not await rows_changed(db, change):
        taken = await db.scalar(select(Row.taken).where(Row.id == session_id))
        raise NoSuchSession if taken is None else SeatsTaken(taken)
    await seats.offer(db, session_id, now=now, desk=desk)


async def close(db: AsyncSession, staff_id: int | None, *, session_id: int) -> None:
    """Take no more bookings; those who have one keep it. Raises NoSuchSession."""
    await _turn(db, session_id, "open", "closed")


async def reopen(db: AsyncSession, staff_id: int | None, *, session_id: int, now: datetime, desk: Desk) -> None:
    """Take bookings again, those who wait first. Raises NoSuchSession."""
    await _turn(db, session_id, "closed", "open")
    await seats.offer(db, session_id, now=now, desk=desk)


async def reschedule(
    db: AsyncSession,
    staff_id: int | None,
    *,
    session_id: int,
    starts_at: datetime,
    ends_at: datetime,
    now: datetime,
    desk: Desk,
    place_id: int | None = None,
    address: str | None = None,
) -> int:
    """Move the session in time, and to another place where one is named; tells everybody who has a seat.

    Returns how many are told. Raises BadTimes, NoSuchSession.
    """
    if not now < starts_at < ends_at:
        raise BadTimes
    values: dict[str, Any] = {"starts_at": starts_at, "ends_at": ends_at, "sequence": Row.sequence + 1}
    if place_id is not None or address is not None:
        values |= {"place_id": place_id, "address": address or ""}
    here = (Row.id == session_id, Row.state != "cancelled", Row.starts_at > now)
    if not await rows_changed(db, update(Row).where(*here).values(values)):
        raise NoSuchSession
    await reminders.renew(db, session_id, now=now, desk=desk)
    return await telling.session_moved(db, session_id, now=now, desk=desk)


async def cancel(db: AsyncSession, staff_id: int | None, *, session_id: int, now: datetime, desk: Desk) -> int:
    """Call the session off: every booking of it ends, nobody is blamed, everybody is told. Returns how many.

    Raises NoSuchSession.
    """
    here = (Row.id == session_id, Row.state != "cancelled", Row.ends_at > now)
    if not await rows_changed(db, update(Row).where(*here).values(state="cancelled", kept_until=None)):
        raise NoSuchSession
    ended = await seats.end_all(db, session_id, staff_id=staff_id, now=now)
    await telling.session_cancelled(db, session_id, ended, now=now, desk=desk)
    return len(ended)


async def _turn(db: AsyncSession, session_id: int, before: str, after: str) -> None:
    change = update(Row).where(Row.id == session_id, Row.state == before).values(state=after)
    if not await rows_changed(db, change):
        raise NoSuchSession
