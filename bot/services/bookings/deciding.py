"""What staff decide about bookings: approved, refused, excused, and who was there."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import rows_changed
from bot.errors import Problem
from bot.i18n import _
from bot.models import Booking as Row
from bot.models import Session as SessionRow
from bot.services import audit, authority, reminders
from bot.services.authority import Member
from bot.services.bookings.holding import noted
from bot.services.bookings.leaving import NotLive, end
from bot.services.desk import Desk
from bot.services.seating import booking_rows as reading
from bot.services.seating import rules, seats, telling
from bot.services.seating.booking_rows import Booking, NoSuchBooking
from bot.services.seating.private import masked_name, opened
from bot.services.sessions import roll

# Doors open before the hour, and lists are tidied up after it.
DOORS_OPEN = timedelta(hours=3)
DOORS_CLOSE = timedelta(hours=12)
# How long after the end of a session those who were not checked in count as absent.
GRACE = timedelta(hours=1)
_BATCH = 20


class UnknownCode(Problem):
    text = _("No booking has that code. Please look again: there is no 0, O, 1, I or L in it.")


class NotExpected(Problem):
    """The booking has no seat that could be taken."""

    def __init__(self, booking: Booking) -> None:
        self.booking = booking
        super().__init__(_("That booking is not valid (any more). It was for {when}.", when=booking.session.starts_at))


class NotBegun(Problem):
    text = _("Nobody is absent before the session has begun.")


class WrongDay(Problem):
    """It is not the time of this booking's session."""

    def __init__(self, booking: Booking) -> None:
        self.booking = booking
        super().__init__(_("That booking is for another time: {when}.", when=booking.session.starts_at))


@dataclass(frozen=True, slots=True)
class CheckedIn:
    """Somebody who came: `already` if they were checked in before; `guest` is their masked name."""

    booking: Booking
    guest: str
    already: bool


async def look(db: AsyncSession, staff_id: int, *, code: str, desk: Desk) -> CheckedIn:
    """Whose code that is, before anything is done; raises UnknownCode."""
    booking, _member = await _with_code(db, staff_id, code)
    return CheckedIn(booking, await _guest(db, booking, desk), booking.state == "attended")


async def check_in(db: AsyncSession, staff_id: int, *, code: str, now: datetime, desk: Desk) -> CheckedIn:
    """Note that the person with `code` came; a second time changes nothing.

    Raises UnknownCode (also for a session that is not this person's to run), NotExpected, WrongDay.
    """
    booking, member = await _with_code(db, staff_id, code)
    if booking.state not in ("booked", "attended", "no_show"):
        raise NotExpected(booking)
    if not booking.session.starts_at - DOORS_OPEN <= now <= booking.session.ends_at + DOORS_CLOSE:
        raise WrongDay(booking)
    came = update(Row).where(Row.id == booking.id, Row.state == booking.state)
    if booking.state != "attended":
        if not await rows_changed(db, came.values(state="attended", struck_at=None)):
            return await check_in(db, staff_id, code=code, now=now, desk=desk)
        await _decided(db, member, "booking.check_in", booking, "attended", now)
    name = await _guest(db, booking, desk)
    return CheckedIn(replace(booking, state="attended"), name, booking.state == "attended")


async def undo_check_in(db: AsyncSession, staff_id: int, *, booking_id: int, now: datetime, desk: Desk) -> Booking:
    """They were not there after all; raises NoSuchBooking, NotAllowed, NotLive if nobody was checked in."""
    booking, member = await _seen(db, staff_id, booking_id, "booking.check_in")
    back = update(Row).where(Row.id == booking_id, Row.state == "attended")
    if not await rows_changed(db, back.values(state="booked")):
        raise NotLive
    await _decided(db, member, "booking.undo", replace(booking, state="attended"), "booked", now)
    return replace(booking, state="booked")


