"""The two people behind a broadcast, told in their chats: the approver what to decide, the author what was decided."""

import secrets
from collections.abc import Callable, Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot import outbox
from bot.i18n import DEFAULT_LOCALE, LOCALES, Text, Voice, _
from bot.messages import Button, Outgoing
from bot.models import Broadcast, Contact, Notice, StaffChat, StaffMember
from bot.services import authority, notices
from bot.services.broadcasts import states
from bot.services.broadcasts.newsroom import Newsroom
from bot.services.broadcasts.particulars import particulars

Letter = Callable[[Voice], Outgoing]


async def ask_approval(
    db: AsyncSession,
    broadcast: Broadcast,
    notice: Notice,
    *,
    counties: Collection[str],
    newsroom: Newsroom,
    now: datetime,
) -> int:
    """Show what waits for approval, and concerns `counties`, to everybody else who may give it; to how many chats."""

    said = {
        locale: await particulars(db, broadcast, notice, newsroom=newsroom, voice=newsroom.voice(locale))
        for locale in LOCALES
    }

    def letter(voice: Voice) -> Outgoing:
        words = notices.letter(notice, voice, broadcast.id)
        asked = _("To approve, as riders will read it:\n\n{words}", words=words.text)
        yes = Button(voice.word(_("✓ Approve")), f"bcok.{broadcast.id}.{notice.version}")
        no = Button(voice.word(_("↩ Return with a word")), f"bcno.{broadcast.id}")
        text = "\n".join((voice.word(asked), "", *said[voice.locale]))
        return Outgoing(text, ((yes, no), (_progress(broadcast.id, voice),)), photo=words.photo)

    return await tell_staff(
        db,
        lambda member: (
            member.id != broadcast.author_id
            and authority.may(member, "notice.approve")
            and authority.is_within(member, counties)
        ),
        letter,
        key=f"approve:{broadcast.id}:{notice.version}:{secrets.token_hex(4)}",
        newsroom=newsroom,
        now=now,
    )


async def tell_author(db: AsyncSession, broadcast: Broadcast, said: Text, *, newsroom: Newsroom, now: datetime) -> int:
    """Tell whoever wrote it; returns to how many chats."""
    return await tell_staff(
        db,
        lambda member: member.id == broadcast.author_id,
        lambda voice: Outgoing(voice.word(said), ((_progress(broadcast.id, voice),),)),
        key=f"author:{broadcast.id}:{secrets.token_hex(4)}",
        newsroom=newsroom,
        now=now,
    )


async def tell_of_halt(
    db: AsyncSession, broadcast: Broadcast, notice: Notice, reason: str, *, newsroom: Newsroom, now: datetime
) -> int:
    """Tell everybody who may steer it that the program itself has held it, and why; returns to how many chats."""
    title = notices.words_of(notice, DEFAULT_LOCALE)[0]
    said = _("⏸ “{title}” is held: {reason}\nLook at it and let it go on, or cancel it.", title=title, reason=reason)

    def letter(voice: Voice) -> Outgoing:
        go_on = Button(voice.word(_("▶ Go on")), f"bcdo.{broadcast.id}.resume")
        return Outgoing(voice.word(said), ((go_on, _progress(broadcast.id, voice)),))

    counties = await states.counties_of(db, broadcast)
    return await tell_staff(
        db,
        lambda member: authority.may(member, "notice.steer") and authority.is_within(member, counties),
        letter,
        key=f"halt:{broadcast.id}:{secrets.token_hex(4)}",
        newsroom=newsroom,
        now=now,
    )


async def tell_staff(
    db: AsyncSession,
    concerns: Callable[[authority.Member], bool],
    letter: Letter,
    *,
    key: str,
    newsroom: Newsroom,
    now: datetime,
) -> int:
    """Queue a letter for the chat of every member whom it `concerns`; returns for how many. `key` makes it one each."""
    chats = (
        select(Contact.id, Contact.channel, Contact.locale, StaffMember)
        .join(StaffChat, StaffChat.contact_id == Contact.id)
        .join(StaffMember, StaffMember.id == StaffChat.staff_id)
        .where(Contact.stopped_at.is_(None), StaffMember.disabled_at.is_(None))
    )
    told = 0
    for contact_id, channel, locale, row in await db.execute(chats):
        if concerns(authority.Member(row.id, row.login, row.role, tuple(row.counties))):
            message = letter(newsroom.voice(locale))
            outbox.put(db, contact_id, channel, message, lane="personal", key=f"{key}:{contact_id}", at=now)
            told += 1
    return told


def _progress(broadcast_id: int, voice: Voice) -> Button:
    return Button(voice.word(_("📊 How it stands")), f"bc.{broadcast_id}")
