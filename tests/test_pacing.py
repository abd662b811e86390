"""Even steps, who goes first, and one message a second to one person; on a virtual clock."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from bot import pacing
from bot.database import Database
from bot.pacing import LANE, RANK, Held, OwnSteps, Pacer, SharedSteps


class VirtualTime:
    """A clock that moves on when everybody sleeps, who are woken so many seconds late."""

    def __init__(self, late: float = 0.0) -> None:
        self.now = 100.0
        self.late = late
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        # No clock is so fine that nothing passes.
        self._sleepers.append((self.now + max(seconds, 1e-10) + self.late, future))
        await future

    async def run(self, *work: asyncio.Task[Any]) -> None:
        while not all(task.done() for task in work):
            for _ in range(20):
                await asyncio.sleep(0)
            if self._sleepers:
                self._sleepers.sort(key=lambda sleeper: sleeper[0])
                at, future = self._sleepers.pop(0)
                self.now = max(self.now, at)
                if not future.done():
                    future.set_result(None)


async def paced(rate: float, wanted: list[tuple[str, str]], late: float = 0.0) -> list[tuple[float, str, str]]:
    """Ask for all steps at once, each sleep ending `late`; returns when each was let through."""
    time = VirtualTime(late)
    pacer = Pacer(OwnSteps(rate, time), time, time.sleep)
    through: list[tuple[float, str, str]] = []

    async def send(lane: str, person: str) -> None:
        LANE.set(lane)
        answered = await pacer.step(person)
        through.append((time.now, lane, person))
        answered()

    await time.run(*(asyncio.create_task(send(lane, person)) for lane, person in wanted))
    return through


async def test_steps_are_even_and_below_the_rate() -> None:
    through = await paced(29, [("bulk", str(n)) for n in range(100)])
    times = [at for at, _lane, _person in through]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert min(gaps) >= 1 / 29 - 1e-9
    for start in times:
        assert sum(start <= at < start + 1 - 1e-6 for at in times) <= 29


async def test_waking_late_costs_no_steps() -> None:
    through = await paced(29, [("bulk", str(n)) for n in range(300)], late=0.01)
    assert 299 / (through[-1][0] - through[0][0]) >= 28.8


async def test_a_long_delay_is_not_made_good_by_a_burst() -> None:
    through = await paced(29, [("bulk", str(n)) for n in range(100)], late=0.05)
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(through)]
    assert min(gaps) >= 0.5 / 29 - 1e-9


@pytest.mark.parametrize("stalled", [0.0, 0.05, 0.1, 0.15])
async def test_what_is_held_up_on_its_way_does_not_meet_the_next(stalled: float) -> None:
    """The line to the platform stands still for a moment, every four seconds: what left meanwhile arrives together."""
    time = VirtualTime()
    pacer = Pacer(OwnSteps(29, time), time, time.sleep)
    arrivals: list[float] = []

    async def send(n: int) -> None:
        LANE.set("bulk")
        answered = await pacer.step(str(n))
        await time.sleep(0.04 + max(0.0, stalled - (time.now - 2) % 4))
        arrivals.append(time.now)
        await time.sleep(0.04)
        answered()

    await time.run(*(asyncio.create_task(send(n)) for n in range(500)))
    assert min(later - earlier for earlier, later in zip(arrivals, arrivals[30:], strict=False)) >= 1
    assert 499 / (arrivals[-1] - arrivals[0]) >= (28.9 if not stalled else 27.5)


async def test_whom_another_process_tells_something_is_told_a_second_later() -> None:
    class Shared(OwnSteps):
        told = 0

        async def tell(self, person: str, away: float, *, is_answer: bool) -> bool:
            self.told += person == "mei"
            return is_answer or person != "mei" or self.told > 2

    time = VirtualTime()
    pacer = Pacer(Shared(29, time), time, time.sleep)
    through: list[tuple[str, float]] = []

    async def send(lane: str, person: str) -> None:
        LANE.set(lane)
        await pacer.step(person)
        through.append((person, round(time.now - 100, 1)))

    await time.run(*(asyncio.create_task(send("bulk", person)) for person in ("mei", "li")))
    assert through == [("li", 0.0), ("mei", 2.1)]


async def test_a_hold_lets_only_answers_through() -> None:
    time = VirtualTime()
    pacer = Pacer(OwnSteps(29, time), time, time.sleep)

    async def send(lane: str, person: str) -> str:
        LANE.set(lane)
        try:
            await pacer.step(person)
        except Held as held:
            return f"{held.seconds:.0f}"
        return "sent"

    lanes = ("bulk", "bulk", "bulk", "personal", "answer")
    sending = [asyncio.create_task(send(lane, str(n))) for n, lane in enumerate(lanes)]
    await asyncio.sleep(0)
    pacer.hold(60)
    sending.append(asyncio.create_task(send("bulk", "late")))
    await time.run(*sending)
    assert [task.result() for task in sending] == ["60", "60", "60", "60", "sent", "60"]


async def test_an_answer_takes_the_next_step() -> None:
    wanted = [("bulk", str(n)) for n in range(50)] + [("personal", "p")] + [("answer", "a")]
    through = [lane for _at, lane, _person in await paced(29, wanted)]
    assert through[:2] == ["answer", "personal"]


async def test_a_red_notice_goes_before_the_normal_ones() -> None:
    time = VirtualTime()
    pacer = Pacer(OwnSteps(29, time), time, time.sleep)
    through: list[int] = []

    async def send(rank: int, person: str) -> None:
        LANE.set("bulk")
        RANK.set(rank)
        await pacer.step(person)
        through.append(rank)

    await time.run(*(asyncio.create_task(send(rank, str(n))) for n, rank in enumerate([2, 2, 1, 0, 2, 0])))
    assert through == [0, 0, 1, 2, 2, 2]


async def test_one_person_gets_one_a_second_outside_the_answers() -> None:
    through = await paced(29, [("bulk", "mei")] * 4)
    times = [at for at, _lane, _person in through]
    assert [round(at - times[0], 2) for at in times] == [0, 1.05, 2.1, 3.15]


@given(st.lists(st.tuples(st.sampled_from(["answer", "personal", "bulk"]), st.sampled_from("abcdef")), max_size=40))
def test_everybody_gets_through_once_and_never_too_fast(wanted: list[tuple[str, str]]) -> None:
    through = asyncio.run(paced(10, wanted))
    assert sorted((lane, person) for _at, lane, person in through) == sorted(wanted)
    times = sorted(at for at, _lane, _person in through)
    assert all(later - earlier >= 0.1 - 1e-9 for earlier, later in pairwise(times))


async def test_processes_share_their_steps(database: Database) -> None:
    if database.embedded:
        pytest.skip("an embedded database has one process")
    rate, processes = 50.0, [SharedSteps(database, "token", 50.0) for _ in range(3)]
    used: list[float] = []

    async def send(steps: SharedSteps, lane: str) -> None:
        for _ in range(5):
            taken, wait = False, 0.0
            while not taken:
                taken, wait = await steps.take(lane)
                at = await _database_time(database) + wait
                await asyncio.sleep(wait)
            used.append(at)

    lanes = ["answer", "bulk", "bulk"]
    await asyncio.gather(*(send(steps, lane) for steps, lane in zip(processes, lanes, strict=True)))
    assert len(used) == 15
    assert max(used) - min(used) >= 14 / rate - 0.05


async def test_processes_share_the_seconds_of_a_person(database: Database) -> None:
    if database.embedded:
        pytest.skip("an embedded database has one process")
    one, other = (SharedSteps(database, "token", 29.0) for _ in range(2))
    assert await one.tell("mei", 0.0, is_answer=False)
    assert not await other.tell("mei", 0.9, is_answer=False)
    assert await other.tell("li", 0.9, is_answer=False)
    assert await other.tell("mei", 1.1, is_answer=False)
    assert await one.tell("mei", 1.2, is_answer=True)
    assert not await other.tell("mei", 2.1, is_answer=False)


async def test_who_was_told_something_is_forgotten(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    if database.embedded:
        pytest.skip("an embedded database has one process")
    monkeypatch.setattr(pacing, "_SWEEP", 2)
    steps = SharedSteps(database, "token", 29.0)
    await steps.take("bulk")
    await steps.tell("mei", -70.0, is_answer=False)
    await steps.tell("li", 0.0, is_answer=False)
    async with database.reading() as db:
        names = [*await db.scalars(text("SELECT name FROM steps"))]
    assert len(names) == 2
    assert "token" in names
    assert not any("mei" in name or "li" in name for name in names)


async def test_without_steps_nobody_hangs() -> None:
    class Broken:
        rate = 29.0

        async def take(self, lane: str, moved: float = 0.0) -> tuple[bool, float]:
            raise OSError("no database")

        async def tell(self, person: str, away: float, *, is_answer: bool) -> bool:
            return True

    pacer = Pacer(Broken(), lambda: 0.0)
    with pytest.raises(OSError, match="no database"):
        await pacer.step("mei")


async def _database_time(database: Database) -> float:
    async with database.reading() as db:
        return float(await db.scalar(text("SELECT extract(epoch FROM clock_timestamp())")) or 0)
