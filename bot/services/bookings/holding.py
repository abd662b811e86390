"""From a free seat to a booking: a short hold while the rider answers, then the confirmation."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import String, bindparam, case, func, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Prepared, Write, rows_changed, together
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


@dataclass(frozen=True, slots=True)
class Held:
    """A booking whose row is locked, and whether its rider agreed that what they say of themselves is kept."""

    booking: Booking
    may_keep: bool


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
    row = _row(rider_id, session, contact_id=contact_id, now=now)
    row |= {"state": "held", "until": now + HOLD, "network": network}
    if older is None:
        return _booking(row, await _seated(db, row, offering, now=now, desk=desk), session, offering)
    # Whoever catches what is raised here still has the older hold.
    async with db.begin_nested():
        await seats.lock(db, session_id, older.session_id)
        await _release(db, older, now=now, desk=desk)
        return _booking(row, await _seated(db, row, offering, now=now, desk=desk), session, offering)


async def confirm(
    db: AsyncSession, rider_id: int, *, booking_id: int, details: Details, now: datetime, desk: Desk
) -> Booking:
    """Turn a hold into a booking, or into a request where the offering needs approval; doing it twice is harmless.

    Raises HoldExpired, ConsentNeeded, LimitReached (by the phone), BadPhone, BadAnswer, NoSuchBooking.
    """
    held = await locked(db, rider_id, booking_id=booking_id)
    booking, writes = await confirmation(db, held, details=details, now=now, desk=desk)
    await together(db, writes)
    return booking


async def locked(db: AsyncSession, rider_id: int, *, booking_id: int) -> Held:
    """This rider's booking, which nobody else changes until `db` ends; raises NoSuchBooking."""
    row = await _LOCKED.first(db, booking_id=booking_id, rider_id=rider_id)
    if row is None:
        raise NoSuchBooking
    return Held(reading.from_values(row), bool(row[-1]))


async def confirmation(
    db: AsyncSession, held: Held, *, details: Details, now: datetime, desk: Desk
) -> tuple[Booking, list[Write]]:
    """What `confirm` comes to for a booking that is `locked`, and what the caller writes before `db` ends."""
    booking = held.booking
    if booking.state in ("booked", "pending"):
        return booking, []
    if booking.state != "held":
        raise HoldExpired
    values = await personal(db, booking, details, may_keep=held.may_keep, desk=desk)
    state = "pending" if booking.offering.approval else "booked"
    confirmed = Write(_CONFIRM, {"booking_id": booking.id, "new_state": state, **values})
    made, writes = _settled(booking, state, now=now, desk=desk)
    return made, [confirmed, *writes]


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
    made, writes = _settled(booking, state, now=now, desk=desk)
    await together(db, writes)
    return made


async def noted(
    db: AsyncSession, booking_id: int, now: datetime, before: str, after: str, *, who: str = "rider", **more: Any
) -> None:
    """One step in a booking's life, for those who ask later."""
    await together(db, [_step(booking_id, now, before, after, who=who, **more)])


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
    row = _row(rider_id, session, contact_id=contact_id, now=now) | {"state": "waiting", "until": None, **values}
    return _booking(row, await _made(db, row), session, offering)


def new_code() -> str:
    """Six characters that cannot be mistaken for each other, out of some 110 million."""
    return "".join(secrets.choice(CODE_LETTERS) for _n in range(CODE_LENGTH))


async def _entered(
    db: AsyncSession, rider_id: int, session_id: int, *, now: datetime, desk: Desk, network: str
) -> tuple[Session, Offering, list[Past]]:
    asked = {"session_id": session_id, "rider_id": rider_id, "network": network, "since": now - NETWORK_WINDOW}
    row = await _ENTERED.first(db, **asked)
    if row is None:
        raise SessionGone
    *values, vehicle, county, recent = row
    session = Session(*values[: len(sessions.COLUMNS)])
    offering = offerings.from_values(values[len(sessions.COLUMNS) :])
    is_hidden = offering.state != "published" or (offering.demo and not desk.demo)
    if is_hidden or session.state != "open" or session.starts_at <= now:
        raise SessionGone
    if recent >= HOLDS_PER_NETWORK:
        raise TooManyHolds
    past = await rules.history(db, rider_id)
    if here := next(
        (one for one in past if one.session_id == session_id and one.state not in ("held", "cancelled")), None
    ):
        raise AlreadyBooked(here.id)
    others = [one for one in past if one.state != "held"]
    rules.check(offering, session, others, vehicle=vehicle, county=county, now=now)
    return session, offering, past


async def _seated(db: AsyncSession, row: dict[str, Any], offering: Offering, *, now: datetime, desk: Desk) -> int:
    """The number of a new booking with a seat, if need be one whose hold is over; raises SessionGone, SessionFull."""
    made = await _taken_and_made(db, row, now)
    if made is None:
        await seats.expire(db, row["session_id"], now=now, desk=desk)
        made = await _taken_and_made(db, row, now)
    if made is None:
        raise await _not_free(db, row["session_id"], offering, now)
    return made


