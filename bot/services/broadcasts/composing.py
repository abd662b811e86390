"""A broadcast until it may go out: composed, previewed, handed in, approved by somebody else or sent back."""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from bot import outbox
from bot.database import insert, rows_changed
from bot.errors import Problem
from bot.i18n import DEFAULT_LOCALE, LOCALES, Voice, _
from bot.messages import Outgoing
from bot.models import Broadcast, Contact, Notice
from bot.services import audit, notices
from bot.services.authority import Member, require
from bot.services.broadcasts import audience, corrections, editors, states
from bot.services.broadcasts.audience import Audience, Forecast
from bot.services.broadcasts.findings import Blocked, Findings, find, find_blockers
from bot.services.broadcasts.newsroom import Newsroom
from bot.services.notices import BadNotice, NoticeButton, Picture, Words
from bot.services.riders import VEHICLE_NAMES

# How long a notice holds if nobody says so.
HOLDS = timedelta(days=30)
_MOST_COMMENT = 500


class SamePerson(Problem):
    text = _("Who wrote a notice does not approve it: please let a second person look at it.")


class NotReviewed(Problem):
    text = _("This notice was changed since two people stood for it.")


@dataclass(frozen=True, slots=True)
class Draft:
    """All that staff say of a broadcast. `starts_at` None: at once; `valid_until` None: for 30 days."""

    category: str
    texts: Mapping[str, Words]
    audience: Audience = field(default_factory=Audience)
    urgency: str = "normal"
    buttons: Sequence[NoticeButton] = ()
    picture: Picture | None = None
    source: str = ""
    valid_until: datetime | None = None
    late: str = "skip"
    starts_at: datetime | None = None


def sketch(draft: Draft, *, now: datetime) -> Notice:
    """The notice that a draft would make, kept nowhere; raises BadNotice."""
    return Notice(code="", created_at=now, author_id=None, **_content(draft))


async def compose(db: AsyncSession, member: Member, draft: Draft, *, now: datetime) -> int:
    """A new draft; returns the number of its broadcast. Raises NotAllowed, BadNotice."""
    require(member, "notice.write", counties=draft.audience.counties)
    content = _content(draft) | {"valid_until": draft.valid_until or (draft.starts_at or now) + HOLDS}
    notice = Notice(code=f"staff-{secrets.token_hex(6)}", created_at=now, author_id=member.id, **content)
    db.add(notice)
    await db.flush()
    broadcast = Broadcast(
        notice.id,
        created_at=now,
        audience=draft.audience.to_json(),
        starts_at=draft.starts_at,
        author_id=member.id,
    )
    db.add(broadcast)
    await db.flush()
    await _note(db, member, "compose", broadcast.id, now=now, notice=notice.id)
    return broadcast.id


async def edit(db: AsyncSession, member: Member, broadcast_id: int, draft: Draft, *, now: datetime) -> None:
    """Change a draft; one that waits for approval is a draft again. Whoever edits last is its author.

    Raises NotAllowed, BadNotice, Overtaken.
    """
    await states.hold(db, broadcast_id)
    _broadcast, notice = await states.allowed(db, member, "notice.write", broadcast_id)
    require(member, "notice.write", counties=draft.audience.counties)
    await states.move(
        db,
        broadcast_id,
        ("draft", "in_review"),
        "draft",
        audience=draft.audience.to_json(),
        starts_at=draft.starts_at,
        author_id=member.id,
        previewed_at=None,
    )
    content = _content(draft) | {"valid_until": draft.valid_until or notice.valid_until}
    if changed := [name for name, value in content.items() if getattr(notice, name) != value]:
        same = update(Notice).where(Notice.id == notice.id, Notice.version == notice.version)
        if not await rows_changed(db, same.values(version=notice.version + 1, author_id=member.id, **content)):
            raise states.Overtaken
    await _note(db, member, "edit", broadcast_id, now=now, changed=changed)


