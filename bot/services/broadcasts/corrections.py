"""What sets right a notice that was sent: words for those who got it, and their old message changed where it can be."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot import outbox
from bot.database import insert
from bot.i18n import DEFAULT_LOCALE, LOCALES, _
from bot.models import Broadcast, Contact, Notice, Outbound
from bot.schedule import later
from bot.services import audit, notices
from bot.services.authority import Member
from bot.services.broadcasts import editors, states
from bot.services.broadcasts.audience import Audience
from bot.services.broadcasts.newsroom import Newsroom
from bot.services.notices import BadNotice, Words

JOB = "broadcast.rewrite"
HOLDS = timedelta(days=30)
# Behind whatever else a person is told.
_RANK = 3
# Row numbers looked at in one step; a broadcast's rows lie close together.
_WINDOW = 1_000


async def announce_withdrawal(
    db: AsyncSession,
    member: Member,
    broadcast: Broadcast,
    notice: Notice,
    why: str,
    *,
    newsroom: Newsroom,
    now: datetime,
) -> int:
    """A broadcast to all who got the other one, in set words and with `why`, which may begin at once."""
    texts = {}
    for locale, words in notice.texts.items():
        voice = newsroom.voice(locale)
        title = voice.word(_("Withdrawn: {title}", title=words["title"]))
        body = voice.word(_("This notice does not hold any more, please do not go by it. {why}", why=why))
        texts[locale] = {"title": title, "body": body.strip()}
    follows = await _follow(db, member, broadcast, notice, texts, now=now)
    follows.state, follows.approved_at = "approved", now
    await db.flush()
    return follows.id


async def hand_in(
    db: AsyncSession,
    member: Member,
    broadcast: Broadcast,
    notice: Notice,
    words: Mapping[str, Words],
    *,
    newsroom: Newsroom,
    now: datetime,
) -> int:
    """A broadcast of the right `words` to all who got the wrong ones, shown to whoever may approve it.

    Raises BadNotice.
    """
    texts = notices.checked_texts(words)
    chinese = texts.get(DEFAULT_LOCALE, {})
    if not (chinese.get("title") and chinese.get("body")):
        raise BadNotice(_("Title and text in Chinese are missing."))
    for locale, own in texts.items():
        own["title"] = newsroom.voice(locale).word(_("Correction: {title}", title=own["title"]))
    follows = await _follow(db, member, broadcast, notice, texts, now=now, buttons=notice.buttons)
    words_of_it = await db.get_one(Notice, follows.notice_id)
    counties = await states.counties_of(db, follows)
    await editors.ask_approval(db, follows, words_of_it, counties=counties, newsroom=newsroom, now=now)
    return follows.id


async def rewrite(
    db: AsyncSession,
    broadcast_id: int,
    correction_id: int | None,
    *,
    newsroom: Newsroom,
    now: datetime,
    why: str = "",
) -> None:
    """Make it due to change the old messages: to those of `correction_id`, or to `why` they are withdrawn.

    Gone through twice: whose message was on its way the first time is found the second.
    """
    ends = select(func.min(Outbound.id), func.max(Outbound.id)).where(Outbound.broadcast_id == broadcast_id)
    first, last = (await db.execute(ends)).one()
    if first is None or not newsroom.reach.editing:
        return
    values = {"broadcast_id": broadcast_id, "correction_id": correction_id, "why": why, "last": last}
    for at in (now, now + outbox.LEASE):
        key = f"{JOB}:{broadcast_id}:{correction_id}:{first}:{at.timestamp():.0f}"
        await later(db, at, JOB, key=key, first=first, **values)


async def rewrite_some(
    db: AsyncSession,
    now: datetime,
    *,
    broadcast_id: int,
    correction_id: int | None,
    why: str,
    first: int,
    last: int,
    newsroom: Newsroom,
) -> None:
    """Queue the changes for one window of rows, and make the next window due."""
    letters = await _letters(db, broadcast_id, correction_id, why, newsroom)
    sent = (
        select(Outbound.id, Outbound.contact_id, Outbound.channel, Outbound.provider_id, Contact.locale)
        .join(Contact, Contact.id == Outbound.contact_id)
        .where(Outbound.id >= first, Outbound.id < first + _WINDOW, Outbound.broadcast_id == broadcast_id)
        .where(Outbound.state == "sent", Outbound.provider_id != "", Outbound.channel.in_(newsroom.reach.editing))
        .where(Contact.stopped_at.is_(None))
    )
    mark = f"edit:{correction_id or 'withdrawn'}"
    rows = [
        {
            "contact_id": row.contact_id,
            "channel": row.channel,
            "lane": "personal",
            "key": f"{mark}:{row.id}",
            "message": letters.get(row.locale, letters["zh_CN"]) | {"replaces": row.provider_id},
            "at": now,
            "due": now,
            "rank": _RANK,
            "state": "queued",
            "tries": 0,
            "error": "",
            "provider_id": "",
        }
        for row in await db.execute(sent)
    ]
    if rows:
        # Row by row in one go: a single statement with all their values takes longer to make than to run.
        await db.execute(insert(db, Outbound).on_conflict_do_nothing(), rows)
    if first + _WINDOW <= last:
        values = {"broadcast_id": broadcast_id, "correction_id": correction_id, "why": why, "last": last}
        key = f"{JOB}:{broadcast_id}:{correction_id}:{first + _WINDOW}:{now.timestamp():.0f}"
        await later(db, now, JOB, key=key, first=first + _WINDOW, **values)


async def _letters(
    db: AsyncSession, broadcast_id: int, correction_id: int | None, why: str, newsroom: Newsroom
) -> dict[str, dict[str, Any]]:
    """The message that replaces the old one, in each language."""
    _broadcast, notice = await states.found(db, correction_id or broadcast_id)
    letters: dict[str, dict[str, Any]] = {}
    for locale in LOCALES:
        voice = newsroom.voice(locale)
        correction = voice.word(_("Please do not go by it any more. {why}", why=why)) if correction_id is None else ""
        said = notices.letter(notice, voice, correction_id or broadcast_id, correction=correction.strip())
        letters[locale] = outbox.plain(said._replace(photo=""))
    return letters


async def _follow(
    db: AsyncSession,
    member: Member,
    broadcast: Broadcast,
    notice: Notice,
    texts: dict[str, Any],
    *,
    now: datetime,
    buttons: Sequence[Any] = (),
) -> Broadcast:
    """A new notice of the same kind, at least important, to all who got the old one, waiting for approval."""
    words = Notice(
        code=f"after-{broadcast.id}-{secrets.token_hex(4)}",
        category=notice.category,
        texts=texts,
        created_at=now,
        urgency="red" if notice.urgency == "red" else "important",
        buttons=list(buttons),
        source=notice.source,
        valid_until=now + HOLDS,
        late="send",
        author_id=member.id,
    )
    db.add(words)
    await db.flush()
    follows = Broadcast(
        words.id,
        created_at=now,
        state="in_review",
        audience=Audience(got=broadcast.id).to_json(),
        author_id=member.id,
        corrects_id=broadcast.id,
    )
    db.add(follows)
    await db.flush()
    after = {"corrects": broadcast.id}
    await audit.record(db, member, "broadcast.compose", f"broadcast:{follows.id}", now=now, after=after)
    return follows
