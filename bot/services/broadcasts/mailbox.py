"""What waits for a person's next contact, and what they were told of late."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.i18n import DEFAULT_LOCALE, Voice, _
from bot.messages import Button, Outgoing
from bot.models import Broadcast, Contact, MutedTopic, Notice, NoticeWish, Outbound
from bot.services import notices

MOST = 3
RECENT = timedelta(days=30)
_MOST_RECENT = 100
# States of a row that the person has seen, or could have.
_TOLD = ("sent", "waiting", "digest")
# A broadcast that is paused, cancelled or withdrawn shows nothing.
_SHOWN = ("sending", "finished")


@dataclass(frozen=True, slots=True)
class Told:
    """A notice that a person got, or will get at their next contact."""

    broadcast_id: int
    category: str
    urgency: str
    at: datetime
    texts: Mapping[str, Any]

    def title(self, locale: str) -> str:
        """Its title in `locale`, or in Chinese."""
        return str((self.texts.get(locale) or self.texts[DEFAULT_LOCALE])["title"])


async def take(db: AsyncSession, contact_id: int, voice: Voice, *, now: datetime, most: int = MOST) -> list[Outgoing]:
    """The letters that wait for this contact, the most urgent first, then the newest; they count as sent.

    At most `most` of them; if there are others, the last message offers them. What expired, or was muted in the
    meantime, is dropped.
    """
    if not await db.scalar(select(has_mail(contact_id))):
        return []
    await _drop(db, contact_id, now)
    waiting = (
        select(Outbound.id, Outbound.broadcast_id, Notice)
        .join(Broadcast, Broadcast.id == Outbound.broadcast_id)
        .join(Notice, Notice.id == Broadcast.notice_id)
        .where(Outbound.contact_id == contact_id, Outbound.state == "waiting", Broadcast.state.in_(_SHOWN))
        .order_by(Outbound.rank, Outbound.id.desc())
        .with_for_update(of=Outbound)
    )
    rows = (await db.execute(waiting.limit(most + 1))).all()
    taken = rows[:most]
    sent = {"state": "sent", "sent_at": now, "tried_at": now}
    await db.execute(_rows(Outbound.id.in_([row.id for row in taken])).values(sent))
    letters = [notices.letter(row.Notice, voice, row.broadcast_id) for row in taken]
    if len(rows) > most:
        more = Button(voice.word(_("📬 Show more")), "mail")
        letters.append(Outgoing(voice.word(_("There are more notices for you.")), ((more,),)))
    return letters


def has_mail(contact_id: ColumnElement[int] | int) -> ColumnElement[bool]:
    """Whether anything waits for a contact."""
    return exists().where(Outbound.contact_id == contact_id, Outbound.state == "waiting")


async def who_has_mail(db: AsyncSession, channel: str, users: Collection[str]) -> list[tuple[int, str, str, int]]:
    """Contacts among `users` of a channel for whom something waits: id, user, locale, and the newest row's id."""
    query = (
        select(Contact.id, Contact.user, Contact.locale, func.max(Outbound.id))
        .join(Outbound, Outbound.contact_id == Contact.id)
        .where(Contact.channel == channel, Contact.user.in_(users), Outbound.state == "waiting")
        .group_by(Contact.id)
    )
    return [(id, user, locale, newest) for id, user, locale, newest in await db.execute(query)]


async def recent(db: AsyncSession, rider_id: int, *, now: datetime, days: int = 30) -> list[Told]:
    """What this person was told by any way and still holds, the newest first, each broadcast once."""
    told_at = func.coalesce(Outbound.sent_at, Outbound.at)
    query = (
        select(Broadcast.id, Notice.category, Notice.urgency, Notice.texts, func.max(told_at).label("told_at"))
        .select_from(Outbound)
        .join(Contact, Contact.id == Outbound.contact_id)
        .join(Broadcast, Broadcast.id == Outbound.broadcast_id)
        .join(Notice, Notice.id == Broadcast.notice_id)
        .where(Contact.rider_id == rider_id, Outbound.state.in_(_TOLD), Broadcast.state.in_(_SHOWN))
        .where(or_(Notice.valid_until.is_(None), Notice.valid_until > now), told_at > now - timedelta(days=days))
        .group_by(Broadcast.id, Notice.id)
        .order_by(func.max(told_at).desc(), Broadcast.id.desc())
        .limit(_MOST_RECENT)
    )
    return [Told(id, category, urgency, at, texts) for id, category, urgency, texts, at in await db.execute(query)]


async def last_kind(db: AsyncSession, rider_id: int) -> str:
    """The category of what this person read last, empty if nothing ever reached them."""
    query = (
        select(Notice.category)
        .join(Broadcast, Broadcast.notice_id == Notice.id)
        .join(Outbound, Outbound.broadcast_id == Broadcast.id)
        .join(Contact, Contact.id == Outbound.contact_id)
        .where(Contact.rider_id == rider_id, Outbound.state == "sent")
        .order_by(Outbound.sent_at.desc(), Outbound.id.desc())
    )
    return await db.scalar(query.limit(1)) or ""


async def _drop(db: AsyncSession, contact_id: int, now: datetime) -> None:
    """Let go of what has expired or is not wanted any more."""
    mine = (Outbound.contact_id == contact_id, Outbound.state == "waiting")
    sent = (Broadcast.id == Outbound.broadcast_id, Notice.id == Broadcast.notice_id)
    await db.execute(_rows(*mine, exists().where(*sent, Notice.valid_until <= now)).values(state="expired"))
    rider = select(Contact.rider_id).where(Contact.id == contact_id).scalar_subquery()
    wanted = exists().where(NoticeWish.rider_id == rider, NoticeWish.off_at.is_(None))
    muted = (MutedTopic.rider_id == rider, MutedTopic.topic == Notice.category, Notice.urgency != "red")
    await db.execute(_rows(*mine, or_(~wanted, exists().where(*sent, *muted))).values(state="muted"))


def _rows(*which: ColumnElement[bool]) -> Any:
    return update(Outbound).where(*which).execution_options(synchronize_session=False)
