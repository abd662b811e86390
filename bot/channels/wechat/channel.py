"""WeChat: an Official Account, from one that may only answer to one that may push."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime

from aiohttp import web

from bot.channels import AtOnce, Hear, Read, unsure
from bot.channels.wechat.callback import PATH, Callback, Verification
from bot.channels.wechat.crypto import AesKey
from bot.channels.wechat.decode import CHANNEL, MassReport
from bot.channels.wechat.encode import ACCOUNTS, Words
from bot.channels.wechat.exchanges import PATIENCE, Exchanges, Push, Wiring
from bot.channels.wechat.memory import Memory
from bot.messages import Address, Incoming, Outgoing


class WeChatChannel:
    """An account whose answers ride in WeChat's own requests, and that pushes where it may.

    `account` is one of `ACCOUNTS`. `aes_keys` are the EncodingAESKeys, the present one first; none means plain
    mode. `event_datum` is that of LOCATION events. `words` are by locale. `is_urgent` knows texts that must be
    answered without any database, `asks_place` those that want to know what is near. `read` answers what only needs
    reading; like `memory` it may be called where no task runs. `writes` knows what surely needs more than that, to
    save it the look whether it was read. `arrived` is awaited while a person's request is open: it sends what waits
    for them. `push(openid, message)` sends outside of requests and raises Undelivered; a message without text is a
    picture alone; an account that pushes needs it. `reported` hears what became of mass messages, and says whether
    it could be written down. `forms` are the kinds of message that `push` sends while nobody may be written to.
    `patience` is for how many seconds a request waits.
    Raises ValueError for a wrong key.
    """

    name = CHANNEL

    def __init__(
        self,
        app_id: str,
        token: str,
        *,
        account: str,
        memory: Memory,
        words: Mapping[str, Words],
        now: Callable[[], datetime],
        aes_keys: tuple[str, ...] = (),
        event_datum: str = "wgs84",
        is_urgent: Callable[[str], bool] = lambda _text: False,
        asks_place: Callable[[str], bool] = lambda _text: False,
        read: Read | None = None,
        writes: Callable[[Incoming], bool] = lambda _heard: False,
        reported: Callable[[MassReport], Awaitable[bool]] | None = None,
        arrived: Callable[[Address], Awaitable[None]] | None = None,
        push: Push | None = None,
        forms: Collection[str] = (),
        patience: float = PATIENCE,
    ) -> None:
        self.can = replace(ACCOUNTS[account], forms=frozenset(forms))
        self._token = token
        self._keys = tuple(AesKey(key, app_id) for key in aes_keys)
        self._now = now
        self._event_datum = event_datum
        self._asks_place = asks_place
        self._reported = reported or _unheard
        if self.can.pushes != (push is not None):
            raise ValueError("an account needs a way to push if, and only if, it may")
        wiring = Wiring(memory, now, words, is_urgent, read or _nothing, writes, arrived, push, patience)
        self._exchanges = Exchanges(wiring)

    def routes(self, _hear: Hear) -> list[web.AbstractRouteDef]:
        """Where somebody who saves our address in WeChat's console gets the proof that it is ours."""
        return [web.get(PATH, Verification(self._token, self._now).answer)]

    def callback(self, hear: Hear, _at_once: AtOnce = unsure) -> Callback:
        """Where WeChat calls us."""
        return Callback(
            self._token,
            self._keys,
            self._exchanges,
            hear=hear,
            now=self._now,
            event_datum=self._event_datum,
            asks_place=self._asks_place,
            reported=self._reported,
        )

    async def listen(self, hear: Hear) -> None:
        """Everything comes in by the route, so there is nothing to fetch."""
        await asyncio.Event().wait()

    async def send(self, to: Address, message: Outgoing) -> str:
        """Let `message` ride in the request that is open, else push it; raises Undelivered or a kind of it."""
        return await self._exchanges.send(to.user, message)

    async def close(self) -> None:
        """Take no more requests; those in hand end within 3 seconds."""
        await self._exchanges.close()


async def _nothing(_heard: Incoming) -> None:
    """Who cannot tell hears everything."""


async def _unheard(_report: MassReport) -> bool:
    """Who sends no mass messages waits for no reports."""
    return True


class PassiveWeChatChannel(WeChatChannel):
    """An account that may only answer: it reaches those whose request is open."""

    def present(self) -> set[str]:
        """Those who wait for an answer of this process now."""
        return self._exchanges.present()
