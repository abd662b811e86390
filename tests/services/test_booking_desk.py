"""What staff do for people at the desk: seats without a chat, absences, forecasts of who is told, and the figures."""

import asyncio
from dataclasses import replace
from datetime import date, time, timedelta

import pytest
from sqlalchemy import func, select

from bot.models import AuditEntry, Booking, Session
from bot.services import attendance, authority, booking_desk, bookings, patterns, session_desk, session_forms, sessions
from bot.services.authority import Member, NotAllowed
from bot.services.bookings import Details
from bot.services.bookings.walking_in import ConsentMissing
from bot.services.patterns import Rhythm
from bot.services.session_forms import Filled, Where
from tests.services.clinic import DESK, ZONE, Clinic

ASKED = [{"key": "name", "kind": "name"}, {"key": "phone", "kind": "phone"}]
WHO = Details("李四", "13900000000")


async def member(clinic: Clinic, role: str = "operator", **more: object) -> Member:
    staff_id = await clinic.staff(role, **more)
    async with clinic.database.reading() as db:
        return await authority.member(db, staff_id)


async def count(clinic: Clinic, *conditions: object) -> int:
    async with clinic.database.reading() as db:
        return await db.scalar(select(func.count()).select_from(Booking).where(*conditions)) or 0  # type: ignore[arg-type]


async def test_a_walk_in_is_here_when_the_doors_are_open_and_booked_before(clinic: Clinic) -> None:
    boss, offering = await clinic.staff(), await clinic.offering(questions=ASKED)
    now, later = [await clinic.session(offering, hours=hours) for hours in (2, 72)]
    here = await clinic.does(bookings.walk_in, boss, session_id=now, details=WHO, agreed=True)
    coming = await clinic.does(bookings.walk_in, boss, session_id=later, details=WHO, agreed=True)
    assert (here.state, coming.state, here.rider_id) == ("attended", "booked", None)
    await clinic.is_sound()
    clinic.passes(hours=72)
    came = await clinic.does(bookings.check_in, boss, code=coming.code)
    assert (came.guest, came.already) == ("李**", False)
    clinic.passes(days=40)
    assert await clinic.does(bookings.erase_old) == 2


async def test_who_walks_in_is_asked_first_and_counted_like_everybody(clinic: Clinic) -> None:
    boss, offering = await clinic.staff(), await clinic.offering(questions=ASKED, limit_count=1)
    session, other = await clinic.session(offering, capacity=3), await clinic.session(offering, hours=80)
    with pytest.raises(ConsentMissing):
        await clinic.does(bookings.walk_in, boss, session_id=session, details=WHO, agreed=False)
    await clinic.does(bookings.walk_in, boss, session_id=session, details=WHO, agreed=True)
    with pytest.raises(bookings.LimitReached):
        await clinic.does(bookings.walk_in, boss, session_id=other, details=WHO, agreed=True)
    clinic.passes(hours=74)
    with pytest.raises(bookings.SessionGone):
        await clinic.does(bookings.walk_in, boss, session_id=session, details=WHO, agreed=True)
    await clinic.is_sound()


async def test_those_at_the_door_never_overfill_a_session(clinic: Clinic) -> None:
    boss, session = await clinic.staff(), await clinic.session(await clinic.offering(), capacity=3, hours=2)
    people = await clinic.riders(4)

    async def walks_in() -> bool:
        try:
            await clinic.does(bookings.walk_in, boss, session_id=session, details=Details(), agreed=False)
        except bookings.SessionFull:
            return False
        return True

    async def books(rider: int) -> bool:
        try:
            await clinic.books(rider, session)
        except bookings.SessionFull:
            return False
        return True

    seated = await asyncio.gather(*(walks_in() for _n in range(4)), *map(books, people))
    assert sum(seated) == 3
    await clinic.is_sound()


async def test_a_closed_session_has_no_seat_at_the_door_and_a_running_one_does(clinic: Clinic) -> None:
    boss, session = await clinic.staff(), await clinic.session(await clinic.offering(), capacity=2, hours=1)
    clinic.passes(hours=1, minutes=20)
    await clinic.does(bookings.walk_in, boss, session_id=session, details=Details(), agreed=False)
    await clinic.does(sessions.close, boss, session_id=session)
    with pytest.raises(bookings.SessionFull):
        await clinic.does(bookings.walk_in, boss, session_id=session, details=Details(), agreed=False)


