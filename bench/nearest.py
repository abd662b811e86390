"""The nearest places, among a thousand to a million: ours, a scan of everything, and the bare tree, in one run.

`python -m bench.nearest [--quick]` prints a table for each; ratios compare with the bare tree on the same points.
"""

import gc
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import thread_time
from typing import Any
from zoneinfo import ZoneInfo

import numpy
import psutil  # type: ignore[import-untyped]  # its types are a package of their own
from rich.console import Console
from rich.table import Table
from scipy.spatial import cKDTree

from bot.geo import earth_centred
from bot.services.directory import Directory, Listing
from bot.services.vocabulary import AMENITIES, KINDS

SIZES = (1_000, 100_000, 1_000_000)
QUESTIONS = 2_000
WANTED = 5
CITY = (35.03, 111.0)
HOURS = ("24/7", "Mo-Su 08:00-20:00", "Mo-Fr 09:00-18:00; PH off", "22:00-02:00", "")

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Measured:
    """One way to search: microseconds for every question, and megabytes that it holds."""

    name: str
    micros: list[float]
    megabytes: float | None

    def percentile(self, part: float) -> float:
        return sorted(self.micros)[int(len(self.micros) * part)]


def main(arguments: Sequence[str]) -> int:
    """Measures all of SIZES; `--quick` leaves out the last."""
    console = Console()
    for size in SIZES[:-1] if "--quick" in arguments else SIZES:
        console.print(_table(size, _measured(size)))
    return 0


def _measured(size: int) -> list[Measured]:
    chance = random.Random(size)
    points = [_somewhere(chance) for _ in range(size)]
    asked = [_somewhere(chance) for _ in range(QUESTIONS)]
    pairs = [(chance.choice(KINDS), chance.choice(AMENITIES)) for _ in range(QUESTIONS)]

    before = _megabytes()
    cartesian = numpy.array([earth_centred(*point) for point in points])
    tree = cKDTree(cartesian)
    bare = _megabytes() - before

    before = _megabytes()
    directory = Directory(ZoneInfo("Asia/Shanghai"), demo=True)
    directory.load(_places(points, chance))
    ours = _megabytes() - before

    few = asked[: max(20, min(QUESTIONS, 20_000_000 // size))]
    return [
        Measured("cKDTree alone", _timed(asked, lambda n, at: tree.query(earth_centred(*at), WANTED)), bare),
        Measured("ours, unfiltered", _timed(asked, lambda n, at: directory.nearest(*at, limit=WANTED)), ours),
        Measured(
            "ours, a kind and an amenity",
            _timed(
                asked,
                lambda n, at: directory.nearest(*at, kinds=(pairs[n][0],), amenities=(pairs[n][1],), limit=WANTED),
            ),
            None,
        ),
        Measured("scan of all, numpy", _timed(few, lambda n, at: _scan(cartesian, at)), None),
    ]


def _timed(asked: Sequence[Point], search: Callable[[int, Point], Any]) -> list[float]:
    # Processor time: whatever else this machine does at the moment is not ours to measure.
    for n in range(min(200, len(asked))):
        search(n, asked[n])
    gc.collect()
    gc.disable()
    micros = []
    for n, point in enumerate(asked):
        started = thread_time()
        search(n, point)
        micros.append((thread_time() - started) * 1e6)
    gc.enable()
    return micros


def _scan(points: Any, at: Point) -> Any:
    offsets = points - numpy.array(earth_centred(*at))
    distances = numpy.einsum("ij,ij->i", offsets, offsets)
    nearest = numpy.argpartition(distances, WANTED)[:WANTED]
    return nearest[numpy.argsort(distances[nearest])]


def _places(points: Sequence[Point], chance: random.Random) -> Iterator[Listing]:
    """Places of every kind; half of the amenities are common, the others are offered by one in fifty."""
    common, rare = AMENITIES[::2], AMENITIES[1::2]
    for id, (lat, lng) in enumerate(points, 1):
        amenities = [*chance.sample(common, 4), *(name for name in rare if chance.random() < 0.02)]
        yield Listing(
            id,
            f"bench-{id}",
            f"示例站点 {id}",
            chance.choice(KINDS),
            address=f"示例路 {id} 号",
            lat=lat,
            lng=lng,
            hours=chance.choice(HOURS),
            amenities=frozenset(amenities),
        )


def _somewhere(chance: random.Random) -> Point:
    """In Yuncheng mostly, else anywhere in Shanxi."""
    spread = 0.25 if chance.random() < 0.7 else 1.5
    return CITY[0] + chance.gauss(0, spread), CITY[1] + chance.gauss(0, spread)


def _megabytes() -> float:
    gc.collect()
    return float(psutil.Process().memory_info().rss) / 1e6


def _table(size: int, ways: list[Measured]) -> Table:
    table = Table(
        "processor time", "p50 µs", "p99 µs", "p50 ×tree", "p99 ×tree", "MB", title=f"{WANTED} nearest of {size:,}"
    )
    floor = ways[0]
    for way in ways:
        p50, p99 = way.percentile(0.5), way.percentile(0.99)
        table.add_row(
            way.name,
            f"{p50:,.0f}",
            f"{p99:,.0f}",
            f"{p50 / floor.percentile(0.5):.1f}",
            f"{p99 / floor.percentile(0.99):.1f}",
            "" if way.megabytes is None else f"{way.megabytes:,.0f}",
        )
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
