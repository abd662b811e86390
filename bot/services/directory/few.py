"""The spatial index for up to tens of thousands of places: plain Python, quicker here than numpy wakes up."""

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from math import dist
from typing import NamedTuple

from bot.geo import earth_centred
from bot.services.directory.boxes import Boxes, Cell, Entry, Group, Point
from bot.services.directory.listing import Listing

_MOST_THICKETS = 200
_MOST_KNOWN = 20_000
_USUAL = 12  # so many neighbours a cell keeps for who asks from its middle, and some more for who asks from a corner
_MOST_NEIGHBOURS = 96
_ROUNDING_M = 1e-3


class Few:
    """Surveyed listings, by number; all searches share the boxes, those for the same kinds and amenities more."""

    def __init__(self, listings: Iterable[tuple[int, Listing]]) -> None:
        self._listings: dict[int, Listing] = {}
        entries: list[Entry] = []
        for number, listing in listings:
            if listing.lat is not None and listing.lng is not None:
                entries.append((earth_centred(listing.lat, listing.lng), number))
                self._listings[number] = listing
        self._boxes = Boxes(entries)
        self._thickets: dict[tuple[frozenset[str], frozenset[str]], Thicket] = {}
        self._known: dict[tuple[Thicket, int], Neighbours] = {}

    def nearest(
        self,
        point: Point,
        kinds: frozenset[str],
        amenities: frozenset[str],
        _limit: int,
        _open_at: datetime | None,
    ) -> Iterator[tuple[float, int]]:
        """Straight metres and numbers, nearest first, for as long as somebody asks.

        Who is open is left to the caller: here nobody is so many that it would take long.
        """
        thicket = self._thickets.get((kinds, amenities))
        if thicket is None:
            if len(self._thickets) >= _MOST_THICKETS:
                self._thickets.clear()
            thicket = self._thickets[kinds, amenities] = Thicket(self._fitting(kinds, amenities), self._known)
        return thicket.nearest(point, self._boxes.cell(point))

    def _fitting(self, kinds: frozenset[str], amenities: frozenset[str]) -> list[Group]:
        def fits(number: int) -> bool:
            listing = self._listings[number]
            return (not kinds or listing.kind in kinds) and amenities <= listing.amenities

        groups = []
        for group in self._boxes.groups:
            if entries := [entry for entry in group.entries if fits(entry[1])]:
                groups.append(Group(group.centre, group.radius, entries))
        return groups


class Neighbours(NamedTuple):
    """Those around an anchor, with their `metres` from it, nearest first.

    All others are at least as far from it as `edge`; as far as `usual` are as many as a search usually asks for.
    """

    anchor: Point
    entries: list[Entry]
    metres: "array[float]"
    usual: float
    edge: float


class Thicket:
    """What fits one kind of search.

    Whoever asks from within a cell finds the neighbours of its middle ready, and sorts only these. From elsewhere,
    and for more than these, whole groups are looked through, the nearest first.
    """

    def __init__(self, groups: list[Group], known: "dict[tuple[Thicket, int], Neighbours]") -> None:
        """`known` are the neighbours found so far, by thicket and cell; all thickets share it."""
        self._groups = groups
        self._known = known

    def nearest(self, point: Point, cell: Cell | None) -> Iterator[tuple[float, int]]:
        """Straight metres and numbers, nearest first; among equals the smallest number."""
        reached = -1.0
        if cell:
            near = self._known.get((self, cell.id)) or self._met(cell, point)
            apart = dist(point, near.anchor) + _ROUNDING_M
            # Who is not within an edge of the anchor is no nearer to the point than that edge less the way between.
            for edge in (min(near.usual + apart, near.edge), near.edge):
                closest = near.entries[: bisect_left(near.metres, edge)]
                settled = edge - apart
                found = [
                    (metres, number) for there, number in closest if reached < (metres := dist(point, there)) <= settled
                ]
                found.sort()
                yield from found
                reached = max(reached, settled)
        if reached < math.inf:
            for metres, number, _there in self._from_groups(point):
                if metres > reached:
                    yield metres, number

    def _met(self, cell: Cell, point: Point) -> Neighbours:
        """The neighbours of the middle of a cell, in which `point` lies."""
        # The middle of a box lies above the ground or below it; the point lies on it.
        scale = math.hypot(*point) / (math.hypot(*cell.middle) or 1.0)
        x, y, z = cell.middle
        anchor = (x * scale, y * scale, z * scale)
        entries, distances = list[Entry](), array("d")
        usual = edge = math.inf
        for metres, number, there in self._from_groups(anchor):
            if metres > usual + cell.edge or len(entries) == _MOST_NEIGHBOURS:
                edge = metres
                break
            entries.append((there, number))
            distances.append(metres)
            if len(entries) == _USUAL:
                usual = metres
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        met = self._known[self, cell.id] = Neighbours(anchor, entries, distances, usual, edge)
        return met

    def _from_groups(self, point: Point) -> Iterator[tuple[float, int, Point]]:
        """Straight metres, numbers and points, nearest first.

        No point of a group is nearer than its centre less its radius.
        """
        bounds = [dist(point, group.centre) - group.radius - _ROUNDING_M for group in self._groups]
        order = sorted(range(len(bounds)), key=bounds.__getitem__)
        found: list[tuple[float, int, Point]] = []
        looked, step = 0, 2
        while looked < len(order):
            for n in order[looked : looked + step]:
                found += [(dist(point, there), number, there) for there, number in self._groups[n].entries]
            looked, step = looked + step, 2 * step
            found.sort()
            settled = bisect_left(found, (bounds[order[looked]],)) if looked < len(order) else len(found)
            yield from islice(found, settled)
            del found[:settled]
