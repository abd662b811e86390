"""What riders do with notices: agree, read, answer, switch off."""

import pytest
from sqlalchemy import select, update

from bot.models import Broadcast, HelpCall, Notice, NoticeResponse, Rider
from bot.services import linking, staff
from bot.services.broadcasts import composing
from bot.services.broadcasts.audience import Audience
from tests.chat import DESK, RiderInTest, World

TEXTS = {
    "zh_CN": {"title": "路面结冰", "body": "慢行，轻刹。"},
    "en": {"title": "Icy roads", "body": "Slow down, brake gently."},
}


async def told(world: World, **notice: object) -> int:
    """Announce a notice to everybody and deliver it; returns the number of its broadcast."""
    values = {"category": "winter_safety", "texts": TEXTS, "source": "test", "reviewed_version": 1} | notice
    async with world.database.writing() as db:
        row = Notice(code=f"n{next(world.keys)}", created_at=world.now, **values)  # type: ignore[arg-type]
        db.add(row)
        await db.flush()
        broadcast_id = await composing.announce(
            db, row.id, Audience(), starts_at=None, author_id=None, approver_id=None, now=world.now
        )
    assert broadcast_id is not None
    await world.passes(seconds=1)
    return broadcast_id


async def agrees(rider: RiderInTest) -> None:
    await rider.says("/notices")
    rider.sees("Shall I tell you")
    await rider.taps("Yes, tell me")
    rider.sees("Switched on")


async def test_nothing_comes_before_one_tap_of_consent(world: World, rider: RiderInTest) -> None:
    await rider.says("/start")
    rider.catches_up()
    await told(world)
    rider.sees()
    await agrees(rider)
    await told(world)
    rider.sees("Icy roads", "Slow down", "To stop this kind: TD")
    await rider.says("通知")
    rider.sees("Notices of the last thirty days")
    await rider.taps("Icy roads")
    rider.sees("brake gently")


async def test_td_stops_this_kind_and_td_all_stops_everything(world: World, rider: RiderInTest) -> None:
    await agrees(rider)
    await told(world)
    rider.catches_up()
    await rider.says("/book")
    await rider.says("TD")
    rider.sees("Done: no more about “Winter safety”")
    await told(world)
    rider.catches_up()
    await told(world, category="policy")
    rider.sees("Icy roads")
    await told(world, urgency="red")
    rider.sees("Icy roads")
    await rider.says("TD 全部")
    rider.sees("red alerts included")
    await told(world, urgency="red")
    rider.sees()
    await rider.taps("Tell me again")
    await told(world, urgency="red")
    rider.sees("Icy roads")


async def test_settings_by_buttons(world: World, rider: RiderInTest) -> None:
    await agrees(rider)
    await rider.says("/settings")
    await rider.taps("Notices")
    rider.sees("22:00-07:00", "At most 5 a week")
    await rider.taps("Quiet hours")
    await rider.taps("08:00-16:00")
    rider.sees("Quiet hours: 08:00-16:00")
    await rider.taps("How many a week")
    await rider.taps("10")
    rider.sees("At most 10 a week")
    await rider.taps("Policies")
    rider.sees_choices("○ Policies")
    rider.catches_up()
    await told(world, category="policy")
    rider.sees()


async def test_a_roll_call_counts_the_safe_and_names_who_needs_help(world: World, rider: RiderInTest) -> None:
    boss = world.rider("boss")
    async with world.database.writing() as db:
        await staff.add(db, "wang", "operator", password_hash="x", now=world.now)
        code = await linking.issue_for_staff(db, "wang", now=world.now, desk=DESK)
    await boss.says(f"/staff {code}")
    boss.catches_up()
    await agrees(rider)
    other = world.rider("other")
    await agrees(other)
    kinds = [{"kind": kind, "target": "", "label": ""} for kind in ("received", "help")]
    broadcast_id = await told(world, urgency="red", buttons=kinds)
    for one in (other, rider):
        one.seen = len(one.inbox) - 1
        one.looks_at_the_phone()
    await other.taps("Received")
    other.sees("noted")
    await rider.taps("I need help")
    rider.sees("120")
    await rider.says("车坏在209国道, 13800000000")
    await rider.shares(35.02, 110.99)
    rider.sees("The staff have your call now")
    boss.looks_at_the_phone()
    boss.sees("asks for help", "车坏在209国道", "35.02000,110.99000")
    away = world.rider("away")
    async with world.database.writing() as db:
        await db.execute(update(Rider).values(county="140881"))
        await staff.add(db, "li", "county", counties=("140802",), password_hash="x", now=world.now)
        code = await linking.issue_for_staff(db, "li", now=world.now, desk=DESK)
    await away.says(f"/staff {code}")
    away.catches_up()
    await away.presses("helpdone.1")
    away.sees("from an earlier list")
    await boss.taps("I take care of it")
    boss.sees("Yours")
    await boss.presses("helpdone.1")
    boss.sees("taken it already")
    await boss.presses("helpdone.7")
    boss.sees("from an earlier list")
    async with world.database.reading() as db:
        replies = sorted(await db.scalars(select(NoticeResponse.reply)))
        call = (await db.scalars(select(HelpCall))).one()
        state = await db.scalar(select(Broadcast.state).where(Broadcast.id == broadcast_id))
    assert replies == ["help", "received"]
    assert b"209" not in (call.note or b"")
    assert call.handled_at is not None
    assert state in ("sending", "finished")


async def test_nobody_answers_a_notice_that_was_not_theirs(world: World, rider: RiderInTest) -> None:
    await agrees(rider)
    broadcast_id = await told(world, buttons=[{"kind": "received", "target": "", "label": ""}])
    stranger = world.rider("stranger")
    await stranger.says("/start")
    for token in (f"notice.{broadcast_id}.0", "notice.0.0", f"notice.{broadcast_id}.7", "nread.999", "notice.x.y"):
        await stranger.presses(token)
        stranger.sees("from an earlier list")


@pytest.mark.parametrize("words", ["TD", "退订", "td 全部"])
async def test_stopping_works_before_anything_was_agreed(world: World, rider: RiderInTest, words: str) -> None:
    await rider.says(words)
    rider.sees("no more notices")
