"""Offerings from the console: written, shown to riders, limited to a county, and a clinic week out of a pattern."""

import re
from datetime import timedelta
from typing import Any

from aiohttp import FormData
from sqlalchemy import func, select

from bot.models import Offering, Session, SessionPattern
from bot.services import offerings
from tests.web.admin.booked import books, deeds, fair, messages, session
from tests.web.admin.conftest import COUNTY, Browser, Desk
from tests.web.admin.hostile import rampage
from tests.web.admin.test_figures import counted

NEW = "/admin/offerings/new"
FORM: dict[str, Any] = {
    "category": "health",
    "title": "免费体检",
    "title_en": "Free check-up",
    "description": "送给骑手的体检。",
    "contact": "0359-0000000",
    "bring": "身份证",
    "limit": "1",
    "limit_days": "30",
    "cancel_before_min": "120",
    "waitlist": "1",
    "reminders": "1d@19:00;2h",
    "plain": ["name", "phone"],
    "question_0_kind": "choice",
    "question_0_label_zh_CN": "尺码",
    "question_0_label_en": "Size",
    "question_0_options_zh_CN": "小，大",
    "question_0_options_en": "S, L",
}
# Thursday noon is now; Mondays and Fridays, an hour each, in the morning.
WEEK: dict[str, Any] = {
    "weekdays": ["0", "4"],
    "opens": "09:00",
    "closes": "12:00",
    "minutes": "60",
    "capacity": "5",
    "first_day": "2026-01-16",
    "last_day": "2026-01-23",
    "break_0_since": "10:00",
    "break_0_until": "11:00",
    "off_days": "2026-01-19",
    "address": "社区活动室",
}


async def one(desk: Desk) -> Offering:
    async with desk.database.reading() as db:
        return (await db.scalars(select(Offering))).one()


async def makes(browser: Browser, **typed: Any) -> str:
    """Write an offering; returns its address."""
    response = await browser.post(NEW, FORM | typed)
    assert response.status == 303, await response.text()
    return response.headers["Location"].partition("?")[0]


async def test_an_offering_is_written_shown_and_hidden(desk: Desk) -> None:
    operator = desk.as_role("operator")
    here = await makes(operator)
    row = await one(desk)
    assert (row.state, row.limit_count, row.limit_days, row.waitlist, row.approval) == ("hidden", 1, 30, True, False)
    choices = [{"zh_CN": "小", "en": "S"}, {"zh_CN": "大", "en": "L"}]
    label = {"zh_CN": "尺码", "en": "Size"}
    size = {"key": "own_a", "kind": "choice", "label": label, "options": choices}
    assert row.questions == [{"key": "name", "kind": "name"}, {"key": "phone", "kind": "phone"}, size]
    page = await operator.reads(here)
    for part in ("Free check-up", "Hidden from riders", "Size", "1 in 30 days"):
        assert part in page, part
    await session(desk, row.id)
    async with desk.database.reading() as db:
        assert await offerings.published(db, desk=desk.console.desk, now=desk.now) == []
    assert (await operator.post(f"{here}/published")).status == 303
    async with desk.database.reading() as db:
        (shown,) = await offerings.published(db, desk=desk.console.desk, now=desk.now)
    assert shown.offering.title == "免费体检"
    assert (await operator.post(f"{here}/hidden")).status == 303
    assert (await one(desk)).state == "hidden"
    assert await deeds(desk) == [("operator", "offering.write"), *[("operator", "offering.turn")] * 2]


async def test_editing_keeps_what_was_not_touched_and_nobody_overwrites_another(desk: Desk) -> None:
    operator = desk.as_role("operator")
    here = await makes(operator)
    before = await one(desk)
    page = await operator.reads(f"{here}/edit")
    (seen,) = re.findall(r'name="version" value="([^"]+)"', page)
    assert 'value="own_a"' in page
    desk.now += timedelta(minutes=1)
    typed = FORM | {"question_0_key": "own_a", "version": seen.replace("&#43;", "+"), "approval": "1"}
    assert (await operator.post(f"{here}/edit", typed)).status == 303
    after = await one(desk)
    assert (after.approval, after.questions, after.code) == (True, before.questions, before.code)
    stale = await operator.post(f"{here}/edit", typed | {"title": "别的"})
    said = await stale.text()
    assert (stale.status, "changed this offering meanwhile" in said, "别的" in said) == (422, True, True)
    assert (await one(desk)).title == "免费体检"


