import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest

from bot.channels import Throttled, Undelivered, Unreachable
from bot.channels import telegram as telegram_channel
from bot.channels.telegram import TelegramChannel, api
from bot.messages import Address, Button, Outgoing, Place
from tests.channels.telegram.conftest import COMMANDS, NOW, World
from tests.channels.telegram.test_encode import PNG
from tests.standins.telegram import TelegramStandIn

WANG = Address("telegram", "511")
HELLO = Outgoing("您好 <师傅>", ((Button("菜单", press="menu"),),))
PLACE = Outgoing("驿站", places=(Place("x", "驿站", 35.0, 111.0),), card=True)


async def test_sends_and_names_the_message(world: World, telegram: TelegramStandIn) -> None:
    channel = await world.started()
    assert await channel.send(WANG, HELLO) == "1"
    (call,) = telegram.messages_to(511)
    assert call.text == "您好 <师傅>"
    assert call.buttons == [[{"text": "菜单", "callback_data": "menu"}]]
    assert world.paced == ["511"]
    assert not telegram.refused


async def test_every_part_is_paced_and_the_id_is_of_the_one_with_buttons(
    world: World, telegram: TelegramStandIn
) -> None:
    channel = await world.started()
    ask = Button("📍", asks_location=True)
    station = Place("x", "驿站", 35.0, 111.0)
    message = Outgoing("驿站", (*HELLO.buttons, (ask,)), (station,), card=True, photo=PNG)
    assert await channel.send(WANG, message) == "2"
    assert [call.method for call in telegram.sent] == ["sendVenue", "sendPhoto", "sendMessage"]
    assert telegram.sent[1].buttons
    assert telegram.sent[2].asks_location
    assert world.paced == ["511"] * 3


async def test_nothing_to_say_sends_nothing(world: World, telegram: TelegramStandIn) -> None:
    channel = await world.started()
    assert await channel.send(WANG, Outgoing("")) == ""
    assert telegram.calls == []


@pytest.mark.parametrize(
    ("failure", "kind", "seconds"),
    [
        ("blocked", Unreachable, None),
        ("deactivated", Unreachable, None),
        ("chat not found", Unreachable, None),
        ("bad request", Undelivered, None),
        ("throttled", Throttled, 10_072),
        ("throttled without a time", Throttled, 5),
        ("unauthorized", Undelivered, 300),
        ("error", Undelivered, 5),
        ("bad gateway", Undelivered, 5),
        ("drop", Undelivered, 5),
        ("sent but dropped", Undelivered, 5),
        ("garbage", Undelivered, 5),
    ],
)
async def test_failures(
    world: World, telegram: TelegramStandIn, failure: Any, kind: type[Undelivered], seconds: int | None
) -> None:
    channel = await world.started()
    telegram.fail(failure, retry_after=10_072)
    with pytest.raises(Undelivered) as caught:
        await channel.send(WANG, HELLO)
    assert type(caught.value) is kind
    assert caught.value.retry_in == (None if seconds is None else timedelta(seconds=seconds))
    assert telegram.token not in str(caught.value)
    assert "师傅" not in str(caught.value)
    assert await channel.send(WANG, HELLO)


