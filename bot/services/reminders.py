"""Reminders: only that one is due is stored; what it says is read from the booking when it goes out."""

import re
from collections.abc import Iterable
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import PreparedRows, Write, together
from bot.i18n import Voice, _
from bot.messages import Button, Outgoing
from bot.models import Booking as Row
from bot.models import Due
from bot.schedule import later
from bot.services.desk import Desk
from bot.services.seating import booking_rows as reading
from bot.services.seating import telling
from bot.services.seating.booking_rows import Booking
from bot.services.seating.session_rows import Session

DEFAULT = ("1d@19:00", "2h")
JOB = "booking.remind"
# Nobody is reminded of what begins sooner than this after the booking was made.
TOO_SOON = timedelta(minutes=30)
_OFFSET = re.compile(r"(?:([0-9]{1,2})d@([01][0-9]|2[0-3]):([0-5][0-9]))|(?:([0-9]{1,3})h)|(?:([0-9]{1,4})min)")


def is_offset(text: str) -> bool:
    """Whether `text` says when to remind: `1d@19:00`, `2h`, `30min`."""
    return _OFFSET.fullmatch(text) is not None


def moment(offset: str, starts_at: datetime, desk: Desk) -> datetime:
    """When a reminder such as `1d@19:00` (local), `2h` or `30min` before `starts_at` goes out; raises ValueError."""
    found = _OFFSET.fullmatch(offset)
    if found is None:
        raise ValueError(f"no reminder {offset!r}")
    days, hour, minute, hours, minutes = found.groups()
    if days is None:
        return starts_at - timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    day = starts_at.astimezone(desk.zone).date() - timedelta(days=int(days))
    return datetime.combine(day, time(int(hour), int(minute)), desk.zone)


async def schedule(db: AsyncSession, bookings: Iterable[Booking], *, now: datetime, desk: Desk) -> None:
    """Make a reminder due at each of the offering's offsets that lies ahead, for the session as it now stands."""
    await together(db, due(bookings, now=now, desk=desk))


def due(bookings: Iterable[Booking], *, now: datetime, desk: Desk) -> list[Write]:
    """What `schedule` writes, to be done together with other writes."""
    return _SCHEDULE.of([row for booking in bookings for row in _due(booking, now, desk)])


async def renew(db: AsyncSession, session_id: int, *, now: datetime, desk: Desk) -> None:
    """The session moved: its bookings are reminded of the new time; what was due for the old one says nothing."""
    query = reading.selected().where(Row.session_id == session_id, Row.state == "booked")
    rows = (await db.execute(query)).mappings().all()
    await schedule(db, [reading.from_row(row) for row in rows], now=now, desk=desk)


async def remind(
    db: AsyncSession, now: datetime, *, booking_id: int, session_id: int, starts_at: str, offset: str, desk: Desk
) -> bool:
    """Remind of a booking if it still stands at that session and time; whether anybody was.

    Late and by night, it is put off until people are awake, and looked at again then.
    """
    still = (Row.id == booking_id, Row.session_id == session_id, Row.state == "booked")
    booking = await reading.found(db, *still)
    if booking is None or _mark(booking.session) != starts_at or booking.session.starts_at <= now:
        return False
    if booking.session.state == "cancelled":
        return False
    if (at := _kindly(now, booking.session, desk)) != now:
        values = {"booking_id": booking_id, "session_id": session_id, "starts_at": starts_at, "offset": offset}
        await later(db, at, JOB, key=f"reminder:{booking_id}:{offset}:{session_id}:{starts_at}:morning", **values)
        return False
    topic = f"reminder:{offset}"
    return bool(await telling.tell(db, [booking_id], _letter, topic=topic, at=now, desk=desk))


def _letter(booking: Booking, voice: Voice) -> Outgoing:
    bring = booking.offering.to_bring(voice.locale)
    said = _(
        "Reminder: {title}, {when}, {where}. Your code is {code}.",
        title=booking.offering.titled(voice),
        when=booking.session.starts_at,
        where=booking.session.where,
        code=booking.code,
    )
    lines = [voice.word(said)]
    if bring:
        lines.append(voice.word(_("Please remember: {bring}", bring=bring)))
    show = Button(voice.word(_("My booking")), f"bk.{booking.id}")
    move = Button(voice.word(_("Another time")), f"bkmove.{booking.id}")
    cancel = Button(voice.word(_("✕ Cancel it")), f"bkcancel.{booking.id}")
    return Outgoing("\n".join(lines), ((show,), (move, cancel)))


def _due(booking: Booking, now: datetime, desk: Desk) -> list[dict[str, object]]:
    session = booking.session
    rows: list[dict[str, object]] = []
    for offset in booking.offering.reminders or DEFAULT:
        at = _kindly(moment(offset, session.starts_at, desk), session, desk)
        if at <= now or session.starts_at - now < TOO_SOON:
            continue
        mark = _mark(session)
        values = {"booking_id": booking.id, "session_id": session.id, "starts_at": mark, "offset": offset}
        key = f"reminder:{booking.id}:{offset}:{session.id}:{mark}"
        rows.append({"key": key, "job": JOB, "at": at, "values": values, "tries": 0})
    return rows


def _kindly(at: datetime, session: Session, desk: Desk) -> datetime:
    """`at`, or the end of the quiet hours where that is still soon enough."""
    morning = desk.after_quiet(at)
    return morning if morning <= session.starts_at - TOO_SOON else at


def _mark(session: Session) -> str:
    return session.starts_at.isoformat()


_DUE: Any = Due.__table__
_SCHEDULE = PreparedRows(_DUE, ("key", "job", "at", "values", "tries"))
