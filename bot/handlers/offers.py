"""How offers, their times and bookings are put into words: the same in every list and on every card."""

from datetime import datetime, timedelta

from bot.conversation import Turn
from bot.i18n import Text, _
from bot.messages import Button, Place
from bot.pictures import named_qr
from bot.services import passes
from bot.services.bookings import Booking
from bot.services.desk import Desk
from bot.services.offerings import Offering
from bot.services.sessions import Session
from bot.services.wording import navigation

LONGEST_DESCRIPTION = 160
STATE_NAMES: dict[str, Text] = {
    "held": _("kept for you, not booked yet"),
    "booked": _("booked"),
    "pending": _("waits for the staff's yes"),
    "waiting": _("in the waiting list"),
    "offered": _("a place is offered to you"),
    "cancelled": _("cancelled"),
    "attended": _("you were there"),
    "no_show": _("missed"),
}


def title(turn: Turn, offering: Offering) -> str:
    """The offer's name; a sample says so, unless it is called so anyway."""
    return offering.titled(turn.voice)


def introduced(turn: Turn, offering: Offering) -> str:
    """What it is, in a few lines: its name, a description, who organises it, what to bring."""
    locale = turn.voice.locale
    described = offering.described(locale)
    if len(described) > LONGEST_DESCRIPTION:
        described = f"{described[: LONGEST_DESCRIPTION - 1]}…"
    lines = [title(turn, offering), described]
    if offering.organiser:
        lines.append(turn.word(_("By: {organiser}", organiser=offering.organiser)))
    if bring := offering.to_bring(locale):
        lines.append(turn.word(_("🎒 Bring: {things}", things=bring)))
    return "\n".join(line for line in lines if line)


def time_label(turn: Turn, session: Session) -> str:
    """One time to choose: when, where, and how many places are left."""
    where = session.place_name or session.address
    if not session.has_room(turn.now):
        return turn.word(_("{when} · {where} · full", when=session.starts_at, where=where))
    return turn.word(_("{when} · {where} · {free} free", when=session.starts_at, where=where, free=session.free))


def when(turn: Turn, session: Session) -> Text:
    """From when to when, with the weekday."""
    ends = session.ends_at.astimezone(turn.voice.zone)
    until = f"{ends.hour:02}:{ends.minute:02}"
    return _("🕒 {when} to {until}", when=session.starts_at, until=until)


def facts(turn: Turn, session: Session, offering: Offering) -> list[str]:
    """When, where, and what to bring."""
    lines = [turn.word(when(turn, session))]
    if session.where:
        lines.append(f"📍 {session.where}")
    if bring := offering.to_bring(turn.voice.locale):
        lines.append(turn.word(_("🎒 Bring: {things}", things=bring)))
    return lines


def line(turn: Turn, booking: Booking) -> str:
    """One booking in a list."""
    named = title(turn, booking.offering)
    state = STATE_NAMES[booking.state]
    return turn.word(_("{when} · {title} · {state}", when=booking.session.starts_at, title=named, state=state))


def show(turn: Turn, booking: Booking, first: Text | None = None) -> None:
    """Say a booking with everything that goes with it; `first` is what just happened to it."""
    head = turn.word(first) if first else turn.word(STATE_NAMES[booking.state])
    lines = [title(turn, booking.offering), head, *facts(turn, booking.session, booking.offering)]
    lines += [turn.word(said) for said in _of_state(turn, booking)]
    has_seat = booking.state in ("booked", "pending", "attended")
    photo = named_qr(check_in_address(turn, booking)) if booking.state == "booked" and turn.can.photo else ""
    turn.say(
        "\n".join(lines),
        *_buttons(turn, booking),
        places=_pins(booking.session) if has_seat else (),
        card=True,
        photo=photo,
    )


def check_in_address(turn: Turn, booking: Booking) -> str:
    """What the QR code of a booking says."""
    return passes.check_in_url(booking.code, turn.use(Desk))


