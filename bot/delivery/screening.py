"""Who of a claimed batch gets the notice now, and in which language: decided when it is sent, some queries for all."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.delivery.letters import Letter, Outcome, untried
from bot.models import Contact, MutedTopic, NoticeWish, Outbound, Rider
from bot.services.broadcasts import hours

WEEK = timedelta(days=7)
# The rank of normal notices, the only ones that are counted.
_NORMAL = 2


@dataclass(frozen=True, slots=True)
class Screened:
    """Letters to send now, each with the locale of its reader; and what became of the others."""

    go: list[tuple[Letter, str]]
    others: list[Outcome]


async def screen(
    db: AsyncSession,
    letters: Sequence[Letter],
    *,
    category: str,
    urgency: str,
    valid_until: datetime | None,
    now: datetime,
    zone: ZoneInfo,
) -> Screened:
    """Look at each reader's wishes as they are now.

    A notice that does not hold any more ends; one that its reader has muted since then ends too; by night, in busy
    hours and over the weekly number it is put off, the last to the digest.
    """
    if valid_until is not None and valid_until <= now:
        return Screened([], [untried(letter, "expired", now) for letter in letters])
    readers = await _readers(db, [letter.id for letter in letters], category)
    told: Counter[int] = Counter()
    if category and urgency == "normal":
        told = await _told_this_week(db, {reader.rider_id for reader in readers.values()}, now)
    screened = Screened([], [])
    for letter in letters:
        reader = readers[letter.id]
        if ended := _ended(reader, urgency):
            screened.others.append(untried(letter, ended, now))
            continue
        wishes = {"vehicle": reader.vehicle, "quiet_from": reader.quiet_from, "quiet_to": reader.quiet_to}
        at = hours.next_good_time(now, zone, urgency=urgency, **wishes)
        if at > now:
            screened.others.append(untried(letter, "queued", at))
        elif category and urgency == "normal" and told[reader.rider_id] >= reader.weekly:
            screened.others.append(untried(letter, "digest", now))
        else:
            told[reader.rider_id] += 1
            screened.go.append((letter, reader.locale))
    return screened


def _ended(reader: Any, urgency: str) -> str:
    """How the row of a reader ends who cannot or does not want to be told, empty if they are."""
    if reader.stopped_at is not None:
        return "stopped"
    is_wanted = reader.agreed_at is not None and reader.off_at is None
    if not is_wanted or (reader.muted and urgency != "red"):
        return "muted"
    return ""


async def _readers(db: AsyncSession, ids: Collection[int], category: str) -> dict[int, Any]:
    query = (
        select(
            Outbound.id,
            Contact.rider_id,
            Contact.locale,
            Contact.stopped_at,
            Rider.vehicle,
            NoticeWish.agreed_at,
            NoticeWish.off_at,
            NoticeWish.quiet_from,
            NoticeWish.quiet_to,
            NoticeWish.weekly,
            MutedTopic.topic.label("muted"),
        )
        .join(Contact, Contact.id == Outbound.contact_id)
        .join(Rider, Rider.id == Contact.rider_id)
        .outerjoin(NoticeWish, NoticeWish.rider_id == Rider.id)
        .outerjoin(MutedTopic, and_(MutedTopic.rider_id == Rider.id, MutedTopic.topic == category))
        .where(Outbound.id.in_(ids))
    )
    return {row.id: row for row in await db.execute(query)}


async def _told_this_week(db: AsyncSession, riders: Collection[int], now: datetime) -> Counter[int]:
    """How many normal notices these people got by message in the last seven days; a digest counts as none."""
    query = (
        select(Contact.rider_id, func.count())
        .join(Outbound, Outbound.contact_id == Contact.id)
        .where(Contact.rider_id.in_(riders), Outbound.state == "sent", Outbound.sent_at > now - WEEK)
        .where(Outbound.broadcast_id.is_not(None), Outbound.rank == _NORMAL, Outbound.provider_id != "")
        .group_by(Contact.rider_id)
    )
    return Counter({rider: count for rider, count in await db.execute(query)})
