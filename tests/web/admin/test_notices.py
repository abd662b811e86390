"""A notice by two people, weather levels and seasons, from the console."""

import io
import re

import pytest
from aiohttp import FormData
from sqlalchemy import select, update

from bot.models import Broadcast, Contact, NoticeWish, Outbound, Rider, Schedule, StaffChat, StaffMember, WeatherWarning
from tests.web.admin.conftest import Desk
from tests.web.admin.test_place_pictures import jpeg

FORM = {
    "category": "winter_safety",
    "urgency": "important",
    "late": "skip",
    "title_zh_CN": "明天有雪",
    "body_zh_CN": "慢行，轻刹。",
    "source": "气象台",
}


async def rider(desk: Desk, *, staff: str = "") -> int:
    """Somebody who agreed to notices; `staff` links the chat to that login. Returns the contact."""
    async with desk.database.writing() as db:
        person = Rider(created_at=desk.now)
        db.add(person)
        await db.flush()
        contact = Contact(person.id, channel="buttons", user=f"u{person.id}", locale="en", created_at=desk.now)
        db.add(contact)
        db.add(NoticeWish(person.id, agreed_at=desk.now))
        await db.flush()
        if staff:
            staff_id = await db.scalar(select(StaffMember.id).where(StaffMember.login == staff))
            db.add(StaffChat(contact.id, staff_id=staff_id or 0, linked_at=desk.now))
        return contact.id


async def test_written_by_one_and_approved_by_another(desk: Desk) -> None:
    await rider(desk)
    await rider(desk, staff="editor")
    editor, approver = desk.as_role("editor"), desk.as_role("approver")
    assert "The newest" not in await editor.reads("/admin/notices")
    made = await editor.post("/admin/notices/new", FORM | {"vehicles": [], "kind_0": "received"})
    assert made.status == 303
    here = made.headers["Location"].partition("?")[0]
    page = await editor.reads(here)
    for part in ("明天有雪", "a draft", "buttons: 2 now", "bytes; at most 4096"):
        assert part in page, part
    assert "Waiting for contact" not in page, "there is nothing to report yet"
    assert (await editor.post(f"{here}/preview")).status == 303
    assert (await editor.post(f"{here}/submit")).status == 303
    assert (await editor.post(f"{here}/approve")).status == 403
    assert "Waiting for approval" in await approver.reads("/admin/notices")
    assert (await approver.post(f"{here}/return", {"comment": "哪条路？"})).status == 303
    assert "哪条路？" in await editor.reads(here)
    edited = await editor.post(f"{here}/edit", FORM | {"body_zh_CN": "209国道慢行，轻刹。"})
    assert edited.status == 303
    assert "209国道" in await editor.reads(f"{here}/edit")
    await editor.post(f"{here}/submit")
    assert (await approver.post(f"{here}/approve", {"version": "1"})).status == 422
    assert (await approver.post(f"{here}/approve", {"version": "2"})).status == 303
    async with desk.database.reading() as db:
        assert await db.scalar(select(Broadcast.state)) == "approved"
        assert "preview:1" in str(list(await db.scalars(select(Outbound.key))))
    assert (await editor.post(f"{here}/steer", {"do": "cancel"})).status == 303
    assert (await editor.post(f"{here}/steer", {"do": "dance"})).status == 400
    report = await (await desk.as_role("approver").get(f"{here}/report.csv")).text()
    assert "sent,0" in report


async def test_what_is_held_says_why_and_how_far_it_came(desk: Desk) -> None:
    await rider(desk)
    editor = desk.as_role("editor")
    made = await editor.post("/admin/notices/new", FORM)
    async with desk.database.writing() as db:
        await db.execute(update(Broadcast).values(state="paused", pause_reason="li", began_at=desk.now))
    page = await editor.reads(made.headers["Location"])
    assert "Held: li" in page
    assert "Waiting for contact" in page


async def test_what_is_wrong_is_said_and_nothing_runs_in_the_page(desk: Desk) -> None:
    editor = desk.as_role("editor")
    nasty = "<script>alert(1)</script>"
    made = await editor.post(
        "/admin/notices/new", FORM | {"title_zh_CN": nasty, "target_0": "javascript:x", "kind_0": "link"}
    )
    here = made.headers["Location"].partition("?")[0]
    page = await editor.reads(here)
    assert nasty not in page
    assert "A button leads nowhere" in page
    assert (await editor.post(f"{here}/submit")).status == 422
    too_long = await editor.post("/admin/notices/new", FORM | {"title_zh_CN": "长" * 61})
    assert too_long.status == 422
    county = desk.as_role("county")
    assert (await county.get(here)).status == 403
    assert (await county.post("/admin/notices/new", FORM)).status == 403
    assert (await county.post("/admin/notices/new", FORM | {"counties": ["140802"]})).status == 303


