"""The loops that keep a process working, their leases, and the signs of life that they leave."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Database, insert
from bot.models import Heartbeat, Lease

log = structlog.get_logger(__name__)

BEAT_EVERY = 10.0
# A loop that left no sign for this long does not run.
SILENCE = timedelta(seconds=60)
LEASE_LASTS = timedelta(seconds=5)

# One round of a loop; a number above zero means that more may be waiting.
Step = Callable[[], Awaitable[int | None]]


@dataclass(frozen=True, slots=True)
class Sign:
    """The last sign of life of a loop."""

    at: datetime
    ok: bool
    detail: str = ""


class Loops:
    """Runs loops until they are stopped; one that fails says so, waits and goes on."""

    def __init__(self, database: Database, clock: Callable[[], datetime], holder: str) -> None:
        self._database = database
        self._clock = clock
        self._holder = holder
        self.signs: dict[str, Sign] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(
        self, name: str, step: Step, *, every: float, wake: asyncio.Event | None = None, alone: bool = False
    ) -> None:
        """Run `step` every so many seconds, sooner when woken; `alone` in one process at a time only."""
        self._tasks.append(asyncio.create_task(self._run(name, step, every, wake or asyncio.Event(), alone), name=name))

    def start_task(self, name: str, run: Callable[[], Awaitable[None]], *, alone: bool = False) -> None:
        """Run something that goes on by itself and beats by `beat`; started again if it ends."""

        async def step() -> None:
            await run()

        self.start(name, step, every=1.0, alone=alone)

    def start_beating(self) -> None:
        """Write the signs of life to the database from now on."""
        self._tasks.append(asyncio.create_task(self._write_signs(), name="heartbeat"))

    def beat(self, name: str, ok: bool = True, detail: str = "") -> None:
        """Leave a sign of life for loop `name`."""
        self.signs[name] = Sign(self._clock(), ok, detail)

    async def stop(self) -> None:
        """Stop every loop; what was under way in a transaction is undone."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, name: str, step: Step, every: float, wake: asyncio.Event, alone: bool) -> None:
        failures = 0
        while True:
            wake.clear()
            more: int | None = 0
            try:
                if not alone:
                    more = await step()
                elif await self._holds(name):
                    more = await self._while_held(name, step)
                self.beat(name)
                failures = 0
            except Exception as error:
                failures += 1
                log.exception("loop failed", loop=name)
                self.beat(name, False, type(error).__name__)
            if not more:
                try:
                    async with asyncio.timeout(every * min(2**failures, 30)):
                        await wake.wait()
                except TimeoutError:
                    continue

    async def _while_held(self, name: str, step: Step) -> int | None:
        """Run a step and keep its lease; give the step up if the lease is lost."""
        running = asyncio.ensure_future(step())
        try:
            while not running.done():
                await asyncio.wait([running], timeout=LEASE_LASTS.total_seconds() / 3)
                if not running.done() and not await self._holds(name):
                    return 0
            return running.result()
        finally:
            running.cancel()
            # It may still have something in hand to finish.
            await asyncio.gather(running, return_exceptions=True)

    async def _holds(self, name: str) -> bool:
        now = self._clock()
        mine = {"holder": self._holder, "until": now + LEASE_LASTS}
        async with self._database.writing() as db:
            taken = await db.execute(
                insert(db, Lease)
                .values(name=name, **mine)
                .on_conflict_do_update(
                    index_elements=["name"],
                    set_=mine,
                    where=or_(Lease.holder == self._holder, Lease.until < now),
                )
                .returning(Lease.name)
            )
            return taken.first() is not None

    async def _write_signs(self) -> None:
        written: Mapping[str, Sign] = {}
        while True:
            signs = dict(self.signs)
            fresh = {name: sign for name, sign in signs.items() if written.get(name) != sign}
            try:
                if fresh:
                    async with self._database.writing() as db:
                        await keep_signs(db, fresh)
                    written = signs
            except Exception:
                log.exception("heartbeat failed")
            await asyncio.sleep(BEAT_EVERY)


async def keep_signs(db: AsyncSession, signs: Mapping[str, Sign]) -> None:
    """Write signs of life, one statement for all."""
    rows = [{"loop": name, "at": sign.at, "ok": sign.ok, "detail": sign.detail} for name, sign in signs.items()]
    statement = insert(db, Heartbeat).values(rows)
    new = statement.excluded
    values = {"at": new.at, "ok": new.ok, "detail": new.detail}
    await db.execute(statement.on_conflict_do_update(index_elements=["loop"], set_=values))


async def signs_of_life(db: AsyncSession, now: datetime) -> dict[str, Sign]:
    """The last sign of every loop of every process; one that has been silent is not ok."""
    signs = {}
    for beat in await db.scalars(select(Heartbeat)):
        silent = now - beat.at > SILENCE
        detail = "no sign of life" if silent else beat.detail
        signs[beat.loop] = Sign(beat.at, beat.ok and not silent, detail)
    return signs
