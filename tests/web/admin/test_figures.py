"""What staff see in numbers, and the first page."""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event, func, select, update

from bot.database import Database
from bot.models import HelpCall, Place, Rider, SearchCount
from bot.services import audit, figures, help_calls, places
from bot.services.tallies import BITS, Tally
from tests.web.admin.conftest import Desk
from tests.web.scripted import NOON

BITS_OF_MANY = 0b11111111


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """The statements that run inside the block."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    yield seen
    event.remove(database.engine.sync_engine, "before_cursor_execute", note)


async def test_the_first_page_says_what_needs_a_person(desk: Desk) -> None:
    assert "Nothing waits for you" in await desk.as_role("viewer").reads("/admin/")
    async with desk.database.writing() as db:
        rider = Rider(created_at=desk.now, county="140802")
        db.add(rider)
        db.add(Place(code="P-1", name="驿站", kind="rest_station", updated_at=desk.now))
        await db.flush()
        await help_calls.ring(
            db,
            rider.id,
            broadcast_id=None,
            note="<b>车坏了</b>",
            place="209国道",
            now=desk.now,
            desk=desk.console.desk,
        )
    page = await desk.as_role("operator").reads("/admin/")
    for part in ("Places unverified for 90 days: 1", "&lt;b&gt;车坏了", "209国道", "Riders in all"):
        assert part in page, part
    assert "车坏了" not in await desk.as_role("viewer").reads("/admin/")
    async with desk.database.writing() as db:
        await db.execute(update(Rider).values(county="140881"))
    refused = await desk.as_role("county").post("/admin/help/1")
    assert (refused.status, "no such call" in await refused.text()) == (422, True)
    assert (await desk.as_role("operator").post("/admin/help/1")).status == 303
    assert "taken it already" in await (await desk.as_role("admin").post("/admin/help/1")).text()
    async with desk.database.reading() as db:
        assert await db.scalar(select(HelpCall.handled_at)) is not None
        assert [entry.login for entry in await audit.of(db, "help:1")] == ["operator"]


async def looked(desk: Desk, who: Iterable[int], *, lat: float = 35.02, wanted: str = "shower", days: int = 1) -> None:
    """These people looked for something so many days ago and found nothing, each in an hour of their own."""
    tally = Tally(b"key")
    for n, rider_id in enumerate(who):
        tally.add(desk.now - timedelta(days=days, hours=n % 20), wanted, lat, 110.99, found=False, rider_id=rider_id)
    taken = tally.take()
    async with desk.database.writing() as db:
        await places.count_searches(db, taken.counts, taken.people)


async def squares(desk: Desk) -> list[str]:
    response = await desk.as_role("viewer").get("/admin/figures/squares.csv")
    return (await response.read()).decode("utf-8-sig").splitlines()[1:]


async def test_unmet_needs_without_anybody_who_could_be_known(desk: Desk) -> None:
    # However often few people look, and on however many days, their square is not shown.
    for days in (1, 5, 9):
        await looked(desk, [1, 2, 3, 4] * 20, days=days)
    # Many, but each for something else.
    for n, wanted in enumerate(("rest", "toilet", "aed", "wifi", "meals", "bed")):
        await looked(desk, [n], lat=35.3, wanted=wanted)
    # Many, but long ago.
    await looked(desk, range(40), lat=35.4, days=31)
    assert await squares(desk) == []
    await looked(desk, range(100, 140), lat=35.5, wanted="=shower,toilet")
    [row] = await squares(desk)
    cells = row.replace('"', "").split(",")
    assert cells[:5] == ["35.5", "110.99", "'=shower", "toilet", "40"]
    assert figures.LEAST_PEOPLE <= int(cells[5]) <= 31
    page = await desk.as_role("viewer").reads("/admin/figures")
    data = json.loads(re.findall(r'id="map-data">(.*?)</script>', page)[0])
    [square] = data["squares"]
    assert square["corners"][0] == [35.495, 110.985]
    assert square["count"] == 40
    assert "40 searches, at least" in square["lines"][0]
    assert (await desk.as_role("viewer").get("/admin/figures/nothing.csv")).status == 404


async def test_who_looked_in_vain_is_forgotten(desk: Desk) -> None:
    await looked(desk, range(40))
    await looked(desk, range(40), lat=35.5, days=29)
    desk.now += timedelta(days=5)
    async with desk.database.writing() as db:
        await figures.forget_people(db, now=desk.now)
    async with desk.database.reading() as db:
        left = set(await db.scalars(select(SearchCount.square).where(SearchCount.people != 0)))
        assert left == {"35.02,110.99"}
        assert await db.scalar(select(func.sum(SearchCount.count))) == 80


def test_people_are_never_counted_as_more_than_they_are() -> None:
    for size in (1, 4, 5, 30, 200):
        tally = Tally(b"key")
        for _again in range(3):
            for rider_id in range(size):
                tally.add(NOON, "", 35.02, 110.99, found=False, rider_id=1000 * size + rider_id)
        [bits] = tally.take().people.values()
        assert 1 <= bits.bit_count() <= min(size, BITS)
    # Which bit it is depends on the square and on the key, and whoever found something sets none.
    told = []
    for key, lat, found in ((b"a", 35.0, False), (b"b", 35.0, False), (b"a", 35.1, False), (b"a", 35.0, True)):
        tally = Tally(key)
        for rider_id in range(8):
            tally.add(NOON, "", lat, 111.0, found=found, rider_id=rider_id)
        told.append(tuple(tally.take().people.values()))
    assert len(set(told)) == 4
    assert told[3] == ()


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_figures_are_told_in_words_and_in_bars_without_colour(desk: Desk) -> None:
    async with desk.database.writing() as db:
        for vehicle, county in (("truck", "140802"), ("truck", ""), ("<b>", "140802"), ("", "999999")):
            db.add(Rider(created_at=desk.now, vehicle=vehicle, county=county))
        db.add(SearchCount(desk.now, wanted="rest_station,shower", square="", found=True, count=3))
        db.add(SearchCount(desk.now, wanted="rest_station,shower", square="", found=False, count=1))
    page = await desk.as_role("viewer").reads("/admin/figures")
    for part in ("🚚 Truck", "Found nothing suitable", "not given", "12:00"):
        assert part in page, part
    bars = re.search(r'id="kinds".*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    assert bars
    assert re.findall(r'class="bar-(\w+)" x="([\d.]+)%" width="([\d.]+)%"', bars[1]) == [
        ("solid", "0.0", "25.0"),
        ("plain", "25.0", "75.0"),
    ]


async def test_no_page_asks_more_for_more_rows(desk: Desk) -> None:
    admin = desk.as_role("admin")
    pages = (
        *("/admin/", "/admin/places", "/admin/places/P-0", "/admin/figures", "/admin/health", "/admin/notices"),
        *("/admin/weather", "/admin/schedules"),
    )
    async with desk.database.writing() as db:
        db.add(Place("P-0", "驿站", "rest_station", desk.now, lat=35.0, lng=111.0))
    numbers: list[list[int]] = []
    for turn in range(2):
        asked = []
        for path in pages:
            with counted(desk.database) as seen:
                await admin.reads(path)
            asked.append(len(seen))
        numbers.append(asked)
        async with desk.database.writing() as db:
            for n in range(30):
                db.add(Place(f"P-{turn}-{n}", "驿站", "rest_station", desk.now, lat=35.0, lng=111.0))
                db.add(Rider(created_at=desk.now, vehicle="truck", county=f"1408{n:02}"))
                hour = desk.now - timedelta(hours=n + 30 * turn)
                db.add(SearchCount(hour, "toilet", "35.02,110.99", found=False, count=9, people=BITS_OF_MANY))
        for n in range(3):
            form = {"category": "policy", "urgency": "normal", "title_zh_CN": f"题{n}", "body_zh_CN": "文"}
            assert (await admin.post("/admin/notices/new", form)).status == 303
    assert numbers[0] == numbers[1], list(zip(pages, *numbers, strict=True))