async def test_a_weather_level_and_a_season_by_a_click(desk: Desk) -> None:
    operator, approver = desk.as_role("operator"), desk.as_role("approver")
    await rider(desk)
    level = {"kind": "snow", "level": "red", "hours": "24"}
    assert (await operator.post("/admin/weather", level)).status == 303
    assert "Proposed: Snow, Red" in await operator.reads("/admin/weather")
    assert (await operator.post("/admin/weather/1/approve")).status == 403
    assert (await approver.post("/admin/weather/1/approve")).status == 303
    async with desk.database.reading() as db:
        assert await db.scalar(select(WeatherWarning.state)) == "in_force"
        assert await db.scalar(select(Broadcast.state)) == "approved"
    assert (await approver.post("/admin/weather/1/end")).status == 303
    assert (await operator.post("/admin/weather", level | {"hours": "x"})).status == 422

    assert "Winter safety: off" in await approver.reads("/admin/schedules")
    on = await approver.post("/admin/seasons/winter/on")
    assert "Season Winter safety is on" in await on.text()
    page = await approver.reads("/admin/schedules")
    assert "Winter safety: on" in page
    async with desk.database.reading() as db:
        first = await db.scalar(select(Schedule.id).order_by(Schedule.id))
    assert (await approver.post(f"/admin/schedules/{first}/pause")).status == 303
    assert (await approver.post("/admin/seasons/winter/off")).status == 303
    assert "Review by" in await approver.reads("/admin/policies")


async def test_what_is_being_written_is_shown_as_it_reads_and_kept_nowhere(desk: Desk) -> None:
    editor = desk.as_role("editor")
    new = "/admin/notices/new"
    assert "to see it here" in await editor.reads(new)
    typed = FORM | {
        "body_zh_CN": "慢行<b>",
        "vehicles": ["truck"],
        "kind_0": "received",
        "label_0": "知道了",
        "look": "1",
    }
    page = await (await editor.post(new, typed)).text()
    shown = page.partition('id="preview"')[2].partition("<form")[0]
    for part in ("明天有雪", "慢行&lt;b&gt;", "知道了", "at most 4096", "No more of this kind"):
        assert part in shown, part
    size = len(re.findall(r"(\d+) characters, (\d+) bytes", shown))
    assert size == len(desk.console.newsroom.reach.limits)
    # What was typed is still in the form.
    for part in ('value="明天有雪"', 'value="truck" checked', 'value="知道了"'):
        assert part in page, part
    async with desk.database.reading() as db:
        assert list(await db.scalars(select(Broadcast))) == []
    wrong = await editor.post(new, typed | {"title_zh_CN": "长" * 61})
    assert (wrong.status, "慢行&lt;b&gt;" in await wrong.text()) == (422, True)
    assert (await desk.as_role("approver").post(new, typed)).status == 403
    made = await editor.post(new, FORM)
    here = made.headers["Location"].partition("?")[0]
    page = await (await editor.post(f"{here}/edit", FORM | {"title_zh_CN": "改了", "look": "1"})).text()
    assert "改了" in page
    assert "改了" not in await editor.reads(here)


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ({"kind": "once", "on": "2026-02-01"}, {"kind": "once", "on": "2026-02-01"}),
        ({"kind": "daily", "weekdays": ["mon"]}, {"kind": "daily"}),
        ({"kind": "weekly", "weekdays": ["mon", "thu"]}, {"kind": "weekly", "weekdays": ["mon", "thu"]}),
        ({"kind": "monthly", "day": "28"}, {"kind": "monthly", "day": 28}),
        ({"kind": "yearly", "on": "2026-02-01"}, {"kind": "yearly", "on": "02-01"}),
        ({"kind": "offset", "on": "2026-02-01", "days": "-3"}, {"kind": "offset", "date": "2026-02-01", "days": -3}),
        ({"kind": "solar_term", "terms": ["大寒"]}, {"kind": "solar_term", "terms": ["大寒"], "days": 0}),
        ({"kind": "daily", "from": "11-15", "to": "03-15"}, {"kind": "daily", "from": "11-15", "to": "03-15"}),
    ],
    ids=lambda one: str(one.get("kind")) if "at" not in one else "",
)
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_notice_is_put_into_the_calendar_and_approved(
    desk: Desk, said: dict[str, object], rule: dict[str, object]
) -> None:
    editor = desk.as_role("editor")
    here = (await editor.post("/admin/notices/new", FORM)).headers["Location"].partition("?")[0]
    assert f"{here}/plan" in await editor.reads(here)
    assert "How often" in await editor.reads(f"{here}/plan")
    shown = await (await editor.post(f"{here}/plan", said | {"at": "07:30", "look": "1"})).text()
    assert "07:30</li>" in shown
    wrong = await editor.post(f"{here}/plan", {"kind": said["kind"], "at": "07:30", "from": "99-99"})
    assert (wrong.status, "Missing or wrong" in await wrong.text()) == (422, True)
    assert (await editor.post(f"{here}/plan", said | {"at": "07:30"})).status == 303
    async with desk.database.reading() as db:
        schedule = (await db.scalars(select(Schedule))).one()
        assert (schedule.rule, schedule.approver_id) == (rule | {"at": "07:30"}, None)
    assert "明天有雪" in await editor.reads("/admin/schedules")
    assert (await desk.as_role("approver").post(f"/admin/schedules/{schedule.id}/approve")).status == 303
    async with desk.database.reading() as db:
        assert (await db.scalars(select(Schedule.approver_id))).one() == desk.as_role("approver").member.id


