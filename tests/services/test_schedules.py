"""When notices are told again: rules of the calendar, and fires that happen once, whoever looks and however late."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from bot.database import Database
from bot.i18n import voice
from bot.models import AuditEntry, Broadcast, Notice, Schedule, StaffMember
from bot.services import authority
from bot.services.authority import Member, NotAllowed
from bot.services.broadcasts.audience import Audience
from bot.services.schedules import planning, rules, tick
from bot.services.schedules.rules import Rule, Span, UnreadableRule
from tests.services.clinic import Clinic
from tests.services.newsdesk import NEWSROOM, Newsdesk

ZONE = ZoneInfo("Asia/Shanghai")
WINTER = {"from": "11-15", "to": "03-15"}
# A Monday, 09:00 in Yuncheng.
MONDAY = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
DAILY = {"kind": "daily", "at": "07:30"}
ONE_KIND = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


def here(local: str) -> datetime:
    """A moment of the city's clock in UTC."""
    return datetime.fromisoformat(local).replace(tzinfo=ZONE).astimezone(UTC)


def table(kind: str, at: str = "12:00", **rest: Any) -> dict[str, Any]:
    return {"kind": kind, "at": at, **rest}


@pytest.mark.parametrize(
    ("rule", "after", "fires"),
    [
        (table("once", "00:00", on="2026-12-01"), "2026-11-30 23:59", ["2026-12-01 00:00"]),
        (table("once", "09:00", on=date(2026, 11, 22)), "2026-11-22 09:00", []),
        (DAILY, "2026-12-31 07:29", ["2026-12-31 07:30", "2027-01-01 07:30"]),
        (DAILY, "2026-12-31 07:30", ["2027-01-01 07:30"]),
        # The day here is another than in UTC, on either side of midnight.
        (table("weekly", "00:00", weekdays=["mon"]), "2026-11-23 09:00", ["2026-11-30 00:00"]),
        (
            table("weekly", "23:59", weekdays=["sun", "mon"]),
            "2026-11-23 09:00",
            ["2026-11-23 23:59", "2026-11-29 23:59"],
        ),
        (table("monthly", day=31), "2026-11-23 09:00", ["2026-11-30 12:00", "2026-12-31 12:00"]),
        (table("monthly", day=30), "2027-01-31 00:00", ["2027-02-28 12:00", "2027-03-30 12:00"]),
        (table("monthly", day=29), "2028-02-01 00:00", ["2028-02-29 12:00", "2028-03-29 12:00"]),
        (table("yearly", on="02-29"), "2027-01-01 00:00", ["2027-02-28 12:00", "2028-02-29 12:00"]),
        (table("yearly", "00:00", on="01-01"), "2026-12-31 23:59", ["2027-01-01 00:00"]),
        (table("offset", "18:00", date="2027-01-02", days=-3), "2026-11-23 09:00", ["2026-12-30 18:00"]),
        (table("solar_term", terms=["小寒", "冬至"]), "2026-11-23 09:00", ["2026-12-22 12:00", "2027-01-05 12:00"]),
        (table("solar_term", terms=["立冬"]), "2026-01-01 00:00", ["2026-11-07 12:00", "2027-11-07 12:00"]),
        (table("solar_term", terms=["冬至"], days=20), "2027-01-01 00:00", ["2027-01-11 12:00"]),
        (table("solar_term", terms=["小寒"], days=-10), "2026-11-23 09:00", ["2026-12-26 12:00"]),
        (WINTER | DAILY, "2027-03-15 07:30", ["2027-11-15 07:30", "2027-11-16 07:30"]),
        (WINTER | DAILY, "2026-12-31 08:00", ["2027-01-01 07:30"]),
        (WINTER | table("yearly", on="06-01"), "2026-11-23 09:00", []),
    ],
)
def test_the_calendar(rule: Mapping[str, Any], after: str, fires: list[str]) -> None:
    found = rules.next_fires(rules.read(rule), here(after), ZONE, 2)
    assert found[: len(fires) or 1] == [here(fire) for fire in fires]
    assert all(fire.tzinfo is UTC for fire in found)


