"""How long the program takes from its start to its first answer, and how much memory it then holds."""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

from bench.processes import ROOT, NotStarted, Program, free_port, on_load_core

GOAL_SECONDS = 2.0
GOAL_MEGABYTES = 150.0
PATIENCE = 60.0
SEARCHES = 1_000


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the start of the process, bytes of resident memory with children.

    `held_up` is for how much of the time to the first answer other programs had the core.
    """

    page: float
    answer: float
    held_up: float
    stop: float
    resident: int
    resident_after: int
    searched: float


def main(arguments: Sequence[str] = ()) -> int:
    """Measures and prints; the exit status is 1 if the program did not start."""
    parser = argparse.ArgumentParser(prog="python -m bench startup", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer searches")
    searches = 200 if parser.parse_args(arguments).quick else SEARCHES
    if not (ROOT / "bot" / "__main__.py").exists():
        print("the program cannot be started yet")
        return 1
    with TemporaryDirectory(prefix="nuanxin-bench-") as folder, on_load_core():
        try:
            first = asyncio.run(_start(Path(folder), searches))
            second = asyncio.run(_start(Path(folder), searches))
        except NotStarted as error:
            print(error)
            return 1
    _show(first, second, searches)
    return 0


async def _start(folder: Path, searches: int) -> Start:
    """As `make run` does: one process, SQLite, sample places; the second start finds its database."""
    port = free_port()
    env = {
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": f"sqlite:///{folder / 'nuanxin.db'}",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "DEMO": "1",
        "SECRET_KEY": "bench-secret-key-0123456789abcdef0123456789abcdef",
    }
    address = f"http://127.0.0.1:{port}"
    with Program("nuanxin start", [sys.executable, "-m", "bot", "serve"], env, folder) as program:
        async with aiohttp.ClientSession() as session:
            page = await _page(session, address, program)
            answer = await _first_answer(session, address, program)
            held_up, resident = program.held_up(), program.resident()
            began = time.perf_counter()
            await _search(session, address, searches)
            searched = time.perf_counter() - began
            resident_after = program.resident()
        return Start(page, answer, held_up, program.stop(), resident, resident_after, searched)


async def _page(session: aiohttp.ClientSession, address: str, program: Program) -> float:
    """When the chat page was there."""
    while time.perf_counter() - program.started < PATIENCE:
        program.check()
        try:
            async with session.get(f"{address}/") as response:
                if response.status == 200:
                    return time.perf_counter() - program.started
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.005)
    raise NotStarted(f"no page within {PATIENCE:.0f} s; see {program.log}")


async def _first_answer(session: aiohttp.ClientSession, address: str, program: Program) -> float:
    """When a rider who shares a location on the page was told of places."""
    while time.perf_counter() - program.started < PATIENCE:
        program.check()
        try:
            if await _asks(session, address):
                return time.perf_counter() - program.started
        except (aiohttp.ClientError, TimeoutError):
            await asyncio.sleep(0.02)
    raise NotStarted(f"no answer within {PATIENCE:.0f} s; see {program.log}")


async def _asks(session: aiohttp.ClientSession, address: str) -> bool:
    async with asyncio.timeout(5), session.ws_connect(f"{address}/chat/ws", origin=address) as socket:
        here = {"lat": 35.0228, "lng": 110.9983, "datum": "wgs84"}
        await socket.send_json({"location": here, "key": "first"})
        async for frame in socket:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                return False
            said: dict[str, Any] = frame.json()
            if said.get("places"):
                return True
            if said.get("error") or said.get("done"):
                return False
    return False


async def _search(session: aiohttp.ClientSession, address: str, searches: int) -> None:
    """Different places, kinds and amenities, one after the other."""
    kinds = ("", "&kind=charging", "&kind=rest_station&amenity=hot_water", "&amenity=toilet&open=now")
    for n in range(searches):
        lat, lng = 34.6 + n % 100 * 0.012, 110.2 + n * 7 % 190 * 0.01
        query = f"lat={lat:.4f}&lng={lng:.4f}{kinds[n % len(kinds)]}"
        async with session.get(f"{address}/api/v1/places/nearest?{query}") as response:
            await response.read()
            if response.status != 200:
                raise NotStarted(f"a search was answered with status {response.status}")


def _show(first: Start, second: Start, searches: int) -> None:
    titles = ("page", "answer", "held up", "memory", f"after {searches:,}", "a search", "stop")
    print(f"{'':14}" + "".join(f"{title:>12}" for title in titles))
    for name, start in (("first start", first), ("second start", second)):
        cells = (
            f"{start.page:.2f} s",
            f"{start.answer:.2f} s",
            f"{start.held_up:.2f} s",
            f"{start.resident / 1e6:.0f} MB",
            f"{start.resident_after / 1e6:.0f} MB",
            f"{start.searched / searches * 1e3:.2f} ms",
            f"{start.stop:.2f} s",
        )
        print(f"{name:14}" + "".join(f"{cell:>12}" for cell in cells))
    print("\nGoals")
    slowest = max(start.answer - start.held_up for start in (first, second))
    largest = max(first.resident_after, second.resident_after) / 1e6
    print(f"  {_met(slowest < GOAL_SECONDS)}  {slowest:.2f} s to the first answer (goal {GOAL_SECONDS:g})")
    print(f"  {_met(largest < GOAL_MEGABYTES)}  {largest:.0f} MB resident (goal {GOAL_MEGABYTES:g})")


def _met(is_met: bool) -> str:
    return "met   " if is_met else "MISSED"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
