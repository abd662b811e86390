"""Broadcasts that begin, find their recipients while they go out, and end."""

from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, String, case, cast, exists, func, literal, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Database, insert, rows_changed
from bot.i18n import DEFAULT_LOCALE, _
from bot.models import Broadcast, Notice, Outbound, Rider
from bot.services import audit
from bot.services.broadcasts import editors, states
from bot.services.broadcasts.audience import Audience, Reach, best_contacts, concerned
from bot.services.broadcasts.newsroom import Newsroom
from bot.services.notices import RANKS

log = structlog.get_logger(__name__)

SLICE = 2_000
# What begins no later than this after its time is on time.
GRACE = timedelta(minutes=10)
_EXPIRED_AT_ONCE = 5_000
_READY = ("approved", "scheduled")
_UNSENT = ("queued", "waiting", "digest")
_IS_OVER = (
    Broadcast.state == "sending",
    Broadcast.resolved_at.is_not(None),
    ~exists().where(Outbound.broadcast_id == Broadcast.id, Outbound.state == "queued"),
)
_ANY_OVER = select(Broadcast.id).where(*_IS_OVER).limit(1)


async def begin_due(database: Database, now: datetime, newsroom: Newsroom) -> int:
    """Begin every approved broadcast whose time has come; returns how many were looked at.

    One that is late because nobody worked is sent, left out or put before the staff, as its notice says. Each is a
    transaction of its own, and one statement on the state that it comes from: two processes begin it once.
    """
    async with database.reading() as db:
        due = select(Broadcast.id).where(Broadcast.state.in_(_READY))
        due = due.where(or_(Broadcast.starts_at.is_(None), Broadcast.starts_at <= now))
        ids = list(await db.scalars(due.order_by(Broadcast.id).limit(100)))
    for broadcast_id in ids:
        async with database.writing() as db:
            await _begin(db, broadcast_id, now, newsroom)
    return len(ids)


async def resolve(database: Database, reach: Reach, now: datetime, *, slice: int = SLICE) -> int:
    """Look at the next riders of each broadcast that is being sent; returns for how many there is a row now.

    A slice is one statement in the database and one transaction, with the place where the next one goes on.
    """
    async with database.reading() as db:
        unresolved = select(Broadcast.id).where(Broadcast.state == "sending", Broadcast.resolved_at.is_(None))
        ids = list(await db.scalars(unresolved.order_by(Broadcast.id)))
    found = 0
    for broadcast_id in ids:
        async with database.writing() as db:
            found += await _resolve_some(db, broadcast_id, reach, now, slice)
    return found


async def enlist(db: AsyncSession, rider_id: int, reach: Reach, now: datetime) -> int:
    """Let somebody who agrees to notices now have what is being sent at this moment; returns how many."""
    # The lock keeps a broadcast from being finished before the new row is there.
    sending = (
        select(Broadcast, Notice.category, Notice.urgency)
        .join(Notice, Notice.id == Broadcast.notice_id)
        .where(Broadcast.state == "sending", or_(Notice.valid_until.is_(None), Notice.valid_until > now))
        .with_for_update(of=Broadcast, read=True)
    )
    enlisted = 0
    for broadcast, category, urgency in (await db.execute(sending)).all():
        enlisted += await _put(db, broadcast, category, urgency, reach, now, Rider.id == rider_id)
    return enlisted


async def finish(database: Database, now: datetime) -> int:
    """End the broadcasts of which nothing is left to send; what waits for a contact or the digest goes on waiting."""
    async with database.reading() as db:
        if not await db.scalar(_ANY_OVER):
            return 0
    async with database.writing() as db:
        ended = update(Broadcast).where(*_IS_OVER).values(state="finished", finished_at=now)
        return await rows_changed(db, ended.execution_options(synchronize_session=False))


async def expire(database: Database, now: datetime) -> int:
    """Let go of rows whose notice does not hold any more, some at a time; returns how many."""
    gone = (
        select(Outbound.id)
        .join(Broadcast, Broadcast.id == Outbound.broadcast_id)
        .join(Notice, Notice.id == Broadcast.notice_id)
        .where(Notice.valid_until <= now, Outbound.state.in_(_UNSENT))
        .limit(_EXPIRED_AT_ONCE)
    )
    async with database.reading() as db:
        if not await db.scalar(gone.limit(1)):
            return 0
    async with database.writing() as db:
        rows = update(Outbound).where(Outbound.id.in_(gone.with_for_update(of=Outbound, skip_locked=True)))
        return await rows_changed(db, rows.values(state="expired").execution_options(synchronize_session=False))


