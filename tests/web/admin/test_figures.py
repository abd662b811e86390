"""What staff see in numbers, and the first page."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import event, select

from bot.database import Database
from bot.models import HelpCall, Place, Rider, SearchCount
from bot.services import help_calls
from tests.web.admin.conftest import Desk


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
    assert (await desk.as_role("operator").post("/admin/help/1")).status == 303
    async with desk.database.reading() as db:
        assert await db.scalar(select(HelpCall.handled_at)) is not None


async def test_unmet_needs_without_anybody_who_could_be_known(desk: Desk) -> None:
    async with desk.database.writing() as db:
        for square, count in (("35.02,110.99", 7), ("35.50,111.20", 4)):
            hour = desk.now - timedelta(days=1)
            db.add(SearchCount(hour, wanted="=shower", square=square, found=False, count=count))
    viewer = desk.as_role("viewer")
    page = await viewer.reads("/admin/figures")
    assert "35.02" in page
    assert "35.5" not in page
    squares = await viewer.get("/admin/figures/squares.csv")
    text = (await squares.read()).decode("utf-8-sig")
    assert text.splitlines() == ["lat,lng,wanted,searches", "35.02,110.99,'=shower,7"]
    assert (await viewer.get("/admin/figures/nothing.csv")).status == 404


async def test_no_page_asks_more_for_more_rows(desk: Desk) -> None:
    admin = desk.as_role("admin")
    pages = ("/admin/", "/admin/figures", "/admin/health", "/admin/notices", "/admin/weather", "/admin/schedules")
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
                db.add(Rider(created_at=desk.now, vehicle="truck", county=f"1408{n:02}"))
                hour = desk.now - timedelta(hours=n + 30 * turn)
                db.add(SearchCount(hour, wanted="toilet", square="35.02,110.99", found=False, count=9))
        for n in range(3):
            form = {"category": "policy", "urgency": "normal", "title_zh_CN": f"题{n}", "body_zh_CN": "文"}
            assert (await admin.post("/admin/notices/new", form)).status == 303
    assert numbers[0] == numbers[1], list(zip(pages, *numbers, strict=True))
