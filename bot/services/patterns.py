"""Weekly patterns: sessions made ahead from a rhythm, without ever touching one that somebody booked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

import structlog
from sqlalchemy import delete, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import insert, rows_changed
from bot.errors import Problem
from bot.i18n import _
from bot.models import Booking, Session
from bot.models import SessionPattern as Row
from bot.services.desk import Desk
from bot.services.holidays import Calendar
from bot.services.seating import seats
from bot.services.sessions.changing import BLANK

log = structlog.get_logger(__name__)

AHEAD = timedelta(days=42)
_MOST_SLOTS = 200


class BadPattern(Problem):
    text = _("The pattern needs weekdays, an opening before the closing, and slots that fit in between.")


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A weekly rhythm, local time. `weekdays` are 0 (Monday) to 6; `breaks` are pairs of times.

    On `off_days` there is nothing, on `extra_days` there is something whatever the weekday. With `skips_holidays`
    public holidays are off, and a Saturday or Sunday that is worked in exchange is on if any working day is.
    """

    weekdays: frozenset[int]
    opens: time
    closes: time
    slot: timedelta
    capacity: int
    first_day: date
    last_day: date | None = None
    breaks: tuple[tuple[time, time], ...] = ()
    off_days: frozenset[date] = frozenset()
    extra_days: frozenset[date] = frozenset()
    skips_holidays: bool = True


