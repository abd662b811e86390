"""A places file read and checked, put aside until all of it is known."""

import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import IO, Any

from bot.geo import distance_m
from bot.i18n import Text, _
from bot.services.city import County
from bot.services.place_files.cells import POSITION, BadCell, BadPosition, Column, columns, position, tidy
from bot.services.place_files.neighbours import Neighbours, Spot
from bot.services.place_files.readers import BadFile, Row, rows

PORTION = 250
_FAR_M = 150_000

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to say of a row (the header is row 1) and a column; the column may be empty."""

    row: int
    column: str
    reason: Text


class Reading:
    """The rows of one file as typed values: the good ones in `spool`, what is wrong in `rejected`.

    Memory holds a portion of rows, and of the whole file only codes and positions.
    """

    def __init__(self, path: Path, spool: IO[bytes], now: datetime, counties: Mapping[str, County]) -> None:
        self.rejected: list[Remark] = []
        self.warnings: list[Remark] = []
        self.is_broken = False
        self.row_of: dict[str, int] = {}
        self.spots: list[tuple[int, Spot]] = []
        self._rows = rows(path)
        self._spool = spool
        self._counties = counties
        self._columns = columns(counties)
        # The other side of the date line may be a day ahead.
        self._latest = (now + timedelta(days=1)).date()
        self._strange: set[str] = set()

    def go_on(self) -> float | None:
        """Read another portion: the share of the file that is behind us, or None at its end."""
        share = None
        good = []
        try:
            for row in islice(self._rows, PORTION):
                share = row.share
                if values := self._checked(row):
                    good.append((row.number, values))
        except BadFile as bad:
            self.rejected.append(Remark(bad.row, bad.column, bad.reason))
            self.is_broken = True
            share = None
        pickle.dump(good, self._spool)
        return share

    def portions(self) -> Iterator[list[tuple[int, Values]]]:
        """The good rows again from the start, as (row number, values)."""
        self._spool.seek(0)
        while True:
            try:
                yield pickle.load(self._spool)
            except EOFError:
                return

    def _checked(self, row: Row) -> Values | None:
        """The row's values, or None if anything in it is wrong."""
        if row.bad_shape is not None:
            self.rejected.append(Remark(row.number, row.bad_shape, _("the row is not as long as the header")))
            return None
        self._remark_strange(row)
        values: Values = {}
        faults = list(_read(row.cells, self._columns, values))
        code = values.get("code")
        if "code" not in row.cells:
            faults.append(("code", _("this column is missing")))
        elif code in self.row_of:
            faults.append(("code", _("row {row} has the same code", row=self.row_of[code])))
        if faults:
            self.rejected += [Remark(row.number, column, reason) for column, reason in faults]
            return None
        assert isinstance(code, str)
        self.row_of[code] = row.number
        self._remark_values(row.number, values)
        if values.get("lat") is not None and values.get("state") != "removed":
            self.spots.append((row.number, Spot(code, values["lat"], values["lng"])))
        return values

    def _remark_strange(self, row: Row) -> None:
        for column in row.cells.keys() - self._columns.keys() - self._strange - set(POSITION):
            self._strange.add(column)
            self.warnings.append(Remark(1, column[:40], _("this column is not known and was left out")))

    def _remark_values(self, number: int, values: Values) -> None:
        for column in ("verified_at", "prices_at"):
            if (when := values.get(column)) and when > self._latest:
                self.warnings.append(Remark(number, column, _("this day has not come yet")))
        if any(when > self._latest.isoformat() for when in values.get("amenity_verified", {}).values()):
            self.warnings.append(Remark(number, "amenity_verified", _("this day has not come yet")))
        if values.get("lat") is not None and self._is_far(values["lat"], values["lng"]):
            self.warnings.append(Remark(number, "lat", _("this is far from every county of the city")))

    def _is_far(self, lat: float, lng: float) -> bool:
        seats = self._counties.values()
        return all(distance_m(lat, lng, seat.lat, seat.lng) > _FAR_M for seat in seats) and bool(seats)


def near_in_file(reading: Reading) -> tuple[Neighbours, list[Remark]]:
    """The file's spots for further questions, and a remark on each that stands beside an earlier one."""
    neighbours, remarks = Neighbours(), []
    for number, spot in reading.spots:
        if near := neighbours.near(spot.lat, spot.lng):
            remarks.append(beside(number, near[0][0], near[0][1].code))
        neighbours.add(spot)
    return neighbours, remarks


def beside(number: int, metres: float, code: str) -> Remark:
    """The warning that a row may be a place that is known by another code."""
    reason = _("only {metres} m from {code}: perhaps the same place", metres=round(metres), code=code)
    return Remark(number, "lat", reason)


def _read(cells: Mapping[str, str], known: Mapping[str, Column], values: Values) -> Iterator[tuple[str, Text]]:
    """Fill `values` from the cells of one row; what is wrong comes out as (column, reason)."""
    tidied = {}
    for name, cell in cells.items():
        try:
            tidied[name] = text = tidy(cell) if cell else ""
            if name in known:
                values[name] = known[name].value(text)
        except BadCell as bad:
            yield name, bad.reason
    if "lat" in tidied or "lng" in tidied:
        try:
            values.update(position(*(tidied.get(name, "") for name in POSITION)))
        except BadPosition as bad:
            yield bad.column, bad.reason
