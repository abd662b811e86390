"""A site whose bot knows a few answers by heart."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from gettext import NullTranslations
from pathlib import Path
from zoneinfo import ZoneInfo

from aiohttp import web

from bot.channels import Answer
from bot.channels.web import WebChannel
from bot.database import Database
from bot.i18n import Voice, catalog, spoken
from bot.messages import Address, Button, Incoming, Outgoing, Place
from bot.seals import BrokenSeal, Seals
from bot.services.city import City, load_city
from bot.web.pages import frame_error
from bot.web.server import build_app
from bot.web.site import Map, Site

ZONE = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 1, 15, 4, 0, tzinfo=UTC)
CITY: City = load_city(Path(__file__).parents[2] / "data" / "yuncheng")

WELCOME = Outgoing(
    "您好，我是暖新 🧡\n发个位置，我告诉您附近哪里能歇脚、充电、喝口热水。\n您平时开什么车？",
    (
        (Button("🛵 外卖电动车", "v.courier"), Button("📦 快递三轮", "v.parcel")),
        (Button("🚕 网约车、出租车", "v.ridehail"), Button("🚚 货车", "v.truck")),
        (Button("📍 发送我的位置", asks_location=True),),
    ),
)
PLACES = (
    Place("S-1", "东城街道爱心驿站", 35.021, 110.998, distance_m=352, open="yes"),
    Place("S-2", "南风广场司机小站", 35.025, 111.004, distance_m=1240, open="unknown"),
    Place("S-3", "河东街货车司机之家", 35.03, 111.01, distance_m=12_800, open="no"),
)
NEAREST = Outgoing(
    "离您最近的：\n"
    "1. [示例] 东城街道爱心驿站 · 营业到 22:00\n直线约 350 米，东北方向 · 热水、厕所、休息 · 3 天前核实\n"
    "2. [示例] 南风广场司机小站 · 时间不详，去前先问问\n直线约 1.2 公里，东方向 · 热水、吃饭 · 还没核实\n"
    "3. [示例] 河东街货车司机之家 · 明天 08:00 开门\n直线约 13 公里，东方向 · 停大货车、洗澡 · 昨天核实",
    (
        (Button("1 东城街道爱心驿站", "p.1.x"), Button("2 南风广场司机小站", "p.2.x")),
        (Button("3 河东街货车司机之家", "p.3.x"), Button("更多 ›", "n.1")),
        (Button("充电", "n.charging"), Button("✓ 热水", "n.hot"), Button("厕所", "n.t"), Button("吃饭", "n.m")),
    ),
    PLACES,
)
CARD = Outgoing(
    "[示例] 东城街道爱心驿站\n爱心驿站 · 营业到 22:00\n盐湖区东城街道\n热水、厕所、休息、微波炉\n3 天前核实",
    (
        (Button("高德导航", url="https://uri.amap.com/marker?position=111,35"),),
        (Button("打电话", url="tel:0359-0000000"), Button("有误", "bad.S-1")),
    ),
    PLACES[:1],
    card=True,
)


def voice(locale: str) -> Voice:
    """Real words where a catalog has them."""
    return Voice(locale, ZONE, catalog(locale) if locale != "en" else NullTranslations())


class Bot:
    """Answers a few things by heart and remembers what it heard; it holds answers back while `go` is not set."""

    def __init__(self) -> None:
        self.heard: list[Incoming] = []
        self.called = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()
        self.fails = False
        self.sent: asyncio.Future[None] | None = None

    async def hear(self, incoming: Incoming) -> Answer:
        if self.fails:
            raise OSError("the disk is gone")
        self.heard.append(incoming)
        self.called.set()
        await self.go.wait()
        return Answer((self._answer(incoming),), self.sent)

    def _answer(self, incoming: Incoming) -> Outgoing:
        if incoming.location or incoming.pressed.startswith("n."):
            return NEAREST
        if incoming.pressed.startswith("p.") or incoming.text.startswith("/p "):
            return CARD
        if incoming.text == "/start":
            return WELCOME
        if incoming.text == "/nearest":
            return Outgoing("请发一下您的位置。", ((Button("📍 发送我的位置", asks_location=True),),))
        if incoming.text == "erase me":
            return Outgoing("Everything is erased.", erased=True)
        if incoming.event:
            return Outgoing(f"event {incoming.event}")
        return Outgoing(f"You said: {incoming.text or incoming.pressed}")

    @property
    def texts(self) -> list[str]:
        return [incoming.text for incoming in self.heard]


def channel_for(
    secret: str = "a secret for tests", now: Callable[[], datetime] = lambda: NOON, **options: object
) -> WebChannel:
    """A channel that is wired like the program's."""
    seals = Seals(secret)

    async def nobody_waits(_address: Address) -> None:
        return None

    async def everybody(_address: Address) -> bool:
        return True

    def verify(token: str) -> str | None:
        try:
            return seals.signed("web-session", token)
        except BrokenSeal:
            return None

    return WebChannel(
        lambda user: seals.sign("web-session", user),
        verify,
        now=now,
        say=lambda code, language: frame_error(code, voice(spoken(language))),
        arrived=options.pop("arrived", nobody_waits),  # type: ignore[arg-type]
        knows=options.pop("knows", everybody),  # type: ignore[arg-type]
        is_urgent=lambda text: "fire" in text,
        **options,  # type: ignore[arg-type]
    )


def app_for(channel: WebChannel, bot: Bot, database: Database, **site: object) -> web.Application:
    app = build_app(
        Site(CITY, database, lambda: NOON, voice, **site),  # type: ignore[arg-type]
        extra=channel.routes(bot.hear),
    )

    async def close(_app: web.Application) -> None:
        await channel.close()

    app.on_shutdown.append(close)
    return app


__all__ = ["Bot", "Map", "app_for", "channel_for"]
