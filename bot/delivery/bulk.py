"""Sending what goes to many: the next rows are claimed while the last go out, never more than half a second of them."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot import i18n
from bot.database import Database
from bot.delivery import claims, screening
from bot.delivery.claims import Sending
from bot.delivery.letters import Letter, Outcome, untried
from bot.delivery.recording import Recorder
from bot.messages import Outgoing
from bot.models import Notice
from bot.outbox import worded
from bot.services import notices
from bot.services.broadcasts.digest import Digests

log = structlog.get_logger(__name__)

# So much of the rate is in hand: what a pause waits for, and what a killed process repeats.
IN_HAND = timedelta(seconds=0.5)
# A round ends after so long, so that whoever runs it sees that it lives.
ROUND = timedelta(seconds=5)
# Where nobody of a batch could be told now, larger ones are looked at.
_MOST_LOOKED_AT = 1_000
_A_MOMENT = timedelta(seconds=1)
_KEPT_WORDS = 16
# What has its step is out of our hands; so many times more than may wait can be on their way.
_MOST_OUT = 4
# How long nobody looks whether there is room again, in seconds.
_GLANCE = 0.03

Send = Callable[[Letter, Outgoing, tuple[int, ...]], Coroutine[Any, Any, None]]
# A letter with its words and the other rows that it tells.
Ready = tuple[Letter, Outgoing, tuple[int, ...]]


class Bulk:
    """The bulk lane of one channel in this process. Any number of processes may share a broadcast."""

    def __init__(
        self,
        database: Database,
        channel: str,
        *,
        rate: float,
        waiting: Callable[[], int] | None,
        zone: ZoneInfo,
        clock: Callable[[], datetime],
        send: Send,
        recorder: Recorder,
        reached: Callable[[datetime], Select[int] | None] = lambda _now: None,
    ) -> None:
        """`rate` is about how many messages a second the channel takes, `waiting` tells how many wait for a step.

        `reached` are the contacts it reaches now.
        """
        self._database = database
        self._channel = channel
        self._most = max(4, round(rate * IN_HAND.total_seconds()))
        self._waiting = waiting
        self._zone = zone
        self._clock = clock
        self._send = send
        self._recorder = recorder
        self._reached = reached
        self._in_hand: dict[asyncio.Task[None], int] = {}
        self._later: dict[int, datetime] = {}
        self._ended_some = asyncio.Event()
        self._look_at = 0
        self._words: OrderedDict[tuple[int, int, str], Outgoing] = OrderedDict()

    async def round(self) -> int:
        """Send what is due, for a few seconds at most; returns how many rows were looked at, 0 if nothing is due."""
        began, seen = self._clock(), 0
        try:
            while self._clock() - began < ROUND:
                room = self._room()
                if room * 2 < self._most:
                    await self._wait()
                    continue
                found = await self._some(room)
                seen += found
                if not found:
                    if not self._in_hand:
                        return seen
                    await asyncio.wait(self._in_hand, timeout=IN_HAND.total_seconds())
        except asyncio.CancelledError:
            await self.finish(IN_HAND.total_seconds() * 2)
            raise
        return seen or len(self._in_hand)

    async def finish(self, seconds: float) -> None:
        """Let what is in hand go out, but not for longer than `seconds`."""
        if self._in_hand:
            _done, late = await asyncio.wait(self._in_hand, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _room(self) -> int:
        """How many more may be claimed: not those count that the platform has, within reason, but those that wait."""
        if self._waiting is None:
            return self._most - len(self._in_hand)
        return min(self._most - self._waiting(), _MOST_OUT * self._most - len(self._in_hand))

    async def _wait(self) -> None:
        """Wait until there may be room again."""
        self._ended_some.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(_GLANCE):
                await self._ended_some.wait()

    async def _some(self, room: int) -> int:
        """Claim some rows and start sending; returns how many were claimed."""
        now = self._clock()
        async with self._database.reading() as db:
            broadcasts = await claims.sending(db, self._channel, now)
            is_loose = not broadcasts and await self._is_any_loose(db, now)
        for broadcast in broadcasts:
            if claimed := await self._claim(broadcast, room, now):
                return claimed
        return await self._claim_loose(room, now) if is_loose else 0

    async def _claim(self, broadcast: Sending, room: int, now: datetime) -> int:
        due = claims.due_of(broadcast.id, self._channel, now)
        async with self._database.writing() as db:
            letters = await claims.claim(db, due, max(room, self._look_at), now)
            screened = await screening.screen(
                db,
                letters,
                category=broadcast.category,
                urgency=broadcast.urgency,
                valid_until=broadcast.valid_until,
                now=now,
                zone=self._zone,
            )
            locales = {locale for _letter, locale in screened.go}
            words = {locale: await self._letter(db, broadcast, locale) for locale in locales}
            ready = [(letter, words[locale], tuple[int, ...]()) for letter, locale in screened.go]
        await self._start(ready, screened.others, room, now)
        self._look_at = min(2 * len(letters), _MOST_LOOKED_AT) if letters and not ready else 0
        return len(letters)

    async def _is_any_loose(self, db: AsyncSession, now: datetime) -> bool:
        if not await claims.is_any_due(db, self._channel, "bulk", now):
            return False
        if await claims.is_paused(db, self._channel, "bulk", now):
            return False
        return await claims.is_any(db, claims.due_letters(self._channel, "bulk", now, self._reached(now)))

    async def _claim_loose(self, room: int, now: datetime) -> int:
        """Bulk rows outside any broadcast: with words of their own, or somebody's digest."""
        async with self._database.writing() as db:
            due = claims.due_letters(self._channel, "bulk", now, self._reached(now))
            letters = await claims.claim(db, due, max(room, self._look_at), now)
            digests = Digests()
            wanting = [letter for letter in letters if "digest" in letter.message]
            await digests.read(db, [letter.contact_id for letter in wanting], now)
            screened = await screening.screen(
                db, wanting, category="", urgency="normal", valid_until=None, now=now, zone=self._zone
            )
        others = screened.others
        ready = [
            (letter, worded(letter.message), tuple[int, ...]()) for letter in letters if "digest" not in letter.message
        ]
        for letter, locale in screened.go:
            said = digests.letter(letter.contact_id, i18n.voice(locale, self._zone))
            if said is None:
                others.append(untried(letter, "expired", now))
            else:
                ready.append((letter, said, digests.rows(letter.contact_id)))
        await self._start(ready, others, room, now)
        self._look_at = min(2 * len(letters), _MOST_LOOKED_AT) if letters and not ready else 0
        return len(letters)

    async def _start(self, ready: Sequence[Ready], others: list[Outcome], room: int, now: datetime) -> None:
        """Send as many as there is room for, each person one at a time; the rest is let go of at once."""
        self._later = {contact: until for contact, until in self._later.items() if until > now}
        busy = {*self._in_hand.values(), *self._later}
        started = 0
        for letter, said, carried in ready:
            if letter.contact_id in busy:
                # Nothing of less urgency may overtake it meanwhile.
                self._later[letter.contact_id] = now + _A_MOMENT
                others.append(untried(letter, "queued", now + _A_MOMENT))
            elif started == room:
                others.append(untried(letter, "queued", now))
            else:
                busy.add(letter.contact_id)
                started += 1
                task = asyncio.create_task(self._send(letter, said, carried))
                self._in_hand[task] = letter.contact_id
                task.add_done_callback(self._ended)
        await self._recorder.record(*others)
        # Those that were started get in line.
        await asyncio.sleep(0)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._in_hand[task]
        if len(self._in_hand) * 2 <= self._most:
            self._ended_some.set()
        if not task.cancelled() and (error := task.exception()):
            # The row has its lease: it is sent again when that ends.
            log.error("outcome not saved", channel=self._channel, error=type(error).__name__)

    async def _letter(self, db: AsyncSession, broadcast: Sending, locale: str) -> Outgoing:
        """The notice in one language, worded once."""
        key = (broadcast.id, broadcast.version, locale)
        if key not in self._words:
            notice = (await db.scalars(select(Notice).where(Notice.id == broadcast.notice_id))).one()
            self._words[key] = notices.letter(notice, i18n.voice(locale, self._zone), broadcast.id)
            if len(self._words) > _KEPT_WORDS:
                self._words.popitem(last=False)
        self._words.move_to_end(key)
        return self._words[key]
