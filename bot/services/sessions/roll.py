"""The sessions that somebody of the staff runs, and who comes: as little of them as is needed at the door."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import Booking, Place
from bot.models import Offering as OfferingRow
from bot.models import Session as Row
from bot.services import authority, offerings
from bot.services.authority import Member, NotAllowed
from bot.services.desk import Desk
from bot.services.offerings import Offering
from bot.services.seating import private
from bot.services.seating import session_rows as reading
from bot.services.seating.session_rows import NoSuchSession, Session

EXPECTED = ("booked", "pending", "offered", "held", "attended", "no_show")
WAITING = ("waiting",)


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody on the list; name and phone are masked.

    `answers` are by the keys of the offering's questions, `has_note` is whether the lawyer can read one, and
    `is_counted` whether an absence or a late cancellation counts against them.
    """

    booking_id: int
    code: str
    name: str
    phone: str
    state: str
    answers: Mapping[str, str] = field(default_factory=dict)
    has_note: bool = False
    is_counted: bool = False


@dataclass(frozen=True, slots=True)
class Roll:
    """A session with those who are expected, and those who wait for a seat, in the order of the list."""

    session: Session
    offering: Offering
    people: tuple[Guest, ...]
    waiting: tuple[Guest, ...] = ()

    def title(self, locale: str) -> str:
        return self.offering.called(locale)


async def today(db: AsyncSession, staff_id: int, *, now: datetime, desk: Desk) -> list[Roll]:
    """The sessions of the local day that this person runs, with masked lists; raises NotAllowed for a viewer."""
    member = await authority.member(db, staff_id)
    return await on(db, member, now.astimezone(desk.zone).date(), desk=desk)


async def on(db: AsyncSession, member: Member, day: date, *, desk: Desk) -> list[Roll]:
    """The same of any day of the city's calendar."""
    authority.require(member, "booking.read")
    midnight = datetime.combine(day, time(), desk.zone)
    return await _rolls(
        db,
        member,
        desk,
        Row.starts_at < midnight + timedelta(days=1),
        Row.ends_at > midnight,
        Row.state != "cancelled",
        *scope(member),
    )


async def of_session(db: AsyncSession, member: Member, session_id: int, *, desk: Desk) -> Roll:
    """One session with its lists; raises NoSuchSession, and NotAllowed where it is not this person's to run."""
    rolls = await _rolls(db, member, desk, Row.id == session_id)
    if not rolls:
        raise NoSuchSession
    require(member, "booking.read", rolls[0].session)
    return rolls[0]


def scope(member: Member) -> list[ColumnElement[bool]]:
    """What is true of the sessions that `member` runs: a county's staff those of its counties, a lawyer their own."""
    match member.role:
        case "county":
            return [Row.place_id.in_(select(Place.id).where(Place.county.in_(member.counties)))]
        case "lawyer":
            return [Row.lawyer_id == member.id]
    return []


def require(member: Member, action: str, session: Session) -> None:
    """Raise NotAllowed unless `member` does `action` and runs the session."""
    authority.require(member, action, counties=[session.county] if session.county else [])
    if member.role == "lawyer" and session.lawyer_id != member.id:
        raise NotAllowed


def runs(member: Member, action: str, session: Session) -> bool:
    """Whether `member` does `action` and runs the session."""
    try:
        require(member, action, session)
    except NotAllowed:
        return False
    return True


async def _rolls(db: AsyncSession, member: Member, desk: Desk, *conditions: ColumnElement[bool]) -> list[Roll]:
    query = (
        reading.selected(*offerings.COLUMNS)
        .join(OfferingRow, OfferingRow.id == Row.offering_id)
        .where(*conditions)
        .order_by(Row.starts_at, Row.id)
    )
    rows = (await db.execute(query)).mappings().all()
    shown = [(reading.from_row(row), offerings.from_row(row)) for row in rows]
    found = await _guests(db, member, shown, desk)
    return [
        Roll(session, offering, _those(found, session.id, EXPECTED), _those(found, session.id, WAITING))
        for session, offering in shown
    ]


def _those(found: Mapping[int, list[Guest]], session_id: int, states: Collection[str]) -> tuple[Guest, ...]:
    return tuple(guest for guest in found.get(session_id, ()) if guest.state in states)


async def _guests(
    db: AsyncSession, member: Member, shown: Collection[tuple[Session, Offering]], desk: Desk
) -> dict[int, list[Guest]]:
    known = {session.id: (session, offering) for session, offering in shown}
    query = (
        select(Booking)
        .where(Booking.session_id.in_(known), Booking.state.in_((*EXPECTED, *WAITING)))
        .order_by(Booking.created_at, Booking.id)
    )
    guests: dict[int, list[Guest]] = {}
    for row in await db.scalars(query):
        guests.setdefault(row.session_id, []).append(guest_of(row, *known[row.session_id], member, desk))
    return guests


def guest_of(row: Any, session: Session, offering: Offering, member: Member, desk: Desk) -> Guest:
    """The person of a booking's row as `member` may see them: what a consultation is about is the lawyer's alone."""
    is_own = session.lawyer_id is not None and session.lawyer_id == member.id
    answers = private.opened(row.answers, "booking-answers", desk.seals)
    hidden = set() if is_own else {question.key for question in offering.questions if question.kind == "topic"}
    return Guest(
        row.id,
        row.code,
        private.masked_name(private.opened(row.name, "booking-name", desk.seals)),
        private.masked_phone(private.opened(row.phone, "booking-phone", desk.seals)),
        row.state,
        {key: said for key, said in json.loads(answers or "{}").items() if key not in hidden},
        has_note=is_own and row.note is not None,
        is_counted=row.struck_at is not None,
    )
