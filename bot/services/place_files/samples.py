"""A city's sample places, for a program that has nothing to show yet."""

import asyncio
from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from bot.database import Database
from bot.models import Place
from bot.services.city import load_city
from bot.services.place_files.importing import ImportReport, import_places
from bot.services.place_files.readers import rows


async def load_samples(database: Database, folder: Path, now: datetime) -> ImportReport | None:
    """Take in the samples of the profile in `folder`, once: None where any of them is known already.

    What staff changed about a sample since then stays changed.
    """
    city, first = await asyncio.to_thread(lambda: (load_city(folder), _first_code(folder)))
    async with database.reading() as db:
        if await db.scalar(select(Place.id).where(Place.code == first)) is not None:
            return None
    return await import_places(database, _file(folder), dry_run=False, skip_bad=False, now=now, counties=city.counties)


def _file(folder: Path) -> Path:
    return folder / "places.sample.csv"


def _first_code(folder: Path) -> str:
    return next(rows(_file(folder))).cells["code"]
