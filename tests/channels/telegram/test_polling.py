import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.channels import Answer, Unheard
from bot.channels.telegram import polling
from bot.messages import Incoming, Outgoing
from tests.channels.telegram.conftest import World, until
from tests.standins.telegram import TelegramStandIn
from tests.standins.telegram_updates import Person


async def test_hears_answers_and_confirms(world: World, telegram: TelegramStandIn, wang: Person, li: Person) -> None:
    telegram.webhook = {"url": "https://example.com/old"}
    channel = await world.poll()
    telegram.queue(wang.says("一"), li.says("甲"), wang.says("二"))
    await until(lambda: telegram.unconfirmed == [])
    assert [call.text for call in telegram.messages_to(511)] == ["一", "二"]
    assert [call.text for call in telegram.messages_to(622)] == ["甲"]
    assert telegram.webhook == {}
    assert ("622", "") not in telegram.commands
    assert telegram.commands["default", "en"]
    assert channel.health() == (True, "polling")
    assert sorted(world.paced) == ["511", "511", "622"]
    assert not telegram.refused


async def test_presses_are_acknowledged(world: World, telegram: TelegramStandIn, wang: Person) -> None:
    await world.poll()
    press = wang.presses("near.charging")
    telegram.queue(press)
    await until(lambda: telegram.acknowledged == [press["callback_query"]["id"]])
    await until(lambda: [call.text for call in telegram.messages_to(511)] == ["near.charging"])


async def test_only_wanted_updates_are_asked_for(world: World, telegram: TelegramStandIn, wang: Person) -> None:
    await world.poll()
    telegram.queue(wang.moves(35.0, 111.0), wang.says("在"))
    await until(lambda: bool(world.mind.heard))
    assert telegram.made("getUpdates")[0].params["allowed_updates"] == ["message", "callback_query", "my_chat_member"]
    assert world.mind.texts(511) == ["在"]


