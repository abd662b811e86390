import asyncio
import json
from contextlib import suppress
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bot.callbacks import Post, Reply
from bot.channels import Answer, Unheard
from bot.channels.telegram.webhook import LONGEST_QUEUE, Webhook
from bot.messages import Button, Incoming, Outgoing, Place
from tests.channels.telegram.conftest import COMMANDS, SECRET, World, until
from tests.channels.telegram.test_encode import PNG
from tests.standins.telegram import Pushed, TelegramStandIn
from tests.standins.telegram_updates import Person

STATION = Place("yc-1", "爱心驿站", 35.026412, 111.00746, "红旗东街")


async def test_registers_itself_and_its_commands(world: World, telegram: TelegramStandIn) -> None:
    channel = await world.serve()
    assert telegram.webhook == {
        "url": f"{world.public_url}/telegram/webhook",
        "secret_token": SECRET,
        "allowed_updates": ["message", "callback_query", "my_chat_member"],
        "max_connections": 100,
    }
    simplified = [{"command": command, "description": words} for command, words in COMMANDS["zh_CN"]]
    assert telegram.commands["default", ""] == telegram.commands["default", "zh"] == simplified
    assert telegram.commands["default", "en"][0]["description"] == "Menu"
    assert channel.health() == (True, "webhook")
    assert not telegram.refused


async def test_keeps_trying_to_register(world: World, telegram: TelegramStandIn) -> None:
    telegram.fail("error", times=3, method="setWebhook")
    telegram.fail("throttled", method="setWebhook", retry_after=77)
    await world.serve()
    assert world.slept[:4] == [1, 2, 4, 77]
    assert [ok for ok, _detail in world.beats[:5]] == [False, False, False, False, True]


async def test_the_answer_rides_in_the_response(world: World, telegram: TelegramStandIn, wang: Person) -> None:
    await world.serve()
    before = len(telegram.calls)
    pushed = await telegram.push(wang.says("附近 <b>"))
    assert pushed.status == 200
    (call,) = telegram.messages_to(511)
    assert call.direct
    assert call.text == "附近 <b>"
    assert len(telegram.calls) == before + 1
    assert world.paced == []
    assert not telegram.refused


async def test_all_but_the_last_are_sent_before(world: World, telegram: TelegramStandIn, wang: Person) -> None:
    async def card(heard: Incoming) -> Answer:
        rows = ((Button("取消", press="c"), Button("📍", asks_location=True)),)
        return Answer((Outgoing("先"), Outgoing("驿站", rows, (STATION,), card=True)))

    world.mind.answer = card
    await world.serve()
    await telegram.push(wang.shares(35.0, 111.0))
    assert [(call.method, call.direct) for call in telegram.messages_to(511)] == [
        ("sendMessage", False),
        ("sendVenue", False),
        ("sendMessage", False),
        ("sendMessage", True),
    ]
    assert world.paced == ["511"] * 3
    assert not telegram.refused


async def test_a_photo_cannot_ride(world: World, telegram: TelegramStandIn, wang: Person) -> None:
    async def code(heard: Incoming) -> Answer:
        return Answer((Outgoing("预约码", photo=PNG),))

    world.mind.answer = code
    await world.serve()
    assert (await telegram.push(wang.says("码"))).call is None
    (call,) = telegram.messages_to(511)
    assert call.files["photo"].startswith(b"\x89PNG")
    assert call.text == "预约码"
    assert not telegram.refused


