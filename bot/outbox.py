"""Saying something is writing it down here, in the caller's transaction."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import PreparedRows, Write, together
from bot.messages import Button, Incoming, Outgoing, Place
from bot.models import Contact, Outbound, Pause
from bot.pictures import drawn

# Lanes in the order in which they are sent when several wait.
LANES = ("answer", "personal", "bulk")
# How long a claimed row belongs to the process that claimed it.
LEASE = timedelta(seconds=60)
# The rank of bulk messages outside any broadcast: behind all of those.
LOOSE = 9


@dataclass(frozen=True, slots=True)
class Queued:
    """A row that was just put, for whoever sends it at once."""

    id: int
    contact_id: int
    lane: str
    message: dict[str, Any]
    rank: int = 0
    tries: int = 0


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
    if lane == "bulk":
        row.rank = LOOSE
    db.add(row)
    return row


async def put_answers(
    db: AsyncSession,
    contact_id: int,
    heard: Incoming,
    messages: Sequence[Outgoing],
    *,
    at: datetime,
    beside: Sequence[Write] = (),
) -> list[Queued]:
    """Queue the answers to `heard`; they belong to the caller's process, which sends them right after the commit.

    `beside` is written in the same go.
    """
    channel = heard.sender.channel
    same = {"contact_id": contact_id, "channel": channel, "at": at, "due": at + LEASE}
    kept = {f"{channel}:{heard.key}:{n}": plain(message) for n, message in enumerate(messages)}
    rows = [{"key": key, "message": message, **same} for key, message in kept.items()]
    written = await together(db, [*beside, *_PUT.of(rows)])
    numbers = {key: number for number, key in written} if rows else {}
    return [Queued(numbers[key], contact_id, "answer", message) for key, message in kept.items()]


def plain(message: Outgoing) -> dict[str, Any]:
    """A message as JSON, without what it leaves at its default."""
    kept = _plain(message)
    if message.buttons:
        kept["buttons"] = [[_plain(button) for button in row] for row in message.buttons]
    if message.places:
        kept["places"] = [_plain(place) for place in message.places]
    return kept


def _plain(value: Outgoing | Button | Place) -> dict[str, Any]:
    return {name: kept for name in value.__match_args__ if (kept := getattr(value, name)) or name in ("lat", "lng")}


_OUTBOX: Any = Outbound.__table__
_ANSWER = {"lane": "answer", "rank": 0, "state": "queued", "tries": 0, "error": "", "provider_id": ""}
_PUT = PreparedRows(
    _OUTBOX, ("contact_id", "channel", "key", "message", "at", "due"), always=_ANSWER, returning=("id", "key")
)


def worded(kept: dict[str, Any]) -> Outgoing:
    """The message that `plain` kept."""
    return Outgoing(
        text=kept.get("text", ""),
        buttons=tuple(tuple(Button(**button) for button in row) for row in kept.get("buttons", ())),
        places=tuple(Place(**place) for place in kept.get("places", ())),
        card=kept.get("card", False),
        photo=drawn(kept.get("photo", "")),
        replaces=kept.get("replaces", ""),
        choices=tuple((line, token) for line, token in kept.get("choices", ())),
        form=kept.get("form", ""),
        facts=tuple((name, value) for name, value in kept.get("facts", ())),
    )


async def stop(db: AsyncSession, contacts: Collection[int] | Select[int], now: datetime) -> None:
    """These contacts cannot be reached: what is queued for them ends, until they write again nothing is sent there."""
    gone = update(Contact).where(Contact.id.in_(contacts)).values(stopped_at=now)
    await db.execute(gone.execution_options(synchronize_session=False))
    queued = update(Outbound).where(Outbound.contact_id.in_(contacts), Outbound.state == "queued")
    await db.execute(queued.values(state="stopped").execution_options(synchronize_session=False))


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


async def pauses(db: AsyncSession, now: datetime) -> list[Pause]:
    """The channels on which nothing but answers goes out at the moment."""
    return list(await db.scalars(select(Pause).where(Pause.until > now).order_by(Pause.channel)))
