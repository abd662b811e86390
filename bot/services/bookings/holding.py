"""From a free seat to a booking: a short hold while the rider answers, then the confirmation."""

import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import insert, rows_changed
from bot.errors import Problem
from bot.i18n import _
from bot.models import Booking as Row
from bot.models import BookingChange, Place, Rider
from bot.models import Offering as OfferingRow
from bot.models import Session as SessionRow
from bot.services import consents, offerings, reminders
from bot.services.desk import Desk
from bot.services.offerings import Offering
from bot.services.seating import booking_rows as reading
from bot.services.seating import rules, seats
from bot.services.seating import session_rows as sessions
from bot.services.seating.booking_rows import Booking, NoSuchBooking
from bot.services.seating.private import Details, checked, sealed
from bot.services.seating.rules import Past
from bot.services.seating.session_rows import Session

HOLD = timedelta(minutes=5)
HOLDS_PER_NETWORK = 10
NETWORK_WINDOW = timedelta(minutes=10)
# Without the characters that are read for others: 0 O Q, 1 I L, 2 Z, 5 S, 8 B, U V.
CODE_LETTERS = "34679ACDEFGHJKMNPRTWXY"
CODE_LENGTH = 6


class SessionGone(Problem):
    text = _("That time is over or not on offer any more. Please choose another.")


class SessionFull(Problem):
    """Nothing is free; `waitlist` says whether one may wait for a seat."""

    def __init__(self, *, waitlist: bool) -> None:
        self.waitlist = waitlist
        super().__init__(_("That time is full."))


class AlreadyBooked(Problem):
    """One live booking per person and session; `booking_id` is theirs."""

    def __init__(self, booking_id: int) -> None:
        self.booking_id = booking_id
        super().__init__(_("You are already on the list for that time: see /bookings."))


class TooManyHolds(Problem):
    text = _("Many places are being held from your network just now. Please try again in a few minutes.")


class HoldExpired(Problem):
    text = _("The five minutes are over and the place is free again. Please choose once more.")


class ConsentNeeded(Problem):
    text = _("Before you leave a name, a number or a note, please read how they are kept and agree.")


async def hold(
    db: AsyncSession,
    rider_id: int,
    *,
    session_id: int,
    now: datetime,
    desk: Desk,
    contact_id: int | None = None,
    network: str = "",
) -> Booking:
    """Keep a seat for five minutes while the rider makes up their mind; asking again gives the same hold.

    One person holds one seat: an older hold is let go. `network` is a keyed hash of where the request came from,
    where the channel knows it. Raises SessionGone, SessionFull, AlreadyBooked, NotEligible, Paused, LimitReached,
    TooManyHolds.
    """
    session, offering, past = await _entered(db, rider_id, session_id, now=now, desk=desk, network=network)
    older = next((one for one in past if one.state == "held"), None)
    if older and older.session_id == session_id:
        return await _held_on(db, older.id, now)
    values = {"state": "held", "until": now + HOLD, "network": network}
    if older is None:
        await _take(db, session_id, offering, now=now, desk=desk)
        return await _insert(db, rider_id, session, offering, contact_id=contact_id, now=now, values=values)
    # Whoever catches what is raised here still has the older hold.
    async with db.begin_nested():
        await seats.lock(db, session_id, older.session_id)
        await _release(db, older, now=now, desk=desk)
        await _take(db, session_id, offering, now=now, desk=desk)
        return await _insert(db, rider_id, session, offering, contact_id=contact_id, now=now, values=values)


async def confirm(
    db: AsyncSession, rider_id: int, *, booking_id: int, details: Details, now: datetime, desk: Desk
) -> Booking:
    """Turn a hold into a booking, or into a request where the offering needs approval; doing it twice is harmless.

    Raises HoldExpired, ConsentNeeded, LimitReached (by the phone), BadPhone, BadAnswer, NoSuchBooking.
    """
    booking, may_keep = await _with_consent(db, rider_id, booking_id)
    if booking.state in ("booked", "pending"):
        return booking
    if booking.state != "held":
        raise HoldExpired
    values = await personal(db, booking, details, may_keep=may_keep, desk=desk)
    state = "pending" if booking.offering.approval else "booked"
    change = update(Row).where(Row.id == booking_id, Row.state == "held")
    if not await rows_changed(db, change.values(state=state, until=None, network="", **values)):
        raise HoldExpired
    return await settled(db, booking, state, now=now, desk=desk)


