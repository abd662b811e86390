"""The same 10,000 places for every contender, and the search that the Python peers share."""

import csv
import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

COUNT = 10_000
SHOWN = 5
SOUTH, NORTH, WEST, EAST = 34.6, 35.8, 110.2, 112.1
EARTH_M = 6_371_008.8

_COLUMNS = ("code", "name", "kind", "county", "lat", "lng", "datum", "hours", "amenities", "state")
_KINDS = ("rest_station", "charging", "battery_swap", "canteen", "truckers_home", "merchant")
_AMENITIES = ("hot_water;toilet;rest", "hot_water;microwave", "toilet;wifi", "shower;truck_parking")
_COUNTIES = ("140802", *(str(code) for code in range(140821, 140831)), "140881", "140882")


@dataclass(frozen=True, slots=True)
class Spot:
    """A made-up place; its name holds `mark`, by which an answer is recognised in any encoding."""

    mark: str
    lat: float
    lng: float

    @property
    def name(self) -> str:
        return f"示例站{self.mark}"


@cache
def spots() -> tuple[Spot, ...]:
    """Always the same places: half of them in a dozen towns, half anywhere."""
    random = np.random.default_rng(2026)
    towns = np.column_stack([random.uniform(SOUTH, NORTH, 13), random.uniform(WEST, EAST, 13)])
    near_towns = towns[random.integers(13, size=COUNT // 2)] + random.normal(0, 0.03, (COUNT // 2, 2))
    anywhere = np.column_stack(
        [random.uniform(SOUTH, NORTH, COUNT - COUNT // 2), random.uniform(WEST, EAST, COUNT - COUNT // 2)]
    )
    both = np.round(np.concatenate([near_towns, anywhere]), 6)
    return tuple(Spot(f"S{i:05d}", float(lat), float(lng)) for i, (lat, lng) in enumerate(both))


def positions(count: int, seed: int = 7) -> list[tuple[float, float]]:
    """Where riders stand."""
    random = np.random.default_rng(seed)
    lat, lng = random.uniform(SOUTH, NORTH, count), random.uniform(WEST, EAST, count)
    return [(float(a), float(b)) for a, b in zip(lat, lng, strict=True)]


class Nearest:
    """scipy's tree on unit vectors: what a peer's author would write in ten lines."""

    def __init__(self) -> None:
        self.spots = spots()
        points = np.array([(spot.lat, spot.lng) for spot in self.spots])
        phi, lam = np.radians(points).T
        level = np.cos(phi)
        self._tree = cKDTree(np.column_stack([level * np.cos(lam), level * np.sin(lam), np.sin(phi)]))

    def find(self, lat: float, lng: float, count: int = SHOWN) -> list[tuple[Spot, int]]:
        """The nearest places with their distance in metres."""
        # Plain floats: for one point numpy's functions cost more than the search itself.
        phi, lam = math.radians(lat), math.radians(lng)
        level = math.cos(phi)
        point = (level * math.cos(lam), level * math.sin(lam), math.sin(phi))
        chords, rows = self._tree.query(point, k=count)
        return [
            (self.spots[row], int(2 * EARTH_M * math.asin(chord / 2)))
            for row, chord in zip(rows.tolist(), chords.tolist(), strict=True)
        ]

    def text(self, lat: float, lng: float) -> str:
        """The answer that every peer sends."""
        lines = [f"{n}. {spot.name} {m} m" for n, (spot, m) in enumerate(self.find(lat, lng), 1)]
        return "\n".join(lines)


def write_csv(path: Path) -> None:
    """The places in the format of `nuanxin import places`."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(_COLUMNS)
        for i, spot in enumerate(spots()):
            hours = "24/7" if i % 2 else "Mo-Su 06:00-23:00"
            kind, county = _KINDS[i % len(_KINDS)], _COUNTIES[i % len(_COUNTIES)]
            amenities = _AMENITIES[i % len(_AMENITIES)]
            where = (spot.lat, spot.lng, "wgs84")
            rows.writerow((spot.mark, spot.name, kind, county, *where, hours, amenities, "published"))


def write_json(path: Path) -> None:
    """The places for bots in other languages."""
    path.write_text(json.dumps([{"name": s.name, "lat": s.lat, "lng": s.lng} for s in spots()]), "utf-8")
