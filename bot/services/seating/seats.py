"""The seats of a session: taken one at a time, freed, and offered to those who wait, all under one lock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Prepared
from bot.errors import Problem
from bot.models import Booking, BookingChange, Rider
from bot.models import Offering as OfferingRow
from bot.models import Session as Row
from bot.services import offerings
from bot.services.desk import Desk
from bot.services.offerings import Offering
from bot.services.seating import rules, telling
from bot.services.seating import session_rows as sessions
from bot.services.seating.booking_rows import LIVE, SEATED
from bot.services.seating.session_rows import Session

LONGEST_OFFER = timedelta(hours=2)
SHORTEST_OFFER = timedelta(minutes=15)
# Nearer than this, an offer wakes people up: they asked for it.
URGENT = timedelta(days=1)
_LOOKED_AT = 50


@dataclass(frozen=True, slots=True)
class Freed:
    """What became of a session's free seats: the bookings they were offered to, or why nobody was offered one.

    `reason` is empty, `full`, `closed`, `too_late`, `quiet`, `nobody_waits` or `nobody_fits`.
    """

    offered: tuple[int, ...] = ()
    reason: str = ""


async def take(db: AsyncSession, session_id: int, *, now: datetime) -> bool:
    """Take a seat, or return False: the last one goes to one person, however many ask at once."""
    return await _TAKE.first(db, session_id=session_id, now=now) is not None


async def take_at_the_door(db: AsyncSession, session_id: int, *, now: datetime) -> bool:
    """The same for somebody at the desk: also after the session began, and before that none that others wait for."""
    return await _TAKE_AT_THE_DOOR.first(db, session_id=session_id, now=now) is not None


async def give_back(db: AsyncSession, session_id: int, count: int = 1) -> None:
    """A seat is nobody's any more; the caller holds the session's lock and calls `offer` next."""
    await db.execute(update(Row).where(Row.id == session_id).values(taken=Row.taken - count))


async def lock(db: AsyncSession, *session_ids: int) -> None:
    """Lock sessions until `db` ends, always in the same order, before any booking of theirs is touched."""
    if db.get_bind().dialect.name != "sqlite":
        wanted = select(Row.id).where(Row.id.in_(session_ids)).order_by(Row.id)
        await db.execute(wanted.with_for_update(key_share=True))


async def offer(db: AsyncSession, session_id: int, *, now: datetime, desk: Desk) -> Freed:
    """Offer every free seat to the first person in the waiting list whom it fits, and say why not, if not."""
    query = (
        sessions.selected(*offerings.COLUMNS)
        .join(OfferingRow, OfferingRow.id == Row.offering_id)
        .where(Row.id == session_id)
        .with_for_update(of=Row, key_share=True)
    )
    row = (await db.execute(query)).mappings().one()
    session, offering = sessions.from_row(row), offerings.from_row(row)
    freed, kept_until = await _offered(db, session, offering, now=now, desk=desk)
    if freed.offered:
        await telling.offered(db, freed.offered, now=now, desk=desk)
    if freed.reason != session.unoffered or kept_until != session.kept_until:
        values = {"unoffered": freed.reason, "kept_until": kept_until}
        await db.execute(update(Row).where(Row.id == session_id).values(values))
    return freed


async def _offered(
    db: AsyncSession, session: Session, offering: Offering, *, now: datetime, desk: Desk
) -> tuple[Freed, datetime | None]:
    """The offers made, and until when what is left is kept for the waiting list."""
    if session.free <= 0:
        return Freed(reason="full"), None
    if session.state != "open" or session.starts_at <= now:
        return Freed(reason="closed"), None
    until = offer_until(session, now)
    if until is None:
        return Freed(reason="too_late"), None
    fitting = await _fitting(db, session, offering, now=now)
    if not fitting:
        waits = await sessions.count_waiting(db, session.id)
        return Freed(reason="nobody_fits" if waits else "nobody_waits"), None
    if desk.is_quiet(now) and session.starts_at - now > URGENT:
        return Freed(reason="quiet"), desk.after_quiet(now)
    offered = []
    for booking_id in fitting[: session.free]:
        if await _TAKE_KEPT.first(db, session_id=session.id):
            await _offer_one(db, booking_id, until, now)
            offered.append(booking_id)
    left = session.free - len(offered)
    return Freed(tuple(offered), "nobody_fits" if left and not offered else ""), None


def offer_until(session: Session, now: datetime) -> datetime | None:
    """How long an offer holds: a quarter of the time left, at least 15 minutes and at most two hours.

    None where that is no longer possible before the session begins.
    """
    left = session.starts_at - now
    if left <= SHORTEST_OFFER:
        return None
    return now + min(LONGEST_OFFER, max(SHORTEST_OFFER, left / 4))


async def end_all(db: AsyncSession, session_id: int, *, staff_id: int | None, now: datetime) -> list[int]:
    """End every booking of a session that does not take place; returns them, for the telling."""
    await lock(db, session_id)
    live = select(Booking.id, Booking.state).where(Booking.session_id == session_id, Booking.state.in_(LIVE))
    ended = (await db.execute(live)).all()
    if not ended:
        return []
    ids = [id for id, _state in ended]
    gone = {"state": "cancelled", "reason": "session", "until": None}
    await db.execute(update(Booking).where(Booking.id.in_(ids)).values(gone))
    seated = sum(state in SEATED for _id, state in ended)
    await give_back(db, session_id, seated)
    db.add_all(
        BookingChange(id, at=now, who="staff", staff_id=staff_id, from_state=state, to_state="cancelled")
        for id, state in ended
    )
    return ids


async def expire(db: AsyncSession, session_id: int, *, now: datetime, desk: Desk) -> int:
    """End the holds and offers of a session whose time is over, and offer the seats to the next."""
    await lock(db, session_id)
    holds, offers = [await _over(db, session_id, state, now) for state in ("held", "offered")]
    if not holds and not offers:
        return 0
    await give_back(db, session_id, len(holds) + len(offers))
    db.add_all(note(id, now, "held", "cancelled", who="system") for id in holds)
    db.add_all(note(id, now, "offered", "cancelled", who="system") for id in offers)
    await telling.offer_over(db, offers, now=now, desk=desk)
    await offer(db, session_id, now=now, desk=desk)
    return len(holds) + len(offers)


def note(booking_id: int, now: datetime, before: str, after: str, *, who: str = "rider") -> BookingChange:
    """One step in a booking's life, for those who ask later."""
    return BookingChange(booking_id, at=now, who=who, from_state=before, to_state=after)