class TestConfirmation:
    async def test_comes_after_hearing_and_answering(
        self, world: World, telegram: TelegramStandIn, wang: Person
    ) -> None:
        gate = asyncio.Event()

        async def slow(heard: Incoming) -> Answer:
            await gate.wait()
            return Answer((Outgoing("好"),))

        world.mind.answer = slow
        await world.poll()
        update = wang.says("x")
        telegram.queue(update)
        telegram.fail("slow", method="sendMessage")
        await until(lambda: bool(world.mind.heard))
        assert telegram.unconfirmed == [update["update_id"]]
        gate.set()
        await until(lambda: bool(telegram.made("sendMessage")))
        assert telegram.unconfirmed == [update["update_id"]]
        telegram.released.set()
        await until(lambda: telegram.unconfirmed == [])

    async def test_a_kill_in_between_loses_nothing(
        self, world: World, telegram: TelegramStandIn, wang: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(polling, "SECONDS_TO_FINISH", 0.01)
        never = asyncio.Event()

        async def hangs(heard: Incoming) -> Answer:
            await never.wait()
            raise AssertionError

        world.mind.answer = hangs
        await world.poll()
        update = wang.says("还在吗")
        telegram.queue(update)
        await until(lambda: bool(world.mind.heard))
        await world.stop()
        assert telegram.unconfirmed == [update["update_id"]]
        world.mind.answer = world.mind.echo
        await world.poll()
        await until(lambda: telegram.unconfirmed == [])
        assert [heard.key for heard in world.mind.heard] == [str(update["update_id"])] * 2
        assert [call.text for call in telegram.messages_to(511)] == ["还在吗"]

    async def test_stopping_finishes_and_confirms_what_is_in_hand(
        self, world: World, telegram: TelegramStandIn, wang: Person
    ) -> None:
        gate = asyncio.Event()

        async def slow(heard: Incoming) -> Answer:
            await gate.wait()
            return Answer((Outgoing("好"),))

        world.mind.answer = slow
        await world.poll()
        telegram.queue(wang.says("x"))
        await until(lambda: bool(world.mind.heard))
        stopping = asyncio.create_task(world.stop())
        await asyncio.sleep(0.01)
        gate.set()
        await stopping
        assert [call.text for call in telegram.messages_to(511)] == ["好"]
        assert telegram.unconfirmed == []


class TestOutage:
    @pytest.mark.parametrize("failure", ["error", "bad gateway", "drop", "garbage", "conflict", "unauthorized"])
    async def test_is_shown_and_ends(self, world: World, telegram: TelegramStandIn, wang: Person, failure: Any) -> None:
        telegram.fail(failure, times=7, method="getUpdates")
        channel = await world.poll()
        await until(lambda: len(world.slept) == 7)
        assert world.slept == [1, 2, 4, 8, 16, 30, 30]
        telegram.queue(wang.says("回来了"))
        await until(lambda: channel.health()[0])
        assert [ok for ok, _detail in world.beats[:8]] == [False] * 7 + [True]
        assert all(telegram.token not in detail for _ok, detail in world.beats)
        await until(lambda: telegram.unconfirmed == [])

    async def test_nobody_answers(self, world: World, telegram: TelegramStandIn) -> None:
        channel = world.channel(api_url="http://127.0.0.1:1")
        await channel.start()
        world.listen(channel)
        await until(lambda: len(world.slept) >= 3)
        assert world.slept[:3] == [1, 2, 4]
        ok, detail = channel.health()
        assert not ok
        assert "ClientConnectorError" in detail
        assert telegram.token not in detail

    async def test_a_throttle_is_obeyed(self, world: World, telegram: TelegramStandIn) -> None:
        telegram.fail("throttled", method="getUpdates", retry_after=90)
        await world.poll()
        await until(lambda: bool(world.slept))
        assert world.slept == [90]

    async def test_a_webhook_set_by_others_is_removed(self, world: World, telegram: TelegramStandIn) -> None:
        channel = await world.poll()
        await until(lambda: channel.health()[0])
        telegram.webhook = {"url": "https://example.com/"}
        telegram.queue(Person(1).sends_sticker())
        await until(lambda: telegram.webhook == {} and telegram.unconfirmed == [])

    async def test_a_deaf_listener_of_beats_harms_nothing(
        self, world: World, telegram: TelegramStandIn, wang: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def broken(ok: bool, detail: str) -> None:
            raise OSError("no database")

        monkeypatch.setattr(world, "beat", broken)
        with capture_logs() as logs:
            await world.poll()
            telegram.queue(wang.says("x"))
            await until(lambda: telegram.unconfirmed == [])
        assert "beat failed" in {entry["event"] for entry in logs}


class TestPoison:
    async def test_does_not_block_others_and_is_given_up(
        self, world: World, telegram: TelegramStandIn, wang: Person, li: Person
    ) -> None:
        async def chokes(heard: Incoming) -> Answer:
            if heard.text == "毒":
                raise ValueError(heard.text)
            return Answer((Outgoing(heard.text),))

        world.mind.answer = chokes
        with capture_logs() as logs:
            await world.poll()
            telegram.queue(wang.says("毒"), li.says("甲"), wang.says("后来"))
            await until(lambda: len(telegram.messages_to(622)) == 1)
            telegram.queue(li.says("乙"))
            await until(lambda: telegram.unconfirmed == [])
        assert [call.text for call in telegram.messages_to(622)] == ["甲", "乙"]
        assert world.mind.texts(511) == ["毒"] * polling.TRIES + ["后来"]
        assert world.mind.texts(622) == ["甲", "乙"]
        assert world.slept == [1, 2, 4, 8, 16, 30, 30]
        assert [entry["event"] for entry in logs][-1] == "update given up"
        assert "毒" not in repr([entry.get("trace") for entry in logs if "ValueError" not in repr(entry)])

    async def test_nothing_is_given_up_while_nobody_can_be_heard(
        self, world: World, telegram: TelegramStandIn, wang: Person
    ) -> None:
        outage = iter([True] * (polling.TRIES + 2))

        async def deaf(heard: Incoming) -> Answer:
            if next(outage, False):
                raise Unheard
            return Answer((Outgoing(heard.text),))

        world.mind.answer = deaf
        with capture_logs() as logs:
            await world.poll()
            telegram.queue(wang.says("还在吗"))
            await until(lambda: telegram.unconfirmed == [])
        assert [call.text for call in telegram.messages_to(511)] == ["还在吗"]
        assert world.slept == [1] * (polling.TRIES + 2)
        assert logs == []

    async def test_a_passing_failure_loses_nothing_and_keeps_order(
        self, world: World, telegram: TelegramStandIn, wang: Person
    ) -> None:
        failures = iter([True, True, False, False, False])

        async def stumbles(heard: Incoming) -> Answer:
            if next(failures):
                raise OSError
            return Answer((Outgoing(heard.text),))

        world.mind.answer = stumbles
        with capture_logs():
            await world.poll()
            telegram.queue(*(wang.says(text) for text in "一二三"))
            await until(lambda: telegram.unconfirmed == [])
        assert [call.text for call in telegram.messages_to(511)] == ["一", "二", "三"]

    async def test_a_turn_that_hangs(
        self, world: World, telegram: TelegramStandIn, wang: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(polling, "SECONDS_FOR_A_TURN", 0.01)

        async def hangs(heard: Incoming) -> Answer:
            await asyncio.Event().wait()
            raise AssertionError

        world.mind.answer = hangs
        with capture_logs():
            await world.poll()
            telegram.queue(wang.says("x"))
            await until(lambda: telegram.unconfirmed == [])
        assert len(world.mind.heard) == polling.TRIES

    async def test_a_throttled_answer_waits_and_is_no_failure(
        self, world: World, telegram: TelegramStandIn, wang: Person
    ) -> None:
        telegram.fail("throttled", times=polling.TRIES + 2, method="sendMessage", retry_after=9)
        await world.poll()
        telegram.queue(wang.says("x"))
        await until(lambda: telegram.unconfirmed == [])
        assert world.slept == [9] * (polling.TRIES + 2)
        assert [call.text for call in telegram.messages_to(511)] == ["x"]

    async def test_of_an_answer_in_two_messages_only_the_throttled_one_is_sent_again(
        self, world: World, telegram: TelegramStandIn, wang: Person
    ) -> None:
        async def in_two(_heard: Incoming) -> Answer:
            return Answer((Outgoing("one"), Outgoing("two")))

        world.mind.answer = in_two
        telegram.misbehave(lambda call: "throttled" if call.text == "two" and len(world.slept) < 2 else None)
        await world.poll()
        telegram.queue(wang.says("x"))
        await until(lambda: telegram.unconfirmed == [])
        assert [call.text for call in telegram.messages_to(511)] == ["one", "two"]
        assert len(world.mind.heard) == 1

    async def test_malformed_updates_are_passed_over(
        self, world: World, telegram: TelegramStandIn, wang: Person
    ) -> None:
        broken = wang.says("x")
        broken["message"]["chat"] = []
        with capture_logs() as logs:
            await world.poll()
            telegram.queue(broken, {"update_id": 20_000_000, "message": 5}, wang.says("y"))
            await until(lambda: telegram.unconfirmed == [])
        assert world.mind.texts(511) == ["y"]
        assert [entry["event"] for entry in logs] == ["malformed update"] * 2


async def test_one_person_in_order_others_beside(
    world: World, telegram: TelegramStandIn, wang: Person, li: Person
) -> None:
    gate = asyncio.Event()
    order: list[str] = []

    async def slow_for_wang(heard: Incoming) -> Answer:
        if heard.sender.user == "511":
            await gate.wait()
        order.append(heard.text)
        return Answer()

    world.mind.answer = slow_for_wang
    await world.poll()
    telegram.queue(wang.says("1"), wang.says("2"), li.says("甲"), wang.says("3"), li.says("乙"))
    await until(lambda: order == ["甲", "乙"])
    gate.set()
    await until(lambda: telegram.unconfirmed == [])
    assert order == ["甲", "乙", "1", "2", "3"]


async def test_many_people_side_by_side_but_not_without_bound(world: World, telegram: TelegramStandIn) -> None:
    busy = most = 0
    gate = asyncio.Event()

    async def counts(heard: Incoming) -> Answer:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await gate.wait()
        busy -= 1
        return Answer()

    world.mind.answer = counts
    telegram.queue(*(Person(1000 + i).says("x") for i in range(90)))
    await world.poll()
    await until(lambda: busy == polling.SIDE_BY_SIDE)
    gate.set()
    await until(lambda: telegram.unconfirmed == [])
    assert most == polling.SIDE_BY_SIDE
    assert len(world.mind.heard) == 90


async def test_the_next_answer_does_not_overtake(world: World, telegram: TelegramStandIn, wang: Person) -> None:
    sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def writes(heard: Incoming) -> Answer:
        return Answer(sent=sent) if heard.text == "一" else Answer((Outgoing("二"),))

    world.mind.answer = writes
    await world.poll()
    telegram.queue(wang.says("一"), wang.says("二"))
    await until(lambda: bool(world.mind.heard))
    await asyncio.sleep(0.02)
    assert world.mind.texts(511) == ["一"]
    sent.set_result(None)
    await until(lambda: telegram.unconfirmed == [])
    assert world.mind.texts(511) == ["一", "二"]
