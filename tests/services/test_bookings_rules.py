"""The rules: who may book, how often, what is counted, and what is forgotten."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.models import Booking, WeatherAlert
from bot.services import bookings, duties, sessions
from bot.services.bookings import Details, LimitReached, Paused
from bot.services.seating.private import masked_name, masked_phone
from tests.services.clinic import DESK, ZONE, Clinic

NAME_AND_PHONE = [{"key": "name", "kind": "name"}, {"key": "phone", "kind": "phone"}]


async def sweep(clinic: Clinic) -> None:
    await duties.sweep(clinic.database, clinic.now, DESK)


async def test_only_for_some_vehicles_and_counties(clinic: Clinic) -> None:
    session = await clinic.session(await clinic.offering(vehicles=["truck"], counties=["140802"]), capacity=9)
    await clinic.holds(await clinic.rider("truck"), session)
    with pytest.raises(bookings.VehicleNeeded):
        await clinic.holds(await clinic.rider(""), session)
    with pytest.raises(bookings.CountyNeeded):
        await clinic.holds(await clinic.rider("truck", county=""), session)
    for rider in (await clinic.rider("courier"), await clinic.rider("truck", county="140829")):
        with pytest.raises(bookings.NotEligible) as refused:
            await clinic.holds(rider, session)
        assert type(refused.value) is bookings.NotEligible


async def test_once_in_a_year(clinic: Clinic) -> None:
    mei, offering = await clinic.rider(), await clinic.offering(limit_count=1, limit_days=365)
    now, soon, later = [await clinic.session(offering, hours=hours) for hours in (72, 96, 24 * 368.5)]
    booked = await clinic.books(mei, now)
    with pytest.raises(LimitReached):
        await clinic.holds(mei, soon)
    await clinic.books(mei, later)
    await clinic.does(bookings.cancel, mei, booking_id=booked.id)
    with pytest.raises(LimitReached):
        await clinic.holds(mei, soon)
    moved = await clinic.books(mei, now)
    await clinic.does(bookings.move, mei, booking_id=moved.id, session_id=await clinic.session(offering, hours=74))


async def test_the_limit_holds_for_one_phone_too(clinic: Clinic) -> None:
    offering = await clinic.offering(questions=NAME_AND_PHONE, limit_count=1)
    session, other = await clinic.session(offering, capacity=9), await clinic.session(offering, hours=90)
    mei, li = await clinic.riders(2)
    for rider in (mei, li):
        await clinic.agrees(rider)
    await clinic.books(mei, session, Details(phone="13812340000"))
    held = await clinic.holds(li, other)
    with pytest.raises(LimitReached):
        await clinic.does(bookings.confirm, li, booking_id=held.id, details=Details(phone="+86 138 1234 0000"))
    assert await clinic.state(held.id) == "held"
    await clinic.does(bookings.confirm, li, booking_id=held.id, details=Details(phone="13912340000"))


async def test_holds_from_one_network_are_capped(clinic: Clinic) -> None:
    session = await clinic.session(await clinic.offering(), capacity=99)
    riders = await clinic.riders(12)
    for rider in riders[:10]:
        await clinic.holds(rider, session, network="cafe")
    with pytest.raises(bookings.TooManyHolds):
        await clinic.holds(riders[10], session, network="cafe")
    await clinic.holds(riders[10], session, network="elsewhere")
    clinic.passes(minutes=11)
    await clinic.holds(riders[11], session, network="cafe")


async def miss(clinic: Clinic, rider: int, **offering: int) -> int:
    """Cancel too late, once."""
    session = await clinic.session(await clinic.offering(cancel_before_min=120, **offering), hours=1)
    booked = await clinic.books(rider, session)
    assert bookings.cancel_is_late(booked, clinic.now)
    ended = await clinic.does(bookings.cancel, rider, booking_id=booked.id)
    assert ended.late
    return booked.id


async def test_two_late_cancellations_pause_for_two_weeks(clinic: Clinic) -> None:
    mei = await clinic.rider()
    await miss(clinic, mei)
    clinic.passes(days=80)
    await miss(clinic, mei)
    standing = await clinic.does(bookings.standing, mei)
    assert (standing.strikes, standing.paused_until) == (2, clinic.now + timedelta(days=14))
    offering = await clinic.offering()
    with pytest.raises(Paused):
        await clinic.holds(mei, await clinic.session(offering))
    clinic.passes(days=14, seconds=1)
    await clinic.holds(mei, await clinic.session(offering))


async def test_misses_far_apart_do_not_pause(clinic: Clinic) -> None:
    mei = await clinic.rider()
    await miss(clinic, mei)
    clinic.passes(days=91)
    await miss(clinic, mei)
    assert (await clinic.does(bookings.standing, mei)).paused_until is None


async def test_staff_can_excuse(clinic: Clinic) -> None:
    mei, boss = await clinic.rider(), await clinic.staff()
    await miss(clinic, mei)
    last = await miss(clinic, mei)
    await clinic.does(bookings.excuse, boss, booking_id=last)
    assert (await clinic.does(bookings.standing, mei)).paused_until is None
    with pytest.raises(bookings.NotLive):
        await clinic.does(bookings.excuse, boss, booking_id=last)


@pytest.mark.parametrize(("level", "counts"), [("yellow", True), ("orange", False), ("red", False)])
async def test_nothing_is_counted_in_harsh_weather(clinic: Clinic, level: str, counts: bool) -> None:
    mei, li = await clinic.riders(2)
    session = await clinic.session(await clinic.offering(cancel_before_min=120), capacity=2, hours=1)
    async with clinic.database.writing() as db:
        db.add(WeatherAlert(clinic.now.astimezone(ZONE).date(), level))
    one = await clinic.books(mei, session)
    await clinic.books(li, session)
    assert (await clinic.does(bookings.cancel, mei, booking_id=one.id)).late is counts
    clinic.passes(hours=3)
    await sweep(clinic)
    assert (await clinic.does(bookings.standing, li)).strikes == counts


async def test_not_coming_is_counted_and_said(clinic: Clinic) -> None:
    mei, li, boss = *await clinic.riders(2), await clinic.staff()
    session = await clinic.session(await clinic.offering(), capacity=2, hours=1)
    absent, present = await clinic.books(mei, session), await clinic.books(li, session)
    await clinic.does(bookings.check_in, boss, code=present.code)
    clinic.passes(hours=2)
    await sweep(clinic)
    assert await clinic.state(absent.id) == "booked", "people are not absent before everybody has gone home"
    clinic.passes(hours=1)
    await sweep(clinic)
    await sweep(clinic)
    assert [await clinic.state(one.id) for one in (absent, present)] == ["no_show", "attended"]
    assert (await clinic.does(bookings.standing, mei)).strikes == 1
    texts = await clinic.messages()
    assert len(texts) == 2
    assert "We missed you" in texts[0]
    assert "How was it" in texts[1]
    await clinic.does(bookings.check_in, boss, code=absent.code)
    assert (await clinic.does(bookings.standing, mei)).strikes == 0


async def test_whoever_was_moved_by_the_staff_may_leave_late(clinic: Clinic) -> None:
    mei, boss = await clinic.rider(), await clinic.staff()
    session = await clinic.session(await clinic.offering(cancel_before_min=600), hours=9)
    booked = await clinic.books(mei, session)
    sooner = {"starts_at": clinic.now + timedelta(hours=3), "ends_at": clinic.now + timedelta(hours=4)}
    await clinic.does(sessions.reschedule, boss, session_id=session, **sooner)
    mine = await clinic.does(bookings.one, mei, booking_id=booked.id)
    assert not bookings.cancel_is_late(mine, clinic.now)
    agreed = await clinic.does(bookings.keep, mei, booking_id=booked.id)
    assert bookings.cancel_is_late(agreed, clinic.now)


async def test_check_in_by_code(clinic: Clinic) -> None:
    mei, boss = await clinic.rider(), await clinic.staff()
    await clinic.agrees(mei)
    session = await clinic.session(await clinic.offering(questions=NAME_AND_PHONE[:1]), hours=1)
    booked = await clinic.books(mei, session, Details(name="王小明"))
    first = await clinic.does(bookings.check_in, boss, code=f" {booked.code.lower()} ")
    again = await clinic.does(bookings.check_in, boss, code=booked.code)
    assert (first.guest, first.already, again.already) == ("王**", False, True)
    with pytest.raises(bookings.UnknownCode):
        await clinic.does(bookings.check_in, boss, code="AAAAAA")
    with pytest.raises(sessions.NotAllowed):
        await clinic.does(bookings.undo_check_in, await clinic.staff("viewer"), booking_id=booked.id)
    await clinic.does(bookings.undo_check_in, boss, booking_id=booked.id)
    with pytest.raises(bookings.NotLive):
        await clinic.does(bookings.undo_check_in, boss, booking_id=booked.id)
    clinic.passes(days=2)
    with pytest.raises(bookings.WrongDay):
        await clinic.does(bookings.check_in, boss, code=booked.code)


async def test_whoever_was_there_rates_it_once_or_again(clinic: Clinic) -> None:
    mei, li, boss = *await clinic.riders(2), await clinic.staff()
    booked = await clinic.books(mei, await clinic.session(await clinic.offering(), hours=1))
    with pytest.raises(bookings.NoSuchBooking):
        await clinic.does(bookings.rate, mei, booking_id=booked.id, stars=5)
    await clinic.does(bookings.check_in, boss, code=booked.code)
    for stars in (3, 5):
        await clinic.does(bookings.rate, mei, booking_id=booked.id, stars=stars)
    for rider, stars in ((li, 5), (mei, 6), (mei, 0)):
        with pytest.raises(bookings.NoSuchBooking):
            await clinic.does(bookings.rate, rider, booking_id=booked.id, stars=stars)
    await clinic.does(bookings.remark, mei, booking_id=booked.id, text="很周到")
    assert (await clinic.does(bookings.one, mei, booking_id=booked.id)).rating == 5


async def test_a_note_is_for_the_assigned_lawyer_alone(clinic: Clinic) -> None:
    mei, lawyer, other = await clinic.rider(), await clinic.staff("lawyer"), await clinic.staff("lawyer")
    await clinic.agrees(mei)
    offering = await clinic.offering(category="legal", questions=[{"key": "note", "kind": "note"}])
    booked = await clinic.books(mei, await clinic.session(offering, lawyer_id=lawyer), Details(note="老板欠薪"))
    assert await clinic.does(bookings.note_for, lawyer, booking_id=booked.id) == "老板欠薪"
    for who, what in ((other, booked.id), (await clinic.staff("admin"), booked.id), (lawyer, 4711)):
        with pytest.raises(bookings.NotYours):
            await clinic.does(bookings.note_for, who, booking_id=what)


async def test_everything_personal_is_erased_thirty_days_after(clinic: Clinic) -> None:
    mei, boss = await clinic.rider(), await clinic.staff()
    await clinic.agrees(mei)
    asked = [*NAME_AND_PHONE, {"key": "note", "kind": "note"}, {"key": "size", "kind": "text", "label": {"zh_CN": "?"}}]
    session = await clinic.session(await clinic.offering(questions=asked, limit_count=1, limit_days=60), hours=1)
    booked = await clinic.books(mei, session, Details("王", "13812340000", "x", {"size": "M"}))
    await clinic.does(bookings.check_in, boss, code=booked.code)
    await clinic.does(bookings.remark, mei, booking_id=booked.id, text="好")
    clinic.passes(days=30)
    assert await duties.erase(clinic.database, clinic.now) == 0
    clinic.passes(hours=3)
    assert await duties.erase(clinic.database, clinic.now) == 1
    assert await duties.erase(clinic.database, clinic.now) == 0
    assert await clinic.does(bookings.details_of, mei, booking_id=booked.id) == Details()
    assert await remembers_phone(clinic), "the limit of sixty days still needs it"
    clinic.passes(days=31)
    await duties.erase(clinic.database, clinic.now)
    assert not await remembers_phone(clinic)


async def remembers_phone(clinic: Clinic) -> bool:
    async with clinic.database.reading() as db:
        row = (await db.scalars(select(Booking))).one()
    assert (row.name, row.phone, row.note, row.answers, row.remark) == (None,) * 5
    return bool(row.phone_hash)


@pytest.mark.parametrize(
    ("plain", "masked"),
    [("王小明", "王**"), ("欧", "欧**"), ("", ""), ("13800000000", "138****0000"), ("12345", "****")],
)
def test_lists_show_the_least(plain: str, masked: str) -> None:
    mask = masked_phone if plain.isdigit() else masked_name
    assert mask(plain) == masked
