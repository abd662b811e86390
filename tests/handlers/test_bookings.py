"""Riders book, on every channel, and nothing is lost on the way."""

import asyncio
import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.messages import Capabilities
from bot.models import Booking, Outbound, Session, Talk
from bot.services import passes
from tests.chat import DESK, RiderInTest, World
from tests.handlers.conftest import LAT, LNG
from tests.handlers.fair import Fair, day, scanned


async def agree_and_say(rider: RiderInTest, name: str = "王小明", phone: str = "138 0000 1234") -> None:
    await rider.taps("I agree")
    await rider.says(name)
    await rider.says(phone)


async def test_a_health_check(rider: RiderInTest, fair: Fair) -> None:
    await fair.opens()
    await rider.says("预约")
    rider.sees_choices("Health check", "Legal advice", "Training", "Event", "Volunteering", "Gift", "Venue")
    await rider.taps("Health check")
    rider.sees("Riders' health check", "Bring: ID card", "When does it suit you?")
    rider.sees_choices("Wed 25 Nov", "Thu 26 Nov", "Fri 27 Nov")
    await rider.taps("Thu 26 Nov")
    rider.sees("Before you go on: your name, number and note are kept for this booking only")
    await rider.taps("I agree")
    rider.sees("What shall we call you?")
    await rider.says("王小明")
    rider.sees("Which mobile number")
    await rider.says("138 0000 1234")
    rider.sees("Thu 26 Nov 10:00", "王茅镇", "王**", "138****1234", "Is that right?")
    await rider.taps("Yes, book it")
    [code] = await fair.codes()
    rider.sees("✅ Booked!", "Thu 26 Nov 10:00 to 11:00", "📍 王茅镇", "empty stomach", code)
    assert "Cancel by Wed 25 Nov 10:00" in rider.latest.text
    assert scanned(rider.latest) == passes.check_in_url(code, DESK)
    assert await fair.states() == ["booked"]


async def test_the_last_place_is_still_there_after_a_step_back(rider: RiderInTest, fair: Fair) -> None:
    await fair.offers("legal", sessions=2, capacity=1)
    await rider.says("想找律师")
    await rider.taps("Wed 25 Nov")
    await rider.taps("Back")
    rider.sees_choices("Wed 25 Nov 10:00 · 王茅镇 · 1 free", "Thu 26 Nov 10:00 · 王茅镇 · 1 free")
    assert "held" not in await fair.states()
    await fair.is_sound()


async def test_legal_advice_on_unpaid_wages(rider: RiderInTest, fair: Fair) -> None:
    await fair.opens("health", "legal")
    await rider.says("想找律师")
    rider.sees("12348", "A lawyer's hour")
    await rider.taps("Wed 25 Nov")
    await rider.taps("I agree")
    rider.sees("What is it about?")
    await rider.taps("Unpaid wages")
    rider.sees("国务院客户端", "12333", "12345", "never ask for your ID number", "By phone or on the spot?")
    await rider.taps("By phone")
    rider.sees("Is there something that we should know")
    await rider.says("站长扣了我两个月的钱")
    rider.sees("Is that right?")
    await rider.taps("Yes, book it")
    rider.sees("✅ Booked!")


async def test_a_training_by_its_words(rider: RiderInTest, fair: Fair) -> None:
    await fair.opens("health", "training")
    await rider.says("有没有培训")
    rider.sees("Live-streaming course")
    await rider.taps("Fri 27 Nov")
    rider.sees("How much do you know?")
    await rider.taps("A little")
    await rider.taps("Yes, book it")
    rider.sees("✅ Booked!")


async def test_another_offer_asked_for_while_one_is_being_chosen(rider: RiderInTest, fair: Fair) -> None:
    await fair.opens("health", "volunteer")
    await rider.says("预约")
    rider.sees_choices("Health check", "Volunteering")
    await rider.says("有没有志愿")
    rider.sees("Traffic volunteers", "When does it suit you?")