class TestAtOnce:
    """What is known without waiting goes back at once, the same way."""

    async def test_one_message_rides(self, world: World, telegram: TelegramStandIn, wang: Person) -> None:
        world.mind.at_once = lambda _heard: Answer((Outgoing("马上"),))
        await world.serve()
        call = (await telegram.push(wang.says("附近"))).call
        assert call
        assert call.text == "马上"
        assert world.mind.heard == []

    async def test_of_several_the_last_rides(self, world: World, telegram: TelegramStandIn, wang: Person) -> None:
        world.mind.at_once = lambda _heard: Answer((Outgoing("一"), Outgoing("二")))
        await world.serve()
        await telegram.push(wang.says("附近"))
        assert [(call.text, call.direct) for call in telegram.messages_to(511)] == [("一", False), ("二", True)]
        assert world.mind.heard == []

    async def test_nobody_overtakes_themselves(self, world: World, telegram: TelegramStandIn, wang: Person) -> None:
        may_answer = asyncio.Event()

        async def slow(heard: Incoming) -> Answer:
            await may_answer.wait()
            return Answer((Outgoing(heard.text),))

        said: list[Answer | None] = [None, Answer((Outgoing("马上"),)), Answer((Outgoing("马上"),))]
        webhook = (await world.started()).callback(slow, lambda _heard: said.pop(0))

        def posted(text: str) -> Post:
            return Post(b"", {b"x-telegram-bot-api-secret-token": SECRET.encode()}, orjson.dumps(wang.says(text)), bool)

        slowly = webhook.answer(posted("一"))
        assert not isinstance(slowly, Reply)
        first = asyncio.ensure_future(slowly)
        await asyncio.sleep(0)
        second = webhook.answer(posted("二"))
        assert not isinstance(second, Reply)
        may_answer.set()
        answers = [await first, await second]
        assert [orjson.loads(reply.body)["text"] for reply in answers] == ["一", "二"]
        assert isinstance(webhook.answer(posted("三")), Reply)

    async def test_a_bug_makes_telegram_deliver_again(
        self, world: World, telegram: TelegramStandIn, wang: Person
    ) -> None:
        def fall(heard: Incoming) -> Answer:
            raise ZeroDivisionError

        world.mind.at_once = fall
        await world.serve()
        with capture_logs() as logged:
            assert (await telegram.push(wang.says("附近"))).status == 500
        assert [line["event"] for line in logged] == ["update failed"]


async def test_nothing_to_say(world: World, telegram: TelegramStandIn, wang: Person) -> None:
    async def silent(heard: Incoming) -> Answer:
        return Answer()

    world.mind.answer = silent
    await world.serve()
    assert await telegram.push(wang.sends_sticker()) == await telegram.push(wang.blocks())
    assert [heard.event for heard in world.mind.heard] == ["sticker", "stopped"]


async def test_a_live_location_is_answered_once(world: World, telegram: TelegramStandIn, wang: Person) -> None:
    await world.serve()
    await telegram.push(wang.shares(35.0, 111.0, live_period=900))
    for step in range(5):
        assert (await telegram.push(wang.moves(35.0 + step / 1000, 111.0))).status == 200
    assert len(world.mind.heard) == 1
    assert len(telegram.messages_to(511)) == 1


class TestPresses:
    async def test_are_acknowledged_beside_the_answer(
        self, world: World, telegram: TelegramStandIn, wang: Person
    ) -> None:
        await world.serve()
        telegram.fail("slow", method="answerCallbackQuery")
        press = wang.presses("near.charging")
        pushed = await telegram.push(press)
        assert pushed.call
        assert pushed.call.text == "near.charging"
        assert telegram.acknowledged == []
        telegram.released.set()
        await until(lambda: telegram.acknowledged == [press["callback_query"]["id"]])
        assert world.paced == []
        assert len(world.paced_calls) == len(telegram.made("setMyCommands")) + 1

    async def test_also_when_hearing_fails(self, world: World, telegram: TelegramStandIn, wang: Person) -> None:
        world.mind.answer = _broken
        await world.serve()
        with capture_logs():
            assert (await telegram.push(wang.presses("x"))).status == 500
        await until(lambda: len(telegram.acknowledged) == 1)

    async def test_closing_lets_them_end(self, world: World, telegram: TelegramStandIn, wang: Person) -> None:
        channel = await world.serve()
        telegram.fail("slow", method="answerCallbackQuery")
        await telegram.push(wang.presses("x"))
        await until(lambda: bool(telegram.made("answerCallbackQuery")))
        closing = asyncio.create_task(channel.close())
        await asyncio.sleep(0)
        telegram.released.set()
        await closing
        assert len(telegram.acknowledged) == 1

    async def test_a_failed_one_harms_nothing(self, world: World, telegram: TelegramStandIn, wang: Person) -> None:
        channel = await world.serve()
        telegram.fail("drop", method="answerCallbackQuery")
        telegram.fail("bad request", method="answerCallbackQuery")
        for _ in range(2):
            assert (await telegram.push(wang.presses("x"))).status == 200
        await channel.close()


async def _broken(heard: Incoming) -> Answer:
    raise RuntimeError(f"private words: {heard.text}")


async def test_a_failure_makes_telegram_deliver_again(world: World, telegram: TelegramStandIn, wang: Person) -> None:
    world.mind.answer = _broken
    await world.serve()
    update = wang.says("我的电话 13800000000")
    with capture_logs() as logs:
        assert (await telegram.push(update)).status == 500
    assert [entry["log_level"] for entry in logs] == ["error"]
    assert logs[0]["update"] == str(update["update_id"])
    assert "_broken" in logs[0]["trace"]
    assert "13800000000" not in repr(logs)
    world.mind.answer = world.mind.echo
    assert (await telegram.push(update)).status == 200
    assert len({heard.key for heard in world.mind.heard}) == 1


