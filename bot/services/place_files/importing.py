"""A places file into the directory: all of it in one transaction, or nothing."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, cast

from sqlalchemy import RowMapping, Table, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Database, insert
from bot.i18n import Voice, _
from bot.models import Place
from bot.services import places
from bot.services.city import County
from bot.services.place_files.cells import POSITION, columns
from bot.services.place_files.reading import Reading, Remark, Values, beside, near_in_file

Progress = Callable[[float], None]

_TABLE = cast(Table, Place.__table__)
_COLUMNS = [column.name for column in _TABLE.columns if column.name != "id"]
_GIVEN_POSITION = ("source_lat", "source_lng", "datum")
_IMPORT_LOCK = 0x4E58_0001


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What a file did, or would do: nothing is `written` in a dry run, nor beside a row that is not skipped.

    `added`, `changed`, `unchanged` count rows; they are 0 where a rejected row kept everything out.
    """

    added: int
    changed: int
    unchanged: int
    rejected: tuple[Remark, ...]
    warnings: tuple[Remark, ...]
    written: bool

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
) -> ImportReport:
    """Take the places of a CSV, XLSX or GeoJSON file into the directory; doing it twice changes nothing.

    A column that the file lacks leaves the value, an empty cell clears it, a place that the file lacks is
    untouched. `progress` hears the share that is done, from 0 to 1. Raises UnknownFormat and OSError.
    """
    tell = progress or (lambda _share: None)
    with TemporaryFile() as spool:
        reading = await asyncio.to_thread(Reading, path, spool, now, counties)
        while (share := await asyncio.to_thread(reading.go_on)) is not None:
            tell(share / 2)
        warnings = [*reading.warnings, *await _standing_close(database, reading)]
        tally = _Tally(rejected=list(reading.rejected), total=max(len(reading.row_of), 1), tell=tell)
        is_good = skip_bad and not reading.is_broken
        written = False
        if dry_run or (tally.rejected and not is_good):
            async with database.reading() as db:
                await _compare(db, reading, tally, now, writes=False)
        else:
            written = await _write(database, reading, tally, now, skip_bad=skip_bad)
    tell(1.0)
    counts = (tally.added, tally.changed, tally.unchanged) if written or dry_run else (0, 0, 0)
    rejected = tuple(sorted(tally.rejected, key=lambda remark: remark.row))
    return ImportReport(*counts, rejected, tuple(sorted(warnings, key=lambda remark: remark.row)), written)


@dataclass(slots=True)
class _Tally:
    rejected: list[Remark]
    total: int
    tell: Progress
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    verified: list[int] = field(default_factory=list)


class _Refused(Exception):
    """A row was found bad while writing: undo everything."""


async def _write(database: Database, reading: Reading, tally: _Tally, now: datetime, *, skip_bad: bool) -> bool:
    """Whether the rows were written: a rejected one undoes all of it unless bad rows are to be skipped."""
    try:
        async with database.writing() as db:
            if not database.embedded:
                # Two imports would lock the same places in different order, each waiting for the other.
                await db.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _IMPORT_LOCK})
            await _compare(db, reading, tally, now, writes=True)
            if tally.rejected and not skip_bad:
                raise _Refused
            if tally.added or tally.changed:
                await places.settle(db, tally.verified, now)
                await places.changed(db, database)
    except _Refused:
        return False
    return True


async def _compare(db: AsyncSession, reading: Reading, tally: _Tally, now: datetime, *, writes: bool) -> None:
    """Hold the file against the directory; with `writes`, make the directory agree."""
    blank = _blank()
    portions = reading.portions()
    while (portion := await asyncio.to_thread(next, portions, None)) is not None:
        known = await _known(db, [values["code"] for _number, values in portion], locks=writes)
        fresh = []
        for number, values in portion:
            if row := _outcome(number, values, known.get(values["code"]), tally, blank):
                fresh.append(row | {"updated_at": now})
        if writes and fresh:
            await _upsert(db, fresh)
        done = tally.added + tally.changed + tally.unchanged
        tally.tell(0.5 + 0.5 * min(done / tally.total, 1))


def _outcome(number: int, values: Values, before: RowMapping | None, tally: _Tally, blank: Values) -> Values | None:
    """The row to write, or None if there is nothing to change; the tally is kept."""
    if before is None:
        missing = [column for column in ("name", "kind") if column not in values]
        if missing:
            reason = _("a new place needs this")
            tally.rejected += [Remark(number, column, reason) for column in missing]
            return None
        tally.added += 1
        return blank | values
    after = _merged(before, values)
    if after is None:
        tally.unchanged += 1
        return None
    tally.changed += 1
    if before["doubtful_since"] and not after["doubtful_since"]:
        tally.verified.append(before["id"])
    return after


def _merged(before: RowMapping, values: Values) -> Values | None:
    """The place with the file's values, or None if they are what it has."""
    changes = dict(values)
    if all(before[name] == changes.get(name, before[name]) for name in _GIVEN_POSITION):
        changes.pop("lat", None)
        changes.pop("lng", None)
    if "amenities" in changes and "amenity_verified" not in changes:
        # What is gone must not come back as checked.
        there, dates = changes["amenities"], before["amenity_verified"]
        changes["amenity_verified"] = {name: day for name, day in dates.items() if name in there}
    seen = changes.get("verified_at")
    if places.is_newer_verification(seen, before["verified_at"], before["doubtful_since"]):
        changes["doubtful_since"] = None
    if all(before[name] == value for name, value in changes.items()):
        return None
    return {name: changes.get(name, before[name]) for name in _COLUMNS}


def _blank() -> Values:
    """A place of which nothing is known."""
    required = {"code", "name", "kind"}
    known = {name: column.empty() for name, column in columns(()).items() if name not in required}
    nowhere = dict.fromkeys((*POSITION, "source_lat", "source_lng"))
    return known | nowhere | {"datum": "", "doubtful_since": None}


async def _known(db: AsyncSession, codes: Sequence[str], *, locks: bool) -> dict[str, RowMapping]:
    query = select(_TABLE).where(_TABLE.c.code.in_(codes)).order_by(_TABLE.c.id)
    if locks:
        query = query.with_for_update()
    return {row["code"]: row for row in (await db.execute(query)).mappings()}


async def _upsert(db: AsyncSession, fresh: list[Values]) -> None:
    statement = insert(db, _TABLE)
    updates = {name: statement.excluded[name] for name in _COLUMNS if name != "code"}
    await db.execute(statement.on_conflict_do_update(index_elements=["code"], set_=updates), fresh)


async def _standing_close(database: Database, reading: Reading) -> list[Remark]:
    """A warning for each row within 25 m of a place with another code, in the file or in the directory."""
    if not reading.spots:
        return []
    neighbours, remarks = await asyncio.to_thread(near_in_file, reading)
    warned = {remark.row for remark in remarks}
    query = select(_TABLE.c.code, _TABLE.c.lat, _TABLE.c.lng)
    query = query.where(_TABLE.c.lat.is_not(None), _TABLE.c.state != "removed")
    async with database.reading() as db:
        async for portion in (await db.stream(query)).partitions(1000):
            for code, lat, lng in portion:
                if code in reading.row_of:
                    continue
                for metres, spot in neighbours.near(lat, lng):
                    if (row := reading.row_of[spot.code]) not in warned:
                        warned.add(row)
                        remarks.append(beside(row, metres, code))
    return remarks
