"""The directory as other programs see it: published places only, in the datum that they work in."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from bot import geo
from bot.services.directory import Directory, Found, Listing

DATUMS = geo.DATUMS
_YES_OR_NO: dict[str, Literal["yes", "no", "unknown"]] = {"open": "yes", "closed": "no", "unknown": "unknown"}
# A seventh decimal is a centimetre.
_DECIMALS = 7


@dataclass(frozen=True, slots=True)
class PublicPlace:
    """One place near a point. `closes_at` is in the city's zone, None if it is not open or stays so."""

    code: str
    name: str
    kind: str
    lat: float
    lng: float
    distance_m: int
    bearing: int
    open: Literal["yes", "no", "unknown"]
    closes_at: datetime | None
    amenities: list[str]
    demo: bool


@dataclass(frozen=True, slots=True)
class Question:
    """Where from and what: `lat`, `lng` in `datum`, any of `kinds`, all of `amenities`, open at `at` or not."""

    lat: float
    lng: float
    at: datetime
    datum: str = "wgs84"
    kinds: Collection[str] = ()
    amenities: Collection[str] = ()
    open_only: bool = False
    limit: int = 10


def is_on_earth(lat: float, lng: float, datum: str) -> bool:
    """Whether these degrees, in `datum`, are a point that can be searched from."""
    return geo.in_range(lat, lng) and geo.in_range(*geo.convert(lat, lng, datum, "wgs84"))


def nearest(directory: Directory, question: Question) -> list[PublicPlace]:
    """What answers `question`, by distance."""
    lat, lng = geo.convert(question.lat, question.lng, question.datum, "wgs84")
    found = directory.nearest(
        lat,
        lng,
        kinds=question.kinds,
        amenities=question.amenities,
        limit=question.limit,
        where=_is_published,
        at=question.at,
        open_only=question.open_only,
    )
    return [_public(directory, one, question) for one in found]


def features(directory: Directory) -> Iterator[dict[str, Any]]:
    """Every published place as a GeoJSON feature (WGS-84); one that nobody has surveyed has no geometry."""
    for place in directory.everything():
        if _is_published(place):
            yield {"type": "Feature", "geometry": _point(place), "properties": _properties(place)}


def _is_published(place: Listing) -> bool:
    return place.state == "published"


def _public(directory: Directory, found: Found, question: Question) -> PublicPlace:
    place = found.listing
    assert place.lat is not None
    assert place.lng is not None
    lat, lng = geo.convert(place.lat, place.lng, "wgs84", question.datum)
    opening = directory.opening(place, question.at)
    return PublicPlace(
        code=place.code,
        name=place.name,
        kind=place.kind,
        lat=round(lat, _DECIMALS),
        lng=round(lng, _DECIMALS),
        distance_m=round(found.distance_m),
        bearing=found.bearing,
        open=_YES_OR_NO[opening.state],
        closes_at=opening.until if opening.state == "open" else None,
        amenities=sorted(place.amenities),
        demo=place.demo,
    )


def _point(place: Listing) -> dict[str, Any] | None:
    if place.lat is None or place.lng is None:
        return None
    return {"type": "Point", "coordinates": [round(place.lng, _DECIMALS), round(place.lat, _DECIMALS)]}


def _properties(place: Listing) -> dict[str, Any]:
    return {
        "code": place.code,
        "name": place.name,
        "kind": place.kind,
        "county": place.county,
        "address": place.address,
        "phone": place.phone,
        "hours": place.hours,
        "amenities": sorted(place.amenities),
        "amenity_closed": dict(place.amenity_closed),
        "entry": place.entry,
        "max_vehicle_m": place.max_vehicle_m,
        "hazmat": place.hazmat,
        "operator": place.operator,
        "source": place.source,
        "verified_at": place.verified_at,
        "demo": place.demo,
    }
