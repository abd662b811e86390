"""A bot on a real server, talking with a stand-in of Telegram over real HTTP."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pytest
from aiohttp import web

from bot.callbacks import Post, Reply
from bot.channels import Answer, unsure
from bot.channels.telegram import TelegramChannel
from bot.channels.telegram.webhook import Webhook
from bot.messages import Address, Incoming, Outgoing
from bot.web.front import Front
from tests.standins.telegram import TelegramStandIn
from tests.standins.telegram_updates import Person

NOW = datetime(2026, 1, 9, 4, 0, tzinfo=UTC)
SECRET = "s3cret_-"
COMMANDS = {
    "zh_CN": [("menu", "菜单"), ("nearest", "附近的站点")],
    "zh_TW": [("menu", "選單"), ("nearest", "附近的站點")],
    "en": [("menu", "Menu"), ("nearest", "Places nearby")],
}


class Mind:
    """Stands for the conversation: remembers what it heard and answers by `answer`, which tests replace."""

    def __init__(self) -> None:
        self.heard: list[Incoming] = []
        self.answer: Callable[[Incoming], Awaitable[Answer]] = self.echo
        self.at_once: Callable[[Incoming], Answer | None] = unsure

    async def echo(self, heard: Incoming) -> Answer:
        return Answer((Outgoing(heard.text or heard.pressed or "?"),))

    async def hear(self, heard: Incoming) -> Answer:
        self.heard.append(heard)
        return await self.answer(heard)

    def texts(self, chat: int) -> list[str]:
        return [heard.text for heard in self.heard if heard.sender.user == str(chat)]


class World:
    """One bot: the messages and other calls that it paced, its beats and sleeps; sleeping takes no time.

    `pushed`: so many requests have arrived at its webhook.
    """

    def __init__(self, telegram: TelegramStandIn) -> None:
        self.telegram = telegram
        self.mind = Mind()
        self.paced: list[str] = []
        self.paced_calls: list[str] = []
        self.beats: list[tuple[bool, str]] = []
        self.slept: list[float] = []
        self.public_url = ""
        self.pushed = 0
        self._listening: list[asyncio.Task[None]] = []
        self._channels: list[TelegramChannel] = []
        self._front: Front | None = None

    def channel(self, *, public_url: str = "", api_url: str = "") -> TelegramChannel:
        channel = TelegramChannel(
            self.telegram.token,
            api_url=api_url or self.telegram.url,
            secret=SECRET,
            public_url=public_url,
            commands=COMMANDS,
            pace=self.pace,
            beat=self.beat,
            sleep=self.sleep,
            now=lambda: NOW,
        )
        self._channels.append(channel)
        return channel

    async def started(self) -> TelegramChannel:
        channel = self.channel()
        await channel.start()
        return channel

    async def serve(self) -> TelegramChannel:
        """The bot behind a webhook, registered."""
        site = socket.create_server(("127.0.0.1", 0))
        self.public_url = f"http://127.0.0.1:{site.getsockname()[1]}"
        channel = self.channel(public_url=self.public_url)
        callback = channel.callback(self.mind.hear, lambda heard: self.mind.at_once(heard))
        self._front = Front(web.Application(), [self._counting(callback)], seconds_to_close=1)
        await self._front.listen_at(site)
        await channel.start()
        self.listen(channel)
        await until(lambda: (True, "webhook") in self.beats)
        return channel

    def _counting(self, callback: Webhook) -> Webhook:
        answer = callback.answer

        def counted(post: Post) -> Reply | Awaitable[Reply]:
            self.pushed += 1
            return answer(post)

        callback.answer = counted  # type: ignore[method-assign]  # it listens in
        return callback

    async def poll(self) -> TelegramChannel:
        """The bot behind long polling, polling."""
        channel = await self.started()
        self.listen(channel)
        return channel

    def listen(self, channel: TelegramChannel) -> asyncio.Task[None]:
        task = asyncio.create_task(channel.listen(self.mind.hear))
        self._listening.append(task)
        return task

    async def stop(self) -> None:
        for task in self._listening:
            task.cancel()
        await asyncio.gather(*self._listening, return_exceptions=True)
        self._listening.clear()
        for channel in self._channels:
            await channel.close()
        self._channels.clear()
        if self._front:
            await self._front.close()

    async def pace(self, to: Address) -> Callable[[], None]:
        (self.paced if to.user else self.paced_calls).append(to.user)
        return lambda: None

    async def beat(self, ok: bool, detail: str) -> None:
        self.beats.append((ok, detail))

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0.001)


async def until(holds: Callable[[], bool]) -> None:
    """Wait until it holds; fails after half a minute."""
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 (what is waited for happens across a real connection)
            await asyncio.sleep(0.002)


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramStandIn]:
    async with TelegramStandIn() as telegram:
        yield telegram


@pytest.fixture
async def world(telegram: TelegramStandIn) -> AsyncIterator[World]:
    world = World(telegram)
    yield world
    telegram.recover()
    await world.stop()


@pytest.fixture
def wang() -> Person:
    return Person(511)


@pytest.fixture
def li() -> Person:
    return Person(622)