async def let_go(db: AsyncSession, rider_id: int, *, booking_id: int, now: datetime, desk: Desk) -> None:
    """Give up a hold; nothing happens to what is no hold (any more)."""
    booking = await reading.found(
        db, Row.id == booking_id, Row.rider_id == rider_id, Row.state == "held", locks=SessionRow
    )
    if booking is not None:
        past = Past(booking.id, "held", booking.session.id, booking.offering.id, booking.session.starts_at, None)
        await _release(db, past, now=now, desk=desk)


async def personal(
    db: AsyncSession, booking: Booking, details: Details, *, may_keep: bool, desk: Desk
) -> dict[str, Any]:
    """The columns for what somebody said of themselves, checked and encrypted; raises what is wrong with it."""
    said = checked(details, booking.offering)
    if (said.name or said.phone or said.note) and not may_keep:
        raise ConsentNeeded
    columns = sealed(said, desk.seals)
    await rules.check_phone(db, booking.offering, booking.session, columns["phone_hash"], but=booking.id)
    return columns


async def settled(db: AsyncSession, booking: Booking, state: str, *, now: datetime, desk: Desk) -> Booking:
    """Note that a seat became a booking, and make its reminders due."""
    await noted(db, booking.id, now, booking.state, state)
    made = replace(booking, state=state, until=None)
    if state == "booked":
        await reminders.schedule(db, [made], now=now, desk=desk)
    return made


async def noted(
    db: AsyncSession, booking_id: int, now: datetime, before: str, after: str, *, who: str = "rider", **more: Any
) -> None:
    """One step in a booking's life, for those who ask later."""
    step = {"booking_id": booking_id, "at": now, "who": who, "from_state": before, "to_state": after, **more}
    await db.execute(insert(db, BookingChange).values(step))


async def entered(
    db: AsyncSession, rider_id: int, session_id: int, *, now: datetime, desk: Desk
) -> tuple[Session, Offering, list[Past]]:
    """The session and offering that this rider may book, and their past, the rider locked; raises why not."""
    return await _entered(db, rider_id, session_id, now=now, desk=desk, network="")


async def wait(
    db: AsyncSession,
    rider_id: int,
    session: Session,
    offering: Offering,
    *,
    contact_id: int | None,
    now: datetime,
    values: dict[str, Any],
) -> Booking:
    """A new booking without a seat, at the end of the list."""
    values = {"state": "waiting", "until": None, **values}
    return await _insert(db, rider_id, session, offering, contact_id=contact_id, now=now, values=values)


def new_code() -> str:
    """Six characters that cannot be mistaken for each other, out of some 110 million."""
    return "".join(secrets.choice(CODE_LETTERS) for _n in range(CODE_LENGTH))


