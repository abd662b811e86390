"""An account on real servers that share one memory, and somebody who follows it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from bot.channels import Answer
from bot.channels.wechat import ACCOUNTS, PATH, PassiveWeChatChannel, WeChatChannel, Words
from bot.messages import Address, Incoming, Outgoing
from bot.web.front import Front
from tests.channels.wechat.phone import AES_KEY, APP_ID, TOKEN, Phone
from tests.channels.wechat.remembering import SharedMemory

NOW = datetime(2026, 1, 9, 4, 0, tzinfo=UTC)
# Seconds that a delivery waits where a test is about what comes in time, and where it is about what does not.
LONG, SHORT = 4.0, 0.2
WORDS = {
    "zh_CN": Words("回复“更多”看后面的。", "正在办，回复 0 看结果。", "出错了，请再试一次。"),
    "zh_TW": Words("回覆「更多」看後面的。", "正在辦，回覆 0 看結果。", "出錯了，請再試一次。"),
    "en": Words("Reply “more” for the rest.", "I am on it. Reply 0.", "Something went wrong."),
}


class Mind:
    """Stands for the conversation: remembers what it heard and answers by `answer`, which tests replace.

    For what it `knows` it need only read; what it `writes` it never tries to.
    """

    def __init__(self) -> None:
        self.heard: list[Incoming] = []
        self.was_read: list[str] = []
        self.writes: set[str] = set()
        self.knows: dict[str, Outgoing] = {}
        self.answer: Callable[[Incoming], Awaitable[Answer]] = self.echo

    async def echo(self, heard: Incoming) -> Answer:
        return Answer((Outgoing(heard.text or heard.pressed or heard.event or "?"),))

    async def read(self, heard: Incoming) -> Answer | None:
        self.was_read.append(heard.text)
        return self._known(heard)

    def _known(self, heard: Incoming) -> Answer | None:
        known = self.knows.get(heard.text)
        return Answer((known,)) if known else None

    async def hear(self, heard: Incoming) -> Answer:
        self.heard.append(heard)
        return self._known(heard) or await self.answer(heard)

    @property
    def texts(self) -> list[str]:
        return [heard.text for heard in self.heard]


@dataclass
class Process:
    """One process of the installation, and the phone that reaches it."""

    channel: WeChatChannel
    phone: Phone
    front: Front

    def follower(self, openid: str) -> Phone:
        phone = self.phone
        return Phone(phone.url, phone.now, phone.aes_key, openid=openid, patience=phone.patience)


class World:
    """An account in `mode`. `waiting` is what waits for whoever comes; `pushed` is what was pushed."""

    def __init__(self, mode: str, patience: float = LONG) -> None:
        self.mode = mode
        self.patience = patience
        self.now = NOW
        self.memory = SharedMemory()
        self.mind = Mind()
        self.waiting: list[Outgoing] = []
        self.pushed: list[tuple[str, Outgoing]] = []
        self._processes: list[Process] = []

    async def starts(self, account: str = "subscription", aes_keys: tuple[str, ...] = (AES_KEY,)) -> Process:
        """Another process of this account."""
        pushes = ACCOUNTS[account].pushes
        channel = (WeChatChannel if pushes else PassiveWeChatChannel)(
            APP_ID,
            TOKEN,
            account=account,
            memory=self.memory,
            words=WORDS,
            now=lambda: self.now,
            aes_keys=aes_keys if self.mode == "aes" else (),
            is_urgent=lambda text: "晕倒" in text,
            asks_place=lambda text: text == "附近",
            read=self.mind.read,
            writes=lambda heard: heard.text in self.mind.writes,
            arrived=lambda person: self._arrived(channel, person),
            push=self._push if pushes else None,
            patience=self.patience,
        )
        app = web.Application()
        app.add_routes(channel.routes(self.mind.hear))
        front = Front(app, [channel.callback(self.mind.hear)], seconds_to_close=0.1)
        url = f"http://127.0.0.1:{await front.listen('127.0.0.1', 0)}{PATH}"
        key = AES_KEY if self.mode == "aes" else ""
        process = Process(channel, Phone(url, lambda: self.now, key, patience=self.patience * 10 / 9), front)
        self._processes.append(process)
        return process

    async def stops(self) -> None:
        for process in self._processes:
            await process.channel.close()
            await process.front.close()

    def passes(self, **time: float) -> None:
        self.now += timedelta(**time)

    def sends(self, process: Process, *messages: Outgoing) -> Callable[[Incoming], Awaitable[Answer]]:
        """An answer that was committed: its messages are sent one after another, as delivery does."""

        async def answer(heard: Incoming) -> Answer:
            async def sent() -> None:
                for message in messages:
                    await process.channel.send(heard.sender, message)

            return Answer(sent=asyncio.create_task(sent()))

        return answer

    async def _arrived(self, channel: WeChatChannel, person: Address) -> None:
        while self.waiting:
            await channel.send(person, self.waiting[0])
            self.waiting.pop(0)

    async def _push(self, user: str, message: Outgoing) -> str:
        self.pushed.append((user, message))
        return "pushed"


@pytest.fixture
def mode() -> str:
    """How requests come: `plain` or `aes`."""
    return "plain"


@pytest.fixture
def patience() -> float:
    return LONG


@pytest.fixture
async def world(mode: str, patience: float) -> AsyncIterator[World]:
    world = World(mode, patience)
    yield world
    await world.stops()


@pytest.fixture
async def process(world: World) -> Process:
    return await world.starts()


@pytest.fixture
def phone(process: Process) -> Phone:
    return process.phone
