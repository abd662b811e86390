"""What staff see of messages on their way: how many wait, and what failed last. No message is shown."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import Outbound


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many messages of a lane and channel are in a state; `oldest` is when the first of them was due."""

    channel: str
    lane: str
    state: str
    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that failed for good."""

    channel: str
    lane: str
    error: str
    at: datetime


async def queue(db: AsyncSession, *, now: datetime) -> list[Waiting]:
    """What is queued and due, and what waits for people to come back."""
    query = (
        select(Outbound.channel, Outbound.lane, Outbound.state, func.count(), func.min(Outbound.at))
        .where(Outbound.state.in_(("queued", "waiting", "digest")))
        .group_by(Outbound.channel, Outbound.lane, Outbound.state)
        .order_by(Outbound.channel, Outbound.lane)
    )
    return [Waiting(*row) for row in await db.execute(query)]


async def last_failures(db: AsyncSession, *, limit: int) -> list[Failure]:
    """The newest failures."""
    query = select(Outbound.channel, Outbound.lane, Outbound.error, func.coalesce(Outbound.tried_at, Outbound.at))
    rows = await db.execute(query.where(Outbound.state == "failed").order_by(Outbound.id.desc()).limit(limit))
    return [Failure(*row) for row in rows]
