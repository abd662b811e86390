"""A places file into the directory: all of it in one transaction, or nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Database
from bot.i18n import Voice
from bot.services import places
from bot.services.city import County
from bot.services.place_files.comparing import Comparison, compare
from bot.services.place_files.reading import Reading, Remark, Remarks, beside
from bot.services.place_files.storing import TABLE, store

Progress = Callable[[float], None]
# What notes, in the same transaction, that so many places were added and changed.
Record = Callable[[AsyncSession, Comparison], Awaitable[None]]

_IMPORT_LOCK = 0x4E58_0001
# How far the bar is when the file is read, and when it is compared.
_READ, _COMPARED = 0.4, 0.8


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What a file did, or would do: nothing is `written` in a dry run, nor beside a row that is not skipped.

    `added`, `changed`, `unchanged` count rows; they are 0 where a rejected row kept everything out. Remarks are
    counted even where no more of them were kept. A `broken` file could not be read to its end: nothing of it counts.
    """

    added: int
    changed: int
    unchanged: int
    rejected: tuple[Remark, ...]
    warnings: tuple[Remark, ...]
    written: bool
    rejections: int
    warned: int
    broken: bool

    def as_json(self, voice: Voice) -> dict[str, Any]:
        """The report for a program to read, its reasons worded by `voice`."""

        def plain(remarks: Sequence[Remark]) -> list[dict[str, Any]]:
            return [{"row": r.row, "column": r.column, "reason": voice.word(r.reason)} for r in remarks]

        return {
            "added": self.added,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "rejected": plain(self.rejected),
            "warnings": plain(self.warnings),
            "written": self.written,
        }


async def import_places(
    database: Database,
    path: Path,
    *,
    dry_run: bool,
    skip_bad: bool,
    now: datetime,
    counties: Mapping[str, County],
    progress: Progress | None = None,
    within: Collection[str] | None = None,
    most_remarks: int | None = None,
    record: Record | None = None,
) -> ImportReport:
    """Take the places of a CSV, XLSX or GeoJSON file into the directory; doing it twice changes nothing.

    A column that the file lacks leaves the value, an empty cell clears it, a place that the file lacks is
    untouched. `progress` hears the share that is done, from 0 to 1. `within` names the only counties whose places
    may be changed. `record` is called in the transaction that writes, if there is anything to write. Raises
    UnknownFormat and OSError.
    """
    tell = progress or (lambda _share: None)
    with TemporaryFile() as rows, TemporaryFile() as changes, TemporaryFile() as told:
        with closing(await asyncio.to_thread(Reading, path, rows, now, counties, most_remarks)) as reading:
            while (share := await asyncio.to_thread(reading.go_on)) is not None:
                tell(_READ * share)
            reading.warnings.add(await _standing_close(database, reading))
        may_skip = skip_bad and not reading.is_broken
        while True:
            counties_within = frozenset(within) if within is not None else None
            found = Comparison(changes, Remarks(most_remarks), counties_within, told if record else None)
            async with database.reading() as db:
                await compare(db, reading, found, now, lambda share: tell(_READ + (_COMPARED - _READ) * share))
            rejections = reading.rejected.count + found.rejected.count
            written = not dry_run and (may_skip or not rejections)
            if not written or await _stored(database, found, now, tell, record):
                break
    tell(1.0)
    counts = (found.added, found.changed, found.unchanged) if written or dry_run else (0, 0, 0)
    rejected = _in_order([*reading.rejected.kept, *found.rejected.kept])
    warnings = _in_order(reading.warnings.kept)
    warned, broken = reading.warnings.count, reading.is_broken
    return ImportReport(*counts, rejected, warnings, written, rejections, warned, broken)


def _in_order(remarks: list[Remark]) -> tuple[Remark, ...]:
    return tuple(sorted(remarks, key=lambda remark: remark.row))


class _Overtaken(Exception):
    """Somebody changed a place since the comparison: undo everything."""


async def _stored(database: Database, found: Comparison, now: datetime, tell: Progress, record: Record | None) -> bool:
    """Write what the comparison found, if it still holds; the directory is locked for no longer than this takes."""
    total = found.added + found.changed
    if not total:
        return True
    written = 0

    def done(rows: int) -> None:
        nonlocal written
        written += rows
        tell(_COMPARED + (1 - _COMPARED) * written / total)

    try:
        async with database.writing() as db:
            if not database.embedded:
                # Two imports would lock the same places in different order, each waiting for the other.
                await db.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _IMPORT_LOCK})
            await store(db, found.portions(), done)
            await places.settle(db, found.verified, now)
            if record:
                await record(db, found)
            if not await places.changed_since(db, database, found.version):
                raise _Overtaken
    except _Overtaken:
        return False
    return True


async def _standing_close(database: Database, reading: Reading) -> list[Remark]:
    """A warning for each row within 25 m of a place with another code that only the directory has."""
    remarks, warned = [], set(reading.beside)
    query = select(TABLE.c.code, TABLE.c.lat, TABLE.c.lng)
    query = query.where(TABLE.c.lat.is_not(None), TABLE.c.state != "removed")
    async with database.reading() as db:
        async for portion in (await db.stream(query)).partitions(1000):
            for code, lat, lng in portion:
                near = reading.index.near(lat, lng)
                if not near or reading.index.row_of(code):
                    continue
                for neighbour in near:
                    if neighbour.row not in warned:
                        warned.add(neighbour.row)
                        remarks.append(beside(neighbour.row, neighbour.metres, code))
    return remarks
