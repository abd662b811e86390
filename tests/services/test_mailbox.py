"""What waits for a person's next contact: the most urgent first, three at once, nothing that does not hold any more."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from bot import i18n
from bot.models import Broadcast, Contact, NoticeWish
from bot.services import preferences
from bot.services.broadcasts import mailbox, resolving
from bot.services.broadcasts.audience import Reach
from tests.bulletins import announces, joins, states
from tests.chat import CITY, World

pytestmark = [
    pytest.mark.parametrize("restarting", [False], indirect=True),
    pytest.mark.parametrize("channel", ["buttons"], indirect=True),
]
VOICE = i18n.voice("zh_CN", CITY.zone)
REACH = Reach(present=frozenset({"page"}))


async def waits(world: World, title: str, **notice: object) -> int:
    number = await announces(world, title, **notice)  # type: ignore[arg-type]  # a table of examples
    await resolving.begin_due(world.database, world.now, world.newsroom)
    await resolving.resolve(world.database, REACH, world.now)
    await resolving.resolve(world.database, REACH, world.now)
    world.now += timedelta(minutes=1)
    return number


async def take(world: World) -> list[str]:
    async with world.database.writing() as db:
        contact_id = (await db.scalars(select(Contact.id))).one()
        letters = await mailbox.take(db, contact_id, VOICE, now=world.now)
    return [letter.text.splitlines()[0] for letter in letters]


async def test_the_most_urgent_then_the_newest_and_the_rest_on_demand(world: World) -> None:
    rider = await joins(world, "mei", channels=("page",))
    for n in range(4):
        await waits(world, f"第{n}")
    await waits(world, "急", urgency="red")
    first = await take(world)
    assert [title[-2:] for title in first[1:3]] == ["第3", "第2"]
    assert first[0].endswith("急")
    assert len(first) == 4, "three of them, and the offer of more"
    assert [title[-2:] for title in await take(world)] == ["第1", "第0"]
    assert await take(world) == []
    async with world.database.reading() as db:
        told = await mailbox.recent(db, rider, now=world.now)
        assert [one.title("en") for one in told] == [f"{title} (en)" for title in ("急", "第3", "第2", "第1", "第0")]
        assert {one.category for one in told} == {"winter_safety"}
        assert await mailbox.recent(db, rider, now=world.now + timedelta(days=31)) == []


async def test_what_expired_or_was_muted_meanwhile_is_dropped(world: World) -> None:
    rider = await joins(world, "mei", channels=("page",))
    old = await waits(world, "旧", valid_until=world.now + timedelta(hours=1))
    muted = await waits(world, "政策", category="policy")
    red = await waits(world, "急", category="policy", urgency="red")
    paused = await waits(world, "停")
    world.now += timedelta(hours=2)
    async with world.database.writing() as db:
        await preferences.mute(db, rider, "policy")
        await db.execute(update(Broadcast).where(Broadcast.id == paused).values(state="paused"))
    assert [title[-1] for title in await take(world)] == ["急"]
    found = [(await states(world, number))["mei"] for number in (old, muted, red, paused)]
    assert found == ["expired", "muted", "sent", "waiting"]
    async with world.database.writing() as db:
        await db.execute(update(Broadcast).values(state="finished"))
        await db.execute(update(NoticeWish).values(off_at=world.now))
    assert await take(world) == []
