import math
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot import geo

# lng, lat in WGS-84, GCJ-02 and BD-09, as the npm package gcoord has them.
VECTORS = {
    "盐湖": ((110.992528, 35.015895), (110.998272, 35.015101), (111.004649, 35.021427)),
    "垣曲": ((111.663998, 35.297939), (111.670108, 35.297369), (111.676714, 35.303084)),
    "河津": ((110.706540, 35.596666), (110.712063, 35.596383), (110.718635, 35.602110)),
    "永济": ((110.442032, 34.867895), (110.447543, 34.867100), (110.454119, 34.872834)),
}
LAT = st.floats(-85, 85)
LNG = st.floats(-180, 180)
LAT_IN_CHINA, LNG_IN_CHINA = st.floats(3.8, 53.6), st.floats(73.4, 135.1)


@pytest.mark.parametrize("town", VECTORS)
@pytest.mark.parametrize("source", geo.DATUMS)
@pytest.mark.parametrize("target", geo.DATUMS)
def test_known_points_convert_between_all_datums(town: str, source: str, target: str) -> None:
    points = dict(zip(geo.DATUMS, VECTORS[town], strict=True))
    (lng, lat), (want_lng, want_lat) = points[source], points[target]
    got = geo.convert(lat, lng, source, target)
    assert geo.distance_m(*got, want_lat, want_lng) < 0.15  # the vectors have six decimals


@pytest.mark.parametrize(
    ("gcj", "baidu"),
    [
        ((116.254615, 29.814476), (116.2610991221, 29.820560874846)),
        ((116.404, 39.915), (116.410369493710, 39.921336993510)),
    ],
)
def test_baidu_s_own_answers(gcj: tuple[float, float], baidu: tuple[float, float]) -> None:
    """The first pair is an answer of its conversion service; without the 3000 one misses it by 18 m."""
    lat, lng = geo.convert(gcj[1], gcj[0], "gcj02", "bd09")
    assert geo.distance_m(lat, lng, baidu[1], baidu[0]) < 0.001


@given(LAT_IN_CHINA, LNG_IN_CHINA, st.sampled_from(geo.DATUMS), st.sampled_from(geo.DATUMS))
@example(37.5665, 126.978, "gcj02", "wgs84")
def test_there_and_back_again(lat: float, lng: float, source: str, target: str) -> None:
    back = geo.convert(*geo.convert(lat, lng, source, target), target, source)
    assert geo.distance_m(lat, lng, *back) <= 1e-6


@given(LAT, LNG, st.sampled_from(geo.DATUMS), st.sampled_from(geo.DATUMS))
def test_far_from_china_conversion_still_ends(lat: float, lng: float, source: str, target: str) -> None:
    assert all(math.isfinite(degrees) for degrees in geo.convert(lat, lng, source, target))


def test_datums_lie_apart_as_they_do_in_yuncheng() -> None:
    lat, lng = 35.015895, 110.992528
    assert 480 < geo.distance_m(lat, lng, *geo.convert(lat, lng, "wgs84", "gcj02")) < 570
    assert 1150 < geo.distance_m(lat, lng, *geo.convert(lat, lng, "wgs84", "bd09")) < 1350


def test_the_stated_datum_is_trusted_in_seoul() -> None:
    assert geo.in_china(37.5665, 126.978)
    assert geo.convert(37.5665, 126.978, "wgs84", "wgs84") == (37.5665, 126.978)
    assert geo.convert(37.5665, 126.978, "gcj02", "wgs84") != (37.5665, 126.978)


@pytest.mark.parametrize("pair", [("wgs84", "utm"), ("", "wgs84"), ("GCJ02", "wgs84")])
def test_an_unknown_datum_is_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="no datum"):
        geo.convert(35, 111, *pair)


