"""Hearing a message: once, in order, all or nothing."""

import asyncio
from collections.abc import Callable
from dataclasses import field
from datetime import timedelta
from typing import Any

import pytest
import structlog
from sqlalchemy import func, select, text

from bot.channels import Undelivered
from bot.conversation import Ask, Asked, AskLocation, Choose, Dialog, Done, Next, Router, Turn
from bot.conversation.engine import forget_old
from bot.conversation.lines import LONGEST_LINE, Busy
from bot.database import Database, ReadOnly
from bot.errors import Problem
from bot.i18n import _
from bot.messages import Button, Incoming, Location
from bot.models import Contact, Heard, Outbound, Rider, Talk
from tests.chat import PretendChannel, RiderInTest, World


def small_router() -> Router:  # noqa: C901  (a whole bot, told in one place)
    """A bot with one dialog and a few one-turn features."""
    router = Router()

    @router.on("tea", "/tea")
    class Tea(Dialog, name="tea"):
        kind: str = ""
        sugar: int = 0

        async def ask_kind(self, turn: Turn) -> Asked:
            return Choose(_("Which tea?"), {"green": "Green tea", "black": "Black tea"})

        async def take_kind(self, turn: Turn, kind: str) -> Next:
            self.kind = kind
            return self.ask_sugar

        async def ask_sugar(self, turn: Turn) -> Asked:
            return Ask(_("How many spoons of sugar?"))

        async def take_sugar(self, turn: Turn, answer: str) -> Next:
            await turn.db.execute(text("UPDATE riders SET county = 'tea'"))
            if not answer.isdecimal():
                raise Problem(_("That is not a number."))
            self.sugar = int(answer)
            return self.ask_where

        async def ask_where(self, turn: Turn) -> Asked:
            return AskLocation(_("Where to?"))

        async def take_where(self, turn: Turn, where: Location) -> Next:
            return Done(_("{kind}, {sugar} spoons, {lat}", kind=self.kind, sugar=self.sugar, lat=where.lat))

    @router.reads("menu", "菜单")
    async def menu(turn: Turn) -> None:
        turn.say("The menu.", (Button("Time", "time"), Button("Tea", "brew")))

    @router.reads_press("time")
    async def time(turn: Turn) -> None:
        turn.say(f"It is {turn.now:%H:%M}.")

    @router.on("vote")
    async def vote(turn: Turn) -> None:
        await turn.db.execute(text("UPDATE riders SET vehicle = vehicle || 'x'"))
        turn.say("Counted.")

    @router.reads("write anyway")
    async def write_anyway(turn: Turn) -> None:
        turn.db.add(Rider(created_at=turn.now))
        await turn.db.flush()

    @router.on("bug")
    async def bug(turn: Turn) -> None:
        raise ZeroDivisionError

    for event in ("location", "unknown", "stale", "photo", "resumed"):

        @router.reads_event(event)
        async def said(turn: Turn, event: str = event) -> None:
            turn.say(f"({event})")

    @router.reads("clock")
    def clock(turn: Turn) -> None:
        turn.say("Tick.")

    @router.reads("shut")
    def shut(turn: Turn) -> None:
        raise Problem(_("That is not a number."))

    @router.reads("crash")
    def crash(turn: Turn) -> None:
        raise ZeroDivisionError

    return router


@pytest.fixture
def world(world: World) -> World:
    world.router = small_router()
    world.restarts()
    return world


async def count(database: Database, table: type) -> int:
    async with database.reading() as db:
        return await db.scalar(select(func.count()).select_from(table)) or 0


async def test_a_dialog_from_beginning_to_end(rider: RiderInTest) -> None:
    await rider.says("tea")
    rider.sees("Which tea?")
    await rider.taps("Black")
    rider.sees("How many spoons")
    await rider.says("2")
    rider.sees("Where to?")
    await rider.shares(35.0, 111.0)
    rider.sees("black, 2 spoons, 35.0")


async def test_a_turn_that_reads_writes_nothing(world: World, rider: RiderInTest) -> None:
    await rider.says("menu")
    assert await count(world.database, Heard) == 0
    assert await count(world.database, Outbound) == 0
    assert await count(world.database, Contact) == 1
    await rider.taps("Time")
    rider.sees("It is 01:00.")
    assert await count(world.database, Heard) == 0


