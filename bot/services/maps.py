"""Known points of the city, for finding one's way on a map that has no tiles."""

from dataclasses import dataclass

from bot import geo
from bot.services.city import City


@dataclass(frozen=True, slots=True)
class Landmark:
    """A point with a name, in the datum that was asked for."""

    name: str
    lat: float
    lng: float


def drawn(lat: float, lng: float, datum: str) -> tuple[float, float]:
    """A point in WGS-84 as a map in `datum` draws it; a millionth of a degree is enough to see."""
    there = geo.convert(lat, lng, "wgs84", datum)
    return round(there[0], 6), round(there[1], 6)


def landmarks(city: City, datum: str, locale: str) -> list[Landmark]:
    """The middle of the city first, then the county seats, named in `locale`, in `datum`."""
    points = [(city.called(locale), city.lat, city.lng)]
    points += [(county.called(locale), county.lat, county.lng) for county in city.counties.values()]
    return [Landmark(name, *geo.convert(lat, lng, "wgs84", datum)) for name, lat, lng in points]
