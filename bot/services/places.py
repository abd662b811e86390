"""What happens to places: changes for everybody to see, riders' reports, searches counted."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Literal

from sqlalchemy import distinct, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Database, insert, rows_changed
from bot.errors import Problem
from bot.i18n import _
from bot.models import Place, PlaceChange, PlaceReport, SearchCount

TOPIC = "places"
REPORTS_COUNT_FOR = timedelta(hours=48)
PEOPLE_TO_DOUBT = 3
_SEARCHES_AT_ONCE = 1000

What = Literal["locked", "wrong"]


class NoSuchPlace(Problem):
    text = _("That place is no longer on the list.")


@dataclass(frozen=True, slots=True)
class Reported:
    """What a report came to: had this person said so before, and is the place in doubt now."""

    is_repeated: bool
    is_doubtful: bool


@dataclass(frozen=True, slots=True)
class Search:
    """Something looked for, without who: the hour (UTC), what, a square of a kilometre, whether found."""

    hour: datetime
    wanted: str
    square: str
    found: bool


_NOBODY: Mapping[Search, int] = MappingProxyType({})


async def version(db: AsyncSession) -> int:
    """The directory's version; it rises with every change to a place."""
    return await db.scalar(select(PlaceChange.version).where(PlaceChange.id == 1)) or 0


async def changed(db: AsyncSession, database: Database) -> None:
    """Say, with the transaction `db`, that places changed, so that every copy of the directory is renewed."""
    statement = insert(db, PlaceChange).values(id=1, version=1)
    raised = {"version": PlaceChange.version + 1}
    await db.execute(statement.on_conflict_do_update(index_elements=["id"], set_=raised))
    await database.notify(db, TOPIC)


async def changed_since(db: AsyncSession, database: Database, seen: int) -> bool:
    """The same, if nobody else changed a place since the version `seen`; else nothing is said, and it is False."""
    statement = insert(db, PlaceChange).values(id=1, version=seen + 1)
    raised = {"version": PlaceChange.version + 1}
    as_seen = statement.on_conflict_do_update(index_elements=["id"], set_=raised, where=PlaceChange.version == seen)
    if await db.scalar(as_seen.returning(PlaceChange.version)) is None:
        return False
    await database.notify(db, TOPIC)
    return True


async def report(
    db: AsyncSession, rider_id: int, *, place_id: int, what: What, now: datetime, database: Database
) -> Reported:
    """Keep that a rider found a place `locked` or something of it `wrong`; where the rider was is not kept.

    Three different people within 48 hours put the place in doubt; one person counts once. Raises NoSuchPlace.
    """
    # The lock lets the third of three people at the same moment see the other two.
    shown = select(Place.id).where(Place.id == place_id, Place.state.in_(("published", "closed")))
    if await db.scalar(shown.with_for_update()) is None:
        raise NoSuchPlace
    recent = (
        PlaceReport.place_id == place_id,
        PlaceReport.settled_at.is_(None),
        PlaceReport.at > now - REPORTS_COUNT_FOR,
    )
    again = update(PlaceReport).where(*recent, PlaceReport.rider_id == rider_id).values(what=what, at=now)
    is_repeated = await rows_changed(db, again) > 0
    if not is_repeated:
        db.add(PlaceReport(place_id=place_id, rider_id=rider_id, what=what, at=now))
        await db.flush()
    people = await db.scalar(select(func.count(distinct(PlaceReport.rider_id))).where(*recent)) or 0
    if people >= PEOPLE_TO_DOUBT:
        doubt = update(Place).where(Place.id == place_id, Place.doubtful_since.is_(None))
        if await rows_changed(db, doubt.values(doubtful_since=now)):
            await changed(db, database)
    doubtful = select(Place.doubtful_since).where(Place.id == place_id)
    return Reported(is_repeated, await db.scalar(doubtful) is not None)


async def verify(
    db: AsyncSession,
    place_id: int,
    *,
    on: date,
    now: datetime,
    database: Database,
    amenities: Collection[str] = (),
) -> None:
    """Somebody saw the place `on` a day of the city's calendar: doubt ends, earlier reports are settled.

    Only the `amenities` named are checked by it; the others keep their dates. Raises NoSuchPlace.
    """
    place = await db.scalar(select(Place).where(Place.id == place_id).with_for_update())
    if place is None:
        raise NoSuchPlace
    place.verified_at = max(on, place.verified_at or on)
    place.doubtful_since = None
    place.amenity_verified = place.amenity_verified | dict.fromkeys(amenities, on.isoformat())
    place.updated_at = now
    await db.flush()
    await settle(db, [place_id], now)
    await changed(db, database)


def is_newer_verification(new: date | None, old: date | None, doubtful_since: datetime | None) -> bool:
    """Whether being seen on `new` ends the doubt: later than the last time, and not before the doubt."""
    if new is None or doubtful_since is None or (old is not None and new <= old):
        return False
    return new >= doubtful_since.astimezone(UTC).date()


async def settle(db: AsyncSession, place_ids: Collection[int], now: datetime) -> None:
    """The reports of these places have been looked into and no longer count."""
    if place_ids:
        of_these = PlaceReport.place_id.in_(place_ids)
        still_open = update(PlaceReport).where(of_these, PlaceReport.settled_at.is_(None))
        await db.execute(still_open.values(settled_at=now))


async def erase_reports(db: AsyncSession, rider_id: int) -> None:
    """Forget who made this rider's reports; what was reported stays."""
    await db.execute(update(PlaceReport).where(PlaceReport.rider_id == rider_id).values(rider_id=None))


async def count_searches(
    db: AsyncSession, counts: Mapping[Search, int], people: Mapping[Search, int] = _NOBODY
) -> None:
    """Add to how often things were looked for, and to the bits of those who looked in vain."""
    # In one order always, so that two processes never wait for each other's rows.
    keys = sorted(counts, key=lambda search: (search.hour, search.wanted, search.square, search.found))
    for start in range(0, len(keys), _SEARCHES_AT_ONCE):
        rows = [
            asdict(key) | {"count": counts[key], "people": people.get(key, 0)}
            for key in keys[start : start + _SEARCHES_AT_ONCE]
        ]
        statement = insert(db, SearchCount).values(rows)
        more = {
            "count": SearchCount.count + statement.excluded.count,
            "people": SearchCount.people.op("|")(statement.excluded.people),
        }
        key_columns = ["hour", "wanted", "square", "found"]
        await db.execute(statement.on_conflict_do_update(index_elements=key_columns, set_=more))


def search(at: datetime, wanted: str, lat: float | None, lng: float | None, *, found: bool) -> Search:
    """One search as it is counted: an hour, not the moment; a square, not the position (WGS-84)."""
    hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    square = "" if lat is None or lng is None else f"{lat:.2f},{lng:.2f}"
    return Search(hour, wanted, square, found)
