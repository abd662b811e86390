"""People on Telegram and the whole program: every request crosses real HTTP to a stand-in of the Bot API."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio

from bot.geo import convert
from tests.program import NOON, Running, free_port, serving, until
from tests.standins.telegram import Pushed, TelegramStandIn
from tests.standins.telegram_calls import Call
from tests.standins.telegram_updates import Person, Update

pytestmark = pytest.mark.asyncio(loop_scope="module")

YANHU = (35.016, 110.993)
SEOUL = (37.5665, 126.978)
FILTERS = ["充电", "热水", "厕所", "吃饭", "休息", "洗澡", "货车停车", "现在营业"]


class Bot:
    """The program and the Bot API that it talks to, in one of the two modes."""

    def __init__(self, telegram: TelegramStandIn, program: Running, mode: str) -> None:
        self.telegram = telegram
        self.program = program
        self.mode = mode
        self._chats = iter(range(1_000_001, 2_000_000))

    def rider(self, language: str = "zh-hans") -> "Rider":
        return Rider(self, Person(next(self._chats), language=language))

    async def brings(self, update: Update) -> Pushed | None:
        """Let `update` reach the program and wait until Telegram would never bring it again."""
        if self.mode == "webhook":
            pushed = await self.telegram.push(update)
            assert pushed.status == 200
            return pushed
        self.telegram.queue(update)
        if "edited_message" in update:
            return None  # the program has not asked for these, so they are never given to it
        await until(lambda: update["update_id"] not in self.telegram.unconfirmed)
        return None


class Rider:
    """Somebody in their private chat with the bot. `person` makes the updates."""

    def __init__(self, bot: Bot, person: Person) -> None:
        self.bot = bot
        self.person = person

    @property
    def sees(self) -> list[Call]:
        return self.bot.telegram.messages_to(self.person.chat)

    async def does(self, update: Update, messages: int = 1) -> Call:
        """Do something and wait for at least so many messages; returns the first that has a text."""
        before = len(self.sees)
        await self.bot.brings(update)
        await until(lambda: len(self.sees) >= before + messages)
        return next(call for call in self.sees[before:] if call.text)

    async def says(self, text: str, messages: int = 1) -> Call:
        return await self.does(self.person.says(text), messages)

    async def taps(self, label: str, messages: int = 1) -> Call:
        return await self.does(self.person.presses(button(self.sees, label)), messages)


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=["webhook", "polling"])
async def bot(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bot]:
    """One program for all stories of a mode; each story has riders of its own."""
    folder = tmp_path_factory.mktemp(request.param)
    async with TelegramStandIn() as telegram, serving(folder, **settings(telegram, request.param)) as program:
        bot = Bot(telegram, program, request.param)
        await until(lambda: len(telegram.commands) >= 3)
        yield bot
        assert await program.stops() == 0
        assert [(call.method, call.problem) for call in telegram.refused] == []
        assert program.errors() == []
        log = program.log.read_text()
        for private in ("35.016", "110.993", "热水", "Rider", telegram.token, *map(str, range(1_000_001, 1_000_009))):
            assert private not in log


def settings(telegram: TelegramStandIn, mode: str, **more: str) -> dict[str, str]:
    chosen = {"TELEGRAM_TOKEN": telegram.token, "TELEGRAM_API_URL": telegram.url, "CLOCK": NOON}
    if mode == "webhook":
        port = free_port()
        chosen |= {"PORT": str(port), "PUBLIC_URL": f"http://127.0.0.1:{port}"}
    return chosen | more


def buttons(calls: list[Call]) -> list[dict[str, Any]]:
    """The buttons of the newest message that has any."""
    rows = next(call.buttons for call in reversed(calls) if call.buttons)
    return [key for row in rows for key in row]


def labels(call: Call) -> list[str]:
    return [key["text"] for row in call.buttons for key in row]


def button(calls: list[Call], label: str) -> str:
    return str(next(key["callback_data"] for key in buttons(calls) if label in key["text"]))


def places(call: Call) -> list[str]:
    return re.findall(r"^(\d+)\. ", call.text, re.MULTILINE)


async def test_a_first_contact_by_a_location_gets_the_five_best_and_the_vehicle_question(bot: Bot) -> None:
    rider = bot.rider()
    said = await rider.does(rider.person.shares(*YANHU))
    assert places(said) == ["1", "2", "3", "4", "5"]
    assert said.text.count("示例") >= 5
    assert re.search(r"直线约 \d+ ?(米|公里)", said.text)
    assert re.search(r"[东南西北]方向|[东南西北]{1,2}方", said.text)
    assert said.direct == (bot.mode == "webhook")
    assert [label for label in labels(said) if "电动车" in label or "货车" in label]
    assert [word for word in FILTERS if word not in labels(said)] == []


async def test_a_vehicle_is_told_once_and_the_list_comes_back(bot: Bot) -> None:
    rider = bot.rider()
    await rider.does(rider.person.shares(*YANHU))
    said = await rider.taps("🚚")
    assert places(said) == ["1", "2", "3", "4", "5"]
    assert not [label for label in labels(said) if "🛵" in label]
    again = await rider.does(rider.person.shares(*YANHU))
    assert not [label for label in labels(again) if "🛵" in label]


async def test_start_greets_and_asks_for_the_location(bot: Bot) -> None:
    rider = bot.rider()
    said = await rider.says("/start", messages=2)
    assert "暖新" in said.text
    assert [label for label in labels(said) if "🛵" in label]
    assert rider.sees[-1].asks_location
    assert rider.sees[-1].direct == (bot.mode == "webhook")


async def test_a_press_is_acknowledged_by_a_call_of_its_own(bot: Bot) -> None:
    rider = bot.rider()
    await rider.does(rider.person.shares(*YANHU))
    press = rider.person.presses(button(rider.sees, "热水"))
    said = await rider.does(press)
    await until(lambda: press["callback_query"]["id"] in bot.telegram.acknowledged)
    assert said.direct == (bot.mode == "webhook")
    assert any(label.startswith("✓") and "热水" in label for label in labels(said))


async def test_a_card_is_a_venue_and_a_text_with_ways_to_navigate(bot: Bot) -> None:
    rider = bot.rider()
    listed = await rider.does(rider.person.shares(*YANHU))
    name = re.sub(r"^1 ", "", labels(listed)[0]).rstrip("…")
    card = await rider.taps("1 ", messages=2)
    venue = rider.sees[-2]
    assert venue.method == "sendVenue"
    assert venue.params["title"].startswith(name)
    assert name in card.text
    lat, lng = venue.params["latitude"], venue.params["longitude"]
    links = [key["url"] for row in card.buttons for key in row if "url" in key]
    amap, tencent, baidu = (next(link for link in links if host in link) for host in ("amap", "qq.com", "baidu"))
    gcj, bd = convert(lat, lng, "wgs84", "gcj02"), convert(lat, lng, "wgs84", "bd09")
    assert _numbers(amap, "position") == pytest.approx((gcj[1], gcj[0]), abs=2e-6)
    assert _numbers(tencent, "marker") == pytest.approx(gcj, abs=2e-6)
    assert _numbers(baidu, "location") == pytest.approx(bd, abs=2e-6)
    back = await rider.taps("‹")
    assert places(back) == ["1", "2", "3", "4", "5"]


async def test_filters_more_and_a_digit(bot: Bot) -> None:
    rider = bot.rider()
    await rider.does(rider.person.shares(*YANHU))
    filtered = await rider.taps("厕所")
    assert "厕所" in filtered.text
    more = await rider.taps("›")
    assert places(more)[0] == "6"
    first = labels(more)[0].removeprefix("6 ").rstrip("…")
    card = await rider.says("1", messages=2)
    assert first in card.text


async def test_free_text_asks_where_and_then_lists(bot: Bot) -> None:
    rider = bot.rider()
    asked = await rider.says("附近哪能充电")
    assert asked.asks_location
    said = await rider.does(rider.person.shares(*YANHU))
    assert len(places(said)) == 5
    assert any(label.startswith("✓") and "充电" in label for label in labels(said))


async def test_a_live_location_is_answered_once(bot: Bot) -> None:
    rider = bot.rider()
    await rider.does(rider.person.shares(*YANHU, live_period=900, horizontal_accuracy=12.5))
    await bot.brings(rider.person.moves(35.02, 111.0))
    await bot.brings(rider.person.moves(35.03, 111.0))
    assert len(rider.sees) == 1


async def test_a_venue_is_a_location(bot: Bot) -> None:
    rider = bot.rider()
    said = await rider.does(rider.person.shares_venue(*YANHU, "运城北站"))
    assert len(places(said)) == 5


async def test_pictures_stickers_and_voices_get_a_kind_word(bot: Bot) -> None:
    rider = bot.rider()
    words = set()
    for update in (rider.person.sends_photo("这里门没开"), rider.person.sends_sticker(), rider.person.sends_voice()):
        words.add((await rider.does(update)).text)
    assert len(words) == 3
    assert not any("没听懂" in said or "没看懂" in said for said in words)


async def test_blocked_and_unblocked(bot: Bot) -> None:
    rider = bot.rider()
    await rider.does(rider.person.shares(*YANHU))
    await bot.brings(rider.person.blocks())
    assert len(rider.sees) == 1
    await rider.does(rider.person.unblocks())
    said = await rider.does(rider.person.shares(*YANHU))
    assert len(places(said)) == 5


async def test_a_repeated_update_changes_nothing(bot: Bot) -> None:
    rider = bot.rider()
    await rider.does(rider.person.shares(*YANHU))
    press = rider.person.presses(button(rider.sees, "🚚"))
    await rider.does(press)
    await bot.brings(press)
    await bot.brings(press)
    await rider.says("/settings")
    assert len(rider.sees) == 3
    assert "货车" in rider.sees[-1].text


async def test_forged_and_old_buttons_get_a_fresh_menu(bot: Bot) -> None:
    rider = bot.rider()
    await rider.does(rider.person.shares(*YANHU))
    code = button(rider.sees, "热水").rpartition(".")[0]
    for token in ("nonsense", "p.zzzzzzzz", f"{code}.AAAAAAAAAAAA", "v.tank", "speak.xx", "\u202e.\x00", "n", "x" * 64):
        assert (await rider.does(rider.person.presses(token))).text


async def test_odd_texts_are_answered(bot: Bot) -> None:
    rider = bot.rider()
    odd = [
        "字" * 10_000,
        "👨‍👩‍👧‍👦🛵🔥",
        "\u202eabc\u202c \u200fمرحبا",
        " ",
        "<b>&lt;",
        "\ud7ff\x00\x07",
        "/" * 4000,
        "9" * 500,
    ]
    for text in odd:
        assert (await rider.says(text)).text


async def test_coordinates_outside_china_are_answered_kindly(bot: Bot) -> None:
    rider = bot.rider()
    assert "运城" in (await rider.does(rider.person.shares(*SEOUL))).text
    for lat, lng in ((0, 0), (90, 0), (-90, 180), (-33.9, 151.2)):
        said = await rider.does(rider.person.shares(lat, lng))
        assert "运城" in said.text or "位置" in said.text


async def test_danger_is_answered_first(bot: Bot) -> None:
    rider = bot.rider()
    said = await rider.says("车里煤气味好大，有人晕倒了")
    assert "120" in said.text
    assert said.direct == (bot.mode == "webhook")


async def test_commands_are_there_at_the_start_and_follow_the_language(bot: Bot) -> None:
    rider = bot.rider()
    shown = {key: dict(_pairs(value)) for key, value in bot.telegram.commands.items()}
    simplified, english = shown["default", ""], shown["default", "en"]
    assert shown["default", "zh"] == simplified
    assert simplified["nearest"] == "附近的站点"
    assert english["menu"].isascii()
    await rider.says("/language")
    await rider.taps("繁體中文")
    mine = (str(rider.person.chat), "")
    await until(lambda: mine in bot.telegram.commands)
    assert dict(_pairs(bot.telegram.commands[mine]))["nearest"] == "附近的站點"
    assert bot.telegram.made("setMyCommands")[-1].params["scope"] == {"type": "chat", "chat_id": rider.person.chat}
    times = len(bot.telegram.made("setMyCommands"))
    await rider.says("/settings")
    assert len(bot.telegram.made("setMyCommands")) == times


async def test_an_english_app_is_answered_in_english(bot: Bot) -> None:
    rider = bot.rider("en-GB")
    said = await rider.does(rider.person.shares(*YANHU))
    assert any("Toilet" in label for label in labels(said))


async def test_the_webhook_refuses_what_is_not_telegrams(tmp_path: Path) -> None:
    async with TelegramStandIn() as telegram, serving(tmp_path, **settings(telegram, "webhook")) as program:
        await until(lambda: len(telegram.commands) >= 3)
        body = b'{"update_id": 1, "message": {"text": "hi"}}'
        for secret in ("", "wrong", "ключ", telegram.webhook["secret_token"] + "x"):
            assert (await telegram.post(body, secret=secret)).status == 403
        for broken in (b"", b"{", b"[]", b'"x"', b"\xff\xfe", b'{"update_id": "1"}', b'{"update_id": 2, "message": 3}'):
            assert (await telegram.post(broken)).status == 400
        assert (await telegram.post(b'{"update_id": 3, "message": {"chat": {"id": 1}}}')).status in (200, 400)
        for unknown in (b'{"update_id": 4}', b'{"update_id": 5, "chat_boost": {}}', b'{"update_id": 6, "poll": null}'):
            assert (await telegram.post(unknown)).status == 200
        assert (await telegram.post(b"x" * 2_000_000)).status == 400
        assert telegram.sent == []
        assert program.errors() == []


async def test_an_outage_of_the_bot_api_is_shown_and_ends_by_itself(tmp_path: Path) -> None:
    async with TelegramStandIn() as telegram, serving(tmp_path, **settings(telegram, "polling")) as program:
        rider = Rider(Bot(telegram, program, "polling"), Person(5))
        await rider.does(rider.person.shares(*YANHU))
        telegram.fail("bad gateway", times=1000)

        async def is_out() -> bool:
            return (await program.loop("telegram")).get("ok") is False

        telegram.queue(rider.person.shares(*YANHU))
        await until(is_out)
        status, ready = await program.ready()
        assert (status, ready["ready"]) == (200, True)
        assert telegram.token not in str(ready)
        telegram.recover()
        await until(lambda: len(rider.sees) == 2, seconds=40)
        assert len(places(rider.sees[-1])) == 5

        async def is_back() -> bool:
            return (await program.loop("telegram")).get("ok") is True

        await until(is_back)


async def test_killed_before_it_confirmed_a_rider_is_answered_after_the_restart(tmp_path: Path) -> None:
    async with TelegramStandIn() as telegram:
        person = Person(6)
        share, press = person.shares(*YANHU), person.presses("speak.en")
        async with serving(tmp_path, **settings(telegram, "polling")) as program:
            await until(lambda: len(telegram.commands) >= 3)
            telegram.fail("slow", method="sendMessage")
            telegram.queue(share, press)
            await until(lambda: telegram.made("sendMessage"))
            await program.is_killed()
        assert telegram.unconfirmed == [share["update_id"], press["update_id"]]
        assert telegram.sent == []
        later = settings(telegram, "polling", CLOCK="2026-11-20T12:05:00+08:00")
        async with serving(tmp_path, **later) as program:
            await until(lambda: len(telegram.messages_to(6)) >= 2)
            listed, spoken = telegram.messages_to(6)
            assert len(places(listed)) == 5
            assert "English" in spoken.text
            await until(lambda: telegram.unconfirmed == [])
            assert program.errors() == []


async def test_a_stop_finishes_the_update_in_hand(tmp_path: Path) -> None:
    async with TelegramStandIn() as telegram, serving(tmp_path, **settings(telegram, "polling")) as program:
        await until(lambda: len(telegram.commands) >= 3)
        telegram.fail("slow", method="sendMessage")
        telegram.queue(Person(7).shares(*YANHU))
        await until(lambda: telegram.made("sendMessage"))
        program.process.terminate()
        telegram.recover()
        assert await program.stops() == 0
        assert len(telegram.messages_to(7)) == 1
        assert telegram.unconfirmed == []
        assert program.errors() == []


async def test_a_stop_finishes_the_webhook_turn_in_hand(tmp_path: Path) -> None:
    async with TelegramStandIn() as telegram, serving(tmp_path, **settings(telegram, "webhook")) as program:
        rider = Rider(Bot(telegram, program, "webhook"), Person(8))
        await until(lambda: len(telegram.commands) >= 3)
        await rider.does(rider.person.shares(*YANHU))
        telegram.fail("slow", method="sendMessage")
        await telegram.push(rider.person.presses(button(rider.sees, "🚚")))
        await until(lambda: telegram.made("sendMessage"))
        program.process.terminate()
        telegram.recover()
        assert await program.stops() == 0
        assert len(rider.sees) == 2
        assert program.errors() == []


def _numbers(link: str, name: str) -> tuple[float, float]:
    value = parse_qs(urlsplit(link).query)[name][0].removeprefix("coord:").partition(";")[0]
    first, second = value.split(",")[:2]
    return float(first), float(second)


def _pairs(commands: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(command["command"], command["description"]) for command in commands]
