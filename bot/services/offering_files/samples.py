"""A city's sample offerings, with sessions in the weeks to come, for a program that has nothing to show yet."""

import asyncio
import csv
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from bot.database import Database, insert
from bot.models import Offering, Place, Session
from bot.services.city import City, load_city
from bot.services.offering_files.importing import import_offerings
from bot.services.place_files.importing import ImportReport
from bot.services.sessions.changing import BLANK

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


async def load_samples(database: Database, folder: Path, now: datetime) -> ImportReport | None:
    """Take in the sample offerings of the profile in `folder`, once: None where any of them is known already.

    Their sessions lie in the weeks after `now`, so that there is always something to book at first.
    """
    city = await asyncio.to_thread(load_city, folder)
    rhythms = await asyncio.to_thread(_rows, folder / "sessions.sample.csv")
    codes = {row["offering"] for row in rhythms}
    async with database.reading() as db:
        if await db.scalar(select(Offering.id).where(Offering.code.in_(codes)).limit(1)) is not None:
            return None
    file = folder / "offerings.sample.csv"
    report = await import_offerings(database, file, dry_run=False, skip_bad=False, now=now, counties=city.counties)
    async with database.writing() as db:
        offerings = {code: id for code, id in await db.execute(select(Offering.code, Offering.id))}
        places = {code: id for code, id in await db.execute(select(Place.code, Place.id))}
        made = [one for row in rhythms for one in _sessions(row, offerings, places, city, now)]
        await db.execute(insert(db, Session).on_conflict_do_nothing(), made)
    return report


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as text:
        return list(csv.DictReader(text))


def _sessions(
    row: Mapping[str, str], offerings: Mapping[str, int], places: Mapping[str, int], city: City, now: datetime
) -> Iterator[dict[str, Any]]:
    """The sessions of one line: its weekdays in so many weeks, in so many slots one after the other."""
    length = timedelta(minutes=int(row["minutes"]))
    weekdays = {_WEEKDAYS.index(name) for name in row["weekdays"].split(";")}
    for day in _days(now.astimezone(city.zone).date(), weekdays, int(row["weeks"])):
        opens = datetime.combine(day, time.fromisoformat(row["opens"]), city.zone).astimezone(UTC)
        for slot in range(int(row["slots"])):
            starts_at = opens + slot * length
            yield {
                **BLANK,
                "code": f"{row['offering']}-{starts_at.astimezone(city.zone):%m%d-%H%M}",
                "offering_id": offerings[row["offering"]],
                "starts_at": starts_at,
                "ends_at": starts_at + length,
                "capacity": int(row["capacity"]),
                "place_id": places.get(row["place"]),
                "address": row["address"],
            }


def _days(today: date, weekdays: set[int], weeks: int) -> Iterator[date]:
    """From the day after tomorrow on, so that every sample can still be cancelled in time."""
    for n in range(2, 2 + 7 * weeks):
        day = today + timedelta(days=n)
        if day.weekday() in weekdays:
            yield day
