"""What a rider gets with each kind of account: answers always, pushes while it may, the rest at the next contact."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy import select

from bot.channels.wechat import ACCOUNTS
from bot.database import Database
from bot.models import Contact, Exchange, Outbound, Session
from bot.services import preferences, sessions
from tests.bulletins import announces, states
from tests.callback import CallbackWorld, RiderOnWeChat, behind_an_account
from tests.chat import DESK
from tests.handlers.fair import Fair
from tests.program import until


@pytest.fixture(params=list(ACCOUNTS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database_kind(kind: str) -> str:
    return "postgresql" if kind == "service-verified" else "sqlite"


@pytest.fixture
async def world(database: Database, kind: str) -> AsyncIterator[CallbackWorld]:
    async with behind_an_account(database, kind, aes=kind.startswith("service"), restarting=True) as world:
        yield world


async def books(world: CallbackWorld, rider: RiderOnWeChat, *, days: int) -> None:
    """Claim a gift that is given out in so many days, by words and digits."""
    fair = Fair(world)
    offering = await fair.offers("gift", sessions=0)
    await fair.session(offering, world.now + timedelta(days=days))
    await rider.says("预约")
    await rider.taps("王茅镇")
    await rider.taps("预约")


async def agrees(world: CallbackWorld, user: str) -> None:
    async with world.database.writing() as db:
        rider = (await db.scalars(select(Contact.rider_id).where(Contact.user == user))).one()
        await preferences.agree(db, rider, now=world.now)


async def test_what_a_rider_gets(world: CallbackWorld, kind: str) -> None:
    pushes = kind.endswith("-verified")
    mei = world.rider("mei", "zh_CN")
    await mei.follows()
    mei.sees("位置")
    await books(world, mei, days=4)
    booked = mei.latest
    mei.catches_up()
    if pushes:
        assert booked.photo, "a picture is pushed beside the reply"
        assert world.wechat.left("mei") == 4 + 3
    else:
        assert not booked.photo
        assert "/qr/" in booked.text

    await world.passes(days=1)
    await mei.says("菜单")
    mei.catches_up()
    await moves(world, hours=3)
    if pushes:
        mei.sees("12:00")
        assert world.wechat.left("mei") == 4, "one of five, within 48 hours of their last word"
        await mei.says("菜单")
        mei.does_not_see("12:00")
    else:
        mei.sees()
        await mei.says("菜单")
        mei.sees("1 ", "12:00")
    mei.catches_up()

    await world.passes(days=2, hours=10, minutes=10)
    mei.sees()
    await mei.says("你好")
    mei.sees("提醒", "12:00")
    assert world.wechat.refused == [], "nothing was tried that WeChat would refuse"
    assert await outbox_states(world) == {"sent"}
    await mei.says("你好")
    mei.does_not_see("提醒")
    await mei.taps_menu("/web")
    assert re.search(r"/s/[A-Za-z0-9_-]{32}$", mei.latest.text), "one tile that opens the page"


async def test_mail_waits_and_its_choices_go_on_counting(world: CallbackWorld, kind: str) -> None:
    mei = world.rider("mei", "zh_CN")
    await mei.follows()
    await agrees(world, "mei")
    await world.passes(days=3)
    numbers = [await announces(world, f"大风{n}", urgency="red") for n in range(5)]
    await world.passes(minutes=1)
    assert {state for number in numbers for state in (await states(world, number)).values()} == {"waiting"}
    mei.catches_up()
    await mei.says("菜单")
    mei.sees("大风4", "大风3", "大风2")
    assert "大风1" not in mei.latest.text
    offered = [label for label, _token in mei.options]
    assert any("通知" in label for label in offered[:12]), "the menu came first"
    await mei.says("你好")
    assert "大风" not in mei.latest.text, "the rest is theirs to ask for"
    await mei.says("菜单")
    world.restarts()
    assert world.wechat.follower("mei").posts == []


async def test_who_left_gets_nothing_until_they_come_back(world: CallbackWorld, kind: str) -> None:
    mei = world.rider("mei", "zh_CN")
    await mei.follows()
    await books(world, mei, days=4)
    await agrees(world, "mei")
    await mei.sends("stopped")
    mei.catches_up()
    before = len(world.wechat.follower("mei").posts)
    await moves(world, hours=3)
    number = await announces(world, "大风", urgency="red")
    await world.passes(minutes=1)
    await world.passes(days=3)
    mei.sees()
    assert (await states(world, number), len(world.wechat.follower("mei").posts)) == ({}, before)
    world.wechat.follower("mei").follows = True
    await mei.follows()
    mei.sees("位置")
    async with world.database.reading() as db:
        assert (await db.scalars(select(Contact.stopped_at))).one() is None


async def moves(world: CallbackWorld, **later: float) -> None:
    """The staff move the only session, which tells whoever booked it."""
    async with world.database.writing() as db:
        session = (await db.scalars(select(Session))).one()
        by = timedelta(**later)
        times: dict[str, Any] = {"starts_at": session.starts_at + by, "ends_at": session.ends_at + by}
        await sessions.reschedule(db, None, session_id=session.id, now=world.now, desk=DESK, **times)
    await world.settle()


async def outbox_states(world: CallbackWorld) -> set[str]:
    async with world.database.reading() as db:
        return set(await db.scalars(select(Outbound.state)))


@pytest.mark.parametrize("kind", ["subscription"])
@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_a_retry_that_another_process_gets_is_not_read_again(database: Database) -> None:
    kind = "subscription"
    async with behind_an_account(database, kind) as first, behind_an_account(database, kind) as other:
        rider = first.rider("mei", "zh_CN")
        other.rider("mei", "zh_CN")
        await rider.follows()
        read_again = other.read = Mock(side_effect=other.read)  # type: ignore[method-assign]  # it listens in
        xml = rider.phone.location(35.016, 110.993)
        answered = await rider.phone.delivers_once(xml)

        async def is_noted() -> bool:
            async with database.reading() as db:
                return len((await db.scalars(select(Exchange).where(Exchange.until == Exchange.since))).all()) == 1

        await until(is_noted)
        for world in (first, other):
            world.now += timedelta(seconds=5)
        retry = replace(rider.phone, url=other.phone.url)
        assert retry.opened(await retry.delivers_once(xml)) == rider.phone.opened(answered)
        assert not read_again.called
