"""Old rows of the outbox: let go once nothing needs them any more, by night and some at a time.

`/notices` shows thirty days, keys of messages count for three, and a correction goes to those who got what still holds.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import rows_changed
from bot.models import Broadcast, Notice, Outbound
from bot.schedule import later
from bot.services import audit
from bot.services.broadcasts import report

JOB = "outbox.prune"
KEPT_FOR = timedelta(days=60)
# Row numbers looked at in one step, each a transaction of its own.
_WINDOW = 2_000
# What has not ended stays, however old: it may still be said.
_OPEN = ("queued", "waiting", "digest")
_ENDED = ("finished", "cancelled", "withdrawn")


async def prune(db: AsyncSession, now: datetime, *, after: int = 0, last: int | None = None) -> None:
    """Delete what is old among the next rows, and make the following ones due up to row `last`.

    The figures of a broadcast are kept in the audit before its first row goes.
    """
    if last is None:
        last = await db.scalar(select(func.max(Outbound.id))) or 0
    first = await db.scalar(select(func.min(Outbound.id)).where(Outbound.id > after))
    if first is None or first > last:
        return
    window = (Outbound.id >= first, Outbound.id < first + _WINDOW)
    if not await db.scalar(select(Outbound.id).where(*window, Outbound.at < now - KEPT_FOR).limit(1)):
        # Rows are numbered in the order in which they were put: behind these all are newer.
        return
    broadcasts = select(Outbound.broadcast_id).where(*window, Outbound.broadcast_id.is_not(None)).distinct()
    over = await _over(db, list(await db.scalars(broadcasts)), now)
    for number in over:
        await _keep_figures(db, number, now)
    old = (Outbound.state.not_in(_OPEN), func.coalesce(Outbound.sent_at, Outbound.due) < now - KEPT_FOR)
    whose = or_(Outbound.broadcast_id.is_(None), Outbound.broadcast_id.in_(over))
    gone = delete(Outbound).where(*window, *old, whose).execution_options(synchronize_session=False)
    await rows_changed(db, gone)
    following = first + _WINDOW - 1
    await later(db, now, JOB, key=f"{JOB}:{following}", after=following, last=last)


async def _over(db: AsyncSession, numbers: Collection[int], now: datetime) -> list[int]:
    """Those broadcasts that ended long ago and whose notice does not hold any more."""
    holds_no_more: ColumnElement[bool] = or_(Notice.valid_until.is_(None), Notice.valid_until <= now)
    query = (
        select(Broadcast.id)
        .join(Notice, Notice.id == Broadcast.notice_id)
        .where(Broadcast.id.in_(numbers), Broadcast.state.in_(_ENDED), Broadcast.finished_at < now - KEPT_FOR)
        .where(holds_no_more)
        .order_by(Broadcast.id)
    )
    return list(await db.scalars(query))


async def _keep_figures(db: AsyncSession, number: int, now: datetime) -> None:
    """Note what became of a broadcast's recipients, once, so that its report says the same for ever."""
    if await report.kept(db, [number]):
        return
    counted = await report.counted(db, [number])
    figures = {"states": counted[number].states, "failures": counted[number].failures}
    await audit.record(db, None, report.PRUNED, f"broadcast:{number}", now=now, after=figures)