async def test_who_cannot_be_heard_is_asked_to_come_again_without_a_word_in_the_log(
    world: World, telegram: TelegramStandIn, wang: Person
) -> None:
    async def deaf(heard: Incoming) -> Answer:
        raise Unheard

    world.mind.answer = deaf
    await world.serve()
    with capture_logs() as logs:
        assert (await telegram.push(wang.says("在吗"))).status == 503
    assert logs == []


async def test_nothing_is_confirmed_before_it_was_heard(world: World, telegram: TelegramStandIn, wang: Person) -> None:
    heard_all = asyncio.Event()

    async def slow(heard: Incoming) -> Answer:
        await heard_all.wait()
        return Answer((Outgoing("好"),))

    world.mind.answer = slow
    await world.serve()
    push = asyncio.create_task(telegram.push(wang.says("x")))
    await until(lambda: bool(world.mind.heard))
    assert not push.done()
    heard_all.set()
    assert (await push).status == 200


@pytest.mark.parametrize(
    ("failure", "status"),
    [("throttled", 503), ("error", 503), ("garbage", 503), ("blocked", 200), ("bad request", 200)],
)
async def test_a_direct_answer_that_does_not_go_out(
    world: World, telegram: TelegramStandIn, wang: Person, failure: Any, status: int
) -> None:
    async def two(heard: Incoming) -> Answer:
        return Answer((Outgoing("一"), Outgoing("二")))

    world.mind.answer = two
    await world.serve()
    telegram.fail(failure, method="sendMessage")
    with capture_logs() as logs:
        assert (await telegram.push(wang.says("x"))).status == status
    assert [entry["log_level"] for entry in logs] == ["warning"]


async def test_what_can_never_be_said_is_left_out(world: World, telegram: TelegramStandIn, wang: Person) -> None:
    async def wrong(heard: Incoming) -> Answer:
        return Answer((Outgoing("一", ((Button("选", press="位" * 22),),)), Outgoing("二")))

    world.mind.answer = wrong
    await world.serve()
    with capture_logs() as logs:
        pushed = await telegram.push(wang.says("x"))
    assert pushed.call
    assert pushed.call.text == "二"
    assert [entry["log_level"] for entry in logs] == ["error"]


class TestOrder:
    async def test_one_person_in_order_others_beside(
        self, world: World, telegram: TelegramStandIn, wang: Person, li: Person
    ) -> None:
        gate = asyncio.Event()

        async def slow_for_wang(heard: Incoming) -> Answer:
            if heard.sender.user == "511":
                await gate.wait()
            return Answer((Outgoing(heard.text),))

        world.mind.answer = slow_for_wang
        await world.serve()
        pushes: list[asyncio.Task[Pushed]] = []
        for i in range(5):
            pushes.append(asyncio.create_task(telegram.push(wang.says(str(i)))))
            await until(lambda: world.pushed == len(pushes))
        assert (await telegram.push(li.says("我呢"))).status == 200
        assert world.mind.texts(511) == ["0"]
        gate.set()
        await asyncio.gather(*pushes)
        assert world.mind.texts(511) == ["0", "1", "2", "3", "4"]
        assert [call.text for call in telegram.messages_to(511)] == ["0", "1", "2", "3", "4"]

    async def test_the_next_waits_for_what_was_said_otherwise(
        self, world: World, telegram: TelegramStandIn, wang: Person
    ) -> None:
        sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def writes(heard: Incoming) -> Answer:
            return Answer(sent=sent) if heard.text == "一" else Answer((Outgoing("二"),))

        world.mind.answer = writes
        await world.serve()
        assert (await telegram.push(wang.says("一"))).status == 200  # confirmed at once
        second = asyncio.create_task(telegram.push(wang.says("二")))
        await asyncio.sleep(0.02)
        assert world.mind.texts(511) == ["一"]
        sent.set_result(None)
        await second
        assert world.mind.texts(511) == ["一", "二"]

    async def test_a_queue_that_grows_too_long_is_sent_back(
        self, world: World, telegram: TelegramStandIn, wang: Person
    ) -> None:
        gate = asyncio.Event()

        async def slow(heard: Incoming) -> Answer:
            await gate.wait()
            return Answer()

        world.mind.answer = slow
        await world.serve()
        pushes = [asyncio.create_task(telegram.push(wang.says("x"))) for _ in range(LONGEST_QUEUE + 3)]
        await until(lambda: sum(push.done() for push in pushes) == 2)
        gate.set()
        statuses = [pushed.status for pushed in await asyncio.gather(*pushes)]
        assert statuses.count(503) == 2
        assert statuses.count(200) == LONGEST_QUEUE + 1