async def test_what_is_wrong_is_said_beside_its_field(desk: Desk) -> None:
    operator = desk.as_role("operator")
    for typed, said in (
        ({"title": ""}, "this must not be empty"),
        ({"reminders": "soon"}, "not a reminder"),
        ({"limit": "many"}, "not a whole number"),
        ({"category": "magic"}, "not known"),
        ({"code": "a b"}, "a code is up to 64"),
        ({"question_0_options_en": "S"}, "same choices in each language"),
        ({"question_0_label_zh_CN": ""}, "its words in Chinese"),
        ({"question_1_kind": "choice", "question_1_label_zh_CN": "颜色"}, "a choice its choices"),
        ({"counties": ["999999"]}, "not known"),
    ):
        response = await operator.post(NEW, FORM | typed)
        page = await response.text()
        assert (response.status, said in page) == (422, True), (typed, said)
    await makes(operator, code="mine")
    again = await operator.post(NEW, FORM | {"code": "mine"})
    assert "already an offering with that code" in await again.text()


async def test_a_county_writes_for_its_riders_and_changes_no_others(desk: Desk) -> None:
    county = desk.as_role("county")
    assert (await county.post(NEW, FORM)).status == 403
    assert (await county.post(NEW, FORM | {"counties": ["140881"]})).status == 403
    here = await makes(county, counties=[COUNTY])
    assert (await county.post(f"{here}/published")).status == 303
    theirs = await makes(desk.as_role("operator"))
    for path in (f"{theirs}/published", f"{theirs}/edit"):
        assert (await county.post(path, FORM | {"counties": [COUNTY]})).status == 403
    assert "Hide it from riders" not in await county.reads(theirs)
    assert (await desk.as_role("editor").post(f"{here}/hidden")).status == 403
    assert "Free check-up" in await desk.as_role("editor").reads(here)


async def test_a_clinic_week_out_of_a_pattern(desk: Desk) -> None:
    operator = desk.as_role("operator")
    here = await makes(operator)
    address = f"{here}/patterns/new"
    assert 'value="09:00"' in await operator.reads(address)
    looked = await operator.post(address, WEEK | {"look": "1"})
    page = await looked.text()
    for part in (
        "New: 4",
        "09:00–10:00</span>",
        "11:00–12:00</span>",
        "Fri, Jan 16",
        "Fri, Jan 23",
        "Nothing on Mon, Jan 19",
    ):
        assert part in page, part
    async with desk.database.reading() as db:
        assert await db.scalar(select(func.count()).select_from(Session)) == 0
        assert await db.scalar(select(func.count()).select_from(SessionPattern)) == 0
    assert (await operator.post(address, WEEK)).status == 303
    async with desk.database.reading() as db:
        made = list(await db.scalars(select(Session).order_by(Session.starts_at)))
    zone = desk.console.desk.zone
    assert [f"{each.starts_at.astimezone(zone):%d %H:%M}" for each in made] == [
        "16 09:00", "16 11:00", "23 09:00", "23 11:00",
    ]  # fmt: skip
    assert {(each.capacity, each.address) for each in made} == {(5, "社区活动室")}
    assert "Mon, Fri 09:00–12:00" in await operator.reads(here)


async def test_a_changed_pattern_says_which_sessions_have_bookings_and_leaves_them(desk: Desk) -> None:
    operator = desk.as_role("operator")
    here = await makes(operator, plain=[], question_0_kind="", question_0_label_zh_CN="", question_0_label_en="")
    await operator.post(f"{here}/published")
    await operator.post(f"{here}/patterns/new", WEEK)
    async with desk.database.reading() as db:
        first, second, *_rest = await db.scalars(select(Session).order_by(Session.starts_at))
        pattern = (await db.scalars(select(SessionPattern.id))).one()
    await books(desk, first.id)
    fewer = WEEK | {"capacity": "2", "last_day": "2026-01-16"}
    looked = await (await operator.post(f"/admin/patterns/{pattern}", fewer | {"look": "1"})).text()
    for part in ("Changed: 1", "Removed: 2", "left as they are: 1", "Fri 16 Jan 09:00", "1 seats taken"):
        assert part in looked, part
    saved = await operator.post(f"/admin/patterns/{pattern}", fewer)
    assert (saved.status, "1 sessions that have bookings stay" in await saved.text()) == (200, True)
    async with desk.database.reading() as db:
        left = {row.id: row.capacity for row in await db.scalars(select(Session))}
    assert left == {first.id: 5, second.id: 2}


async def test_a_pattern_that_cannot_be_is_not_saved(desk: Desk) -> None:
    operator, county = desk.as_role("operator"), desk.as_role("county")
    here = f"{await makes(operator)}/patterns/new"
    for typed, said in (
        ({"weekdays": []}, "at least one weekday"),
        ({"opens": "25:00"}, "not a time"),
        ({"closes": "09:30"}, "slots that fit"),
        ({"last_day": "2026-01-01"}, "must not be before"),
        ({"break_1_since": "11:00"}, "a later end"),
        ({"off_days": "tomorrow"}, "not a day"),
        ({"place": "nowhere"}, "no place has that code"),
    ):
        page = await (await operator.post(here, WEEK | typed)).text()
        assert said in page, said
    refused = await county.post(here, WEEK)
    assert (refused.status, "name one" in await refused.text()) == (422, True)
    async with desk.database.reading() as db:
        assert await db.scalar(select(func.count()).select_from(SessionPattern)) == 0


