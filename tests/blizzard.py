"""A broadcast to many while workers are killed, the platform misbehaves, and riders ask things of their own."""

import asyncio
import itertools
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlalchemy import select, text

from bot.clock import monotonic
from bot.database import Database
from bot.models import Broadcast
from tests import crowd
from tests.program import ROOT, environment, free_port, serving, until
from tests.standins.telegram import Failure, TelegramStandIn
from tests.standins.telegram_calls import Call
from tests.standins.telegram_updates import Person

# Every so many-th rider has blocked the bot.
BLOCKED = 40
_STRANGERS = 9_000_000_001
_PATIENCE = 3_600.0


@dataclass
class Blizzard:
    """What is asked of the program, and what was seen from outside. Times are monotonic seconds."""

    recipients: int
    rate: float
    per_second: int
    kills: list[float] = field(default_factory=list)
    takeovers: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    sent: Counter[int] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)
    throttled: list[float] = field(default_factory=list)
    states: dict[str, int] = field(default_factory=dict)
    broadcast: str = ""

    @property
    def reachable(self) -> set[int]:
        chats = range(crowd.FIRST_CHAT, crowd.FIRST_CHAT + self.recipients)
        return {chat for chat in chats if chat % BLOCKED}

    def steady(self, settled: float, ends: float) -> list[tuple[float, float]]:
        """The stretches from `settled` seconds after each start to the next kill, the last one until `ends`."""
        starts = [self.times[0], *self.kills]
        return [
            (start + settled, end)
            for start, end in zip(starts, [*self.kills, ends], strict=True)
            if end - start > settled + 5
        ]

    def rates(self, settled: float, ends: float) -> list[float]:
        """Requests a second that the platform let pass, in each steady stretch."""
        stretches = self.steady(settled, ends)
        return [sum(begins <= at < end for at in self.times) / (end - begins) for begins, end in stretches]


@asynccontextmanager
async def blowing(
    folder: Path, database_url: str, *, recipients: int, rate: float, per_second: int
) -> AsyncIterator[tuple["Storm", Blizzard]]:
    """A broadcast to so many riders that is about to begin, a web process, and a platform that misbehaves."""
    database = Database(database_url)
    await crowd.settle(database, recipients)
    number = await crowd.announce(database, "有雪", at=datetime.now(UTC), urgency="red")
    port = free_port()
    async with TelegramStandIn() as telegram:
        telegram.limit(per_second=per_second, per_chat=1)
        telegram.misbehave(_mischief(random.Random(11)))
        settings = {
            "DATABASE_URL": database_url,
            "SECRET_KEY": "a key that all processes have",
            "DEMO": "0",
            "TELEGRAM_TOKEN": telegram.token,
            "TELEGRAM_API_URL": telegram.url,
            "TELEGRAM_RATE": str(rate),
            "PORT": str(port),
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
        }
        seen = Blizzard(recipients, rate, per_second)
        async with serving(folder, command="web", **settings):
            await until(lambda: telegram.webhook)
            storm = Storm(folder, settings, telegram, database, number, seen)
            try:
                yield storm, seen
            finally:
                await storm.ends()
                await database.close()