async def test_a_repeated_update_has_the_same_key(world: World, telegram: TelegramStandIn, wang: Person) -> None:
    await world.serve()
    update = wang.says("预约")
    first, second = await asyncio.gather(telegram.push(update), telegram.push(update))
    assert first.status == second.status == 200
    assert [heard.key for heard in world.mind.heard] == [str(update["update_id"])] * 2


class TestStrangers:
    @pytest.mark.parametrize("secret", ["", "wrong", SECRET + "x", SECRET[:-1], "密码", "\udcff"])
    async def test_a_wrong_secret(self, world: World, telegram: TelegramStandIn, wang: Person, secret: str) -> None:
        await world.serve()
        assert (await telegram.push(wang.says("x"), secret=secret)).status == 403
        assert world.mind.heard == []

    async def test_no_secret_at_all(self, world: World) -> None:
        await world.serve()
        async with ClientSession() as client:
            response = await client.post(f"{world.public_url}/telegram/webhook", json={"update_id": 1})
            assert response.status == 403

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b'{"update_id": 1e9}', b"[" * 5000])
    async def test_a_malformed_body(self, world: World, telegram: TelegramStandIn, body: bytes) -> None:
        await world.serve()
        assert (await telegram.post(body)).status == 400

    @pytest.mark.parametrize("lat", [95, -91, "35", None])
    async def test_a_location_that_is_none(
        self, world: World, telegram: TelegramStandIn, wang: Person, lat: Any
    ) -> None:
        await world.serve()
        update = wang.shares(35.0, 111.0)
        update["message"]["location"]["latitude"] = lat
        assert (await telegram.push(update)).status == 400

    async def test_an_unknown_kind(self, world: World, telegram: TelegramStandIn) -> None:
        await world.serve()
        assert (await telegram.post(b'{"update_id": 1, "tea_party": {"tea": true}}')).status == 200

    async def test_a_body_that_is_too_large(self, world: World, telegram: TelegramStandIn) -> None:
        await world.serve()
        with suppress(OSError):
            assert (await telegram.post(b" " * (Webhook.largest + 1))).status == 400

        async def endless() -> Any:
            for _ in range(40):
                yield b" " * 65536

        headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
        async with ClientSession() as client:
            with suppress(OSError):
                url = f"{world.public_url}/telegram/webhook"
                async with client.post(url, data=endless(), headers=headers) as response:
                    assert response.status == 400

    async def test_a_body_in_chunks(self, world: World, wang: Person) -> None:
        await world.serve()

        async def chunks() -> Any:
            for sign in json.dumps(wang.says("碎")).encode():
                yield bytes([sign])

        headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
        async with ClientSession() as client:
            response = await client.post(f"{world.public_url}/telegram/webhook", data=chunks(), headers=headers)
            assert response.status == 200
        assert world.mind.texts(511) == ["碎"]

    async def test_text_of_every_kind(self, world: World, telegram: TelegramStandIn, wang: Person) -> None:
        await world.serve()
        for text in ("😀" * 3000, "\u202eabc\u200f", "x" * 10_000, "<&>" * 1500, "a\nb\n" * 2000):
            assert (await telegram.push(wang.says(text))).status == 200
        assert not telegram.refused
        assert "".join(call.text for call in telegram.messages_to(511) if "x" in call.text) == "x" * 10_000


hostile = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from(["chat", "text", "location", "venue", "from", "photo", "data", "message", "caption", "id"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    updates=st.lists(
        st.fixed_dictionaries(
            {"update_id": st.integers(0, 2**40)},
            optional={
                "message": hostile | st.dictionaries(fields, hostile),
                "callback_query": hostile | st.dictionaries(fields, hostile),
                "my_chat_member": hostile,
            },
        ),
        max_size=5,
    )
)
def test_hostile_updates_are_refused_or_ignored(updates: list[dict[str, Any]]) -> None:
    async def deliver() -> None:
        async with TelegramStandIn() as telegram:
            world = World(telegram)
            await world.serve()
            try:
                for update in updates:
                    assert (await telegram.push(update)).status in (200, 400)
            finally:
                await world.stop()

    asyncio.run(deliver())