def test_the_terms_of_a_year() -> None:
    days = rules.solar_terms(2026)
    assert list(days.values()) == sorted(days.values())
    assert {day.year for day in days.values()} == {2026}
    expected = {"小寒": (1, 5), "大寒": (1, 20), "立冬": (11, 7), "小雪": (11, 22), "大雪": (12, 7), "冬至": (12, 22)}
    assert {term: (days[term].month, days[term].day) for term in expected} == expected


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ({"kind": "hourly", "at": "07:30"}, "kind"),
        ({"kind": "daily"}, "at"),
        ({"kind": "daily", "at": "24:00"}, "at"),
        ({"kind": "weekly", "weekdays": [0], "at": "07:30"}, "weekdays"),
        ({"kind": "weekly", "weekdays": "mon", "at": "07:30"}, "weekdays"),
        ({"kind": "monthly", "day": 32, "at": "07:30"}, "day"),
        ({"kind": "monthly", "day": True, "at": "07:30"}, "day"),
        ({"kind": "yearly", "on": "02-30", "at": "07:30"}, "on"),
        ({"kind": "solar_term", "terms": ["冬天"], "at": "07:30"}, "terms"),
        ({"kind": "once", "on": "tomorrow", "at": "07:30"}, "on"),
        (DAILY | {"from": "11-15"}, "to"),
        (DAILY | {"weekday": "mon"}, "weekday"),
    ],
)
def test_what_is_no_rule(table: Mapping[str, Any], key: str) -> None:
    with pytest.raises(UnreadableRule) as wrong:
        rules.read(table)
    assert f"“{key}”" in voice("en", ZONE).word(wrong.value.text)


times = st.times().map(lambda at: time(at.hour, at.minute))
days = st.dates(date(2000, 1, 1), date(2060, 12, 31))
year_days = st.dates(date(2024, 1, 1), date(2024, 12, 31)).map(lambda day: (day.month, day.day))
kinds = st.one_of(
    st.builds(rules.Once, days, times),
    st.builds(rules.Daily, times),
    st.builds(rules.Weekly, st.sampled_from([("mon",), ("sat", "sun"), rules.WEEKDAYS]), times),
    st.builds(rules.Monthly, st.integers(1, 31), times),
    st.builds(lambda day, at: rules.Yearly(day[0], day[1], at), year_days, times),
    st.builds(rules.Offset, days, st.integers(-60, 60), times),
    st.builds(rules.SolarTerm, st.sampled_from([("小寒",), ("冬至",), ("立春", "立冬")]), times, st.integers(-60, 60)),
)
any_rule = st.builds(Rule, kinds, st.none() | st.builds(Span, year_days, year_days))


@given(any_rule, st.integers(0, 10 * 366 * 24 * 60))
def test_any_rule_fires_in_order_at_its_hour_within_its_span(rule: Rule, minutes: int) -> None:
    after = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    assert rules.read(rules.written(rule)) == rule
    fires = rules.next_fires(rule, after, ZONE, 4)
    assert fires == sorted(set(fires))
    for fire in fires:
        local = fire.astimezone(ZONE)
        assert fire > after
        assert local.time() == rule.when.at
        assert rule.span is None or rule.span.covers(local.date())
    if fires:
        assert rules.next_fires(rule, fires[0], ZONE, 3) == fires[1:]
        assert rules.next_fires(rule, fires[0] - timedelta(seconds=1), ZONE, 1) == fires[:1]


@pytest.fixture
async def author(database: Database) -> Member:
    return await hire(database, "zhao", "editor")


@pytest.fixture
async def approver(database: Database) -> Member:
    return await hire(database, "qian", "approver")


async def hire(database: Database, login: str, role: str, *counties: str) -> Member:
    async with database.writing() as db:
        db.add(StaffMember(login=login, password_hash="", role=role, created_at=MONDAY, counties=list(counties)))
        await db.flush()
        return await authority.member_called(db, login)


async def plan(
    database: Database,
    author: Member,
    approver: Member | None,
    rule: Mapping[str, Any] = DAILY,
    *,
    code: str = "coal",
    audience: Audience | None = None,
    **notice: Any,
) -> int:
    """A schedule of a reviewed notice, made on MONDAY at nine; returns its number."""
    texts = {"zh_CN": {"title": "防煤气", "body": "留通风口"}}
    words: dict[str, Any] = {"category": "winter_safety", "texts": texts, "reviewed_version": 1} | notice
    async with database.writing() as db:
        row = Notice(code=code, created_at=MONDAY, **words)
        db.add(row)
        await db.flush()
        to = audience or Audience()
        number = await planning.plan(db, author, row.id, code=code, rule=rule, audience=to, now=MONDAY, zone=ZONE)
        if approver:
            await planning.approve(db, approver, number, now=MONDAY)
        return number


