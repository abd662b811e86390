"""Sessions: in which order riders see them, what staff change, and the weekly patterns that make them."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.models import Place
from bot.services import bookings, patterns, sessions, waitlist
from bot.services.bookings import Details
from bot.services.holidays import Calendar
from bot.services.patterns import Made, Rhythm
from tests.services.clinic import DESK, MORNING, ZONE, Clinic

# 09:00 local is 0 hours after MORNING.
NOON, AFTERNOON, DINNER = 3 + 24, 6 + 24, 9 + 24


async def shown(clinic: Clinic, offering: int, **how: object) -> list[int]:
    found = await clinic.does(sessions.upcoming, offering_id=offering, **how)
    return [session.id for session in found]


async def test_free_and_outside_busy_hours_first(clinic: Clinic) -> None:
    offering = await clinic.offering()
    noon, afternoon, dinner, full = [
        await clinic.session(offering, hours=hours, capacity=capacity)
        for hours, capacity in ((NOON, 1), (AFTERNOON, 1), (DINNER, 1), (AFTERNOON - 1.5, 0))
    ]
    assert await shown(clinic, offering, vehicle="courier") == [afternoon, noon, dinner, full]
    assert await shown(clinic, offering, vehicle="truck") == [noon, afternoon, dinner, full]
    assert await shown(clinic, offering, vehicle="ridehail") == [noon, afternoon, dinner, full]
    assert await shown(clinic, offering, vehicle="courier", full=False, limit=2) == [afternoon, noon]
    assert await shown(clinic, offering, vehicle="courier", skip=3) == [full]


async def test_near_ones_first(clinic: Clinic) -> None:
    offering = await clinic.offering()
    places = []
    async with clinic.database.writing() as db:
        for n, (lat, lng) in enumerate([(35.6, 110.7), (35.02, 111.0)]):
            place = Place(f"p{n}", name=f"医院{n}", kind="venue", updated_at=MORNING, lat=lat, lng=lng)
            db.add(place)
            await db.flush()
            places.append(place.id)
    far, near = [await clinic.session(offering, hours=30 + n, place_id=place) for n, place in enumerate(places)]
    nowhere = await clinic.session(offering, hours=29)
    assert await shown(clinic, offering, near=(35.0, 111.0)) == [near, far, nowhere]
    assert (await clinic.does(sessions.one, near)).where == "医院1 王茅镇"


async def test_a_session_that_is_called_off_tells_everybody(clinic: Clinic) -> None:
    session, boss = await clinic.session(await clinic.offering()), await clinic.staff()
    mei, li = await clinic.riders(2)
    booked = await clinic.books(mei, session)
    line = await clinic.does(waitlist.join, li, session_id=session, details=Details())
    assert await clinic.does(sessions.cancel, boss, session_id=session) == 2
    assert [await clinic.state(one.id) for one in (booked, line)] == ["cancelled", "cancelled"]
    assert (await clinic.row(session)).taken == 0
    texts = await clinic.messages()
    assert len(texts) == 2
    assert all("does not take place" in text for text in texts)
    with pytest.raises(sessions.NoSuchSession):
        await clinic.does(sessions.cancel, boss, session_id=session)
    assert (await clinic.does(bookings.standing, mei)).strikes == 0
    with pytest.raises(bookings.SessionGone):
        await clinic.holds(li, session)


async def test_a_session_that_moves_tells_everybody(clinic: Clinic) -> None:
    session, boss, mei = await clinic.session(await clinic.offering()), await clinic.staff(), await clinic.rider()
    booked = await clinic.books(mei, session)
    later = clinic.now + timedelta(days=9)
    how = {"starts_at": later, "ends_at": later + timedelta(hours=1)}
    assert await clinic.does(sessions.reschedule, boss, session_id=session, **how) == 1
    mine = await clinic.does(bookings.one, mei, booking_id=booked.id)
    assert (mine.session.starts_at, mine.session.where, mine.version) == (later, "王茅镇", booked.version + 1)
    assert "is now" in (await clinic.messages())[-1]
    with pytest.raises(sessions.BadTimes):
        await clinic.does(sessions.reschedule, boss, session_id=session, starts_at=later, ends_at=later)


async def test_closed_sessions_take_no_more(clinic: Clinic) -> None:
    session, boss = await clinic.session(await clinic.offering(), capacity=3), await clinic.staff()
    mei, li = await clinic.riders(2)
    await clinic.books(mei, session)
    await clinic.does(sessions.close, boss, session_id=session)
    with pytest.raises(bookings.SessionGone):
        await clinic.holds(li, session)
    await clinic.does(sessions.reopen, boss, session_id=session)
    await clinic.holds(li, session)


async def test_the_day_for_those_who_run_it(clinic: Clinic) -> None:
    lawyer, viewer = await clinic.staff("lawyer"), await clinic.staff("viewer")
    operator, county = await clinic.staff(), await clinic.staff("county", counties=["140802"])
    asked = [{"key": "name", "kind": "name"}, {"key": "phone", "kind": "phone"}]
    offering = await clinic.offering(questions=asked)
    async with clinic.database.writing() as db:
        place = Place("p", name="医院", kind="venue", updated_at=MORNING, county="140802")
        db.add(place)
        await db.flush()
    here = await clinic.session(offering, hours=2, place_id=place.id)
    legal = await clinic.session(offering, hours=3, lawyer_id=lawyer)
    await clinic.session(offering, hours=30)
    mei = await clinic.rider()
    await clinic.agrees(mei)
    booked = await clinic.books(mei, here, Details("王小明", "13812340000"))

    async def sees(staff: int) -> list[int]:
        return [roll.session.id for roll in await clinic.does(sessions.today, staff)]

    assert (await sees(operator), await sees(county), await sees(lawyer)) == ([here, legal], [here], [legal])
    (guest,) = (await clinic.does(sessions.today, operator))[0].people
    assert guest == sessions.Guest(booked.id, booked.code, "王**", "138****0000", "booked")
    with pytest.raises(sessions.NotAllowed):
        await sees(viewer)
    with pytest.raises(bookings.UnknownCode):
        await clinic.does(bookings.check_in, lawyer, code=booked.code)


WEEKDAYS = Rhythm(
    weekdays=frozenset({0, 1, 2, 3, 4}),
    opens=time(9),
    closes=time(17),
    slot=timedelta(minutes=60),
    capacity=2,
    first_day=date(2026, 1, 1),
    breaks=((time(12), time(14)),),
)


def test_slots_leave_the_breaks_out() -> None:
    hours = [since.hour for since, _to in patterns.slots(WEEKDAYS)]
    assert hours == [9, 10, 11, 14, 15, 16]


@given(
    st.integers(0, 1439), st.integers(0, 1439), st.integers(1, 300),
    st.lists(st.tuples(st.integers(0, 1439), st.integers(0, 1439)), max_size=4),
)  # fmt: skip
def test_slots_never_overlap_anything(opens: int, closes: int, slot: int, breaks: list[tuple[int, int]]) -> None:
    def clock(minutes: int) -> time:
        return time(minutes // 60, minutes % 60)

    pauses = tuple((clock(since), clock(to)) for since, to in breaks if since < to)
    rhythm = Rhythm(
        frozenset({0}), clock(opens), clock(closes), timedelta(minutes=slot), 1, date(2026, 1, 1), breaks=pauses
    )
    found = patterns.slots(rhythm)
    for since, to in found:
        assert clock(opens) <= since < to <= clock(closes)
        assert all(to <= start or since >= end for start, end in pauses)
    assert all(to <= since for (_start, to), (since, _end) in pairwise(found))


def test_holidays_are_off_and_their_workdays_are_on() -> None:
    calendar = Calendar(frozenset({date(2026, 10, 1)}), frozenset({date(2026, 10, 10)}))
    found = list(patterns.days(WEEKDAYS, calendar, date(2026, 9, 30), date(2026, 10, 11)))
    assert found == [date(2026, 9, 30), date(2026, 10, 2), *(date(2026, 10, day) for day in range(5, 11))]


async def saved(clinic: Clinic, offering: int, rhythm: Rhythm) -> int:
    return await clinic.does(patterns.save, 1, code="desk", offering_id=offering, rhythm=rhythm, address="法律咨询台")


async def made(clinic: Clinic, pattern: int) -> Made:
    ahead = timedelta(days=6)
    return await clinic.does(patterns.make, 1, pattern_id=pattern, ahead=ahead)


async def test_a_pattern_makes_sessions_once(clinic: Clinic) -> None:
    offering = await clinic.offering()
    pattern = await saved(clinic, offering, WEEKDAYS)
    # Monday at nine has begun; five slots are left, and four whole days.
    assert await made(clinic, pattern) == Made(5 + 4 * 6, 0, 0, ())
    assert await made(clinic, pattern) == Made(0, 0, 0, ())
    assert await saved(clinic, offering, WEEKDAYS) == pattern
    first, *_rest = await clinic.does(sessions.upcoming, offering_id=offering)
    assert first.starts_at == datetime(2026, 11, 23, 10, tzinfo=ZONE)


async def test_a_changed_pattern_leaves_booked_sessions_alone_and_says_so(clinic: Clinic) -> None:
    offering, mei = await clinic.offering(), await clinic.rider()
    pattern = await saved(clinic, offering, WEEKDAYS)
    await made(clinic, pattern)
    first, second, *_rest = await clinic.does(sessions.upcoming, offering_id=offering)
    booked = await clinic.books(mei, first.id)
    await clinic.does(bookings.cancel, mei, booking_id=booked.id)
    await clinic.books(mei, second.id)
    shorter = replace(WEEKDAYS, closes=time(12), capacity=3, off_days=frozenset({date(2026, 11, 24)}))
    await saved(clinic, offering, shorter)
    outcome = await made(clinic, pattern)
    # Monday has ten and eleven left, both touched; Wednesday to Friday keep three each, all with a new capacity.
    assert outcome == Made(0, 9, 3 + 6 + 3 * 3, (first.code, second.code))
    assert (await clinic.row(second.id)).capacity == 2


async def test_a_pattern_that_makes_nothing_is_refused(clinic: Clinic) -> None:
    offering = await clinic.offering()
    changes: list[dict[str, Any]] = [
        {"closes": time(9)},
        {"slot": timedelta(0)},
        {"weekdays": frozenset({7})},
    ]
    for change in changes:
        with pytest.raises(patterns.BadPattern):
            await saved(clinic, offering, replace(WEEKDAYS, **change))


def test_quiet_hours_end_in_the_morning() -> None:
    late = datetime(2026, 11, 23, 22, 0, tzinfo=ZONE)
    assert DESK.after_quiet(late) == datetime(2026, 11, 24, 7, 0, tzinfo=ZONE)
    assert DESK.after_quiet(late + timedelta(hours=3)) == datetime(2026, 11, 24, 7, 0, tzinfo=ZONE)
    assert DESK.after_quiet(late - timedelta(minutes=1)) == late - timedelta(minutes=1)