async def picture_of(db: AsyncSession, broadcast_id: int) -> Picture | None:
    """The picture that the notice has now; raises NoSuchBroadcast."""
    _broadcast, notice = await states.found(db, broadcast_id)
    return Picture(notice.picture) if notice.picture else None


async def set_time(
    db: AsyncSession, member: Member, broadcast_id: int, *, starts_at: datetime | None, now: datetime
) -> None:
    """Say when a draft begins, None for at once; it holds for 30 days from then. Raises NotAllowed, Overtaken."""
    await states.hold(db, broadcast_id)
    _broadcast, notice = await states.allowed(db, member, "notice.write", broadcast_id)
    await states.move(db, broadcast_id, ("draft",), "draft", starts_at=starts_at)
    await db.execute(update(Notice).where(Notice.id == notice.id).values(valid_until=(starts_at or now) + HOLDS))
    await _note(db, member, "set_time", broadcast_id, now=now, starts_at=starts_at.isoformat() if starts_at else "")


async def add_button(
    db: AsyncSession, member: Member, broadcast_id: int, button: NoticeButton, *, newsroom: Newsroom, now: datetime
) -> None:
    """Put one more button below a draft. Raises NotAllowed, Overtaken, BadNotice where it would lead nowhere."""
    await states.hold(db, broadcast_id)
    broadcast, notice = await states.allowed(db, member, "notice.write", broadcast_id)
    if broadcast.state != "draft":
        raise states.Overtaken
    buttons = notices.checked_buttons([*(NoticeButton(**kept) for kept in notice.buttons), button])
    if dead := await notices.dead_targets(db, buttons[-1:], newsroom.pages):
        raise BadNotice(_("A button leads nowhere: {target}", target=dead[0] or "—"))
    values = {"buttons": buttons, "version": notice.version + 1, "author_id": member.id}
    await db.execute(update(Notice).where(Notice.id == notice.id).values(values))
    await _note(db, member, "add_button", broadcast_id, now=now, kind=button.kind, target=button.target)


async def findings(
    db: AsyncSession, broadcast_id: int, *, newsroom: Newsroom, now: datetime, approver: Member | None = None
) -> Findings:
    """What holds the broadcast back and what staff should think of, as things are now."""
    broadcast, notice = await states.found(db, broadcast_id)
    found = await find(db, broadcast, notice, newsroom=newsroom, now=now)
    if approver and _is_alone(approver, broadcast, notice):
        return Findings((*found.blockers, SamePerson.text), found.warnings)
    return found


async def forecast(db: AsyncSession, broadcast_id: int, *, newsroom: Newsroom, now: datetime) -> Forecast:
    """How many would get it as it stands now; raises NoSuchBroadcast."""
    broadcast, notice = await states.found(db, broadcast_id)
    whom = Audience.from_json(broadcast.audience)
    return await audience.forecast(
        db, whom, category=notice.category, urgency=notice.urgency, reach=newsroom.reach, now=now
    )


async def preview(
    db: AsyncSession, member: Member, broadcast_id: int, *, contact_id: int, newsroom: Newsroom, now: datetime
) -> None:
    """Send the notice to the member's own chat, as riders will read it."""
    await states.allowed(db, member, "notice.read", broadcast_id)
    contact = await db.get_one(Contact, contact_id)
    message = await shown(db, broadcast_id, voice=newsroom.voice(contact.locale))
    key = f"preview:{broadcast_id}:{contact_id}:{secrets.token_hex(4)}"
    outbox.put(db, contact_id, contact.channel, message, lane="personal", key=key, at=now)
    await note_preview(db, broadcast_id, now=now)


async def note_preview(db: AsyncSession, broadcast_id: int, *, now: datetime) -> None:
    """Somebody of the staff saw it as riders will read it."""
    await db.execute(update(Broadcast).where(Broadcast.id == broadcast_id).values(previewed_at=now))


