"""Urgent notices to those who cannot be written to: one message to all of them, once, within the account's number."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bot.channels.wechat.push import parts
from bot.database import Database
from bot.delivery.mass import MassCourier
from bot.models import MassSend, Pause
from bot.services.broadcasts.audience import Audience, Forecast, concerned, forecast
from tests.bulletins import announces, broadcast, rows, states
from tests.callback import CallbackWorld, RiderOnWeChat, behind_an_account
from tests.channels.wechat.test_accounts import agrees
from tests.chat import CITY


@pytest.fixture(params=["service-verified", "subscription-verified"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database_kind(kind: str) -> str:
    return "postgresql" if kind == "service-verified" else "sqlite"


@pytest.fixture
async def world(database: Database, kind: str) -> AsyncIterator[CallbackWorld]:
    async with behind_an_account(database, kind) as world:
        yield world


@pytest.fixture
async def followers(world: CallbackWorld) -> list[RiderOnWeChat]:
    """Three who agreed to notices some days ago, and have been silent since."""
    riders = [world.rider(user, "zh_CN") for user in ("mei", "lin", "wang")]
    for rider in riders:
        await rider.follows()
        await agrees(world, rider.address.user)
    await world.passes(days=3)
    return riders


def courier(world: CallbackWorld) -> MassCourier:
    """Another process that sends mass messages."""
    assert world.crowds
    return MassCourier(world.database, "wechat", world.crowds, world.channel.can, lambda: world.now, CITY.zone)


async def works(world: CallbackWorld) -> None:
    while await courier(world).step():
        pass


async def warns(world: CallbackWorld, title: str, urgency: str = "red", **notice: Any) -> int:
    number = await announces(world, title, urgency=urgency, **notice)
    await world.passes(seconds=1)
    await works(world)
    return number


async def ends(world: CallbackWorld, status: str, sent: int, number: int = 0) -> None:
    """WeChat tells what became of the last mass message."""
    last = number or list(world.wechat.mass.values())[-1].number
    counts = {"TotalCount": 3, "FilterCount": 3, "SentCount": sent, "ErrorCount": 3 - sent}
    event = world.phone.event("MASSSENDJOBFINISH", MsgID=last, Status=status, **counts)
    assert (await world.phone.delivers_once(event)).is_nothing


async def sends(world: CallbackWorld) -> list[tuple[str, int]]:
    async with world.database.reading() as db:
        return [(row.state, row.people) for row in await db.scalars(select(MassSend).order_by(MassSend.id))]


def told(world: CallbackWorld, user: str) -> list[str]:
    return world.wechat.follower(user).told


async def looks_ahead(world: CallbackWorld, urgency: str) -> Forecast:
    async with world.database.reading() as db:
        reach = world.newsroom.reach
        return await forecast(db, Audience(), category="weather", urgency=urgency, reach=reach, now=world.now)


async def test_all_who_are_silent_are_told_at_once(world: CallbackWorld, followers: list[RiderOnWeChat]) -> None:
    mei, _lin, wang = followers
    await wang.says("TD 全部")
    await mei.says("菜单")
    mei.catches_up()
    number = await warns(world, "暴雪红色预警", body="今晚有暴雪。" * 300)
    mei.sees("暴雪红色预警")
    assert (told(world, "mei"), told(world, "wang")) == ([], []), "who can be written to is, who stopped all is not"
    (said,) = told(world, "lin")
    assert said.startswith("🔴")
    assert "通知" in said.splitlines()[-2]
    assert "TD" in said.splitlines()[-1]
    assert parts(said) == [said]
    assert await states(world, number) == {"mei": "sent", "lin": "sent"}
    await ends(world, "send success", 3)
    assert await sends(world) == [("finished", 1)]
    await works(world)
    assert world.wechat.tags == {}, "nobody is left marked at the platform"
    assert world.wechat.refused == []


async def test_what_was_cut_off_is_not_sent_again(world: CallbackWorld, followers: list[RiderOnWeChat]) -> None:
    path = "message/mass/sendall"
    world.wechat.fail(path, None, -1)
    number = await warns(world, "暴雪")
    assert set((await states(world, number)).values()) == {"waiting"}, "nobody knows, so nobody counts"
    for _try in range(3):
        world.now += timedelta(minutes=1)
        await works(world)
    assert [len(told(world, user)) for user in ("mei", "lin", "wang")] == [1, 1, 1]
    assert set((await states(world, number)).values()) == {"sent"}
    world.wechat.calls.clear()
    # It was taken, and the answer was lost: the same key is known by the platform.
    async with world.database.writing() as db:
        (await db.scalars(select(MassSend))).one().state = "sending"
    world.now += timedelta(days=2)
    await works(world)
    assert path in world.wechat.calls
    assert [len(told(world, user)) for user in ("mei", "lin", "wang")] == [1, 1, 1]
    assert world.wechat.refused[-1] == 45065


@pytest.mark.parametrize(("status", "sent"), [("err(10001)", 0), ("send success", 2)])
async def test_whom_it_may_have_missed_is_told_at_the_next_contact(
    world: CallbackWorld, followers: list[RiderOnWeChat], status: str, sent: int
) -> None:
    number = await warns(world, "暴雪")
    await ends(world, status, sent, number=1_000_000)
    assert set((await states(world, number)).values()) == {"sent"}, "a report of another message says nothing of ours"
    for _time in range(2):
        await ends(world, status, sent)
    assert set((await states(world, number)).values()) == {"waiting"}
    async with world.database.reading() as db:
        got = concerned(Audience(got=number), category="weather", urgency="red")
        assert len(list(await db.scalars(got))) == (3 if sent else 0), "who may have it hears of a withdrawal"
    mei = followers[0]
    mei.catches_up()
    await mei.says("菜单")
    mei.sees("暴雪")


async def test_the_number_is_kept_and_shown_beforehand(
    world: CallbackWorld, followers: list[RiderOnWeChat], kind: str
) -> None:
    most = 4 if kind == "service-verified" else 1
    assert (await looks_ahead(world, "normal")).masses == ()
    (ahead,) = (await looks_ahead(world, "red")).masses
    assert (ahead.people, ahead.left, ahead.most, ahead.goes) == (3, most, most, True)
    for n in range(most):
        await warns(world, f"大风{n}", urgency="important")
    kept = most - len(world.wechat.mass)
    assert kept == (1 if kind == "service-verified" else 0), "the last of a month is for what is red"
    assert [one.goes for one in (await looks_ahead(world, "important")).masses] == [False]
    for n in range(3):
        await warns(world, f"暴雪{n}")
    assert len(world.wechat.mass) == most
    assert [(one.left, one.goes) for one in (await looks_ahead(world, "red")).masses] == [(0, False)]
    assert 45028 not in world.wechat.refused
    world.now = datetime(2026, 11, 30, 16, 1, tzinfo=UTC) if most == 4 else world.now + timedelta(days=1)
    assert [(one.left, one.goes) for one in (await looks_ahead(world, "red")).masses] == [(most, True)]


async def test_it_stops_where_it_should(world: CallbackWorld, followers: list[RiderOnWeChat]) -> None:
    await warns(world, "晴", urgency="normal")
    assert await sends(world) == [], "nobody's rest is worth one of few messages"
    number = await announces(world, "暴雪", urgency="red")
    await world.passes(seconds=1)
    world.wechat.fail("message/mass/sendall", 87014)
    await works(world)
    assert await sends(world) == [("failed", 3)]
    assert set((await states(world, number)).values()) == {"waiting"}
    (ahead,) = (await looks_ahead(world, "red")).masses
    assert ahead.left == ahead.most, "what was refused counts for nothing"
    assert all(row.error == "" for row in (await rows(world, number)).values())
    assert (world.wechat.tags, (await broadcast(world, number)).state) == ({}, "finished")


async def test_a_restored_database_sends_nothing(world: CallbackWorld, followers: list[RiderOnWeChat]) -> None:
    async with world.database.writing() as db:
        db.add(Pause("*", world.now + timedelta(hours=1), "restored"))
    await warns(world, "暴雪")
    assert (await sends(world), world.wechat.mass) == ([], {})
    world.now += timedelta(hours=1)
    await works(world)
    assert len(world.wechat.mass) == 1


async def test_important_things_wait_for_the_morning(world: CallbackWorld, followers: list[RiderOnWeChat]) -> None:
    world.now = world.now.replace(hour=16)  # midnight in Yuncheng
    await warns(world, "封路", urgency="important")
    assert world.wechat.mass == {}
    world.now += timedelta(hours=8)
    await works(world)
    assert await sends(world) != []
    assert len(world.wechat.mass) == 1


async def test_what_is_cancelled_in_time_is_not_sent(world: CallbackWorld, followers: list[RiderOnWeChat]) -> None:
    number = await announces(world, "暴雪", urgency="red")
    await world.passes(seconds=1)
    world.wechat.fail("tags/create", -1)
    await courier(world).step()
    async with world.database.writing() as db:
        (await db.get_one(type(await broadcast(world, number)), number)).state = "withdrawn"
    world.now += timedelta(minutes=1)
    await works(world)
    assert (await sends(world), world.wechat.mass) == ([("failed", 0)], {})
