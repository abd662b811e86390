"""Everything that the directory knows at one version; never changed, only replaced."""

from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from itertools import takewhile
from typing import Protocol
from zoneinfo import ZoneInfo

from bot.geo import earth_centred, over_ground_m
from bot.services.directory.few import Few
from bot.services.directory.listing import Listing
from bot.services.directory.names import Names
from bot.services.directory.shelf import Shelf
from bot.services.holidays import Calendar
from bot.services.hours import Hours, compiled

_FEW = 20_000  # beyond, trees and arrays are worth the second that their import takes


class Index(Protocol):
    """Where places lie. Yields straight metres and numbers; `limit` is a guess, `open_at` may be left to the caller."""

    def nearest(
        self,
        point: tuple[float, float, float],
        kinds: frozenset[str],
        amenities: frozenset[str],
        limit: int,
        open_at: datetime | None,
        /,
    ) -> Iterator[tuple[float, int]]: ...


class Snapshot:
    """Listings by number, and every way to find them."""

    def __init__(self, listings: Iterable[Listing], zone: ZoneInfo, calendar: Calendar | None = None) -> None:
        self._zone = zone
        self._calendar = calendar
        self._schedule_numbers: dict[str, int] = {}
        self._schedules: list[Hours] = []
        self._shelf = Shelf(self._finished)
        self.tombstones: dict[str, Listing] = {}
        ids, codes, surveyed = array("q"), array("q"), 0
        for listing in listings:
            if listing.state == "removed":
                self.tombstones[listing.code] = listing
            elif listing.state != "hidden":
                self._shelf.put(listing)
                ids.append(listing.id)
                codes.append(hash(listing.code))
                surveyed += listing.lat is not None
        self._ids, self._codes = _Keys(ids), _Keys(codes)
        self._index = self._indexed(surveyed)
        self._names = Names(self._shelf) if len(self._shelf) <= _FEW else None

    def __len__(self) -> int:
        return len(self._shelf)

    def __iter__(self) -> Iterator[Listing]:
        return iter(self._shelf)

    def __getitem__(self, number: int) -> Listing:
        return self._shelf[number]

    def by_id(self, id: int) -> Listing | None:
        return next((self._shelf[number] for number in self._ids.of(id)), None)

    def by_code(self, code: str) -> Listing | None:
        # Only hashes of the codes are kept: two may share one.
        same = (self._shelf[number] for number in self._codes.of(hash(code)))
        return next((listing for listing in same if listing.code == code), None)

    @property
    def names(self) -> Names:
        """The search by name; a large one is made when somebody first asks."""
        if self._names is None:
            self._names = Names(self._shelf)
        return self._names

    def near(
        self,
        lat: float,
        lng: float,
        *,
        kinds: Collection[str] = (),
        amenities: Collection[str] = (),
        open_at: datetime | None = None,
        limit: int = 10,
    ) -> Iterator[tuple[float, Listing]]:
        """Metres over the ground and places, nearest first, for as long as somebody asks; `limit` is a guess.

        With `open_at` places that are sure to be closed then may be left out.
        """
        take = self._shelf.take
        point = earth_centred(lat, lng)
        for straight, number in self._index.nearest(point, frozenset(kinds), frozenset(amenities), limit, open_at):
            yield over_ground_m(straight), take(number)

    def _indexed(self, surveyed: int) -> Index:
        if surveyed <= _FEW:
            return Few(list(enumerate(self._shelf)))
        from bot.services.directory.many import Many

        return Many(enumerate(self._shelf), self._schedules, self._schedule_numbers)

    def _finished(self, listing: Listing) -> Listing:
        """`listing` with its hours, compiled once for each text."""
        number = self._schedule_numbers.setdefault(listing.hours, len(self._schedules))
        if number == len(self._schedules):
            self._schedules.append(_schedule(listing.hours, self._zone, self._calendar))
        # The one change that a listing ever sees, before anybody else does; a copy costs more than the rest.
        object.__setattr__(listing, "schedule", self._schedules[number])
        return listing


def _schedule(text: str, zone: ZoneInfo, calendar: Calendar | None) -> Hours:
    """The hours of `text`; what nobody can read is unknown, for a place is not hidden because of its hours."""
    try:
        return compiled(text, zone, calendar)
    except ValueError:
        return compiled("", zone)


class _Keys:
    """Which listings have a key; a million keys in twelve megabytes."""

    def __init__(self, keys: "array[int]") -> None:
        self._order = array("i", sorted(range(len(keys)), key=keys.__getitem__))
        self._keys = array("q", map(keys.__getitem__, self._order))

    def of(self, key: int) -> list[int]:
        start = bisect_left(self._keys, key)
        same = takewhile(lambda at: self._keys[at] == key, range(start, len(self._keys)))
        return [self._order[at] for at in same]
