"""Even steps: how often one token may send, and who goes first when several lanes wait."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Protocol
from weakref import WeakValueDictionary

from sqlalchemy import text

from bot.database import Database
from bot.outbox import LANES

# The lane of the message that is being sent; what is sent outside the outbox is an answer.
LANE: ContextVar[str] = ContextVar("lane", default="answer")

Sleep = Callable[[float], Awaitable[None]]
Now = Callable[[], float]


class Steps(Protocol):
    """The steps of one token. Bursts, and exactly the platform's rate, meet its window at the edges; equal
    steps just below it do not.
    """

    async def take(self, lane: str) -> tuple[bool, float]:
        """Try to take a step; returns whether it is taken, and the seconds to wait before using it or trying again."""


class OwnSteps:
    """The steps of a process that is alone: `rate` a second at equal distance."""

    def __init__(self, rate: float, now: Now) -> None:
        self._length = 1 / rate
        self._now = now
        self._next = 0.0

    async def take(self, lane: str) -> tuple[bool, float]:
        now = self._now()
        if now < self._next:
            return False, self._next - now
        self._next = now + self._length
        return True, 0.0


class SharedSteps:
    """The steps of all processes over one PostgreSQL, by its clock.

    An answer takes the next step, however far the others have come; personal and bulk messages only take one
    that is free now, so that nothing queues ahead of the next answer.
    """

    def __init__(self, database: Database, name: str, rate: float) -> None:
        self._database = database
        self._values = {"name": name, "length": 1 / rate}

    async def take(self, lane: str) -> tuple[bool, float]:
        async with self._database.writing() as db:
            await db.execute(_FIRST_STEP, self._values)
            if lane == "answer":
                return True, max(0.0, float(await db.scalar(_NEXT_STEP, self._values) or 0.0))
            wait = float(await db.scalar(_FREE_STEP, self._values) or 0.0)
            return wait <= 0, max(wait, 0.0)


class Pacer:
    """Lets messages through: `answer` before `personal` before `bulk`, each with a step of its own.

    Outside the answer lane one person gets at most one message a second.
    """

    def __init__(self, steps: Steps, now: Now, sleep: Sleep = asyncio.sleep) -> None:
        self._steps = steps
        self._now = now
        self._sleep = sleep
        self._count = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._dispatcher: asyncio.Task[None] | None = None
        self._last: dict[str, float] = {}
        self._people: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def step(self, person: str) -> None:
        """Return when a message to this person may go out, in the lane that LANE names."""
        lane = LANE.get()
        if lane == "answer":
            await self._queue(lane)
            return
        async with self._people.setdefault(person, asyncio.Lock()):
            if (wait := self._last.get(person, -1.0) + 1.0 - self._now()) > 0:
                await self._sleep(wait)
            await self._queue(lane)
            self._last[person] = self._now()
        if len(self._last) > 10_000:
            self._last = {who: at for who, at in self._last.items() if at > self._now() - 1}

    async def _queue(self, lane: str) -> None:
        future = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._waiting, (LANES.index(lane), self._count, future))
        if self._dispatcher is None or self._dispatcher.done():
            self._dispatcher = asyncio.create_task(self._dispatch())
        await future

    async def _dispatch(self) -> None:
        while self._waiting:
            try:
                taken, wait = await self._steps.take(LANES[self._waiting[0][0]])
                if wait > 0:
                    await self._sleep(wait)
            except Exception as error:  # noqa: BLE001 (whatever it is, everybody who waits hears of it)
                # Without steps nobody may go; whoever waits hears of it and their row stays for later.
                self._give_up(error)
                return
            if taken:
                _lane, _count, future = heapq.heappop(self._waiting)
                if not future.done():
                    future.set_result(None)

    def _give_up(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, []
        for _lane, _count, future in waiting:
            if not future.done():
                future.set_exception(error)


_FIRST_STEP = text("INSERT INTO steps (name, next_at) VALUES (:name, now()) ON CONFLICT DO NOTHING")
_NEXT_STEP = text(
    "UPDATE steps SET next_at = greatest(next_at, clock_timestamp()) + :length * interval '1 second'"
    " WHERE name = :name"
    " RETURNING extract(epoch FROM next_at - clock_timestamp()) - :length"
)
_FREE_STEP = text(
    "WITH seen AS (SELECT next_at, clock_timestamp() AS at FROM steps WHERE name = :name FOR UPDATE),"
    " taken AS (UPDATE steps SET next_at = seen.at + :length * interval '1 second' FROM seen"
    "           WHERE steps.name = :name AND seen.next_at <= seen.at)"
    " SELECT extract(epoch FROM next_at - at) FROM seen"
)
