"""Notices over days and nights: across midnight, in quiet hours, after downtime, to one person on two channels."""

import asyncio
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from bot.messages import Capabilities, Outgoing
from bot.models import Broadcast, Contact, Notice, NoticeWish, Outbound, Schedule
from bot.services import authority, staff
from bot.services.broadcasts import mailbox, steering
from bot.services.broadcasts.audience import Audience
from bot.services.schedules import planning, tick
from tests.bulletins import announces, joins, titles
from tests.chat import CITY, PretendChannel, RiderInTest, World
from tests.handlers.test_notices import TEXTS, agrees, told

ZONE = CITY.zone


def here(text: str, zone: ZoneInfo = ZONE) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


async def plan(world: World, at: str, *, late: str = "skip", **notice: object) -> None:
    """A notice every day at a local time, planned and approved by two people."""
    async with world.database.writing() as db:
        for login, role in (("zhao", "editor"), ("qian", "approver")):
            await staff.add(db, login, role, password_hash="x", now=world.now)
        author, approver = [await authority.member_called(db, login) for login in ("zhao", "qian")]
        values = {"category": "winter_safety", "texts": TEXTS, "reviewed_version": 1, "late": late} | notice
        row = Notice(code="daily", created_at=world.now, **values)  # type: ignore[arg-type]
        db.add(row)
        await db.flush()
        rule = {"kind": "daily", "at": at}
        how = {"rule": rule, "audience": Audience(), "now": world.now, "zone": ZONE}
        number = await planning.plan(db, author, row.id, code="daily", **how)  # type: ignore[arg-type]
        await planning.approve(db, approver, number, now=world.now)


async def until(world: World, moment: datetime, step: timedelta) -> None:
    """Time goes by in steps, and every loop does its work at each of them."""
    while world.now < moment:
        world.now = min(moment, world.now + step)
        await tick(world.database, world.now, world.newsroom)
        await world.keep_clock()
        await world.settle()


async def test_a_scheduled_notice_crosses_midnight(world: World, rider: RiderInTest) -> None:
    await agrees(rider)
    night_owl = world.rider("owl")
    await agrees(night_owl)
    async with world.database.writing() as db:
        owl = select(Contact.rider_id).where(Contact.user == "owl").scalar_subquery()
        hours = {"quiet_from": 8 * 60, "quiet_to": 16 * 60}
        await db.execute(update(NoticeWish).where(NoticeWish.rider_id == owl).values(hours))
    await plan(world, "23:58")
    rider.catches_up()
    night_owl.catches_up()
    await until(world, here("2026-11-23T23:56"), timedelta(hours=5))
    night_owl.sees()
    await until(world, here("2026-11-24T00:02"), timedelta(minutes=1))
    night_owl.sees("Icy roads")
    rider.sees()
    await until(world, here("2026-11-24T06:59"), timedelta(hours=2))
    rider.sees()
    await until(world, here("2026-11-24T07:01"), timedelta(minutes=1))
    rider.sees("Icy roads")
    night_owl.sees()
    async with world.database.reading() as db:
        fires = list(await db.scalars(select(Broadcast.fire_at)))
    assert fires == [here("2026-11-23T23:58")]


async def test_downtime_over_several_fires_tells_the_last_one_or_none(world: World, rider: RiderInTest) -> None:
    await agrees(rider)
    await plan(world, "10:00", late="send", urgency="important")
    rider.catches_up()
    world.now = here("2026-11-26T09:00")
    world.restarts()
    await until(world, here("2026-11-26T09:05"), timedelta(minutes=5))
    await rider.comes_back()
    rider.sees("Icy roads")
    assert len([said for said in rider.inbox if "Icy roads" in said.text]) == 1, "three mornings, one notice"
    async with world.database.writing() as db:
        await db.execute(update(Notice).values(late="skip"))
    world.now = here("2026-11-27T13:00")
    await until(world, here("2026-11-27T13:05"), timedelta(minutes=5))
    await rider.comes_back()
    assert not [said for said in rider.inbox[rider.seen :] if _is_notice(said)]
    await until(world, here("2026-11-28T10:01"), timedelta(hours=3))
    rider.sees("Icy roads")


async def test_two_schedulers_at_once_tell_it_once(world: World, rider: RiderInTest) -> None:
    await agrees(rider)
    await plan(world, "10:00")
    rider.catches_up()
    world.now = here("2026-11-23T10:00")
    made = await asyncio.gather(*(tick(world.database, world.now, world.newsroom) for _n in range(3)))
    assert sum(made) == 1
    await asyncio.gather(world.keep_clock(), world.keep_clock())
    await world.settle()
    assert [said.text.startswith("Icy roads") for said in rider.inbox[rider.seen :]] == [True]
    async with world.database.reading() as db:
        assert await db.scalar(select(Schedule.fired_at)) == world.now


async def test_it_reaches_a_person_on_two_channels_once(world: World, rider: RiderInTest) -> None:
    other = world.rider("mei-elsewhere")
    await agrees(rider)
    await agrees(other)
    await rider.says("/link")
    await rider.taps("Show me a code")
    code = rider.latest.text.split()[2]
    await other.says(f"/link {code}")
    other.sees("Linked.")
    for one in (rider, other):
        one.catches_up()
    await told(world)
    new = [said.text for one in (rider, other) for said in one.inbox[one.seen :]]
    assert len([text for text in new if "Icy roads" in text]) == 1
    # What stops it at one address stops it at the other.
    await rider.says("TD")
    await other.says("/notices")
    other.sees("Notices of the last thirty days")
    for one in (rider, other):
        one.catches_up()
    await told(world)
    rider.sees()
    other.sees()