async def shown(db: AsyncSession, broadcast_id: int, *, voice: Voice) -> Outgoing:
    """The letter as one of `voice` will read it; raises NoSuchBroadcast, BadNotice."""
    _broadcast, notice = await states.found(db, broadcast_id)
    if not notice.texts.get(DEFAULT_LOCALE):
        raise BadNotice(_("Title and text in Chinese are missing."))
    return notices.letter(notice, voice, broadcast_id)


async def submit(db: AsyncSession, member: Member, broadcast_id: int, *, newsroom: Newsroom, now: datetime) -> None:
    """Hand the draft in and ask for approval; raises Blocked, NotAllowed, Overtaken."""
    broadcast, notice = await hand_in(db, member, broadcast_id, newsroom=newsroom, now=now)
    counties = await states.counties_of(db, broadcast)
    await editors.ask_approval(db, broadcast, notice, counties=counties, newsroom=newsroom, now=now)


async def hand_in(
    db: AsyncSession, member: Member, broadcast_id: int, *, newsroom: Newsroom, now: datetime
) -> tuple[Broadcast, Notice]:
    """Hand the draft in where its approver is at hand already; raises Blocked, NotAllowed, Overtaken."""
    await states.hold(db, broadcast_id)
    broadcast, notice = await states.allowed(db, member, "notice.write", broadcast_id)
    if blockers := await find_blockers(db, broadcast, notice, newsroom=newsroom, now=now):
        raise Blocked(blockers)
    await states.move(db, broadcast_id, ("draft",), "in_review", comment="")
    await _note(db, member, "submit", broadcast_id, now=now, version=notice.version)
    return broadcast, notice


async def approve(
    db: AsyncSession,
    member: Member,
    broadcast_id: int,
    *,
    newsroom: Newsroom,
    now: datetime,
    version: int | None = None,
) -> None:
    """Let the broadcast go, at once or at its time, as a second person.

    `version` is that of the words which the approver read; others meanwhile raise Overtaken. One person may do both
    only with a weather notice unchanged since it was reviewed. Raises SamePerson, Blocked, NotAllowed, Overtaken.
    """
    await states.hold(db, broadcast_id)
    broadcast, notice = await states.allowed(db, member, "notice.approve", broadcast_id)
    if version is not None and version != notice.version:
        raise states.Overtaken
    if _is_alone(member, broadcast, notice):
        raise SamePerson
    if blockers := await find_blockers(db, broadcast, notice, newsroom=newsroom, now=now):
        raise Blocked(blockers)
    values = {"approver_id": member.id, "approved_at": now}
    if broadcast.starts_at and broadcast.starts_at > now:
        await states.move(db, broadcast_id, ("in_review",), "scheduled", **values)
    else:
        # A time that went by while it waited for approval does not make it late: it begins now.
        starts_at = now if broadcast.starts_at else None
        await states.move(db, broadcast_id, ("in_review",), "approved", starts_at=starts_at, **values)
    alone = {"alone": True, "reviewed_version": notice.reviewed_version} if broadcast.author_id == member.id else {}
    await db.execute(update(Notice).where(Notice.id == notice.id).values(reviewed_version=notice.version))
    await _note(db, member, "approve", broadcast_id, now=now, version=notice.version, **alone)
    if not alone:
        said = _("Approved by {login}: {title}", login=member.login, title=notices.words_of(notice, DEFAULT_LOCALE)[0])
        await editors.tell_author(db, broadcast, said, newsroom=newsroom, now=now)
    if broadcast.corrects_id is not None:
        await corrections.rewrite(db, broadcast.corrects_id, broadcast_id, newsroom=newsroom, now=now)


async def send_back(
    db: AsyncSession, member: Member, broadcast_id: int, comment: str, *, newsroom: Newsroom, now: datetime
) -> None:
    """Return what was handed in to its author, with what is wrong with it; raises NotAllowed, Overtaken."""
    broadcast, notice = await states.allowed(db, member, "notice.approve", broadcast_id)
    said = comment.replace("\0", "").strip()[:_MOST_COMMENT]
    await states.move(db, broadcast_id, ("in_review",), "draft", comment=said)
    await _note(db, member, "send_back", broadcast_id, now=now, comment=said)
    title = notices.words_of(notice, DEFAULT_LOCALE)[0]
    told = _("{login} returned “{title}”: {comment}", login=member.login, title=title, comment=said)
    await editors.tell_author(db, broadcast, told, newsroom=newsroom, now=now)


