"""The QR and the calendar file, read by others' readers."""

import io
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar
from PIL import Image

from bot import i18n
from bot.seals import BrokenSeal, Seals
from bot.services import bookings, passes, sessions
from tests.services.clinic import DESK, ZONE, Clinic

VOICE = i18n.voice("en", ZONE)


def test_the_qr_is_read_by_an_independent_reader() -> None:
    address = passes.check_in_url("ACDEFG", DESK)
    (found,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(passes.qr(address))))
    assert found.text == address
    assert passes.opened(address.rpartition("/c/")[2], DESK) == "ACDEFG"


@settings(max_examples=30, deadline=None)
@given(st.text("34679ACDEFGHJKMNPRTWXY", min_size=6, max_size=6))
def test_every_code_can_be_read(code: str) -> None:
    address = passes.check_in_url(code, DESK)
    (found,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(passes.qr(address))))
    assert found.text == address


def test_links_are_signed_for_one_purpose() -> None:
    calendar = passes.calendar_url(7, DESK).rpartition("/b/")[2].removesuffix(".ics")
    assert passes.calendar_opened(calendar, DESK) == 7
    stranger = replace(DESK, seals=Seals("another secret"))
    for token in (calendar, "ACDEFG.", "", ".", passes.check_in_url("ACDEFG", stranger).rpartition("/")[2], "王.x"):
        with pytest.raises(BrokenSeal):
            passes.opened(token, DESK)


async def test_a_sample_says_so_in_the_calendar_too(clinic: Clinic) -> None:
    mei = await clinic.rider()
    session = await clinic.session(await clinic.offering(demo=True))
    mine = await clinic.does(bookings.one, mei, booking_id=(await clinic.books(mei, session)).id)
    calendar = Calendar.from_ical(passes.ics(mine, desk=DESK, voice=VOICE, now=clinic.now))
    (one,) = calendar.walk("VEVENT")
    assert str(one["SUMMARY"]) == "[sample] Health check"


async def test_the_calendar_file_replaces_itself(clinic: Clinic) -> None:
    mei, offering = await clinic.rider(), await clinic.offering(bring="身份证; 空腹, 前一晚")
    session, other = await clinic.session(offering), await clinic.session(offering, hours=99)
    booked = await clinic.books(mei, session)

    async def event(voice: i18n.Voice = VOICE) -> tuple[str, Any]:
        mine = await clinic.does(bookings.one, mei, booking_id=booked.id)
        calendar = Calendar.from_ical(passes.ics(mine, desk=DESK, voice=voice, now=clinic.now))
        (one,) = calendar.walk("VEVENT")
        return str(calendar["METHOD"]), one

    method, first = await event()
    assert (method, str(first["SUMMARY"]), first["DTSTART"].dt) == ("PUBLISH", "Health check", booked.session.starts_at)
    assert "身份证; 空腹, 前一晚" in str(first["DESCRIPTION"])
    assert booked.code in str(first["DESCRIPTION"])
    assert str(first["LOCATION"]) == "王茅镇"
    await clinic.does(bookings.move, mei, booking_id=booked.id, session_id=other)
    _method, moved = await event()
    later = clinic.now + timedelta(days=9)
    how = {"starts_at": later, "ends_at": later + timedelta(hours=1)}
    await clinic.does(sessions.reschedule, 0, session_id=other, **how)
    _method, again = await event()
    await clinic.does(bookings.cancel, mei, booking_id=booked.id)
    method, gone = await event()
    assert {str(one["UID"]) for one in (first, moved, again, gone)} == {str(first["UID"])}
    assert [one["SEQUENCE"] for one in (first, moved, again, gone)] == [0, 1, 2, 3]
    assert (method, str(gone["STATUS"])) == ("CANCEL", "CANCELLED")


@given(st.text(max_size=300))
def test_no_line_is_too_long_and_no_character_is_cut(text: str) -> None:
    folded = passes._folded(passes._escaped(text))
    assert all(len(line.encode(errors="replace")) <= 75 for line in folded.split("\r\n"))
    assert folded.replace("\r\n ", "") == passes._escaped(text)
