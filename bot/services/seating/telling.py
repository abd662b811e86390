"""What people are told of their bookings when they did not ask: worded in their language as it is queued."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot import i18n, outbox
from bot.i18n import Text, Voice, _
from bot.messages import Button, Outgoing
from bot.models import Booking as Row
from bot.models import Contact
from bot.services.desk import Desk
from bot.services.seating import booking_rows as reading
from bot.services.seating.booking_rows import SEATED, Booking

Letter = Callable[[Booking, Voice], Outgoing]


async def tell(
    db: AsyncSession, booking_ids: Sequence[int], letter: Letter, *, topic: str, at: datetime, desk: Desk
) -> int:
    """Queue `letter` for each booking's person, to go out `at`; returns how many can be reached.

    They are told where they booked, or at another address of theirs if that one stopped. One message of a `topic`
    goes to a booking at one version of its time and place.
    """
    if not booking_ids:
        return 0
    query = (
        reading.selected(Contact.id, Contact.channel, Contact.locale)
        .join(Contact, Contact.rider_id == Row.rider_id)
        .where(Row.id.in_(booking_ids), Contact.stopped_at.is_(None))
        .order_by(Row.id, (Contact.id == Row.contact_id).desc(), Contact.id.desc())
    )
    told: set[int] = set()
    for row in (await db.execute(query)).mappings():
        booking = reading.from_row(row)
        if booking.id in told:
            continue
        told.add(booking.id)
        message = letter(booking, i18n.voice(row["locale"], desk.zone))
        key = f"booking:{booking.id}:{topic}:{booking.version}"
        outbox.put(db, row["id"], row["channel"], message, lane="personal", key=key, at=at)
    return len(told)


async def offered(db: AsyncSession, booking_ids: Sequence[int], *, now: datetime, desk: Desk) -> None:
    """A seat became free: theirs until the offer ends."""

    def letter(booking: Booking, voice: Voice) -> Outgoing:
        said = _(
            "A place became free: {title}, {when}. It is kept for you until {until}. "
            "You can also answer under /bookings.",
            title=booking.offering.called(voice.locale),
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


async def session_moved(db: AsyncSession, session_id: int, *, now: datetime, desk: Desk) -> int:
    """Everybody with a seat or in the list: the new time and place, one tap to keep, move or cancel."""

    def letter(booking: Booking, voice: Voice) -> Outgoing:
        said = _(
            "Changed: {title} is now {when}, {where}. Your place is kept. Does that suit you? "
            "You find it under /bookings as well.",
            **_facts(booking, voice),
        )
        keep = Button(voice.word(_("✓ That suits me")), f"bkok.{booking.id}")
        move = Button(voice.word(_("Another time")), f"bkmove.{booking.id}")
        cancel = Button(voice.word(_("✕ Cancel it")), f"bkcancel.{booking.id}")
        return Outgoing(voice.word(said), ((keep,), (move, cancel)))

    states = (*(state for state in SEATED if state not in ("attended", "no_show")), "waiting")
    there = select(Row.id).where(Row.session_id == session_id, Row.state.in_(states))
    return await tell(db, list(await db.scalars(there)), letter, topic="moved", at=now, desk=desk)


async def session_cancelled(
    db: AsyncSession, session_id: int, booking_ids: Sequence[int], *, now: datetime, desk: Desk
) -> None:
    said = _("Sorry, this does not take place: {title}, {when}. Nothing is counted against you. {contact}")
    await tell(db, booking_ids, _plain(said, _again), topic="called-off", at=now, desk=desk)


def _plain(said: Text, *buttons: Callable[[Booking, Voice], Button]) -> Letter:
    """A letter of one sentence with the booking's facts filled in, and a button in each row."""

    def letter(booking: Booking, voice: Voice) -> Outgoing:
        worded = voice.word(Text(said.msgid, _facts(booking, voice)))
        return Outgoing(worded.strip(), tuple((button(booking, voice),) for button in buttons))

    return letter


def _facts(booking: Booking, voice: Voice) -> dict[str, str | datetime]:
    return {
        "title": booking.offering.called(voice.locale),
        "when": booking.session.starts_at,
        "where": booking.session.where,
        "code": booking.code,
        "contact": booking.offering.contact,
    }


def _show(booking: Booking, voice: Voice) -> Button:
    return Button(voice.word(_("My booking")), f"bk.{booking.id}")


def _again(booking: Booking, voice: Voice) -> Button:
    return Button(voice.word(_("Find another time")), f"bkagain.{booking.offering.id}")
