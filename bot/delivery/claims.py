"""Claiming: one short statement makes due rows this process's own until their lease ends."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, and_, bindparam, case, exists, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from bot.database import Prepared
from bot.delivery.letters import Letter
from bot.messages import Address
from bot.models import Broadcast, Choices, Contact, Notice, Outbound, Pause, ReplyWindow
from bot.outbox import LEASE, LOOSE
from bot.services.broadcasts.restored import EVERYWHERE
from bot.services.notices import RANKS


@dataclass(frozen=True, slots=True)
class Sending:
    """A broadcast of which something is due. `valid_until` None: it always holds."""

    id: int
    notice_id: int
    version: int
    category: str
    urgency: str
    valid_until: datetime | None


async def is_paused(db: AsyncSession, channel: str, lane: str, now: datetime) -> bool:
    """Whether the lane waits: the platform asked for it or, for bulk, somebody must first say that it may go on."""
    if lane == "answer":
        return False
    return await _PAUSED[lane == "bulk"].first(db, channel=channel, now=now) is not None


async def is_any_due(db: AsyncSession, channel: str, lane: str, now: datetime) -> bool:
    """Whether a row with words of its own is due, for whomever: the quick look, which is nearly always in vain."""
    return await _DUE[lane == "bulk"].first(db, channel=channel, lane=lane, now=now) is not None


def due_letters(
    channel: str, lane: str, now: datetime, reached: Select[int] | None, forms: Collection[str] = ()
) -> Select[int]:
    """Rows with words of their own, at most one for each person: the one behind waits for its outcome.

    `reached` are the contacts who can be reached, None for everybody; a row of one of these `forms` may be tried
    once for anybody else. An earlier row that another process has locked
    but not yet marked still reads as queued, so its successor stays where it is.
    """
    waits_for_earlier = (
        select(_EARLIER.id)
        .where(_EARLIER.contact_id == Outbound.contact_id, _EARLIER.state == "queued", _EARLIER.lane == lane)
        .where(_EARLIER.id < Outbound.id, _EARLIER.rank <= Outbound.rank, _EARLIER.at <= now)
        .exists()
    )
    due = (
        select(Outbound.id)
        .where(Outbound.state == "queued", Outbound.channel == channel, Outbound.lane == lane)
        .where(Outbound.due <= now)
        .order_by(Outbound.rank, Outbound.id)
    )
    if lane == "bulk":
        due = due.where(Outbound.rank == LOOSE)
    if reached is None:
        return due.where(~waits_for_earlier)
    is_reached = Outbound.contact_id.in_(reached)
    in_line = and_(is_reached, ~waits_for_earlier)
    if not forms:
        return due.where(in_line)
    is_form = Outbound.message["form"].as_string().in_(forms)
    return due.where(or_(in_line, and_(~is_reached, is_form, Outbound.error == "")))


async def claim(db: AsyncSession, due: Select[int], limit: int, now: datetime) -> list[Letter]:
    """Lease up to `limit` of the rows that `due` selects; rows that another process is claiming are passed over."""
    # As an expression of its own it is run once, whatever plan is made for the update.
    picked = due.limit(limit).with_for_update(of=Outbound, skip_locked=True).cte("picked")
    taking = update(Outbound).where(Outbound.id.in_(select(picked.c.id))).values(due=now + LEASE)
    columns = (
        Outbound.id,
        Outbound.contact_id,
        Outbound.channel,
        select(Contact.user).where(Contact.id == Outbound.contact_id).scalar_subquery(),
        Outbound.lane,
        Outbound.rank,
        Outbound.tries,
        Outbound.message,
        Outbound.broadcast_id,
    )
    options = {"synchronize_session": False}
    rows = (await db.execute(taking.returning(*columns).execution_options(**options))).all()
    return [
        Letter(id, contact_id, Address(channel, user), lane, rank, *rest)
        for id, contact_id, channel, user, lane, rank, *rest in sorted(rows, key=lambda row: (row.rank, row.id))
    ]


async def sending(db: AsyncSession, channel: str, now: datetime) -> list[Sending]:
    """The broadcasts with something due on `channel` if it is not paused, the most urgent first, then the oldest."""
    found = [Sending(*row) for row in await _SENDING.all(db, channel=channel, now=now)]
    return sorted(found, key=lambda one: (RANKS[one.urgency], one.id))


def due_of(broadcast_id: int, channel: str, now: datetime) -> Select[int]:
    """The due rows of one broadcast, none unless it is being sent."""
    goes_on = exists().where(Broadcast.id == broadcast_id, Broadcast.state == "sending")
    due = (Outbound.state == "queued", Outbound.channel == channel, Outbound.due <= now)
    rows = select(Outbound.id).where(Outbound.broadcast_id == broadcast_id, *due)
    return rows.where(goes_on).order_by(Outbound.due)


async def is_any(db: AsyncSession, due: Select[int]) -> bool:
    return await db.scalar(due.limit(1)) is not None


def contacts(channel: str, users: Collection[str]) -> Select[int]:
    """Those of `users` whom we know."""
    return select(Contact.id).where(Contact.channel == channel, Contact.user.in_(users))


def with_open_window(now: datetime) -> Select[int]:
    """The contacts that may be written to although their platform limits that."""
    return select(ReplyWindow.contact_id).where(ReplyWindow.until > now, ReplyWindow.remaining > 0)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for one person in a `lane`, empty for their mail; `newest` is the last row of it."""

    contact_id: int
    locale: str
    lane: str
    newest: int


