"""Even steps: how often one token may send, and who goes first when several lanes wait."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Protocol
from weakref import WeakValueDictionary

from sqlalchemy import text

from bot.database import Database
from bot.outbox import LANES

# The lane of the message that is being sent, and its rank within; what is sent outside the outbox is an answer.
LANE: ContextVar[str] = ContextVar("lane", default="answer")
RANK: ContextVar[int] = ContextVar("rank", default=0)
# A message that arrives later than its step does not move the steps after it, so that lateness does not add up; only
# what exceeds this part of a step does: messages that come closer together meet the platform's window at its edge.
CATCH_UP = 0.5
# One step is used while the next is asked for: how many may be taken by messages that are no answers.
AHEAD = 2
# So many steps are the most that one late message moves the others: no more can have come together.
FARTHEST = AHEAD + 2
# Who answers by so much later than usual was thinking: the message was not on its way for so long.
THINKING = 0.25
# Of the fastest answer lately, so much is forgotten with each slower one.
FORGETTING = 0.02
# How far apart two messages to one person are: a second, and what one may be slower than the other on its way.
APART = 1.05

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

    async def tell(self, person: str, away: float, *, is_answer: bool) -> bool:
        """Note that somebody is told something in so many seconds; false if another process does so at about that time.

        An answer is always noted.
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

    async def tell(self, person: str, away: float, *, is_answer: bool) -> bool:
        return True


class SharedSteps:
    """The steps of all processes over one PostgreSQL, by its clock."""

    def __init__(self, database: Database, name: str, rate: float) -> None:
        # Each statement is a transaction of its own, in one round trip.
        self._engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
        self.rate = rate
        self._length = 1 / rate
        self._name = name
        self._is_there = False
        self._told = 0

    async def take(self, lane: str, moved: float = 0.0) -> tuple[bool, float]:
        most = 1e6 if lane == "answer" else AHEAD * self._length
        values = {"name": self._name, "length": self._length, "most": most, "moved": moved}
        async with self._engine.connect() as connection:
            if not self._is_there:
                await connection.execute(_FIRST_STEP, {"name": self._name})
            taken, away, _synced = (await connection.execute(_STEP, values)).one()
        self._is_there = True
        return (True, away) if taken else (False, away - most)

    async def tell(self, person: str, away: float, *, is_answer: bool) -> bool:
        who = blake2b(person.encode(), digest_size=8).hexdigest()
        values = {"name": f"{self._name}:{who}", "away": away, "apart": APART, "is_answer": is_answer}
        self._told += 1
        async with self._engine.connect() as connection:
            if self._told % _SWEEP == 0:
                await connection.execute(_FORGET, {"names": f"{self._name}:%"})
            return (await connection.execute(_TELL, values)).first() is not None


class _ToldElsewhere(Exception):
    """Another process tells this person something at about the same time."""


# To be called when the platform has answered.
Arrived = Callable[[], None]


@dataclass(order=True, slots=True)
class _Place:
    """Somebody's place in the line. `told` gives the time of their step, or is raised in them."""

    lane: int
    rank: int
    number: int
    person: str = field(compare=False)
    told: asyncio.Future[float] = field(compare=False)


