import math
import subprocess
import sys
from datetime import UTC, date, datetime
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from bot import geo
from bot.database import Database, insert
from bot.models import Place, PlaceChange
from bot.services.directory import Directory, Listing, shelf, snapshot
from bot.services.directory.listing import COLUMNS

ZONE = ZoneInfo("Asia/Shanghai")
NOON = datetime(2025, 6, 4, 12, tzinfo=ZONE)
KINDS = ("rest_station", "canteen", "charging", "truckers_home")
AMENITIES = ("hot_water", "toilet", "shower", "wifi")
HOURS = ("24/7", "08:00-11:00", "", "10:00-14:00")


def place(id: int, lat: float | None = 35.0, lng: float | None = 111.0, **columns: Any) -> Listing:
    columns = {"code": f"c{id}", "name": f"Place {id}", "kind": "rest_station"} | columns
    return Listing(id=id, lat=lat, lng=lng, **columns)


def directory(*places: Listing, demo: bool = True, few: int = 20_000) -> Directory:
    """A directory of these places; more than `few` of them are kept in trees and arrays."""
    made = Directory(ZONE, demo=demo)
    with patch.object(snapshot, "_FEW", few):
        made.load(places)
    return made


BOTH_INDEXES = pytest.mark.parametrize("few", [20_000, 0], ids=["few", "many"])


POINTS = st.one_of(
    st.tuples(st.floats(34, 36), st.floats(110, 112)),
    st.tuples(st.floats(-90, 90), st.sampled_from([-180.0, -179.9, 179.9, 180.0])),
    st.tuples(st.sampled_from([-90.0, -89.99, 89.99, 90.0]), st.floats(-180, 180)),
)
PLACES = st.lists(
    st.tuples(
        POINTS,
        st.sampled_from(KINDS),
        st.frozensets(st.sampled_from(AMENITIES)),
        st.sampled_from(HOURS),
    ),
    max_size=60,
)
SOME_KINDS = st.frozensets(st.sampled_from((*KINDS, "workshop")), max_size=3)
SOME_AMENITIES = st.frozensets(st.sampled_from((*AMENITIES, "aed")), max_size=2)


@BOTH_INDEXES
@settings(deadline=None)
@given(
    drawn=PLACES,
    point=POINTS,
    kinds=SOME_KINDS,
    amenities=SOME_AMENITIES,
    limit=st.integers(1, 20),
    open_only=st.booleans(),
)
@example(
    drawn=[((35.0, 111.0), "canteen", frozenset(), "24/7")] * 30,
    point=(35.0, 111.0),
    kinds=frozenset(),
    amenities=frozenset(),
    limit=5,
    open_only=True,
)
def test_nearest_is_what_looking_at_every_place_finds(
    few: int,
    drawn: list[Any],
    point: tuple[float, float],
    kinds: frozenset[str],
    amenities: frozenset[str],
    limit: int,
    open_only: bool,
) -> None:
    places = [
        place(n, *where, kind=kind, amenities=offers, hours=hours)
        for n, (where, kind, offers, hours) in enumerate(drawn, 1)
    ]
    made = directory(*places, few=few)
    found = made.nearest(*point, kinds=kinds, amenities=amenities, limit=limit, at=NOON, open_only=open_only)
    fitting = sorted(
        math.dist(geo.earth_centred(*point), geo.earth_centred(one.lat or 0.0, one.lng or 0.0))
        for one in places
        if (not kinds or one.kind in kinds)
        and amenities <= one.amenities
        and (not open_only or one.hours in ("24/7", "10:00-14:00"))
    )
    straight = [
        math.dist(geo.earth_centred(*point), geo.earth_centred(f.listing.lat or 0, f.listing.lng or 0)) for f in found
    ]
    assert straight == pytest.approx(fitting[:limit], abs=1e-6)
    assert len({one.listing.id for one in found}) == len(found)


