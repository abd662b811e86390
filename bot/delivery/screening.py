"""Who of a claimed batch gets the notice now, and in which language: decided when it is sent, some queries for all."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, ScalarSelect, TextClause, and_, func, literal, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

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
    is_counted = bool(category) and urgency == "normal"
    readers = await _readers(db, [letter.id for letter in letters], category, now - WEEK if is_counted else None)
    told = Counter({reader.rider_id: reader.told for reader in readers.values()})
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
        elif is_counted and told[reader.rider_id] >= reader.weekly:
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


async def _readers(db: AsyncSession, ids: Collection[int], category: str, since: datetime | None) -> dict[int, Any]:
    """The people behind these rows; `told` is how many notices they got after `since`, if that is asked."""
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
            (_told(since) if since else literal(0)).label("told"),
        )
        .join(Contact, Contact.id == Outbound.contact_id)
        .join(Rider, Rider.id == Contact.rider_id)
        .outerjoin(NoticeWish, NoticeWish.rider_id == Rider.id)
        .outerjoin(MutedTopic, and_(MutedTopic.rider_id == Rider.id, MutedTopic.topic == category))
        .where(_among(db, ids))
    )
    return {row.id: row for row in await db.execute(query)}


def _told(since: datetime) -> ScalarSelect[int]:
    """How many normal notices somebody got by message; a digest counts as none.

    It is counted for each person: a join would be free to read everything that was ever sent.
    """
    theirs, sent = aliased(Contact), aliased(Outbound)
    addresses = select(theirs.id).where(theirs.rider_id == Contact.rider_id).correlate(Contact)
    return (
        select(func.count())
        .where(sent.contact_id.in_(addresses), sent.state == "sent", sent.sent_at > since)
        .where(sent.broadcast_id.is_not(None), sent.rank == _NORMAL, sent.provider_id != "")
        .correlate(Contact)
        .scalar_subquery()
    )


def _among(db: AsyncSession, ids: Collection[int]) -> ColumnElement[bool] | TextClause:
    """As one parameter where the database takes arrays: hundreds of them cost more than finding the rows."""
    if db.get_bind().dialect.name == "sqlite":
        return Outbound.id.in_(ids)
    return text("outbox.id = ANY(CAST(:ids AS bigint[]))").bindparams(ids=[*ids])
