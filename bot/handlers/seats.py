"""What can be booked, and the seat itself: looked for, kept, taken, waited for, on behalf of whoever speaks."""

from collections.abc import Callable
from typing import cast

from bot.conversation import Turn
from bot.i18n import _
from bot.messages import Location
from bot.seals import BrokenSeal, Seals
from bot.services import bookings, offerings, riders, sessions, waitlist
from bot.services.bookings import Booking, Details
from bot.services.desk import Desk
from bot.services.offerings import Offering
from bot.services.sessions import Session


async def offered(turn: Turn) -> list[Offering]:
    """What this rider may book; what they may not only where there is nothing else."""
    if (before := turn.seen.get(offered)) is not None:
        return cast(list[Offering], before)
    person = turn.person
    vehicle = "" if person.vehicle == riders.SKIPPED else person.vehicle
    found = await offerings.published(turn.db, desk=turn.use(Desk), now=turn.now, vehicle=vehicle, county=person.county)
    turn.seen |= {(Offering, one.offering.id): one.offering for one in found}
    turn.seen[offered] = [one.offering for one in found if one.fits] or [one.offering for one in found]
    return cast(list[Offering], turn.seen[offered])


async def offering(turn: Turn, number: int) -> Offering:
    """An offering that can be seen; raises NoSuchOffering."""
    if (Offering, number) not in turn.seen:
        turn.seen[Offering, number] = await offerings.one(turn.db, desk=turn.use(Desk), id=number)
    return cast(Offering, turn.seen[Offering, number])


async def session(turn: Turn, number: int) -> Session:
    """When and where a session is; raises NoSuchSession."""
    if (Session, number) not in turn.seen:
        turn.seen[Session, number] = await sessions.one(turn.db, number)
    return cast(Session, turn.seen[Session, number])


async def coming(turn: Turn, offering_id: int, *, near: str, skip: int, limit: int) -> list[Session]:
    """Dates in the order that suits this rider; `near` is a position that `hidden` made, or empty."""
    try:
        position = turn.use(Seals).seek(near, _owner(turn)) if near else None
    except BrokenSeal:
        position = None
    return await sessions.upcoming(
        turn.db,
        offering_id=offering_id,
        now=turn.now,
        desk=turn.use(Desk),
        vehicle=turn.person.vehicle,
        near=position,
        limit=limit,
        skip=skip,
    )


def hidden(turn: Turn, here: Location) -> str:
    """A position that can be kept while a dialog is open."""
    return turn.use(Seals).hide(here.lat, here.lng, _owner(turn))


async def hold(turn: Turn, session_id: int) -> int:
    """Keep a seat for five minutes; returns the number of the hold. Raises what `bookings.hold` raises."""
    held = await bookings.hold(
        turn.db,
        turn.person.rider_id,
        session_id=session_id,
        now=turn.now,
        desk=turn.use(Desk),
        contact_id=turn.person.contact_id,
        network=turn.heard.network,
    )
    turn.seen |= {(Offering, held.offering.id): held.offering, (Session, session_id): held.session}
    return held.id


async def book(turn: Turn, hold_id: int, session_id: int, details: Callable[[Offering], Details]) -> Booking:
    """Turn a hold into a booking; one that ended meanwhile is taken once more, if the seat is still free.

    Raises what `bookings.hold` and `bookings.confirm` raise, and NoSuchOffering.
    """
    try:
        return await _confirmed(turn, hold_id, details)
    except bookings.HoldExpired:
        return await _confirmed(turn, await hold(turn, session_id), details)


async def wait(turn: Turn, session_id: int, details: Details) -> Booking:
    """A place in the line; where a seat became free meanwhile, that seat."""
    try:
        return await waitlist.join(
            turn.db,
            turn.person.rider_id,
            session_id=session_id,
            details=details,
            now=turn.now,
            desk=turn.use(Desk),
            contact_id=turn.person.contact_id,
        )
    except waitlist.NotFull:
        turn.say(_("A place has just become free: it is yours."))
        return await _confirmed(turn, await hold(turn, session_id), lambda _offering: details)


async def _confirmed(turn: Turn, hold_id: int, details: Callable[[Offering], Details]) -> Booking:
    desk = turn.use(Desk)
    held = await bookings.locked(turn.db, turn.person.rider_id, booking_id=hold_id)
    offering = held.booking.offering
    if not offering.is_shown(desk):
        raise offerings.NoSuchOffering
    booking, writes = await bookings.confirmation(turn.db, held, details=details(offering), now=turn.now, desk=desk)
    turn.writes += writes
    return booking


def _owner(turn: Turn) -> str:
    return f"{turn.person.address.channel}:{turn.person.address.user}"
