"""The day's sessions for the staff: who comes, as little of them as is needed at the door."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import Problem
from bot.i18n import _
from bot.models import Booking, StaffMember
from bot.models import Offering as OfferingRow
from bot.models import Session as Row
from bot.services import offerings
from bot.services.desk import Desk
from bot.services.offerings import Offering
from bot.services.seating import private
from bot.services.seating import session_rows as reading
from bot.services.seating.session_rows import Session

RUNS_ALL = ("admin", "operator", "editor", "approver")
EXPECTED = ("booked", "pending", "offered", "held", "attended", "no_show")


class NotAllowed(Problem):
    text = _("That is not among what you look after.")


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody on the list; name and phone are masked."""

    booking_id: int
    code: str
    name: str
    phone: str
    state: str


@dataclass(frozen=True, slots=True)
class Roll:
    """A session of the day with those who are expected."""

    session: Session
    offering: Offering
    people: tuple[Guest, ...]

    def title(self, locale: str) -> str:
        return self.offering.called(locale)


async def today(db: AsyncSession, staff_id: int, *, now: datetime, desk: Desk) -> list[Roll]:
    """The sessions of the local day that this person runs, with masked lists; raises NotAllowed for a viewer."""
    member = await _member(db, staff_id)
    if member.role == "viewer":
        raise NotAllowed
    midnight = datetime.combine(now.astimezone(desk.zone).date(), time(), desk.zone)
    query = (
        reading.selected(*offerings.COLUMNS)
        .join(OfferingRow, OfferingRow.id == Row.offering_id)
        .where(Row.starts_at < midnight + timedelta(days=1), Row.ends_at > midnight, Row.state != "cancelled")
        .order_by(Row.starts_at, Row.id)
    )
    rows = (await db.execute(query)).mappings().all()
    shown = [(reading.from_row(row), offerings.from_row(row)) for row in rows]
    shown = [(session, offering) for session, offering in shown if _runs(member, session)]
    guests = await _guests(db, [session.id for session, _offering in shown], desk)
    return [Roll(session, offering, tuple(guests.get(session.id, ()))) for session, offering in shown]


async def sees(db: AsyncSession, staff_id: int, session: Session) -> bool:
    """Whether this person runs the session: a county's staff those of its counties, a lawyer their own."""
    return _runs(await _member(db, staff_id), session)


def _runs(member: StaffMember, session: Session) -> bool:
    match member.role:
        case "county":
            return session.county is not None and session.county in member.counties
        case "lawyer":
            return session.lawyer_id == member.id
    return member.role in RUNS_ALL


async def _member(db: AsyncSession, staff_id: int) -> StaffMember:
    member = await db.scalar(select(StaffMember).where(StaffMember.id == staff_id))
    if member is None:
        raise NotAllowed
    return member


async def _guests(db: AsyncSession, session_ids: list[int], desk: Desk) -> dict[int, list[Guest]]:
    query = (
        select(Booking.session_id, Booking.id, Booking.code, Booking.name, Booking.phone, Booking.state)
        .where(Booking.session_id.in_(session_ids), Booking.state.in_(EXPECTED))
        .order_by(Booking.created_at, Booking.id)
    )
    guests: dict[int, list[Guest]] = {}
    for session_id, id, code, name, phone, state in await db.execute(query):
        shown_name = private.masked_name(private.opened(name, "booking-name", desk.seals))
        shown_phone = private.masked_phone(private.opened(phone, "booking-phone", desk.seals))
        guests.setdefault(session_id, []).append(Guest(id, code, shown_name, shown_phone, state))
    return guests
