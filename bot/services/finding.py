"""What a rider gets: the places near them that fit their wish and vehicle, the best first."""

import math
from bisect import insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import NamedTuple

from bot import geo
from bot.services.directory import Directory, Listing
from bot.services.directory.listing import bearing_to
from bot.services.hours import Opening
from bot.services.vocabulary import KINDS
from bot.services.wishes import Wish, settled


@dataclass(frozen=True, slots=True)
class Travel:
    """How fast a vehicle gets along, in metres a second: for the first kilometres of town, and beyond."""

    town: float
    beyond: float
    town_m: float = 5_000

    def seconds(self, straight_m: float) -> float:
        """How long the way to a place takes that lies so far in a straight line."""
        road_m = straight_m * DETOUR
        if road_m <= self.town_m:
            return road_m / self.town
        return self.town_m / self.town + (road_m - self.town_m) / self.beyond


# Product assumptions, no measurements: a road is 1.4 times as long as the straight line, waiting at lights is
# in the speed, and whoever has not told their vehicle is taken for slow.
DETOUR = 1.4
TRAVEL = {
    "courier": Travel(town=18 / 3.6, beyond=18 / 3.6),
    "parcel": Travel(town=15 / 3.6, beyond=15 / 3.6),
    "ridehail": Travel(town=25 / 3.6, beyond=45 / 3.6),
    "truck": Travel(town=25 / 3.6, beyond=45 / 3.6),
}
UNTOLD = Travel(town=12 / 3.6, beyond=12 / 3.6)

# Where nothing was asked for: kinds that come first for a vehicle, and kinds that are worth less of a way.
KINDS_FOR: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "courier": (
        frozenset({"rest_station", "ebike_charging", "battery_swap", "canteen", "merchant"}),
        frozenset({"service_point", "drivers_hub", "friendly_place", "vending"}),
    ),
    "parcel": (
        frozenset({"rest_station", "ebike_charging", "canteen", "merchant"}),
        frozenset({"service_point", "drivers_hub", "friendly_place", "battery_swap", "vending"}),
    ),
    "ridehail": (
        frozenset({"taxi_stop", "ridehail_station", "drivers_hub", "charging"}),
        frozenset({"rest_station", "canteen", "service_point", "merchant", "vending"}),
    ),
    "truck": (
        frozenset({"truckers_home", "drivers_hub"}),
        frozenset({"charging", "canteen", "rest_station", "service_point"}),
    ),
}
KINDS_FOR_ANYBODY = frozenset(KINDS) - {"community", "workshop", "venue"}
_KINDS_TO_SHOW = {vehicle: first | others for vehicle, (first, others) in KINDS_FOR.items()}

FRESH_DAYS = 180
SHORTEST_TRUCK_M = 6.0
FARTHEST_OPEN_S = 1800
_CHUNK = 24  # so many of the nearest are ranked together; pages are cut from that
_ENOUGH_OPEN = 5
_AT_HAND_M = 300.0
_UNVERIFIED, _UNSURE, _NOT_FIRST, _LIMITS_UNKNOWN = 1.25, 2.5, 1.6, 1.5

# A charging station need not say that one can charge there.
_GOES_WITHOUT_SAYING = {
    "ebike_charging": "ebike_charging",
    "car_charging": "charging",
    "battery_swap": "battery_swap",
    "meals": "canteen",
}
_NEVER_CLOSES = Opening("open")
_ANY_CHARGING = ("ebike_charging", "car_charging")
_ANY_PARKING = ("bike_parking", "car_parking", "truck_parking")


class Suggestion(NamedTuple):
    """One place for this rider. `opening` is at `arrives_at`; `fresh_days` is None if nobody ever verified it."""

    listing: Listing
    distance_m: int
    bearing: int
    opening: Opening
    arrives_at: datetime
    fresh_days: int | None


@dataclass(frozen=True, slots=True)
class Findings:
    """A page of suggestions. `relaxed`: nothing fits the whole wish, so these fit only a part of it."""

    found: tuple[Suggestion, ...] = ()
    more: bool = False
    relaxed: bool = False


def find(
    directory: Directory,
    wish: Wish,
    lat: float,
    lng: float,
    *,
    vehicle: str,
    now: datetime,
    limit: int = 5,
    offset: int = 0,
) -> Findings:
    """The best places near a point (WGS-84) for `wish`, from the `offset`th on.

    The nearest come first. Among comparable distances the open and verified lead, then the open, then those
    whose hours are unknown or that riders doubt; the closed follow after all others, but are not hidden.
    Open means at the time of arrival, or at the time of day that the wish names. Round the clock means that for
    more than a week nothing changes. If nothing fits, the wish is
    given up step by step: open then, the county, the kinds beside amenities, voltage and brand. What a vehicle
    must fit into is never given up.
    """
    if wish.charging or wish.parking:
        wish = settled(wish, vehicle)
    for step, lesser in enumerate(_lesser(wish)):
        search = _Search(directory, lesser, lat, lng, vehicle, now, must_be_open=step == 0 and _is_timed(wish))
        ranked = search.ranked(offset + limit + 1)
        if ranked:
            page = tuple([search.suggestion(one) for one in ranked[offset : offset + limit]])
            return Findings(page, more=len(ranked) > offset + limit, relaxed=step > 0)
    return Findings()


