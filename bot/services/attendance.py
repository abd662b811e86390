"""How offerings are taken up: seats, bookings, who came, who did not, and how it was. Nobody is named."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import Booking, Offering
from bot.models import Session as Row
from bot.services import authority
from bot.services.authority import Member
from bot.services.desk import Desk
from bot.services.seating import private
from bot.services.seating import session_rows as reading
from bot.services.seating.session_rows import Session
from bot.services.sessions import roll

MOST = 500
MOST_REMARKS = 100
# Of these somebody has, or had, a seat.
_BOOKED = ("booked", "pending", "attended", "no_show")


@dataclass(frozen=True, slots=True)
class Tally:
    """Numbers of bookings; `rating` is the average of `ratings` from 1 to 5, None where there is none."""

    booked: int = 0
    attended: int = 0
    no_show: int = 0
    waiting: int = 0
    cancelled: int = 0
    ratings: int = 0
    rating: float | None = None


@dataclass(frozen=True, slots=True)
class OfOffering:
    """The sessions of an offering in a time: how many, with how many seats, and what became of them."""

    id: int
    code: str
    title: str
    sessions: int
    seats: int
    tally: Tally


@dataclass(frozen=True, slots=True)
class OfSession:
    session: Session
    tally: Tally


@dataclass(frozen=True, slots=True)
class Remark:
    """What a rider wrote of the session that began `at`, with stars from 1 to 5."""

    booking_id: int
    at: datetime
    stars: int
    text: str


async def by_offering(db: AsyncSession, member: Member, *, since: datetime, until: datetime) -> list[OfOffering]:
    """Every offering with sessions in that time that this member may see figures of; those called off are left out."""
    held = _held(member, since, until)
    tallies = _tallies(Booking.offering_id, held)
    counted = await _read(db, tallies)
    query = (
        select(Offering.id, Offering.code, Offering.title, func.count(Row.id), func.sum(Row.capacity))
        .join(Row, Row.offering_id == Offering.id)
        .where(*held)
        .group_by(Offering.id, Offering.code, Offering.title)
        .order_by(Offering.title, Offering.id)
    )
    return [
        OfOffering(id, code, title, sessions, int(seats), counted.get(id, Tally()))
        for id, code, title, sessions, seats in await db.execute(query)
    ]


async def by_session(
    db: AsyncSession, member: Member, *, offering_id: int, since: datetime, until: datetime
) -> list[OfSession]:
    """The sessions of an offering in that time, in order; MOST at most."""
    held = [*_held(member, since, until), Row.offering_id == offering_id]
    counted = await _read(db, _tallies(Booking.session_id, held))
    query = reading.selected().where(*held).order_by(Row.starts_at, Row.id).limit(MOST)
    sessions = [reading.from_row(row) for row in (await db.execute(query)).mappings()]
    return [OfSession(one, counted.get(one.id, Tally())) for one in sessions]


async def remarks(
    db: AsyncSession, member: Member, *, offering_id: int, since: datetime, until: datetime, desk: Desk
) -> list[Remark]:
    """What riders wrote below their stars, the latest session first; for those who may see its bookings."""
    authority.require(member, "booking.read")
    query = (
        select(Booking.id, Row.starts_at, Booking.rating, Booking.remark)
        .join(Row, Row.id == Booking.session_id)
        .where(*_held(member, since, until), Booking.offering_id == offering_id, Booking.remark.is_not(None))
        .order_by(Row.starts_at.desc(), Booking.id.desc())
        .limit(MOST_REMARKS)
    )
    rows = await db.execute(query)
    return [Remark(id, at, stars or 0, private.opened_remark(kept, desk.seals)) for id, at, stars, kept in rows]


def _held(member: Member, since: datetime, until: datetime) -> list[ColumnElement[bool]]:
    authority.require(member, "figures.read")
    return [Row.starts_at >= since, Row.starts_at < until, Row.state != "cancelled", *roll.scope(member)]


def _tallies(key: Any, held: list[ColumnElement[bool]]) -> Any:
    def number(*states: str) -> ColumnElement[int]:
        return func.sum(case((Booking.state.in_(states), 1), else_=0))

    counts = (number(*_BOOKED), number("attended"), number("no_show"), number("waiting"), number("cancelled"))
    ratings = (func.count(Booking.rating), func.sum(Booking.rating))
    return select(key, *counts, *ratings).join(Row, Row.id == Booking.session_id).where(*held).group_by(key)


async def _read(db: AsyncSession, query: Any) -> dict[int, Tally]:
    found = {}
    for key, booked, attended, no_show, waiting, cancelled, ratings, stars in await db.execute(query):
        rating = round(int(stars) / ratings, 1) if ratings else None
        found[key] = Tally(booked, attended, no_show, waiting, cancelled, ratings, rating)
    return found