async def _over(db: AsyncSession, session_id: int, state: str, now: datetime) -> list[int]:
    """End what is still in `state` though its time is over; whoever confirms at the same moment wins or loses whole."""
    over = (Booking.session_id == session_id, Booking.state == state, Booking.until <= now)
    gone = {"state": "cancelled", "reason": "expired", "until": None}
    return list(await db.scalars(update(Booking).where(*over).values(gone).returning(Booking.id)))


async def _offer_one(db: AsyncSession, booking_id: int, until: datetime, now: datetime) -> None:
    await db.execute(
        update(Booking).where(Booking.id == booking_id, Booking.state == "waiting").values(state="offered", until=until)
    )
    db.add(note(booking_id, now, "waiting", "offered", who="system"))


async def _fitting(db: AsyncSession, session: Session, offering: Offering, *, now: datetime) -> Sequence[int]:
    """Those in the list, in order, who may still have a seat; more than the free seats are not looked for."""
    query = (
        select(Booking.id, Rider.id, Rider.vehicle, Rider.county)
        .join(Rider, Rider.id == Booking.rider_id)
        .where(Booking.session_id == session.id, Booking.state == "waiting")
        .order_by(Booking.created_at, Booking.id)
        .limit(_LOOKED_AT + session.free)
    )
    fitting: list[int] = []
    for id, rider_id, vehicle, county in (await db.execute(query)).all():
        past = await rules.history(db, rider_id)
        try:
            rules.check(offering, session, past, vehicle=vehicle, county=county, now=now)
        except Problem:
            continue
        fitting.append(id)
        if len(fitting) == session.free:
            break
    return fitting


def _taken(*conditions: Any) -> Any:
    one = update(_SESSIONS).where(_SESSIONS.c.id == bindparam("session_id"), _SESSIONS.c.state == "open", *conditions)
    one = one.where(_SESSIONS.c.taken < _SESSIONS.c.capacity)
    return one.values(taken=_SESSIONS.c.taken + 1).returning(_SESSIONS.c.id)


_SESSIONS: Any = Row.__table__
# What `take` does, as part of another statement.
TAKING = _taken(
    _SESSIONS.c.starts_at > bindparam("now"),
    or_(_SESSIONS.c.kept_until.is_(None), _SESSIONS.c.kept_until <= bindparam("now")),
)
_TAKE = Prepared(TAKING)
_TAKE_KEPT = Prepared(_taken())
_TAKE_AT_THE_DOOR = Prepared(
    _taken(
        _SESSIONS.c.ends_at > bindparam("now"),
        or_(
            _SESSIONS.c.starts_at <= bindparam("now"),
            _SESSIONS.c.kept_until.is_(None),
            _SESSIONS.c.kept_until <= bindparam("now"),
        ),
    )
)
