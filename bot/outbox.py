"""Saying something is writing it down here, in the caller's transaction."""

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.messages import Button, Outgoing, Place
from bot.models import Outbound

# Lanes in the order in which they are sent when several wait.
LANES = ("answer", "personal", "bulk")
# How long a claimed row belongs to the process that claimed it.
LEASE = timedelta(seconds=60)


def put(
    db: AsyncSession,
    contact_id: int,
    channel: str,
    message: Outgoing,
    *,
    lane: str,
    key: str,
    at: datetime,
    leased: bool = False,
) -> Outbound:
    """Queue `message` for a contact, to go out `at`; `key` is unique, so nothing is queued twice.

    A row that is put `leased` belongs to the caller's process, which sends it right after the commit.
    """
    row = Outbound(
        contact_id=contact_id,
        channel=channel,
        lane=lane,
        key=key,
        message=plain(message),
        at=at,
        due=at + LEASE if leased else at,
    )
    db.add(row)
    return row


def plain(message: Outgoing) -> dict[str, Any]:
    """A message as JSON, without what it leaves at its default."""
    kept = asdict(message)
    return {name: value for name, value in kept.items() if value}


def worded(kept: dict[str, Any]) -> Outgoing:
    """The message that `plain` kept."""
    return Outgoing(
        text=kept.get("text", ""),
        buttons=tuple(tuple(Button(**button) for button in row) for row in kept.get("buttons", ())),
        places=tuple(Place(**place) for place in kept.get("places", ())),
        card=kept.get("card", False),
        photo=kept.get("photo", ""),
    )


async def queue_ages(db: AsyncSession, now: datetime, channels: Collection[str]) -> dict[str, tuple[int, float]]:
    """For each lane: how many messages are queued, and for how many seconds the oldest due one has waited.

    `channels` are those that can push: what waits for a person to come back is not late.
    """
    waiting = (
        select(Outbound.lane, func.count(), func.min(Outbound.due))
        .where(Outbound.state == "queued", Outbound.channel.in_(channels))
        .group_by(Outbound.lane)
    )
    found = {lane: (count, oldest) for lane, count, oldest in await db.execute(waiting)}
    ages = {}
    for lane in LANES:
        count, oldest = found.get(lane, (0, now))
        ages[lane] = (count, max(0.0, (now - oldest).total_seconds()))
    return ages
