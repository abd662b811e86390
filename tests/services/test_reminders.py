"""Reminders say what the booking is when they go out, or nothing."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from bot.database import Database
from bot.models import Contact, Outbound
from bot.schedule import Jobs, Ticker
from bot.services import bookings, duties, reminders, sessions
from tests.services.clinic import DESK, ZONE, Clinic

FASTING = {"bring": "请空腹", "bring_en": "Come with an empty stomach", "reminders": ["1d@19:00", "2h"]}


async def tick(clinic: Clinic, **time: float) -> list[str]:
    """Time goes by; returns what was said meanwhile."""
    before = len(await clinic.messages())
    clinic.passes(**time)
    jobs = Jobs()
    duties.register(jobs, DESK)
    await Ticker(clinic.database, jobs, lambda: clinic.now).tick()
    return (await clinic.messages())[before:]


async def test_the_day_before_and_two_hours_before(clinic: Clinic) -> None:
    mei, session = await clinic.rider(), await clinic.session(await clinic.offering(**FASTING), hours=48)
    booked = await clinic.books(mei, session)
    assert await tick(clinic, hours=33.9) == []
    (evening,) = await tick(clinic, hours=0.1)
    assert booked.code in evening
    assert "empty stomach" in evening
    assert "王茅镇" in evening
    assert len(await tick(clinic, hours=12)) == 1
    assert await tick(clinic, hours=48) == []


async def test_a_cancelled_booking_never_reminds(clinic: Clinic) -> None:
    mei, session = await clinic.rider(), await clinic.session(await clinic.offering(), hours=48)
    booked = await clinic.books(mei, session)
    await clinic.does(bookings.cancel, mei, booking_id=booked.id)
    assert await tick(clinic, hours=47) == []


async def test_a_moved_booking_reminds_of_its_new_time_only(clinic: Clinic) -> None:
    mei, offering = await clinic.rider(), await clinic.offering(reminders=["2h"])
    first, second = await clinic.session(offering, hours=48), await clinic.session(offering, hours=72)
    booked = await clinic.books(mei, first)
    await clinic.does(bookings.move, mei, booking_id=booked.id, session_id=second)
    assert await tick(clinic, hours=47) == []
    assert len(await tick(clinic, hours=24)) == 1


async def test_moved_there_and_back_reminds_once(clinic: Clinic) -> None:
    mei, offering = await clinic.rider(), await clinic.offering(reminders=["2h"])
    first, second = await clinic.session(offering, hours=48), await clinic.session(offering, hours=72)
    booked = await clinic.books(mei, first)
    for session in (second, first):
        await clinic.does(bookings.move, mei, booking_id=booked.id, session_id=session)
    assert len(await tick(clinic, hours=47)) == 1
    assert await tick(clinic, hours=24) == []


async def test_a_session_moved_by_the_staff(clinic: Clinic) -> None:
    mei, session = await clinic.rider(), await clinic.session(await clinic.offering(reminders=["2h"]), hours=48)
    await clinic.books(mei, session)
    later = clinic.now + timedelta(hours=72)
    await clinic.does(sessions.reschedule, 0, session_id=session, starts_at=later, ends_at=later + timedelta(hours=1))
    assert await tick(clinic, hours=47) == []
    (said,) = await tick(clinic, hours=24)
    assert "Thu 26 Nov 09:00" in said


async def test_late_and_by_night_it_waits_for_the_morning(clinic: Clinic) -> None:
    mei, session = await clinic.rider(), await clinic.session(await clinic.offering(reminders=["1d@19:00"]), hours=52)
    await clinic.books(mei, session)
    assert await tick(clinic, hours=38) == [], "the machine was off all evening, and now it is 23:00"
    assert len(await tick(clinic, hours=8)) == 1


async def test_what_has_begun_is_not_reminded_of(clinic: Clinic) -> None:
    mei, session = await clinic.rider(), await clinic.session(await clinic.offering(), hours=48)
    await clinic.books(mei, session)
    assert await tick(clinic, hours=49) == []


async def test_it_goes_where_the_person_can_be_reached(clinic: Clinic) -> None:
    mei, session = await clinic.rider(), await clinic.session(await clinic.offering(reminders=["2h"]), hours=48)
    await clinic.books(mei, session)
    async with clinic.database.writing() as db:
        await db.execute(update(Contact).values(stopped_at=clinic.now))
        other = Contact(mei, channel="digits", user="w1", locale="zh_CN", created_at=clinic.now)
        db.add(other)
    (said,) = await tick(clinic, hours=46)
    assert "体检" in said
    assert await lanes(clinic.database) == {("digits", "personal")}


async def lanes(database: Database) -> set[tuple[str, str]]:
    async with database.reading() as db:
        return {(channel, lane) for channel, lane in await db.execute(select(Outbound.channel, Outbound.lane))}


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        ("1d@19:00", datetime(2026, 11, 30, 19, 0, tzinfo=ZONE)),
        ("0d@07:30", datetime(2026, 12, 1, 7, 30, tzinfo=ZONE)),
        ("2h", datetime(2026, 12, 1, 7, 0, tzinfo=ZONE)),
        ("30min", datetime(2026, 12, 1, 8, 30, tzinfo=ZONE)),
    ],
)
def test_offsets(offset: str, expected: datetime) -> None:
    assert reminders.moment(offset, datetime(2026, 12, 1, 9, 0, tzinfo=ZONE), DESK) == expected


@pytest.mark.parametrize("offset", ["", "d", "1d", "1d@25:00", "-2h", "2 h", "tomorrow"])
def test_what_is_no_offset(offset: str) -> None:
    assert not reminders.is_offset(offset)
