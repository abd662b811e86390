"""The codes and positions of one file, kept on disk: however long the file is, memory holds little of it."""

import math
import sqlite3
from dataclasses import dataclass

from bot.geo import distance_m

NEAR_M = 25
_METRES_PER_DEGREE = 111_320
_CELL = NEAR_M / _METRES_PER_DEGREE
# Among so many that stand together, one more is noticed whether all of them are remembered or not.
_KEPT_PER_CELL = 8
# Cells are numbered from west to east, row by row; a row has half as many, so that its end touches no other row.
_CELLS_PER_ROW = 1 << 22
_TABLES = """
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    CREATE TABLE codes (code TEXT PRIMARY KEY, row INTEGER) WITHOUT ROWID;
    CREATE TABLE spots (
        cell INTEGER, row INTEGER, code TEXT, lat REAL, lng REAL, PRIMARY KEY (cell, row)
    ) WITHOUT ROWID;
    BEGIN;
"""
_AROUND = "SELECT cell, row, code, lat, lng FROM spots WHERE " + " OR ".join(["cell BETWEEN ? AND ?"] * 3)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A place of the file: how many metres away it is, its row and its code."""

    metres: float
    row: int
    code: str


class Index:
    """What a file holds, by code and by position (WGS-84), in a database of its own that ends with it."""

    def __init__(self) -> None:
        # One call after the other, though not always from the same thread.
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.executescript(_TABLES)

    def close(self) -> None:
        self._db.close()

    def row_of(self, code: str) -> int | None:
        """The row with this code."""
        found = self._db.execute("SELECT row FROM codes WHERE code = ?", (code,)).fetchone()
        return int(found[0]) if found else None

    def add(self, code: str, row: int) -> int | None:
        """Keep the row of a code, unless another row has it: that one is returned."""
        added = self._db.execute("INSERT INTO codes VALUES (?, ?) ON CONFLICT DO NOTHING", (code, row))
        return None if added.rowcount else self.row_of(code)

    def place(self, code: str, row: int, lat: float, lng: float) -> list[Neighbour]:
        """Keep where a row's place is; returns those that stand near it already, as `near` does."""
        down, across = _cell(lat, lng)
        cell = down * _CELLS_PER_ROW + across
        around = self._around(lat, lng)
        if sum(spot[0] == cell for spot in around) < _KEPT_PER_CELL:
            self._db.execute("INSERT INTO spots VALUES (?, ?, ?, ?, ?)", (cell, row, code, lat, lng))
        return _nearest(around, lat, lng)

    def near(self, lat: float, lng: float) -> list[Neighbour]:
        """Those within 25 m, the nearest first; of a crowd, its first few."""
        return _nearest(self._around(lat, lng), lat, lng)

    def _around(self, lat: float, lng: float) -> list[tuple[int, int, str, float, float]]:
        """What stands in this cell and those beside it."""
        down, across = _cell(lat, lng)
        reach = math.ceil(1 / max(math.cos(math.radians(lat)), 0.02))
        bounds = []
        for row in (down - 1, down, down + 1):
            middle = row * _CELLS_PER_ROW + across
            bounds += [middle - reach, middle + reach]
        return self._db.execute(_AROUND, bounds).fetchall()


def _nearest(around: list[tuple[int, int, str, float, float]], lat: float, lng: float) -> list[Neighbour]:
    found = [
        Neighbour(metres, row, code)
        for _cell, row, code, there_lat, there_lng in around
        if (metres := distance_m(lat, lng, there_lat, there_lng)) <= NEAR_M
    ]
    return sorted(found, key=lambda neighbour: neighbour.metres)


def _cell(lat: float, lng: float) -> tuple[int, int]:
    """Cells are squares at the equator and narrower towards the poles, where `near` looks further across."""
    return math.floor(lat / _CELL), math.floor(lng / _CELL)