async def made(database: Database) -> list[tuple[str, datetime | None]]:
    """State and fire of every broadcast, in their order."""
    async with database.reading() as db:
        rows = await db.scalars(select(Broadcast).order_by(Broadcast.id))
        return [(row.state, row.fire_at) for row in rows]


async def next_at(database: Database, number: int) -> datetime | None:
    async with database.reading() as db:
        return await db.scalar(select(Schedule.next_at).where(Schedule.id == number))


async def test_a_fire_on_midnight_of_the_new_year(database: Database, author: Member, approver: Member) -> None:
    audience = Audience(vehicles=("truck",))
    number = await plan(database, author, approver, {"kind": "daily", "at": "00:00"}, audience=audience)
    async with database.writing() as db:
        await db.execute(update(Schedule).values(next_at=here("2027-01-01 00:00")))
    assert await tick(database, here("2026-12-31 23:59"), NEWSROOM) == 0
    assert await tick(database, here("2027-01-01 00:00"), NEWSROOM) == 1
    assert await tick(database, here("2027-01-01 00:00"), NEWSROOM) == 0
    assert await made(database) == [("approved", datetime(2026, 12, 31, 16, tzinfo=UTC))]
    assert await next_at(database, number) == here("2027-01-02 00:00")
    async with database.reading() as db:
        broadcast = (await db.scalars(select(Broadcast))).one()
    assert (broadcast.author_id, broadcast.approver_id, broadcast.schedule_id) == (author.id, approver.id, number)
    assert broadcast.audience == {"vehicles": ["truck"]}


@pytest.mark.parametrize(
    ("late", "minutes", "states"),
    [
        ("skip", 10, ["approved"]),
        ("skip", 11, []),
        ("send", 11, ["approved"]),
        ("ask", 11, ["in_review"]),
    ],
)
async def test_after_downtime_the_late_rule_decides_for_the_last_fire(
    database: Database, author: Member, approver: Member, late: str, minutes: int, states: list[str]
) -> None:
    number = await plan(database, author, approver, late=late)
    thursday = here("2026-11-26 07:30")
    assert await tick(database, thursday + timedelta(minutes=minutes), NEWSROOM) == 1
    assert await made(database) == [(state, thursday) for state in states]
    assert await next_at(database, number) == here("2026-11-27 07:30")
    # Who approves what waited sends it at once: its own hour has gone by.
    async with database.reading() as db:
        starts = list(await db.scalars(select(Broadcast.starts_at).where(Broadcast.state == "in_review")))
    assert starts == [None] * (late == "ask")


async def test_each_fire_happens_once_however_many_look(
    database: Database, database_url: str, author: Member, approver: Member
) -> None:
    for number in range(6):
        await plan(database, author, approver, code=f"n{number}")
    others = [Database(database_url) for _worker in range(3)]
    mornings = [here(f"2026-11-{day} 07:30") for day in (24, 25, 26)]
    for morning in mornings:
        assert sum(await asyncio.gather(*(tick(one, morning, NEWSROOM) for one in (database, *others)))) == 6
    assert sorted(await made(database)) == [("approved", morning) for morning in mornings for _one in range(6)]
    for other in others:
        await other.close()


@ONE_KIND
async def test_a_fire_that_was_announced_is_not_announced_again(
    database: Database, author: Member, approver: Member
) -> None:
    number = await plan(database, author, approver)
    tuesday = here("2026-11-24 07:30")
    await tick(database, tuesday, NEWSROOM)
    async with database.writing() as db:
        await db.execute(update(Schedule).values(next_at=tuesday))
    assert await tick(database, tuesday, NEWSROOM) == 1
    assert len(await made(database)) == 1
    assert await next_at(database, number) == here("2026-11-25 07:30")


async def test_a_paused_schedule_is_silent_and_makes_up_for_nothing(
    database: Database, author: Member, approver: Member
) -> None:
    number = await plan(database, author, approver)
    async with database.writing() as db:
        await planning.pause(db, author, number, now=MONDAY)
        await planning.pause(db, author, number, now=MONDAY)
    assert await tick(database, here("2026-11-25 07:30"), NEWSROOM) == 0
    async with database.writing() as db:
        (shown,) = await planning.listed(db, locale="zh_CN", now=MONDAY, zone=ZONE)
        assert not shown.is_on
        assert not shown.fires
        await planning.resume(db, author, number, now=here("2026-11-25 07:31"), zone=ZONE)
        (shown,) = await planning.listed(db, locale="zh_CN", now=here("2026-11-25 07:31"), zone=ZONE)
        actions = list(await db.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))
    assert shown.fires == tuple(here("2026-11-25 07:30") + timedelta(day) for day in range(1, 11))
    assert shown.title == "防煤气"
    assert actions == ["schedule.plan", "schedule.approve", "schedule.pause", "schedule.resume"]
    assert await tick(database, here("2026-11-25 07:40"), NEWSROOM) == 0
    assert await made(database) == []