async def approve(db: AsyncSession, staff_id: int, *, booking_id: int, now: datetime, desk: Desk) -> Booking:
    """Say yes to a request, whose seat was kept; the rider is told. Raises NoSuchBooking, NotAllowed, NotLive."""
    booking, member = await _seen(db, staff_id, booking_id, "booking.write")
    yes = update(Row).where(Row.id == booking_id, Row.state == "pending")
    if not await rows_changed(db, yes.values(state="booked")):
        raise NotLive
    await _decided(db, member, "booking.approve", replace(booking, state="pending"), "booked", now)
    booked = replace(booking, state="booked")
    await reminders.schedule(db, [booked], now=now, desk=desk)
    await telling.approved(db, booking_id, now=now, desk=desk)
    return booked


async def refuse(db: AsyncSession, staff_id: int, *, booking_id: int, now: datetime, desk: Desk) -> None:
    """Say no to a request: its seat is offered to others and the rider is told. Raises as `approve` does."""
    _before, member = await _seen(db, staff_id, booking_id, "booking.write")
    booking = await reading.found(db, Row.id == booking_id, Row.state == "pending", locks=SessionRow)
    if booking is None:
        raise NotLive
    await end(db, booking, reason="refused", now=now, desk=desk, who="staff", staff_id=staff_id)
    await _audited(db, member, "booking.refuse", booking, "cancelled", now)
    await telling.refused(db, booking_id, now=now, desk=desk)


async def withdraw(db: AsyncSession, staff_id: int, *, booking_id: int, now: datetime, desk: Desk) -> None:
    """End a live booking for its person, who is told and not blamed; its seat goes to the next in the list.

    Raises NoSuchBooking, NotAllowed, NotLive.
    """
    _before, member = await _seen(db, staff_id, booking_id, "booking.write")
    booking = await reading.found(db, Row.id == booking_id, locks=SessionRow)
    if booking is None or booking.session.ends_at <= now:
        raise NotLive
    await end(db, booking, reason="staff", now=now, desk=desk, who="staff", staff_id=staff_id)
    await _audited(db, member, "booking.cancel", booking, "cancelled", now)
    await telling.removed(db, booking_id, now=now, desk=desk)


async def miss(db: AsyncSession, staff_id: int, *, booking_id: int, now: datetime, desk: Desk) -> None:
    """Somebody did not come, said before the day is closed out, by the same rule; checking them in takes it back.

    Raises NoSuchBooking, NotAllowed, NotBegun, NotLive.
    """
    booking, member = await _seen(db, staff_id, booking_id, "booking.check_in")
    if now < booking.session.starts_at:
        raise NotBegun
    harsh = await rules.is_harsh_day(db, booking.session.starts_at, desk.zone)
    counts = not harsh and booking.agreed >= booking.session.sequence
    absent = update(Row).where(Row.id == booking_id, Row.state == "booked")
    if not await rows_changed(db, absent.values(state="no_show", struck_at=now if counts else None)):
        raise NotLive
    await _decided(db, member, "booking.no_show", replace(booking, state="booked"), "no_show", now)
    if counts:
        await telling.missed(db, [booking_id], now=now, desk=desk)


async def excuse(db: AsyncSession, staff_id: int, *, booking_id: int, now: datetime) -> None:
    """Take back what was counted against somebody; raises NoSuchBooking, NotAllowed, NotLive if nothing was."""
    booking, member = await _seen(db, staff_id, booking_id, "booking.write")
    struck = update(Row).where(Row.id == booking_id, Row.struck_at.is_not(None))
    if not await rows_changed(db, struck.values(struck_at=None)):
        raise NotLive
    await _decided(db, member, "booking.excuse", booking, booking.state, now)


