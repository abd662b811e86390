"""Changes to places, riders' reports, and counted searches."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest
from sqlalchemy import func, select

from bot.database import Database
from bot.models import Place, PlaceReport, Rider, SearchCount
from bot.services import places
from bot.services.places import NoSuchPlace, Reported, Search, search

NOW = datetime(2026, 1, 12, 1, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
async def place_id(database: Database) -> int:
    async with database.writing() as db:
        place = Place(code="A1", name="驿站", kind="rest_station", updated_at=NOW)
        place.amenity_verified = {"hot_water": "2025-12-01", "shower": "2025-12-01"}
        db.add(place)
        await db.flush()
        return place.id


@pytest.fixture
async def riders(database: Database) -> list[int]:
    async with database.writing() as db:
        people = [Rider(created_at=NOW) for _number in range(5)]
        db.add_all(people)
        await db.flush()
        return [person.id for person in people]


async def report(database: Database, rider_id: int, place_id: int, at: datetime) -> Reported:
    async with database.writing() as db:
        return await places.report(db, rider_id, place_id=place_id, what="locked", now=at, database=database)


async def found(database: Database, place_id: int) -> Place:
    async with database.reading() as db:
        return (await db.scalars(select(Place).where(Place.id == place_id))).one()


async def version(database: Database) -> int:
    async with database.reading() as db:
        return await places.version(db)


async def test_three_people_put_a_place_in_doubt(database: Database, place_id: int, riders: list[int]) -> None:
    assert await report(database, riders[0], place_id, NOW) == Reported(is_repeated=False, is_doubtful=False)
    assert await report(database, riders[1], place_id, NOW + HOUR) == Reported(False, False)
    assert await version(database) == 0
    assert await report(database, riders[2], place_id, NOW + 2 * HOUR) == Reported(False, True)
    assert (await found(database, place_id)).doubtful_since == NOW + 2 * HOUR
    assert await version(database) == 1
    assert await report(database, riders[3], place_id, NOW + 3 * HOUR) == Reported(False, True)
    assert (await found(database, place_id)).doubtful_since == NOW + 2 * HOUR
    assert await version(database) == 1


async def test_one_person_counts_once(database: Database, place_id: int, riders: list[int]) -> None:
    for hours in range(4):
        await report(database, riders[0], place_id, NOW + hours * HOUR)
    assert await report(database, riders[1], place_id, NOW) == Reported(False, False)
    assert await report(database, riders[1], place_id, NOW) == Reported(True, False)
    async with database.reading() as db:
        assert await db.scalar(select(func.count()).select_from(PlaceReport)) == 2


async def test_old_reports_count_no_more(database: Database, place_id: int, riders: list[int]) -> None:
    await report(database, riders[0], place_id, NOW)
    await report(database, riders[1], place_id, NOW + HOUR)
    assert await report(database, riders[2], place_id, NOW + 48 * HOUR) == Reported(False, False)
    assert await report(database, riders[0], place_id, NOW + 48 * HOUR) == Reported(False, True)


async def test_three_at_the_same_moment_see_each_other(database: Database, place_id: int, riders: list[int]) -> None:
    await asyncio.gather(*(report(database, rider, place_id, NOW) for rider in riders[:3]))
    assert (await found(database, place_id)).doubtful_since == NOW
    assert await version(database) == 1


async def test_one_person_pressing_at_once_is_one_report(database: Database, place_id: int, riders: list[int]) -> None:
    await asyncio.gather(*(report(database, riders[0], place_id, NOW) for _press in range(5)))
    async with database.reading() as db:
        assert await db.scalar(select(func.count()).select_from(PlaceReport)) == 1


async def test_a_place_that_is_not_shown_cannot_be_reported(
    database: Database, place_id: int, riders: list[int]
) -> None:
    with pytest.raises(NoSuchPlace):
        await report(database, riders[0], place_id + 1, NOW)
    async with database.writing() as db:
        (await db.scalars(select(Place))).one().state = "hidden"
    with pytest.raises(NoSuchPlace):
        await report(database, riders[0], place_id, NOW)


async def test_a_look_ends_doubt_and_starts_the_count_anew(
    database: Database, place_id: int, riders: list[int]
) -> None:
    for rider in riders[:3]:
        await report(database, rider, place_id, NOW)
    async with database.writing() as db:
        await places.verify(db, place_id, on=date(2026, 1, 12), now=NOW + HOUR, database=database, amenities=["shower"])
    place = await found(database, place_id)
    assert (place.doubtful_since, place.verified_at) == (None, date(2026, 1, 12))
    assert place.amenity_verified == {"hot_water": "2025-12-01", "shower": "2026-01-12"}
    assert await version(database) == 2
    for rider in riders[2:4]:
        assert await report(database, rider, place_id, NOW + 2 * HOUR) == Reported(False, False)
    assert await report(database, riders[4], place_id, NOW + 2 * HOUR) == Reported(False, True)


async def test_an_older_look_does_not_turn_the_date_back(database: Database, place_id: int) -> None:
    for day in (12, 9):
        async with database.writing() as db:
            await places.verify(db, place_id, on=date(2026, 1, day), now=NOW, database=database)
    assert (await found(database, place_id)).verified_at == date(2026, 1, 12)
    with pytest.raises(NoSuchPlace):
        async with database.writing() as db:
            await places.verify(db, place_id + 1, on=date(2026, 1, 12), now=NOW, database=database)


async def test_an_erased_person_leaves_no_trace_and_counts_no_more(
    database: Database, place_id: int, riders: list[int]
) -> None:
    await report(database, riders[0], place_id, NOW)
    await report(database, riders[1], place_id, NOW)
    async with database.writing() as db:
        await places.erase_reports(db, riders[0])
    async with database.reading() as db:
        kept = (await db.scalars(select(PlaceReport.rider_id).order_by(PlaceReport.id))).all()
    assert kept == [None, riders[1]]
    assert await report(database, riders[2], place_id, NOW) == Reported(False, False)


async def test_a_change_that_is_undone_was_none(database: Database) -> None:
    async with database.writing() as db:
        await places.changed(db, database)
    async with database.writing() as db:
        await places.changed(db, database)
        await db.rollback()
    assert await version(database) == 1


async def test_other_processes_hear_of_a_change(database: Database) -> None:
    if database.embedded:
        pytest.skip("alone there is nobody to tell")
    heard: asyncio.Queue[str] = asyncio.Queue()
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    listener = await asyncpg.connect(url)
    try:
        await listener.add_listener(places.TOPIC, lambda *message: heard.put_nowait(message[2]))
        async with database.writing() as db:
            await places.changed(db, database)
            assert heard.empty()
        assert await asyncio.wait_for(heard.get(), 10) == places.TOPIC
    finally:
        await listener.close()


def test_a_search_keeps_neither_moment_nor_place() -> None:
    at = datetime(2026, 1, 12, 9, 59, 59, 123, tzinfo=UTC)
    assert search(at, "shower", 35.01789, 110.99251, found=False) == Search(
        datetime(2026, 1, 12, 9, tzinfo=UTC), "shower", "35.02,110.99", False
    )
    assert search(at, "府东街", None, None, found=True).square == ""


async def test_searches_add_up(database: Database) -> None:
    one, other = search(NOW, "shower", 35.02, 110.99, found=False), search(NOW, "", None, None, found=True)
    many = {search(NOW, f"w{n}", 35.0, 111.0, found=True): n + 1 for n in range(1500)}
    async with database.writing() as db:
        await places.count_searches(db, {})
        await places.count_searches(db, {one: 2, other: 1} | many)
    async with database.writing() as db:
        await places.count_searches(db, {one: 3})
    async with database.reading() as db:
        assert await db.scalar(select(SearchCount.count).where(SearchCount.wanted == "shower")) == 5
        assert await db.scalar(select(func.sum(SearchCount.count))) == 6 + sum(range(1501))


async def test_searches_counted_side_by_side_are_all_there(database: Database) -> None:
    keys = [search(NOW, f"w{n}", 35.0, 111.0, found=True) for n in range(50)]

    async def count(order: list[Search]) -> None:
        async with database.writing() as db:
            await places.count_searches(db, dict.fromkeys(order, 1))

    await asyncio.gather(*(count(keys if n % 2 else keys[::-1]) for n in range(6)))
    async with database.reading() as db:
        assert await db.scalar(select(func.sum(SearchCount.count))) == 300


async def test_a_change_that_somebody_overtook_is_not_told(database: Database) -> None:
    for seen, is_told, then in ((0, True, 1), (0, False, 1), (2, False, 1), (1, True, 2)):
        async with database.writing() as db:
            assert await places.changed_since(db, database, seen) is is_told
        assert await version(database) == then
