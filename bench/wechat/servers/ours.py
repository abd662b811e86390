"""Our channel, with a conversation that says one sentence and a memory that is a dictionary."""

import asyncio
import gc
from collections import OrderedDict
from datetime import datetime

from aiohttp import web

from bench.wechat.servers.settings import AES_KEY, APP_ID, HOST, IS_AES, PORT, TOKEN, answer
from bot.app import NEW_OBJECTS
from bot.channels import Answer
from bot.channels.wechat import Begun, PassiveWeChatChannel, Words
from bot.clock import Clock
from bot.messages import Incoming, Outgoing
from bot.web.front import Front

NEWEST = 5_000


class Dictionary:
    """The newest answers; older ones would be in the database, which is not measured here."""

    def __init__(self) -> None:
        self._answers: OrderedDict[str, bytes] = OrderedDict()

    async def begin(self, key: str, user: str, *, now: datetime, **_more: object) -> Begun:
        return Begun(key not in self._answers, now, self._answers.get(key))

    async def look(self, key: str, user: str, *, now: datetime) -> Begun:
        return Begun(key not in self._answers, now, self._answers.get(key))

    def open(self, user: str, **_more: object) -> None:
        """Nothing is pushed, so there are no windows."""

    def note(self, key: str, user: str, answer: bytes, **_more: object) -> None:
        self._answers[key] = answer
        if len(self._answers) > NEWEST:
            self._answers.popitem(last=False)

    async def settle(self) -> None:
        """Nothing is written down."""

    async def keep(self, key: str, user: str, answer: bytes, **_more: object) -> None:
        self._answers[key] = answer

    async def forget(self, user: str) -> None:
        """Nobody asks for it here."""


async def hear(heard: Incoming) -> Answer:
    return Answer((Outgoing(answer(heard.text)),))


async def serve() -> None:
    gc.set_threshold(NEW_OBJECTS)
    channel = PassiveWeChatChannel(
        APP_ID,
        TOKEN,
        account="subscription",
        memory=Dictionary(),
        words={"zh_CN": Words("", "", "")},
        now=Clock(None),
        read=hear,
        aes_keys=(AES_KEY,) if IS_AES else (),
    )
    front = Front(web.Application(), [channel.callback(hear)])
    await front.listen(HOST, PORT)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
