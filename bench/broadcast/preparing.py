"""What it takes to prepare a broadcast: time, and the memory of the process that does it."""

import asyncio
import json
import resource
import sys
import time
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from bench.processes import ROOT, NotStarted
from bot.database import Database
from bot.services.broadcasts import resolving
from bot.services.broadcasts.audience import Reach
from bot.services.broadcasts.newsroom import Newsroom
from tests import crowd

GOAL_MEGABYTES = 200
# Twice as many people may take so much more than twice as long.
GOAL_GROWTH = 1.3
REACH = Reach(pushing=frozenset({"telegram"}), present=frozenset({"web"}))


async def measure(sizes: tuple[int, ...]) -> list[dict[str, float]]:
    """Seconds and peak memory for each number of riders, each in a process of its own."""
    measured = []
    for riders in sizes:
        async with crowd.scratch("preparing") as url:
            database = Database(url)
            await crowd.settle(database, riders)
            await crowd.announce(database, "有雪")
            await database.close()
            measured.append({"riders": riders} | await _prepare(url))
            print(f"  {riders:,}: {measured[-1]['seconds']:.1f} s, {measured[-1]['megabytes']:.0f} MB", flush=True)
    return measured


def show(measured: list[dict[str, float]]) -> bool:
    table = Table("riders", "seconds", "µs each", "peak memory", title="preparing a broadcast")
    for one in measured:
        each = one["seconds"] / one["riders"] * 1e6
        table.add_row(f"{one['riders']:,.0f}", f"{one['seconds']:.2f}", f"{each:.0f}", f"{one['megabytes']:.0f} MB")
    Console().print(table)
    largest = max(one["megabytes"] for one in measured)
    first, last = measured[0], measured[-1]
    growth = (last["seconds"] / last["riders"]) / (first["seconds"] / first["riders"])
    print(f"  {_met(largest < GOAL_MEGABYTES)}  {largest:.0f} MB at most (goal {GOAL_MEGABYTES})")
    print(f"  {_met(growth < GOAL_GROWTH)}  each costs {growth:.2f} times as much among the most (goal {GOAL_GROWTH})")
    return largest < GOAL_MEGABYTES and growth < GOAL_GROWTH


async def _prepare(url: str) -> dict[str, float]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.broadcast.preparing", url), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    out, _err = await process.communicate()
    if process.returncode:
        raise NotStarted(f"preparing ended with status {process.returncode}")
    said: dict[str, float] = json.loads(out.splitlines()[-1])
    return said


async def _prepared(url: str) -> None:
    database = Database(url)
    began = time.perf_counter()
    await resolving.begin_due(database, crowd.NOW, Newsroom(REACH, ZoneInfo("Asia/Shanghai")))
    rows = 0
    while found := await resolving.resolve(database, REACH, crowd.NOW):
        rows += found
    seconds = time.perf_counter() - began
    await database.close()
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"rows": rows, "seconds": seconds, "megabytes": kilobytes / 1024}))


def _met(is_met: bool) -> str:
    return "met   " if is_met else "MISSED"


if __name__ == "__main__":
    asyncio.run(_prepared(sys.argv[1]))