async def announce(
    db: AsyncSession,
    notice_id: int,
    audience: Audience,
    *,
    starts_at: datetime | None,
    author_id: int | None,
    approver_id: int | None,
    now: datetime,
    schedule_id: int | None = None,
    fire_at: datetime | None = None,
) -> int | None:
    """An approved broadcast of a reviewed notice, made by a schedule or a weather level.

    None where that fire of the schedule was made already, by whichever process. Raises NotReviewed.
    """
    notice = await db.get_one(Notice, notice_id, populate_existing=True)
    if notice.reviewed_version != notice.version:
        raise NotReviewed
    row = {
        "notice_id": notice_id,
        "created_at": now,
        "state": "scheduled" if starts_at and starts_at > now else "approved",
        "audience": audience.to_json(),
        "starts_at": starts_at,
        "author_id": author_id,
        "approver_id": approver_id,
        "comment": "",
        "approved_at": now,
        "resolved_to": 0,
        "pause_reason": "",
        "schedule_id": schedule_id,
        "fire_at": fire_at,
    }
    statement = insert(db, Broadcast).values(row).on_conflict_do_nothing().returning(Broadcast.id)
    broadcast_id: int | None = await db.scalar(statement)
    if broadcast_id is not None:
        staff = {"author": author_id, "approver": approver_id, "schedule": schedule_id, "version": notice.version}
        await _note(db, None, "announce", broadcast_id, now=now, **staff)
    return broadcast_id


def _is_alone(member: Member, broadcast: Broadcast, notice: Notice) -> bool:
    """Whether `member` wrote it and nobody else has looked at these words."""
    is_reviewed_weather = notice.category == "weather" and notice.reviewed_version == notice.version
    return broadcast.author_id == member.id and not is_reviewed_weather


def _content(draft: Draft) -> dict[str, Any]:
    """The columns of the notice; raises BadNotice, also for an audience that nobody can belong to."""
    if draft.category not in notices.CATEGORIES:
        raise BadNotice(_("There is no kind of notice called {category}.", category=draft.category))
    if draft.urgency not in notices.RANKS:
        raise BadNotice(_("There is no urgency called {urgency}.", urgency=draft.urgency))
    if draft.late not in notices.LATE:
        raise BadNotice(_("There is no rule {late} for what is late.", late=draft.late))
    _check(draft.audience)
    return {
        "category": draft.category,
        "urgency": draft.urgency,
        "texts": notices.checked_texts(draft.texts),
        "buttons": notices.checked_buttons(draft.buttons),
        "picture": draft.picture.data if draft.picture else None,
        "source": draft.source.replace("\0", "").strip()[:200],
        "late": draft.late,
    }


def _check(audience: Audience) -> None:
    """Raise BadNotice for a word that no rider's row can hold, so that a slip does not narrow the audience."""
    known: Iterable[tuple[Collection[str], Collection[str]]] = (
        (audience.vehicles, VEHICLE_NAMES),
        (audience.locales, LOCALES),
        ((audience.topic,) if audience.topic else (), notices.CATEGORIES),
    )
    for words, allowed in known:
        for word in words:
            if word not in allowed:
                raise BadNotice(_("No rider is {word}: there is no such condition.", word=word))
    for county in audience.counties:
        if not (isinstance(county, str) and len(county) == 6 and county.isdecimal()):
            raise BadNotice(_("{county} is not the code of a county.", county=county))


async def _note(
    db: AsyncSession, member: Member | None, did: str, broadcast_id: int, *, now: datetime, **after: Any
) -> None:
    await audit.record(db, member, f"broadcast.{did}", f"broadcast:{broadcast_id}", now=now, after=after)
