"""What a rider takes along: the code as a QR picture, the date as a calendar file, and the links behind both."""

from datetime import UTC, datetime

from bot.i18n import Voice, _
from bot.pictures import qr as qr
from bot.seals import BrokenSeal as BrokenSeal  # those who open links catch it
from bot.services.bookings import Booking
from bot.services.desk import Desk

_LONGEST_LINE = 75  # octets, by RFC 5545
_CHECK_IN, _CALENDAR = "check-in", "calendar"


def check_in_url(code: str, desk: Desk) -> str:
    """The address in the QR: it names the booking to the staff and shows nothing to anybody else."""
    return f"{desk.public_url}/c/{desk.seals.sign(_CHECK_IN, code)}"


def calendar_url(booking_id: int, desk: Desk) -> str:
    """The address of the booking's calendar file."""
    return f"{desk.public_url}/b/{desk.seals.sign(_CALENDAR, str(booking_id))}.ics"


def opened(token: str, desk: Desk) -> str:
    """The code behind `/c/{token}`; raises BrokenSeal."""
    return desk.seals.signed(_CHECK_IN, token)


def calendar_opened(token: str, desk: Desk) -> int:
    """The number of the booking behind `/b/{token}.ics`; raises BrokenSeal."""
    subject = desk.seals.signed(_CALENDAR, token)
    if not (subject.isascii() and subject.isdecimal()):
        raise BrokenSeal(_CALENDAR)
    return int(subject)


def ics(booking: Booking, *, desk: Desk, voice: Voice, now: datetime) -> bytes:
    """The booking as a calendar file (RFC 5545): moved or cancelled, it replaces the earlier one.

    It holds the title, time, place and code, and nothing of the person.
    """
    session, offering = booking.session, booking.offering
    is_off = not booking.is_live or session.state == "cancelled"
    said = voice.word(_("Your code: {code}", code=booking.code))
    bring = offering.to_bring(voice.locale)
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Nuanxin//Bookings//EN",
        f"METHOD:{'CANCEL' if is_off else 'PUBLISH'}",
        "BEGIN:VEVENT",
        f"UID:{desk.seals.signature('calendar-uid', str(booking.id))}@nuanxin",
        f"SEQUENCE:{booking.version + is_off}",
        f"DTSTAMP:{_stamp(now)}",
        f"DTSTART:{_stamp(session.starts_at)}",
        f"DTEND:{_stamp(session.ends_at)}",
        f"SUMMARY:{_escaped(offering.titled(voice))}",
        f"LOCATION:{_escaped(session.where)}",
        f"DESCRIPTION:{_escaped(chr(10).join(part for part in (said, bring) if part))}",
        f"STATUS:{'CANCELLED' if is_off else 'TENTATIVE' if booking.state == 'pending' else 'CONFIRMED'}",
    ]
    if session.lat is not None and session.lng is not None:
        lines.append(f"GEO:{session.lat:.6f};{session.lng:.6f}")
    lines += ["END:VEVENT", "END:VCALENDAR"]
    return "".join(f"{_folded(line)}\r\n" for line in lines).encode()


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _escaped(text: str) -> str:
    for plain, escaped in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\r\n", "\\n"), ("\n", "\\n"), ("\r", "\\n")):
        text = text.replace(plain, escaped)
    return "".join(character for character in text if character >= " ")


def _folded(line: str) -> str:
    """A long line goes on after a line break and a space, never within a character."""
    pieces, piece, size = [], "", 0
    for character in line:
        width = len(character.encode())
        if size + width > _LONGEST_LINE:
            pieces.append(piece)
            piece, size = "", 1
        piece += character
        size += width
    return "\r\n ".join([*pieces, piece])