async def waiting_for(db: AsyncSession, to: Address, now: datetime) -> list[Waiting]:
    """What could be said to somebody who is there at this moment."""
    return [Waiting(*row) for row in await _WAITING.all(db, channel=to.channel, user=to.user, now=now)]


async def last_list(db: AsyncSession, contact_id: int, since: datetime) -> tuple[str, ...]:
    """The tokens of the numbered list that this contact was shown last, if that was after `since`."""
    list_ = await db.get(Choices, contact_id)
    return tuple(list_.tokens) if list_ and list_.shown_at >= since else ()


def _pauses(*channels: str) -> Select[str]:
    """The pauses of the channel that the statement is run for, or of one of `channels`."""
    return select(Pause.channel).where(Pause.channel.in_([bindparam("channel"), *channels]), Pause.until > _NOW)


def _sending() -> Select[int, int, int, str, str, datetime | None]:
    due = exists().where(Outbound.broadcast_id == Broadcast.id, *_IS_DUE)
    return (
        select(Broadcast.id, Notice.id, Notice.version, Notice.category, Notice.urgency, Notice.valid_until)
        .join(Notice, Notice.id == Broadcast.notice_id)
        .where(Broadcast.state == "sending", ~_pauses(EVERYWHERE).exists(), due)
    )


def _waiting() -> Select[int, str, str, int]:
    """Looked at with every message that somebody is answered on the spot."""
    is_due = and_(Outbound.state == "queued", Outbound.lane != "bulk", Outbound.due <= _NOW)
    lane = case((Outbound.state == "waiting", ""), else_=Outbound.lane).label("waits_in")
    return (
        select(Contact.id, Contact.locale, lane, func.max(Outbound.id))
        .join(Outbound, Outbound.contact_id == Contact.id)
        .where(Contact.channel == bindparam("channel"), Contact.user == bindparam("user"))
        .where(or_(Outbound.state == "waiting", is_due))
        .group_by(Contact.id, Contact.locale, text("waits_in"))
    )


_EARLIER = aliased(Outbound)
_NOW = bindparam("now", type_=Outbound.due.type)
_IS_DUE = (Outbound.state == "queued", Outbound.channel == bindparam("channel"), Outbound.due <= _NOW)
_IS_DUE_IN_LANE = select(Outbound.id).where(*_IS_DUE, Outbound.lane == bindparam("lane")).limit(1)
# By whether it is for the bulk lane, which is paused for other reasons and where rows of broadcasts are not looked at.
_DUE = {False: Prepared(_IS_DUE_IN_LANE), True: Prepared(_IS_DUE_IN_LANE.where(Outbound.rank == LOOSE))}
_PAUSED = {False: Prepared(_pauses()), True: Prepared(_pauses(EVERYWHERE))}
_SENDING = Prepared(_sending())
_WAITING = Prepared(_waiting())
