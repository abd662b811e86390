"""Two addresses of one person, and staff in a chat: by a code, never by a guess."""

import asyncio

import pytest
from sqlalchemy import func, select

from bot.models import Booking, Contact, LinkTry, Rider
from bot.services import bookings, consents, linking, waitlist
from bot.services.bookings import Details
from bot.services.linking import Merged
from tests.services.clinic import Clinic


async def contact(clinic: Clinic, rider: int) -> int:
    async with clinic.database.reading() as db:
        return (await db.scalars(select(Contact.id).where(Contact.rider_id == rider))).one()


async def links(clinic: Clinic, shown_to: int, typed_by: int) -> Merged | None:
    code = await clinic.does(linking.issue, shown_to)
    typed = f" {code[:4].lower()}-{code[4:]} "
    return await clinic.does(linking.redeem, typed_by, contact_id=await contact(clinic, typed_by), code=typed)


async def test_one_person_from_two(clinic: Clinic) -> None:
    elder, younger = await clinic.rider(vehicle=""), await clinic.rider(vehicle="truck")
    booked = await clinic.books(younger, await clinic.session(await clinic.offering()))
    await clinic.agrees(younger)
    merged = await links(clinic, younger, elder)
    assert merged is not None
    assert merged.rider_id == elder
    assert [address.user for address in merged.addresses] == ["u1", "u2"]
    (mine,) = await clinic.does(bookings.mine, elder)
    assert mine.id == booked.id
    assert await clinic.does(consents.given, elder, consents.BOOKING)
    async with clinic.database.reading() as db:
        assert (await db.execute(select(Rider.id, Rider.vehicle))).all() == [(elder, "truck")]


async def test_both_had_the_same_session(clinic: Clinic) -> None:
    mei, also, li = await clinic.riders(3)
    session = await clinic.session(await clinic.offering(), capacity=2)
    first, second = await clinic.books(mei, session), await clinic.books(also, session)
    line = await clinic.does(waitlist.join, li, session_id=session, details=Details())
    await links(clinic, mei, also)
    assert [await clinic.state(one.id) for one in (first, second, line)] == ["booked", "cancelled", "offered"]
    assert (await clinic.does(bookings.standing, mei)).strikes == 0
    await clinic.is_sound()


async def test_a_seat_is_worth_more_than_a_place_in_line_and_one_hold_remains(clinic: Clinic) -> None:
    mei, also = await clinic.riders(2)
    offering = await clinic.offering()
    session = await clinic.session(offering)
    booked = await clinic.books(also, session)
    line = await clinic.does(waitlist.join, mei, session_id=session, details=Details())
    for rider in (mei, also):
        await clinic.holds(rider, await clinic.session(offering))
    await links(clinic, mei, also)
    assert [await clinic.state(one.id) for one in (booked, line)] == ["booked", "cancelled"]
    async with clinic.database.reading() as db:
        assert await db.scalar(select(func.count()).where(Booking.state == "held", Booking.rider_id == mei)) == 1
    await clinic.is_sound()


async def test_limits_hold_across_linked_addresses(clinic: Clinic) -> None:
    mei, also = await clinic.riders(2)
    offering = await clinic.offering(limit_count=1)
    await clinic.books(also, await clinic.session(offering))
    await links(clinic, mei, also)
    with pytest.raises(bookings.LimitReached):
        await clinic.holds(mei, await clinic.session(offering))


async def test_a_code_is_good_once_and_for_ten_minutes(clinic: Clinic) -> None:
    mei, li, wu = await clinic.riders(3)
    code = await clinic.does(linking.issue, mei)
    with pytest.raises(linking.OwnCode):
        await clinic.does(linking.redeem, mei, contact_id=await contact(clinic, mei), code=code)
    assert await clinic.does(linking.redeem, li, contact_id=await contact(clinic, li), code=code)
    assert await clinic.does(linking.redeem, wu, contact_id=await contact(clinic, wu), code=code) is None
    code = await clinic.does(linking.issue, mei)
    clinic.passes(minutes=10)
    assert await clinic.does(linking.redeem, wu, contact_id=await contact(clinic, wu), code=code) is None


async def test_guessing_is_stopped(clinic: Clinic) -> None:
    mei, li = await clinic.riders(2)
    code, at = await clinic.does(linking.issue, mei), await contact(clinic, li)
    tries = [clinic.does(linking.redeem, li, contact_id=at, code=f"AAAA{n:04}") for n in range(8)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(linking.TooManyTries) == 3
    with pytest.raises(linking.TooManyTries):
        await clinic.does(linking.redeem, li, contact_id=at, code=code)
    clinic.passes(minutes=11)
    await clinic.does(linking.forget_old)
    async with clinic.database.reading() as db:
        assert not (await db.scalars(select(LinkTry))).all()


async def test_staff_in_a_chat(clinic: Clinic) -> None:
    mei, boss = await clinic.rider(), await clinic.staff("operator")
    at = await contact(clinic, mei)
    code = await clinic.does(linking.issue_for_staff, " OPERATOR2 ")
    assert await clinic.does(linking.redeem, mei, contact_id=at, code="AAAAAAAA") is None
    assert await clinic.does(linking.staff_at, at) is None
    chat = await clinic.does(linking.link_staff, at, code=code)
    assert chat
    assert (chat.staff_id, chat.role) == (boss, "operator")
    assert await clinic.does(linking.link_staff, at, code=code) is None
    assert await clinic.does(linking.staff_at, at) == chat
    await clinic.does(linking.unlink_staff, at)
    assert await clinic.does(linking.staff_at, at) is None
    with pytest.raises(linking.NoSuchLogin):
        await clinic.does(linking.issue_for_staff, "nobody")
