"""What riders do with the bookings that they have, and what they are told without asking."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from bot.models import Booking, Consent, Session
from bot.services import passes, sessions
from tests.chat import DESK, MORNING, RiderInTest, World
from tests.handlers.fair import Fair, scanned


async def books(rider: RiderInTest, date: str = "Wed 25 Nov") -> None:
    await rider.says("/book")
    await rider.taps(date)
    await rider.taps("Yes, book it")
    rider.sees("✅ Booked!")


async def test_one_booking_is_shown_with_its_qr(rider: RiderInTest, fair: Fair) -> None:
    await fair.opens("gift")
    await rider.says("/bookings")
    rider.sees("You have no bookings.")
    await books(rider)
    await rider.says("我的预约")
    rider.sees("Your bookings:")
    await rider.taps("Wed 25 Nov 10:00 · [sample] Winter gift pack · booked")
    [code] = await fair.codes()
    rider.sees(code, "Wed 25 Nov 10:00 to 11:00")
    assert scanned(rider.latest) == passes.check_in_url(code, DESK)


async def test_cancelling_asks_once_and_frees_the_seat(rider: RiderInTest, fair: Fair) -> None:
    await fair.opens("gift")
    await books(rider)
    await rider.taps("Cancel it")
    rider.sees("Cancel this booking?")
    rider.does_not_see("counted")
    await rider.taps("No, I keep my place")
    assert await fair.states() == ["booked"]
    await rider.taps("Cancel it")
    await rider.taps("Yes, cancel it")
    rider.sees("Cancelled. Thank you")
    assert await fair.states() == ["cancelled"]
    await fair.is_sound()
    await rider.presses("bkdrop.1")
    rider.sees("over already")


async def test_a_late_cancellation_is_said_before_and_counted(rider: RiderInTest, fair: Fair, world: World) -> None:
    await fair.offers("venue", questions=[], cancel_before_min=24 * 60)
    await books(rider)
    await world.passes(hours=40)
    await rider.presses("bkcancel.1")
    rider.sees("It is late, so it is counted")
    await rider.taps("Yes, cancel it")
    rider.sees("It was late", "1 of 2")
    await rider.says("/bookings")
    rider.sees("Counted in the last 90 days: 1 of 2")


async def test_two_misses_pause_booking(rider: RiderInTest, fair: Fair, world: World) -> None:
    await fair.offers("venue", questions=[])
    for date in ("Wed 25 Nov", "Thu 26 Nov"):
        await books(rider, date)
    await world.passes(days=5)
    await rider.comes_back()
    rider.sees("We missed you")
    await rider.says("/bookings")
    rider.sees("Booking pauses for you until")
    await fair.offers("gift")
    await rider.says("/book gift")
    await rider.taps("10:00")
    rider.sees("booking pauses until")
    assert "held" not in await fair.states()


async def test_moving_keeps_the_code_and_frees_the_old_seat(rider: RiderInTest, fair: Fair) -> None:
    await fair.opens("gift")
    await books(rider)
    [code] = await fair.codes()
    await rider.taps("Another time")
    rider.sees("Until you choose, your place stays yours")
    assert not any("Wed 25 Nov" in label for label, _token in rider.options)
    await rider.taps("Fri 27 Nov")
    rider.sees("✅ Moved", "Fri 27 Nov 10:00", code)
    await fair.is_sound()


async def test_moving_where_nothing_is_free(rider: RiderInTest, fair: Fair) -> None:
    await fair.offers("gift", sessions=1)
    await books(rider)
    await rider.taps("Another time")
    rider.sees("no other time with a free place")
    assert await fair.states() == ["booked"]


async def test_moving_can_be_left(rider: RiderInTest, fair: Fair) -> None:
    await fair.opens("gift")
    await books(rider)
    await rider.taps("Another time")
    await rider.says("取消")
    rider.sees("Nothing was changed")
    assert await fair.states() == ["booked"]


async def test_the_waiting_list_is_left(rider: RiderInTest, fair: Fair) -> None:
    await fair.offers("gift", sessions=1, capacity=1)
    await fair.fills(1)
    await rider.says("/book")
    await rider.taps("full")
    await rider.taps("Yes, I wait")
    await rider.taps("Put me on the list")
    await rider.taps("Leave the waiting list")
    rider.sees("Leave the waiting list?")
    await rider.taps("Yes, cancel it")
    assert await fair.states() == ["booked", "cancelled"]


async def test_bookings_of_others_do_not_exist(rider: RiderInTest, fair: Fair, world: World) -> None:
    await fair.opens("gift")
    await books(rider)
    other = world.rider("wang")
    await other.says("/menu")
    for token in (
        "bk.1",
        "bkcancel.1",
        "bkdrop.1",
        "bkmove.1",
        "bkok.1",
        "bkyes.1",
        "bkno.1",
        "bkrate.1.5",
        "bkword.1",
    ):
        for forged in (token, token.replace("1", "999", 1), token.replace(".1", ".x"), token.partition(".")[0]):
            await other.presses(forged)
            other.sees("no such booking of yours")
    assert await fair.states() == ["booked"]


async def test_the_day_before_and_two_hours_before(rider: RiderInTest, fair: Fair, world: World) -> None:
    await fair.offers("gift", reminders=["1d@19:00", "2h"])
    await books(rider)
    rider.catches_up()
    await world.passes(days=1, hours=10, minutes=1)
    rider.sees("Winter gift pack")
    await world.passes(hours=13)
    rider.sees("Winter gift pack")


async def test_a_cancelled_booking_is_not_reminded_of(rider: RiderInTest, fair: Fair, world: World) -> None:
    await fair.offers("gift", sessions=1, reminders=["1d@19:00", "2h"])
    await books(rider)
    await rider.presses("bkdrop.1")
    rider.catches_up()
    await world.passes(days=3)
    rider.sees()


async def test_a_session_that_staff_move(rider: RiderInTest, fair: Fair, world: World) -> None:
    await fair.opens("gift")
    await books(rider)
    staff = await fair.employs(world.rider("boss"))
    starts_at = MORNING + timedelta(days=9)
    async with world.database.writing() as db:
        await sessions.reschedule(
            db,
            staff,
            session_id=1,
            starts_at=starts_at,
            ends_at=starts_at + timedelta(hours=1),
            now=world.now,
            desk=DESK,
        )
    await world.settle()
    rider.sees("Changed:", "Wed 2 Dec 09:00")
    await rider.presses("bkok.1")
    rider.sees("See you there!", "Wed 2 Dec 09:00")
    await rider.presses("bkmove.1")
    await rider.taps("Thu 26 Nov")
    rider.sees("✅ Moved")


async def test_a_session_that_is_called_off(rider: RiderInTest, fair: Fair, world: World) -> None:
    await fair.opens("gift")
    await books(rider)
    staff = await fair.employs(world.rider("boss"))
    async with world.database.writing() as db:
        await sessions.cancel(db, staff, session_id=1, now=world.now, desk=DESK)
    await world.settle()
    rider.sees("this does not take place")
    await rider.presses("bkagain.1")
    await rider.taps("Fri 27 Nov")
    await rider.taps("Yes, book it")
    rider.sees("✅ Booked!")


async def test_an_offer_that_is_declined_goes_on(rider: RiderInTest, fair: Fair, world: World) -> None:
    await fair.offers("gift", sessions=1, capacity=1)
    await fair.fills(1)
    other = world.rider("wang")
    for person in (rider, other):
        await person.says("/book")
        await person.taps("full")
        await person.taps("Yes, I wait")
        await person.taps("Put me on the list")
    other.sees("You are number 2")
    await world.rider("stranger0").presses("bkdrop.1")
    rider.sees("A place became free")
    await rider.presses("bkno.2")
    rider.sees("the next in the list is asked")
    await world.settle()
    other.sees("A place became free")
    await rider.presses("bkyes.2")
    rider.sees("That offer is over")
    await world.passes(hours=3)
    other.sees("was passed on")
    await other.presses("bkyes.3")
    other.sees("That offer is over")
    await fair.is_sound()


async def test_stars_and_a_word_afterwards(rider: RiderInTest, fair: Fair, world: World) -> None:
    await fair.opens("gift")
    await books(rider)
    await rider.presses("bkrate.1.5")
    rider.sees("no such booking")
    async with world.database.writing() as db:
        await db.execute(update(Booking).values(state="attended"))
    await world.passes(days=3)
    await rider.comes_back()
    rider.sees("How was it")
    for forged in ("bkrate.1.6", "bkrate.1.0", "bkrate.1", "bkrate.1.-1"):
        await rider.presses(forged)
        rider.sees("no such booking")
    await rider.presses("bkrate.1.５")
    rider.does_not_see("Thank you")
    await rider.presses("bkrate.1.4")
    rider.sees("Thank you for 4 of 5")
    await rider.taps("Add a word")
    await rider.says("好" * 600)
    rider.sees("at most 500 characters", "What was good")
    await rider.says("饺子很香")
    rider.sees("Thank you, noted")
    async with world.database.reading() as db:
        [(stars, remark)] = (await db.execute(select(Booking.rating, Booking.remark))).all()
    assert stars == 4
    assert remark
    assert "饺子".encode() not in remark


async def test_consent_is_withdrawn_under_privacy(rider: RiderInTest, fair: Fair, world: World) -> None:
    await fair.opens("health")
    await rider.says("/privacy")
    await rider.taps("Name and number of my bookings")
    rider.sees("You have not agreed to anything")
    await rider.says("/book")
    await rider.taps("Wed 25 Nov")
    await rider.taps("I agree")
    await rider.says("王小明")
    await rider.says("13800001234")
    await rider.taps("Yes, book it")
    await rider.says("/privacy")
    await rider.taps("Name and number of my bookings")
    await rider.taps("Withdraw it and erase")
    rider.sees("Withdrawn.")
    async with world.database.reading() as db:
        rows = (await db.execute(select(Booking.name, Booking.phone, Booking.phone_hash, Booking.state))).all()
        consents = list(await db.scalars(select(Consent.withdrawn_at)))
    assert [tuple(row) for row in rows] == [(None, None, "", "booked")]
    assert None not in consents
    await rider.says("/book")
    await rider.taps("Thu 26 Nov")
    rider.sees("Before you go on")


async def test_whoever_is_erased_leaves_their_seat_to_others(rider: RiderInTest, fair: Fair, world: World) -> None:
    await fair.opens("gift")
    await books(rider)
    await rider.says("/privacy")
    await rider.taps("Show what is kept")
    rider.sees("Bookings: 1")
    await rider.taps("Erase me")
    await rider.taps("Yes, erase me")
    rider.sees("is erased. Goodbye")
    async with world.database.reading() as db:
        assert list(await db.scalars(select(Booking.rider_id))) == [None]
        assert set(await db.scalars(select(Session.taken))) == {0}


@pytest.mark.parametrize("words", ["取消预约", "我约了什么", "show my bookings"])
async def test_their_own_words(rider: RiderInTest, words: str) -> None:
    await rider.says(words)
    rider.sees("You have no bookings.")