async def test_what_was_sent_is_put_right_from_its_page(desk: Desk) -> None:
    await rider(desk)
    editor = desk.as_role("editor")
    here = (await editor.post("/admin/notices/new", FORM)).headers["Location"].partition("?")[0]
    assert "Put it right" not in await editor.reads(here)
    async with desk.database.writing() as db:
        await db.execute(update(Broadcast).values(state="finished"))
    assert "Put it right" in await editor.reads(here)
    right = {"title": "后天有雪", "body": "是后天，不是明天。"}
    assert (await editor.post(f"{here}/correct", right | {"body": ""})).status == 422
    corrected = (await editor.post(f"{here}/correct", right)).headers["Location"]
    assert corrected == "/admin/notices/2?done=handed_in"
    page = await editor.reads(corrected)
    for part in ("后天有雪", "waiting for approval", "a second person looks at it"):
        assert part in page, part
    assert (await desk.as_role("approver").post("/admin/notices/1/correct", right)).status == 403


async def test_whom_it_is_for_and_its_picture_outlast_an_edit(desk: Desk) -> None:
    editor = desk.as_role("editor")
    whom = {"locales": ["zh_CN", "en"], "topic": "weather", "unanswered": "#7"}
    form = FormData()
    for name, value in [
        *FORM.items(),
        ("locales", "zh_CN"),
        ("locales", "en"),
        ("topic", "weather"),
        ("unanswered", "#7"),
    ]:
        form.add_field(name, value)
    form.add_field("picture", io.BytesIO(jpeg()), filename="a.jpg", content_type="image/jpeg")
    here = (await editor.post("/admin/notices/new", form)).headers["Location"].partition("?")[0]
    page = await editor.reads(here)
    for part in ("simplified Chinese · English", "no answer to notice 7", "data:image", "No. 1"):
        assert part in page, part
    again = await editor.reads(f"{here}/edit")
    for part in ('value="en" checked', 'value="weather" selected', 'value="7"', "It has a picture"):
        assert part in again, part
    assert (await editor.post(f"{here}/edit", FORM | whom)).status == 303
    assert "data:image" in await editor.reads(here)
    async with desk.database.reading() as db:
        audience = await db.scalar(select(Broadcast.audience))
    assert audience == {"locales": ["zh_CN", "en"], "topic": "weather", "unanswered": 7}
    assert (await editor.post(f"{here}/edit", FORM | {"no_picture": "1"})).status == 303
    assert "data:image" not in await editor.reads(here)
    for wrong in ({"topic": "dancing"}, {"locales": ["xx"]}, {"unanswered": "seven"}):
        assert (await editor.post(f"{here}/edit", FORM | wrong)).status == 422, wrong


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_mistake_in_a_notice_keeps_what_was_typed(desk: Desk) -> None:
    editor = desk.as_role("editor")
    fields = FORM | {"title_zh_CN": "长" * 61, "source": "气象台<i>"}
    refused = await editor.post("/admin/notices/new", fields)
    page = await refused.text()
    assert (refused.status, 'value="气象台&lt;i&gt;"' in page, 'role="alert"' in page) == (422, True, True)
    form = FormData()
    for name, value in FORM.items():
        form.add_field(name, value)
    form.add_field("picture", io.BytesIO(b"no picture" * 1000), filename="a.png", content_type="image/png")
    refused = await editor.post("/admin/notices/new", form)
    assert (refused.status, "明天有雪" in await refused.text()) == (422, True)
    form = FormData()
    form.add_field("picture", io.BytesIO(bytes(3 * 2**20)), filename="a.png", content_type="image/png")
    assert (await editor.post("/admin/notices/new", form)).status == 413
