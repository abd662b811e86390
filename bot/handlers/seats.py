"""What can be booked, and the seat itself: looked for, kept, taken, waited for, on behalf of whoever speaks."""

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
    person = turn.person
    vehicle = "" if person.vehicle == riders.SKIPPED else person.vehicle
    found = await offerings.published(turn.db, desk=turn.use(Desk), now=turn.now, vehicle=vehicle, county=person.county)
    return [one.offering for one in found if one.fits] or [one.offering for one in found]


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
    return held.id


async def book(turn: Turn, hold_id: int, session_id: int, details: Details) -> Booking:
    """Turn a hold into a booking; one that ended meanwhile is taken once more, if the seat is still free."""
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
        return await _confirmed(turn, await hold(turn, session_id), details)


async def _confirmed(turn: Turn, hold_id: int, details: Details) -> Booking:
    return await bookings.confirm(
        turn.db, turn.person.rider_id, booking_id=hold_id, details=details, now=turn.now, desk=turn.use(Desk)
    )


def _owner(turn: Turn) -> str:
    return f"{turn.person.address.channel}:{turn.person.address.user}"