async def test_a_turn_that_declared_to_read_cannot_write(world: World, rider: RiderInTest) -> None:
    await rider.says("menu")
    rider.catches_up()
    with structlog.testing.capture_logs() as logged:
        await rider.says("write anyway")
    rider.sees("something went wrong")
    assert logged[0]["exc_info"]
    assert await count(world.database, Rider) == 1
    async with world.database.reading() as db:
        db.add(Rider(created_at=world.now))
        with pytest.raises(ReadOnly):
            await db.flush()


async def test_the_same_message_again_changes_nothing(world: World, rider: RiderInTest) -> None:
    await rider.says("vote", key="7")
    await rider.says("vote", key="7")
    async with world.database.reading() as db:
        assert (await db.scalars(select(Rider.vehicle))).one() == "x"


async def test_the_first_contact_is_answered_again_if_the_answer_was_lost(rider: RiderInTest) -> None:
    await rider.says("menu", key="1")
    rider.catches_up()
    await rider.says("menu", key="1")
    rider.sees("The menu.")


@pytest.mark.parametrize("word", ["cancel", "取消", "/cancel"])
async def test_cancel_works_while_free_words_are_asked_for(rider: RiderInTest, word: str) -> None:
    await rider.says("tea")
    await rider.taps("Green")
    rider.catches_up()
    await rider.says(word)
    rider.sees("Cancelled")
    await rider.says("2")
    rider.sees("(stale)")


async def test_menu_and_location_work_while_free_words_are_asked_for(rider: RiderInTest) -> None:
    await rider.says("tea")
    await rider.taps("Green")
    rider.catches_up()
    await rider.says("菜单")
    rider.sees("The menu.", "How many spoons")
    await rider.shares(35, 111)
    rider.sees("(location)", "How many spoons")
    await rider.says("3")
    rider.sees("Where to?")


async def test_a_choice_of_another_message_while_a_question_is_open(rider: RiderInTest) -> None:
    await rider.says("tea")
    await rider.says("menu")
    rider.catches_up()
    await rider.taps("Time")
    rider.sees("It is 01:00.", "Which tea?")
    await rider.taps("Black")
    rider.sees("How many spoons")


async def test_a_digit_is_an_answer_where_free_words_are_asked_for(rider: RiderInTest) -> None:
    await rider.says("tea")
    await rider.taps("Black")
    await rider.says("1")
    rider.sees("Where to?")


async def test_an_emergency_is_answered_first_in_every_state(rider: RiderInTest) -> None:
    await rider.says("tea")
    await rider.taps("Green")
    rider.catches_up()
    await rider.says("着火了")
    rider.sees("119")
    await rider.says("4")
    rider.sees("Where to?")


async def test_an_emergency_is_answered_without_a_database(world: World, rider: RiderInTest) -> None:
    world.database = Database("postgresql://nobody@127.0.0.1:1/none")
    world.restarts()
    said = await world.engine.hear(Incoming(rider.address, "1", world.now, text="有人晕倒了"), world.channel.can)
    assert "120" in said.direct[0].text


async def test_going_back(rider: RiderInTest) -> None:
    await rider.says("tea")
    await rider.taps("Green")
    await rider.says("返回")
    rider.sees("Which tea?", "How many spoons", "Which tea?")
    await rider.taps("Black")
    await rider.says("1")
    await rider.shares(34, 110)
    rider.sees("black, 1 spoons")


async def test_a_problem_undoes_what_the_step_wrote(world: World, rider: RiderInTest) -> None:
    await rider.says("tea")
    await rider.taps("Green")
    rider.catches_up()
    await rider.says("many")
    rider.sees("That is not a number.", "How many spoons")
    async with world.database.reading() as db:
        assert (await db.scalars(select(Rider.county))).one() == ""


async def test_a_button_of_an_earlier_question(world: World, rider: RiderInTest) -> None:
    await rider.says("tea")
    token = "q.1.0"
    await rider.presses(token)
    rider.catches_up()
    await rider.presses(token)
    rider.sees("earlier question", "How many spoons")


@pytest.mark.parametrize("token", ["q.1.9", "q.1.-1", "q.1.x", "q.1", "q", "q..", "", "q.0.0", "zzz.1", "q.1.²"])
async def test_made_up_buttons_change_nothing(world: World, rider: RiderInTest, token: str) -> None:
    await rider.says("tea")
    rider.catches_up()
    await rider.presses(token)
    assert len(rider.inbox) > rider.seen
    async with world.database.reading() as db:
        assert (await db.scalars(select(Talk.step))).one() == "kind"


