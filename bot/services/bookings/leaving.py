"""Leaving: cancelling a booking, moving it to another time, and what the rules count of it."""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import rows_changed
from bot.errors import Problem
from bot.i18n import _
from bot.models import Booking as Row
from bot.models import Rider
from bot.models import Session as SessionRow
from bot.services import reminders
from bot.services.bookings.holding import AlreadyBooked, SessionFull, SessionGone, noted
from bot.services.desk import Desk
from bot.services.seating import booking_rows as reading
from bot.services.seating import rules, seats
from bot.services.seating import session_rows as sessions
from bot.services.seating.booking_rows import LIVE, SEATED, Booking
from bot.services.seating.rules import Standing


class NotLive(Problem):
    text = _("That booking is over already, so nothing was changed.")


class OtherOffering(Problem):
    text = _("A booking can be moved to another time of the same offer only.")


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A booking that ended; `late` ones were counted, and `standing` is how things are now."""

    booking: Booking
    late: bool
    standing: Standing


def cancel_is_late(booking: Booking, now: datetime) -> bool:
    """Whether leaving now would count: only a booked seat does, unless the staff moved it meanwhile."""
    moved = booking.session.sequence > booking.agreed
    return booking.state == "booked" and not moved and rules.is_late(booking.offering, booking.session, now)


async def cancel(db: AsyncSession, rider_id: int, *, booking_id: int, now: datetime, desk: Desk) -> Cancelled:
    """End a booking of this rider's and offer its seat to the next in the list; a late one is counted.

    Raises NoSuchBooking, NotLive.
    """
    booking = await reading.mine_locked(db, rider_id, booking_id)
    if booking.session.ends_at <= now:
        raise NotLive
    late = cancel_is_late(booking, now) and not await rules.is_harsh_day(db, booking.session.starts_at, desk.zone)
    await end(db, booking, reason="rider", now=now, desk=desk, struck_at=now if late else None)
    standing = await rules.standing(db, rider_id, now=now)
    return Cancelled(replace(booking, state="cancelled", reason="rider"), late, standing)


async def end(
    db: AsyncSession,
    booking: Booking,
    *,
    reason: str,
    now: datetime,
    desk: Desk,
    who: str = "rider",
    staff_id: int | None = None,
    struck_at: datetime | None = None,
) -> None:
    """End a live booking whose session is locked, and offer its seat; raises NotLive if it is over already."""
    values = {"state": "cancelled", "reason": reason, "until": None, "struck_at": struck_at}
    # The state as it was read: what changed since then is looked at anew.
    same = (Row.id == booking.id, Row.session_id == booking.session.id, Row.state == booking.state)
    if booking.state not in LIVE or not await rows_changed(db, update(Row).where(*same).values(values)):
        raise NotLive
    await noted(db, booking.id, now, booking.state, "cancelled", who=who, staff_id=staff_id)
    if booking.state in SEATED:
        await seats.give_back(db, booking.session.id)
        await seats.offer(db, booking.session.id, now=now, desk=desk)


async def move(
    db: AsyncSession, rider_id: int, *, booking_id: int, session_id: int, now: datetime, desk: Desk
) -> Booking:
    """Move a booking to another session of the same offering; it keeps its code, and its seat until it has the new one.

    Moving after the deadline counts like cancelling late. Raises NoSuchBooking, NotLive, OtherOffering, SessionGone,
    SessionFull, AlreadyBooked, LimitReached.
    """
    # Whoever catches what is raised here finds everything as it was.
    async with db.begin_nested():
        return await _move(db, rider_id, booking_id, session_id, now=now, desk=desk)


async def keep(db: AsyncSession, rider_id: int, *, booking_id: int, now: datetime) -> Booking:
    """The rider agrees to the session as the staff moved it; raises NoSuchBooking."""
    booking = await reading.one(db, rider_id, booking_id=booking_id, now=now)
    mine = (Row.id == booking_id, Row.session_id == booking.session.id)
    await db.execute(update(Row).where(*mine).values(agreed=booking.session.sequence))
    return replace(booking, agreed=booking.session.sequence)


async def forget(db: AsyncSession, rider_id: int, *, now: datetime, desk: Desk) -> None:
    """Before a person is erased: their seats go to others, and their bookings become numbers of nobody."""
    mine = select(Row.id).where(Row.rider_id == rider_id, Row.state.in_(LIVE)).order_by(Row.session_id)
    for booking_id in list(await db.scalars(mine)):
        booking = await reading.mine_locked(db, rider_id, booking_id)
        await end(db, booking, reason="erased", now=now, desk=desk)
    gone = dict.fromkeys(("rider_id", "contact_id", "name", "phone", "note", "answers", "remark"))
    await db.execute(update(Row).where(Row.rider_id == rider_id).values(gone | {"phone_hash": "", "network": ""}))


async def _move(
    db: AsyncSession, rider_id: int, booking_id: int, session_id: int, *, now: datetime, desk: Desk
) -> Booking:
    await db.execute(select(Rider.id).where(Rider.id == rider_id).with_for_update(key_share=True))
    before = await reading.one(db, rider_id, booking_id=booking_id, now=now)
    await seats.lock(db, before.session.id, session_id)
    before = await reading.one(db, rider_id, booking_id=booking_id, now=now)
    if before.state not in ("booked", "pending") or before.session.ends_at <= now:
        raise NotLive
    await _may_move(db, rider_id, before, session_id, now)
    if not await seats.take(db, session_id, now=now):
        await seats.expire(db, session_id, now=now, desk=desk)
        if not await seats.take(db, session_id, now=now):
            raise SessionFull(waitlist=before.offering.waitlist)
    late = cancel_is_late(before, now) and not await rules.is_harsh_day(db, before.session.starts_at, desk.zone)
    session = await sessions.one(db, session_id)
    state = "pending" if before.offering.approval else "booked"
    # One more than it was in all, so that calendars and reminders see the change whatever session it is now.
    sequence = before.version + 1 - session.sequence
    values = {
        "session_id": session_id,
        "state": state,
        "sequence": sequence,
        "agreed": session.sequence,
        "struck_at": now if late else before.struck_at,
    }
    same = (Row.id == booking_id, Row.session_id == before.session.id, Row.state == before.state)
    if not await rows_changed(db, update(Row).where(*same).values(values)):
        raise NotLive
    await noted(db, booking_id, now, before.state, state, from_session=before.session.id, to_session=session_id)
    await seats.give_back(db, before.session.id)
    await seats.offer(db, before.session.id, now=now, desk=desk)
    moved = replace(before, session=session, state=state, sequence=sequence, agreed=session.sequence)
    if state == "booked":
        await reminders.schedule(db, [moved], now=now, desk=desk)
    return moved


async def _may_move(db: AsyncSession, rider_id: int, booking: Booking, session_id: int, now: datetime) -> None:
    target = (
        await db.execute(
            select(SessionRow.offering_id, SessionRow.state, SessionRow.starts_at).where(SessionRow.id == session_id)
        )
    ).one_or_none()
    if target is None or target.state != "open" or target.starts_at <= now:
        raise SessionGone
    if target.offering_id != booking.offering.id:
        raise OtherOffering
    past = await rules.history(db, rider_id)
    if here := next((one for one in past if one.session_id == session_id and one.state != "cancelled"), None):
        raise AlreadyBooked(here.id)
    session = replace(booking.session, id=session_id, starts_at=target.starts_at)
    if rules.uses_up(booking.offering, session, past, but=booking.id):
        raise rules.LimitReached(booking.offering)
