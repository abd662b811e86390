"""One place as the directory knows it: everything in its row, ready to be shown."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from functools import cache, lru_cache
from sys import intern
from typing import Any, NamedTuple

from bot.geo import bearing
from bot.services.hours import Hours


@dataclass(frozen=True, slots=True)
class Listing:
    """A place, with the columns of its row. `lat`, `lng` are WGS-84, or None where nobody has surveyed it.

    Until `weather_until` it is open longer because of the weather, and `hours` are those. `schedule` is `hours`
    compiled, filled in by the directory.
    """

    id: int
    code: str
    name: str
    kind: str
    county: str = ""
    address: str = ""
    lat: float | None = None
    lng: float | None = None
    source_lat: float | None = None
    source_lng: float | None = None
    datum: str = ""
    phone: str = ""
    hours: str = ""
    amenities: frozenset[str] = frozenset()
    amenity_verified: Mapping[str, str] = field(default_factory=dict)
    amenity_closed: Mapping[str, str] = field(default_factory=dict)
    entry: str = ""
    prices: tuple[Mapping[str, Any], ...] = ()
    prices_at: date | None = None
    piles: int | None = None
    connectors: int | None = None
    swap_brands: tuple[str, ...] = ()
    voltages: tuple[str, ...] = ()
    parking_spaces: int | None = None
    max_vehicle_m: float | None = None
    max_vehicle_h_m: float | None = None
    max_vehicle_t: float | None = None
    hazmat: bool | None = None
    road: str = ""
    direction: str = ""
    operator: str = ""
    source: str = ""
    verified_at: date | None = None
    demo: bool = False
    note: str = ""
    state: str = "published"
    closed_until: date | None = None
    closed_reason: str = ""
    doubtful_since: datetime | None = None
    weather_until: datetime | None = None
    updated_at: datetime | None = None
    schedule: Hours | None = field(default=None, compare=False, repr=False)

    def __hash__(self) -> int:
        # Equal places have one number; what is worded of a place is found again by it, thousands of times a second.
        return self.id

    @property
    def doubtful(self) -> bool:
        """Whether riders said that something is wrong with it, and nobody has looked since."""
        return self.doubtful_since is not None


class Found(NamedTuple):
    """A place, how far it lies over the ground, and in which direction (0 to 359 degrees from north)."""

    listing: Listing
    distance_m: float
    bearing: int


def bearing_to(listing: Listing, lat: float, lng: float) -> int:
    """In which direction a surveyed place lies from a point, in degrees from north."""
    assert listing.lat is not None
    assert listing.lng is not None
    return bearing(lat, lng, listing.lat, listing.lng)


COLUMNS = tuple(column.name for column in fields(Listing) if column.name != "schedule")
_STATE, _DEMO = COLUMNS.index("state"), COLUMNS.index("demo")
_AMENITIES = COLUMNS.index("amenities")
_LISTS = tuple(COLUMNS.index(name) for name in ("prices", "swap_brands", "voltages"))
_MAPPINGS = tuple(COLUMNS.index(name) for name in ("amenity_verified", "amenity_closed"))
_ALIKE = ("kind", "county", "datum", "hours", "entry", "road", "direction", "operator", "source", "state")
_WORDS = tuple(COLUMNS.index(name) for name in _ALIKE)
_NOTHING: dict[str, str] = {}


def from_row(row: tuple[Any, ...]) -> Listing:
    """A listing from a row of COLUMNS.

    What thousands of places have in common is kept once: less memory, and less of it to fetch for each search.
    """
    values = list(row)
    for column in _WORDS:
        values[column] = intern(values[column])
    for column in _MAPPINGS:
        values[column] = values[column] or _NOTHING
    values[_AMENITIES] = _shared(frozenset(values[_AMENITIES]))
    for column in _LISTS:
        values[column] = tuple(values[column])
    return Listing(*values)


@lru_cache(maxsize=10_000)
def _shared(amenities: frozenset[str]) -> frozenset[str]:
    """The one set of these amenities: thousands of places offer the same."""
    return amenities


def packed(listing: Listing) -> tuple[Any, ...]:
    """What `unpacked` needs, without the schedule."""
    return tuple([getattr(listing, column) for column in COLUMNS])


def is_in_season(season: str, day: date) -> bool:
    """Whether `day` lies within `MM-DD/MM-DD`, both days included; a season may run over the new year."""
    first, last = _season(season)
    today = (day.month, day.day)
    return first <= today <= last if first <= last else today >= first or today <= last


@cache
def _season(text: str) -> tuple[tuple[int, int], tuple[int, int]]:
    match = re.fullmatch(r"(\d\d)-(\d\d)/(\d\d)-(\d\d)", text)
    if match is None:
        return _NEVER
    return (int(match[1]), int(match[2])), (int(match[3]), int(match[4]))


# A season that nobody can read closes nothing.
_NEVER = ((13, 1), (13, 1))
