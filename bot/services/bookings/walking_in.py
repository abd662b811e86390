"""Somebody without the chat gets a seat: whoever stands at the desk, or calls it."""

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import insert
from bot.errors import Problem
from bot.i18n import _
from bot.models import Booking as Row
from bot.services import audit, authority
from bot.services.bookings.deciding import DOORS_OPEN
from bot.services.bookings.holding import SessionFull, SessionGone, new_code, noted
from bot.services.desk import Desk
from bot.services.seating import booking_rows as reading
from bot.services.seating import private, rules, seats
from bot.services.seating.booking_rows import Booking
from bot.services.seating.private import Details
from bot.services.sessions import roll
from bot.services.sessions.roll import Roll


class ConsentMissing(Problem):
    text = _("Before a name or a number is kept, they must hear how it is kept and agree: tick it.")


async def walk_in(
    db: AsyncSession,
    staff_id: int,
    *,
    session_id: int,
    details: Details,
    agreed: bool,
    now: datetime,
    desk: Desk,
) -> Booking:
    """A booking of nobody's chat, with a seat as long as there is one: here at once where the doors are open.

    `agreed` is whether the person agreed that what they say of themselves is kept. Raises SessionGone, SessionFull,
    NotAllowed, ConsentMissing, LimitReached (by the phone), BadPhone, BadAnswer.
    """
    member = await authority.member(db, staff_id)
    await seats.lock(db, session_id)
    shown = await roll.of_session(db, member, session_id, desk=desk)
    session, offering = shown.session, shown.offering
    roll.require(member, "booking.write", session)
    if session.state == "cancelled" or session.ends_at <= now:
        raise SessionGone
    said = private.checked(details, offering)
    if (said.name or said.phone or said.note) and not agreed:
        raise ConsentMissing
    values = private.sealed(said, desk.seals)
    await rules.check_phone(db, offering, session, values["phone_hash"], but=0)
    await seats.expire(db, session_id, now=now, desk=desk)
    if not await seats.take_at_the_door(db, session_id, now=now):
        raise SessionFull(waitlist=False)
    state = "attended" if session.starts_at - DOORS_OPEN <= now else "booked"
    booking = await _made(db, shown, {"state": state, "created_at": now, **values})
    await noted(db, booking.id, now, "", state, who="staff", staff_id=staff_id)
    subject, after = f"booking:{booking.id}", {"session": session.code, "state": state, "agreed": agreed}
    await audit.record(db, member, "booking.walk_in", subject, now=now, after=after)
    return booking


async def _made(db: AsyncSession, shown: Roll, values: dict[str, Any]) -> Booking:
    """The new row, with a code that is nobody else's."""
    session, offering = shown.session, shown.offering
    of_it = {"rider_id": None, "session_id": session.id, "offering_id": offering.id, "agreed": session.sequence}
    blank = {"reason": "", "network": "", "sequence": 0}
    number = None
    while number is None:
        row = insert(db, Row).values(code=new_code(), **blank, **of_it, **values)
        number = await db.scalar(row.on_conflict_do_nothing(index_elements=["code"]).returning(Row.id))
    return await reading.unowned(db, number)