@pytest.mark.parametrize("amenities", [(), ("toilet",), ("aed",), ("toilet", "aed")])
@pytest.mark.parametrize("kinds", [(), ("canteen",), ("canteen", "charging"), KINDS])
@BOTH_INDEXES
def test_thousands_of_places_are_searched_by_every_way_alike(
    few: int, kinds: tuple[str, ...], amenities: tuple[str, ...]
) -> None:
    """Rare and common filters take different ways through the index; each must find the same."""
    places = [
        place(
            n,
            35 + math.sin(n * 12.9898) * 0.5,
            111 + math.cos(n * 78.233) * 0.5,
            kind=KINDS[n % 4],
            amenities=frozenset({"toilet"} if n % 3 else {"aed", "toilet"} if n % 300 == 0 else {"wifi"}),
        )
        for n in range(1, 6001)
    ]
    made = directory(*places, few=few)
    for limit, lat in ((1, 35.1), (10, 35.1), (100, 35.1), (400, 35.1), (10, 41.0), (700, -20.0)):
        found = made.nearest(lat, 111.1, kinds=kinds, amenities=amenities, limit=limit)
        fitting = [one for one in places if (not kinds or one.kind in kinds) and set(amenities) <= one.amenities]
        fitting.sort(key=lambda one: geo.straight_m(lat, 111.1, one.lat or 0, one.lng or 0))
        assert [one.listing.id for one in found] == [one.id for one in fitting[:limit]]


def test_neighbours_are_those_of_whoever_asks_not_of_whoever_asked_before() -> None:
    """Crowded in one corner, thin elsewhere; all who ask from one neighbourhood share what is known of it."""
    places = [
        place(n, 35 + (n * 0.618_034 % 1) ** 4 * 0.3, 111 + (n * 0.414_214 % 1) ** 4 * 0.3) for n in range(1, 1_001)
    ]
    made = directory(*places)
    for n in range(400):
        lat, lng = 35 + (n * 0.754_878 % 1) ** 3 * 0.31, 111 + (n * 0.569_84 % 1) ** 3 * 0.31
        here = geo.earth_centred(lat, lng)
        found = made.nearest(lat, lng, limit=5 + n % 60)
        straight = sorted((math.dist(here, geo.earth_centred(one.lat or 0, one.lng or 0)), one.id) for one in places)
        assert [one.listing.id for one in found] == [id for _metres, id in straight[: 5 + n % 60]]


def test_distance_and_direction_are_those_over_the_ground() -> None:
    (found,) = directory(place(1, 35.01, 111.02)).nearest(35.0, 111.0)
    assert found.distance_m == pytest.approx(geo.geodesic_m(35.0, 111.0, 35.01, 111.02), abs=0.01)
    assert found.bearing == geo.bearing(35.0, 111.0, 35.01, 111.02)


@BOTH_INDEXES
def test_across_the_antimeridian_and_over_the_pole(few: int) -> None:
    places = (place(1, 0.0, 179.99), place(2, 0.0, 178.0), place(3, 89.99, 0.0), place(4, 89.0, 180.0))
    made = directory(*places, few=few)
    assert [one.listing.id for one in made.nearest(0.0, -179.99, limit=2)] == [1, 2]
    assert [one.listing.id for one in made.nearest(89.99, 180.0, limit=2)] == [3, 4]


def test_a_condition_of_the_caller_s_own() -> None:
    places = [place(n, 35 + n / 1000, county="140826" if n % 50 == 0 else "") for n in range(1, 501)]
    found = directory(*places).nearest(35.0, 111.0, where=lambda one: one.county == "140826", limit=3)
    assert [one.listing.id for one in found] == [50, 100, 150]


def test_who_is_in_the_directory() -> None:
    places = (
        place(1),
        place(2, state="hidden"),
        place(3, state="removed"),
        place(4, state="closed"),
        place(5, None, None, name="青丰司机之家"),
        place(6, demo=True),
    )
    made = directory(*places, demo=False)
    assert {one.listing.id for one in made.nearest(35, 111)} == {1, 4}
    assert {one.id for one in made.everything()} == {1, 4, 5}
    assert made.by_code("c3") is None
    tombstone = made.by_code_any("c3")
    assert tombstone is not None
    assert tombstone.state == "removed"
    assert made.by_code_any("c2") is None
    assert made.by_id(6) is None
    assert made.by_code_any("c6") is None
    assert made.named("青丰司机之家")[0][0].id == 5
    assert {one.listing.id for one in directory(*places).nearest(35, 111)} == {1, 4, 6}


