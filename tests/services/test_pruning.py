"""Old rows of the outbox go by night; what somebody may still need stays, and so do the figures."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from bot.models import Broadcast, Contact, Due, Notice, Outbound
from bot.schedule import Jobs, Ticker
from bot.services import duties, figures, pruning
from bot.services.broadcasts import mailbox
from bot.services.broadcasts.report import report
from tests.services.clinic import DESK
from tests.services.newsdesk import Newsdesk

STATES = ("sent", "failed", "stopped", "muted", "expired", "cancelled", "queued", "waiting", "digest")


async def nights(desk: Newsdesk) -> None:
    """The night job and all that comes of it."""
    jobs = Jobs()
    duties.register(jobs, DESK)
    async with desk.database.writing() as db:
        await duties.plan_night(db, now=desk.clinic.now, desk=DESK)
        await db.execute(update(Due).values(at=desk.clinic.now))
    await Ticker(desk.database, jobs, lambda: desk.clinic.now).tick()


async def letters(desk: Newsdesk, *states: str) -> None:
    """Rows of the outbox that belong to no broadcast, put and ended now."""
    rider = await desk.clinic.rider()
    async with desk.database.writing() as db:
        contact = (await db.scalars(select(Contact).where(Contact.rider_id == rider))).one()
        for n, state in enumerate(states):
            key, at = f"{rider}:{n}", desk.clinic.now
            sent_at = at if state == "sent" else None
            row = Outbound(contact.id, contact.channel, "personal", key, {}, at=at, due=at, state=state)
            row.sent_at = sent_at
            db.add(row)


async def left(desk: Newsdesk) -> list[str]:
    async with desk.database.reading() as db:
        return list(await db.scalars(select(Outbound.state).order_by(Outbound.id)))


async def ends(desk: Newsdesk, number: int) -> None:
    async with desk.database.writing() as db:
        over = update(Broadcast).where(Broadcast.id == number)
        await db.execute(over.values(state="finished", finished_at=desk.clinic.now))


async def test_what_ended_long_ago_goes_and_what_may_still_be_said_stays(
    desk: Newsdesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "_WINDOW", 4)
    await letters(desk, *STATES)
    await nights(desk)
    assert await left(desk) == list(STATES)
    desk.clinic.passes(days=59)
    await letters(desk, "sent")
    await nights(desk)
    assert len(await left(desk)) == len(STATES) + 1
    desk.clinic.passes(days=2)
    await nights(desk)
    assert await left(desk) == ["queued", "waiting", "digest", "sent"]
    await nights(desk)
    assert len(await left(desk)) == 4


async def test_a_broadcast_keeps_its_figures(desk: Newsdesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "_WINDOW", 3)
    author, approver = await desk.people()
    states = ["sent", "sent", "failed", "stopped", "muted", "expired", "sent"]
    riders = {await desk.rider(): state for state in states}
    number = await desk.sending(author, approver, riders)
    await ends(desk, number)
    async with desk.database.reading() as db:
        before = await report(db, number)
        reached = await figures.reach_of_notices(db)
        assert len(await mailbox.recent(db, next(iter(riders)), now=desk.clinic.now)) == 1
    desk.clinic.passes(days=61)
    await nights(desk)
    assert await left(desk) == []
    async with desk.database.reading() as db:
        assert await report(db, number) == before
        assert await figures.reach_of_notices(db) == reached
    assert (before.sent, before.failed, before.failures) == (3, 1, {"HTTP 400": 1})


async def test_what_can_still_be_put_right_stays(desk: Newsdesk) -> None:
    author, approver = await desk.people()
    now = desk.clinic.now
    rider = await desk.rider()
    going_on = await desk.sending(author, approver, {rider: "sent"})
    winter = await desk.sending(author, approver, {rider: "sent"}, valid_until=now + timedelta(days=100))
    await ends(desk, winter)
    desk.clinic.passes(days=61)
    await nights(desk)
    assert await left(desk) == ["sent", "sent"]
    await ends(desk, going_on)
    desk.clinic.passes(days=61)
    await nights(desk)
    assert await left(desk) == []
    async with desk.database.reading() as db:
        assert await db.scalar(select(func.count(Notice.id))) == 2, "the words stay"
