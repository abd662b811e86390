"""Carries calls to Telegram: paced, with failures in our own words, and small ones in the background."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

import structlog
from telegram.error import TelegramError

from bot.channels import Throttled, Undelivered
from bot.channels.telegram.api import Api
from bot.channels.telegram.encode import Call, Unsayable, encode
from bot.channels.telegram.errors import trace, undelivered
from bot.channels.telegram.photos import Photos
from bot.messages import Address, Outgoing

# Returns when a message to somebody may leave; what it returns is to be called when Telegram has answered.
Pace = Callable[[Address], Awaitable[Callable[[], None]]]
Sleep = Callable[[float], Awaitable[None]]
# Whom a call that says nothing is for.
NOBODY = Address("telegram", "")
# How long, and how often, the next part of a message waits where Telegram finds that it comes too soon.
SHORT = timedelta(seconds=5)
WAITS = 5

log = structlog.get_logger()


class Carrier:
    """Everything that leaves for Telegram, except what rides in a webhook's response."""

    def __init__(self, api: Api, pace: Pace, sleep: Sleep) -> None:
        self._api = api
        self._photos = Photos(api)
        self._pace = pace
        self._sleep = sleep
        self._background: set[asyncio.Future[None]] = set()

    async def carry(self, to: Address, call: Call) -> Any:
        """Make one call when its time has come and return its result; raises Undelivered."""
        answered = await self._pace(to)
        try:
            return await (self._photos if call.photo else self._api).carry(call)
        except TelegramError as error:
            raise undelivered(error) from None
        finally:
            answered()

    async def carry_all(self, to: Address, calls: Sequence[Call]) -> list[Any]:
        """Make the calls of one answer in order and return their results; raises Undelivered.

        Whoever tries again repeats all of them, so those after the first sit out a short throttle.
        """
        return [await (self._carry_on if number else self.carry)(to, call) for number, call in enumerate(calls)]

    async def call(self, method: str, params: dict[str, Any]) -> Any:
        """Make a call that says nothing, when its time has come; raises TelegramError."""
        answered = await self._pace(NOBODY)
        try:
            return await self._api.call(method, params)
        finally:
            answered()

    async def carry_direct(self, to: Address, calls: Sequence[Call]) -> None:
        """Make the calls of a direct answer; raises Undelivered only if trying again can help."""
        try:
            await self.carry_all(to, calls)
        except Undelivered as error:
            if error.retry_in is not None:
                raise
            log.warning("answer undelivered", channel="telegram", reason=str(error))

    def acknowledge(self, press_id: str) -> None:
        """Tell Telegram in the background that a button's press has arrived."""
        self.start(self._acknowledge(press_id))

    def start(self, work: Awaitable[None]) -> asyncio.Future[None]:
        """Let `work` go on in the background; `close` waits for it."""
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self, seconds: float) -> None:
        """Let what is in the background end, but not for longer than `seconds`."""
        if not self._background:
            return
        _done, late = await asyncio.wait(set(self._background), timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _carry_on(self, to: Address, call: Call) -> Any:
        for _wait in range(WAITS):
            try:
                return await self.carry(to, call)
            except Throttled as error:
                if error.retry_in is None or error.retry_in > SHORT:
                    raise
                await self._sleep(error.retry_in.total_seconds())
        return await self.carry(to, call)

    def _ended(self, task: asyncio.Future[None]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("background work failed", channel="telegram", error=type(error).__name__, trace=trace(error))

    async def _acknowledge(self, press_id: str) -> None:
        try:
            await self.call("answerCallbackQuery", {"callback_query_id": press_id})
        except TelegramError as error:  # too old, or Telegram is away: a spinner goes on for a while, no more
            log.info("press not acknowledged", channel="telegram", reason=str(undelivered(error)))


def direct_calls(to: Address, messages: Iterable[Outgoing]) -> list[Call]:
    """The calls of a direct answer. A message that can never be said is logged and left out."""
    calls: list[Call] = []
    for message in messages:
        try:
            calls += encode(to, message)
        except Unsayable as error:
            log.error("message cannot be said", channel="telegram", reason=str(error))
    return calls