@pytest.mark.parametrize(
    ("words", "answer"), [("/settings", "Your settings"), ("我的数据", "You need no name"), ("欠薪怎么办", "12333")]
)
async def test_a_feature_is_no_wrong_number(rider: RiderInTest, fair: Fair, words: str, answer: str) -> None:
    await fair.offers("health")
    await rider.says("想体检")
    await rider.taps("Wed 25 Nov")
    await rider.taps("I agree")
    await rider.says("王小明")
    rider.catches_up()
    await rider.says(words)
    rider.sees(answer, "Which mobile number")
    for no_number in ("1380000", "为什么要电话", "两人吃饭"):
        await rider.says(no_number)
        rider.sees("That is not a mobile number", "Which mobile number")
    await rider.says("138 0000 1234")
    await rider.taps("Yes, book it")
    rider.sees("✅ Booked!")


async def test_an_event_for_several(rider: RiderInTest, fair: Fair) -> None:
    await fair.opens("event")
    await rider.says("/book")
    await rider.taps("Wed 25 Nov")
    await rider.says("a few")
    rider.sees("Please answer with a number.", "How many of you?")
    await rider.says("３")
    await rider.taps("Yes, book it")
    rider.sees("✅ Booked!", "Dumpling feast")


async def test_a_shift_that_the_staff_approve(rider: RiderInTest, fair: Fair) -> None:
    await fair.opens("volunteer")
    await rider.says("/book")
    await rider.taps("Wed 25 Nov")
    rider.sees("The staff look at each request")
    await rider.taps("Yes, book it")
    rider.sees("Your request is with the staff")
    assert not rider.latest.photo
    assert await fair.states() == ["pending"]


async def test_a_gift_is_claimed_once_in_two_taps(rider: RiderInTest, fair: Fair) -> None:
    await fair.opens("gift")
    await rider.says("/book")
    rider.sees("[sample] Winter gift pack")
    await rider.taps("Wed 25 Nov")
    await rider.taps("Yes, book it")
    rider.sees("✅ Booked!")
    await rider.says("/book")
    await rider.taps("Thu 26 Nov")
    rider.sees("One person may book this 1 time(s)")
    rider.sees_choices("My bookings")


async def test_a_hall_with_a_question(rider: RiderInTest, fair: Fair) -> None:
    await fair.opens("venue")
    await rider.says("/book")
    await rider.taps("Wed 25 Nov")
    await rider.taps("Yes")
    await rider.taps("Yes, book it")
    rider.sees("✅ Booked!", "Workers' sports hall")


@pytest.mark.usefixtures("town")
async def test_the_place_comes_with_the_booking(rider: RiderInTest, fair: Fair, world: World) -> None:
    number = await fair.offers("gift", sessions=0)
    await fair.session(number, world.now + timedelta(days=2), place_id=1, address="")
    await rider.says("/book")
    await rider.taps("东街爱心驿站")
    await rider.taps("Yes, book it")
    for pin in rider.latest.places:
        assert (pin.name, round(pin.lat, 3), rider.latest.card) == ("东街爱心驿站", round(LAT + 0.003, 3), True)
    everything = rider.latest.text + str(rider.latest.buttons)
    assert "东街爱心驿站" in everything
    assert all(program in everything for program in rider.maps)
    assert re.search(r"https://nuanxin\.example/b/[^ ']+\.ics", everything)


async def test_a_channel_without_pictures_gets_a_link_to_the_qr(world: World, fair: Fair) -> None:
    world.channel.can = Capabilities(buttons=world.channel.can.buttons, photo=False)
    rider = world.rider("mei")
    await fair.opens("gift")
    await rider.says("/book")
    await rider.taps("Wed 25 Nov")
    await rider.taps("Yes, book it")
    assert not rider.latest.photo
    assert "https://nuanxin.example/qr/" in rider.latest.text + str(rider.latest.buttons)


@pytest.mark.usefixtures("town")
async def test_the_nearest_dates_first(rider: RiderInTest, fair: Fair, world: World) -> None:
    number = await fair.offers("gift", sessions=0)
    await fair.session(number, world.now + timedelta(days=2), place_id=5, address="")
    await fair.session(number, world.now + timedelta(days=3), place_id=1, address="")
    await rider.says("/book")
    rider.sees_choices("河津快充站", "东街爱心驿站")
    await rider.taps("Nearest first")
    await rider.shares(LAT, LNG)
    rider.sees_choices("东街爱心驿站", "河津快充站")


