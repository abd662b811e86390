"""The spatial index for up to tens of thousands of places: plain Python, quicker here than numpy wakes up."""

import heapq
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import product

from bot.geo import earth_centred
from bot.services.directory.listing import Listing

Point = tuple[float, float, float]
Entry = tuple[float, float, float, int]

_MOST_THICKETS = 500
_MANY = 400
_MOST_SURROUNDINGS = 8_192
_FINEST_M = 250.0
_COARSEST = 17  # 250 m doubled so often is more than the earth: its cells and their neighbours hold everything
_WIDTH = 2**18  # cells along an axis, at most
_AROUND = tuple((i * _WIDTH + j) * _WIDTH + k for i, j, k in product((-1, 0, 1), repeat=3))


class Few:
    """Surveyed listings, by number; searches for the same kinds and amenities share their cells."""

    def __init__(self, listings: Sequence[tuple[int, Listing]]) -> None:
        self._entries = [
            (*earth_centred(listing.lat, listing.lng), number, listing)
            for number, listing in listings
            if listing.lat is not None and listing.lng is not None
        ]
        self._thickets: dict[tuple[frozenset[str], frozenset[str]], Thicket] = {}

    def nearest(
        self,
        point: Point,
        kinds: frozenset[str],
        amenities: frozenset[str],
        limit: int,
        _open_at: datetime | None,
    ) -> Iterator[tuple[float, int]]:
        """Straight metres and numbers, nearest first; `limit` is how many will be asked for at a guess.

        Who is open is left to the caller: here nobody is so many that it would take long.
        """
        thicket = self._thickets.get((kinds, amenities))
        if thicket is None:
            if len(self._thickets) >= _MOST_THICKETS:
                self._thickets.clear()
            fitting = [
                (x, y, z, number)
                for x, y, z, number, listing in self._entries
                if (not kinds or listing.kind in kinds) and amenities <= listing.amenities
            ]
            thicket = self._thickets[kinds, amenities] = Thicket(fitting)
        return thicket.nearest(point, limit)


class Thicket:
    """Points in cubes of doubling size, each size laid out when it is first needed.

    Whoever asks from within the same finest cube looks at the same surroundings first, so these are kept.
    """

    def __init__(self, entries: list[Entry]) -> None:
        self._entries = entries
        self._sizes: dict[int, Callable[[int], list[Entry] | None]] = {}
        self._surroundings: dict[tuple[int, int], tuple[int, list[Entry]]] = {}

    def nearest(self, point: Point, limit: int) -> Iterator[tuple[float, int]]:
        x, y, z = point
        size, held = self._first_look(point, limit)
        reached = -1.0
        while True:
            # The cubes around one's own hold everything within their edge's length.
            edge = math.inf if len(held) == len(self._entries) else (_FINEST_M * 2**size) ** 2
            found = [
                (squared, number)
                for px, py, pz, number in held
                if reached < (squared := (px - x) * (px - x) + (py - y) * (py - y) + (pz - z) * (pz - z)) <= edge
            ]
            if len(found) > _MANY:
                # From far away a whole city comes at once, and nobody asks for the end of it.
                head = heapq.nsmallest(_MANY // 4, found)
                for squared, number in head:
                    yield math.sqrt(squared), number
                found = [one for one in found if one > head[-1]]
            found.sort()
            for squared, number in found:
                yield math.sqrt(squared), number
            if edge == math.inf:
                return
            size, reached = size + 1, edge
            held = self._around(size, point)

    def _first_look(self, point: Point, limit: int) -> tuple[int, list[Entry]]:
        """The smallest size whose cubes around the point's hold enough, and what they hold."""
        key = (_cube(point, _FINEST_M), limit)
        known = self._surroundings.get(key)
        if known is None:
            size, held = 0, self._around(0, point)
            # A circle that fits into the cubes has a third of their area.
            while len(held) < 2 * limit and size < _COARSEST and len(held) < len(self._entries):
                size = min(size + (1 if len(held) > limit // 2 else 2), _COARSEST)
                held = self._around(size, point)
            if len(self._surroundings) >= _MOST_SURROUNDINGS:
                self._surroundings.clear()
            known = self._surroundings[key] = size, held
        return known

    def _around(self, size: int, point: Point) -> list[Entry]:
        """What lies in a point's cube and in its neighbours."""
        cube = self._sizes.get(size) or self._laid_out(size)
        own = _cube(point, _FINEST_M * 2**size)
        return [entry for step in _AROUND for entry in cube(own + step) or ()]

    def _laid_out(self, size: int) -> Callable[[int], list[Entry] | None]:
        cubes: defaultdict[int, list[Entry]] = defaultdict(list)
        edge = _FINEST_M * 2**size
        for entry in self._entries:
            cubes[_cube(entry[:3], edge)].append(entry)
        self._sizes[size] = cubes.get
        return cubes.get


def _cube(point: Point, edge: float) -> int:
    """The number of the cube that holds a point."""
    x, y, z = point
    return (math.floor(x / edge) * _WIDTH + math.floor(y / edge)) * _WIDTH + math.floor(z / edge)