@dataclass(frozen=True, slots=True)
class Made:
    """What a pattern did to the coming sessions; the `booked` ones disagree with it and were left alone."""

    added: int
    changed: int
    removed: int
    booked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What `make` would do: `wanted` are all slots that the pattern asks for, `booked` the codes it would leave alone.

    `off` are days of its weekdays on which it makes nothing: holidays, and its own exceptions.
    """

    wanted: tuple[tuple[datetime, datetime], ...]
    off: tuple[date, ...]
    added: int
    changed: int
    removed: int
    booked: tuple[tuple[datetime, int], ...]


def days(rhythm: Rhythm, calendar: Calendar, since: date, until: date) -> Iterator[date]:
    """The days of the rhythm from `since` to `until`, both included."""
    day = max(since, rhythm.first_day)
    last = min(until, rhythm.last_day) if rhythm.last_day else until
    while day <= last:
        if _is_on(rhythm, calendar, day):
            yield day
        day += timedelta(days=1)


def slots(rhythm: Rhythm) -> list[tuple[time, time]]:
    """The slots of one day, those that overlap a break left out; after a break they begin with its end."""
    found: list[tuple[time, time]] = []
    at, closes = _minutes(rhythm.opens), _minutes(rhythm.closes)
    length = int(rhythm.slot.total_seconds() // 60)
    if length <= 0:
        raise BadPattern
    pauses = sorted((_minutes(since), _minutes(until)) for since, until in rhythm.breaks)
    while at + length <= closes and len(found) < _MOST_SLOTS:
        pause = next((until for since, until in pauses if at < until and at + length > since), None)
        if pause is not None:
            at = pause
            continue
        found.append((_clock(at), _clock(at + length)))
        at += length
    return found


async def save(
    db: AsyncSession,
    staff_id: int | None,
    *,
    code: str,
    offering_id: int,
    rhythm: Rhythm,
    place_id: int | None = None,
    address: str = "",
    lawyer_id: int | None = None,
) -> int:
    """Keep a pattern under its code, new or changed, for `make` to act on; returns its number. Raises BadPattern."""
    values = _columns(rhythm, offering_id=offering_id, place_id=place_id, address=address, lawyer_id=lawyer_id)
    statement = insert(db, Row).values(code=code, **values)
    kept: int | None = await db.scalar(
        statement.on_conflict_do_update(index_elements=["code"], set_=values).returning(Row.id)
    )
    assert kept is not None
    return kept


async def foresee(
    db: AsyncSession,
    *,
    code: str,
    offering_id: int,
    rhythm: Rhythm,
    now: datetime,
    desk: Desk,
    pattern_id: int | None = None,
    place_id: int | None = None,
    address: str = "",
    lawyer_id: int | None = None,
    ahead: timedelta = AHEAD,
) -> Foreseen:
    """What `save` and then `make` would do, without doing it; raises BadPattern."""
    values = _columns(rhythm, offering_id=offering_id, place_id=place_id, address=address, lawyer_id=lawyer_id)
    pattern = Row(code=code, **values)
    wanted = _wanted(pattern, now, now + ahead, desk)
    for one in wanted.values():
        one["pattern_id"] = pattern_id
    is_taken = exists().where(Booking.session_id == Session.id)
    coming = select(Session, is_taken).where(Session.offering_id == offering_id, Session.starts_at > now)
    known: set[str] = set()
    changed = removed = 0
    booked = []
    for session, has_bookings in (await db.execute(coming.order_by(Session.starts_at))).all():
        known.add(session.code)
        if pattern_id is None or session.pattern_id != pattern_id or session.state == "cancelled":
            continue
        one = wanted.get(session.code, {})
        if one and _agrees(session, one):
            continue
        if has_bookings:
            booked.append((session.starts_at, session.taken))
        elif one:
            changed += 1
        else:
            removed += 1
    today, last = (at.astimezone(desk.zone).date() for at in (now, now + ahead))
    on = set(days(rhythm, desk.calendar, today, last))
    usual = replace(rhythm, off_days=frozenset(), extra_days=frozenset(), skips_holidays=False)
    off = tuple(day for day in days(usual, desk.calendar, today, last) if day not in on)
    slots_of = tuple((one["starts_at"], one["ends_at"]) for one in wanted.values())
    return Foreseen(slots_of, off, len(wanted.keys() - known), changed, removed, tuple(booked))


async def make(
    db: AsyncSession,
    staff_id: int | None,
    *,
    pattern_id: int,
    now: datetime,
    desk: Desk,
    ahead: timedelta = AHEAD,
) -> Made:
    """Make the coming sessions agree with the pattern and the desk's calendar; doing it again changes nothing.

    A session with any booking is never changed or removed: where it disagrees, its code is in `booked`, for the staff
    to decide.
    """
    pattern = (await db.scalars(select(Row).where(Row.id == pattern_id))).one()
    wanted = _wanted(pattern, now, now + ahead, desk)
    coming = select(Session).where(
        Session.pattern_id == pattern_id, Session.starts_at > now, Session.state != "cancelled"
    )
    there = {session.code: session for session in await db.scalars(coming.execution_options(populate_existing=True))}
    fresh = [values for code, values in wanted.items() if code not in there]
    added = await _add(db, fresh)
    changed = removed = 0
    booked = []
    for code, session in sorted(there.items()):
        values = wanted.get(code)
        if values is not None and _agrees(session, values):
            continue
        untouched = (Session.id == session.id, ~exists().where(Booking.session_id == session.id))
        await seats.lock(db, session.id)
        if values is None:
            if await rows_changed(db, delete(Session).where(*untouched)):
                removed += 1
                continue
        elif await rows_changed(db, update(Session).where(*untouched).values(values)):
            changed += 1
            continue
        booked.append(code)
    return Made(added, changed, removed, tuple(booked))


async def extend(db: AsyncSession, pattern_id: int, *, now: datetime, desk: Desk) -> None:
    """Make the sessions that one more day brings in; what staff should look at is in the log."""
    code = await db.scalar(select(Row.code).where(Row.id == pattern_id))
    if code is None:
        return
    made = await make(db, None, pattern_id=pattern_id, now=now, desk=desk)
    if made.booked:
        log.warning("booked sessions disagree with their pattern", pattern=code, sessions=made.booked)


async def going_on(db: AsyncSession, *, now: datetime, desk: Desk) -> Sequence[int]:
    """The numbers of the patterns that have not ended."""
    today = now.astimezone(desk.zone).date()
    query = select(Row.id).where(or_(Row.last_day.is_(None), Row.last_day >= today)).order_by(Row.id)
    return (await db.scalars(query)).all()


def _wanted(pattern: Row, now: datetime, until: datetime, desk: Desk) -> dict[str, dict[str, Any]]:
    """The sessions that the pattern asks for, by their codes."""
    rhythm = rhythm_of(pattern)
    wanted: dict[str, dict[str, Any]] = {}
    for day in days(rhythm, desk.calendar, now.astimezone(desk.zone).date(), until.astimezone(desk.zone).date()):
        for since, to in slots(rhythm):
            starts_at = datetime.combine(day, since, desk.zone)
            if starts_at <= now:
                continue
            code = f"{pattern.code}-{starts_at:%Y%m%d-%H%M}"
            wanted[code] = {
                "code": code,
                "offering_id": pattern.offering_id,
                "starts_at": starts_at,
                "ends_at": datetime.combine(day, to, desk.zone),
                "capacity": pattern.capacity,
                "place_id": pattern.place_id,
                "address": pattern.address,
                "lawyer_id": pattern.lawyer_id,
                "pattern_id": pattern.id,
            }
    return wanted


def _agrees(session: Session, values: Mapping[str, Any]) -> bool:
    return all(getattr(session, name) == value for name, value in values.items())


def _columns(rhythm: Rhythm, **others: Any) -> dict[str, Any]:
    """The columns that keep a rhythm, with `others`; raises BadPattern."""
    if not rhythm.weekdays <= set(range(7)) or not slots(rhythm) or rhythm.capacity < 0:
        raise BadPattern
    return {
        "weekdays": sorted(rhythm.weekdays),
        "opens": f"{rhythm.opens:%H:%M}",
        "closes": f"{rhythm.closes:%H:%M}",
        "slot_min": int(rhythm.slot.total_seconds() // 60),
        "capacity": rhythm.capacity,
        "first_day": rhythm.first_day,
        "last_day": rhythm.last_day,
        "breaks": [[f"{since:%H:%M}", f"{until:%H:%M}"] for since, until in rhythm.breaks],
        "off_days": sorted(day.isoformat() for day in rhythm.off_days),
        "extra_days": sorted(day.isoformat() for day in rhythm.extra_days),
        "skips_holidays": rhythm.skips_holidays,
        **others,
    }


def rhythm_of(pattern: Row) -> Rhythm:
    """The rhythm that a row keeps."""
    return Rhythm(
        weekdays=frozenset(pattern.weekdays),
        opens=time.fromisoformat(pattern.opens),
        closes=time.fromisoformat(pattern.closes),
        slot=timedelta(minutes=pattern.slot_min),
        capacity=pattern.capacity,
        first_day=pattern.first_day,
        last_day=pattern.last_day,
        breaks=tuple((time.fromisoformat(since), time.fromisoformat(until)) for since, until in pattern.breaks),
        off_days=frozenset(map(date.fromisoformat, pattern.off_days)),
        extra_days=frozenset(map(date.fromisoformat, pattern.extra_days)),
        skips_holidays=pattern.skips_holidays,
    )


async def _add(db: AsyncSession, fresh: Sequence[dict[str, Any]]) -> int:
    if not fresh:
        return 0
    statement = insert(db, Session).on_conflict_do_nothing().returning(Session.id)
    return len((await db.scalars(statement, [BLANK | values for values in fresh])).all())


def _is_on(rhythm: Rhythm, calendar: Calendar, day: date) -> bool:
    if day in rhythm.off_days:
        return False
    if day in rhythm.extra_days:
        return True
    if rhythm.skips_holidays and day in calendar.holidays:
        return False
    if rhythm.skips_holidays and day in calendar.workdays:
        return any(weekday < 5 for weekday in rhythm.weekdays)
    return day.weekday() in rhythm.weekdays


def _minutes(at: time) -> int:
    return at.hour * 60 + at.minute


def _clock(minutes: int) -> time:
    return time(minutes // 60, minutes % 60)
