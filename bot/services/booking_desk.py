"""Bookings as staff look at them: one by one, those to approve, and what of a person is opened by a click."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.i18n import Text, _
from bot.models import Booking as Row
from bot.models import BookingChange, StaffMember
from bot.models import Session as SessionRow
from bot.services import audit, authority, bookings
from bot.services.authority import Member
from bot.services.desk import Desk
from bot.services.seating import booking_rows as reading
from bot.services.seating import private
from bot.services.seating.booking_rows import Booking, NoSuchBooking
from bot.services.sessions import roll
from bot.services.sessions.roll import Guest

PAGE = 50
STATE_NAMES: dict[str, Text] = {
    "held": _("being booked"),
    "booked": _("expected"),
    "pending": _("to be approved"),
    "waiting": _("waiting for a seat"),
    "offered": _("a place is offered"),
    "attended": _("✓ here"),
    "no_show": _("did not come"),
    "cancelled": _("cancelled"),
}
REASON_NAMES: dict[str, Text] = {
    "rider": _("by the rider"),
    "staff": _("by the staff"),
    "session": _("the session was called off"),
    "expired": _("the time to answer was over"),
    "declined": _("the offered place was not taken"),
    "refused": _("not approved"),
    "linked": _("the same person had two"),
    "erased": _("the person was erased"),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A booking with its person, masked, for those who run its session; `remark` is what they wrote of it."""

    booking: Booking
    guest: Guest
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One step in a booking's life: `login` is who of the staff took it, or nothing."""

    at: datetime
    who: str
    login: str
    before: str
    after: str


async def pending(db: AsyncSession, member: Member, *, desk: Desk, start: int = 0, limit: int = PAGE) -> list[Shown]:
    """The requests that wait for a decision, the next session first."""
    authority.require(member, "booking.read")
    query = (
        reading.selected(Row)
        # Who was not decided on is let go when the session is closed out.
        .where(Row.state == "pending", SessionRow.closed_out_at.is_(None), *roll.scope(member))
        .order_by(SessionRow.starts_at, Row.created_at, Row.id)
        .offset(start)
        .limit(limit)
    )
    rows = (await db.execute(query)).mappings()
    found = [(reading.from_row(row), row[Row]) for row in rows]
    return [Shown(one, roll.guest_of(row, one.session, one.offering, member, desk)) for one, row in found]


async def found(db: AsyncSession, member: Member, booking_id: int, *, desk: Desk) -> Shown:
    """One booking; raises NoSuchBooking, and NotAllowed where its session is not this member's."""
    booking, row = await _own(db, member, "booking.read", booking_id)
    guest = roll.guest_of(row, booking.session, booking.offering, member, desk)
    return Shown(booking, guest, private.opened_remark(row.remark, desk.seals))


async def steps(db: AsyncSession, booking_id: int) -> Sequence[Step]:
    """What became of a booking, in order."""
    query = (
        select(BookingChange, StaffMember.login)
        .outerjoin(StaffMember, StaffMember.id == BookingChange.staff_id)
        .where(BookingChange.booking_id == booking_id)
        .order_by(BookingChange.id)
    )
    rows = (await db.execute(query)).all()
    return [Step(row.at, row.who, login or "", row.from_state, row.to_state) for row, login in rows]


async def phone(db: AsyncSession, member: Member, booking_id: int, *, now: datetime, desk: Desk) -> str:
    """The number that a booking's person left, empty where there is none; the audit says who looked.

    Raises NoSuchBooking, NotAllowed.
    """
    _booking, row = await _own(db, member, "person.phone", booking_id)
    await audit.record(db, member, "person.phone", f"booking:{booking_id}", now=now)
    return private.opened(row.phone, "booking-phone", desk.seals)


async def note(db: AsyncSession, member: Member, booking_id: int, *, now: datetime, desk: Desk) -> str:
    """The note, for the lawyer of its session alone; the audit says when it was read.

    Raises NoSuchBooking, NotYours, NotAllowed.
    """
    await _own(db, member, "booking.read", booking_id)
    said = await bookings.note_for(db, member.id, booking_id=booking_id, desk=desk)
    await audit.record(db, member, "person.note", f"booking:{booking_id}", now=now)
    return said


async def _own(db: AsyncSession, member: Member, action: str, booking_id: int) -> tuple[Booking, Row]:
    found = (await db.execute(reading.selected(Row).where(Row.id == booking_id))).mappings().one_or_none()
    if found is None:
        raise NoSuchBooking
    booking = reading.from_row(found)
    roll.require(member, action, booking.session)
    return booking, found[Row]
