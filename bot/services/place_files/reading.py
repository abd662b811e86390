"""A places file read and checked, put aside until all of it is known."""

import pickle
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import IO, Any

from bot.geo import distance_m
from bot.i18n import Text, _
from bot.services.city import County
from bot.services.place_files.cells import (
    POSITION,
    BadCell,
    BadPosition,
    Column,
    columns,
    must_be_there,
    position,
    tidy,
)
from bot.services.place_files.index import Index
from bot.services.place_files.readers import BadFile, Row, rows

PORTION = 500
_FAR_M = 150_000
_MOST_SHAPES = 1000

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to say of a row (the header is row 1) and a column; the column may be empty."""

    row: int
    column: str
    reason: Text


class Remarks:
    """What there is to say of a file: all of it is counted, and no more than `most` of it kept."""

    def __init__(self, most: int | None = None) -> None:
        self.kept: list[Remark] = []
        self.count = 0
        self._most = most

    def add(self, remarks: Iterable[Remark]) -> None:
        for remark in remarks:
            self.count += 1
            if self._most is None or len(self.kept) < self._most:
                self.kept.append(remark)


# A good row: its number, its code, the names of the columns that it gives, their values.
Taken = tuple[int, str, tuple[str, ...], tuple[Any, ...]]


class Reading:
    """The rows of one file as typed values: the good ones in `spool`, what is wrong in `rejected`.

    Memory holds a portion of rows and at most `most_remarks` on them of each kind, the `index` is on disk.
    """

    def __init__(
        self,
        path: Path,
        spool: IO[bytes],
        now: datetime,
        counties: Mapping[str, County],
        most_remarks: int | None = None,
    ) -> None:
        self.rejected = Remarks(most_remarks)
        self.warnings = Remarks(most_remarks)
        self.is_broken = False
        self.count = 0
        self.index = Index()
        # Rows that stand beside an earlier one.
        self.beside: set[int] = set()
        self._rows = rows(path)
        self._spool = spool
        self._counties = counties
        self._columns = columns(counties)
        # The other side of the date line may be a day ahead.
        self._latest = (now + timedelta(days=1)).date()
        self._strange: set[str] = set()
        self._shapes: dict[tuple[str, ...], _Shape] = {}

    def close(self) -> None:
        self.index.close()

    def go_on(self) -> float | None:
        """Read another portion: the share of the file that is behind us, or None at its end."""
        share = None
        good = []
        try:
            for row in islice(self._rows, PORTION):
                share = row.share
                if taken := self._checked(row):
                    good.append(taken)
        except BadFile as bad:
            self.rejected.add([Remark(bad.row, bad.column, bad.reason)])
            self.is_broken = True
            share = None
        self.count += len(good)
        pickle.dump(good, self._spool)
        return share

    def portions(self) -> Iterator[list[Taken]]:
        """The good rows again from the start."""
        return unspooled(self._spool)

    def _checked(self, row: Row) -> Taken | None:
        """The row's values, or None if anything in it is wrong."""
        if row.bad_shape is not None:
            self._reject(row.number, [(row.bad_shape, _("the row is not as long as the header"))])
            return None
        shape = self._shape_of(row.cells)
        values = dict(shape.blank)
        faults = list(_read(row.cells, shape, values))
        code = values.get("code")
        if "code" not in row.cells:
            faults.append(("code", _("this column is missing")))
        elif code and (first := self.index.row_of(code) if faults else self.index.add(code, row.number)):
            faults.append(("code", _("row {row} has the same code", row=first)))
        if faults:
            self._reject(row.number, faults)
            return None
        assert isinstance(code, str)
        self._remark_values(row.number, values)
        if values.get("lat") is not None and values.get("state") != "removed":
            self._place(row.number, code, values["lat"], values["lng"])
        return row.number, code, shape.names, tuple(values.values())

    def _reject(self, number: int, faults: Iterable[tuple[str, Text]]) -> None:
        self.rejected.add(Remark(number, column, reason) for column, reason in faults)

    def _warn(self, number: int, column: str, reason: Text) -> None:
        self.warnings.add([Remark(number, column, reason)])

    def _shape_of(self, cells: Mapping[str, str]) -> "_Shape":
        names = tuple(cells)
        if found := self._shapes.get(names):
            return found
        for column in cells.keys() - self._columns.keys() - self._strange - set(POSITION):
            self._strange.add(column)
            self._warn(1, column[:40], _("this column is not known and was left out"))
        if len(self._shapes) >= _MOST_SHAPES:
            self._shapes.clear()
        shape = self._shapes[names] = _shape(cells, self._columns)
        return shape

    def _place(self, number: int, code: str, lat: float, lng: float) -> None:
        if near := self.index.place(code, number, lat, lng):
            self.beside.add(number)
            self.warnings.add([beside(number, near[0].metres, near[0].code)])

    def _remark_values(self, number: int, values: Values) -> None:
        for column in ("verified_at", "prices_at"):
            if (when := values.get(column)) and when > self._latest:
                self._warn(number, column, _("this day has not come yet"))
        verified = values.get("amenity_verified")
        if verified and max(verified.values()) > self._latest.isoformat():
            self._warn(number, "amenity_verified", _("this day has not come yet"))
        if values.get("lat") is not None and self._is_far(values["lat"], values["lng"]):
            self._warn(number, "lat", _("this is far from every county of the city"))

    def _is_far(self, lat: float, lng: float) -> bool:
        seats = self._counties.values()
        return all(distance_m(lat, lng, seat.lat, seat.lng) > _FAR_M for seat in seats) and bool(seats)


def beside(number: int, metres: float, code: str) -> Remark:
    """The warning that a row may be a place that is known by another code."""
    reason = _("only {metres} m from {code}: perhaps the same place", metres=round(metres), code=code)
    return Remark(number, "lat", reason)


def unspooled(spool: IO[bytes]) -> Iterator[Any]:
    """What was pickled into `spool`, from the start."""
    spool.seek(0)
    while True:
        try:
            yield pickle.load(spool)
        except EOFError:
            return


@dataclass(frozen=True, slots=True)
class _Shape:
    """What rows with the same columns share: the values of one whose every cell is empty, under their names."""

    names: tuple[str, ...]
    blank: Values
    columns: tuple[tuple[str, Column], ...]
    required: frozenset[str]
    has_position: bool


def _shape(cells: Mapping[str, str], known: Mapping[str, Column]) -> _Shape:
    given = tuple((name, known[name]) for name in cells if name in known)
    required = frozenset(name for name, column in given if column.empty is must_be_there)
    blank: Values = {name: None if name in required else column.empty() for name, column in given}
    has_position = "lat" in cells or "lng" in cells
    if has_position:
        blank |= position("", "", "")
    return _Shape(tuple(blank), blank, given, required, has_position)


def _read(cells: Mapping[str, str], shape: _Shape, values: Values) -> Iterator[tuple[str, Text]]:
    """Fill `values` from the cells of one row; what is wrong comes out as (column, reason)."""
    for name, column in shape.columns:
        cell = cells[name]
        if cell or name in shape.required:
            try:
                values[name] = column.value(tidy(cell))
            except BadCell as bad:
                yield name, bad.reason
    if shape.has_position:
        yield from _read_position(cells, values)


def _read_position(cells: Mapping[str, str], values: Values) -> Iterator[tuple[str, Text]]:
    given = []
    for name in POSITION:
        try:
            given.append(tidy(cells.get(name, "")))
        except BadCell as bad:
            yield name, bad.reason
            return
    try:
        values.update(position(*given))
    except BadPosition as bad:
        yield bad.column, bad.reason