def _of_state(turn: Turn, booking: Booking) -> list[Text]:
    match booking.state:
        case "booked":
            return [
                _("🔖 Your code: {code}. Show the picture or say the code at the desk.", code=booking.code),
                _leaving(booking, turn.now),
            ]
        case "pending":
            return [_("The staff decide and you are told here. Code: {code}", code=booking.code)]
        case "waiting":
            return [_waiting(turn, booking)]
        case "offered" if booking.until:
            return [_("It is kept for you until {until}.", until=booking.until)]
        case "no_show" if booking.offering.contact:
            return [_("Is that a mistake? Tell the staff: {contact}", contact=booking.offering.contact)]
    return []


def _leaving(booking: Booking, now: datetime) -> Text:
    deadline = booking.session.starts_at - timedelta(minutes=booking.offering.cancel_before_min)
    if deadline <= now:
        return _("Cannot come? Please cancel under /bookings, so that somebody else can.")
    return _("Cannot come? Cancel by {deadline} under /bookings: it costs nothing.", deadline=deadline)


def _waiting(turn: Turn, booking: Booking) -> Text:
    if not turn.can.pushes:
        return _(
            "You are number {position}. When a place becomes free, you see it here when you come back.",
            position=booking.position or 1,
        )
    return _("You are number {position}. When a place becomes free, I tell you here.", position=booking.position or 1)


def _buttons(turn: Turn, booking: Booking) -> tuple[tuple[Button, ...], ...]:
    rows: list[tuple[Button, ...]] = []
    number = booking.id
    match booking.state:
        case "offered":
            yes, no = (
                _press(turn, _("✓ I take it"), f"bkyes.{number}"),
                _press(turn, _("✕ No, thanks"), f"bkno.{number}"),
            )
            rows.append((yes, no))
        case "held":
            rows.append((_press(turn, _("Book it now"), f"bkagain.{booking.offering.id}"),))
        case "waiting":
            rows.append((_press(turn, _("Leave the waiting list"), f"bkcancel.{number}"),))
        case "booked" | "pending":
            rows += [_maps(turn, booking.session), _links(turn, booking)]
            move = _press(turn, _("Another time"), f"bkmove.{number}")
            rows.append((move, _press(turn, _("Cancel it"), f"bkcancel.{number}")))
        case "attended":
            rows.append(tuple(Button(f"{n}★", f"bkrate.{number}.{n}") for n in range(5, 0, -1)))
        case _:
            rows.append((_press(turn, _("Find another time"), f"bkagain.{booking.offering.id}"),))
    rows.append((_press(turn, _("My bookings"), "bookings"), _press(turn, _("☰ Menu"), "menu")))
    return tuple(row for row in rows if row)


def _maps(turn: Turn, session: Session) -> tuple[Button, ...]:
    return tuple(Button(turn.word(name), url=url) for pin in _pins(session) for name, url in navigation(pin))


def _links(turn: Turn, booking: Booking) -> tuple[Button, ...]:
    """The calendar file, and the QR where the channel shows no pictures; nothing where no address leads to us."""
    desk = turn.use(Desk)
    if not desk.public_url:
        return ()
    calendar = Button(turn.word(_("📅 To my calendar")), url=passes.calendar_url(booking.id, desk))
    if turn.can.photo or booking.state != "booked":
        return (calendar,)
    picture = passes.check_in_url(booking.code, desk).replace("/c/", "/qr/", 1) + ".png"
    return (calendar, Button(turn.word(_("QR picture")), url=picture))


def _pins(session: Session) -> tuple[Place, ...]:
    if session.lat is None or session.lng is None:
        return ()
    name = session.place_name or session.address
    address = session.place_address or session.address
    return (Place(session.place_code or "", name, session.lat, session.lng, address),)


def _press(turn: Turn, label: Text, token: str) -> Button:
    return Button(turn.word(label), token)
