"""Bookings as riders live them: held, confirmed, cancelled, moved, and who gets the last seat."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from bot.errors import Problem
from bot.models import Booking, BookingChange, Due, Offering, Session
from bot.services import bookings, consents, duties, sessions, waitlist
from bot.services.bookings import Details, HoldExpired, SessionFull
from bot.services.bookings.holding import CODE_LETTERS
from tests.services.clinic import DESK, MORNING, Clinic

PHONE = [{"key": "phone", "kind": "phone"}, {"key": "name", "kind": "name"}]


async def test_a_hold_becomes_a_booking(clinic: Clinic) -> None:
    mei, session = await clinic.rider(), await clinic.session(await clinic.offering(), capacity=3)
    held = await clinic.holds(mei, session)
    assert (held.state, held.until) == ("held", MORNING + timedelta(minutes=5))
    booked = await clinic.does(bookings.confirm, mei, booking_id=held.id, details=Details())
    assert (booked.state, booked.code) == ("booked", held.code)
    assert await clinic.does(bookings.confirm, mei, booking_id=held.id, details=Details()) == booked
    (mine,) = await clinic.does(bookings.mine, mei)
    assert (mine.id, mine.session.free, mine.session.where) == (held.id, 2, "王茅镇")
    await clinic.is_sound()


def test_codes_cannot_be_misread() -> None:
    assert not set(CODE_LETTERS) & set("0O1IL2Z5S8B")
    assert len(set(CODE_LETTERS)) == len(CODE_LETTERS)


async def test_two_hundred_at_once_for_five_seats(clinic: Clinic) -> None:
    session = await clinic.session(await clinic.offering(), capacity=5)
    riders = await clinic.riders(200)

    async def tries(rider: int) -> str:
        try:
            held = await clinic.holds(rider, session)
            await asyncio.sleep(0)
            return (await clinic.does(bookings.confirm, rider, booking_id=held.id, details=Details())).state
        except SessionFull as full:
            return "full" if full.waitlist else "full for ever"

    assert Counter(await asyncio.gather(*map(tries, riders))) == {"booked": 5, "full": 195}
    assert (await clinic.row(session)).taken == 5
    await clinic.is_sound()


async def test_everything_at_once(clinic: Clinic) -> None:
    """Holds, waiting list, moves and staff changing the capacity side by side: nothing is over-booked or lost."""
    offering = await clinic.offering(cancel_before_min=0)
    here, there = await clinic.session(offering, capacity=4), await clinic.session(offering, capacity=4, hours=80)
    riders, boss = await clinic.riders(30), await clinic.staff()

    async def lives(n: int, rider: int) -> None:
        one, other = (here, there) if n % 2 else (there, here)
        try:
            booked = await clinic.books(rider, one)
            booked = await clinic.does(bookings.move, rider, booking_id=booked.id, session_id=other)
            if n % 3 == 0:
                await clinic.does(bookings.cancel, rider, booking_id=booked.id)
        except Problem:
            try:
                await clinic.does(waitlist.join, rider, session_id=one, details=Details())
            except Problem:
                return

    async def shifts(session: int) -> None:
        for capacity in (2, 7, 3, 5):
            try:
                await clinic.does(sessions.set_capacity, boss, session_id=session, capacity=capacity)
            except sessions.SeatsTaken:
                continue

    await asyncio.gather(*(lives(n, rider) for n, rider in enumerate(riders)), shifts(here), shifts(there))
    await clinic.is_sound()
    for session in (here, there):
        row = await clinic.row(session)
        waiting = await clinic.does(sessions.count_waiting, session)
        assert not waiting or row.taken == row.capacity, "somebody waits for a seat that is free"


async def test_a_hold_is_free_again_after_five_minutes(clinic: Clinic) -> None:
    mei, li = await clinic.riders(2)
    session = await clinic.session(await clinic.offering())
    held = await clinic.holds(mei, session)
    with pytest.raises(SessionFull):
        await clinic.holds(li, session)
    clinic.passes(minutes=5)
    assert (await clinic.holds(li, session)).state == "held"
    with pytest.raises(HoldExpired):
        await clinic.does(bookings.confirm, mei, booking_id=held.id, details=Details())
    clinic.passes(minutes=5)
    await duties.sweep(clinic.database, clinic.now, DESK)
    assert (await clinic.row(session)).taken == 0
    await clinic.is_sound()


async def test_a_person_holds_one_seat(clinic: Clinic) -> None:
    mei, offering = await clinic.rider(), await clinic.offering()
    first, second = await clinic.session(offering), await clinic.session(offering, hours=80)
    held = await clinic.holds(mei, first)
    assert (await clinic.holds(mei, first)).id == held.id
    await clinic.holds(mei, second)
    assert (await clinic.row(first)).taken == 0
    await clinic.is_sound()


async def test_two_holds_of_one_person_at_once(clinic: Clinic) -> None:
    mei, offering = await clinic.rider(), await clinic.offering()
    all_sessions = [await clinic.session(offering, hours=72 + n) for n in range(4)]
    await asyncio.gather(*(clinic.holds(mei, session) for session in all_sessions))
    assert sum([(await clinic.row(session)).taken for session in all_sessions]) == 1
    await clinic.is_sound()


async def test_a_hold_let_go(clinic: Clinic) -> None:
    mei, li = await clinic.riders(2)
    session = await clinic.session(await clinic.offering())
    held = await clinic.holds(mei, session)
    await clinic.does(bookings.let_go, li, booking_id=held.id)
    assert (await clinic.row(session)).taken == 1
    for _twice in range(2):
        await clinic.does(bookings.let_go, mei, booking_id=held.id)
        assert (await clinic.row(session)).taken == 0


async def test_nobody_books_the_same_session_twice(clinic: Clinic) -> None:
    mei, session = await clinic.rider(), await clinic.session(await clinic.offering(), capacity=5)
    booked = await clinic.books(mei, session)
    with pytest.raises(bookings.AlreadyBooked) as here:
        await clinic.holds(mei, session)
    assert here.value.booking_id == booked.id


async def test_cancelling_frees_the_seat(clinic: Clinic) -> None:
    mei, li = await clinic.riders(2)
    session = await clinic.session(await clinic.offering())
    booked = await clinic.books(mei, session)
    with pytest.raises(bookings.NoSuchBooking):
        await clinic.does(bookings.cancel, li, booking_id=booked.id)
    ended = await clinic.does(bookings.cancel, mei, booking_id=booked.id)
    assert (ended.late, ended.standing.strikes, ended.booking.state) == (False, 0, "cancelled")
    with pytest.raises(bookings.NotLive):
        await clinic.does(bookings.cancel, mei, booking_id=booked.id)
    assert (await clinic.row(session)).taken == 0
    await clinic.books(li, session)


async def test_moving_keeps_code_and_seat(clinic: Clinic) -> None:
    mei, li = await clinic.riders(2)
    offering = await clinic.offering()
    first, second = await clinic.session(offering), await clinic.session(offering, hours=96)
    booked = await clinic.books(mei, first)
    await clinic.books(li, second)
    with pytest.raises(SessionFull):
        await clinic.does(bookings.move, mei, booking_id=booked.id, session_id=second)
    assert await clinic.state(booked.id) == "booked"
    third = await clinic.session(offering, hours=100)
    moved = await clinic.does(bookings.move, mei, booking_id=booked.id, session_id=third)
    assert (moved.code, moved.session.id, moved.version) == (booked.code, third, booked.version + 1)
    assert [(await clinic.row(session)).taken for session in (first, second, third)] == [0, 1, 1]
    back = await clinic.does(bookings.move, mei, booking_id=booked.id, session_id=first)
    assert back.version == booked.version + 2
    await clinic.is_sound()


async def test_moving_to_another_offer_or_twice_to_one(clinic: Clinic) -> None:
    mei, offering = await clinic.rider(), await clinic.offering()
    other = await clinic.session(await clinic.offering())
    first, second = await clinic.session(offering), await clinic.session(offering, hours=96)
    booked, also = await clinic.books(mei, first), await clinic.books(mei, second)
    with pytest.raises(bookings.OtherOffering):
        await clinic.does(bookings.move, mei, booking_id=booked.id, session_id=other)
    with pytest.raises(bookings.AlreadyBooked):
        await clinic.does(bookings.move, mei, booking_id=also.id, session_id=first)
    await clinic.is_sound()


async def test_two_who_swap_their_seats_at_once(clinic: Clinic) -> None:
    riders, offering = await clinic.riders(2), await clinic.offering()
    both = [await clinic.session(offering, capacity=2, hours=72 + n) for n in range(2)]
    made = [await clinic.books(rider, session) for rider, session in zip(riders, both, strict=True)]
    moves = [
        clinic.does(bookings.move, rider, booking_id=booking.id, session_id=session)
        for rider, booking, session in zip(riders, made, reversed(both), strict=True)
    ]
    await asyncio.gather(*moves)
    assert [(await clinic.row(session)).taken for session in both] == [1, 1]


async def test_approval_keeps_the_seat_until_it_is_decided(clinic: Clinic) -> None:
    mei, li, boss = await clinic.rider(), await clinic.rider(), await clinic.staff()
    session = await clinic.session(await clinic.offering(approval=True))
    asked = await clinic.books(mei, session)
    assert asked.state == "pending"
    with pytest.raises(SessionFull):
        await clinic.holds(li, session)
    await clinic.does(bookings.approve, boss, booking_id=asked.id)
    with pytest.raises(bookings.NotLive):
        await clinic.does(bookings.approve, boss, booking_id=asked.id)
    with pytest.raises(bookings.NotLive):
        await clinic.does(bookings.refuse, boss, booking_id=asked.id)
    assert await clinic.state(asked.id) == "booked"
    assert "approved" in (await clinic.messages())[-1]


async def test_a_refused_request_frees_its_seat(clinic: Clinic) -> None:
    mei, boss = await clinic.rider(), await clinic.staff()
    session = await clinic.session(await clinic.offering(approval=True))
    asked = await clinic.books(mei, session)
    await clinic.does(bookings.refuse, boss, booking_id=asked.id)
    assert (await clinic.row(session)).taken == 0
    assert "not approved" in (await clinic.messages())[-1]


async def test_what_was_withdrawn_meanwhile_cannot_be_held(clinic: Clinic) -> None:
    mei, offering = await clinic.rider(), await clinic.offering()
    session, past = await clinic.session(offering), await clinic.session(offering, hours=-1)
    with pytest.raises(bookings.SessionGone):
        await clinic.holds(mei, past)
    with pytest.raises(bookings.SessionGone):
        await clinic.holds(mei, 4711)
    async with clinic.database.writing() as db:
        await db.execute(update(Offering).values(state="hidden"))
    with pytest.raises(bookings.SessionGone):
        await clinic.holds(mei, session)


async def test_samples_are_for_demonstrations(clinic: Clinic) -> None:
    session = await clinic.session(await clinic.offering(demo=True))
    with pytest.raises(bookings.SessionGone):
        await clinic.does(bookings.hold, await clinic.rider(), session_id=session, desk=replace(DESK, demo=False))


async def test_every_change_is_kept(clinic: Clinic) -> None:
    mei, boss = await clinic.rider(), await clinic.staff()
    booked = await clinic.books(mei, await clinic.session(await clinic.offering(), hours=1))
    await clinic.does(bookings.check_in, boss, code=booked.code)
    await clinic.does(bookings.undo_check_in, boss, booking_id=booked.id)
    async with clinic.database.reading() as db:
        changes = (await db.scalars(select(BookingChange).order_by(BookingChange.id))).all()
    assert [(one.who, one.from_state, one.to_state, one.staff_id) for one in changes] == [
        ("rider", "held", "booked", None),
        ("staff", "booked", "attended", boss),
        ("staff", "attended", "booked", boss),
    ]


async def test_name_and_phone_need_consent_and_are_sealed(clinic: Clinic) -> None:
    mei, session = await clinic.rider(), await clinic.session(await clinic.offering(questions=PHONE))
    held = await clinic.holds(mei, session)
    said = Details(name="王小明", phone="+86 138-1234-0000", note="nobody asked for this")
    with pytest.raises(bookings.ConsentNeeded):
        await clinic.does(bookings.confirm, mei, booking_id=held.id, details=said)
    await clinic.does(consents.give, mei, consents.BOOKING)
    await clinic.does(bookings.confirm, mei, booking_id=held.id, details=said)
    kept = await clinic.does(bookings.details_of, mei, booking_id=held.id)
    assert kept == Details("王小明", "13812340000")
    async with clinic.database.reading() as db:
        row = (await db.scalars(select(Booking))).one()
    stored = b"".join(value if isinstance(value, bytes) else str(value).encode() for value in vars(row).values())
    assert "王小明".encode() not in stored
    assert b"13812340000" not in stored


@pytest.mark.parametrize("phone", ["", "call me", "1381234000a", "138123400001", "12345678901", "０", "1" * 5000])
async def test_a_bad_phone_loses_nothing(clinic: Clinic, phone: str) -> None:
    mei, session = await clinic.rider(), await clinic.session(await clinic.offering(questions=PHONE))
    await clinic.agrees(mei)
    held = await clinic.holds(mei, session)
    with pytest.raises(Problem, match="mobile number"):
        await clinic.does(bookings.confirm, mei, booking_id=held.id, details=Details(phone=phone))
    assert await clinic.state(held.id) == "held"


async def test_a_note_of_five_thousand_characters_is_refused(clinic: Clinic) -> None:
    mei = await clinic.rider()
    session = await clinic.session(await clinic.offering(questions=[{"key": "note", "kind": "note"}]))
    await clinic.agrees(mei)
    held = await clinic.holds(mei, session)
    with pytest.raises(Problem, match="characters"):
        await clinic.does(bookings.confirm, mei, booking_id=held.id, details=Details(note="长" * 5000))
    assert (await clinic.does(bookings.confirm, mei, booking_id=held.id, details=Details(note="长" * 900))).state


async def test_a_person_erased_leaves_the_seat_to_others(clinic: Clinic) -> None:
    mei, li = await clinic.riders(2)
    session = await clinic.session(await clinic.offering())
    booked = await clinic.books(mei, session)
    line = await clinic.does(waitlist.join, li, session_id=session, details=Details())
    await clinic.does(bookings.forget, mei)
    assert [await clinic.state(one.id) for one in (booked, line)] == ["cancelled", "offered"]
    async with clinic.database.reading() as db:
        row = (await db.scalars(select(Booking).where(Booking.id == booked.id))).one()
    assert (row.rider_id, row.contact_id) == (None, None)
    await clinic.is_sound()


async def test_the_database_itself_refuses_too_many(clinic: Clinic) -> None:
    session = await clinic.session(await clinic.offering())
    for taken in (2, -1):
        with pytest.raises(IntegrityError):
            async with clinic.database.writing() as db:
                await db.execute(update(Session).where(Session.id == session).values(taken=taken))


async def test_reminders_become_due_with_the_booking(clinic: Clinic) -> None:
    mei, session = await clinic.rider(), await clinic.session(await clinic.offering(reminders=["1d@19:00", "2h"]))
    await clinic.books(mei, session)
    async with clinic.database.reading() as db:
        due = (await db.scalars(select(Due.at).order_by(Due.at))).all()
    starts = clinic.now + timedelta(hours=72)
    assert due == [(starts - timedelta(days=1)).replace(hour=11), starts - timedelta(hours=2)]


async def test_what_fails_changes_nothing(clinic: Clinic) -> None:
    """A handler that catches the refusal goes on in the same transaction."""
    mei, li, offering = await clinic.rider(), await clinic.rider(), await clinic.offering()
    first, full = await clinic.session(offering), await clinic.session(offering, hours=80)
    held = await clinic.holds(mei, first)
    await clinic.books(li, full)
    async with clinic.database.writing() as db:
        with pytest.raises(SessionFull):
            await bookings.hold(db, mei, session_id=full, now=clinic.now, desk=DESK)
    assert await clinic.state(held.id) == "held"
    await clinic.is_sound()
