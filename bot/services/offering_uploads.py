"""Files of offerings and sessions that staff send: looked at first, then taken in by their word."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Database
from bot.i18n import Text, _
from bot.models import StaffFile
from bot.services import audit, authority, place_uploads
from bot.services.authority import Member
from bot.services.city import City
from bot.services.desk import Desk
from bot.services.offering_files import import_offerings, import_sessions
from bot.services.offering_files.importing import Record
from bot.services.place_files import ImportReport, UnknownFormat
from bot.services.place_uploads import Upload

IMPORTED = "offering.import"
# What such a file can be.
KINDS: Mapping[str, Text] = {"offerings": _("Import offerings"), "sessions": _("Import sessions")}
_SUFFIXES = frozenset({".csv", ".xlsx"})


async def receive(kind: str, name: str, file: IO[bytes]) -> Upload:
    """The file as it came, known again as one of that kind alone; raises as `place_uploads.receive` does."""
    upload = await place_uploads.receive(name, file)
    if PurePosixPath(upload.name).suffix.lower() not in _SUFFIXES:
        raise UnknownFormat
    return replace(upload, digest=f"{kind}-{upload.digest}")


async def look(
    database: Database, member: Member, kind: str, upload: Upload, *, city: City, desk: Desk, now: datetime
) -> ImportReport:
    """What the file would do; nothing is written, nobody is told."""
    return await _import(database, member, kind, upload, city=city, desk=desk, now=now, dry_run=True)


async def take(
    database: Database,
    member: Member,
    kind: str,
    upload: Upload,
    *,
    skip_bad: bool,
    city: City,
    desk: Desk,
    now: datetime,
) -> ImportReport:
    """Take the file in, with one row of the audit; whoever booked a session that it moves or calls off is told.

    Unless all is well or bad rows are skipped nothing is written.
    """

    async def record(db: AsyncSession, added: int, changed: int) -> None:
        after = {"file": upload.name, "sha256": upload.digest, "added": added, "changed": changed}
        await audit.record(db, member, IMPORTED, kind, now=now, after=after)
        await db.execute(delete(StaffFile).where(StaffFile.staff_id == member.id))

    return await _import(
        database, member, kind, upload, city=city, desk=desk, now=now, skip_bad=skip_bad, record=record
    )


async def _import(
    database: Database,
    member: Member,
    kind: str,
    upload: Upload,
    *,
    city: City,
    desk: Desk,
    now: datetime,
    dry_run: bool = False,
    skip_bad: bool = False,
    record: Record | None = None,
) -> ImportReport:
    authority.require(member, IMPORTED)
    folder = await asyncio.to_thread(TemporaryDirectory)
    try:
        # Named by us; of the sender's name only the end is left.
        path = Path(folder.name) / f"file{PurePosixPath(upload.name).suffix.lower()}"
        await asyncio.to_thread(path.write_bytes, upload.data)
        if kind == "offerings":
            return await import_offerings(
                database, path, dry_run=dry_run, skip_bad=skip_bad, now=now, counties=city.counties, record=record
            )
        return await import_sessions(
            database, path, dry_run=dry_run, skip_bad=skip_bad, now=now, desk=desk, record=record
        )
    finally:
        await asyncio.to_thread(folder.cleanup)