def test_nothing_is_found_before_anything_is_loaded() -> None:
    empty = Directory(ZONE, demo=True)
    assert empty.version is None
    assert empty.nearest(35, 111) == []
    assert empty.named("anything") == []
    assert list(empty.everything()) == []
    assert empty.by_id(1) is empty.by_code("c1") is empty.by_code_any("c1") is None
    empty.load([])
    assert empty.nearest(35, 111) == []


def test_many_places_are_kept_packed_and_come_back_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    places = [
        place(n, 35 + n / 1000, amenities=frozenset({"wifi"}), hours="24/7", verified_at=date(2025, 1, 1))
        for n in range(1, 30)
    ]
    monkeypatch.setattr(shelf, "_FEW", 10)
    monkeypatch.setattr(shelf, "_HANDY", 5)
    made = directory(*places)
    assert [made.by_code(f"c{one.id}") for one in places] == places
    last = made.by_id(29)
    assert last is not None
    assert made.opening(last, NOON).state == "open"


@pytest.mark.parametrize(
    ("columns", "when", "state", "until"),
    [
        ({"hours": "08:00-18:00"}, "2025-06-04T12:00", "open", "2025-06-04T18:00"),
        ({}, "2025-06-04T12:00", "unknown", None),
        ({"hours": "what?"}, "2025-06-04T12:00", "unknown", None),
        ({"hours": "24/7", "state": "closed"}, "2025-06-04T12:00", "closed", None),
        (
            {"hours": "24/7", "state": "closed", "closed_until": date(2025, 6, 10)},
            "2025-06-10T23:59",
            "closed",
            "2025-06-11T00:00",
        ),
        (
            {"hours": "08:00-18:00", "state": "closed", "closed_until": date(2025, 6, 10)},
            "2025-06-04T12:00",
            "closed",
            "2025-06-11T08:00",
        ),
        (
            {"hours": "08:00-18:00", "state": "closed", "closed_until": date(2025, 6, 10)},
            "2025-06-11T09:00",
            "open",
            "2025-06-11T18:00",
        ),
    ],
)
def test_opening(columns: dict[str, Any], when: str, state: str, until: str | None) -> None:
    made = directory(place(1, **columns))
    listing = made.by_id(1)
    assert listing is not None
    opening = made.opening(listing, datetime.fromisoformat(when).replace(tzinfo=ZONE))
    assert opening.state == state
    assert opening.until == (until and datetime.fromisoformat(until).replace(tzinfo=ZONE))


@BOTH_INDEXES
def test_a_closed_place_is_not_open_whatever_its_hours_say(few: int) -> None:
    made = directory(place(1, hours="24/7", state="closed"), place(2, 35.1, hours="24/7"), few=few)
    assert [one.listing.id for one in made.nearest(35, 111, at=NOON, open_only=True)] == [2]


@pytest.mark.parametrize(
    ("season", "day", "has"),
    [
        ("11-15/03-15", date(2025, 12, 31), False),
        ("11-15/03-15", date(2025, 1, 1), False),
        ("11-15/03-15", date(2025, 11, 15), False),
        ("11-15/03-15", date(2025, 3, 15), False),
        ("11-15/03-15", date(2025, 3, 16), True),
        ("11-15/03-15", date(2025, 11, 14), True),
        ("06-01/08-31", date(2025, 7, 1), False),
        ("06-01/08-31", date(2025, 9, 1), True),
        ("in winter", date(2025, 1, 1), True),
    ],
)
def test_an_amenity_shut_for_the_season(season: str, day: date, has: bool) -> None:
    made = directory()
    listing = place(1, amenities=frozenset({"shower", "toilet"}), amenity_closed={"shower": season})
    assert made.amenity_open(listing, "shower", day) is has
    assert made.amenity_open(listing, "toilet", day)
    assert not made.amenity_open(listing, "wifi", day)


