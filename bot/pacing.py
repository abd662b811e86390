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

# The lane of the message that is being sent, and its rank within; what is sent outside the outbox is an answer.
LANE: ContextVar[str] = ContextVar("lane", default="answer")
RANK: ContextVar[int] = ContextVar("rank", default=0)
# A message that leaves later than its step does not move the steps after it, so that lateness does not add up; only
# what exceeds this part of a step does: messages that come closer together meet the platform's window at its edge.
CATCH_UP = 0.5
# One step is used while the next is asked for: how many may be taken by messages that are no answers.
AHEAD = 2

Sleep = Callable[[float], Awaitable[None]]
Now = Callable[[], float]


class Held(Exception):
    """The platform asked for a rest: nothing but answers may go out for so many `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"held for {seconds:.0f} s")
        self.seconds = seconds


class Steps(Protocol):
    """The steps of one token. Bursts, and exactly the platform's rate, meet its window at the edges; equal
    steps just below it do not.
    """

    rate: float

    async def take(self, lane: str, moved: float = 0.0) -> tuple[bool, float]:
        """Try to take a step; returns whether it is taken, and the seconds to wait before using it or trying again.

        An answer takes the next step, however far the others have come. Personal and bulk messages take it only if it
        is not more than two steps away, so that next to nothing queues ahead of the next answer. `moved` is by how many
        seconds all steps from now on are put off.
        """


class OwnSteps:
    """The steps of a process that is alone: `rate` a second at equal distance."""

    def __init__(self, rate: float, now: Now) -> None:
        self.rate = rate
        self._length = 1 / rate
        self._now = now
        self._next = 0.0

    async def take(self, lane: str, moved: float = 0.0) -> tuple[bool, float]:
        now = self._now()
        step = max(self._next + moved, now)
        if lane != "answer" and step - now > AHEAD * self._length:
            return False, step - now - AHEAD * self._length
        self._next = step + self._length
        return True, step - now


class SharedSteps:
    """The steps of all processes over one PostgreSQL, by its clock."""

    def __init__(self, database: Database, name: str, rate: float) -> None:
        # Each statement is a transaction of its own, in one round trip.
        self._engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
        self.rate = rate
        self._length = 1 / rate
        self._name = name
        self._is_there = False

    async def take(self, lane: str, moved: float = 0.0) -> tuple[bool, float]:
        most = 1e6 if lane == "answer" else AHEAD * self._length
        values = {"name": self._name, "length": self._length, "most": most, "moved": moved}
        async with self._engine.connect() as connection:
            if not self._is_there:
                await connection.execute(_FIRST_STEP, {"name": self._name})
            taken, away, _synced = (await connection.execute(_STEP, values)).one()
        self._is_there = True
        return (True, away) if taken else (False, away - most)


class Pacer:
    """Lets messages through: `answer` before `personal` before `bulk`, within a lane by rank, each with its own step.

    Outside the answer lane one person gets at most one message a second.
    """

    def __init__(self, steps: Steps, now: Now, sleep: Sleep = asyncio.sleep) -> None:
        self.rate = steps.rate
        self._steps = steps
        self._now = now
        self._sleep = sleep
        self._count = 0
        self._held_until = 0.0
        self._waiting: list[tuple[int, int, int, asyncio.Future[None]]] = []
        self._dispatcher: asyncio.Task[None] | None = None
        self._last: dict[str, float] = {}
        self._people: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def step(self, person: str) -> None:
        """Return when a message to this person may go out, in the lane that LANE names; raises Held."""
        lane = LANE.get()
        if lane == "answer":
            await self._queue(lane)
            self._note(person)
            return
        async with self._people.setdefault(person, asyncio.Lock()):
            if (wait := self._last.get(person, -1.0) + 1.0 - self._now()) > 0:
                await self._sleep(wait)
            await self._queue(lane)
            self._note(person)

    @property
    def waiting(self) -> int:
        """How many messages of this process wait for a step."""
        return len(self._waiting)

    def hold(self, seconds: float) -> None:
        """Nothing but answers for so long; who waits for a step is told so at once."""
        self._held_until = max(self._held_until, self._now() + seconds)
        answers = [waiting for waiting in self._waiting if waiting[0] == 0]
        held = [waiting for waiting in self._waiting if waiting[0] != 0]
        self._waiting = answers
        heapq.heapify(answers)
        for *_place, future in held:
            if not future.done():
                future.set_exception(Held(seconds))

    async def _queue(self, lane: str) -> None:
        if lane != "answer" and (seconds := self._held_until - self._now()) > 0:
            raise Held(seconds)
        future = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._waiting, (LANES.index(lane), RANK.get(), self._count, future))
        if self._dispatcher is None or self._dispatcher.done():
            self._dispatcher = asyncio.create_task(self._dispatch())
        await future

    def _note(self, person: str) -> None:
        self._last[person] = now = self._now()
        if len(self._last) > 10_000:
            self._last = {who: at for who, at in self._last.items() if at > now - 1}

    async def _dispatch(self) -> None:
        length, last, moved = 1 / self.rate, 0.0, 0.0
        step: asyncio.Future[float] | None = None
        try:
            while self._waiting:
                due = await (step or self._step(0.0))
                # The next step is asked for meanwhile: a slow database does not slow the sending.
                step, asked = None, 0.0
                if len(self._waiting) > 1:
                    step, asked = asyncio.ensure_future(self._step(moved)), moved
                if (wait := max(due, last + (1 - CATCH_UP) * length) - self._now()) > 0:
                    await self._sleep(wait)
                self._let_go()
                # The message leaves in one of the next rounds of the event loop: if that is held up, it leaves late.
                await asyncio.sleep(0)
                last = self._now()
                moved = max(0.0, last - due - asked - CATCH_UP * length)
        except Exception as error:  # noqa: BLE001 (whatever it is, everybody who waits hears of it)
            # Without steps nobody may go; whoever waits hears of it and their row stays for later.
            self._give_up(error)
        finally:
            if step:
                step.cancel()

    async def _step(self, moved: float) -> float:
        """Take a step for whoever is first in line; returns when it is to be used."""
        while True:
            lane = LANES[self._waiting[0][0]] if self._waiting else "bulk"
            taken, wait = await self._steps.take(lane, moved)
            if taken:
                return self._now() + wait
            moved = 0.0
            await self._sleep(wait)

    def _let_go(self) -> None:
        while self._waiting:
            *_place, future = heapq.heappop(self._waiting)
            if not future.done():
                future.set_result(None)
                return

    def _give_up(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, []
        for *_place, future in waiting:
            if not future.done():
                future.set_exception(error)


_FIRST_STEP = text("INSERT INTO steps (name, next_at) VALUES (:name, now()) ON CONFLICT DO NOTHING")
# A step that a crash of the database forgets costs nothing, so nobody waits for the disk.
_STEP = text(
    "WITH seen AS MATERIALIZED ("
    " SELECT next_at, clock_timestamp() AS at FROM steps WHERE name = CAST(:name AS text) FOR UPDATE"
    "), mine AS ("
    " SELECT greatest(next_at + make_interval(secs => CAST(:moved AS float8)), at) AS step, at FROM seen"
    "), taken AS ("
    " UPDATE steps SET next_at = step + make_interval(secs => CAST(:length AS float8)) FROM mine"
    " WHERE name = CAST(:name AS text) AND step - at <= make_interval(secs => CAST(:most AS float8))"
    " RETURNING next_at"
    ") SELECT EXISTS (SELECT 1 FROM taken), CAST(extract(epoch FROM step - at) AS float8),"
    " set_config('synchronous_commit', 'off', true) FROM mine"
)
