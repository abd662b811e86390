"""A broadcast that goes out is paused, goes on, is cancelled, withdrawn or corrected; what failed is tried again.

A change of state takes hold with the transaction; what is left to do to many rows goes on in slices behind it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import rows_changed
from bot.errors import Problem
from bot.i18n import Text, _
from bot.models import Broadcast, Outbound
from bot.services import audit
from bot.services.authority import Member, may
from bot.services.broadcasts import clearing, corrections, states
from bot.services.broadcasts.newsroom import Newsroom
from bot.services.notices import Words

_MOST_REASON = 500


class OutOfDate(Problem):
    text = _("This notice is out of date: nothing more is sent of it.")


async def pause(db: AsyncSession, member: Member | None, broadcast_id: int, reason: str, *, now: datetime) -> None:
    """Hold what is being sent, for `reason`; the program itself does so without a member.

    Raises NotAllowed, Overtaken.
    """
    if member:
        await states.allowed(db, member, "notice.steer", broadcast_id)
    said = _trimmed(reason)
    await states.move(db, broadcast_id, ("sending",), "paused", pause_reason=said)
    await _note(db, member, "pause", broadcast_id, now=now, reason=said)


async def resume(db: AsyncSession, member: Member, broadcast_id: int, *, now: datetime) -> None:
    """Go on with what was paused, from the rows that are not yet sent. Raises NotAllowed, Overtaken."""
    await states.allowed(db, member, "notice.steer", broadcast_id)
    await states.move(db, broadcast_id, ("paused",), "sending", pause_reason="")
    await _note(db, member, "resume", broadcast_id, now=now)


async def cancel(db: AsyncSession, member: Member, broadcast_id: int, *, now: datetime) -> None:
    """End the broadcast before everybody got it. Raises NotAllowed, Overtaken."""
    await states.allowed(db, member, "notice.steer", broadcast_id)
    await states.move(
        db, broadcast_id, (*states.BEFORE_SENDING, *states.UNDER_WAY), "cancelled", finished_at=now, pause_reason=""
    )
    await _note(db, member, "cancel", broadcast_id, now=now)
    await clearing.clear(db, now, broadcast_id=broadcast_id)


async def withdraw(
    db: AsyncSession, member: Member, broadcast_id: int, *, why: str, newsroom: Newsroom, now: datetime
) -> int:
    """Take back what was sent: the old message says so where it can be changed, and who got it is told, at once.

    They are told so in set words; `why` as well if two people stand behind it, as behind all that riders read.

    Returns the number of the broadcast that tells them. Raises NotAllowed, Overtaken.
    """
    broadcast, notice = await states.allowed(db, member, "notice.steer", broadcast_id)
    said = _trimmed(why)
    await states.move(db, broadcast_id, (*states.UNDER_WAY, "finished"), "withdrawn", finished_at=now)
    await _note(db, member, "withdraw", broadcast_id, now=now, why=said)
    await clearing.clear(db, now, broadcast_id=broadcast_id)
    told = said if _explains(member, broadcast) else ""
    telling = await corrections.announce_withdrawal(db, member, broadcast, notice, told, newsroom=newsroom, now=now)
    await corrections.rewrite(db, broadcast_id, None, why=told, newsroom=newsroom, now=now)
    return telling


def asks_why(member: Member, broadcast: Broadcast) -> Text:
    """The question why this member withdraws it, which says who will read the answer."""
    if _explains(member, broadcast):
        return _("Why is it withdrawn? Everybody who got it reads this, and the old message is changed.")
    return _(
        "Why is it withdrawn? Your colleagues read this. Everybody who got it hears that it does not hold any more, "
        "and the old message is changed."
    )


async def correct(
    db: AsyncSession,
    member: Member,
    broadcast_id: int,
    words: Mapping[str, Words],
    *,
    newsroom: Newsroom,
    now: datetime,
) -> int:
    """Stop what was sent and hand in other words for those who got it, to be approved like any others.

    Returns the number of the new broadcast. Once that is approved, the old message is changed to it where it can
    be. Raises NotAllowed, BadNotice, Overtaken.
    """
    broadcast, notice = await states.allowed(db, member, "notice.write", broadcast_id)
    correction = await corrections.hand_in(db, member, broadcast, notice, words, newsroom=newsroom, now=now)
    # What was withdrawn at first sight can still be put right.
    began = (*states.UNDER_WAY, "finished", "withdrawn")
    await states.move(db, broadcast_id, began, "withdrawn", finished_at=now)
    await _note(db, member, "correct", broadcast_id, now=now, by=correction)
    await clearing.clear(db, now, broadcast_id=broadcast_id)
    return correction


async def retry_failed(db: AsyncSession, member: Member, broadcast_id: int, *, now: datetime) -> int:
    """Try again where sending failed for good; returns how many. Raises NotAllowed, Overtaken, OutOfDate."""
    broadcast, notice = await states.allowed(db, member, "notice.steer", broadcast_id)
    if notice.valid_until is not None and notice.valid_until <= now:
        raise OutOfDate
    state = "paused" if broadcast.state == "paused" else "sending"
    await states.move(db, broadcast_id, (*states.UNDER_WAY, "finished"), state, finished_at=None)
    failed = update(Outbound).where(Outbound.broadcast_id == broadcast_id, Outbound.state == "failed")
    count = await rows_changed(db, failed.values(state="queued", tries=0, error="", due=now))
    await _note(db, member, "retry_failed", broadcast_id, now=now, count=count)
    return count


def _explains(member: Member, broadcast: Broadcast) -> bool:
    """Whether this member's words may go to riders without another's approval: they approve, and are not its author."""
    return may(member, "notice.approve") and broadcast.author_id != member.id


async def _note(
    db: AsyncSession, member: Member | None, did: str, broadcast_id: int, *, now: datetime, **after: Any
) -> None:
    await audit.record(db, member, f"broadcast.{did}", f"broadcast:{broadcast_id}", now=now, after=after)


def _trimmed(reason: str) -> str:
    return reason.replace("\0", "").strip()[:_MOST_REASON]