async def test_a_release_that_renamed_a_step_starts_again_politely(world: World, rider: RiderInTest) -> None:
    await rider.says("tea")
    async with world.database.writing() as db:
        (await db.scalars(select(Talk))).one().step = "gone"
    rider.catches_up()
    await rider.says("1")
    rider.sees("Something changed")


async def test_a_bug_is_answered_once_with_an_apology(world: World, rider: RiderInTest) -> None:
    with structlog.testing.capture_logs() as logged:
        await rider.says("bug", key="9")
        await rider.says("bug", key="9")
    assert len(logged) == 1
    # Over a callback, the platform's second try gets the same reply.
    times = 2 if world.channel.name == "wechat" else 1
    assert [message.text for message in rider.inbox] == [
        "Sorry, something went wrong on our side. Please try again in a moment."
    ] * times


async def test_fields_that_json_would_change_are_refused(world: World, rider: RiderInTest) -> None:
    @world.router.on("odd")
    class Odd(Dialog, name="odd"):
        answers: dict[object, str] = field(default_factory=dict)

        async def ask_one(self, turn: Turn) -> Asked:
            self.answers[1] = "x"
            return Ask(_("Well?"))

        async def take_one(self, turn: Turn, answer: str) -> Next:
            return Done(_("Ok."))

    with structlog.testing.capture_logs() as logged:
        await rider.says("odd")
    assert logged
    rider.sees("something went wrong")


