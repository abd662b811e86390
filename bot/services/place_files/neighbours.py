"""Places that stand so close together that they may be one and the same."""

import math
from collections import defaultdict
from dataclasses import dataclass

from bot.geo import distance_m

NEAR_M = 25
# Two points of one cell are always near each other, so that a few of them stand for all.
_CELL_M = NEAR_M / math.sqrt(2)
_KEPT_PER_CELL = 8
_METRES_PER_DEGREE = 111_320


@dataclass(frozen=True, slots=True)
class Spot:
    """A place's code and where it is (WGS-84)."""

    code: str
    lat: float
    lng: float


class Neighbours:
    """Spots by small cells of the earth, so that looking around one costs the same among many."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, int], list[Spot]] = defaultdict(list)

    def add(self, spot: Spot) -> None:
        """Remember a spot; a crowded cell remembers its first few."""
        kept = self._cells[_cell(spot.lat, spot.lng)]
        if len(kept) < _KEPT_PER_CELL:
            kept.append(spot)

    def near(self, lat: float, lng: float) -> list[tuple[float, Spot]]:
        """Distance in metres and spot for those within 25 m, the nearest first."""
        row, column = _cell(lat, lng)
        reach = math.ceil(1.42 / max(math.cos(math.radians(lat)), 0.02))
        found = [
            (metres, spot)
            for down in range(-2, 3)
            for across in range(-reach, reach + 1)
            for spot in self._cells.get((row + down, column + across), ())
            if (metres := distance_m(lat, lng, spot.lat, spot.lng)) <= NEAR_M
        ]
        return sorted(found, key=lambda pair: pair[0])


def _cell(lat: float, lng: float) -> tuple[int, int]:
    """Cells are squares at the equator and narrower towards the poles, where `near` looks further across."""
    side = _CELL_M / _METRES_PER_DEGREE
    return math.floor(lat / side), math.floor(lng / side)