class Pacer:
    """Lets messages through: `answer` before `personal` before `bulk`, within a lane by rank, each with its own step.

    Outside the answer lane one person gets at most one message a second.
    """

    def __init__(self, steps: Steps, now: Now, sleep: Sleep = asyncio.sleep) -> None:
        self.rate = steps.rate
        self._steps = steps
        self._length = 1 / steps.rate
        self._now = now
        self._sleep = sleep
        self._count = 0
        self._held_until = 0.0
        self._waiting: list[_Place] = []
        self._dispatcher: asyncio.Task[None] | None = None
        self._last: dict[str, float] = {}
        self._people: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._fastest = THINKING
        # By how much this process has moved the steps in all, and is to move them with the next.
        self._moved = 0.0
        self._to_move = 0.0

    async def step(self, person: str) -> Arrived:
        """Return when a message to this person may go out, in the lane that LANE names; raises Held.

        What is returned says that it arrived: one that was long on its way meets those after it, so they are put off.
        """
        if LANE.get() == "answer":
            return await self._queue(person)
        async with self._people.setdefault(person, asyncio.Lock()):
            while True:
                if (wait := self._last.get(person, -APART) + APART - self._now()) > 0:
                    await self._sleep(wait)
                with suppress(_ToldElsewhere):
                    return await self._queue(person)
                self._note(person)

    @property
    def waiting(self) -> int:
        """How many messages of this process wait for a step."""
        return len(self._waiting)

    def hold(self, seconds: float) -> None:
        """Nothing but answers for so long; who waits for a step is told so at once."""
        self._held_until = max(self._held_until, self._now() + seconds)
        held = [place for place in self._waiting if place.lane]
        self._waiting = [place for place in self._waiting if not place.lane]
        heapq.heapify(self._waiting)
        for place in held:
            self._let_go(place, 0.0)

    async def _queue(self, person: str) -> Arrived:
        lane = LANE.get()
        if lane != "answer" and (seconds := self._held_until - self._now()) > 0:
            raise Held(seconds)
        self._count += 1
        told: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, _Place(LANES.index(lane), RANK.get(), self._count, person, told))
        if self._dispatcher is None or self._dispatcher.done():
            self._dispatcher = asyncio.create_task(self._dispatch())
        due = await told
        self._note(person)
        return partial(self._arrived, due, self._now(), self._moved)

    def _note(self, person: str) -> None:
        self._last[person] = now = self._now()
        if len(self._last) > 10_000:
            self._last = {who: at for who, at in self._last.items() if at > now - APART}

    def _arrived(self, due: float, left: float, moved: float) -> None:
        """Put the steps off by what a message that was due then is later than others are."""
        took = self._now() - left
        self._fastest = min(took, self._fastest + (took - self._fastest) * FORGETTING)
        slower = took - self._fastest
        late = left - due + (slower if slower < THINKING else 0.0)
        # What came late since then has moved the steps for this one, too.
        late -= self._moved - moved + CATCH_UP * self._length
        if late > 0:
            late = min(late, FARTHEST * self._length)
            self._moved += late
            self._to_move += late

    async def _dispatch(self) -> None:
        last = 0.0
        step: asyncio.Future[float] | None = None
        try:
            while self._waiting:
                due = await (step or self._step())
                place = await self._first_who_may(due)
                # The next step is asked for meanwhile: a slow database does not slow the sending.
                step = asyncio.ensure_future(self._step()) if self._waiting else None
                if place is None:
                    continue
                if (wait := max(due, last + (1 - CATCH_UP) * self._length) - self._now()) > 0:
                    await self._sleep(wait)
                self._let_go(place, due)
                # The message leaves in one of the next rounds of the event loop.
                await asyncio.sleep(0)
                last = self._now()
        except Exception as error:  # noqa: BLE001 (whatever it is, everybody who waits hears of it)
            # Without steps nobody may go; whoever waits hears of it and their row stays for later.
            self._give_up(error)
        finally:
            if step:
                step.cancel()

    async def _step(self) -> float:
        """Take a step for whoever is first in line; returns when it is to be used."""
        while True:
            lane = LANES[self._waiting[0].lane] if self._waiting else "bulk"
            moved, self._to_move = self._to_move, 0.0
            taken, wait = await self._steps.take(lane, moved)
            if taken:
                return self._now() + wait
            self._to_move += moved
            await self._sleep(wait)

    async def _first_who_may(self, due: float) -> _Place | None:
        """Take the first out of the line whom no other process tells something at about the same time."""
        while self._waiting:
            place = heapq.heappop(self._waiting)
            if place.told.done():
                continue
            try:
                may = await self._steps.tell(place.person, due - self._now(), is_answer=not place.lane)
            except Exception:
                heapq.heappush(self._waiting, place)
                raise
            if may:
                return place
            if not place.told.done():
                place.told.set_exception(_ToldElsewhere())
        return None

    def _let_go(self, place: _Place, due: float) -> None:
        if place.told.done():
            return
        if place.lane and (seconds := self._held_until - self._now()) > 0:
            place.told.set_exception(Held(seconds))
        else:
            place.told.set_result(due)

    def _give_up(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, []
        for place in waiting:
            if not place.told.done():
                place.told.set_exception(error)


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
# The people have steps of their own, as long as these matter.
_TELL = text(
    "INSERT INTO steps (name, next_at) VALUES ("
    " CAST(:name AS text), clock_timestamp() + make_interval(secs => CAST(:away AS float8) + CAST(:apart AS float8)))"
    " ON CONFLICT (name) DO UPDATE SET next_at = excluded.next_at WHERE CAST(:is_answer AS boolean)"
    " OR steps.next_at <= excluded.next_at - make_interval(secs => CAST(:apart AS float8))"
    " RETURNING set_config('synchronous_commit', 'off', true)"
)
_FORGET = text(
    "DELETE FROM steps WHERE name IN (SELECT name FROM steps WHERE name LIKE CAST(:names AS text)"
    " AND next_at < now() - interval '1 minute' FOR UPDATE SKIP LOCKED)"
)
# So many messages later the people of before are forgotten.
_SWEEP = 1_000
