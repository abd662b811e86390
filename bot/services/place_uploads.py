"""A places file that staff send: kept while they look at what it would do, then taken in by their word."""

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Database, insert
from bot.errors import Problem
from bot.i18n import _
from bot.models import StaffFile
from bot.services import audit, authority, place_desk
from bot.services.authority import Member
from bot.services.city import City
from bot.services.place_desk import IMPORTED
from bot.services.place_files import ImportReport, UnknownFormat, import_places
from bot.services.place_files.comparing import Comparison
from bot.services.place_files.importing import Record

LARGEST = 20 * 2**20
KEPT = timedelta(hours=1)
# So many rows of each kind are shown; the others are counted.
MOST_REMARKS = 500
_SUFFIXES = frozenset({".csv", ".xlsx", ".geojson", ".json"})


class NoFile(Problem):
    text = _("Choose a file first.")


class TooLarge(Problem):
    text = _("The file is larger than {most} MB. Divide it into several.", most=LARGEST // 2**20)


class OtherFile(Problem):
    text = _("That is not the file that you looked at last, or it was an hour ago. Send it once more.")


@dataclass(frozen=True, slots=True)
class Upload:
    """What somebody of the staff sent; `digest` knows it again."""

    name: str
    digest: str
    data: bytes


async def receive(name: str, file: IO[bytes]) -> Upload:
    """The file as it came; of its `name` only the end counts. Raises NoFile, TooLarge, UnknownFormat."""
    called = PurePosixPath(name.replace("\\", "/")).name
    shown = "".join(letter for letter in called if letter.isprintable())[-100:]
    if PurePosixPath(shown).suffix.lower() not in _SUFFIXES:
        raise UnknownFormat
    data = await asyncio.to_thread(file.read, LARGEST + 1)
    if not data:
        raise NoFile
    if len(data) > LARGEST:
        raise TooLarge
    return Upload(shown, await asyncio.to_thread(_digest, data), data)


async def keep(db: AsyncSession, member: Member, upload: Upload, *, now: datetime, action: str = IMPORTED) -> None:
    """Keep the file for an hour, instead of any that this member sent before; `action` is what it is for."""
    authority.require(member, action)
    await forget_old(db, now)
    values = {"name": upload.name, "digest": upload.digest, "data": upload.data, "at": now}
    statement = insert(db, StaffFile).values(staff_id=member.id, **values)
    await db.execute(statement.on_conflict_do_update(index_elements=["staff_id"], set_=values))


async def kept(db: AsyncSession, member: Member, digest: str, *, now: datetime) -> Upload:
    """The file that this member looked at; raises OtherFile where it is gone or another one."""
    query = select(StaffFile.name, StaffFile.digest, StaffFile.data)
    query = query.where(StaffFile.staff_id == member.id, StaffFile.digest == digest, StaffFile.at > now - KEPT)
    row = (await db.execute(query)).one_or_none()
    if row is None:
        raise OtherFile
    return Upload(*row)


async def forget_old(db: AsyncSession, now: datetime) -> None:
    """Erase the files that nobody confirmed in time."""
    await db.execute(delete(StaffFile).where(StaffFile.at <= now - KEPT))


async def look(database: Database, member: Member, upload: Upload, *, city: City, now: datetime) -> ImportReport:
    """What the file would do; nothing is written."""
    return await _import(database, member, upload, city=city, now=now, dry_run=True)


async def take(
    database: Database, member: Member, upload: Upload, *, skip_bad: bool, city: City, now: datetime
) -> ImportReport:
    """Take the file in; unless all is well or bad rows are skipped nothing is written.

    The audit gets a row for the file, and one for each place, which its history shows.
    """

    async def record(db: AsyncSession, found: Comparison) -> None:
        after = {"file": upload.name, "sha256": upload.digest, "added": found.added, "changed": found.changed}
        await audit.record(db, member, IMPORTED, "places", now=now, after=after)
        changes = found.history()
        while portion := await asyncio.to_thread(next, changes, None):
            told = [(place_desk.subject(code), before, after) for code, before, after in portion]
            await audit.record_all(db, member, IMPORTED, told, now=now)
        await db.execute(delete(StaffFile).where(StaffFile.staff_id == member.id))

    return await _import(database, member, upload, city=city, now=now, skip_bad=skip_bad, record=record)


async def _import(
    database: Database,
    member: Member,
    upload: Upload,
    *,
    city: City,
    now: datetime,
    dry_run: bool = False,
    skip_bad: bool = False,
    record: Record | None = None,
) -> ImportReport:
    authority.require(member, IMPORTED)
    folder = await asyncio.to_thread(TemporaryDirectory)
    try:
        # Named by us; of the sender's name only the end is left.
        path = Path(folder.name) / f"places{PurePosixPath(upload.name).suffix.lower()}"
        await asyncio.to_thread(path.write_bytes, upload.data)
        return await import_places(
            database,
            path,
            dry_run=dry_run,
            skip_bad=skip_bad,
            now=now,
            counties=city.counties,
            within=member.counties if member.role == "county" else None,
            most_remarks=MOST_REMARKS,
            record=record,
        )
    finally:
        await asyncio.to_thread(folder.cleanup)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