async def test_lists_ask_no_more_for_more_rows(desk: Desk) -> None:
    operator = desk.as_role("operator")
    made = await fair(desk)
    pages = ("/admin/offerings", f"/admin/offerings/{made.offering}", "/admin/sessions?view=month")
    numbers = []
    for _turn in range(2):
        asked = []
        for path in pages:
            with counted(desk.database) as seen:
                await operator.reads(path)
            asked.append(len(seen))
        numbers.append(asked)
        for n in range(8):
            other = await fair(desk, hours=n + 1)
            await session(desk, made.offering, hours=n + 2)
            await books(desk, other.session)
    assert numbers[0] == numbers[1]


async def test_markup_typed_into_offerings_stays_text(desk: Desk) -> None:
    made = await fair(desk, questions=[{"key": "name", "kind": "name"}], title_en="<hostile>")
    await books(desk, made.session, name="<hostile a=1>")
    faults, actions = await rampage(desk.as_role("operator"))
    assert faults == []
    wanted = {NEW, f"/admin/sessions/{made.session}", f"/admin/sessions/{made.session}/walk-in"}
    assert wanted <= actions


def file(text: str, name: str = "f.csv") -> FormData:
    form = FormData()
    form.add_field("file", text.encode(), filename=name, content_type="text/csv")
    return form


async def test_offerings_and_sessions_come_from_files_after_a_look(desk: Desk) -> None:
    operator = desk.as_role("operator")
    rows = "code,category,title\nnew-1,health,体检\nnew-2,magic,魔法\n"
    looked = await operator.post("/admin/import/offerings", file(rows))
    page = await looked.text()
    for part in ("New: 1", "Wrong: 1", "not known: magic", "Import without the wrong rows"):
        assert part in page, part
    (digest,) = re.findall(r'name="digest" value="([^"]+)"', page)
    async with desk.database.reading() as db:
        assert await db.scalar(select(func.count()).select_from(Offering)) == 0
    # What was looked at as offerings is not taken in as sessions.
    other = await operator.post("/admin/import/sessions/take", {"digest": digest, "skip": "1"})
    assert (other.status, "not the file that you looked at" in await other.text()) == (422, True)
    assert (await operator.post("/admin/import/offerings/take", {"digest": digest})).status == 422
    taken = await operator.post("/admin/import/offerings/take", {"digest": digest, "skip": "1"})
    assert (taken.status, "The file is taken in" in await taken.text()) == (200, True)
    assert (await one(desk)).title == "体检"
    again = await operator.post("/admin/import/offerings/take", {"digest": digest, "skip": "1"})
    assert again.status == 422

    sessions = "code,offering,starts_at,ends_at,capacity,address\na,new-1,2026-01-20 09:00,2026-01-20 10:00,5,王茅镇\n"
    page = await (await operator.post("/admin/import/sessions", file(sessions))).text()
    (digest,) = re.findall(r'name="digest" value="([^"]+)"', page)
    assert (await operator.post("/admin/import/sessions/take", {"digest": digest})).status == 200
    async with desk.database.reading() as db:
        (made,) = await db.scalars(select(Session))
    booked = await books(desk, made.id)
    moved = sessions.replace("王茅镇", "解州镇")
    page = await (await operator.post("/admin/import/sessions", file(moved))).text()
    assert "is told at once" in page
    assert len(await messages(desk)) == 0
    (digest,) = re.findall(r'name="digest" value="([^"]+)"', page)
    assert (await operator.post("/admin/import/sessions/take", {"digest": digest})).status == 200
    (told,) = await messages(desk)
    assert ("解州镇" in told, booked.state) == (True, "booked")
    assert await deeds(desk) == [("operator", "offering.import")] * 3


async def test_only_tables_are_taken_and_only_from_those_who_look_after_the_whole_city(desk: Desk) -> None:
    operator = desk.as_role("operator")
    for form, said in (
        (file("code\n", "f.geojson"), "CSV"),
        (file("code\n", "../../f.exe"), "CSV"),
        (file("", "f.csv"), "Choose a file first"),
    ):
        response = await operator.post("/admin/import/offerings", form)
        assert (response.status, said in await response.text()) == (422, True), said
    assert (await operator.post("/admin/import/offerings", {"file": "x"})).status == 422
    for role in ("county", "editor", "lawyer", "viewer"):
        assert (await desk.as_role(role).post("/admin/import/sessions", file("code\nx\n"))).status == 403
