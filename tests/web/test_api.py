import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.services.directory import Directory, Listing
from bot.web import api

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2025, 6, 4, 4, tzinfo=UTC)  # 12:00 in the city

PLACES = [
    Listing(
        1,
        "a",
        "盐湖驿站",
        "rest_station",
        lat=35.015895,
        lng=110.992528,
        hours="08:00-20:00",
        amenities=frozenset({"toilet", "hot_water"}),
    ),
    Listing(2, "b", "夜间食堂", "canteen", lat=35.02, lng=110.992528, hours="20:00-24:00", demo=True),
    Listing(3, "c", "小店", "merchant", lat=35.03, lng=110.992528, amenities=frozenset({"toilet"})),
    Listing(4, "d", "没有坐标", "merchant", verified_at=date(2025, 1, 9)),
    Listing(5, "e", "装修", "merchant", lat=35.0159, lng=110.9925, state="closed"),
    Listing(6, "f", "没有了", "merchant", lat=35.0159, lng=110.9925, state="removed"),
    Listing(7, "g", "不公开", "merchant", lat=35.0159, lng=110.9925, state="hidden"),
]
HERE = {"lat": "35.015", "lng": "110.992528"}


@pytest.fixture
def directory() -> Directory:
    made = Directory(ZONE, demo=True)
    made.load(PLACES)
    return made


@pytest.fixture
async def client(directory: Directory) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    app = web.Application()
    app.add_routes(api.routes(directory, lambda: NOW, ZONE))
    async with TestClient(TestServer(app)) as client:
        yield client


Client = TestClient[web.Request, web.Application]


async def nearest(client: Client, *more: tuple[str, str], **query: str) -> list[dict[str, Any]]:
    answer = await client.get("/api/v1/places/nearest", params=[*(HERE | query).items(), *more])
    assert answer.status == 200, await answer.text()
    assert answer.content_type == "application/json"
    places: list[dict[str, Any]] = (await answer.json())["places"]
    return places


async def test_published_and_surveyed_places_by_distance(client: Client) -> None:
    places = await nearest(client)
    assert [place["code"] for place in places] == ["a", "b", "c"]
    assert places[0] == {
        "code": "a",
        "name": "盐湖驿站",
        "kind": "rest_station",
        "lat": 35.015895,
        "lng": 110.992528,
        "distance_m": 99,
        "bearing": 0,
        "open": "yes",
        "closes_at": "2025-06-04T20:00:00+08:00",
        "amenities": ["hot_water", "toilet"],
        "demo": False,
    }
    assert (places[1]["open"], places[1]["closes_at"], places[1]["demo"]) == ("no", None, True)
    assert (places[2]["open"], places[2]["closes_at"]) == ("unknown", None)


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        ([("kind", "canteen")], "b"),
        ([("kind", "canteen"), ("kind", "merchant")], "bc"),
        ([("amenity", "toilet")], "ac"),
        ([("amenity", "toilet"), ("amenity", "hot_water")], "a"),
        ([("amenity", "shower")], ""),
        ([("kind", "merchant"), ("amenity", "hot_water")], ""),
        ([("open", "now")], "a"),
        ([("open", "2025-06-04T21:00")], "b"),
        ([("open", "2025-06-04T13:00Z")], "b"),
        ([("open", "2025-06-04T21:00:00+08:00")], "b"),
        ([("open", "2025-06-04T21:00 08:00")], "b"),  # a plus that nobody encoded
        ([("limit", "2")], "ab"),
        ([("limit", "100")], "abc"),
    ],
    ids=str,
)
async def test_filters(client: Client, query: list[tuple[str, str]], codes: str) -> None:
    assert [place["code"] for place in await nearest(client, *query)] == list(codes)


async def test_the_asked_time_is_the_one_answered_for(client: Client) -> None:
    (place,) = await nearest(client, open="2025-06-05T21:00")
    assert (place["open"], place["closes_at"]) == ("yes", "2025-06-06T00:00:00+08:00")


@pytest.mark.parametrize(
    ("datum", "lat", "lng"),
    [
        ("wgs84", 35.015895, 110.992528),
        ("gcj02", 35.015101, 110.998272),
        ("bd09", 35.021427, 111.004649),
    ],
)
async def test_coordinates_in_and_out_are_in_the_asked_datum(
    client: Client, datum: str, lat: float, lng: float
) -> None:
    place = (await nearest(client, lat=str(lat), lng=str(lng), datum=datum))[0]
    assert place["code"] == "a"
    assert place["distance_m"] == 0
    assert (place["lat"], place["lng"]) == pytest.approx((lat, lng), abs=2e-6)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        *(("lat", value) for value in ("", "x", "nan", "inf", "-inf", "90.1", "-91", "1_0", "３５", "1e400", "0x10")),
        *(("lng", value) for value in ("", "NaN", "180.5", "1,5", "1e309")),
        *(("datum", value) for value in ("", "utm", "WGS84")),
        *(("kind", value) for value in ("", "bar", "canteen,merchant")),
        *(("amenity", value) for value in ("", "beer")),
        *(("limit", value) for value in ("", "0", "101", "-1", "1.5", "ten", "١", "99999999999999999999")),
        *(
            ("open", value)
            for value in ("", "later", "25:00", "2025-13-01T00:00", "0001-01-01T00:00", "9999-12-31T23:59")
        ),
    ],
)
async def test_a_bad_parameter_is_named(client: Client, parameter: str, value: str) -> None:
    answer = await client.get("/api/v1/places/nearest", params=HERE | {parameter: value})
    assert answer.status == 400
    error = (await answer.json())["error"]
    assert error["parameter"] == parameter
    assert set(error) == {"parameter", "message"}
    assert error["message"]


@pytest.mark.parametrize("parameter", ["lat", "lng"])
async def test_a_missing_parameter_is_named(client: Client, parameter: str) -> None:
    query = {name: value for name, value in HERE.items() if name != parameter}
    answer = await client.get("/api/v1/places/nearest", params=query)
    assert answer.status == 400
    assert (await answer.json())["error"]["parameter"] == parameter


@pytest.mark.parametrize("datum", ["wgs84", "gcj02", "bd09"])
@pytest.mark.parametrize("point", [(90, 0), (-90, 180), (0, -180), (0, 0), (89.9999, 179.9999)])
async def test_the_ends_of_the_earth_are_answered(client: Client, point: tuple[float, float], datum: str) -> None:
    params = {"lat": str(point[0]), "lng": str(point[1]), "datum": datum}
    answer = await client.get("/api/v1/places/nearest", params=params)
    assert answer.status in ((200,) if datum == "wgs84" else (200, 400))


async def test_all_published_places_as_geojson(client: Client, directory: Directory) -> None:
    answer = await client.get("/api/v1/places.geojson")
    assert answer.status == 200
    assert answer.content_type == "application/geo+json"
    collection = json.loads(await answer.read())
    assert collection["type"] == "FeatureCollection"
    features = {feature["properties"]["code"]: feature for feature in collection["features"]}
    assert set(features) == {"a", "b", "c", "d"}
    assert features["a"]["type"] == "Feature"
    assert features["a"]["geometry"] == {"type": "Point", "coordinates": [110.992528, 35.015895]}
    assert features["d"]["geometry"] is None
    assert features["d"]["properties"]["verified_at"] == "2025-01-09"
    assert features["b"]["properties"]["demo"] is True

    directory.load(PLACES[:1], version=2)
    again = json.loads(await (await client.get("/api/v1/places.geojson")).read())
    assert [feature["properties"]["code"] for feature in again["features"]] == ["a"]
