"""A test message to oneself: to every chat that a staff member linked, by the way that messages to riders go."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot import i18n, outbox
from bot.errors import Problem
from bot.i18n import _
from bot.messages import Outgoing
from bot.models import Contact, Outbound, StaffChat
from bot.services import audit, linking
from bot.services.authority import Member
from bot.services.desk import Desk

SENT = "health.test"


class JustSent(Problem):
    text = _("A test message is on its way already. Wait a minute before the next.")


@dataclass(frozen=True, slots=True)
class Trial:
    """A test message: `state` and `error` are those of the outbox, `took` the seconds until it had left."""

    channel: str
    at: datetime
    state: str
    error: str
    took: float | None


async def send(db: AsyncSession, member: Member, *, now: datetime, desk: Desk) -> int:
    """Put one on its way to each chat of theirs; returns to how many. Raises NoChat, JustSent."""
    chats = select(Contact.id, Contact.channel, Contact.locale).join(StaffChat, StaffChat.contact_id == Contact.id)
    # In one order, and locked: of two clicks the second waits, and finds the first.
    chats = chats.where(StaffChat.staff_id == member.id).order_by(Contact.id).with_for_update()
    found = (await db.execute(chats)).all()
    if not found:
        raise linking.NoChat
    keys = {contact_id: f"{_prefix(member)}{contact_id}:{now:%Y%m%d%H%M}" for contact_id, _channel, _locale in found}
    if await db.scalar(select(Outbound.id).where(Outbound.key.in_(keys.values())).limit(1)):
        raise JustSent
    for contact_id, channel, locale in found:
        voice = i18n.voice(locale, desk.zone)
        words = _("A test message of the staff console, sent by {login} at {at}.", login=member.login, at=now)
        message = Outgoing(voice.word(words))
        outbox.put(db, contact_id, channel, message, lane="personal", key=keys[contact_id], at=now)
    await audit.record(db, member, SENT, f"staff:{member.id}", now=now, after={"chats": len(found)})
    return len(found)


async def latest(db: AsyncSession, member: Member, *, limit: int = 5) -> list[Trial]:
    """What became of this member's last test messages, the newest first."""
    query = (
        select(Outbound)
        .join(StaffChat, StaffChat.contact_id == Outbound.contact_id)
        .where(StaffChat.staff_id == member.id, Outbound.key.startswith(_prefix(member)))
        .order_by(Outbound.id.desc())
        .limit(limit)
    )
    return [
        Trial(
            row.channel,
            row.at,
            row.state,
            row.error or "",
            (row.sent_at - row.at).total_seconds() if row.sent_at else None,
        )
        for row in await db.scalars(query)
    ]


def _prefix(member: Member) -> str:
    return f"trial:{member.id}:"
