"""The waiting list of a full session: joining it, and answering when a seat is offered."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import rows_changed
from bot.errors import Problem
from bot.i18n import _
from bot.models import Booking as Row
from bot.models import Rider
from bot.models import Session as SessionRow
from bot.services import consents
from bot.services.bookings import holding, leaving
from bot.services.desk import Desk
from bot.services.seating import booking_rows as reading
from bot.services.seating import private, rules, seats, session_rows
from bot.services.seating.booking_rows import Booking, NoSuchBooking
from bot.services.seating.private import Details
from bot.services.seating.session_rows import count_waiting


class NoWaitlist(Problem):
    text = _("That time is full and has no waiting list. Please choose another.")


class NotFull(Problem):
    text = _("There is a free place just now: take it at once instead of waiting.")


class OfferOver(Problem):
    text = _("That offer is over: the place went on to the next in the list.")


async def join(
    db: AsyncSession,
    rider_id: int,
    *,
    session_id: int,
    details: Details,
    now: datetime,
    desk: Desk,
    contact_id: int | None = None,
) -> Booking:
    """Get in line for a full session, with everything asked beforehand, so that an offer is taken with one tap.

    A hold of this rider's stays what it is. Raises NotFull, NoWaitlist, ConsentNeeded and what `bookings.hold` raises.
    """
    session, offering, past = await holding.entered(db, rider_id, session_id, now=now, desk=desk)
    if not offering.waitlist:
        raise NoWaitlist
    if here := next((one for one in past if one.session_id == session_id), None):
        raise holding.AlreadyBooked(here.id)
    # From here on nobody frees or takes a seat unseen: whoever joins is in time for the next that is freed.
    await seats.lock(db, session_id)
    session = await session_rows.one(db, session_id)
    if session.has_room(now):
        raise NotFull
    said = private.checked(details, offering)
    if (said.name or said.phone or said.note) and not await consents.given(db, rider_id, consents.BOOKING):
        raise holding.ConsentNeeded
    values = private.sealed(said, desk.seals)
    await rules.check_phone(db, offering, session, values["phone_hash"], but=0)
    booking = await holding.wait(db, rider_id, session, offering, contact_id=contact_id, now=now, values=values)
    return replace(booking, position=await count_waiting(db, session_id))


async def leave(db: AsyncSession, rider_id: int, *, booking_id: int, now: datetime, desk: Desk) -> None:
    """Leave the line; never counted. Raises NoSuchBooking, NotLive."""
    booking = await reading.mine_locked(db, rider_id, booking_id)
    if booking.state not in ("waiting", "offered"):
        raise leaving.NotLive
    await leaving.end(db, booking, reason="rider", now=now, desk=desk)


async def accept(db: AsyncSession, rider_id: int, *, booking_id: int, now: datetime, desk: Desk) -> Booking:
    """Take the offered seat; doing it twice is harmless. Raises NoSuchBooking, OfferOver, LimitReached."""
    await db.execute(select(Rider.id).where(Rider.id == rider_id).with_for_update(key_share=True))
    booking = await reading.found(db, Row.id == booking_id, Row.rider_id == rider_id)
    if booking is None:
        raise NoSuchBooking
    if booking.state in ("booked", "pending"):
        return booking
    if booking.state != "offered" or booking.session.starts_at <= now:
        raise OfferOver
    past = await rules.history(db, rider_id)
    if rules.uses_up(booking.offering, booking.session, past, but=booking_id):
        raise rules.LimitReached(booking.offering)
    state = "pending" if booking.offering.approval else "booked"
    mine = update(Row).where(Row.id == booking_id, Row.state == "offered")
    # A move by the staff was in the words of the offer already.
    if not await rows_changed(db, mine.values(state=state, until=None, agreed=booking.session.sequence)):
        raise OfferOver
    return await holding.settled(db, booking, state, now=now, desk=desk)


async def decline(db: AsyncSession, rider_id: int, *, booking_id: int, now: datetime, desk: Desk) -> None:
    """Let the offered seat go to the next; never counted. Raises NoSuchBooking, OfferOver."""
    booking = await reading.mine_locked(db, rider_id, booking_id)
    if booking.state != "offered":
        raise OfferOver
    await leaving.end(db, booking, reason="declined", now=now, desk=desk)


async def offer_kept(db: AsyncSession, *, now: datetime, desk: Desk) -> int:
    """The quiet hours are over: offer the seats that were kept for those who wait. Returns how many sessions."""
    kept = list(await db.scalars(select(SessionRow.id).where(SessionRow.kept_until <= now).order_by(SessionRow.id)))
    for session_id in kept:
        await seats.offer(db, session_id, now=now, desk=desk)
    return len(kept)
