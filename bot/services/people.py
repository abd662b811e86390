"""A person whom staff may see because they gave a code: what is kept of them, handed over or erased by their wish.

There is no list of people. Every look-up is in the audit, also one that found nobody.
"""

import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Table, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Database
from bot.errors import Problem
from bot.i18n import _
from bot.models import Base, Contact, LinkCode, Rider, StaffMember
from bot.models import Booking as BookingRow
from bot.models import Session as SessionRow
from bot.seals import BrokenSeal, Seals
from bot.services import audit, authority, bookings, riders
from bot.services.authority import Member
from bot.services.bookings.holding import CODE_LETTERS
from bot.services.desk import Desk
from bot.services.riders import Kept
from bot.services.seating import booking_rows as reading
from bot.services.seating import private
from bot.services.seating.booking_rows import Booking
from bot.services.sessions import roll
from bot.services.sessions.roll import Guest

LOOKED_UP, EXPORTED, ERASED = "person.look_up", "person.export", "person.erase"
NOBODY = "person:unknown"
CODE_LENGTH = 8
CODE_LIVES = timedelta(minutes=10)
# How long staff may act for the person after the code was typed.
OPEN_FOR = timedelta(minutes=15)
MOST_TRIES, TRIES_COUNT_FOR = 10, timedelta(minutes=10)
MOST_BOOKINGS = 100
_PURPOSE = "person"
_SEALED = {name: f"booking-{name}" for name in ("name", "phone", "note", "answers", "remark")}


class TooManyTries(Problem):
    text = _("Too many codes found nobody. Please wait ten minutes.")


class NotOpen(Problem):
    text = _("That was a quarter of an hour ago, or it is somebody else's. Ask for the code again.")


class NotSure(Problem):
    text = _("Tick that the person wants to be erased.")


@dataclass(frozen=True, slots=True)
class Booked:
    """A booking of the person and what of them is shown there, masked."""

    booking: Booking
    guest: Guest


@dataclass(frozen=True, slots=True)
class Person:
    """What is kept of somebody, as `/privacy` shows it, and those of their bookings that this member looks after."""

    rider_id: int
    kept: Kept
    booked: tuple[Booked, ...]


async def issue(db: AsyncSession, rider_id: int, *, now: datetime, desk: Desk) -> str:
    """A code by which staff may see this rider once, within ten minutes; any earlier code of theirs is void."""
    await db.execute(delete(LinkCode).where(LinkCode.rider_id == rider_id))
    code = "".join(secrets.choice(CODE_LETTERS) for _n in range(CODE_LENGTH))
    db.add(LinkCode(_hash(code, desk), until=now + CODE_LIVES, rider_id=rider_id))
    await db.flush()
    return code


async def look_up(db: AsyncSession, member: Member, code: str, *, now: datetime, desk: Desk) -> Person | None:
    """Whoever gave `code`: a booking's of a session that this member looks after, or one made by `issue`.

    Nobody is no Problem, so that the try is kept. Raises TooManyTries.
    """
    authority.require(member, LOOKED_UP)
    # One after the other, however many this member sends at once.
    await db.execute(select(StaffMember.id).where(StaffMember.id == member.id).with_for_update())
    if await audit.count(db, member, NOBODY, since=now - TRIES_COUNT_FOR) >= MOST_TRIES:
        raise TooManyTries
    typed = "".join(letter for letter in code.upper() if letter in CODE_LETTERS)[: CODE_LENGTH + 1]
    rider_id, by = await _by_own_code(db, typed, now, desk), "code"
    if rider_id is None:
        rider_id, by = await _by_booking(db, member, typed), "booking"
    found = await _person(db, member, rider_id, desk) if rider_id else None
    subject, after = (f"person:{found.rider_id}", {"by": by}) if found else (NOBODY, {})
    await audit.record(db, member, LOOKED_UP, subject, now=now, after=after)
    return found


def opened(member: Member, rider_id: int, *, seals: Seals, now: datetime) -> str:
    """What a form carries so that this member, nobody else, may act for the person for a quarter of an hour."""
    return seals.sign(_PURPOSE, f"{member.id}-{rider_id}-{int((now + OPEN_FOR).timestamp())}")


def who(member: Member, token: str, *, seals: Seals, now: datetime) -> int:
    """The rider for whom `opened` made the token; raises NotOpen."""
    try:
        staff_id, rider_id, until = map(int, seals.signed(_PURPOSE, token).split("-"))
    except (BrokenSeal, ValueError):
        raise NotOpen from None
    if staff_id != member.id or now.timestamp() >= until:
        raise NotOpen
    return rider_id


async def again(db: AsyncSession, member: Member, rider_id: int, *, desk: Desk) -> Person:
    """The person whose code was typed before; raises NotOpen if they are gone."""
    authority.require(member, LOOKED_UP)
    found = await _person(db, member, rider_id, desk)
    if found is None:
        raise NotOpen
    return found


