"""The states of a broadcast: every change is one statement on the state that it comes from."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import rows_changed
from bot.errors import Problem
from bot.i18n import Text, _
from bot.models import Broadcast, Notice
from bot.services.authority import Member, require
from bot.services.broadcasts.audience import Audience

STATES: dict[str, Text] = {
    "draft": _("a draft"),
    "in_review": _("waiting for approval"),
    "approved": _("approved"),
    "scheduled": _("scheduled"),
    "sending": _("being sent"),
    "paused": _("paused"),
    "finished": _("finished"),
    "cancelled": _("cancelled"),
    "withdrawn": _("withdrawn"),
}
# No recipient has been looked for yet.
BEFORE_SENDING = ("draft", "in_review", "approved", "scheduled")
UNDER_WAY = ("sending", "paused")


class NoSuchBroadcast(Problem):
    text = _("There is no such notice any more.")


class Overtaken(Problem):
    text = _("Somebody changed this meanwhile. Please look at it again.")


async def found(db: AsyncSession, broadcast_id: int) -> tuple[Broadcast, Notice]:
    """The broadcast and its notice as they are now; raises NoSuchBroadcast."""
    query = select(Broadcast, Notice).join(Notice, Notice.id == Broadcast.notice_id).where(Broadcast.id == broadcast_id)
    row = (await db.execute(query.execution_options(populate_existing=True))).one_or_none()
    if row is None:
        raise NoSuchBroadcast
    broadcast, notice = row
    return broadcast, notice


async def hold(db: AsyncSession, broadcast_id: int) -> None:
    """Let nobody else change the broadcast until this transaction ends: what is checked of it stays so."""
    await db.execute(select(Broadcast.id).where(Broadcast.id == broadcast_id).with_for_update())


async def move(db: AsyncSession, broadcast_id: int, states: Collection[str], to: str, **values: Any) -> None:
    """Bring the broadcast from one of `states` to another, with other columns; raises Overtaken if it is in none."""
    changed = update(Broadcast).where(Broadcast.id == broadcast_id, Broadcast.state.in_(states))
    if await rows_changed(db, changed.values(state=to, **values)):
        return
    state = await db.scalar(select(Broadcast.state).where(Broadcast.id == broadcast_id))
    if state is None:
        raise NoSuchBroadcast
    raise Overtaken(_("That is not possible now: it is {state}.", state=STATES[state]))


async def allowed(db: AsyncSession, member: Member, action: str, broadcast_id: int) -> tuple[Broadcast, Notice]:
    """The broadcast and its notice, if `member` may do `action` to it; raises NotAllowed, NoSuchBroadcast.

    A correction concerns the counties of what it corrects.
    """
    broadcast, notice = await found(db, broadcast_id)
    require(member, action, counties=await counties_of(db, broadcast))
    return broadcast, notice


async def counties_of(db: AsyncSession, broadcast: Broadcast) -> tuple[str, ...]:
    """The counties that a broadcast concerns, none for the whole city; a correction those of what it corrects."""
    first = broadcast
    while first.corrects_id is not None:
        first, _notice = await found(db, first.corrects_id)
    return Audience.from_json(first.audience).counties
