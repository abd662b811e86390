from typing import Any

import pytest
from aiohttp import ClientSession

from tests.standins.telegram import TelegramStandIn
from tests.standins.telegram_rules import Refused, check, check_update, plain
from tests.standins.telegram_updates import Person

WANG = Person(511)


async def call(telegram: TelegramStandIn, method: str, /, **params: Any) -> dict[str, Any]:
    async with ClientSession() as client:
        response = await client.post(f"{telegram.url}/bot{telegram.token}/{method}", json=params)
        answer: dict[str, Any] = await response.json()
        assert answer["ok"] is (response.status == 200)
        return answer


def inline(**button: Any) -> dict[str, Any]:
    return {"chat_id": 1, "text": "x", "reply_markup": {"inline_keyboard": [[button]]}}


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("sendMessage", {"chat_id": 1}),
        ("sendMessage", {"text": "x"}),
        ("sendMessage", {"chat_id": 1.5, "text": "x"}),
        ("sendMessage", {"chat_id": 1, "text": 5}),
        ("sendMessage", {"chat_id": 1, "text": " \n"}),
        ("sendMessage", {"chat_id": 1, "text": "<b></b>", "parse_mode": "HTML"}),
        ("sendMessage", {"chat_id": 1, "text": "x", "parse_mode": "html"}),
        ("sendMessage", {"chat_id": 1, "text": "x", "disable_web_page_preview": True}),
        ("sendMessage", {"chat_id": 1, "text": "x" * 4097}),
        ("sendMessage", {"chat_id": 1, "text": "😀" * 2049}),
        ("sendMessage", inline(text="x")),
        ("sendMessage", inline(text="x", callback_data="")),
        ("sendMessage", inline(text="x", callback_data="位" * 22)),
        ("sendMessage", inline(text="x", callback_data="x", url="https://x.cn")),
        ("sendMessage", inline(text="x", url="tel:110")),
        ("sendMessage", inline(text="", callback_data="x")),
        ("sendMessage", inline(text="x", callback="x")),
        ("sendMessage", {"chat_id": 1, "text": "x", "reply_markup": {"inline_keyboard": []}}),
        ("sendMessage", {"chat_id": 1, "text": "x", "reply_markup": "{}"}),
        ("sendPhoto", {"chat_id": 1}),
        ("sendPhoto", {"chat_id": 1, "photo": "id", "caption": "x" * 1025}),
        ("sendVenue", {"chat_id": 1, "latitude": 35, "longitude": 111, "title": "x", "address": ""}),
        ("sendVenue", {"chat_id": 1, "latitude": 95, "longitude": 111, "title": "x", "address": "x"}),
        ("sendVenue", {"chat_id": 1, "latitude": "35", "longitude": 111, "title": "x", "address": "x"}),
        ("setMyCommands", {"commands": [{"command": "Menu", "description": "x"}]}),
        ("setMyCommands", {"commands": [{"command": "menu", "description": ""}]}),
        ("setMyCommands", {"commands": [{"command": "menu", "description": "x" * 257}]}),
        ("setMyCommands", {"commands": [], "scope": {"type": "chat"}}),
        ("setMyCommands", {"commands": [], "language_code": "zh_CN"}),
        ("setWebhook", {"url": "http://example.com"}),
        ("setWebhook", {"url": "https://example.com", "secret_token": "a b"}),
        ("setWebhook", {"url": "https://example.com", "max_connections": 101}),
        ("answerCallbackQuery", {"callback_query_id": "1", "text": "x" * 201}),
        ("getUpdates", {"limit": 101}),
    ],
)
def test_wrong_requests_are_refused(method: str, params: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        check(method, params, {})


def test_wrong_files_are_refused() -> None:
    check("sendPhoto", {"chat_id": 1}, {"photo": b"\x89PNG\r\n\x1a\n"})
    with pytest.raises(Refused):
        check("sendPhoto", {"chat_id": 1}, {"photo": b"GIF89a"})


@pytest.mark.parametrize(
    "html", ["a < b", "a & b", "a &nbsp; b", "<b>x", "x</b>", "<b><i>x</b></i>", "<p>x</p>", "a > b", "<!-- -->", "<b"]
)
def test_wrong_html_is_refused(html: str) -> None:
    with pytest.raises(Refused):
        plain(html)


def test_html_as_people_see_it() -> None:
    assert plain('<b>a &lt; b</b> &amp; <a href="https://x.cn">c</a> &#20013;&quot;') == 'a < b & c 中"'


@pytest.mark.parametrize(
    "update",
    [
        WANG.says("/menu x"),
        WANG.shares(35.0, 111.0, live_period=60),
        WANG.moves(35.0, 111.0),
        WANG.shares_venue(35.0, 111.0, "南风广场"),
        WANG.presses("menu"),
        WANG.sends_photo("门没开"),
        WANG.sends_sticker(),
        WANG.sends_voice(),
        WANG.blocks(),
        WANG.unblocks(),
    ],
    ids=lambda update: "".join(update.keys() - {"update_id"}),
)
def test_people_make_updates_that_telegram_could_send(update: dict[str, Any]) -> None:
    check_update(update)


async def test_refused_requests_are_kept_and_not_shown() -> None:
    async with TelegramStandIn() as telegram:
        assert (await call(telegram, "sendMessage", chat_id=1, txt="x"))["error_code"] == 400
        assert (await call(telegram, "sendTea", chat_id=1))["error_code"] == 404
        assert [refused.method for refused in telegram.refused] == ["sendMessage", "sendTea"]
        assert telegram.messages_to(1) == []
        async with ClientSession() as client:
            response = await client.post(f"{telegram.url}/bot1:WRONG/sendMessage", json={})
            assert response.status == 401


async def test_updates_stay_until_a_higher_offset() -> None:
    async with TelegramStandIn() as telegram:
        first, second, third = (WANG.says(text) for text in "一二三")
        telegram.queue(first, second, third)
        assert (await call(telegram, "getUpdates", limit=2))["result"] == [first, second]
        assert (await call(telegram, "getUpdates"))["result"] == [first, second, third]
        assert (await call(telegram, "getUpdates", offset=second["update_id"]))["result"] == [second, third]
        assert telegram.unconfirmed == [second["update_id"], third["update_id"]]
        assert (await call(telegram, "getUpdates", offset=-1))["result"] == [third]
        assert (await call(telegram, "getUpdates", offset=third["update_id"] + 1))["result"] == []


async def test_webhook_and_polling_exclude_each_other() -> None:
    async with TelegramStandIn() as telegram:
        await call(telegram, "setWebhook", url="https://example.com/")
        assert (await call(telegram, "getUpdates"))["error_code"] == 409
        await call(telegram, "deleteWebhook")
        assert (await call(telegram, "getUpdates"))["result"] == []


async def test_an_unknown_press_cannot_be_acknowledged() -> None:
    async with TelegramStandIn() as telegram:
        press = WANG.presses("x")
        id = press["callback_query"]["id"]
        assert (await call(telegram, "answerCallbackQuery", callback_query_id=id))["error_code"] == 400
        telegram.queue(press)
        assert (await call(telegram, "answerCallbackQuery", callback_query_id=id))["result"] is True
        assert telegram.acknowledged == [id]


async def test_limits_by_the_given_clock() -> None:
    time = 10.0
    async with TelegramStandIn(clock=lambda: time) as telegram:
        telegram.limit(per_second=2, per_chat=1)
        assert (await call(telegram, "sendMessage", chat_id=1, text="x"))["ok"]
        refused = await call(telegram, "sendMessage", chat_id=1, text="x")
        assert (refused["error_code"], refused["parameters"]) == (429, {"retry_after": 1})
        assert (await call(telegram, "sendMessage", chat_id=2, text="x"))["ok"]
        assert (await call(telegram, "sendMessage", chat_id=3, text="x"))["error_code"] == 429
        time = 11.0
        assert (await call(telegram, "sendMessage", chat_id=1, text="x"))["ok"]
        assert len(telegram.messages_to(1)) == 2
