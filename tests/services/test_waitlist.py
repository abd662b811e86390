"""The waiting list: who is offered a freed seat, for how long, and why somebody is not."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import update

from bot.models import Offering, Rider
from bot.services import bookings, duties, sessions, waitlist
from bot.services.bookings import Booking, Details, SessionFull
from tests.services.clinic import DESK, Clinic


async def waits(clinic: Clinic, rider: int, session: int) -> Booking:
    return await clinic.does(waitlist.join, rider, session_id=session, details=Details())


async def sweep(clinic: Clinic) -> None:
    await duties.sweep(clinic.database, clinic.now, DESK)


@pytest.fixture
async def session(clinic: Clinic) -> int:
    return await clinic.session(await clinic.offering())


@pytest.fixture
async def people(clinic: Clinic) -> list[int]:
    return await clinic.riders(4)


async def test_the_position_is_told(clinic: Clinic, session: int, people: list[int]) -> None:
    await clinic.books(people[0], session)
    lines = [await waits(clinic, rider, session) for rider in people[1:]]
    assert [line.position for line in lines] == [1, 2, 3]
    await clinic.does(waitlist.leave, people[2], booking_id=lines[1].id)
    (mine,) = await clinic.does(bookings.mine, people[3])
    assert (mine.state, mine.position) == ("waiting", 2)
    with pytest.raises(bookings.AlreadyBooked):
        await waits(clinic, people[3], session)


async def test_nobody_waits_where_a_seat_is_free(clinic: Clinic, session: int, people: list[int]) -> None:
    with pytest.raises(waitlist.NotFull):
        await waits(clinic, people[0], session)


async def test_no_list_where_there_is_none(clinic: Clinic, people: list[int]) -> None:
    session = await clinic.session(await clinic.offering(waitlist=False))
    await clinic.books(people[0], session)
    with pytest.raises(SessionFull) as full:
        await clinic.holds(people[1], session)
    assert not full.value.waitlist
    with pytest.raises(waitlist.NoWaitlist):
        await waits(clinic, people[1], session)


async def test_a_freed_seat_goes_to_the_first_and_then_to_the_next(
    clinic: Clinic, session: int, people: list[int]
) -> None:
    booked = await clinic.books(people[0], session)
    first, second, third = [await waits(clinic, rider, session) for rider in people[1:]]
    await clinic.does(bookings.cancel, people[0], booking_id=booked.id)
    assert [await clinic.state(one.id) for one in (first, second)] == ["offered", "waiting"]
    assert "became free" in (await clinic.messages())[-1]
    with pytest.raises(SessionFull):
        await clinic.holds(people[0], session)
    await clinic.does(waitlist.decline, people[1], booking_id=first.id)
    assert await clinic.state(second.id) == "offered"
    clinic.passes(hours=2)
    await sweep(clinic)
    assert [await clinic.state(one.id) for one in (second, third)] == ["cancelled", "offered"]
    with pytest.raises(waitlist.OfferOver):
        await clinic.does(waitlist.accept, people[2], booking_id=second.id)
    for _twice in range(2):
        assert (await clinic.does(waitlist.accept, people[3], booking_id=third.id)).state == "booked"
    await clinic.is_sound()


@pytest.mark.parametrize(("hours", "minutes"), [(72, 120), (4, 60), (0.75, 15), (0.2, None)])
async def test_an_offer_fits_the_time_left(
    clinic: Clinic, people: list[int], hours: float, minutes: int | None
) -> None:
    session = await clinic.session(await clinic.offering(), hours=hours)
    booked = await clinic.books(people[0], session)
    line = await waits(clinic, people[1], session)
    await clinic.does(bookings.cancel, people[0], booking_id=booked.id)
    mine = await clinic.does(bookings.one, people[1], booking_id=line.id)
    assert mine.until == (clinic.now + timedelta(minutes=minutes) if minutes else None)
    assert (await clinic.row(session)).unoffered == ("" if minutes else "too_late")


async def test_by_night_the_seat_is_kept_and_offered_in_the_morning(
    clinic: Clinic, session: int, people: list[int]
) -> None:
    booked = await clinic.books(people[0], session)
    line = await waits(clinic, people[1], session)
    clinic.passes(hours=14)  # 23:00
    await clinic.does(bookings.cancel, people[0], booking_id=booked.id)
    await sweep(clinic)
    row = await clinic.row(session)
    assert (await clinic.state(line.id), row.unoffered, row.taken) == ("waiting", "quiet", 0)
    with pytest.raises(SessionFull):
        await clinic.holds(people[2], session)
    clinic.passes(hours=8)  # 07:00
    await sweep(clinic)
    assert await clinic.state(line.id) == "offered"
    assert (await clinic.row(session)).kept_until is None


async def test_within_a_day_the_night_is_no_reason(clinic: Clinic, people: list[int]) -> None:
    session = await clinic.session(await clinic.offering(), hours=30)
    booked = await clinic.books(people[0], session)
    line = await waits(clinic, people[1], session)
    clinic.passes(hours=14)
    await clinic.does(bookings.cancel, people[0], booking_id=booked.id)
    assert await clinic.state(line.id) == "offered"


async def test_somebody_whom_it_does_not_fit_any_more_is_passed_over(
    clinic: Clinic, session: int, people: list[int]
) -> None:
    booked = await clinic.books(people[0], session)
    first, second = [await waits(clinic, rider, session) for rider in people[1:3]]
    async with clinic.database.writing() as db:
        await db.execute(update(Offering).values(vehicles=["courier"]))
        await db.execute(update(Rider).where(Rider.id == people[1]).values(vehicle="truck"))
    await clinic.does(bookings.cancel, people[0], booking_id=booked.id)
    assert [await clinic.state(one.id) for one in (first, second)] == ["waiting", "offered"]


async def test_the_reason_is_kept_when_nobody_could_be_offered(clinic: Clinic, session: int, people: list[int]) -> None:
    booked = await clinic.books(people[0], session)
    await waits(clinic, people[1], session)
    async with clinic.database.writing() as db:
        await db.execute(update(Offering).values(counties=["140829"]))
    await clinic.does(bookings.cancel, people[0], booking_id=booked.id)
    assert (await clinic.row(session)).unoffered == "nobody_fits"


async def test_new_seats_go_to_those_who_wait(clinic: Clinic, session: int, people: list[int]) -> None:
    boss = await clinic.staff()
    await clinic.books(people[0], session)
    lines = [await waits(clinic, rider, session) for rider in people[1:]]
    await clinic.does(sessions.set_capacity, boss, session_id=session, capacity=3)
    assert [await clinic.state(one.id) for one in lines] == ["offered", "offered", "waiting"]
    with pytest.raises(sessions.SeatsTaken) as refused:
        await clinic.does(sessions.set_capacity, boss, session_id=session, capacity=2)
    assert refused.value.count == 3
    await clinic.is_sound()


async def test_a_hold_that_ends_goes_to_the_list_first(clinic: Clinic, session: int, people: list[int]) -> None:
    await clinic.holds(people[0], session)
    line = await waits(clinic, people[1], session)
    clinic.passes(minutes=6)
    with pytest.raises(SessionFull):
        await clinic.holds(people[2], session)
    await sweep(clinic)
    assert await clinic.state(line.id) == "offered"
    assert not any("passed on" in text for text in await clinic.messages())


async def test_accepting_at_the_last_moment_and_the_sweep_at_once(
    clinic: Clinic, session: int, people: list[int]
) -> None:
    booked = await clinic.books(people[0], session)
    line = await waits(clinic, people[1], session)
    await clinic.does(bookings.cancel, people[0], booking_id=booked.id)
    clinic.passes(hours=2)
    accepting = clinic.does(waitlist.accept, people[1], booking_id=line.id)
    results = await asyncio.gather(accepting, sweep(clinic), return_exceptions=True)
    state = await clinic.state(line.id)
    assert state == ("cancelled" if isinstance(results[0], waitlist.OfferOver) else "booked")
    await clinic.is_sound()


async def test_many_cancel_at_once_and_everybody_in_line_is_offered_one_seat(clinic: Clinic) -> None:
    session = await clinic.session(await clinic.offering(), capacity=6)
    riders = await clinic.riders(12)
    booked = [await clinic.books(rider, session) for rider in riders[:6]]
    lines = [await waits(clinic, rider, session) for rider in riders[6:]]
    pairs = zip(riders, booked, strict=False)
    await asyncio.gather(*(clinic.does(bookings.cancel, rider, booking_id=one.id) for rider, one in pairs))
    assert {await clinic.state(line.id) for line in lines} == {"offered"}
    await clinic.is_sound()
