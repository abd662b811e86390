"""Offerings and sessions out of files: all of a file in one transaction, or nothing of it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Database
from bot.errors import Problem
from bot.i18n import Text, _
from bot.models import Offering, Place, Session
from bot.services import sessions
from bot.services.city import County
from bot.services.desk import Desk
from bot.services.offering_files.cells import offering_columns, session_columns
from bot.services.place_files.cells import BadCell, Column, tidy
from bot.services.place_files.importing import ImportReport
from bot.services.place_files.readers import BadFile, rows
from bot.services.place_files.reading import Remark

Columns = Mapping[str, tuple[str, Column]]
Values = dict[str, Any]


# Called in the transaction that writes, with how many are new and how many change.
Record = Callable[[AsyncSession, int, int], Awaitable[None]]


async def import_offerings(
    database: Database,
    path: Path,
    *,
    dry_run: bool,
    skip_bad: bool,
    now: datetime,
    counties: Mapping[str, County],
    record: Record | None = None,
) -> ImportReport:
    """Take in what can be booked; doing it twice changes nothing.

    An absent column leaves the value, an empty cell clears it, an absent row is untouched. Raises UnknownFormat,
    OSError.
    """

    async def take(db: AsyncSession, reading: _Reading, tally: _Tally) -> None:
        known = {row.code: row for row in await db.scalars(select(Offering))}
        for number, values in reading.good:
            await _take_offering(db, number, values, known.get(values["code"]), tally, now)

    columns = offering_columns(counties)
    return await _import(database, path, columns, take, dry_run=dry_run, skip_bad=skip_bad, record=record)


async def import_sessions(
    database: Database,
    path: Path,
    *,
    dry_run: bool,
    skip_bad: bool,
    now: datetime,
    desk: Desk,
    record: Record | None = None,
) -> ImportReport:
    """Take in sessions; whoever booked one that the file moves or cancels is told, as if staff had done it by hand.

    A time without an offset is the city's. Raises UnknownFormat, OSError.
    """

    async def take(db: AsyncSession, reading: _Reading, tally: _Tally) -> None:
        taking = _Sessions(db, tally, now, desk)
        await taking.prepare()
        for number, values in reading.good:
            await taking.take(number, values)

    columns = session_columns(desk.zone)
    return await _import(database, path, columns, take, dry_run=dry_run, skip_bad=skip_bad, record=record)


@dataclass(slots=True)
class _Tally:
    rejected: list[Remark]
    warnings: list[Remark]
    added: int = 0
    changed: int = 0
    unchanged: int = 0

    def reject(self, number: int, column: str, reason: Text) -> None:
        self.rejected.append(Remark(number, column, reason))


@dataclass(slots=True)
class _Reading:
    """A file's rows as typed values, and what is wrong with the others."""

    good: list[tuple[int, Values]] = field(default_factory=list)
    rejected: list[Remark] = field(default_factory=list)
    warnings: list[Remark] = field(default_factory=list)
    is_broken: bool = False


class _Undone(Exception):
    """Nothing of this is to be kept."""


async def _import(
    database: Database,
    path: Path,
    columns: Columns,
    take: Callable[[AsyncSession, _Reading, _Tally], Awaitable[None]],
    *,
    dry_run: bool,
    skip_bad: bool,
    record: Record | None,
) -> ImportReport:
    reading = await asyncio.to_thread(_read, path, columns)
    tally = _Tally(reading.rejected, reading.warnings)
    is_written = False
    try:
        async with database.writing() as db:
            await take(db, reading, tally)
            if dry_run or reading.is_broken or (tally.rejected and not skip_bad):
                raise _Undone
            if record:
                await record(db, tally.added, tally.changed)
        is_written = True
    except _Undone:
        pass
    counts = (tally.added, tally.changed, tally.unchanged) if is_written or dry_run else (0, 0, 0)
    rejected = tuple(sorted(tally.rejected, key=lambda remark: remark.row))
    warnings = tuple(tally.warnings)
    return ImportReport(*counts, rejected, warnings, is_written, len(rejected), len(warnings), reading.is_broken)


def _read(path: Path, columns: Columns) -> _Reading:
    reading = _Reading()
    first_row: dict[str, int] = {}
    strange: set[str] = set()
    try:
        for row in rows(path):
            for name in row.cells.keys() - columns.keys() - strange:
                strange.add(name)
                reading.warnings.append(Remark(1, name[:40], _("this column is not known and was left out")))
            if row.bad_shape is not None:
                reading.rejected.append(Remark(row.number, row.bad_shape, _("the row is not as long as the header")))
                continue
            values, faults = _values(row.cells, columns)
            if (code := values.get("code")) in first_row:
                faults.append(("code", _("row {row} has the same code", row=first_row[str(code)])))
            if faults:
                reading.rejected += [Remark(row.number, column, reason) for column, reason in faults]
                continue
            first_row[values["code"]] = row.number
            reading.good.append((row.number, values))
    except BadFile as bad:
        reading.rejected.append(Remark(bad.row, bad.column, bad.reason))
        reading.is_broken = True
    return reading


