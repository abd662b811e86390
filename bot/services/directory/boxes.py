"""The space that places lie in, cut into boxes: large ones to look through, small ones to ask from."""

from collections.abc import Callable
from dataclasses import dataclass
from math import dist
from typing import NamedTuple

Point = tuple[float, float, float]
Entry = tuple[Point, int]

_MOST_IN_A_GROUP = 64
_MOST_IN_A_CELL = 4
_SHORTEST_EDGE_M = 50.0


@dataclass(frozen=True, slots=True)
class Group:
    """Entries that lie together, none farther than `radius` from `centre`."""

    centre: Point
    radius: float
    entries: list[Entry]


class Cell(NamedTuple):
    """A small box that holds a few entries, or none; `edge` is its longest."""

    id: int
    middle: Point
    edge: float


class _Fork(NamedTuple):
    """A box cut in two: what is below `at` along `axis`, and the rest."""

    axis: int
    at: float
    below: "_Box"
    above: "_Box"


_Box = _Fork | Cell


class Boxes:
    """The box around all entries, halved until there is little in each."""

    def __init__(self, entries: list[Entry]) -> None:
        points = [point for point, _number in entries] or [(0.0, 0.0, 0.0)]
        self.groups: list[Group] = []
        self._cells = 0
        self._low, self._high = _corner(min, points), _corner(max, points)
        self._whole = self._grouped(entries, self._low, self._high)

    def cell(self, point: Point) -> Cell | None:
        """The cell around a point; None beyond the outermost entries."""
        x, y, z = point
        (x0, y0, z0), (x1, y1, z1) = self._low, self._high
        if not (x0 <= x <= x1 and y0 <= y <= y1 and z0 <= z <= z1):
            return None
        box = self._whole
        while type(box) is _Fork:
            axis, at, below, above = box
            box = below if point[axis] < at else above
        assert type(box) is Cell
        return box

    def _grouped(self, entries: list[Entry], low: Point, high: Point) -> _Box:
        if len(entries) > _MOST_IN_A_GROUP and dist(low, high) > _SHORTEST_EDGE_M:
            return _halved(entries, low, high, self._grouped)
        if entries:
            points = [point for point, _number in entries]
            centre = _between(_corner(min, points), _corner(max, points))
            self.groups.append(Group(centre, max(dist(centre, point) for point in points), entries))
        return self._celled(entries, low, high)

    def _celled(self, entries: list[Entry], low: Point, high: Point) -> _Box:
        if len(entries) > _MOST_IN_A_CELL and dist(low, high) > _SHORTEST_EDGE_M:
            return _halved(entries, low, high, self._celled)
        self._cells += 1
        return Cell(self._cells, _between(low, high), max(b - a for a, b in zip(low, high, strict=True)))


def _halved(entries: list[Entry], low: Point, high: Point, go_on: Callable[[list[Entry], Point, Point], _Box]) -> _Fork:
    """The two halves of the box from `low` to `high`, cut across its longest edge."""
    edges = [b - a for a, b in zip(low, high, strict=True)]
    axis = edges.index(max(edges))
    at = (low[axis] + high[axis]) / 2
    below = go_on([one for one in entries if one[0][axis] < at], low, _moved(high, axis, at))
    above = go_on([one for one in entries if one[0][axis] >= at], _moved(low, axis, at), high)
    return _Fork(axis, at, below, above)


def _corner(choose: Callable[..., float], points: list[Point]) -> Point:
    xs, ys, zs = zip(*points, strict=True)
    return choose(xs), choose(ys), choose(zs)


def _between(low: Point, high: Point) -> Point:
    return (low[0] + high[0]) / 2, (low[1] + high[1]) / 2, (low[2] + high[2]) / 2


def _moved(corner: Point, axis: int, to: float) -> Point:
    moved = list(corner)
    moved[axis] = to
    return moved[0], moved[1], moved[2]
