"""The program tells many riders something while its workers are killed and the platform misbehaves."""

import asyncio
from pathlib import Path

from tests.blizzard import BLOCKED, blowing
from tests.program import run
from tests.test_program_faults import empty_postgres

__all__ = ["empty_postgres"]
RECIPIENTS, KILLS, RATE = 300, 2, 60.0
# What one process has in hand: half a second of the rate.
IN_HAND = round(RATE / 2)


async def test_nobody_is_lost_and_hardly_anybody_is_told_twice(tmp_path: Path, empty_postgres: str) -> None:
    settings = {"DATABASE_URL": empty_postgres, "SECRET_KEY": "a key that all processes have", "DEMO": "0"}
    assert (await run(tmp_path, "migrate", **settings))[0] == 0
    async with blowing(tmp_path, empty_postgres, recipients=RECIPIENTS, rate=RATE, per_second=75) as (storm, seen):
        await storm.starts()
        await storm.has_sent(20)
        storm.riders_ask(every=0.1)
        for n in range(1, KILLS + 1):
            await storm.has_sent(80 * n)
            await storm.is_killed_and_followed()
        async with asyncio.timeout(90):
            await storm.has_left(KILLS * IN_HAND + 20)
            ending = asyncio.create_task(storm.has_finished())
            while not ending.done():
                await storm.leases_end()
                await asyncio.wait([ending], timeout=0.5)
    blocked = RECIPIENTS - len(seen.reachable)
    assert blocked == RECIPIENTS // BLOCKED or blocked == RECIPIENTS // BLOCKED + 1
    assert set(seen.sent) == seen.reachable
    assert sum(seen.sent.values()) - len(seen.sent) <= KILLS * IN_HAND
    assert seen.states == {"sent": len(seen.reachable), "stopped": blocked}
    assert seen.broadcast == "finished"
    assert seen.throttled == []
    assert max(seen.takeovers) < 20
    assert len(seen.answers) > 5