@pytest.mark.parametrize(
    ("lat", "lng", "good"),
    [
        (35.0, 111.0, True),
        (90.0, 180.0, True),
        (-90.0, -180.0, True),
        (90.1, 0.0, False),
        (0.0, 180.1, False),
        (math.nan, 111.0, False),
        (35.0, math.inf, False),
    ],
)
def test_degrees_on_the_earth(lat: float, lng: float, good: bool) -> None:
    assert geo.in_range(lat, lng) is good


@settings(deadline=None)  # the first call imports geopy
@given(LAT, LNG, LAT, LNG)
@example(35.0, 179.999, 35.0, -179.999)
def test_the_sphere_is_close_to_the_ellipsoid(lat: float, lng: float, to_lat: float, to_lng: float) -> None:
    exact = geo.geodesic_m(lat, lng, to_lat, to_lng)
    assert geo.distance_m(lat, lng, to_lat, to_lng) == pytest.approx(exact, rel=0.006, abs=1e-3)


@settings(deadline=None)
@given(st.floats(-89.9, 89.9), LNG, st.floats(-0.1, 0.1), st.floats(-0.1, 0.1))
@example(35.0, 179.999, 0.0, 0.002)
@example(89.9, 0.0, 0.0, 0.1)
def test_a_straight_line_is_the_geodesic_nearby(lat: float, lng: float, north: float, east: float) -> None:
    there = (max(-90.0, min(90.0, lat + north)), lng + east)
    straight = math.dist(geo.earth_centred(lat, lng), geo.earth_centred(*there))
    assert geo.over_ground_m(straight) == pytest.approx(geo.geodesic_m(lat, lng, *there), abs=0.002, rel=1e-6)


@pytest.mark.parametrize(
    ("to", "degrees", "point"),
    [
        ((35.1, 111.0), 0, "N"),
        ((35.1, 111.12), 45, "NE"),
        ((35.0, 111.1), 90, "E"),
        ((34.9, 111.0), 180, "S"),
        ((35.0, 110.9), 270, "W"),
        ((35.1, 110.88), 315, "NW"),
    ],
)
def test_the_way_the_place_lies(to: tuple[float, float], degrees: int, point: str) -> None:
    found = geo.bearing(35.0, 111.0, *to)
    assert abs(found - degrees) <= 1
    assert geo.compass(found) == point


@given(LAT, LNG, LAT, LNG)
def test_bearings_are_whole_degrees(lat: float, lng: float, to_lat: float, to_lng: float) -> None:
    assert geo.bearing(lat, lng, to_lat, to_lng) in range(360)


@pytest.mark.parametrize(("degrees", "point"), [(337.4, "NW"), (337.6, "N"), (359, "N"), (22, "N"), (23, "NE")])
def test_compass_points_meet_half_way(degrees: float, point: str) -> None:
    assert geo.compass(degrees) == point


def test_each_map_gets_its_own_datum_and_order() -> None:
    links = geo.navigation_links(35.015895, 110.992528, "府东街食堂 & 超市;甲:乙", "盐湖区 1#")
    assert all(link.startswith("https://") for link in links.values())
    queries = {name: parse_qs(urlsplit(link).query, separator="&") for name, link in links.items()}
    assert queries["amap"]["position"] == ["110.998272,35.015101"]
    assert queries["amap"]["coordinate"] == ["gaode"]
    assert queries["amap"]["name"] == ["府东街食堂 & 超市;甲:乙"]
    assert queries["tencent"]["marker"] == ["coord:35.015101,110.998272;title:府东街食堂 & 超市；甲：乙;addr:盐湖区 1#"]
    assert queries["tencent"]["coord_type"] == ["2"]
    assert queries["tencent"]["referer"] == ["nuanxin"]
    assert queries["baidu"]["location"] == ["35.021427,111.004649"]
    assert queries["baidu"]["coord_type"] == ["bd09ll"]
    assert queries["baidu"]["src"] == queries["amap"]["src"] == ["nuanxin"]
    assert all(link.isascii() and " " not in link for link in links.values())
    assert unquote(links["baidu"]).count("盐湖区 1#") == 1