async def test_td_is_about_what_was_read_last(world: World, rider: RiderInTest) -> None:
    await agrees(rider)
    await told(world, category="traffic")
    waiting = await told(world, category="policy")
    async with world.database.writing() as db:
        held = update(Outbound).where(Outbound.broadcast_id == waiting)
        await db.execute(held.values(state="waiting", sent_at=None, at=world.now + timedelta(minutes=1)))
        reader = (await db.scalars(select(Contact.rider_id).where(Contact.user == "mei"))).one()
        assert await mailbox.last_kind(db, reader) == "traffic"


async def test_all_notices_of_thirty_days_are_there_page_by_page(world: World) -> None:
    await joins(world, "mei", locale="en", weekly=10)
    mei = world.rider("mei")
    for n in range(10):
        await announces(world, f"第{n}号", urgency="important")
        await world.passes(seconds=2)
    await mei.says("/notices")
    listed = {label.partition("第")[2] for label, _token in mei.options if "第" in label}
    await mei.taps("Earlier ones")
    listed |= {label.partition("第")[2] for label, _token in mei.options if "第" in label}
    assert {one[0] for one in listed} == set("0123456789")
    await mei.taps("第0号")
    mei.sees("第0号 (en)", "全文")
    await mei.presses("notices.80")
    mei.sees_choices("第9号", "第2号")
    world.now += timedelta(days=31)
    await mei.says("/notices")
    mei.sees("No notices in the last thirty days")


@pytest.mark.parametrize("words", ["TD 全部", "td全部", "退订全部", "退订 全部", "td all"])
async def test_td_all_in_every_spelling(world: World, rider: RiderInTest, words: str) -> None:
    await agrees(rider)
    await told(world)
    await rider.says("/report")
    await rider.says(words)
    rider.sees("red alerts included")
    await told(world, urgency="red")
    assert not [said for said in rider.inbox[rider.seen :] if _is_notice(said)]


def _is_notice(said: Outgoing) -> bool:
    return "Icy roads" in said.text


class TestWhereMessagesCanBeChanged:
    @pytest.fixture(params=["platform"])
    def channel(self, request: pytest.FixtureRequest) -> PretendChannel:
        return PretendChannel(request.param, Capabilities(edits=True))

    @pytest.mark.parametrize("restarting", [False], indirect=True)
    async def test_a_withdrawn_notice_is_changed_and_its_readers_told(self, world: World) -> None:
        await joins(world, "mei", locale="en")
        await joins(world, "late", locale="en")
        number = await announces(world, "停水")
        await world.keep_clock()
        async with world.database.writing() as db:
            late = select(Contact.id).where(Contact.user == "late").scalar_subquery()
            await db.execute(update(Outbound).where(Outbound.contact_id == late).values(state="waiting"))
        await world.settle()
        async with world.database.writing() as db:
            await staff.add(db, "li", "approver", password_hash="x", now=world.now)
            member = await authority.member_called(db, "li")
            how = {"newsroom": world.newsroom, "now": world.now}
            await steering.withdraw(db, member, number, why="今天不停了", **how)  # type: ignore[arg-type]
        for _step in range(4):
            await world.passes(seconds=40)
        notice, *changes = world.channel.delivered["mei"]
        assert notice.text.startswith("停水")
        assert {change.replaces for change in changes} == {"", "1"}
        assert len(changes) == 2
        assert all("今天不停了" in change.text for change in changes)
        assert not [said for said in world.channel.delivered.get("late", [])]


class Page(PretendChannel):
    """A channel that reaches only those who are there."""

    def __init__(self) -> None:
        super().__init__("page", Capabilities(pushes=False))
        self.here: set[str] = set()

    def present(self) -> set[str]:
        return self.here


class TestWhereNothingCanBePushed:
    @pytest.fixture(params=["page"])
    def channel(self, request: pytest.FixtureRequest) -> PretendChannel:
        return Page()

    async def test_what_waited_comes_three_at_once_and_the_rest_on_demand(self, world: World) -> None:
        assert isinstance(world.channel, Page)
        await joins(world, "mei", locale="en")
        mei = world.rider("mei")
        for n, urgency in enumerate(("normal", "red", "normal", "important", "normal")):
            await announces(world, f"第{n}", urgency=urgency)
            await world.passes(minutes=1)
        await announces(world, "过期", valid_until=world.now + timedelta(minutes=30))
        await world.passes(hours=1)
        mei.sees()
        world.channel.here.add("mei")
        await world.settle()
        assert titles(world, "mei") == ["第1 (en)", "第3 (en)", "第4 (en)", "There are more notices for you."]
        await world.settle()
        mei.looks_at_the_phone()
        mei.catches_up()
        await mei.taps("Show more")
        mei.sees("第2", "第0")
        mei.does_not_see("过期")
        await mei.presses("mail")
        mei.sees("That was all of them.")
        await announces(world, "新的")
        await world.passes(seconds=1)
        mei.sees("新的")