async def test_more_dates_than_fit_on_a_page(rider: RiderInTest, fair: Fair) -> None:
    await fair.offers("gift", sessions=7)
    await rider.says("/book")
    await rider.says("more")
    rider.sees_choices("Mon 30 Nov", "Tue 1 Dec")
    await rider.taps("Tue 1 Dec")
    rider.sees("Tue 1 Dec 10:00")
    await rider.says("yes, book it")
    rider.sees("Booked")


async def test_busy_hours_come_last(rider: RiderInTest, fair: Fair, world: World) -> None:
    await rider.presses("drive.courier")
    number = await fair.offers("gift", sessions=0)
    await fair.session(number, world.now + timedelta(days=1, hours=3))  # 12:00
    await fair.session(number, world.now + timedelta(days=1, hours=6))  # 15:00
    await rider.says("/book")
    rider.sees_choices("15:00", "12:00")


async def test_a_full_date_offers_the_waiting_list(rider: RiderInTest, fair: Fair, world: World) -> None:
    await fair.offers("gift", sessions=1, capacity=1)
    await fair.fills(1)
    await rider.says("/book")
    rider.sees_choices("full")
    await rider.taps("full")
    rider.sees("is full", "You would be the first")
    await rider.taps("Yes, I wait")
    await rider.taps("Put me on the list")
    rider.sees("on the waiting list", "You are number 1")
    stranger = world.rider("stranger0")
    await stranger.says("我的预约")
    await stranger.taps("Winter gift")
    await stranger.taps("Cancel it")
    await stranger.taps("Yes, cancel it")
    await world.settle()
    rider.sees("A place became free")
    await rider.says("我的预约")
    await rider.taps("a place is offered")
    await rider.taps("I take it")
    rider.sees("✅ Booked!")
    await fair.is_sound()


async def test_a_place_that_became_free_is_taken_instead_of_waiting(
    rider: RiderInTest, fair: Fair, world: World
) -> None:
    await fair.offers("gift", sessions=1, capacity=1, waitlist=True)
    holder = world.rider("holder")
    await holder.says("/book")
    await holder.taps("Wed 25 Nov")
    await rider.says("/book")
    await rider.taps("full")
    await rider.taps("Yes, I wait")
    await holder.says("取消")
    await rider.taps("Put me on the list")
    rider.sees("has just become free", "✅ Booked!")
    assert await fair.states() == ["cancelled", "booked"]
    await fair.is_sound()


async def test_a_full_date_without_a_list(rider: RiderInTest, fair: Fair) -> None:
    await fair.offers("gift", sessions=2, capacity=1, waitlist=False, limit_count=0)
    await fair.fills(1)
    await rider.says("/book")
    await rider.taps("full")
    rider.sees("That time is full.", "When does it suit you?")


async def test_cancel_lets_the_seat_go(rider: RiderInTest, fair: Fair) -> None:
    await fair.opens("gift")
    for leave in ("取消", "/cancel", "/start", "/book", "/report"):
        await rider.says("/book")
        await rider.taps("Wed 25 Nov")
        await rider.says(leave)
    assert set(await fair.states()) == {"cancelled"}
    await fair.is_sound()


async def test_back_goes_through_the_questions(rider: RiderInTest, fair: Fair) -> None:
    await fair.opens("health")
    await rider.says("/book")
    await rider.taps("Wed 25 Nov")
    await agree_and_say(rider)
    rider.catches_up()
    await rider.says("返回")
    rider.sees("Which mobile number")
    await rider.says("返回")
    rider.sees("What shall we call you?")
    await rider.says("李四")
    await rider.says("13900005678")
    rider.sees("李**", "139****5678")
    await rider.taps("Another time")
    await rider.taps("Fri 27 Nov")
    rider.sees("Fri 27 Nov", "李**", "Is that right?")
    await rider.taps("Yes, book it")
    rider.sees("✅ Booked!", "Fri 27 Nov")
    await fair.is_sound()