@pytest.mark.parametrize("channel", ["buttons", "digits"], indirect=True)
async def test_nothing_is_left_of_a_turn_that_was_cut_off(
    world: World, rider: RiderInTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PowerCut(BaseException):
        pass

    def cut(*_arguments: object, **_named: object) -> None:
        raise PowerCut

    await rider.says("menu")
    monkeypatch.setattr("bot.outbox.put_answers", cut)
    with pytest.raises(PowerCut):
        await rider.says("vote", key="1")
    monkeypatch.undo()
    assert await count(world.database, Heard) == 0
    rider.catches_up()
    await rider.says("vote", key="1")
    rider.sees("Counted.")


async def test_many_processes_hear_one_rider_at_once(world: World, rider: RiderInTest) -> None:
    """Eight messages, each heard by two processes: each is answered once, in some order."""
    heard = [Incoming(rider.address, str(n), world.now, "tea") for n in range(8)] * 2
    engines = [world.new_engine() for _ in heard]
    said = await asyncio.gather(
        *(engine.hear(one, world.channel.can) for engine, one in zip(engines, heard, strict=True))
    )
    await asyncio.gather(*(one.sent for one in said if one.sent))
    assert await count(world.database, Outbound) == 8
    assert await count(world.database, Contact) == 1
    assert await count(world.database, Rider) == 1
    async with world.database.reading() as db:
        assert (await db.scalars(select(Talk.exchange))).one() == 8


async def test_one_persons_messages_are_answered_in_order(world: World, rider: RiderInTest) -> None:
    engine = world.engine
    await rider.says("menu")
    rider.catches_up()
    words = ["vote", "menu", "vote", "menu", "tea"]
    heard = [Incoming(rider.address, f"o{n}", world.now, word) for n, word in enumerate(words)]
    order: list[str] = []

    async def hear(one: Incoming) -> None:
        said = await engine.hear(one, world.channel.can)
        if said.sent:
            await said.sent
        order.append(one.text)

    await asyncio.gather(*map(hear, heard))
    assert order == words


async def test_a_line_has_an_end(world: World, rider: RiderInTest) -> None:
    engine = world.engine
    heard = [Incoming(rider.address, f"b{n}", world.now, "vote") for n in range(LONGEST_LINE + 1)]
    done = await asyncio.gather(*(engine.hear(one, world.channel.can) for one in heard), return_exceptions=True)
    assert [type(one) for one in done if isinstance(one, BaseException)] == [Busy]
    await engine.drain()


@pytest.mark.parametrize("channel", ["buttons"], indirect=True)
async def test_an_emergency_waits_in_no_line(world: World, rider: RiderInTest) -> None:
    engine = world.engine
    heard = [Incoming(rider.address, f"e{n}", world.now, "vote") for n in range(LONGEST_LINE)]
    line = [asyncio.ensure_future(engine.hear(one, world.channel.can)) for one in heard]
    await asyncio.sleep(0)
    said = await engine.hear(Incoming(rider.address, "e", world.now, "着火了"), world.channel.can)
    assert "119" in said.direct[0].text
    assert not all(one.done() for one in line)
    await asyncio.gather(*line)
    await engine.drain()


@pytest.mark.parametrize("channel", ["buttons", "digits"], indirect=True)
async def test_answers_that_failed_come_later_in_order(world: World, rider: RiderInTest) -> None:
    await rider.says("tea")
    rider.catches_up()
    world.channel.fails_with = [Undelivered("busy", retry_in=timedelta(seconds=30))]
    await rider.says("menu")
    rider.sees()
    await world.passes(seconds=31)
    assert [message.text.splitlines()[0] for message in rider.inbox[1:]] == ["The menu.", "Which tea?"]


async def test_somebody_who_left_and_came_back(world: World, rider: RiderInTest) -> None:
    await rider.says("menu")
    await rider.sends("stopped")
    async with world.database.reading() as db:
        assert (await db.scalars(select(Contact.stopped_at))).one() is not None
    rider.catches_up()
    await rider.says("menu")
    rider.sees("The menu.")
    async with world.database.reading() as db:
        assert (await db.scalars(select(Contact.stopped_at))).one() is None


async def test_lists_and_keys_are_forgotten_on_time(world: World, rider: RiderInTest) -> None:
    await rider.says("vote")
    await rider.says("menu")
    rider.catches_up()
    await world.passes(days=4)
    async with world.database.writing() as db:
        await forget_old(db, world.now)
    assert await count(world.database, Heard) == 0
    if not world.channel.can.buttons:
        await rider.says("1")
        rider.sees("(stale)")


@pytest.mark.parametrize("digit", ["1", "１", "一", "第一个", "1."])
async def test_a_digit_chooses_from_the_last_list(rider: RiderInTest, world: World, digit: str) -> None:
    if world.restarting and world.channel.can.buttons:
        pytest.skip("where there are buttons, numbers are remembered by the process that showed them")
    await rider.says("menu")
    rider.catches_up()
    await rider.says(digit)
    rider.sees("It is 01:00.")


def test_two_features_never_answer_to_one_word() -> None:
    router = small_router()
    with pytest.raises(ValueError, match="two features"):
        router.include(small_router())


def test_an_ask_without_a_take_is_refused() -> None:
    with pytest.raises(TypeError, match="no matching take_"):

        class Half(Dialog, name="half"):
            async def ask_one(self, turn: Turn) -> Asked:
                return Ask(_("Well?"))


@pytest.mark.parametrize("channel", ["buttons", "digits"], indirect=True)
def test_a_pretend_channel_is_a_channel(channel: PretendChannel) -> None:
    from bot.channels import Channel

    checked: Channel = channel
    assert checked.name in ("buttons", "digits")


class TestAtOnce:
    """What a plain function that only reads answers needs nothing but memory."""

    @pytest.fixture
    def answers(self, world: World, rider: RiderInTest) -> Callable[..., tuple[str, ...] | None]:
        def at_once(text: str, **what: Any) -> tuple[str, ...] | None:
            said = world.engine.at_once(Incoming(rider.address, "k", world.now, text, **what), world.channel.can)
            return None if said is None else tuple(message.text for message in said)

        return at_once

    async def test_a_known_person_is_answered(self, world: World, rider: RiderInTest, answers: Any) -> None:
        assert answers("clock") is None
        await rider.says("menu")
        if not world.engine.people.get(rider.address):  # who restarts for each message knows nobody
            assert answers("clock") is None
            return
        if not world.channel.can.buttons:  # what is numbered is remembered
            assert answers("clock") is None
            return
        assert answers("clock") == ("Tick.",)
        assert answers("shut") == ("That is not a number.",)
        for other in ("menu", "vote", "tea", "1", "晕倒了"):
            assert answers(other) is None
        assert answers("", event="stopped") is None
        with structlog.testing.capture_logs() as logged:
            assert answers("crash") == ("Sorry, something went wrong on our side. Please try again in a moment.",)
        assert logged[0]["exc_info"]
        assert await count(world.database, Heard) == 0

    async def test_nobody_in_a_dialog_or_in_line(self, world: World, rider: RiderInTest, answers: Any) -> None:
        await rider.says("menu")
        waiting = asyncio.ensure_future(rider.says("menu"))
        await asyncio.sleep(0)
        assert answers("clock") is None
        await waiting
        await rider.says("tea")
        assert answers("clock") is None