class Storm:
    """Starts and kills workers, and lets riders ask."""

    def __init__(
        self,
        folder: Path,
        settings: dict[str, str],
        telegram: TelegramStandIn,
        database: Database,
        number: int,
        seen: Blizzard,
    ) -> None:
        self.telegram = telegram
        self._folder = folder
        self._settings = settings
        self._database = database
        self._number = number
        self._seen = seen
        self._worker: asyncio.subprocess.Process | None = None
        self._riders: asyncio.Task[None] | None = None
        self._told: list[Call] = []
        self._looked_at = 0

    async def starts(self) -> None:
        with (self._folder / "worker.log").open("ab") as log:
            self._worker = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bot", "worker"),
                cwd=ROOT,
                env=environment(self._folder, **self._settings),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=log,
            )

    async def is_killed_and_followed(self) -> None:
        """Kill the worker, start another, and wait until it sends."""
        assert self._worker
        self._worker.kill()
        await self._worker.wait()
        at = monotonic()
        self._seen.kills.append(at)
        before = len(self._bulk())
        await self.starts()
        # What the platform had in hand from the killed one is no sign of the next.
        await until(lambda: any(call.at > at for call in self._bulk()[before:]), _PATIENCE)
        self._seen.takeovers.append(monotonic() - at)

    async def has_sent(self, count: int) -> None:
        await until(lambda: len(self._bulk()) >= count, _PATIENCE)

    def riders_ask(self, every: float) -> None:
        """From now on somebody new begins a dialog every so many seconds; how long the answer takes is noted."""
        self._riders = asyncio.create_task(self._ask(every))

    async def leases_end(self) -> None:
        """What killed workers had in hand may be taken by others now, and what failed may be tried again."""
        async with self._database.writing() as db:
            await db.execute(text("UPDATE outbox SET due = now() WHERE state = 'queued'"))

    async def has_left(self, count: int) -> None:
        """Wait until no more than `count` rows are to be sent."""
        query = "SELECT count(*) FROM outbox WHERE broadcast_id IS NOT NULL AND state = 'queued'"
        left = count + 1
        while left > count:
            await asyncio.sleep(0.5)
            async with self._database.reading() as db:
                left = int(await db.scalar(text(query)) or 0)

    async def has_finished(self) -> None:
        """Wait until the broadcast is over."""
        state = ""
        while state != "finished":
            await asyncio.sleep(0.5)
            async with self._database.reading() as db:
                state = str(await db.scalar(select(Broadcast.state).where(Broadcast.id == self._number)))

    async def ends(self) -> None:
        """Stop everything and take down what was seen."""
        if self._riders:
            self._riders.cancel()
            with suppress(asyncio.CancelledError):
                await self._riders
        if self._worker and self._worker.returncode is None:
            self._worker.kill()
            await self._worker.wait()
        seen = self._seen
        seen.sent = Counter(call.chat for call in self._bulk())
        throttled = {id(call) for call in self.telegram.throttled}
        paced = [call for call in self.telegram.calls if call.method.startswith("send") and not call.direct]
        seen.times = [call.at for call in paced if id(call) not in throttled]
        seen.throttled = [call.at for call in self.telegram.throttled]
        async with self._database.reading() as db:
            count = "SELECT state, count(*) FROM outbox WHERE broadcast_id = :number GROUP BY state"
            seen.states = {state: many for state, many in await db.execute(text(count), {"number": self._number})}
            query = select(Broadcast.state).where(Broadcast.id == self._number)
            seen.broadcast = str(await db.scalar(query))

    def _has_answered(self, chat: int, known: int) -> bool:
        return any(call.chat == chat for call in self.telegram.sent[known:])

    def _bulk(self) -> list[Call]:
        """The messages of the broadcast so far."""
        last = crowd.FIRST_CHAT + self._seen.recipients
        sent = self.telegram.sent
        self._told += [call for call in sent[self._looked_at :] if crowd.FIRST_CHAT <= call.chat < last]
        self._looked_at = len(sent)
        return self._told

    async def _ask(self, every: float) -> None:
        for n in itertools.count():
            rider = Person(_STRANGERS + n)
            known, began = len(self.telegram.sent), monotonic()
            await self.telegram.push(rider.says("/report"))
            await until(partial(self._has_answered, rider.chat, known), _PATIENCE)
            self._seen.answers.append(monotonic() - began)
            await asyncio.sleep(every)


def _mischief(dice: random.Random) -> Callable[[Call], Failure | None]:
    def choose(call: Call) -> Failure | None:
        if call.chat >= _STRANGERS:
            return None
        if call.chat % BLOCKED == 0:
            return "blocked"
        thrown = dice.random()
        if thrown < 0.01:
            return "error"
        if thrown < 0.02:
            return "drop"
        return "late" if thrown < 0.03 else None

    return choose