async def test_a_timeout_leaves_the_outcome_unknown(
    world: World, telegram: TelegramStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = await world.started()
    telegram.fail("slow")
    monkeypatch.setattr(api, "TIMEOUT", 0.05)
    with pytest.raises(Undelivered) as caught:
        await asyncio.wait_for(channel.send(WANG, HELLO), 3)
    assert caught.value.retry_in
    assert telegram.token not in str(caught.value)


@pytest.mark.parametrize("nowhere", ["http://127.0.0.1:1", "http://"])
async def test_nobody_there(world: World, telegram: TelegramStandIn, nowhere: str) -> None:
    channel = world.channel(api_url=nowhere)
    await channel.start()
    with pytest.raises(Undelivered) as caught:
        await channel.send(WANG, HELLO)
    assert caught.value.retry_in
    assert telegram.token not in str(caught.value)


@pytest.mark.parametrize("to", [Address("telegram", "wang"), Address("telegram", "")])
async def test_an_address_that_is_none(world: World, to: Address) -> None:
    channel = await world.started()
    with pytest.raises(Undelivered) as caught:
        await channel.send(to, HELLO)
    assert caught.value.retry_in is None


async def test_a_token_that_is_too_long_is_final(world: World) -> None:
    channel = await world.started()
    with pytest.raises(Undelivered) as caught:
        await channel.send(WANG, Outgoing("?", ((Button("选", press="位" * 22),),)))
    assert caught.value.retry_in is None


async def test_the_real_limits_become_throttles(world: World) -> None:
    time = 100.0
    async with TelegramStandIn(clock=lambda: time) as telegram:
        telegram.limit(per_second=3, per_chat=1)
        channel = world.channel(api_url=telegram.url)
        await channel.start()
        await channel.send(WANG, HELLO)
        with pytest.raises(Throttled) as caught:
            await channel.send(WANG, HELLO)
        assert caught.value.retry_in == timedelta(seconds=1)
        await channel.send(Address("telegram", "2"), HELLO)
        await channel.send(Address("telegram", "3"), HELLO)
        with pytest.raises(Throttled):
            await channel.send(Address("telegram", "4"), HELLO)
        time += 1
        await channel.send(WANG, HELLO)
        await channel.close()


async def test_a_part_that_comes_too_soon_waits_so_that_the_part_before_it_is_not_repeated(
    world: World, telegram: TelegramStandIn
) -> None:
    channel = await world.started()
    telegram.fail("throttled", times=2, method="sendMessage", retry_after=1)
    await channel.send(WANG, PLACE)
    assert [call.method for call in telegram.messages_to(511)] == ["sendVenue", "sendMessage"]
    assert world.slept == [1, 1]


async def test_a_part_does_not_wait_for_long(world: World, telegram: TelegramStandIn) -> None:
    channel = await world.started()
    telegram.fail("throttled", method="sendMessage", retry_after=6)
    with pytest.raises(Throttled):
        await channel.send(WANG, PLACE)
    assert world.slept == []


class TestReplacing:
    async def test_changes_what_was_sent(self, world: World, telegram: TelegramStandIn) -> None:
        channel = await world.started()
        number = await channel.send(WANG, HELLO)
        assert await channel.send(WANG, Outgoing("已取消", replaces=number)) == number
        (call,) = telegram.messages_to(511)
        assert (call.text, call.buttons) == ("已取消", [])
        assert await channel.send(WANG, Outgoing("已取消", replaces=number)) == number
        assert len(telegram.messages_to(511)) == 1
        assert not telegram.refused

    async def test_below_a_picture_changes_the_words(self, world: World, telegram: TelegramStandIn) -> None:
        channel = await world.started()
        number = await channel.send(WANG, Outgoing("有雪", photo=PNG))
        assert await channel.send(WANG, Outgoing("没有雪", replaces=number)) == number
        (call,) = telegram.messages_to(511)
        assert (call.method, call.text) == ("sendPhoto", "没有雪")

    @pytest.mark.parametrize("number", ["99", "7"])
    async def test_what_is_gone_is_said_anew(self, world: World, telegram: TelegramStandIn, number: str) -> None:
        channel = await world.started()
        assert await channel.send(WANG, Outgoing("已取消", replaces=number)) == "1"
        assert [call.text for call in telegram.messages_to(511)] == ["已取消"]

    async def test_of_somebody_who_left_is_not_said_anew(self, world: World, telegram: TelegramStandIn) -> None:
        channel = await world.started()
        number = await channel.send(WANG, HELLO)
        telegram.fail("blocked")
        with pytest.raises(Unreachable):
            await channel.send(WANG, Outgoing("已取消", replaces=number))
        assert len(telegram.messages_to(511)) == 1


class TestToMany:
    async def test_what_is_said_to_many_is_right_for_each(self, world: World, telegram: TelegramStandIn) -> None:
        channel = await world.started()
        for chat in range(1, 6):
            await channel.send(Address("telegram", str(chat)), HELLO)
        calls = [telegram.messages_to(chat)[0] for chat in range(1, 6)]
        assert len({(call.text, str(call.buttons)) for call in calls}) == 1
        assert not telegram.refused

    async def test_a_picture_is_uploaded_once(self, world: World, telegram: TelegramStandIn) -> None:
        channel = await world.started()
        notice = Outgoing("有雪", photo=PNG)
        sending = [channel.send(Address("telegram", str(chat)), notice) for chat in range(1, 8)]
        await asyncio.gather(*sending)
        assert sum(bool(call.files) for call in telegram.sent) == 1
        telegram.forget_files()
        await channel.send(WANG, notice)
        assert telegram.messages_to(511)[0].files
        assert len(telegram.sent) == 8


async def test_commands_of_one_chat(world: World, telegram: TelegramStandIn) -> None:
    channel = await world.started()
    await channel.set_commands(WANG, "zh_TW")
    assert telegram.commands["511", ""][0] == {"command": "menu", "description": "選單"}
    await channel.set_commands(WANG, "zh_CN")
    assert telegram.commands["511", ""][0]["description"] == "菜单"
    telegram.fail("throttled")
    with pytest.raises(Throttled):
        await channel.set_commands(WANG, "en")
    assert not telegram.refused


async def test_nothing_personal_is_logged(
    world: World, telegram: TelegramStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        channel = await world.started()
        await channel.send(WANG, Outgoing("电话 13800000000"))
        telegram.fail("garbage")
        with pytest.raises(Undelivered):
            await channel.send(WANG, HELLO)
    for secret in ("13800000000", telegram.token, "师傅"):
        assert secret not in caplog.text


@pytest.mark.parametrize(
    ("secret", "mode", "url"), [("", "auto", ""), ("秘密", "auto", ""), ("x" * 257, "auto", ""), ("x", "webhook", "")]
)
def test_settings_that_cannot_work(secret: str, mode: Any, url: str) -> None:
    async def nothing(*_: object) -> Any: ...

    with pytest.raises(ValueError, match="webhook"):
        TelegramChannel(
            "42:X",
            api_url="https://api.telegram.org",
            secret=secret,
            mode=mode,
            public_url=url,
            commands=COMMANDS,
            pace=nothing,
            beat=nothing,
            sleep=nothing,
            now=lambda: NOW,
        )


@pytest.mark.parametrize(
    ("mode", "url", "by_webhook"),
    [("auto", "", False), ("auto", "https://x.cn", True), ("polling", "https://x.cn", False)],
)
def test_modes(mode: Any, url: str, by_webhook: bool) -> None:
    async def nothing(*_: object) -> Any: ...

    channel = TelegramChannel(
        "42:X",
        api_url="https://api.telegram.org",
        secret="x",
        mode=mode,
        public_url=url,
        commands=COMMANDS,
        pace=nothing,
        beat=nothing,
        sleep=nothing,
        now=lambda: NOW,
    )
    assert channel.by_webhook is by_webhook


async def test_a_picture_is_fetched_by_its_name(world: World, telegram: TelegramStandIn) -> None:
    telegram.keep_photo("AgAC_1", b"a picture")
    channel = await world.started()
    assert await channel.fetch("AgAC_1") == b"a picture"
    assert [call.params for call in telegram.made("getFile")] == [{"file_id": "AgAC_1"}]
    assert world.paced_calls, "asking counts as a request"


async def test_a_picture_that_cannot_be_had_is_none(
    world: World, telegram: TelegramStandIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    telegram.keep_photo("AgAC_1", b"a picture")
    channel = await world.started()
    assert await channel.fetch("AgAC_2") is None
    telegram.fail("error", method="getFile")
    assert await channel.fetch("AgAC_1") is None
    telegram.fail("drop", method="getFile")
    assert await channel.fetch("AgAC_1") is None
    monkeypatch.setattr(telegram_channel, "LARGEST_PHOTO", 5)
    assert await channel.fetch("AgAC_1") is None
    assert await channel._api.download("photos/AgAC_1.jpg", 5) is None, "whatever size was promised"
    assert telegram.token not in caplog.text


@pytest.mark.parametrize("path", ["/var/a.jpg", "photos/../../x", "https://elsewhere/a", "a", "photos/a?b", None, 5])
async def test_a_path_that_leads_elsewhere_is_not_followed(
    world: World, monkeypatch: pytest.MonkeyPatch, path: object
) -> None:
    channel = await world.started()

    async def call(_method: str, _params: dict[str, Any]) -> Any:
        return {"file_path": path, "file_size": 1}

    async def download(_api: object, _path: str, _most: int) -> bytes:
        raise AssertionError("somebody followed it")

    monkeypatch.setattr(channel._carrier, "call", call)
    monkeypatch.setattr(api.Api, "download", download)
    assert await channel.fetch("AgAC_1") is None
