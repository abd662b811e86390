"""A session as it stands, and the order in which sessions suit a rider."""

from dataclasses import dataclass, fields
from datetime import datetime, time
from typing import Any

from sqlalchemy import RowMapping, Select, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Prepared
from bot.errors import Problem
from bot.geo import distance_m
from bot.i18n import _
from bot.models import Booking, Place
from bot.models import Session as Row
from bot.services.desk import Desk

# When people of each vehicle earn most, local time.
_MEALS = ((time(11), time(13, 30)), (time(17), time(20)))
BUSY_HOURS: dict[str, tuple[tuple[time, time], ...]] = {
    "courier": _MEALS,
    "parcel": _MEALS,
    "ridehail": ((time(7), time(9, 30)), (time(17), time(20))),
}
MOST_LOOKED_AT = 400
# Closer together than this, one is as near as the other.
NEAR_STEP_M = 3000


class NoSuchSession(Problem):
    text = _("That time is not on the list any more.")


@dataclass(frozen=True, slots=True)
class Session:
    """A session as it stands, with where it takes place; `lat`, `lng` are WGS-84."""

    id: int
    code: str
    offering_id: int
    starts_at: datetime
    ends_at: datetime
    capacity: int
    taken: int
    state: str
    address: str
    sequence: int
    lawyer_id: int | None
    kept_until: datetime | None
    unoffered: str
    place_code: str | None
    place_name: str | None
    place_address: str | None
    county: str | None
    lat: float | None
    lng: float | None

    @property
    def free(self) -> int:
        return self.capacity - self.taken

    @property
    def where(self) -> str:
        """The place's name and address, or the address of a stop; as it is in the directory."""
        named = (self.place_name, self.place_address or self.address)
        return " ".join(dict.fromkeys(part for part in named if part))

    def has_room(self, now: datetime) -> bool:
        """Whether somebody new may take a seat now: none is kept for those who wait."""
        kept = self.kept_until is not None and self.kept_until > now
        return self.free > 0 and self.state == "open" and not kept


_OF_PLACE: dict[str, Any] = {
    "place_code": Place.code,
    "place_name": Place.name,
    "place_address": Place.address,
    "county": Place.county,
    "lat": Place.lat,
    "lng": Place.lng,
}


def _column(name: str) -> Any:
    """The column of a field of Session; many kinds of column have no common type."""
    return (_OF_PLACE[name] if name in _OF_PLACE else getattr(Row, name)).label(f"s_{name}")


COLUMNS = tuple(_column(field.name) for field in fields(Session))


def from_row(row: RowMapping) -> Session:
    """The session in a row selected with COLUMNS."""
    return Session(**{field.name: row[f"s_{field.name}"] for field in fields(Session)})


def selected(*more: Any) -> Select[Any]:
    """A query for sessions with their places, and `more` columns."""
    return select(*COLUMNS, *more).select_from(Row).outerjoin(Place, Place.id == Row.place_id)


async def one(db: AsyncSession, session_id: int) -> Session:
    """A session by its number; raises NoSuchSession."""
    row = await _ONE.first(db, session_id=session_id)
    if row is None:
        raise NoSuchSession
    return Session(*row)


async def upcoming(
    db: AsyncSession,
    *,
    offering_id: int,
    now: datetime,
    desk: Desk,
    vehicle: str = "",
    near: tuple[float, float] | None = None,
    limit: int = 6,
    skip: int = 0,
    full: bool = True,
) -> list[Session]:
    """What comes, in the order that suits a rider: with a seat, outside of busy hours, near, soon.

    `near` is where the rider is (WGS-84) and is not kept; without `full`, only sessions with a seat.
    """
    found = [Session(*row) for row in await _UPCOMING.all(db, offering_id=offering_id, now=now)]
    if not full:
        found = [one for one in found if one.has_room(now)]

    def order(one: Session) -> tuple[bool, bool, int, datetime, int]:
        return (not one.has_room(now), is_busy(one, vehicle, desk), _steps_away(one, near), one.starts_at, one.id)

    return sorted(found, key=order)[skip : skip + limit]


def is_busy(one: Session, vehicle: str, desk: Desk) -> bool:
    """Whether the session overlaps the hours in which people of this vehicle earn most."""
    starts, ends = (at.astimezone(desk.zone) for at in (one.starts_at, one.ends_at))
    if starts.date() != ends.date():
        return bool(BUSY_HOURS.get(vehicle))
    return any(starts.time() < until and ends.time() > since for since, until in BUSY_HOURS.get(vehicle, ()))


async def count_waiting(db: AsyncSession, session_id: int) -> int:
    """How many are in the session's waiting list."""
    waiting = select(func.count()).where(Booking.session_id == session_id, Booking.state == "waiting")
    return await db.scalar(waiting) or 0


def _steps_away(one: Session, near: tuple[float, float] | None) -> int:
    if near is None:
        return 0
    if one.lat is None or one.lng is None:
        return 1_000_000
    return int(distance_m(*near, one.lat, one.lng) / NEAR_STEP_M)


_ONE = Prepared(selected().where(Row.id == bindparam("session_id")))
_UPCOMING = Prepared(
    selected()
    .where(Row.offering_id == bindparam("offering_id"), Row.starts_at > bindparam("now"), Row.state == "open")
    .order_by(Row.starts_at)
    .limit(MOST_LOOKED_AT)
)