async def test_an_absence_said_by_hand_is_the_one_that_is_counted_anyway(clinic: Clinic) -> None:
    boss, mei = await clinic.staff(), await clinic.rider()
    session = await clinic.session(await clinic.offering(), hours=2)
    booked = await clinic.books(mei, session)
    with pytest.raises(bookings.NotBegun):
        await clinic.does(bookings.miss, boss, booking_id=booked.id)
    clinic.passes(hours=2, minutes=30)
    await clinic.does(bookings.miss, boss, booking_id=booked.id)
    clinic.passes(hours=3)
    assert await clinic.does(bookings.close_out) == 1
    assert (await clinic.does(bookings.standing, mei)).strikes == 1
    assert sum("We missed you" in text for text in await clinic.messages()) == 1
    await clinic.does(bookings.check_in, boss, code=booked.code)
    assert (await clinic.does(bookings.standing, mei)).strikes == 0


async def test_a_booking_that_staff_end_goes_to_the_next_and_is_never_counted(clinic: Clinic) -> None:
    boss, viewer = await clinic.staff(), await clinic.staff("viewer")
    session, mei = await clinic.session(await clinic.offering(cancel_before_min=9999)), await clinic.rider()
    booked = await clinic.books(mei, session)
    with pytest.raises(NotAllowed):
        await clinic.does(bookings.withdraw, viewer, booking_id=booked.id)
    await clinic.does(bookings.withdraw, boss, booking_id=booked.id)
    with pytest.raises(bookings.NotLive):
        await clinic.does(bookings.withdraw, boss, booking_id=booked.id)
    assert (await clinic.does(bookings.standing, mei)).strikes == 0
    assert await count(clinic, Booking.reason == "staff") == 1
    await clinic.is_sound()


async def test_what_is_done_in_a_chat_stands_in_the_audit_as_well(clinic: Clinic) -> None:
    boss, session = await clinic.staff(), await clinic.session(await clinic.offering(), hours=2)
    booked = await clinic.books(await clinic.rider(), session)
    for _scan in range(2):
        await clinic.does(bookings.check_in, boss, code=booked.code)
    await clinic.does(bookings.undo_check_in, boss, booking_id=booked.id)
    async with clinic.database.reading() as db:
        rows = list(await db.scalars(select(AuditEntry).order_by(AuditEntry.id)))
    assert [(row.action, row.after) for row in rows] == [
        ("booking.check_in", {"state": "attended"}),
        ("booking.undo", {"state": "booked"}),
    ]


async def test_the_forecast_is_what_is_sent(clinic: Clinic) -> None:
    boss, session = await member(clinic), await clinic.session(await clinic.offering(), capacity=9)
    for locale in ("en", "zh_CN", "zh_CN"):
        await clinic.books(await clinic.rider(locale=locale), session)
    await clinic.does(bookings.walk_in, boss.id, session_id=session, details=Details(), agreed=False)
    before = await clinic.does(sessions.one, session)
    at = clinic.now + timedelta(days=5)
    filled = Filled(at, at + timedelta(hours=1), 9, Where(), "解州镇", None)
    assert session_desk.moves(before, filled)
    assert not session_desk.moves(
        before, replace(filled, starts_at=before.starts_at, ends_at=before.ends_at, address="王茅镇")
    )
    moved = await clinic.does(session_desk.forecast_move, before, filled)
    assert (moved.concerned, moved.unreached, [n for _locale, _text, n in moved.words]) == (4, 1, [2, 1])
    assert await clinic.does(session_desk.save, boss, session, filled, seen=before.sequence) == 3
    assert sorted(await clinic.messages()) == sorted(text for _locale, text, n in moved.words for _each in range(n))
    after = await clinic.does(sessions.one, session)
    off = await clinic.does(session_desk.forecast_cancel, after)
    told = len(await clinic.messages())
    with pytest.raises(session_desk.Overtaken):
        await clinic.does(session_desk.cancel, boss, session, seen=before.sequence)
    assert await clinic.does(session_desk.cancel, boss, session, seen=after.sequence) == 4
    words = (await clinic.messages())[told:]
    assert sorted(words) == sorted(text for _locale, text, n in off.words for _each in range(n))


async def test_two_who_move_a_session_at_once_tell_people_once(clinic: Clinic) -> None:
    boss, session = await member(clinic), await clinic.session(await clinic.offering())
    await clinic.books(await clinic.rider(), session)
    at = clinic.now + timedelta(days=5)

    async def moves(hours: int) -> bool:
        starts_at = at + timedelta(hours=hours)
        filled = Filled(starts_at, starts_at + timedelta(hours=1), 1, Where(), "王茅镇", None)
        try:
            await clinic.does(session_desk.save, boss, session, filled, seen=0)
        except session_desk.Overtaken:
            return False
        return True

    assert sorted(await asyncio.gather(*map(moves, range(4)))) == [False, False, False, True]
    assert len(await clinic.messages()) == 1