def way_to(directory: Directory, place: Listing, lat: float, lng: float, *, vehicle: str, now: datetime) -> Suggestion:
    """One surveyed place, seen from a point (WGS-84): how far, which way, whether open on arrival."""
    assert place.lat is not None
    assert place.lng is not None
    metres = geo.straight_m(lat, lng, place.lat, place.lng)
    search = _Search(directory, Wish(), lat, lng, vehicle, now)
    return search.suggestion(search.rated(metres, place))


def arrival_s(distance_m: float, vehicle: str) -> float:
    """Seconds to a place at a straight distance, by the simple model of travel above."""
    return TRAVEL.get(vehicle, UNTOLD).seconds(distance_m)


def _is_timed(wish: Wish) -> bool:
    return wish.open_now or wish.always or bool(wish.at)


def _lesser(wish: Wish) -> Iterator[Wish]:
    """The wish, and what is left of it step by step if nothing fits."""
    yield wish
    if wish.always:
        yield (wish := replace(wish, always=False))
    elif _is_timed(wish):
        yield wish
    if wish.county:
        yield (wish := replace(wish, county=""))
    if wish.kinds and wish.amenities:
        yield (wish := replace(wish, kinds=frozenset()))
    if wish.voltage or wish.brand:
        yield replace(wish, voltage="", brand="")
    if not _has_aim(wish):
        yield replace(wish, kinds=frozenset(KINDS))


# What a rank is made of: closed or not, the weighted distance, the id, which ends every comparison; then the
# metres, the place, its opening, and the moment of that in seconds since 1970.
_Rated = tuple[bool, float, int, float, Listing, Opening, float]
_Near = Iterator[tuple[float, Listing]]
_METRES = itemgetter(0)


