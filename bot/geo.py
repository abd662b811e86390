"""Where things are: datums, distances, directions, and links that open a map.

Inside the program every coordinate is WGS-84; a datum is named wherever one comes in or goes out. GCJ-02
is what Amap and Tencent draw, BD-09 what Baidu draws; around Yuncheng they lie half a kilometre and 1.2 km
off.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from urllib.parse import quote

DATUMS = ("wgs84", "gcj02", "bd09")
COMPASS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")
EARTH_RADIUS_M = 6_371_008.8
_FLAT_M = 10_000.0  # so far the earth bends by less than a millimetre

Pair = tuple[float, float]


def convert(lat: float, lng: float, source: str, target: str) -> Pair:
    """The same point in another datum; there and back again is exact to a micrometre.

    The stated datum is trusted, wherever the point lies: a rectangle around China would hold Seoul as well.
    Raises ValueError for a datum that is not one of DATUMS.
    """
    for datum in (source, target):
        if datum not in DATUMS:
            raise ValueError(f"no datum {datum!r}")
    if source == target:
        return lat, lng
    return _FROM_WGS84[target](*_TO_WGS84[source](lat, lng))


def in_range(lat: float, lng: float) -> bool:
    """Whether these are degrees on the earth at all; NaN and infinity are not."""
    return -90 <= lat <= 90 and -180 <= lng <= 180


def in_china(lat: float, lng: float) -> bool:
    """Whether a point lies in a rough rectangle around China: enough to word an answer, not to convert by."""
    return 3.8 <= lat <= 53.6 and 73.4 <= lng <= 135.1


def distance_m(lat: float, lng: float, to_lat: float, to_lng: float) -> float:
    """Metres along the surface of a sphere: within 0.6 % of the truth."""
    south, north = math.radians(lat), math.radians(to_lat)
    height = math.sin((north - south) / 2) ** 2
    width = math.cos(south) * math.cos(north) * math.sin(math.radians(to_lng - lng) / 2) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(min(1.0, height + width)))


def geodesic_m(lat: float, lng: float, to_lat: float, to_lng: float) -> float:
    """Metres along the WGS-84 ellipsoid, exact and a hundred times slower than `distance_m`."""
    from geopy.distance import geodesic

    return float(geodesic((lat, lng), (to_lat, to_lng)).meters)


def bearing(lat: float, lng: float, to_lat: float, to_lng: float) -> int:
    """The direction in which the second point lies, in whole degrees from north, clockwise, 0 to 359."""
    south, north = math.radians(lat), math.radians(to_lat)
    east = math.radians(to_lng - lng)
    y = math.sin(east) * math.cos(north)
    x = math.cos(south) * math.sin(north) - math.sin(south) * math.cos(north) * math.cos(east)
    return round(math.degrees(math.atan2(y, x))) % 360


def compass(degrees: float) -> str:
    """The nearest of the eight directions in COMPASS."""
    return COMPASS[round(degrees / 45) % 8]


def earth_centred(lat: float, lng: float) -> tuple[float, float, float]:
    """Metres from the centre of the WGS-84 ellipsoid: x to 0° E, y to 90° E, z to the north pole.

    The straight line between two such points ranks as the way over the ground does, also across 180° and the
    poles; `over_ground_m` makes the one of the other.
    """
    phi, lam = math.radians(lat), math.radians(lng)
    sine = math.sin(phi)
    radius = _SEMI_MAJOR_M / math.sqrt(1 - _ECCENTRICITY_2 * sine * sine)
    level = radius * math.cos(phi)
    return level * math.cos(lam), level * math.sin(lam), radius * (1 - _ECCENTRICITY_2) * sine


def over_ground_m(straight_m: float) -> float:
    """Metres over the ground for a straight line through the earth.

    Within a millimetre of the geodesic up to 20 km, within 0.3 % up to a quarter of the globe.
    """
    if straight_m < _FLAT_M:
        return straight_m
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, straight_m / (2 * EARTH_RADIUS_M)))


def straight_m(lat: float, lng: float, to_lat: float, to_lng: float) -> float:
    """Metres over the ground, as exact as `over_ground_m`, for two points that nobody has prepared."""
    return over_ground_m(math.dist(earth_centred(lat, lng), earth_centred(to_lat, to_lng)))


def navigation_links(lat: float, lng: float, name: str, address: str = "") -> dict[str, str]:
    """Links that show a WGS-84 point in `amap`, `tencent` and `baidu` maps, each in its own datum."""
    gcj, baidu = convert(lat, lng, "wgs84", "gcj02"), convert(lat, lng, "wgs84", "bd09")
    title = quote(name, safe="")
    return {
        "amap": f"https://uri.amap.com/marker?position={gcj[1]:.6f},{gcj[0]:.6f}&name={title}"
        "&src=nuanxin&coordinate=gaode&callnative=1",
        "tencent": f"https://apis.map.qq.com/uri/v1/marker?marker=coord:{gcj[0]:.6f},{gcj[1]:.6f}"
        f";title:{_marker_text(name)};addr:{_marker_text(address or name)}&coord_type=2&referer=nuanxin",
        "baidu": f"https://api.map.baidu.com/marker?location={baidu[0]:.6f},{baidu[1]:.6f}&title={title}"
        f"&content={quote(address or name, safe='')}&output=html&coord_type=bd09ll&src=nuanxin",
    }


def _marker_text(text: str) -> str:
    """Tencent's marker is itself a list of `key:value;`: those two signs become their full-width sisters."""
    return quote(text.replace(";", "；").replace(":", "："), safe="")