async def test_what_a_pattern_would_do_is_what_it_does(clinic: Clinic) -> None:
    offering = await clinic.offering()
    rhythm = Rhythm(frozenset({0, 2}), time(9), time(12), timedelta(hours=1), 4, date(2026, 11, 1))
    ahead = timedelta(days=13)
    number = await clinic.does(patterns.save, None, code="w", offering_id=offering, rhythm=rhythm)
    await clinic.does(patterns.make, None, pattern_id=number, ahead=ahead)
    async with clinic.database.reading() as db:
        first = await db.scalar(select(Session.id).order_by(Session.starts_at))
    assert first
    await clinic.books(await clinic.rider(), first)
    for change in (
        {"capacity": 6},
        {"weekdays": frozenset({2, 4})},
        {"closes": time(10), "off_days": frozenset({date(2026, 11, 25)})},
        {"last_day": date(2026, 11, 24)},
    ):
        rhythm = replace(rhythm, **change)
        told = await clinic.does(
            patterns.foresee, code="w", offering_id=offering, rhythm=rhythm, pattern_id=number, ahead=ahead
        )
        await clinic.does(patterns.save, None, code="w", offering_id=offering, rhythm=rhythm)
        made = await clinic.does(patterns.make, None, pattern_id=number, ahead=ahead)
        assert (told.added, told.changed, told.removed, len(told.booked)) == (
            made.added,
            made.changed,
            made.removed,
            len(made.booked),
        ), change


async def test_days_that_are_off_are_named(clinic: Clinic) -> None:
    rhythm = Rhythm(frozenset(range(7)), time(9), time(10), timedelta(hours=1), 1, date(2026, 1, 1))
    clinic.now = clinic.now.replace(month=9, day=28)
    told = await clinic.does(
        patterns.foresee, code="w", offering_id=await clinic.offering(), rhythm=rhythm, ahead=timedelta(days=6)
    )
    assert told.off == tuple(
        sorted(day for day in DESK.calendar.holidays if date(2026, 9, 28) <= day <= date(2026, 10, 4))
    )
    assert told.off


async def test_forms_are_read_in_the_citys_time(clinic: Clinic) -> None:
    cells = {"day": "2026-12-01", "starts": "9：00", "ends": "10:30", "capacity": "5", "address": " 王茅镇 "}
    filled = await clinic.does(session_forms.read, cells, ZONE)
    assert (filled.starts_at.isoformat(), filled.address) == ("2026-12-01T09:00:00+08:00", "王茅镇")


async def test_figures_count_seats_and_stars_without_naming_anybody(clinic: Clinic) -> None:
    viewer, county = await member(clinic, "viewer"), await member(clinic, "county", counties=["140802"])
    boss, offering = await clinic.staff(), await clinic.offering()
    one, two = [await clinic.session(offering, hours=hours, capacity=5) for hours in (2, 30)]
    mei, li, _wang = riders = await clinic.riders(3)
    first, *_rest = [await clinic.books(rider, one) for rider in riders]
    await clinic.books(mei, two)
    await clinic.does(bookings.check_in, boss, code=first.code)
    await clinic.does(bookings.rate, mei, booking_id=first.id, stars=4)
    span = {"since": clinic.now - timedelta(days=1), "until": clinic.now + timedelta(days=9)}
    (row,) = await clinic.does(attendance.by_offering, viewer, **span)
    assert (row.sessions, row.seats) == (2, 10)
    assert row.tally == attendance.Tally(booked=4, attended=1, ratings=1, rating=4.0)
    each = await clinic.does(attendance.by_session, viewer, offering_id=offering, **span)
    assert [found.tally.booked for found in each] == [3, 1]
    # None of these is at a place of the county.
    assert await clinic.does(attendance.by_offering, county, **span) == []
    assert li


async def test_a_note_is_for_its_lawyer(clinic: Clinic) -> None:
    lawyer, other = await member(clinic, "lawyer"), await member(clinic, "lawyer")
    asked = [{"key": "note", "kind": "note"}]
    session = await clinic.session(await clinic.offering(category="legal", questions=asked), lawyer_id=lawyer.id)
    mei = await clinic.rider()
    await clinic.agrees(mei)
    booked = await clinic.books(mei, session, Details(note="欠薪"))
    assert await clinic.does(booking_desk.note, lawyer, booked.id) == "欠薪"
    with pytest.raises(NotAllowed):
        await clinic.does(booking_desk.note, other, booked.id)