class _Search:
    """One question, with all that is the same for every candidate."""

    def __init__(
        self,
        directory: Directory,
        wish: Wish,
        lat: float,
        lng: float,
        vehicle: str,
        now: datetime,
        *,
        must_be_open: bool = False,
    ) -> None:
        zone = directory.zone
        self._directory = directory
        self._wish = wish
        self._point = lat, lng
        self._vehicle = vehicle
        self._travel = TRAVEL.get(vehicle, UNTOLD)
        self._now = now
        self._local = now.astimezone(zone)
        self._second = now.timestamp()
        self._asked_at = _next(wish.at, self._local) if wish.at else None
        self._asked_second = self._asked_at.timestamp() if self._asked_at else None
        self._must_be_open = must_be_open
        self._first = None if _has_aim(wish) else KINDS_FOR.get(vehicle, (None, None))[0]
        self._today = self._local.date()
        self._oldest = self._today - timedelta(days=FRESH_DAYS)
        self._length_m = wish.length_m or (SHORTEST_TRUCK_M if "truck_parking" in wish.amenities else 0.0)
        self._has_limits = bool(self._length_m) or wish.hazmat
        self._conditions = tuple(self._asked())

    def ranked(self, wanted: int) -> list[_Rated]:
        """At least `wanted` candidates if there are so many, best first.

        The nearest are ranked among themselves, then the next: a page is the same whoever asked for it before.
        """
        places = self._fitting(_CHUNK // 2)
        ranked, is_settled = self._chunk(places, wanted)
        if is_settled:
            return ranked
        if not self._must_be_open and len(ranked) == _CHUNK and ranked[_ENOUGH_OPEN - 1][0]:
            ranked = sorted(ranked + self._open_beyond(ranked))
        known = {one[2] for one in ranked}
        while len(ranked) < wanted and (chunk := self._chunk(places, _CHUNK + 1)[0]):
            ranked += [one for one in chunk if one[2] not in known]
        return ranked

    def rated(self, metres: float, place: Listing) -> _Rated:
        """A candidate with its rank: the smaller, the better."""
        at = self._asked_second or self._second + self._travel.seconds(metres)
        if place.state == "closed" or place.schedule is None:
            opening = self._directory.opening(place, datetime.fromtimestamp(at, UTC))
        else:
            opening = place.schedule.at_second(at)
        state = opening.state
        weight = metres + _AT_HAND_M
        if state == "unknown" or place.doubtful_since is not None:
            weight *= _UNSURE
        elif place.verified_at is None or place.verified_at < self._oldest:
            weight *= _UNVERIFIED
        if self._first is not None and place.kind not in self._first:
            weight *= _NOT_FIRST
        if self._has_limits:
            weight *= self._unknown_limits(place)
        return state == "closed", weight, place.id, metres, place, opening, at

    def _unknown_limits(self, place: Listing) -> float:
        doubt = _LIMITS_UNKNOWN if self._length_m and place.max_vehicle_m is None else 1.0
        return doubt * _LIMITS_UNKNOWN if self._wish.hazmat and place.hazmat is None else doubt

    def suggestion(self, one: _Rated) -> Suggestion:
        _closed, _weight, _id, metres, place, opening, at = one
        verified = place.verified_at
        fresh = max((self._today - verified).days, 0) if verified else None
        arrives_at = datetime.fromtimestamp(at, UTC)
        return Suggestion(place, round(metres), bearing_to(place, *self._point), opening, arrives_at, fresh)

    def _chunk(self, places: _Near, wanted: int) -> tuple[list[_Rated], bool]:
        """The next chunk, ranked; true if it holds fewer because its first `wanted` are settled already."""
        ranked: list[_Rated] = []
        weights: list[float] = []
        enough = math.inf
        for metres, place in places:
            # Whoever comes now weighs at least this much, for no weight makes a way shorter.
            if enough <= metres + _AT_HAND_M:
                ranked.sort()
                return ranked, True
            one = self.rated(metres, place)
            if not one[0] and one[1] < enough:
                insort(weights, one[1])
                if len(weights) >= wanted:
                    enough = weights[wanted - 1]
            if not self._must_be_open or one[5].state == "open":
                ranked.append(one)
                # Stopping here, and not after asking for the next, saves a search.
                if len(ranked) == _CHUNK:
                    break
        ranked.sort()
        return ranked, False

    def _open_beyond(self, ranked: list[_Rated]) -> list[_Rated]:
        """The nearest open places where nearly everything around is closed, unless they are far."""
        known = {one[2] for one in ranked}
        beyond = []
        for metres, place in islice(self._fitting(_CHUNK, open_at=self._asked_at or self._now), _CHUNK):
            if self._travel.seconds(metres) > FARTHEST_OPEN_S:
                break
            if place.id not in known:
                beyond.append(self.rated(metres, place))
        return [one for one in beyond if not one[0]]

    def _fitting(self, limit: int, open_at: datetime | None = None) -> _Near:
        """What fits the wish, nearest first."""
        if self._must_be_open:
            open_at = self._asked_at or self._now
        lat, lng = self._point
        streams = [
            self._directory.near(lat, lng, kinds=kinds, amenities=amenities, limit=limit, open_at=open_at)
            for kinds, amenities in _alternatives(self._wish, self._vehicle)
        ]
        places = streams[0] if len(streams) == 1 else _once(merge(*streams, key=_METRES))
        if not self._conditions:
            return places
        return (one for one in places if all(holds(one[1]) for holds in self._conditions))

    def _asked(self) -> Iterator[Callable[[Listing], bool]]:
        """Conditions that only the place itself can answer."""
        wish, day = self._wish, self._asked_at.date() if self._asked_at else self._today
        if wish.amenities:
            yield lambda place: not place.amenity_closed or self._offers_all(place, day)
        if wish.always:
            yield lambda place: place.schedule is not None and place.schedule.at_second(self._second) == _NEVER_CLOSES
        if wish.county:
            yield lambda place: place.county == wish.county
        if length := self._length_m:
            yield lambda place: place.max_vehicle_m is None or place.max_vehicle_m >= length
        if wish.hazmat:
            yield lambda place: place.hazmat is not False
        if wish.voltage:
            yield lambda place: wish.voltage in {volts.rstrip("Vv") for volts in place.voltages}
        if wish.brand:
            brand = wish.brand.casefold()
            yield lambda place: any(brand in swap.casefold() for swap in place.swap_brands)

    def _offers_all(self, place: Listing, day: date) -> bool:
        """Whether none of the amenities asked for is out of season."""
        return not any(self._directory.is_out_of_season(place, name, day) for name in self._wish.amenities)


def _has_aim(wish: Wish) -> bool:
    return bool(wish.kinds or wish.amenities or wish.charging or wish.parking)


def _alternatives(wish: Wish, vehicle: str) -> list[tuple[frozenset[str], frozenset[str]]]:
    """Kinds and amenities to look for; a place that fits one of the pairs will do."""
    if not _has_aim(wish):
        return [(_KINDS_TO_SHOW.get(vehicle, KINDS_FOR_ANYBODY), wish.amenities)]
    sets = [wish.amenities]
    for is_open_question, answers in ((wish.charging, _ANY_CHARGING), (wish.parking, _ANY_PARKING)):
        if is_open_question:
            sets = [amenities | {answer} for amenities in sets for answer in answers]
    pairs = [(wish.kinds, amenities) for amenities in sets]
    for amenities in sets:
        for amenity in amenities & _GOES_WITHOUT_SAYING.keys():
            kind = _GOES_WITHOUT_SAYING[amenity]
            if not wish.kinds or kind in wish.kinds:
                pairs.append((frozenset({kind}), amenities - {amenity}))
    return pairs


def _once(places: _Near) -> _Near:
    """Every place once, though it fits several alternatives."""
    seen = set()
    for one in places:
        if one[1].id not in seen:
            seen.add(one[1].id)
            yield one


def _next(clock: str, local: datetime) -> datetime:
    """The next moment at which it is `HH:MM` there; aware, in the zone of `local`."""
    at = datetime.combine(local.date(), time.fromisoformat(clock), local.tzinfo)
    return at if at >= local else at + timedelta(days=1)