@pytest.mark.usefixtures("town")
async def test_menu_and_location_in_every_step(rider: RiderInTest, fair: Fair) -> None:
    await fair.opens("health", "gift")
    await rider.says("/book")
    steps = ("Health check", "Wed 25 Nov", "I agree", "王", "13800001234")
    asked = (
        "What would you like",
        "When does it",
        "Before you go on",
        "What shall we",
        "Which mobile",
        "Is that right",
    )
    for step, question in zip((*steps, ""), asked, strict=True):
        rider.sees(question)
        await rider.says("菜单")
        rider.sees("What do you need?", question)
        await rider.shares(LAT, LNG)
        rider.sees("Nearest to you", question)
        rider.options = rider.options[-8:] if rider.world.channel.can.buttons else rider.options
        if step in ("王", "13800001234"):
            await rider.says(step)
        elif step:
            await rider.taps(step)
    await rider.taps("Yes, book it")
    rider.sees("✅ Booked!")


async def test_a_hold_that_ended_is_taken_again(rider: RiderInTest, fair: Fair, world: World) -> None:
    await fair.opens("gift")
    await rider.says("/book")
    await rider.taps("Wed 25 Nov")
    await world.passes(minutes=30)
    assert await fair.states() == ["cancelled"]
    await rider.taps("Yes, book it")
    rider.sees("✅ Booked!")
    await fair.is_sound()


async def test_a_hold_that_ended_and_went_to_somebody_else(rider: RiderInTest, fair: Fair, world: World) -> None:
    await fair.offers("gift", sessions=1, capacity=1)
    await rider.says("/book")
    await rider.taps("Wed 25 Nov")
    await world.passes(minutes=6)
    await fair.fills(1)
    await rider.taps("Yes, book it")
    rider.sees("gone to somebody else meanwhile", "You would be the first")
    await fair.is_sound()


async def test_bad_answers_are_asked_again_and_nothing_is_lost(rider: RiderInTest, fair: Fair) -> None:
    await fair.opens("legal", "health")
    await rider.says("/book 体检")
    await rider.taps("Wed 25 Nov")
    await rider.taps("I agree")
    await rider.says("王" * 40)
    rider.sees("between 1 and 30 characters", "What shall we call you?")
    await rider.says("王师傅")
    for bad in ("1380000abcd", "12345", "+1 202 555 0100"):
        await rider.says(bad)
        rider.sees("eleven digits", "Which mobile number")
    await rider.says("+86 138-0000-1234")
    rider.sees("王**", "138****1234")
    await rider.taps("Yes, book it")
    rider.sees("✅ Booked!")
    await rider.says("/book 律师")
    await rider.taps("Wed 25 Nov")
    await rider.taps("Contract")
    await rider.taps("By phone")
    for length in (5_000, 1_500):
        await rider.says("长" * length)
        rider.sees("Is there something that we should know")
    await rider.taps("Skip")
    rider.sees("Is that right?")


async def test_an_offer_withdrawn_on_the_way(rider: RiderInTest, fair: Fair) -> None:
    await fair.opens("health", "gift")
    await rider.says("/book")
    await rider.taps("Gift")
    await rider.taps("Wed 25 Nov")
    await fair.withdraws()
    await rider.taps("Yes, book it")
    rider.sees("not on the list any more", "nothing to book just now")
    assert await fair.states() == ["cancelled"]
    await rider.says("/book")
    rider.sees("nothing to book just now")


async def test_an_offer_withdrawn_while_a_question_is_open(rider: RiderInTest, fair: Fair) -> None:
    await fair.opens("health")
    await rider.says("/book")
    await rider.taps("Wed 25 Nov")
    await rider.taps("I agree")
    await fair.withdraws()
    await rider.says("王师傅")
    rider.sees("not on the list any more")
    rider.does_not_see("went wrong")


async def test_without_consent_nothing_is_kept_and_the_desk_is_named(rider: RiderInTest, fair: Fair) -> None:
    await fair.opens("health")
    await rider.says("/book")
    await rider.taps("Wed 25 Nov")
    await rider.taps("No, I do not")
    rider.sees("nothing was kept", "0359-2000002")
    assert await fair.states() == ["cancelled"]


async def test_without_consent_a_lawyer_needs_no_note(rider: RiderInTest, fair: Fair) -> None:
    await fair.opens("legal")
    await rider.says("/book")
    await rider.taps("Wed 25 Nov")
    await rider.taps("No, I do not")
    await rider.taps("Contract")
    await rider.taps("On the spot")
    await rider.taps("Yes, book it")
    rider.sees("✅ Booked!")