async def _taken_and_made(db: AsyncSession, row: dict[str, Any], now: datetime) -> int | None:
    """In one round trip where that counts: others wait for the session until this transaction ends."""
    if db.get_bind().dialect.name == "sqlite":
        return await _made(db, row) if await seats.take(db, row["session_id"], now=now) else None
    row["code"] = new_code()
    taken = await _TAKE_AND_MAKE.first(db, **row, now=now)
    if taken is None:
        return None
    return taken[0] or await _made(db, row)


async def _made(db: AsyncSession, row: dict[str, Any]) -> int:
    """The number of a new booking; `row` gets a code that is nobody else's."""
    made = None
    while made is None:
        row["code"] = new_code()
        made = await _MAKE.first(db, **row)
    return int(made[0])


def _row(rider_id: int, session: Session, *, contact_id: int | None, now: datetime) -> dict[str, Any]:
    return {
        "rider_id": rider_id,
        "session_id": session.id,
        "offering_id": session.offering_id,
        "contact_id": contact_id,
        "created_at": now,
        "reason": "",
        "phone_hash": "",
        "network": "",
        "sequence": 0,
        "agreed": session.sequence,
    }


def _booking(row: dict[str, Any], number: int, session: Session, offering: Offering) -> Booking:
    return Booking(
        id=number,
        code=row["code"],
        rider_id=row["rider_id"],
        contact_id=row["contact_id"],
        state=row["state"],
        reason="",
        until=row["until"],
        created_at=row["created_at"],
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


def _settled(booking: Booking, state: str, *, now: datetime, desk: Desk) -> tuple[Booking, list[Write]]:
    made = replace(booking, state=state, until=None)
    reminded = reminders.due([made], now=now, desk=desk) if state == "booked" else []
    return made, [*reminded, _step(booking.id, now, booking.state, state)]


def _step(booking_id: int, now: datetime, before: str, after: str, *, who: str = "rider", **more: Any) -> Write:
    step = {"booking_id": booking_id, "at": now, "who": who, "from_state": before, "to_state": after}
    return Write(_NOTE, step | more)


def _counted_recent() -> Any:
    """How many bookings began lately from where this one comes from, if that is known."""
    network = bindparam("network", type_=String)
    recent = select(func.count()).where(Row.network == network, Row.created_at > bindparam("since"))
    return case((network == "", 0), else_=recent.scalar_subquery())


_BOOKINGS: Any = Row.__table__
_CHANGES: Any = BookingChange.__table__
_ENTERED = Prepared(
    select(*sessions.COLUMNS, *offerings.COLUMNS, Rider.vehicle, Rider.county, _counted_recent())
    .select_from(SessionRow)
    .join(OfferingRow, OfferingRow.id == SessionRow.offering_id)
    .join(Rider, Rider.id == bindparam("rider_id"))
    .outerjoin(Place, Place.id == SessionRow.place_id)
    .where(SessionRow.id == bindparam("session_id"))
    # Two channels of one person at the same moment: the limits are counted by one after the other.
    .with_for_update(of=Rider, key_share=True)
)
_LOCKED = Prepared(
    reading.selected(consents.is_given(bindparam("rider_id"), consents.BOOKING))
    .where(Row.id == bindparam("booking_id"), Row.rider_id == bindparam("rider_id"))
    .with_for_update(of=Row, key_share=True)
)
_NEW = {column: bindparam(column.name, None, column.type) for column in _BOOKINGS.c if column.name != "id"}
_MAKE = Prepared(
    insert(_BOOKINGS).values(_NEW).on_conflict_do_nothing(index_elements=["code"]).returning(_BOOKINGS.c.id)
)


def _take_and_make() -> Any:
    """Number of the booking, nothing in its place where the code was taken; no row where there was no seat."""
    seat = seats.TAKING.cte("seat")
    values = select(*(seat.c.id if column.name == "session_id" else bound for column, bound in _NEW.items()))
    made = insert(_BOOKINGS).from_select([column.name for column in _NEW], values)
    kept = made.on_conflict_do_nothing(index_elements=["code"]).returning(_BOOKINGS.c.id).cte("made")
    return select(kept.c.id).select_from(seat.outerjoin(kept, true()))


_TAKE_AND_MAKE = Prepared(_take_and_make())
_CONFIRM = Prepared(
    update(_BOOKINGS)
    .where(_BOOKINGS.c.id == bindparam("booking_id"))
    .values(state=bindparam("new_state"), until=None, network="")
    .values({name: bindparam(name) for name in ("name", "phone", "note", "answers", "phone_hash")})
)
_NOTE = Prepared(
    insert(_CHANGES)
    .returning(_CHANGES.c.id)
    .values({column: bindparam(column.name, None, column.type) for column in _CHANGES.c if column.name != "id"})
)