async def _begin(db: AsyncSession, broadcast_id: int, now: datetime, newsroom: Newsroom) -> None:
    broadcast, notice = await states.found(db, broadcast_id)
    late, valid_until = notice.late, notice.valid_until
    planned = max(broadcast.starts_at or now, broadcast.approved_at or now)
    is_late = now - planned > GRACE
    word, too_late = newsroom.voice(DEFAULT_LOCALE).word, _("too late: it was planned for {planned}", planned=planned)
    values: dict[str, Any] = {"state": "sending", "began_at": now}
    if valid_until is not None and valid_until <= now:
        values = {"state": "cancelled", "finished_at": now, "pause_reason": word(_("out of date before it began"))}
    elif is_late and late == "skip":
        values = {"state": "cancelled", "finished_at": now, "pause_reason": word(too_late)}
    elif is_late and late == "ask":
        values |= {"state": "paused", "pause_reason": word(too_late)}
    unchanged = (Broadcast.id == broadcast_id, Broadcast.state.in_(_READY))
    if await rows_changed(db, update(Broadcast).where(*unchanged).values(values)):
        reason = {"reason": values["pause_reason"]} if "pause_reason" in values else {}
        after = {"state": values["state"], **reason}
        await audit.record(db, None, "broadcast.begin", f"broadcast:{broadcast_id}", now=now, after=after)
        log.info("broadcast begins", broadcast=broadcast_id, **after)
        if values["state"] == "paused":
            why = values["pause_reason"]
            await editors.tell_of_halt(db, broadcast, notice, why, newsroom=newsroom, now=now)


async def _resolve_some(db: AsyncSession, broadcast_id: int, reach: Reach, now: datetime, slice: int) -> int:
    mine = (
        select(Broadcast, Notice.category, Notice.urgency)
        .join(Notice, Notice.id == Broadcast.notice_id)
        .where(Broadcast.id == broadcast_id, Broadcast.state == "sending", Broadcast.resolved_at.is_(None))
        .with_for_update(of=Broadcast, skip_locked=True)
    )
    row = (await db.execute(mine)).one_or_none()
    if row is None:
        return 0
    broadcast, category, urgency = row
    riders = concerned(Audience.from_json(broadcast.audience), category=category, urgency=urgency)
    next_ones = riders.where(Rider.id > broadcast.resolved_to).order_by(Rider.id).limit(slice).subquery()
    last = await db.scalar(select(func.max(next_ones.c.id)))
    if last is None:
        broadcast.resolved_at = now
        return 0
    within = (Rider.id > broadcast.resolved_to, Rider.id <= last)
    broadcast.resolved_to = last
    return await _put(db, broadcast, category, urgency, reach, now, *within)


async def _put(
    db: AsyncSession,
    broadcast: Broadcast,
    category: str,
    urgency: str,
    reach: Reach,
    now: datetime,
    *within: ColumnElement[bool],
) -> int:
    """One row for each rider `within` whom the broadcast concerns; who has one already gets no other."""
    riders = concerned(Audience.from_json(broadcast.audience), category=category, urgency=urgency).where(*within)
    best = best_contacts(riders, reach, now).subquery().c
    columns = {
        "contact_id": best.contact_id,
        "channel": best.channel,
        "lane": literal("bulk"),
        "key": literal(f"b{broadcast.id}:") + cast(best.rider_id, String),
        "message": literal({}, Outbound.message.type),
        "at": literal(now, Outbound.at.type),
        "due": literal(now, Outbound.due.type),
        "rank": literal(RANKS[urgency]),
        "broadcast_id": literal(broadcast.id),
        "state": case((best.pushes == 1, "queued"), else_="waiting"),
        "tries": literal(0),
        "error": literal(""),
        "provider_id": literal(""),
    }
    # SQLite tells ON CONFLICT from a join's ON only after a WHERE.
    chosen = select(*columns.values()).where(true()).order_by(best.rider_id)
    put = insert(db, Outbound).from_select(list(columns), chosen, include_defaults=False)
    return await rows_changed(db, put.on_conflict_do_nothing())
