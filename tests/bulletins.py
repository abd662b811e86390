"""Notices in a world in which people chat: who agreed to them, what is told, and what came of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import select

from bot.models import Broadcast, Contact, MutedTopic, Notice, NoticeWish, Outbound, Rider
from bot.services.broadcasts.audience import Audience
from tests.chat import World

EVERYBODY = Audience()


async def joins(
    world: World,
    user: str,
    *,
    vehicle: str = "",
    locale: str = "zh_CN",
    weekly: int = 5,
    quiet: tuple[int | None, int | None] = (None, None),
    mutes: str = "",
    channels: tuple[str, ...] = (),
) -> int:
    """Somebody who agreed to notices, on the world's channel or on others; returns the number of the rider."""
    async with world.database.writing() as db:
        rider = Rider(created_at=world.now, vehicle=vehicle)
        db.add(rider)
        await db.flush()
        for channel in channels or (world.channel.name,):
            db.add(Contact(rider.id, channel, user, locale, world.now))
        db.add(NoticeWish(rider.id, world.now, quiet_from=quiet[0], quiet_to=quiet[1], weekly=weekly))
        if mutes:
            db.add(MutedTopic(rider.id, mutes))
        return rider.id


async def announces(
    world: World,
    title: str,
    *,
    audience: Audience = EVERYBODY,
    starts_at: datetime | None = None,
    body: str = "全文",
    **notice: Any,
) -> int:
    """An approved broadcast, which begins when the clock is kept next; returns its number."""
    texts = {"zh_CN": {"title": title, "body": body}, "en": {"title": f"{title} (en)", "body": body}}
    values: dict[str, Any] = {"code": f"test-{title}", "category": "winter_safety"} | notice
    async with world.database.writing() as db:
        words = Notice(texts=texts, created_at=world.now, **values)
        db.add(words)
        await db.flush()
        broadcast = Broadcast(
            words.id,
            created_at=world.now,
            state="approved",
            audience=audience.to_json(),
            starts_at=starts_at,
            approved_at=world.now,
        )
        db.add(broadcast)
        await db.flush()
        return broadcast.id


async def broadcast(world: World, number: int) -> Broadcast:
    async with world.database.reading() as db:
        return (await db.scalars(select(Broadcast).where(Broadcast.id == number))).one()


async def rows(world: World, number: int) -> dict[str, Outbound]:
    """The recipients of a broadcast, by user."""
    query = select(Contact.user, Outbound).join(Contact, Contact.id == Outbound.contact_id)
    async with world.database.reading() as db:
        found = await db.execute(query.where(Outbound.broadcast_id == number).order_by(Outbound.id))
        return {user: row for user, row in found}


async def states(world: World, number: int) -> dict[str, str]:
    return {user: row.state for user, row in (await rows(world, number)).items()}


def titles(world: World, user: str) -> list[str]:
    """The first lines of everything that this person was told, without the mark of its urgency."""
    said = world.channel.delivered.get(user, [])
    return [message.text.splitlines()[0].rpartition(": ")[2].rpartition("：")[2] for message in said]
