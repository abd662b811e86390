"""A booking as it stands, with its session and offering."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, time
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from bot.errors import Problem
from bot.i18n import _
from bot.models import Booking as Row
from bot.models import Offering as OfferingRow
from bot.models import Place
from bot.models import Session as SessionRow
from bot.services import offerings
from bot.services.desk import Desk
from bot.services.offerings import Offering
from bot.services.seating import session_rows as sessions
from bot.services.seating.session_rows import Session

LIVE = ("held", "booked", "pending", "waiting", "offered")
# These have one of the session's seats.
SEATED = ("held", "booked", "pending", "offered", "attended", "no_show")


class NoSuchBooking(Problem):
    text = _("I find no such booking of yours.")


@dataclass(frozen=True, slots=True)
class Booking:
    """One person's booking. `position` counts from 1 and is known only of a waiting one that was asked for."""

    id: int
    code: str
    rider_id: int | None
    contact_id: int | None
    state: str
    reason: str
    until: datetime | None
    created_at: datetime
    sequence: int
    agreed: int
    struck_at: datetime | None
    rating: int | None
    session: Session
    offering: Offering
    position: int | None = None

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def has_seat(self) -> bool:
        return self.state in SEATED

    @property
    def version(self) -> int:
        """How often the booking's time or place changed, whoever changed it."""
        return self.sequence + self.session.sequence


_OWN = tuple(field.name for field in fields(Booking) if field.name not in ("session", "offering", "position"))
_OWN_COLUMNS = tuple(getattr(Row, name).label(f"b_{name}") for name in _OWN)
_SESSION = len(_OWN)
_OFFERING = _SESSION + len(sessions.COLUMNS)
_MORE = _OFFERING + len(offerings.COLUMNS)


def selected(*more: Any) -> Select[Any]:
    """A query for bookings, and `more` columns."""
    return (
        select(*_OWN_COLUMNS, *sessions.COLUMNS, *offerings.COLUMNS, *more)
        .select_from(Row)
        .join(SessionRow, SessionRow.id == Row.session_id)
        .join(OfferingRow, OfferingRow.id == Row.offering_id)
        .outerjoin(Place, Place.id == SessionRow.place_id)
    )


def from_row(row: RowMapping) -> Booking:
    """The booking in a row of `selected`."""
    columns = [*(row[f"b_{name}"] for name in _OWN), sessions.from_row(row), offerings.from_row(row)]
    return Booking(*columns)


def from_values(values: Sequence[Any]) -> Booking:
    """The same from plain values, in the order of the columns."""
    own, session, offering = values[:_SESSION], values[_SESSION:_OFFERING], values[_OFFERING:_MORE]
    columns = [*own, sessions.Session(*session), offerings.from_values(offering)]
    return Booking(*columns)


async def found(db: AsyncSession, *conditions: ColumnElement[bool], locks: Any = None) -> Booking | None:
    """The one booking of which `conditions` hold, with the row of table `locks` locked."""
    query = selected().where(*conditions)
    if locks is not None:
        query = query.with_for_update(of=locks, key_share=True)
    row = (await db.execute(query)).mappings().one_or_none()
    return from_row(row) if row else None


async def mine_locked(db: AsyncSession, rider_id: int, booking_id: int) -> Booking:
    """This rider's booking, its session locked until `db` ends; raises NoSuchBooking."""
    booking = await found(db, Row.id == booking_id, Row.rider_id == rider_id, locks=SessionRow)
    if booking is None:
        raise NoSuchBooking
    return booking


async def one(db: AsyncSession, rider_id: int, *, booking_id: int, now: datetime) -> Booking:
    """This rider's booking, also an old one; raises NoSuchBooking when it is absent or not theirs."""
    booking = await found(db, Row.id == booking_id, Row.rider_id == rider_id)
    if booking is None:
        raise NoSuchBooking
    (placed,) = await _placed(db, [booking])
    return placed


async def mine(db: AsyncSession, rider_id: int, *, now: datetime, desk: Desk) -> list[Booking]:
    """What this rider has before them and where they have been today, by time; those that wait know their position."""
    midnight = datetime.combine(now.astimezone(desk.zone), time(), desk.zone)
    ahead = and_(Row.state.in_(LIVE), SessionRow.ends_at > now, or_(Row.state != "held", Row.until > now))
    was_there = and_(Row.state == "attended", SessionRow.ends_at > midnight)
    query = selected().where(Row.rider_id == rider_id, or_(ahead, was_there))
    rows = (await db.execute(query.order_by(SessionRow.starts_at, Row.id))).mappings()
    return await _placed(db, [from_row(row) for row in rows])


async def unowned(db: AsyncSession, booking_id: int) -> Booking:
    """A booking for whoever holds a signed link to it; raises NoSuchBooking."""
    booking = await found(db, Row.id == booking_id)
    if booking is None:
        raise NoSuchBooking
    return booking


async def _placed(db: AsyncSession, bookings: list[Booking]) -> list[Booking]:
    """The bookings with their positions in the waiting lists."""
    waiting = [booking.id for booking in bookings if booking.state == "waiting"]
    if not waiting:
        return bookings
    earlier = aliased(Row)
    is_earlier = or_(
        earlier.created_at < Row.created_at, and_(earlier.created_at == Row.created_at, earlier.id <= Row.id)
    )
    counted = (
        select(Row.id, func.count(earlier.id))
        .join(earlier, and_(earlier.session_id == Row.session_id, earlier.state == "waiting", is_earlier))
        .where(Row.id.in_(waiting))
        .group_by(Row.id)
    )
    positions = {id: count for id, count in await db.execute(counted)}
    return [replace(booking, position=positions.get(booking.id)) for booking in bookings]