@ONE_KIND
async def test_two_people_stand_for_a_plan(database: Database, author: Member, approver: Member) -> None:
    number = await plan(database, author, None)
    await tick(database, here("2026-11-24 07:30"), NEWSROOM)
    async with database.writing() as db:
        await db.execute(update(Schedule).values(author_id=approver.id))
        with pytest.raises(planning.OwnPlan):
            await planning.approve(db, approver, number, now=MONDAY)
        await db.execute(update(Schedule).values(author_id=author.id))
        await planning.approve(db, approver, number, now=MONDAY)
    await tick(database, here("2026-11-25 07:30"), NEWSROOM)
    # Words that were changed since are not what they stood for.
    async with database.writing() as db:
        await db.execute(update(Notice).values(version=2))
    await tick(database, here("2026-11-26 07:30"), NEWSROOM)
    assert [state for state, _fire in await made(database)] == ["in_review", "approved", "in_review"]


@ONE_KIND
async def test_a_county_plans_for_itself_only(database: Database, approver: Member) -> None:
    county = await hire(database, "sun", "county", "140882")
    with pytest.raises(NotAllowed):
        await plan(database, county, None, code="all")
    number = await plan(database, county, None, code="own", audience=Audience(counties=("140882",)))
    other = await hire(database, "li", "county", "140881")
    async with database.writing() as db:
        with pytest.raises(NotAllowed):
            await planning.pause(db, other, number, now=MONDAY)
        with pytest.raises(planning.NoSuchSchedule):
            await planning.pause(db, county, number + 9, now=MONDAY)
        await planning.pause(db, county, number, now=MONDAY)


@ONE_KIND
@pytest.mark.parametrize(
    ("words", "trouble"),
    [
        ({"review_by": date(2026, 11, 23)}, "check it again since 2026-11-23"),
        ({"valid_until": here("2026-11-24 07:30")}, "no longer valid"),
    ],
)
async def test_what_is_out_of_date_is_held_back(
    database: Database, author: Member, approver: Member, words: dict[str, Any], trouble: str
) -> None:
    await plan(database, author, approver, **words)
    tuesday = here("2026-11-24 07:30")
    async with database.reading() as db:
        (shown,) = await planning.listed(db, locale="en", now=MONDAY, zone=ZONE)
        assert shown.trouble is None
        (shown,) = await planning.listed(db, locale="en", now=tuesday, zone=ZONE)
    assert shown.trouble
    assert trouble in voice("en", ZONE).word(shown.trouble)
    assert await tick(database, tuesday, NEWSROOM) == 1
    assert await made(database) == []


@ONE_KIND
async def test_a_broken_rule_stops_nobody_else(database: Database, author: Member, approver: Member) -> None:
    broken = await plan(database, author, approver, code="broken")
    await plan(database, author, approver, code="sound")
    async with database.writing() as db:
        await db.execute(update(Schedule).where(Schedule.id == broken).values(rule={"kind": "never"}))
    assert await tick(database, here("2026-11-24 07:30"), NEWSROOM) == 1
    assert await next_at(database, broken) is None


async def test_what_a_schedule_leaves_to_the_staff_is_put_before_them(
    database: Database, author: Member, approver: Member
) -> None:
    desk = Newsdesk(Clinic(database, now=MONDAY))
    await desk.in_chat(author)
    await desk.in_chat(approver)
    await plan(database, author, approver, late="ask")
    await tick(database, here("2026-11-24 07:50"), NEWSROOM)
    assert await desk.told() == [("qian", "To approve")]
    await desk.hears_nothing_more()
    await plan(database, author, None, code="unapproved")
    await tick(database, here("2026-11-25 07:31"), NEWSROOM)
    assert ("qian", "To approve") in await desk.told()
    async with database.reading() as db:
        mine = select(Broadcast.author_id).join(Schedule, Schedule.id == Broadcast.schedule_id)
        assert await db.scalar(mine.where(Schedule.code == "unapproved")) == author.id
