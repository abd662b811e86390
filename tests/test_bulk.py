"""Broadcasts on their way out: each person once, in their hours, by their wishes, the red ones first."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from bot.channels import Throttled, Undelivered, Unreachable
from bot.delivery.letters import Letter
from bot.messages import Address, Capabilities, Outgoing
from bot.models import (
    Broadcast,
    Choices,
    Contact,
    Due,
    MutedTopic,
    NoticeWish,
    Outbound,
    Pause,
    Rider,
    StaffChat,
    StaffMember,
)
from bot.services import authority
from bot.services.authority import Member
from bot.services.broadcasts import restored, steering
from tests.bulletins import announces, broadcast, joins, rows, states, titles
from tests.chat import PretendChannel, World

pytestmark = pytest.mark.parametrize("restarting", [False], indirect=True)
one_kind = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


@pytest.fixture(params=["platform"])
def channel(request: pytest.FixtureRequest) -> PretendChannel:
    return PretendChannel("platform", Capabilities())


async def test_everybody_gets_it_once_in_their_language_and_it_ends(world: World) -> None:
    for n in range(30):
        await joins(world, f"u{n}", locale="en" if n % 2 else "zh_CN")
    number = await announces(world, "有雪")
    await world.passes(seconds=1)
    await world.passes(minutes=5)
    assert [titles(world, f"u{n}") for n in range(4)] == [["有雪"], ["有雪 (en)"], ["有雪"], ["有雪 (en)"]]
    assert set((await states(world, number)).values()) == {"sent"}
    assert all(len(said) == 1 for said in world.channel.delivered.values())
    ended = await broadcast(world, number)
    assert (ended.state, ended.began_at is not None, ended.finished_at is not None) == ("finished", True, True)


async def test_two_workers_share_a_broadcast(world: World) -> None:
    for n in range(60):
        await joins(world, f"u{n}")
    number = await announces(world, "有雪")
    await world.keep_clock()
    workers = [world.new_courier() for _ in range(3)]
    await asyncio.gather(*(worker.deliver_due("platform", "bulk") for worker in workers))
    assert [len(said) for said in world.channel.delivered.values()] == [1] * 60
    assert set((await states(world, number)).values()) == {"sent"}


async def test_a_red_notice_goes_before_a_normal_one(world: World) -> None:
    await joins(world, "mei")
    await announces(world, "普通")
    await announces(world, "重要", urgency="important")
    await announces(world, "紧急", urgency="red")
    for _ in range(3):
        await world.passes(seconds=2)
    assert titles(world, "mei") == ["紧急", "重要", "普通"]


@one_kind
async def test_a_pause_a_cancel_and_a_resume_hold_at_once(world: World) -> None:
    for n in range(250):
        await joins(world, f"u{n}")
    number = await announces(world, "有雪")
    await world.keep_clock()
    send = world.channel.send
    heard: list[str] = []

    async def stop_at_the_tenth(to: Any, message: Outgoing) -> str:
        heard.append(to.user)
        if len(heard) == 10:
            async with world.database.writing() as db:
                await steering.pause(db, None, number, "a test", now=world.now)
        return await send(to, message)

    world.channel.send = stop_at_the_tenth  # type: ignore[method-assign]  # the platform is looked at from outside
    await world.settle()
    in_hand = 100  # half a second of what a channel without pacing takes
    assert 10 <= len(world.channel.delivered) <= in_hand
    assert (await broadcast(world, number)).state == "paused"
    async with world.database.writing() as db:
        await db.execute(update(Broadcast).values(state="sending"))
    await world.settle()
    assert len(world.channel.delivered) == 250
    assert all(len(said) == 1 for said in world.channel.delivered.values())


async def test_quiet_and_busy_hours_move_it_on(world: World) -> None:
    """It is nine in the morning."""
    await joins(world, "driver", vehicle="ridehail")
    await joins(world, "courier", vehicle="courier")
    await joins(world, "nightly", quiet=(8 * 60, 16 * 60))
    number = await announces(world, "有雪")
    await world.passes(seconds=1)
    assert await states(world, number) == {"driver": "queued", "courier": "sent", "nightly": "queued"}
    local = {user: row.due.astimezone(UTC) for user, row in (await rows(world, number)).items()}
    assert local["driver"] == datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
    assert local["nightly"] == datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    assert {row.tries for row in (await rows(world, number)).values()} == {0}
    await world.passes(minutes=31)
    assert await states(world, number) == {"driver": "sent", "courier": "sent", "nightly": "queued"}
    red = await announces(world, "紧急", urgency="red")
    await world.passes(seconds=2)
    assert set((await states(world, red)).values()) == {"sent"}


@one_kind
async def test_what_is_decided_when_it_is_sent(world: World) -> None:
    await joins(world, "mutes")
    await joins(world, "stops")
    await joins(world, "left")
    await joins(world, "stays")
    number = await announces(world, "有雪")
    red = await announces(world, "紧急", urgency="red")
    await world.keep_clock()
    async with world.database.writing() as db:
        wish = select(Contact.rider_id).where(Contact.user == "stops").scalar_subquery()
        await db.execute(update(NoticeWish).where(NoticeWish.rider_id == wish).values(off_at=world.now))
        await db.execute(update(Contact).where(Contact.user == "left").values(stopped_at=world.now))
        mutes = (await db.scalars(select(Contact.rider_id).where(Contact.user == "mutes"))).one()
        db.add(MutedTopic(mutes, "winter_safety"))
    await world.settle()
    await world.passes(seconds=2)
    expected = {"mutes": "muted", "stops": "muted", "left": "stopped", "stays": "sent"}
    assert await states(world, number) == expected
    assert await states(world, red) == expected | {"mutes": "sent"}
    assert (await broadcast(world, number)).state == "finished"


@one_kind
async def test_what_does_not_hold_any_more_is_not_sent(world: World) -> None:
    await joins(world, "mei", quiet=(8 * 60, 16 * 60))
    number = await announces(world, "有雪", valid_until=world.now + timedelta(hours=3))
    await world.passes(seconds=1)
    await world.passes(hours=10)
    assert await states(world, number) == {"mei": "expired"}
    assert titles(world, "mei") == []


async def test_over_the_weekly_number_it_waits_for_sunday(world: World) -> None:
    await joins(world, "mei", weekly=2)
    await joins(world, "li", weekly=2, mutes="policy")
    numbers = []
    for n in range(4):
        numbers.append(await announces(world, f"第{n}", category="policy" if n == 3 else "winter_safety"))
        await world.passes(hours=1)
    await announces(world, "重要", urgency="important")
    await world.passes(hours=1)
    assert titles(world, "mei") == ["第0", "第1", "重要"]
    assert [(await states(world, number)).get("mei") for number in numbers] == ["sent", "sent", "digest", "digest"]
    async with world.database.reading() as db:
        due = (await db.scalars(select(Due).where(Due.job == "notices.digest"))).one()
    assert due.at == datetime(2026, 11, 29, 2, 0, tzinfo=UTC)
    await world.passes(days=6)
    digest = world.channel.delivered["mei"][-1]
    assert "第2" in digest.text
    assert "第3" in digest.text
    assert [row[0].press for row in digest.buttons] == [f"nread.{numbers[3]}", f"nread.{numbers[2]}"]
    assert "第3" not in world.channel.delivered["li"][-1].text
    assert {(await states(world, number))["mei"] for number in numbers} == {"sent"}
    # The digest itself is not counted: the new week is free again.
    await world.passes(days=1)
    fresh = await announces(world, "新")
    await world.passes(seconds=1)
    assert (await states(world, fresh))["mei"] == "sent"


@one_kind
async def test_a_rest_holds_everything_but_answers_and_counts_no_try(world: World) -> None:
    for n in range(20):
        await joins(world, f"u{n}")
    number = await announces(world, "有雪")
    world.channel.fails_with = [Throttled("429", retry_in=timedelta(seconds=40))]
    await world.passes(seconds=1)
    async with world.database.reading() as db:
        pause = (await db.scalars(select(Pause))).one()
    assert pause.until == world.now + timedelta(seconds=40)
    left = [row for row in (await rows(world, number)).values() if row.state == "queued"]
    assert [(row.tries, row.due) for row in left] == [(0, pause.until)]
    await world.passes(seconds=41)
    assert set((await states(world, number)).values()) == {"sent"}


@one_kind
async def test_a_storm_of_errors_pauses_it_and_says_why(world: World) -> None:
    for n in range(150):
        await joins(world, f"u{n}")
    number = await announces(world, "有雪")
    world.channel.fails_with = [Unreachable("blocked")] * 50 + [Undelivered("chat is odd")] * 40
    await world.passes(seconds=1)
    found = list((await states(world, number)).values())
    assert (found.count("stopped"), found.count("failed"), found.count("sent")) == (50, 40, 60)
    again = await announces(world, "又有雪")
    world.channel.fails_with = [Undelivered("chat is odd")] * 41
    await world.passes(seconds=2)
    paused = await broadcast(world, again)
    assert paused.state == "paused"
    assert paused.pause_reason == "最近 200 条里有 41 条失败：chat is odd"


async def test_a_storm_is_seen_over_all_workers_and_staff_begin_anew(world: World) -> None:
    for n in range(200):
        await joins(world, f"u{n}")
    boss = await member(world, "approver")
    number = await announces(world, "有雪")
    await world.keep_clock()
    workers = [world.new_courier() for _n in range(3)]
    world.channel.fails_with = [Undelivered("chat is odd")] * 48
    for turn, worker in enumerate(workers):
        for row in await some_rows(world, number, 16):
            letter = Letter(row.id, row.contact_id, Address("platform", "x"), "bulk", 2, 0, {}, number)
            await worker._send(letter, Outgoing("有雪"), ())
        assert (await broadcast(world, number)).state == ("sending" if turn < 2 else "paused")
    await world.settle()
    [told] = world.channel.delivered["boss"]
    assert "最近 200 条里有 41 条失败：chat is odd" in told.text
    assert [button.press for row in told.buttons for button in row] == [f"bcdo.{number}.resume", f"bc.{number}"]
    world.now += timedelta(seconds=1)
    async with world.database.writing() as db:
        await steering.resume(db, boss, number, now=world.now)
    world.now += timedelta(seconds=1)
    world.channel.fails_with = [Undelivered("chat is odd")] * 30
    await world.settle()
    ended = await broadcast(world, number)
    assert (ended.state, len(world.channel.delivered) - 1) == ("finished", 200 - 48 - 30)


@one_kind
async def test_what_fails_again_and_again_is_a_storm_before_it_is_given_up(world: World) -> None:
    for n in range(60):
        await joins(world, f"u{n}")
    number = await announces(world, "有雪")
    await world.keep_clock()
    tries = 0
    while (await broadcast(world, number)).state == "sending":
        tries += 1
        world.channel.fails_with = [Undelivered("HTTP 502", retry_in=timedelta(seconds=1))] * 60
        await world.settle()
        world.now += timedelta(seconds=60)
    assert tries == 4
    assert "HTTP 502" in (await broadcast(world, number)).pause_reason


async def some_rows(world: World, number: int, count: int) -> list[Outbound]:
    async with world.database.reading() as db:
        query = select(Outbound).where(Outbound.broadcast_id == number, Outbound.state == "queued")
        return list(await db.scalars(query.order_by(Outbound.id).limit(count)))


async def member(world: World, role: str) -> Member:
    """Somebody of the staff with a chat."""
    async with world.database.writing() as db:
        row = StaffMember(login="boss", password_hash="", role=role, created_at=world.now)
        db.add(row)
        await db.flush()
        rider = Rider(created_at=world.now)
        db.add(rider)
        await db.flush()
        contact = Contact(rider.id, world.channel.name, "boss", "en", world.now)
        db.add(contact)
        await db.flush()
        db.add(StaffChat(contact.id, staff_id=row.id, linked_at=world.now))
        return await authority.member(db, row.id)


@one_kind
async def test_a_restored_database_sends_no_bulk_until_somebody_says_so(world: World) -> None:
    await joins(world, "mei")
    number = await announces(world, "有雪")
    await world.keep_clock()
    async with world.database.writing() as db:
        db.add(Pause(restored.EVERYWHERE, until=world.now + timedelta(days=9999), reason="restored?"))
    await world.settle()
    assert await states(world, number) == {"mei": "queued"}
    async with world.database.writing() as db:
        assert await restored.lift(db, now=world.now)
    await world.settle()
    assert await states(world, number) == {"mei": "sent"}


class TestWithoutButtons:
    @pytest.fixture(params=["letters"])
    def channel(self, request: pytest.FixtureRequest) -> PretendChannel:
        return PretendChannel("letters", Capabilities(buttons=False, text_limit=600))

    async def test_a_digit_answers_the_buttons_of_a_notice(self, world: World) -> None:
        await joins(world, "mei", locale="en")
        await announces(world, "点名", buttons=[{"kind": "received"}, {"kind": "help"}])
        await world.passes(seconds=1)
        [message] = world.channel.delivered["mei"]
        assert message.buttons == ()
        assert "\n1 " in message.text
        async with world.database.reading() as db:
            [kept] = await db.scalars(select(Choices.tokens))
        assert kept[0].startswith("notice.")
        assert kept[-1] == "mute.winter_safety"
        await world.rider("mei").says(str(len(kept)))
        later = await announces(world, "又一次")
        await world.passes(minutes=1)
        assert await states(world, later) == {}


async def test_only_one_row_waits_for_a_person_on_two_channels(world: World) -> None:
    await joins(world, "mei", channels=("letters", "platform", "elsewhere"))
    number = await announces(world, "有雪")
    await world.passes(seconds=1)
    assert await states(world, number) == {"mei": "sent"}
    async with world.database.reading() as db:
        assert list(await db.scalars(select(Outbound.channel))) == ["platform"]
