"""Broadcasts that begin in time or late, and find their recipients while they go out."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from bot.models import AuditEntry, Broadcast, Contact, Outbound, ReplyWindow
from bot.services.broadcasts import resolving
from bot.services.broadcasts.audience import Reach
from tests.bulletins import announces, broadcast, joins, rows, states
from tests.chat import World

pytestmark = [
    pytest.mark.parametrize("restarting", [False], indirect=True),
    pytest.mark.parametrize("channel", ["buttons"], indirect=True),
]
one_kind = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
REACH = Reach(pushing=frozenset({"buttons"}), windowed=frozenset({"letters"}), present=frozenset({"page"}))


async def resolves(world: World, slice: int = 2_000) -> None:
    while await resolving.resolve(world.database, REACH, world.now, slice=slice):
        pass


async def test_slices_miss_nobody_and_take_nobody_twice(world: World) -> None:
    for n in range(23):
        await joins(world, f"u{n}", mutes="winter_safety" if n % 10 == 3 else "")
    number = await announces(world, "有雪")
    await resolving.begin_due(world.database, world.now, world.newsroom)
    await asyncio.gather(*(resolves(world, slice=4) for _ in range(3)))
    assert sorted(await states(world, number)) == sorted(f"u{n}" for n in range(23) if n % 10 != 3)
    resolved = await broadcast(world, number)
    assert resolved.resolved_at is not None
    recipient = (await rows(world, number))["u0"]
    assert (recipient.key, recipient.lane, recipient.rank, recipient.message) == (f"b{number}:1", "bulk", 2, {})


async def test_two_processes_begin_it_once(world: World) -> None:
    number = await announces(world, "有雪")
    await asyncio.gather(*(resolving.begin_due(world.database, world.now, world.newsroom) for _ in range(4)))
    assert (await broadcast(world, number)).state == "sending"
    async with world.database.reading() as db:
        assert len((await db.scalars(select(AuditEntry.id))).all()) == 1


@one_kind
@pytest.mark.parametrize(
    ("late", "hours", "state"),
    [
        ("send", 3, "sending"),
        ("skip", 3, "cancelled"),
        ("ask", 3, "paused"),
        ("skip", 0.1, "sending"),
        ("send", 30, "cancelled"),
    ],
)
async def test_after_downtime_the_late_rule_decides(world: World, late: str, hours: float, state: str) -> None:
    valid_until = world.now + timedelta(hours=25)
    number = await announces(
        world, "有雪", late=late, starts_at=world.now + timedelta(hours=1), valid_until=valid_until
    )
    await resolving.begin_due(world.database, world.now, world.newsroom)
    assert (await broadcast(world, number)).state == "approved"
    await resolving.begin_due(world.database, world.now + timedelta(hours=1 + hours), world.newsroom)
    begun = await broadcast(world, number)
    assert begun.state == state
    assert bool(begun.pause_reason) == (state != "sending")
    assert ("晚了：原定" in begun.pause_reason) == (state == "paused" or (late, state) == ("skip", "cancelled"))


async def test_each_person_has_one_row_on_the_best_channel(world: World) -> None:
    await joins(world, "pushed", channels=("page", "buttons", "letters"))
    await joins(world, "open", channels=("page", "letters"))
    await joins(world, "shut", channels=("letters",))
    await joins(world, "visitor", channels=("page",))
    await joins(world, "unknown", channels=("pigeon",))
    await joins(world, "gone", channels=("buttons",))
    async with world.database.writing() as db:
        await db.execute(update(Contact).where(Contact.user == "gone").values(stopped_at=world.now))
        window = (
            await db.scalars(select(Contact.id).where(Contact.user == "open", Contact.channel == "letters"))
        ).one()
        db.add(ReplyWindow(window, until=world.now + timedelta(hours=1), remaining=2))
    number = await announces(world, "有雪")
    await resolving.begin_due(world.database, world.now, world.newsroom)
    await resolves(world)
    found = {user: (row.channel, row.state) for user, row in (await rows(world, number)).items()}
    assert found == {
        "pushed": ("buttons", "queued"),
        "open": ("letters", "queued"),
        "shut": ("letters", "waiting"),
        "visitor": ("page", "waiting"),
    }


async def test_who_agrees_while_it_is_sent_gets_it_too(world: World) -> None:
    await joins(world, "early")
    number = await announces(world, "有雪")
    await resolving.begin_due(world.database, world.now, world.newsroom)
    await resolves(world)
    late = await joins(world, "late")
    for _ in range(2):
        async with world.database.writing() as db:
            await resolving.enlist(db, late, REACH, world.now)
    assert await states(world, number) == {"early": "queued", "late": "queued"}
    async with world.database.writing() as db:
        await db.execute(update(Outbound).values(state="sent"))
    assert await resolving.finish(world.database, world.now) == 1
    later = await joins(world, "later")
    async with world.database.writing() as db:
        assert await resolving.enlist(db, later, REACH, world.now) == 0


@one_kind
async def test_it_ends_only_when_nothing_is_left_to_send(world: World) -> None:
    await joins(world, "mei")
    number = await announces(world, "有雪")
    await resolving.begin_due(world.database, world.now, world.newsroom)
    assert await resolving.finish(world.database, world.now) == 0, "nobody has been looked at yet"
    await resolves(world)
    assert await resolving.finish(world.database, world.now) == 0
    async with world.database.writing() as db:
        await db.execute(update(Outbound).values(state="waiting"))
    assert await resolving.finish(world.database, world.now) == 1
    assert (await broadcast(world, number)).state == "finished"


@one_kind
async def test_what_does_not_hold_any_more_is_let_go(world: World) -> None:
    await joins(world, "mei", channels=("page",))
    await joins(world, "li")
    number = await announces(world, "有雪", valid_until=world.now + timedelta(hours=1))
    keeps = await announces(world, "又有雪", valid_until=world.now + timedelta(hours=9))
    await resolving.begin_due(world.database, world.now, world.newsroom)
    await resolves(world)
    assert await resolving.expire(world.database, world.now) == 0
    assert await resolving.expire(world.database, world.now + timedelta(hours=2)) == 2
    assert set((await states(world, number)).values()) == {"expired"}
    assert "expired" not in (await states(world, keeps)).values()


@one_kind
async def test_a_paused_broadcast_looks_for_nobody(world: World) -> None:
    await joins(world, "mei")
    number = await announces(world, "有雪")
    await resolving.begin_due(world.database, world.now, world.newsroom)
    async with world.database.writing() as db:
        await db.execute(update(Broadcast).values(state="paused"))
    await resolves(world)
    assert await states(world, number) == {}
