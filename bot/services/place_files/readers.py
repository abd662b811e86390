"""Rows out of a file: CSV, XLSX or GeoJSON, one at a time, as text by column name."""

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from typing import Any

from bot.errors import Problem
from bot.i18n import Text, _
from bot.services.place_files.cells import decimal
from bot.services.place_files.spreadsheets import TooBig, Unreadable, unpacked

DANGEROUS = "=+-@\t\r"
_NEUTRALISED = re.compile(f"'+[{re.escape(DANGEROUS)}]")
_PIECE = 1 << 16
_LONGEST_FEATURE = 1 << 20


class UnknownFormat(Problem):
    text = _("This is neither a CSV, an XLSX nor a GeoJSON file.")


class BadFile(Exception):
    """A file that cannot be read on; nothing of it can be trusted. `row` counts the header as 1."""

    def __init__(self, row: int, column: str, reason: Text) -> None:
        self.row, self.column, self.reason = row, column, reason
        super().__init__(reason.msgid)


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `cells` lacks a column that the file lacks; `share` is how much of the file is read, up to 1.

    `bad_shape` names the column where cells and header part.
    """

    number: int
    cells: Mapping[str, str]
    share: float
    bad_shape: str | None = None


def rows(path: Path) -> Iterator[Row]:
    """The rows of the file; raises UnknownFormat, BadFile, OSError. Blank rows are left out but counted."""
    match path.suffix.lower():
        case ".csv":
            return _csv_rows(path)
        case ".xlsx":
            return _xlsx_rows(path)
        case ".geojson" | ".json":
            return _geojson_rows(path)
    raise UnknownFormat


def _csv_rows(path: Path) -> Iterator[Row]:
    size = max(path.stat().st_size, 1)
    number = 1
    with path.open("rb") as raw, io.TextIOWrapper(raw, _encoding(path), newline="") as text:
        lines = csv.reader(text, strict=True)
        share = 0.0
        try:
            names = _header(next(lines, []))
            for number, cells in enumerate(lines, 2):
                if number % 100 == 0:
                    share = min(raw.tell() / size, 1)
                if any(cells):
                    yield _row(number, names, cells, share)
        except csv.Error:
            raise BadFile(number, "", _("a quotation mark after this row is wrong")) from None


def _encoding(path: Path) -> str:
    """UTF-8 (with or without its mark) if every byte agrees, else GB18030."""
    for encoding in ("utf-8-sig", "gb18030"):
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            with path.open("rb") as file:
                while piece := file.read(_PIECE):
                    decoder.decode(piece)
                decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return encoding
    raise BadFile(1, "", _("the text is neither UTF-8 nor GB18030"))


def _xlsx_rows(path: Path) -> Iterator[Row]:
    try:
        height, sheet = unpacked(path)
    except Unreadable:
        raise BadFile(1, "", _("this is not a spreadsheet that can be read")) from None
    except TooBig:
        raise BadFile(1, "", _("the spreadsheet is too big")) from None
    lines = (_texts(cells) for cells in sheet)
    names = _header(next(lines, []))
    for number, cells in enumerate(lines, 2):
        if any(cells):
            # Empty cells at the end of a row are not written down.
            cells += [""] * (len(names) - len(cells))
            yield _row(number, names, cells, number / max(height, 1))


def _texts(cells: Sequence[Any]) -> list[str]:
    return [cell if type(cell) is str else _plain(cell) for cell in cells]


def _plain(cell: Any) -> str:
    """What a person reads in a spreadsheet's cell or a JSON value: 19 and not 19.0, days as ISO."""
    match cell:
        case None:
            return ""
        case bool():
            return "1" if cell else "0"
        case float():
            return decimal(cell)
        case datetime() if cell.time() == time():
            return cell.date().isoformat()
        case list():
            return ";".join(map(_plain, cell))
    return str(cell)


def _header(cells: Sequence[str]) -> list[str]:
    names = [name.strip().lower() for name in cells]
    if twice := next((name for name in names if name and names.count(name) > 1), None):
        raise BadFile(1, twice, _("this column is there twice"))
    if "code" not in names:
        raise BadFile(1, "code", _("this column is missing"))
    for one, other in (("lat", "lng"), ("lng", "lat")):
        if one in names and other not in names:
            raise BadFile(1, other, _("this column is missing"))
    return names


def _row(number: int, names: Sequence[str], cells: Sequence[str], share: float) -> Row:
    found = dict(zip(names, cells, strict=False))
    found.pop("", None)
    if "'" in "".join(cells):
        found = {name: _as_meant(cell) for name, cell in found.items()}
    bad_shape = None
    if len(cells) < len(names):
        bad_shape = names[len(cells)]
    elif any(cells[len(names) :]):
        bad_shape = ""
    return Row(number, found, share, bad_shape)


def _as_meant(cell: str) -> str:
    """The cell without the apostrophe that the export put before what looked like a formula."""
    return cell[1:] if cell[:1] == "'" and _NEUTRALISED.match(cell) else cell


def _geojson_rows(path: Path) -> Iterator[Row]:
    size = max(path.stat().st_size, 1)
    number = 1
    with path.open("rb") as raw, io.TextIOWrapper(raw, "utf-8-sig") as text:
        try:
            for number, feature in enumerate(_features(text), 2):
                yield Row(number, _properties(number, feature), min(raw.tell() / size, 1))
        except (ValueError, RecursionError):
            raise BadFile(number, "", _("the GeoJSON cannot be read after this feature")) from None


def _features(text: io.TextIOWrapper) -> Iterator[Any]:
    """The members of the top `features`, decoded one by one, so that a long file needs little memory."""
    buffer = ""
    while not (start := re.search(r'"features"\s*:\s*\[', buffer)):
        if not (piece := text.read(_PIECE)) or len(buffer) > _LONGEST_FEATURE:
            raise json.JSONDecodeError("no features", buffer[:1], 0)
        buffer += piece
    buffer = buffer[start.end() :]
    decoder = json.JSONDecoder()
    while True:
        buffer = buffer.lstrip(" \t\r\n,")
        if buffer.startswith("]"):
            return
        try:
            feature, end = decoder.raw_decode(buffer)
        except json.JSONDecodeError:
            if not (piece := text.read(_PIECE)) or len(buffer) > _LONGEST_FEATURE:
                raise
            buffer += piece
            continue
        yield feature
        buffer = buffer[end:]


def _properties(number: int, feature: Any) -> dict[str, str]:
    """A feature's properties as cells; its point, if it has one, is the position."""
    match feature:
        case {"type": "Feature", "properties": dict(properties), **rest}:
            cells = {str(name): _plain(value) for name, value in properties.items()}
        case _:
            raise BadFile(number, "", _("this is not a feature with properties"))
    match rest.get("geometry"):
        case {"type": "Point", "coordinates": [int() | float() as lng, int() | float() as lat, *_rest]}:
            cells |= {"lat": _plain(lat), "lng": _plain(lng)}
        case None:
            if "geometry" in rest and "lat" not in cells:
                cells |= {"lat": "", "lng": ""}
        case _:
            raise BadFile(number, "", _("this feature is not a point"))
    return cells