async def close_out(db: AsyncSession, *, now: datetime, desk: Desk) -> int:
    """End the sessions that are over: the absent are noted, those who came are asked how it was.

    Absence is not counted on a day of orange or red weather alert, nor to somebody whose session was moved by the
    staff without their consent. Returns how many sessions; there may be more.
    """
    over = (
        select(SessionRow.id, SessionRow.starts_at)
        .where(SessionRow.closed_out_at.is_(None), SessionRow.ends_at <= now - GRACE)
        .order_by(SessionRow.ends_at)
        .limit(_BATCH)
        .with_for_update(skip_locked=True, key_share=True)
    )
    ended = (await db.execute(over)).all()
    for session_id, starts_at in ended:
        harsh = await rules.is_harsh_day(db, starts_at, desk.zone)
        await _absent(db, session_id, counts=not harsh, now=now, desk=desk)
        came = select(Row.id).where(Row.session_id == session_id, Row.state == "attended", Row.rating.is_(None))
        await telling.ask_rating(db, list(await db.scalars(came)), now=now, desk=desk)
    done = [session_id for session_id, _starts in ended]
    if done:
        await db.execute(update(SessionRow).where(SessionRow.id.in_(done)).values(closed_out_at=now))
    return len(done)


async def _absent(db: AsyncSession, session_id: int, *, counts: bool, now: datetime, desk: Desk) -> None:
    sequence = select(SessionRow.sequence).where(SessionRow.id == session_id).scalar_subquery()
    booked = (Row.session_id == session_id, Row.state == "booked")
    counted: list[int] = []
    if counts:
        missed = update(Row).where(*booked, Row.agreed >= sequence).values(state="no_show", struck_at=now)
        counted = list(await db.scalars(missed.returning(Row.id)))
    others = list(await db.scalars(update(Row).where(*booked).values(state="no_show").returning(Row.id)))
    for booking_id in (*counted, *others):
        await noted(db, booking_id, now, "booked", "no_show", who="system")
    # Requests that nobody decided, and people who still waited: it is over, and nobody's fault.
    left = (Row.session_id == session_id, Row.state.in_(("pending", "waiting", "offered", "held")))
    gone = {"state": "cancelled", "reason": "expired", "until": None}
    ended = select(Row.id, Row.state).where(*left)
    for booking_id, state in (await db.execute(ended)).all():
        await noted(db, booking_id, now, state, "cancelled", who="system")
        await db.execute(update(Row).where(Row.id == booking_id).values(gone))
        if state != "waiting":
            await seats.give_back(db, session_id)
    await telling.missed(db, counted, now=now, desk=desk)


async def _with_code(db: AsyncSession, staff_id: int, code: str) -> tuple[Booking, Member]:
    """The booking with that code, of a session that this person runs; raises UnknownCode."""
    member = await authority.member(db, staff_id)
    booking = await reading.found(db, Row.code == code.strip().upper())
    if booking is None or not roll.runs(member, "booking.check_in", booking.session):
        raise UnknownCode
    return booking, member


async def _guest(db: AsyncSession, booking: Booking, desk: Desk) -> str:
    name = await db.scalar(select(Row.name).where(Row.id == booking.id))
    return masked_name(opened(name, "booking-name", desk.seals))


async def _seen(db: AsyncSession, staff_id: int, booking_id: int, action: str) -> tuple[Booking, Member]:
    """A booking of a session that this person runs; raises NoSuchBooking or NotAllowed."""
    member = await authority.member(db, staff_id)
    booking = await reading.found(db, Row.id == booking_id)
    if booking is None:
        raise NoSuchBooking
    roll.require(member, action, booking.session)
    return booking, member


async def _decided(db: AsyncSession, member: Member, action: str, before: Booking, after: str, now: datetime) -> None:
    await noted(db, before.id, now, before.state, after, who="staff", staff_id=member.id)
    await _audited(db, member, action, before, after, now)


async def _audited(db: AsyncSession, member: Member, action: str, before: Booking, after: str, now: datetime) -> None:
    states = {"before": {"state": before.state}, "after": {"state": after}}
    await audit.record(db, member, action, f"booking:{before.id}", now=now, **states)
