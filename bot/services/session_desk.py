"""Sessions as staff look after them: what is coming, one made or changed, and who would be told of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot import i18n
from bot.errors import Problem
from bot.i18n import _
from bot.models import Booking
from bot.models import Offering as OfferingRow
from bot.models import Session as Row
from bot.services import audit, authority, offerings, sessions
from bot.services.authority import Member
from bot.services.desk import Desk
from bot.services.offerings import Offering
from bot.services.seating import seats, telling
from bot.services.seating import session_rows as reading
from bot.services.seating.session_rows import Session
from bot.services.seating.telling import Letter
from bot.services.session_forms import Filled, Where
from bot.services.sessions import roll

MOST = 1000
_TRIES = 20


class Overtaken(Problem):
    text = _("Somebody changed this session meanwhile. Look at it once more.")


class NeedsPlace(Problem):
    text = _("You look after sessions at places of your counties: name one.")


@dataclass(frozen=True, slots=True)
class Listed:
    """A session with its offering, and how many of its bookings wait for a seat or for approval."""

    session: Session
    offering: Offering
    waiting: int
    pending: int

    @property
    def is_homeless(self) -> bool:
        return not self.session.where


@dataclass(frozen=True, slots=True)
class Forecast:
    """Who would be told of a change: how many are concerned, the words by language with how many read each.

    `unreached` is the number of those who have no chat: somebody should call them.
    """

    concerned: int
    unreached: int
    words: tuple[tuple[str, str, int], ...]


async def listed(
    db: AsyncSession,
    member: Member,
    *,
    since: datetime,
    until: datetime,
    offering_id: int | None = None,
    homeless: bool = False,
) -> list[Listed]:
    """The sessions of a time that this member looks after, at most MOST; `homeless` ones have no place yet."""
    authority.require(member, "session.read")
    conditions: list[ColumnElement[bool]] = [Row.starts_at >= since, Row.starts_at < until, *roll.scope(member)]
    if offering_id is not None:
        conditions.append(Row.offering_id == offering_id)
    if homeless:
        conditions += [Row.place_id.is_(None), Row.address == "", Row.state == "open"]
    counted = _counted(conditions)
    query = (
        reading.selected(*offerings.COLUMNS, counted.c.waiting, counted.c.pending)
        .join(OfferingRow, OfferingRow.id == Row.offering_id)
        .outerjoin(counted, counted.c.session_id == Row.id)
        .where(*conditions)
        .order_by(Row.starts_at, Row.id)
        .limit(MOST)
    )
    rows = (await db.execute(query)).mappings()
    return [
        Listed(reading.from_row(row), offerings.from_row(row), row["waiting"] or 0, row["pending"] or 0) for row in rows
    ]


async def found(db: AsyncSession, member: Member, session_id: int) -> Session:
    """A session; raises NoSuchSession, and NotAllowed where it is not this member's."""
    session = await reading.one(db, session_id)
    roll.require(member, "session.read", session)
    return session


async def create(db: AsyncSession, member: Member, offering_id: int, filled: Filled, *, now: datetime) -> int:
    """A new session's number; raises NoSuchOffering, NotAllowed, NeedsPlace, BadTimes."""
    offering = await open_offering(db, member, offering_id)
    require_where(member, filled.where)
    session_id = await _created(db, member, offering, offering_id, filled, now)
    after = _shown(filled)
    await audit.record(db, member, "session.write", _subject(session_id), now=now, after=after)
    return session_id


def moves(session: Session, filled: Filled) -> bool:
    """Whether the form gives the session another time or place, of which people are told."""
    return _moved(session, filled) != _moved(session, None)


async def forecast_move(db: AsyncSession, session: Session, filled: Filled, *, desk: Desk) -> Forecast:
    """Who would be told of the new time and place, and in which words."""
    where = filled.where
    there = replace(
        session,
        starts_at=filled.starts_at,
        ends_at=filled.ends_at,
        address=filled.address,
        place_name=where.name,
        place_address=where.place_address,
    )
    return await _forecast(db, session.id, there, telling.moved_letter, desk)


async def forecast_cancel(db: AsyncSession, session: Session, *, desk: Desk) -> Forecast:
    """Who would be told that the session does not take place, and in which words."""
    return await _forecast(db, session.id, session, telling.called_off_letter, desk)


async def save(
    db: AsyncSession, member: Member, session_id: int, filled: Filled, *, seen: int, now: datetime, desk: Desk
) -> int:
    """Take the form into the session; returns how many are told of a new time or place.

    From then on its pattern leaves it alone. `seen` is the session's sequence that the form was made from. Raises
    Overtaken, SeatsTaken, BadTimes, NeedsPlace, NoSuchSession, NotAllowed.
    """
    session = await _own(db, member, session_id, seen)
    told = 0
    if moves(session, filled):
        require_where(member, filled.where)
        told = await sessions.reschedule(
            db,
            member.id,
            session_id=session_id,
            starts_at=filled.starts_at,
            ends_at=filled.ends_at,
            place_id=filled.where.place_id,
            address=filled.address,
            now=now,
            desk=desk,
        )
    await db.execute(update(Row).where(Row.id == session_id).values(lawyer_id=filled.lawyer_id, pattern_id=None))
    if filled.capacity != session.capacity:
        await sessions.set_capacity(db, member.id, session_id=session_id, capacity=filled.capacity, now=now, desk=desk)
    before, after = _shown(session), _shown(filled)
    changed = [name for name in after if before[name] != after[name]]
    if changed:
        old, new = ({name: shown[name] for name in changed} for shown in (before, after))
        await audit.record(db, member, "session.write", _subject(session_id), now=now, before=old, after=new)
    return told


