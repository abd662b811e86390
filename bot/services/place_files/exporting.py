"""The directory as a file: CSV, XLSX or GeoJSON with the columns of the places file."""

import asyncio
import csv
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import RowMapping, select

from bot.database import Database
from bot.models import Place
from bot.services.place_files.cells import Column, columns, decimal, header
from bot.services.place_files.readers import DANGEROUS, UnknownFormat

_PORTION = 500
_HEADER = header()
_RISKY = re.compile(f"'*[{re.escape(DANGEROUS)}]")
_LOOKS_ESCAPED = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NUMBERS = frozenset({"lat", "lng", "piles", "connectors", "parking_spaces"}) | frozenset(
    {"max_vehicle_m", "max_vehicle_h_m", "max_vehicle_t"}
)

Cells = Mapping[str, str]


async def export_places(database: Database, path: Path, *, counties: Collection[str] | None = None) -> int:
    """Write every place, the removed ones too, and return how many; importing the file changes nothing.

    With `counties` (GB/T 2260 codes) only the places of those.

    Positions are given as they were surveyed, with their datum. An apostrophe neutralises what a spreadsheet
    could take for a formula; the import takes it off. The file appears whole. Raises UnknownFormat, OSError.
    """
    opened = _writer(path)
    shown = columns(())
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    count = 0
    try:
        with opened(partial) as writer:
            async with database.reading() as db:
                table = Place.__table__
                query = select(table).order_by(table.c.code)
                if counties is not None:
                    query = query.where(table.c.county.in_(counties))
                found = await db.stream(query)
                async for portion in found.mappings().partitions(_PORTION):
                    await asyncio.to_thread(writer.add, [_cells(place, shown) for place in portion])
                    count += len(portion)
            await asyncio.to_thread(writer.finish)
        await asyncio.to_thread(os.replace, partial, path)
    finally:
        await asyncio.to_thread(partial.unlink, missing_ok=True)
    return count


class _Writer(Protocol):
    def add(self, rows: Sequence[Cells]) -> None: ...

    def finish(self) -> None: ...


class _Opener(Protocol):
    def __call__(self, path: Path) -> AbstractContextManager[_Writer]: ...


def _writer(path: Path) -> _Opener:
    match path.suffix.lower():
        case ".csv":
            return _csv_file
        case ".xlsx":
            return _spreadsheet
        case ".geojson" | ".json":
            return _geojson_file
    raise UnknownFormat


def _cells(place: RowMapping, shown: Mapping[str, Column]) -> dict[str, str]:
    """A place's cells. One that was never given a surveyed pair is shown in WGS-84."""
    cells = {name: column.text(place[name]) for name, column in shown.items()}
    lat, lng, datum = place["source_lat"], place["source_lng"], place["datum"]
    if lat is None and place["lat"] is not None:
        lat, lng, datum = place["lat"], place["lng"], "wgs84"
    if lat is None:
        return cells | {"lat": "", "lng": "", "datum": ""}
    return cells | {"lat": decimal(lat), "lng": decimal(lng), "datum": datum}


def harmless(cell: str) -> str:
    """`cell` as a spreadsheet shows it and does not run it."""
    return f"'{cell}" if _RISKY.match(cell) else cell


def _neutral(name: str, cell: str) -> str:
    return cell if name in _NUMBERS else harmless(cell)


class _Csv:
    def __init__(self, file: Any) -> None:
        self._rows = csv.writer(file)
        self._rows.writerow(_HEADER)

    def add(self, rows: Sequence[Cells]) -> None:
        self._rows.writerows([_neutral(name, cells[name]) for name in _HEADER] for cells in rows)

    def finish(self) -> None:
        pass


@contextmanager
def _csv_file(path: Path) -> Iterator[_Csv]:
    """The mark at the beginning makes Excel read it as UTF-8."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        yield _Csv(file)


class _Spreadsheet:
    def __init__(self, path: Path) -> None:
        from openpyxl import Workbook

        self._path = path
        self._book = Workbook(write_only=True)
        self._sheet = self._book.create_sheet("places")
        self.add([{name: name for name in _HEADER}])

    def add(self, rows: Sequence[Cells]) -> None:
        for cells in rows:
            self._sheet.append([self._cell(name, cells[name]) for name in _HEADER])

    def finish(self) -> None:
        self._book.save(self._path)

    def _cell(self, name: str, text: str) -> Any:
        if not text:
            return None
        if name in _NUMBERS and name != text:
            return float(text) if "." in text else int(text)
        # An underscore is written as its own escape where a reader would take what follows for one.
        safe = _LOOKS_ESCAPED.sub("_x005F_", _NO_XML.sub("", _neutral(name, text)))
        return self._plain_text(safe) if safe.startswith("#") else safe

    def _plain_text(self, text: str) -> Any:
        """A cell of text, whatever it looks like: `#N/A` by itself would be taken for an error."""
        from openpyxl.cell import WriteOnlyCell

        cell = WriteOnlyCell(self._sheet, text)
        cell.data_type = "s"
        return cell


@contextmanager
def _spreadsheet(path: Path) -> Iterator[_Spreadsheet]:
    yield _Spreadsheet(path)


class _Geojson:
    """One feature a line; its point is in the datum that its properties name."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._between = '{"type": "FeatureCollection", "features": [\n'

    def add(self, rows: Sequence[Cells]) -> None:
        for cells in rows:
            feature = {
                "type": "Feature",
                "geometry": _point(cells["lat"], cells["lng"]),
                "properties": {name: cell for name, cell in cells.items() if name not in {"lat", "lng"}},
            }
            self._file.write(self._between + json.dumps(feature, ensure_ascii=False))
            self._between = ",\n"

    def finish(self) -> None:
        self._file.write(self._between.removesuffix(",\n") + "\n]}\n")


def _point(lat: str, lng: str) -> dict[str, Any] | None:
    return {"type": "Point", "coordinates": [float(lng), float(lat)]} if lat else None


@contextmanager
def _geojson_file(path: Path) -> Iterator[_Geojson]:
    with path.open("w", encoding="utf-8") as file:
        yield _Geojson(file)
