"""Updates that we fetch by long polling, for installations that Telegram cannot reach."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from telegram.error import Conflict, TelegramError

from bot.channels import Hear, Throttled, Unheard
from bot.channels.telegram.api import Api
from bot.channels.telegram.carrier import Carrier, Sleep, direct_calls
from bot.channels.telegram.decode import ALLOWED_UPDATES, Malformed, decode, press_id, update_id
from bot.channels.telegram.errors import TooManyRequests, trace, undelivered
from bot.messages import Incoming

LONGEST_POLL = 25
BATCH = 100
SIDE_BY_SIDE = 32
TRIES = 8
SECONDS_FOR_A_TURN = 60.0
SECONDS_FOR_SENT = 5.0
SECONDS_TO_FINISH = 3.0
PAUSE_UNHEARD = timedelta(seconds=1)

Report = Callable[[bool, str], Awaitable[None]]
Prepare = Callable[[], Awaitable[None]]

log = structlog.get_logger()


def backoff(failures: int) -> float:
    """Seconds to wait after so many failures in a row: 1, 2, 4 … 30."""
    return float(min(2 ** (failures - 1), 30)) if failures < 10 else 30.0


class Polling:
    """Fetches, hears, and only then confirms.

    An update that fails is tried again while the others go on, up to a batch ahead of it; after TRIES it is
    given up. What was handled ahead of it is remembered, so nothing is heard twice in between.
    """

    def __init__(
        self,
        api: Api,
        carrier: Carrier,
        *,
        prepare: Prepare,
        report: Report,
        sleep: Sleep,
        now: Callable[[], datetime],
    ) -> None:
        self._api = api
        self._carrier = carrier
        self._prepare = prepare
        self._report = report
        self._sleep = sleep
        self._now = now
        self._prepared = False
        self._is_well = False
        self._offset: int | None = None
        self._handled: set[int] = set()
        self._tries: dict[int, int] = {}
        self._pause = timedelta()
        self._places = asyncio.Semaphore(SIDE_BY_SIDE)

    async def run(self, hear: Hear) -> None:
        """Poll until cancelled; updates in hand are finished first, for some seconds at most."""
        failures = 0
        while True:
            try:
                if not self._prepared:
                    await self._prepare()
                    self._prepared = True
                updates = await self._fetch()
            except TelegramError as error:
                failures += 1
                self._is_well = False
                await self._rest(error, failures)
                continue
            failures, self._is_well = 0, True
            await self._report(True, "polling")
            await self._in_hand(self._handle(updates, hear))
            if self._tries or self._pause:
                pause, self._pause = self._pause.total_seconds(), timedelta()
                await self._sleep(max(pause, backoff(max(self._tries.values(), default=1))))

    async def _rest(self, error: TelegramError, failures: int) -> None:
        if isinstance(error, Conflict):  # a webhook may have been set behind our back
            self._prepared = False
        asked = error.wait.total_seconds() if isinstance(error, TooManyRequests) else 0.0
        await self._report(False, f"{undelivered(error)} (try {failures})")
        await self._sleep(max(asked, backoff(failures)))

    async def _fetch(self) -> list[dict[str, Any]]:
        seconds = LONGEST_POLL if self._is_well and not self._tries else 0  # the first one only asks: are you there?
        params = {"timeout": seconds, "limit": BATCH, "allowed_updates": list(ALLOWED_UPDATES)}
        if self._offset is not None:
            params["offset"] = self._offset
        found = await self._api.call("getUpdates", params, seconds=seconds + 10.0)
        updates = found if isinstance(found, list) else [found]
        numbered: list[dict[str, Any]] = [update for update in updates if _is_numbered(update)]
        if updates and not numbered:
            raise TelegramError("unreadable answer")
        return sorted(numbered, key=update_id)

    async def _in_hand(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task}, timeout=SECONDS_TO_FINISH)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._confirm_now()
            raise

    async def _confirm_now(self) -> None:
        """Save the next process from hearing again what was handled."""
        if self._offset is None:
            return
        params = {"offset": self._offset, "limit": 1, "timeout": 0}
        try:
            await self._api.call("getUpdates", params, seconds=1.0)
        except TelegramError as error:
            log.info("not confirmed", channel="telegram", reason=str(undelivered(error)))

    async def _handle(self, updates: list[dict[str, Any]], hear: Hear) -> None:
        chats: dict[str, list[Incoming]] = {}
        for update in updates:
            if update["update_id"] in self._handled:
                continue
            heard = self._decoded(update)
            if heard is None:
                self._handled.add(update["update_id"])
            else:
                chats.setdefault(heard.sender.user, []).append(heard)
        await asyncio.gather(*(self._chat(heard, hear) for heard in chats.values()))
        self._confirm([update["update_id"] for update in updates])

    def _decoded(self, update: dict[str, Any]) -> Incoming | None:
        if update["update_id"] not in self._tries and (press := press_id(update)):
            self._carrier.acknowledge(press)
        try:
            return decode(update, self._now())
        except Malformed as error:
            log.warning("malformed update", update=update["update_id"], field=str(error))
            return None

    async def _chat(self, waiting: list[Incoming], hear: Hear) -> None:
        """One chat's updates in order, up to the first that must be tried again."""
        async with self._places:
            for heard in waiting:
                if not await self._is_handled(heard, hear):
                    return

    async def _is_handled(self, heard: Incoming, hear: Hear) -> bool:
        number = int(heard.key)
        try:
            async with asyncio.timeout(SECONDS_FOR_A_TURN):
                answer = await hear(heard)
                await self._carrier.carry_direct(heard.sender, direct_calls(heard.sender, answer.direct))
        except Throttled as error:
            self._pause = max(self._pause, error.retry_in or timedelta(seconds=1))
            return False
        except Unheard:  # tried again for as long as it takes
            self._pause = max(self._pause, PAUSE_UNHEARD)
            return False
        except Exception as error:  # noqa: BLE001 (the edge: it is tried again)
            return self._is_given_up(number, error)
        self._handled.add(number)
        self._tries.pop(number, None)
        if answer.sent is not None:  # so that the next answer does not overtake
            task = self._carrier.start(answer.sent)
            await asyncio.wait({task}, timeout=SECONDS_FOR_SENT)
        return True

    def _is_given_up(self, number: int, error: Exception) -> bool:
        tries = self._tries[number] = self._tries.get(number, 0) + 1
        log.error("update failed", update=number, tries=tries, error=type(error).__name__, trace=trace(error))
        if tries < TRIES:
            return False
        log.error("update given up", update=number)
        self._handled.add(number)
        del self._tries[number]
        return True

    def _confirm(self, numbers: list[int]) -> None:
        """Move the offset, which the next request confirms, up to the first update that is not handled."""
        if not numbers:
            return
        self._offset = next((number for number in numbers if number not in self._handled), numbers[-1] + 1)
        self._handled = {number for number in self._handled if number >= self._offset}


def _is_numbered(update: object) -> bool:
    try:
        update_id(update)
    except Malformed:
        return False
    return True