NAMED = directory(
    place(1, name="新绛县司机之家", county="140825"),
    place(2, name="绛县司机之家", county="140826"),
    place(3, name="河津市青丰司机之家", county="140882"),
    place(4, None, None, name="府东街社区爱心食堂", address="盐湖区东城街道府东街", county="140802"),
    place(5, name="工农街驿站", address="盐湖区工农街12号", road="工农街"),
    place(6, name="Ｈello 驿站"),
)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("绛县司机之家", 2),
        ("新绛县司机之家", 1),
        ("去新绛县司机之家", 1),
        ("青丰司机之家", 3),
        ("府东街食堂", 4),
        ("府东街社区爱心食堂", 4),
        ("工农街", 5),
        ("hello驿站", 6),
        ("府东街舍区爱心食堂", 4),
    ],
)
def test_names(text: str, first: int) -> None:
    assert NAMED.named(text)[0][0].id == first


def test_a_county_is_not_the_one_whose_name_it_ends() -> None:
    only_new = directory(place(1, name="新绛县司机之家", address="新绛县龙兴镇"))
    assert only_new.named("绛县司机之家") == []
    assert only_new.named("绛县") == []
    assert directory(place(1, name="河津司机之家")).named("天津司机之家") == []


def test_names_of_one_county() -> None:
    assert [listing.id for listing, _score in NAMED.named("司机之家", county="140826")] == [2]


@pytest.mark.parametrize("text", ["", " ", "天", "！？", "火星基地二号", "\ud800"])
def test_names_that_are_none(text: str) -> None:
    assert NAMED.named(text) == []


def test_a_listing_has_every_column_of_a_place() -> None:
    # The weather's hours come as the hours while they hold.
    assert set(COLUMNS) == set(Place.__table__.columns.keys()) - {"weather_hours"}


async def changed(database: Database) -> None:
    async with database.writing() as db:
        statement = insert(db, PlaceChange).values(id=1, version=1)
        await db.execute(
            statement.on_conflict_do_update(index_elements=["id"], set_={"version": PlaceChange.version + 1})
        )


async def test_refreshing_from_a_database(database: Database) -> None:
    async with database.writing() as db:
        rows: dict[str, dict[str, Any]] = {
            "a": {"amenities": ["hot_water"], "prices": [{"item": "meal", "fen": 1000, "unit": "meal"}]},
            "b": {"demo": True},
            "c": {"state": "removed"},
            "d": {"state": "hidden"},
        }
        for code, columns in rows.items():
            db.add(Place(code, code, "canteen", datetime(2025, 1, 1, tzinfo=UTC), lat=35.0, lng=111.0, **columns))
    made = Directory(ZONE, demo=False)
    async with database.reading() as db:
        assert await made.refresh(db)
        assert not await made.refresh(db)
    (found,) = made.nearest(35, 111)
    assert found.listing.amenities == {"hot_water"}
    assert found.listing.prices == ({"item": "meal", "fen": 1000, "unit": "meal"},)
    assert found.listing.updated_at == datetime(2025, 1, 1, tzinfo=UTC)
    assert made.by_code_any("c") is not None

    async with database.writing() as db:
        await db.execute(update(Place).where(Place.code == "a").values(name="renamed"))
    async with database.reading() as db:
        assert not await made.refresh(db)
    await changed(database)
    async with database.reading() as db:
        assert await made.refresh(db)
    assert [one.name for one in made.everything()] == ["renamed"]
    assert found.listing.name == "a"


def test_a_small_directory_starts_without_the_slow_imports() -> None:
    program = (
        "import sys; from zoneinfo import ZoneInfo; from bot.services.directory import Directory, Listing;"
        "made = Directory(ZoneInfo('Asia/Shanghai'), demo=True);"
        "made.load([Listing(1, 'a', 'a', 'canteen', lat=35.0, lng=111.0)]);"
        "assert made.nearest(35, 111); sys.exit('numpy' in sys.modules or 'scipy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