# The ellipsoid of GPS, and the older one (Krasovsky's) on which the shift of GCJ-02 is computed.
_SEMI_MAJOR_M = 6_378_137.0
_ECCENTRICITY_2 = 0.006_694_379_990_141_316
_SHIFT_SEMI_MAJOR_M = 6_378_245.0
_SHIFT_ECCENTRICITY_2 = 0.006_693_421_622_965_943
_SHIFT_ORIGIN = (35.0, 105.0)


def _gcj02_from_wgs84(lat: float, lng: float) -> Pair:
    north_m, east_m = _shift(lng - _SHIFT_ORIGIN[1], lat - _SHIFT_ORIGIN[0])
    phi = math.radians(lat)
    bulge = 1 - _SHIFT_ECCENTRICITY_2 * math.sin(phi) ** 2
    meridian = _SHIFT_SEMI_MAJOR_M * (1 - _SHIFT_ECCENTRICITY_2) / (bulge * math.sqrt(bulge))
    # Nobody draws GCJ-02 at a pole; the floor only keeps the formula finite there.
    parallel = _SHIFT_SEMI_MAJOR_M / math.sqrt(bulge) * max(math.cos(phi), 0.05)
    return lat + math.degrees(north_m / meridian), lng + math.degrees(east_m / parallel)


def _shift(x: float, y: float) -> Pair:
    """Metres north and east by which GCJ-02 moves a point `x`, `y` degrees east and north of 105, 35."""
    ripple = 20 * (math.sin(6 * math.pi * x) + math.sin(2 * math.pi * x))
    root = math.sqrt(abs(x))
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north += (ripple + 20 * math.sin(math.pi * y) + 40 * math.sin(math.pi / 3 * y)) * 2 / 3
    north += (160 * math.sin(math.pi / 12 * y) + 320 * math.sin(math.pi / 30 * y)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east += (ripple + 20 * math.sin(math.pi * x) + 40 * math.sin(math.pi / 3 * x)) * 2 / 3
    east += (150 * math.sin(math.pi / 12 * x) + 300 * math.sin(math.pi / 30 * x)) * 2 / 3
    return north, east


# 3000 is part of it: the plain pi found in some packages lands up to 80 m off what Baidu itself answers.
_BAIDU_TURN = math.pi * 3000 / 180


def _bd09_from_gcj02(lat: float, lng: float) -> Pair:
    radius = math.hypot(lng, lat) + 0.00002 * math.sin(lat * _BAIDU_TURN)
    angle = math.atan2(lat, lng) + 0.000003 * math.cos(lng * _BAIDU_TURN)
    return radius * math.sin(angle) + 0.006, radius * math.cos(angle) + 0.0065


def _undo(forward: Callable[[float, float], Pair], lat: float, lng: float) -> Pair:
    """The point that `forward` takes to this one: neither datum has an inverse in closed form.

    Each step takes the remaining error off the guess; the shifts change slowly, so a few steps are enough.
    """
    guess_lat, guess_lng = lat, lng
    for _step in range(60):
        there_lat, there_lng = forward(guess_lat, guess_lng)
        off_lat, off_lng = there_lat - lat, there_lng - lng
        guess_lat, guess_lng = guess_lat - off_lat, guess_lng - off_lng
        if abs(off_lat) < 2e-13 and abs(off_lng) < 2e-13:
            break
    return guess_lat, guess_lng


def _same(lat: float, lng: float) -> Pair:
    return lat, lng


_FROM_WGS84: Mapping[str, Callable[[float, float], Pair]] = MappingProxyType(
    {
        "wgs84": _same,
        "gcj02": _gcj02_from_wgs84,
        "bd09": lambda lat, lng: _bd09_from_gcj02(*_gcj02_from_wgs84(lat, lng)),
    }
)
_TO_WGS84: Mapping[str, Callable[[float, float], Pair]] = MappingProxyType(
    {
        "wgs84": _same,
        "gcj02": lambda lat, lng: _undo(_gcj02_from_wgs84, lat, lng),
        "bd09": lambda lat, lng: _undo(_gcj02_from_wgs84, *_undo(_bd09_from_gcj02, lat, lng)),
    }
)