async def test_the_second_time_one_tap_is_enough(rider: RiderInTest, fair: Fair) -> None:
    await fair.opens("health")
    await rider.says("/book")
    await rider.taps("Wed 25 Nov")
    await agree_and_say(rider)
    await rider.taps("Yes, book it")
    await rider.says("/book")
    await rider.taps("Thu 26 Nov")
    rider.sees("What shall we call you?")
    await rider.taps("王**")
    await rider.taps("138****1234")
    await rider.taps("Yes, book it")
    rider.sees("✅ Booked!", "Thu 26 Nov")


async def test_drivers_are_asked_what_they_drive(rider: RiderInTest, fair: Fair) -> None:
    await fair.offers("gift", vehicles=["truck"])
    await rider.says("/book")
    await rider.taps("Wed 25 Nov")
    rider.sees("What do you drive?")
    await rider.taps("Truck")
    await rider.taps("Yes, book it")
    rider.sees("✅ Booked!")


async def test_who_is_not_meant_is_told_so(rider: RiderInTest, fair: Fair) -> None:
    await rider.presses("drive.courier")
    await fair.offers("gift", vehicles=["truck"])
    await rider.says("/book")
    await rider.taps("Wed 25 Nov")
    rider.sees("This offer is for others")


async def test_booked_twice_shows_the_first(rider: RiderInTest, fair: Fair) -> None:
    await fair.offers("venue")
    for _n in range(2):
        await rider.says("/book")
        await rider.taps("Wed 25 Nov")
        if _n == 0:
            await rider.taps("No")
            await rider.taps("Yes, book it")
    rider.sees("You have this one already")
    assert await fair.states() == ["booked"]


async def test_a_message_that_comes_twice_books_once(rider: RiderInTest, fair: Fair) -> None:
    await fair.opens("gift")
    await rider.says("/book", key="a")
    await rider.says("/book", key="a")
    await rider.taps("Wed 25 Nov")
    token = rider.options[0]
    await rider.taps("Yes, book it")
    assert token
    assert await fair.states() == ["booked"]


async def test_nothing_personal_lies_open_in_the_database(rider: RiderInTest, fair: Fair, world: World) -> None:
    await fair.opens("health")
    await rider.says("/book")
    await rider.taps("Wed 25 Nov")
    await agree_and_say(rider)
    async with world.database.reading() as db:
        drafts = str(list(await db.scalars(select(Talk.draft)))) + str(list(await db.scalars(select(Talk.asked))))
    await rider.taps("Yes, book it")
    async with world.database.reading() as db:
        said = str(list(await db.scalars(select(Outbound.message))))
        rows = [tuple(row) for row in await db.execute(Booking.__table__.select())]
    for kept in (drafts, said, str(rows)):
        assert "王小明" not in kept
        assert "13800001234" not in kept
        assert "王小明".encode() not in kept.encode()


@pytest.mark.parametrize("restarting", [False], ids=["steady"])
@pytest.mark.parametrize("channel", ["buttons"], indirect=True)
async def test_two_hundred_riders_for_five_seats(world: World, fair: Fair) -> None:
    await fair.offers("gift", sessions=1, capacity=5)
    riders = [world.rider(f"r{n}") for n in range(200)]
    for rider in riders:
        await rider.says("/menu")

    async def book(rider: RiderInTest) -> None:
        await rider.says("/book")
        await rider.taps("Wed 25 Nov")
        if any("Yes, book it" in label for label, _token in rider.options):
            await rider.taps("Yes, book it")
        else:
            rider.sees("is full", "Shall I put you on the list?")

    await asyncio.gather(*(book(rider) for rider in riders))
    told = [rider for rider in riders if "✅ Booked!" in rider.latest.text]
    assert len(told) == 5
    states = await fair.states()
    assert states.count("booked") == 5
    assert set(states) == {"booked"}
    await fair.is_sound()


async def test_the_day_is_named_with_its_weekday(rider: RiderInTest, fair: Fair, world: World) -> None:
    await fair.opens("gift")
    chinese = world.rider("wang", "zh-hans")
    await chinese.says("我要预约体检")
    assert "周三" in str(chinese.latest)
    async with world.database.reading() as db:
        first = (await db.scalars(select(Session.starts_at).order_by(Session.starts_at))).first()
    assert first is not None
    assert day(first) == "Wed 25 Nov"
