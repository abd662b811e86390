"""What people are told of their bookings when they did not ask: worded in their language as it is queued."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot import i18n, outbox
from bot.i18n import DEFAULT_LOCALE, Text, Voice, _
from bot.messages import Button, Outgoing
from bot.models import Booking as Row
from bot.models import Contact
from bot.services.desk import Desk
from bot.services.seating import booking_rows as reading
from bot.services.seating.booking_rows import LIVE, Booking

Letter = Callable[[Booking, Voice], Outgoing]


@dataclass(frozen=True, slots=True)
class Reached:
    """A booking whose person can be told, and where."""

    booking: Booking
    contact_id: int
    channel: str
    locale: str


async def tell(
    db: AsyncSession, booking_ids: Sequence[int], letter: Letter, *, topic: str, at: datetime, desk: Desk
) -> int:
    """Queue `letter` for each booking's person, to go out `at`; returns how many can be reached.

    One message of a `topic` goes to a booking at one version of its time and place.
    """
    there = await reached(db, booking_ids)
    for one in there:
        said = letter(one.booking, i18n.voice(one.locale, desk.zone))
        message = said._replace(form=topic.partition(":")[0], facts=_stated(one.booking, desk))
        key = f"booking:{one.booking.id}:{topic}:{one.booking.version}"
        outbox.put(db, one.contact_id, one.channel, message, lane="personal", key=key, at=at)
    return len(there)


async def reached(db: AsyncSession, booking_ids: Sequence[int]) -> list[Reached]:
    """Of these bookings those whose person can be told: where they booked, or elsewhere if that address stopped."""
    if not booking_ids:
        return []
    query = (
        reading.selected(Contact.id, Contact.channel, Contact.locale)
        .join(Contact, Contact.rider_id == Row.rider_id)
        .where(Row.id.in_(booking_ids), Contact.stopped_at.is_(None))
        .order_by(Row.id, (Contact.id == Row.contact_id).desc(), Contact.id.desc())
    )
    found: dict[int, Reached] = {}
    for row in (await db.execute(query)).mappings():
        booking = reading.from_row(row)
        found.setdefault(booking.id, Reached(booking, row["id"], row["channel"], row["locale"]))
    return list(found.values())


async def offered(db: AsyncSession, booking_ids: Sequence[int], *, now: datetime, desk: Desk) -> None:
    """A seat became free: theirs until the offer ends."""

    def letter(booking: Booking, voice: Voice) -> Outgoing:
        said = _(
            "A place became free: {title}, {when}. It is kept for you until {until}. "
            "You can also answer under /bookings.",
            title=booking.offering.titled(voice),
            when=booking.session.starts_at,
            until=booking.until,
        )
        yes = Button(voice.word(_("✓ I take it")), f"bkyes.{booking.id}")
        no = Button(voice.word(_("✕ No, thanks")), f"bkno.{booking.id}")
        return Outgoing(voice.word(said), ((yes, no),))

    await tell(db, booking_ids, letter, topic="offered", at=now, desk=desk)


async def offer_over(db: AsyncSession, booking_ids: Sequence[int], *, now: datetime, desk: Desk) -> None:
    """They did not answer in time."""
    said = _("The place kept for you was passed on: {title}, {when}. You are welcome to book again.")
    letter = _plain(said, _again)
    await tell(db, booking_ids, letter, topic="offer-over", at=desk.after_quiet(now), desk=desk)


async def approved(db: AsyncSession, booking_id: int, *, now: datetime, desk: Desk) -> None:
    said = _("Your booking is approved: {title}, {when}, {where}. Your code is {code}.")
    await tell(db, [booking_id], _plain(said, _show), topic="approved", at=now, desk=desk)


async def refused(db: AsyncSession, booking_id: int, *, now: datetime, desk: Desk) -> None:
    said = _("Sorry, your request was not approved: {title}, {when}. {contact}")
    await tell(db, [booking_id], _plain(said, _again), topic="refused", at=now, desk=desk)


async def missed(db: AsyncSession, booking_ids: Sequence[int], *, now: datetime, desk: Desk) -> None:
    """They did not come, and the rule counts it: said openly, with the way to have it undone."""
    said = _(
        "We missed you: {title}, {when}. It is counted; two in 90 days pause booking for 14 days. "
        "If you were there, or could not help it, tell the staff: they can undo it. {contact}"
    )
    await tell(db, booking_ids, _plain(said), topic="missed", at=desk.after_quiet(now), desk=desk)


async def ask_rating(db: AsyncSession, booking_ids: Sequence[int], *, now: datetime, desk: Desk) -> None:
    """How was it? One tap."""

    def letter(booking: Booking, voice: Voice) -> Outgoing:
        said = _("How was it: {title}, {when}?", **_facts(booking, voice))
        stars = tuple(Button("★" * n, f"bkrate.{booking.id}.{n}") for n in range(5, 0, -1))
        return Outgoing(voice.word(said), tuple((star,) for star in stars))

    await tell(db, booking_ids, letter, topic="rating", at=desk.after_quiet(now), desk=desk)


async def removed(db: AsyncSession, booking_id: int, *, now: datetime, desk: Desk) -> None:
    """The staff ended the booking, on the person's word or for a reason of their own."""
    said = _("The staff cancelled your booking: {title}, {when}. Nothing is counted against you. {contact}")
    await tell(db, [booking_id], _plain(said, _again), topic="removed", at=now, desk=desk)


