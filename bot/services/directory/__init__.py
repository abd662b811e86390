"""The directory: every place in memory, found by position, by name, by code, without asking the database."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, case, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import Place, PlaceChange
from bot.services.directory.listing import COLUMNS, Found, Listing, bearing_to, from_row, is_in_season
from bot.services.directory.snapshot import Snapshot
from bot.services.holidays import Calendar
from bot.services.hours import UNKNOWN, Opening

__all__ = ["Directory", "Found", "Listing"]


class Directory:
    """What riders can find, as one snapshot that is replaced as a whole when places change.

    `version` is that of the snapshot, None before anything was loaded. Samples are there only with `demo`.
    Whoever holds a Listing may keep it: it never changes.
    """

    def __init__(self, zone: ZoneInfo, *, demo: bool, calendar: Calendar | None = None) -> None:
        """Hours follow the holidays of `calendar`, by default the mainland's."""
        self.zone = zone
        self._calendar = calendar
        self.version: int | None = None
        self._demo = demo
        self._snapshot: Snapshot | None = None
        self._refreshing = asyncio.Lock()

    async def refresh(self, db: AsyncSession) -> bool:
        """Load the places anew if they changed; tells whether they did."""
        async with self._refreshing:
            # The version first: what changes while we load is loaded again next time, never missed.
            version = await db.scalar(select(PlaceChange.version).where(PlaceChange.id == 1)) or 0
            if version == self.version:
                return False
            table = Place.__table__
            wanted = table.c.state != "hidden"
            if not self._demo:
                wanted &= or_(table.c.demo.is_(False), table.c.demo.is_(None))
            columns: dict[str, ColumnElement[Any]] = {column: table.c[column] for column in COLUMNS}
            # While a weather warning keeps a place open longer, those are its hours, wherever hours are looked at.
            columns["hours"] = case((table.c.weather_until.is_not(None), table.c.weather_hours), else_=table.c.hours)
            query = select(*columns.values()).where(wanted).order_by(table.c.id)
            rows = (await db.execute(query)).all()
            self._snapshot = await asyncio.to_thread(self._built, map(from_row, map(tuple, rows)))
            self.version = version
            return True

    def load(self, listings: Iterable[Listing], version: int = 1) -> None:
        """Take `listings` instead of those in a database."""
        self._snapshot = self._built(listings)
        self.version = version

    def nearest(
        self,
        lat: float,
        lng: float,
        *,
        kinds: Collection[str] = (),
        amenities: Collection[str] = (),
        limit: int = 10,
        where: Callable[[Listing], bool] | None = None,
        at: datetime | None = None,
        open_only: bool = False,
    ) -> list[Found]:
        """Places by distance from a point (WGS-84): any of `kinds`, all of `amenities`.

        With `open_only` those that are open at `at`. `where` is asked of every nearer candidate, one by one.
        """
        found: list[Found] = []
        places = self.near(lat, lng, kinds=kinds, amenities=amenities, limit=limit, open_at=at if open_only else None)
        for metres, listing in places:
            if where is None or where(listing):
                found.append(Found(listing, metres, bearing_to(listing, lat, lng)))
                # Asking for one more than needed would search again.
                if len(found) >= limit:
                    break
        return found

    def near(
        self,
        lat: float,
        lng: float,
        *,
        kinds: Collection[str] = (),
        amenities: Collection[str] = (),
        limit: int = 10,
        open_at: datetime | None = None,
    ) -> Iterator[tuple[float, Listing]]:
        """The same as metres and places, one after the other for as long as somebody asks; `limit` is a guess."""
        if self._snapshot is None:
            return iter(())
        places = self._snapshot.near(lat, lng, kinds=kinds, amenities=amenities, limit=limit, open_at=open_at)
        if open_at is None:
            return places
        return (one for one in places if self.opening(one[1], open_at).state == "open")

    def by_id(self, id: int) -> Listing | None:
        return self._snapshot.by_id(id) if self._snapshot else None

    def by_code(self, code: str) -> Listing | None:
        """The place with this code, unless it was removed."""
        return self._snapshot.by_code(code) if self._snapshot else None

    def by_code_any(self, code: str) -> Listing | None:
        """The place with this code; a removed one has the state `removed`."""
        return self.by_code(code) or (self._snapshot.tombstones.get(code) if self._snapshot else None)

    def everything(self) -> Iterator[Listing]:
        """Every place, surveyed or not, but those removed or hidden."""
        return iter(self._snapshot or ())

    def named(self, text: str, *, county: str = "", limit: int = 5) -> list[tuple[Listing, float]]:
        """Places whose name, address or road fits `text`, with how well (0 to 100), best first.

        As it is written first, then as it is spelt nearly; places that nobody has surveyed are found as well.
        """
        found: list[tuple[Listing, float]] = []
        if self._snapshot is None:
            return found
        for number, score in self._snapshot.names.matching(text):
            listing = self._snapshot[number]
            if not county or listing.county == county:
                found.append((listing, score))
            if len(found) >= limit:
                break
        return found

    def opening(self, listing: Listing, at: datetime) -> Opening:
        """Whether a place is open at `at`, and until when: by its hours, unless it is closed for a time.

        `closed_until` is the last day of a closure; without it the end is not known.
        """
        schedule = listing.schedule
        if listing.state != "closed":
            return schedule.at(at) if schedule is not None else UNKNOWN
        if listing.closed_until is None:
            return Opening("closed")
        reopens = datetime.combine(listing.closed_until + timedelta(days=1), time(), self.zone)
        if at >= reopens:
            return schedule.at(at) if schedule is not None else UNKNOWN
        then = schedule.at(reopens) if schedule is not None else UNKNOWN
        return Opening("closed", then.until if then.state == "closed" else reopens)

    def amenity_open(self, listing: Listing, amenity: str, on_date: date) -> bool:
        """Whether a place has `amenity` on this day: it offers it, and not only in another season."""
        return amenity in listing.amenities and not self.is_out_of_season(listing, amenity, on_date)

    def is_out_of_season(self, listing: Listing, amenity: str, on_date: date) -> bool:
        """Whether a place has shut `amenity` for the season (showers in winter) on this day."""
        season = listing.amenity_closed.get(amenity)
        return bool(season) and is_in_season(season or "", on_date)

    def _built(self, listings: Iterable[Listing]) -> Snapshot:
        return Snapshot((one for one in listings if self._demo or not one.demo), self.zone, self._calendar)