async def _entered(
    db: AsyncSession, rider_id: int, session_id: int, *, now: datetime, desk: Desk, network: str
) -> tuple[Session, Offering, list[Past]]:
    recent = select(func.count()).where(Row.network == network, Row.created_at > now - NETWORK_WINDOW)
    query = (
        select(*sessions.COLUMNS, *offerings.COLUMNS, Rider.vehicle, Rider.county.label("rider_county"))
        .add_columns((recent.scalar_subquery() if network else literal(0)).label("recent"))
        .select_from(SessionRow)
        .join(OfferingRow, OfferingRow.id == SessionRow.offering_id)
        .join(Rider, Rider.id == rider_id)
        .outerjoin(Place, Place.id == SessionRow.place_id)
        .where(SessionRow.id == session_id)
        # Two channels of one person at the same moment: the limits are counted by one after the other.
        .with_for_update(of=Rider, key_share=True)
    )
    row = (await db.execute(query)).mappings().one_or_none()
    if row is None:
        raise SessionGone
    session, offering = sessions.from_row(row), offerings.from_row(row)
    is_hidden = offering.state != "published" or (offering.demo and not desk.demo)
    if is_hidden or session.state != "open" or session.starts_at <= now:
        raise SessionGone
    if row["recent"] >= HOLDS_PER_NETWORK:
        raise TooManyHolds
    past = await rules.history(db, rider_id)
    if here := next(
        (one for one in past if one.session_id == session_id and one.state not in ("held", "cancelled")), None
    ):
        raise AlreadyBooked(here.id)
    others = [one for one in past if one.state != "held"]
    rules.check(offering, session, others, vehicle=row["vehicle"], county=row["rider_county"], now=now)
    return session, offering, past


async def _take(db: AsyncSession, session_id: int, offering: Offering, *, now: datetime, desk: Desk) -> None:
    """Take a seat, if need be one whose hold is over; raises SessionGone or SessionFull."""
    if not await seats.take(db, session_id, now=now):
        await seats.expire(db, session_id, now=now, desk=desk)
        if not await seats.take(db, session_id, now=now):
            raise await _not_free(db, session_id, offering, now)


async def _insert(
    db: AsyncSession,
    rider_id: int,
    session: Session,
    offering: Offering,
    *,
    contact_id: int | None,
    now: datetime,
    values: dict[str, Any],
) -> Booking:
    row = {
        "rider_id": rider_id,
        "session_id": session.id,
        "offering_id": offering.id,
        "contact_id": contact_id,
        "created_at": now,
        "reason": "",
        "phone_hash": "",
        "network": "",
        "sequence": 0,
        "agreed": session.sequence,
        **values,
    }
    made = None
    while made is None:
        row["code"] = new_code()
        statement = insert(db, Row).values(row).on_conflict_do_nothing(index_elements=["code"]).returning(Row.id)
        made = await db.scalar(statement)
    return Booking(
        id=made,
        code=row["code"],
        rider_id=rider_id,
        contact_id=contact_id,
        state=row["state"],
        reason="",
        until=row["until"],
        created_at=now,
        sequence=0,
        agreed=session.sequence,
        struck_at=None,
        rating=None,
        session=replace(session, taken=session.taken + (row["state"] == "held")),
        offering=offering,
    )


async def _held_on(db: AsyncSession, booking_id: int, now: datetime) -> Booking:
    await db.execute(update(Row).where(Row.id == booking_id, Row.state == "held").values(until=now + HOLD))
    booking = await reading.found(db, Row.id == booking_id, Row.state == "held")
    if booking is None:
        raise HoldExpired
    return booking


async def _release(db: AsyncSession, held: Past, *, now: datetime, desk: Desk) -> None:
    """End a hold whose session is locked, and offer its seat."""
    gone = {"state": "cancelled", "reason": "rider", "until": None}
    if await rows_changed(db, update(Row).where(Row.id == held.id, Row.state == "held").values(gone)):
        await noted(db, held.id, now, "held", "cancelled")
        await seats.give_back(db, held.session_id)
        await seats.offer(db, held.session_id, now=now, desk=desk)


async def _not_free(db: AsyncSession, session_id: int, offering: Offering, now: datetime) -> Problem:
    session = await sessions.one(db, session_id)
    if session.state != "open" or session.starts_at <= now:
        return SessionGone()
    return SessionFull(waitlist=offering.waitlist)


async def _with_consent(db: AsyncSession, rider_id: int, booking_id: int) -> tuple[Booking, bool]:
    query = reading.selected(consents.is_given(rider_id, consents.BOOKING).label("may_keep"))
    row = (await db.execute(query.where(Row.id == booking_id, Row.rider_id == rider_id))).mappings().one_or_none()
    if row is None:
        raise NoSuchBooking
    return reading.from_row(row), bool(row["may_keep"])