async def cancel(db: AsyncSession, member: Member, session_id: int, *, seen: int, now: datetime, desk: Desk) -> int:
    """Call the session off; returns how many bookings end. Raises Overtaken, NoSuchSession, NotAllowed."""
    session = await _own(db, member, session_id, seen)
    ended = await sessions.cancel(db, member.id, session_id=session_id, now=now, desk=desk)
    before, after = {"state": session.state}, {"state": "cancelled", "bookings": ended}
    await audit.record(db, member, "session.cancel", _subject(session_id), now=now, before=before, after=after)
    return ended


async def close(db: AsyncSession, member: Member, session_id: int, *, now: datetime) -> None:
    """Take no more bookings; raises NoSuchSession, NotAllowed."""
    await _own(db, member, session_id)
    await sessions.close(db, member.id, session_id=session_id)
    values = {"before": {"state": "open"}, "after": {"state": "closed"}}
    await audit.record(db, member, "session.close", _subject(session_id), now=now, **values)


async def reopen(db: AsyncSession, member: Member, session_id: int, *, now: datetime, desk: Desk) -> None:
    """Take bookings again; raises NoSuchSession, NotAllowed."""
    await _own(db, member, session_id)
    await sessions.reopen(db, member.id, session_id=session_id, now=now, desk=desk)
    values = {"before": {"state": "closed"}, "after": {"state": "open"}}
    await audit.record(db, member, "session.reopen", _subject(session_id), now=now, **values)


async def open_offering(db: AsyncSession, member: Member, offering_id: int) -> str:
    """The code of an offering of which this member makes sessions: a county's staff none that is for others only.

    Raises NoSuchOffering, NotAllowed.
    """
    query = select(OfferingRow.code, OfferingRow.counties).where(OfferingRow.id == offering_id)
    row = (await db.execute(query)).one_or_none()
    if row is None:
        raise offerings.NoSuchOffering
    code, counties = row
    shared = set(counties) & set(member.counties)
    authority.require(member, "session.write", counties=shared or counties or None)
    return str(code)


def require_where(member: Member, where: Where) -> None:
    """Those of a county make sessions at places of theirs; raises NeedsPlace, NotAllowed."""
    if where.county is None and not authority.is_within(member, ()):
        raise NeedsPlace
    authority.require(member, "session.write", counties=[where.county] if where.county else [])


async def _created(
    db: AsyncSession, member: Member, offering: str, offering_id: int, filled: Filled, now: datetime
) -> int:
    base = f"{offering}-{filled.starts_at:%Y%m%d-%H%M}"
    for n in range(1, _TRIES + 1):
        try:
            return await sessions.create(
                db,
                member.id,
                offering_id=offering_id,
                code=base if n == 1 else f"{base}-{n}",
                starts_at=filled.starts_at,
                ends_at=filled.ends_at,
                capacity=filled.capacity,
                place_id=filled.where.place_id,
                address=filled.address,
                lawyer_id=filled.lawyer_id,
                now=now,
            )
        except sessions.CodeTaken:
            continue
    raise sessions.CodeTaken


async def _own(db: AsyncSession, member: Member, session_id: int, seen: int | None = None) -> Session:
    # Two who press at the same moment: the second sees what the first made of it.
    await seats.lock(db, session_id)
    session = await reading.one(db, session_id)
    roll.require(member, "session.write", session)
    if seen is not None and session.sequence != seen:
        raise Overtaken
    return session


async def _forecast(db: AsyncSession, session_id: int, there: Session, letter: Letter, desk: Desk) -> Forecast:
    concerned = await telling.concerned(db, session_id)
    reached = await telling.reached(db, concerned)
    # The letter names nobody: it says the same to everybody of one language.
    by_locale = Counter(i18n.voice(one.locale, desk.zone).locale for one in reached)
    words = []
    for locale, how_many in sorted(by_locale.items(), key=lambda item: -item[1]):
        booking = replace(reached[0].booking, session=there)
        words.append((locale, letter(booking, i18n.voice(locale, desk.zone)).text, how_many))
    return Forecast(len(concerned), len(concerned) - len(reached), tuple(words))


def _moved(session: Session, filled: Filled | None) -> tuple[Any, ...]:
    if filled is None:
        return (session.starts_at, session.ends_at, session.place_code, session.address)
    return (filled.starts_at, filled.ends_at, filled.where.code, filled.address)


def _shown(one: Session | Filled) -> dict[str, Any]:
    """What the audit keeps of a session."""
    place = one.place_name if isinstance(one, Session) else one.where.name
    return {
        "starts_at": one.starts_at.astimezone(UTC).isoformat(),
        "ends_at": one.ends_at.astimezone(UTC).isoformat(),
        "capacity": one.capacity,
        "place": place or "",
        "address": one.address,
        "lawyer_id": one.lawyer_id,
    }


def _subject(session_id: int) -> str:
    return f"session:{session_id}"


def _counted(conditions: Sequence[ColumnElement[bool]]) -> Any:
    """How many wait for a seat or for approval, by session, of the sessions of which `conditions` hold."""
    waiting = func.sum(case((Booking.state == "waiting", 1), else_=0)).label("waiting")
    pending = func.sum(case((Booking.state == "pending", 1), else_=0)).label("pending")
    query = select(Booking.session_id, waiting, pending).where(
        Booking.session_id.in_(select(Row.id).where(*conditions)), Booking.state.in_(("waiting", "pending"))
    )
    return query.group_by(Booking.session_id).subquery()
