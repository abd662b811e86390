"""Error storms: whether too much of what a broadcast sent last has failed, by the rows of all processes."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Select, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from bot.delivery.letters import Outcome
from bot.models import AuditEntry, Outbound

# A broadcast is paused when more than a part of its last so many outcomes were failures.
OF = 200
MOST = OF // 5
# A platform that is away for some seconds is waited for; what fails so often counts, though it is tried again.
_TRIED = 4
_RETRIES_LOOKED_AT = 5 * OF
# What staff do after a storm lets them begin anew.
_ANEW = ("broadcast.resume", "broadcast.retry_failed")


def counts(outcome: Outcome) -> bool:
    """Whether an outcome is a failure that speaks for a storm: who blocked us, and a throttle, does not."""
    return outcome.result == "failed" or (outcome.result == "retried" and outcome.tries >= _TRIED)


async def failures(db: AsyncSession, broadcast_id: int, channels: Collection[str], now: datetime) -> int | None:
    """How many of the last OF outcomes were failures, if these are too many; else None.

    It reads some hundred entries of an index, however many recipients there are: to be asked when something failed.
    """
    mine = (Outbound.broadcast_id == broadcast_id, Outbound.channel.in_(channels))
    # A row that is done has been due since it was.
    ended = select(Outbound.due).where(*mine, Outbound.state == "failed").order_by(Outbound.due.desc()).limit(OF)
    retried = await db.execute(_to_be_tried_again(broadcast_id, channels, now))
    times: list[datetime] = [
        *await db.scalars(ended),
        *(at for at, tries in retried if at is not None and tries >= _TRIED),
    ]
    if len(times) > MOST and (since := await _began_anew(db, broadcast_id)):
        times = [at for at in times if at > since]
    if len(times) <= MOST:
        return None
    times.sort(reverse=True)
    went_out = select(Outbound.id).where(*mine, Outbound.state == "sent", Outbound.due >= times[MOST])
    between = select(func.count()).select_from(went_out.limit(OF).subquery())
    sent: int = await db.scalar(between) or 0
    if MOST + 1 + sent > OF:
        return None
    return sum(at >= times[MOST] for at in times)


def _to_be_tried_again(broadcast_id: int, channels: Collection[str], now: datetime) -> Select[datetime | None, int]:
    """When the rows that wait for another try were tried, and how often; channel by channel, as the index has them."""
    waiting = (Outbound.broadcast_id == broadcast_id, Outbound.state == "queued", Outbound.due > now)
    each = [
        select(Outbound.tried_at, Outbound.tries)
        .where(*waiting, Outbound.channel == channel)
        .order_by(Outbound.due)
        .limit(_RETRIES_LOOKED_AT)
        .subquery()
        for channel in channels
    ]
    every = union_all(*(select(some) for some in each)).subquery()
    return select(every.c.tried_at, every.c.tries)


async def _began_anew(db: AsyncSession, broadcast_id: int) -> datetime | None:
    """When staff last let the broadcast go on."""
    did = (AuditEntry.subject == f"broadcast:{broadcast_id}", AuditEntry.action.in_(_ANEW))
    at: datetime | None = await db.scalar(select(func.max(AuditEntry.at)).where(*did))
    return at