async def phone(db: AsyncSession, member: Member, rider_id: int, booking_id: int, *, now: datetime, desk: Desk) -> str:
    """The number that the person left for a booking; the audit says who looked. Raises NoSuchBooking, NotAllowed."""
    query = reading.selected(BookingRow).where(BookingRow.id == booking_id, BookingRow.rider_id == rider_id)
    row = (await db.execute(query)).mappings().one_or_none()
    if row is None:
        raise reading.NoSuchBooking
    roll.require(member, "person.phone", reading.from_row(row).session)
    await audit.record(db, member, "person.phone", f"booking:{booking_id}", now=now)
    return private.opened(row[BookingRow].phone, _SEALED["phone"], desk.seals)


async def export(db: AsyncSession, member: Member, rider_id: int, *, now: datetime, desk: Desk) -> dict[str, Any]:
    """Every row that is kept of the person, by table, readable; raises NotOpen if there is nobody."""
    authority.require(member, EXPORTED)
    contacts = list(await db.scalars(select(Contact.id).where(Contact.rider_id == rider_id)))
    found: dict[str, Any] = {}
    for table, owners in personal_tables().items():
        owned = [column == rider_id if of is Rider else column.in_(contacts) for column, of in owners]
        rows = (await db.execute(select(table).where(or_(*owned)).order_by(*table.primary_key))).mappings()
        found[str(table.name)] = [_readable(table.name, dict(row), desk.seals) for row in rows]
    if not found["riders"]:
        raise NotOpen
    await audit.record(db, member, EXPORTED, f"person:{rider_id}", now=now)
    return found


async def erase(
    db: AsyncSession, member: Member, rider_id: int, *, now: datetime, desk: Desk, database: Database
) -> list[str]:
    """Forget the person as they could themselves in the chat; returns their addresses, `channel:user`.

    What other processes remember of them is dropped. Raises NotOpen if they are gone already.
    """
    authority.require(member, ERASED)
    if await db.scalar(select(Rider.id).where(Rider.id == rider_id).with_for_update()) is None:
        raise NotOpen
    at = await db.execute(select(Contact.channel, Contact.user).where(Contact.rider_id == rider_id))
    addresses = [f"{channel}:{user}" for channel, user in at]
    await bookings.forget(db, rider_id, now=now, desk=desk)
    await riders.erase(db, rider_id)
    for address in addresses:
        await database.notify(db, "people", address)
    await audit.record(db, member, ERASED, f"person:{rider_id}", now=now)
    return addresses


def personal_tables() -> dict[Table, list[tuple[Column[Any], type[Base]]]]:
    """Every table with rows of one person, and its columns that say whose; codes that wait to be typed are nobody's."""
    found: dict[Table, list[tuple[Column[Any], type[Base]]]] = {}
    for table in Base.metadata.sorted_tables:
        if table.name == LinkCode.__tablename__:
            continue
        owners: list[tuple[Column[Any], type[Base]]] = [
            (column, owner)
            for column in table.columns
            for owner in (Rider, Contact)
            if any(key.column.table.name == owner.__tablename__ for key in column.foreign_keys)
        ]
        if table.name == Rider.__tablename__:
            owners.append((table.c.id, Rider))
        if owners:
            found[table] = owners
    return found


async def _by_own_code(db: AsyncSession, typed: str, now: datetime, desk: Desk) -> int | None:
    taken = delete(LinkCode).where(LinkCode.code_hash == _hash(typed, desk), LinkCode.until > now)
    found: int | None = await db.scalar(taken.returning(LinkCode.rider_id))
    return found


async def _by_booking(db: AsyncSession, member: Member, typed: str) -> int | None:
    query = select(BookingRow.rider_id).join(SessionRow, SessionRow.id == BookingRow.session_id)
    found: int | None = await db.scalar(query.where(BookingRow.code == typed, *roll.scope(member)))
    return found


async def _person(db: AsyncSession, member: Member, rider_id: int, desk: Desk) -> Person | None:
    kept = await riders.shown(db, rider_id)
    if kept is None:
        return None
    query = (
        reading.selected(BookingRow)
        .where(BookingRow.rider_id == rider_id, BookingRow.state != "held", *roll.scope(member))
        .order_by(SessionRow.starts_at.desc(), BookingRow.id)
        .limit(MOST_BOOKINGS)
    )
    rows = (await db.execute(query)).mappings().all()
    found = [(reading.from_row(row), row[BookingRow]) for row in rows]
    booked = [Booked(one, roll.guest_of(row, one.session, one.offering, member, desk)) for one, row in found]
    return Person(rider_id, kept, tuple(booked))


def _readable(table: str, row: dict[str, Any], seals: Seals) -> dict[str, Any]:
    """A row as its person may read it: opened where we sealed it, without what only a machine can use."""
    shown: dict[str, Any] = {}
    for name, value in ((str(column), value) for column, value in row.items()):
        if isinstance(value, bytes):
            if table == BookingRow.__tablename__ and name in _SEALED:
                text = private.opened(value, _SEALED[name], seals)
                shown[name] = json.loads(text) if name == "answers" and text else text
        elif not name.endswith("_hash"):
            shown[name] = value.isoformat() if isinstance(value, datetime) else value
    return shown


def _hash(code: str, desk: Desk) -> str:
    return desk.seals.signature("person-code", code, 32)
