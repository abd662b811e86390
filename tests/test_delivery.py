"""Messages on their way out: once, in order, in their lanes, whatever fails."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from bot import outbox
from bot.channels import Throttled, Undelivered, Unreachable
from bot.delivery import MAX_TRIES, claims
from bot.messages import Button, Outgoing, Place
from bot.models import Contact, Outbound, Pause, Rider
from tests.chat import PretendChannel, RiderInTest, World


@pytest.fixture(params=["platform"])
def channel(request: pytest.FixtureRequest) -> PretendChannel:
    from bot.messages import Capabilities

    return PretendChannel("platform", Capabilities())


@pytest.fixture(params=[False])
def restarting() -> bool:
    return False


async def contact_of(world: World, user: str) -> int:
    async with world.database.writing() as db:
        rider = Rider(created_at=world.now)
        db.add(rider)
        await db.flush()
        contact = Contact(rider.id, world.channel.name, user, "en", world.now)
        db.add(contact)
        await db.flush()
        return contact.id


async def put(world: World, contact: int, words: str, lane: str = "personal", **later: float) -> None:
    async with world.database.writing() as db:
        at = world.now + timedelta(**later)
        outbox.put(db, contact, world.channel.name, Outgoing(words), lane=lane, key=words, at=at)


def said(world: World, user: str = "mei") -> list[str]:
    return [message.text for message in world.channel.delivered.get(user, [])]


async def states(world: World) -> dict[str, str]:
    async with world.database.reading() as db:
        return {row.key: row.state for row in await db.scalars(select(Outbound))}


async def test_what_is_due_goes_out_once_and_in_order(world: World) -> None:
    mei = await contact_of(world, "mei")
    for words in ("one", "two", "three"):
        await put(world, mei, words)
    couriers = [world.new_courier() for _ in range(4)]
    while any(await asyncio.gather(*(courier.deliver_due("platform", "personal") for courier in couriers))):
        pass
    assert said(world) == ["one", "two", "three"]
    assert set((await states(world)).values()) == {"sent"}


async def test_what_is_for_later_waits_and_holds_nobody_up(world: World) -> None:
    mei = await contact_of(world, "mei")
    await put(world, mei, "tomorrow", days=1)
    await put(world, mei, "now")
    await world.settle()
    assert said(world) == ["now"]
    await world.passes(days=1)
    assert said(world) == ["now", "tomorrow"]


async def test_a_failure_is_tried_again_later_and_the_next_one_waits(world: World) -> None:
    mei = await contact_of(world, "mei")
    await put(world, mei, "one")
    await put(world, mei, "two")
    world.channel.fails_with = [Undelivered("busy", retry_in=timedelta(seconds=10))]
    await world.settle()
    assert said(world) == []
    await world.passes(seconds=11)
    assert said(world) == ["one", "two"]


async def test_trying_ends_after_so_many_times(world: World) -> None:
    mei = await contact_of(world, "mei")
    await put(world, mei, "one")
    world.channel.fails_with = [Undelivered("busy", retry_in=timedelta(seconds=1))] * MAX_TRIES
    for _ in range(MAX_TRIES):
        await world.passes(hours=2)
    assert await states(world) == {"one": "failed"}
    assert world.channel.fails_with == []


async def test_a_final_failure_is_recorded_with_its_reason(world: World) -> None:
    mei = await contact_of(world, "mei")
    await put(world, mei, "one")
    world.channel.fails_with = [Undelivered("text is too long")]
    await world.settle()
    async with world.database.reading() as db:
        row = (await db.scalars(select(Outbound))).one()
    assert (row.state, row.error) == ("failed", "text is too long")


async def test_who_blocked_us_gets_nothing_until_they_write(world: World) -> None:
    mei = await contact_of(world, "mei")
    await put(world, mei, "one")
    await put(world, mei, "two")
    world.channel.fails_with = [Unreachable("blocked")]
    await world.settle()
    assert await states(world) == {"one": "stopped", "two": "stopped"}
    async with world.database.reading() as db:
        assert (await db.scalars(select(Contact.stopped_at))).one() == world.now
    await world.rider("mei").says("/help")
    async with world.database.reading() as db:
        assert (await db.scalars(select(Contact.stopped_at))).one() is None


async def test_a_throttle_pauses_the_channel_and_counts_no_try(world: World) -> None:
    for user in ("mei", "li"):
        await put(world, await contact_of(world, user), user)
    world.channel.fails_with = [Throttled("429", retry_in=timedelta(seconds=10_072))] * 2
    await world.settle()
    async with world.database.reading() as db:
        assert (await db.scalars(select(Pause.until))).one() == world.now + timedelta(seconds=10_072)
        assert set(await db.scalars(select(Outbound.tries))) == {0}
    world.channel.fails_with = []
    await world.passes(seconds=10_000)
    assert said(world) == []
    await world.passes(seconds=73)
    assert said(world, "mei") == ["mei"]
    assert said(world, "li") == ["li"]


async def test_a_paused_channel_still_answers(world: World) -> None:
    await put(world, await contact_of(world, "mei"), "bulk", lane="bulk")
    world.channel.fails_with = [Throttled("429", retry_in=timedelta(hours=1))]
    await world.settle()
    rider: RiderInTest = world.rider("li")
    await rider.says("/language")
    await rider.taps("English")
    rider.sees("English")


async def test_a_process_that_died_while_sending_is_followed_by_another(world: World) -> None:
    await put(world, await contact_of(world, "mei"), "one")
    async with world.database.writing() as db:
        due = claims.due_letters("platform", "personal", world.now, None)
        assert len(await claims.claim(db, due, 50, world.now)) == 1
    await world.settle()
    assert said(world) == []
    await world.passes(seconds=outbox.LEASE.total_seconds() + 1)
    assert said(world) == ["one"]


async def test_a_bug_in_a_channel_is_logged_and_tried_again(world: World) -> None:
    from structlog.testing import capture_logs

    await put(world, await contact_of(world, "mei"), "one")
    world.channel.fails_with = [ZeroDivisionError()]  # type: ignore[list-item]  # a bug is no Undelivered
    with capture_logs() as logged:
        await world.settle()
    assert logged[0]["event"] == "sending failed"
    await world.passes(minutes=2)
    assert said(world) == ["one"]


async def test_the_queue_tells_its_length_and_age(world: World) -> None:
    await put(world, await contact_of(world, "mei"), "one", lane="bulk")
    async with world.database.reading() as db:
        ages = await outbox.queue_ages(db, world.now + timedelta(seconds=30), ["platform"])
    assert ages == {"answer": (0, 0.0), "personal": (0, 0.0), "bulk": (1, 30.0)}


def test_a_message_survives_being_kept() -> None:
    message = Outgoing(
        "Words",
        ((Button("A", "a"), Button("B", url="https://x.cn")), (Button("C", asks_location=True),)),
        (Place("c", "n", 1.0, 2.0, "a", 3, "yes"),),
        card=True,
        photo="QQ==",
    )
    assert outbox.worded(outbox.plain(message)) == message