def _values(cells: Mapping[str, str], columns: Columns) -> tuple[Values, list[tuple[str, Text]]]:
    values: Values = {}
    faults = []
    for name, cell in cells.items():
        if name not in columns:
            continue
        kept_as, column = columns[name]
        try:
            values[kept_as] = column.value(tidy(cell) if cell else "")
        except BadCell as bad:
            faults.append((name, bad.reason))
    return values, faults


async def _take_offering(
    db: AsyncSession, number: int, values: Values, before: Offering | None, tally: _Tally, now: datetime
) -> None:
    if before is None:
        if missing := [name for name in ("category", "title") if name not in values]:
            for name in missing:
                tally.reject(number, name, _("a new offering needs this"))
            return
        tally.added += 1
        db.add(Offering(**values, updated_at=now))
    elif all(getattr(before, name) == value for name, value in values.items()):
        tally.unchanged += 1
    else:
        tally.changed += 1
        await db.execute(update(Offering).where(Offering.id == before.id).values(**values, updated_at=now))


class _Sessions:
    """Takes sessions one by one through the services that tell people."""

    def __init__(self, db: AsyncSession, tally: _Tally, now: datetime, desk: Desk) -> None:
        self._db, self._tally, self._now, self._desk = db, tally, now, desk
        self._offerings: dict[str, int] = {}
        self._places: dict[str, int] = {}
        self._known: dict[str, Any] = {}

    async def prepare(self) -> None:
        """Look up what the file's codes may mean."""
        self._offerings = {code: id for code, id in await self._db.execute(select(Offering.code, Offering.id))}
        self._places = {code: id for code, id in await self._db.execute(select(Place.code, Place.id))}
        table = Session.__table__
        self._known = {row["code"]: row for row in (await self._db.execute(select(table))).mappings()}

    async def take(self, number: int, values: Values) -> None:
        """Add or change one session; what is wrong with it goes to the tally."""
        if not self._resolved(number, values):
            return
        before = self._known.get(values["code"])
        try:
            async with self._db.begin_nested():
                if before is None:
                    await self._add(number, values)
                else:
                    await self._change(before, values)
        except Problem as problem:
            column = "capacity" if isinstance(problem, sessions.SeatsTaken) else "starts_at"
            self._tally.reject(number, column, problem.text)

    def _resolved(self, number: int, values: Values) -> bool:
        """Codes become numbers; False if one is not known."""
        for name, known in (("offering", self._offerings), ("place", self._places)):
            if name not in values:
                continue
            code = values.pop(name)
            if code is not None and code not in known:
                self._tally.reject(number, name, _("not known: {value}", value=code))
                return False
            values[f"{name}_id"] = known[code] if code is not None else None
        return True

    async def _add(self, number: int, values: Values) -> None:
        needed = {"offering_id": "offering", "starts_at": "starts_at", "ends_at": "ends_at", "capacity": "capacity"}
        if missing := [column for name, column in needed.items() if name not in values]:
            for column in missing:
                self._tally.reject(number, column, _("a new session needs this"))
            return
        state = values.pop("state", "open")
        session_id = await sessions.create(self._db, None, **values, now=self._now)
        if state != "open":
            await self._db.execute(update(Session).where(Session.id == session_id).values(state=state))
        self._tally.added += 1

    async def _change(self, before: Mapping[str, Any], values: Values) -> None:
        changes = {name: value for name, value in values.items() if before[name] != value}
        if not changes:
            self._tally.unchanged += 1
            return
        id, now, desk = before["id"], self._now, self._desk
        if "offering_id" in changes and before["taken"]:
            raise sessions.SeatsTaken(before["taken"])
        if "offering_id" in changes:
            moved = update(Session).where(Session.id == id).values(offering_id=changes["offering_id"])
            await self._db.execute(moved)
        if "capacity" in changes:
            await sessions.set_capacity(self._db, None, session_id=id, capacity=changes["capacity"], now=now, desk=desk)
        if changes.keys() & {"starts_at", "ends_at", "place_id", "address"}:
            after = {name: changes.get(name, before[name]) for name in ("starts_at", "ends_at", "place_id", "address")}
            await sessions.reschedule(self._db, None, session_id=id, **after, now=now, desk=desk)
        if "state" in changes:
            await self._turn(before, changes["state"])
        self._tally.changed += 1

    async def _turn(self, before: Mapping[str, Any], state: str) -> None:
        id, now, desk = before["id"], self._now, self._desk
        match before["state"], state:
            case _, "cancelled":
                await sessions.cancel(self._db, None, session_id=id, now=now, desk=desk)
            case "open", "closed":
                await sessions.close(self._db, None, session_id=id)
            case "closed", "open":
                await sessions.reopen(self._db, None, session_id=id, now=now, desk=desk)
            case _:
                raise sessions.NoSuchSession
