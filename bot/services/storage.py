"""Where the installation keeps its data, and how much of it there is: what a backup has to copy."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Database


@dataclass(frozen=True, slots=True)
class Storage:
    """`file` is where an embedded database lies, empty for a server; `size` is in bytes, None where nobody says."""

    file: str
    size: int | None


async def storage(db: AsyncSession, database: Database) -> Storage:
    """Of the database behind `db`."""
    if database.embedded:
        file = database.url.database or ""
        return Storage(file, await asyncio.to_thread(_size, Path(file)))
    return Storage("", await db.scalar(select(func.pg_database_size(func.current_database()))))


def _size(file: Path) -> int | None:
    parts = [part for part in (file, file.with_name(f"{file.name}-wal")) if part.is_file()]
    return sum(part.stat().st_size for part in parts) if parts else None