async def session_moved(db: AsyncSession, session_id: int, *, now: datetime, desk: Desk) -> int:
    """Everybody with a seat or in the list: the new time and place, one tap to keep, move or cancel."""
    there = await concerned(db, session_id)
    return await tell(db, there, moved_letter, topic="moved", at=now, desk=desk)


async def concerned(db: AsyncSession, session_id: int) -> list[int]:
    """The bookings of those who have a seat of the session before them, or wait for one."""
    there = select(Row.id).where(Row.session_id == session_id, Row.state.in_(LIVE)).order_by(Row.id)
    return list(await db.scalars(there))


def moved_letter(booking: Booking, voice: Voice) -> Outgoing:
    """What is said of a session that has a new time or place."""
    said = _(
        "Changed: {title} is now {when}, {where}. Your place is kept. Does that suit you? "
        "You find it under /bookings as well.",
        **_facts(booking, voice),
    )
    keep = Button(voice.word(_("✓ That suits me")), f"bkok.{booking.id}")
    move = Button(voice.word(_("Another time")), f"bkmove.{booking.id}")
    cancel = Button(voice.word(_("✕ Cancel it")), f"bkcancel.{booking.id}")
    return Outgoing(voice.word(said), ((keep,), (move, cancel)))


async def session_cancelled(
    db: AsyncSession, session_id: int, booking_ids: Sequence[int], *, now: datetime, desk: Desk
) -> None:
    await tell(db, booking_ids, called_off_letter, topic="called-off", at=now, desk=desk)


def called_off_letter(booking: Booking, voice: Voice) -> Outgoing:
    """What is said of a session that does not take place."""
    said = _("Sorry, this does not take place: {title}, {when}. Nothing is counted against you. {contact}")
    return _plain(said, _again)(booking, voice)


def _plain(said: Text, *buttons: Callable[[Booking, Voice], Button]) -> Letter:
    """A letter of one sentence with the booking's facts filled in, and a button in each row."""

    def letter(booking: Booking, voice: Voice) -> Outgoing:
        worded = voice.word(Text(said.msgid, _facts(booking, voice)))
        return Outgoing(worded.strip(), tuple((button(booking, voice),) for button in buttons))

    return letter


def _facts(booking: Booking, voice: Voice) -> dict[str, str | datetime]:
    return {
        "title": booking.offering.titled(voice),
        "when": booking.session.starts_at,
        "where": booking.session.where,
        "code": booking.code,
        "contact": booking.offering.contact,
    }


def _stated(booking: Booking, desk: Desk) -> tuple[tuple[str, str], ...]:
    """The facts as a form takes them, which is in Chinese: what is empty is left out."""
    stated = {
        "title": booking.offering.titled(i18n.voice(DEFAULT_LOCALE, desk.zone)),
        "when": booking.session.starts_at.astimezone(desk.zone).strftime("%Y-%m-%d %H:%M"),
        "where": booking.session.where,
        "code": booking.code,
        "contact": booking.offering.contact,
    }
    return tuple((name, value) for name, value in stated.items() if value)


def _show(booking: Booking, voice: Voice) -> Button:
    return Button(voice.word(_("My booking")), f"bk.{booking.id}")


def _again(booking: Booking, voice: Voice) -> Button:
    return Button(voice.word(_("Find another time")), f"bkagain.{booking.offering.id}")
