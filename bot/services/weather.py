"""Weather levels: staff press a colour, which proposes a prepared notice and longer hours; one approval does both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, false, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Database, insert, rows_changed
from bot.errors import Problem
from bot.i18n import Text, Voice, _
from bot.messages import Button, Outgoing
from bot.models import Broadcast, Lease, Notice, Place, WeatherAlert, WeatherWarning
from bot.services import audit, authority, places, weather_notices
from bot.services.authority import Member
from bot.services.broadcasts import composing, editors, states
from bot.services.broadcasts.audience import Audience
from bot.services.broadcasts.findings import NOBODY, Blocked
from bot.services.broadcasts.newsroom import Newsroom
from bot.services.city import County
from bot.services.weather_words import KINDS as KINDS
from bot.services.weather_words import LEVELS as LEVELS
from bot.services.weather_words import SEVERE
from bot.services.weather_words import Prepared as Prepared
from bot.services.weather_words import prepared as prepared

STATES: dict[str, Text] = {
    "proposed": _("Proposed"),
    "in_force": _("In force"),
    "dismissed": _("Dropped"),
    "over": _("Over"),
}
LONGEST = timedelta(days=5)


class NoSuchWarning(Problem):
    text = _("There is no such weather warning any more.")


class BadWarning(Problem):
    text = _("A warning ends after it begins, and within five days.")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A warning with what its approval does: the broadcast, and the names of places that stay open longer.

    `is_told` is false where the broadcast is cancelled, as it is when nobody would have got it.
    """

    id: int
    kind: str
    level: str
    starts_at: datetime
    ends_at: datetime
    counties: tuple[str, ...]
    state: str
    origin: str
    broadcast_id: int | None
    is_told: bool
    places: tuple[str, ...]


async def propose(
    db: AsyncSession,
    member: Member | None,
    *,
    kind: str,
    level: str,
    starts_at: datetime,
    ends_at: datetime,
    counties: Sequence[str] = (),
    places_in: Mapping[str, County],
    words: Prepared,
    newsroom: Newsroom,
    now: datetime,
) -> int:
    """Note a level and hand its prepared notice in for approval, shown to whoever may approve it; returns its number.

    `places_in` are the city's counties by code.

    `member` None is the forecast. While one of the same kind, level and counties is proposed or in force, that one is
    returned. Raises NotAllowed, BadWarning.
    """
    if member:
        authority.require(member, "weather.propose", counties=counties)
    if kind not in KINDS or level not in LEVELS or not starts_at < ends_at <= starts_at + LONGEST or ends_at <= now:
        raise BadWarning
    await _in_turn(db, kind, now)
    same = select(WeatherWarning).where(
        WeatherWarning.kind == kind,
        WeatherWarning.level == level,
        WeatherWarning.state.in_(("proposed", "in_force")),
        WeatherWarning.ends_at > now,
    )
    for other in await db.scalars(same):
        if set(other.counties) == set(counties):
            return other.id
    notice = await weather_notices.prepare(db, kind, level, words, ends_at=ends_at, now=now)
    broadcast = Broadcast(
        notice.id,
        created_at=now,
        state="in_review",
        audience=Audience(counties=tuple(counties)).to_json(),
        starts_at=starts_at if starts_at > now else None,
        author_id=member.id if member else None,
        previewed_at=now,
    )
    db.add(broadcast)
    await db.flush()
    warning = WeatherWarning(
        kind,
        level=level,
        starts_at=starts_at,
        ends_at=ends_at,
        created_at=now,
        origin="staff" if member else "forecast",
        counties=list(counties),
        broadcast_id=broadcast.id,
        author_id=member.id if member else None,
    )
    db.add(warning)
    await db.flush()
    after = {"kind": kind, "level": level, "counties": list(counties), "broadcast": broadcast.id}
    await audit.record(db, member, "weather.propose", f"weather:{warning.id}", now=now, after=after)
    shown = await proposal(db, warning.id)
    await _tell_approvers(
        db,
        warning,
        lambda voice: letter(shown, voice, places_in, words),
        newsroom=newsroom,
        now=now,
    )
    return warning.id


async def of_broadcast(db: AsyncSession, broadcast_id: int) -> int | None:
    """The warning that a broadcast was prepared for, if any: the two are approved together."""
    query = select(WeatherWarning.id).where(WeatherWarning.broadcast_id == broadcast_id)
    found: int | None = await db.scalar(query)
    return found


def letter(proposal: Proposal, voice: Voice, places_in: Mapping[str, County], words: Prepared) -> Outgoing:
    """What staff read of a warning, with what can be done to it now."""
    text = words.texts(proposal.kind, proposal.level)[voice.locale]
    where = "、".join(places_in[code].called(voice.locale) for code in proposal.counties if code in places_in)
    said = _(
        "{state}: {kind}, {level}, {where}, until {until}\nNotice: {title}\n{body}\n"
        "Open longer: {count} places {names}",
        state=STATES[proposal.state],
        kind=KINDS[proposal.kind],
        level=LEVELS[proposal.level],
        where=where or _("the whole city"),
        until=proposal.ends_at,
        title=text["title"],
        body=text["body"],
        count=len(proposal.places),
        names="、".join(proposal.places[:5]),
    )
    lines = [voice.word(said)]
    if proposal.state == "in_force" and not proposal.is_told:
        lines.append(voice.word(_("Its notice goes to nobody: only the hours change.")))
    if proposal.origin == "forecast" and proposal.state == "proposed":
        lines.append(voice.word(_("The forecast proposes it by itself: look at what the weather service says first.")))
    match proposal.state:
        case "proposed":
            buttons = [(_("✓ Approve both"), f"wxok.{proposal.id}"), (_("✕ Drop it"), f"wxno.{proposal.id}")]
        case "in_force":
            buttons = [(_("End it now"), f"wxend.{proposal.id}")]
        case _:
            buttons = []
    row = tuple(Button(voice.word(label), token) for label, token in buttons)
    return Outgoing("\n".join(lines), (row,) if row else ())


async def approve(
    db: AsyncSession, member: Member, warning_id: int, *, newsroom: Newsroom, database: Database, now: datetime
) -> bool:
    """Let the notice go and keep the places open longer until the warning ends; whether it is in force now.

    Words that nobody wrote and no two people have stood for yet, as a forecast may propose them, need two approvals:
    the first only makes this member their author. Where nobody would get the notice, it is cancelled and the hours
    begin. Raises what `composing.approve` raises.
    """
    warning = await _found(db, warning_id)
    authority.require(member, "weather.approve", counties=warning.counties)
    if warning.author_id is None and not await weather_notices.is_reviewed(db, warning):
        await _stand_for(db, member, warning, newsroom=newsroom, now=now)
        return False
    taken = update(WeatherWarning).where(WeatherWarning.id == warning_id, WeatherWarning.state == "proposed")
    if not await rows_changed(db, taken.values(state="in_force", approver_id=member.id)):
        raise states.Overtaken
    is_told = await _told(db, member, warning, newsroom=newsroom, now=now)
    extended = update(Place).where(*_extends(warning.counties))
    later = func.coalesce(Place.weather_until, warning.ends_at)
    until = {
        "weather_until": func.max(later, warning.ends_at) if _is_sqlite(db) else func.greatest(later, warning.ends_at)
    }
    if await rows_changed(db, extended.values(until).execution_options(synchronize_session=False)):
        await places.changed(db, database)
    if warning.level in SEVERE:
        await _spare(db, warning, newsroom.zone)
    await audit.record(db, member, "weather.approve", f"weather:{warning_id}", now=now, after={"told": is_told})
    return True


async def dismiss(db: AsyncSession, member: Member, warning_id: int, *, now: datetime) -> None:
    """No warning after all: its notice is cancelled before anybody got it. Raises NotAllowed, Overtaken."""
    warning = await _found(db, warning_id)
    authority.require(member, "weather.propose", counties=warning.counties)
    taken = update(WeatherWarning).where(WeatherWarning.id == warning_id, WeatherWarning.state == "proposed")
    if not await rows_changed(db, taken.values(state="dismissed")):
        raise states.Overtaken
    await _call_off(db, warning, now)
    await audit.record(db, member, "weather.dismiss", f"weather:{warning_id}", now=now)


async def lift(db: AsyncSession, member: Member, warning_id: int, *, database: Database, now: datetime) -> None:
    """The weather is over earlier than thought: the hours go back, what was not sent yet is cancelled."""
    warning = await _found(db, warning_id)
    authority.require(member, "weather.approve", counties=warning.counties)
    ended = update(WeatherWarning).where(WeatherWarning.id == warning_id, WeatherWarning.state == "in_force")
    if not await rows_changed(db, ended.values(ends_at=now)):
        raise states.Overtaken
    told = select(Broadcast.notice_id).where(Broadcast.id == warning.broadcast_id).scalar_subquery()
    await db.execute(update(Notice).where(Notice.id == told).values(valid_until=now))
    await audit.record(db, member, "weather.lift", f"weather:{warning_id}", now=now)
    await sweep(db, database=database, now=now)


async def sweep(db: AsyncSession, *, database: Database, now: datetime) -> int:
    """End what is over: the places go back to their own hours. Returns how many warnings ended; twice is harmless."""
    over = list(
        await db.scalars(
            select(WeatherWarning).where(WeatherWarning.state == "in_force", WeatherWarning.ends_at <= now)
        )
    )
    if not over:
        return 0
    ended = update(WeatherWarning).where(WeatherWarning.id.in_([warning.id for warning in over]))
    await db.execute(ended.values(state="over"))
    lasting = await db.scalars(select(WeatherWarning).where(WeatherWarning.state == "in_force"))
    kept = [(set(warning.counties), warning.ends_at) for warning in lasting]
    longer = await db.execute(select(Place.id, Place.county).where(Place.weather_until.is_not(None)))
    until: dict[datetime | None, list[int]] = {}
    for place_id, county in longer:
        ends = [end for counties, end in kept if not counties or county in counties]
        until.setdefault(max(ends, default=None), []).append(place_id)
    for end, place_ids in until.items():
        await db.execute(update(Place).where(Place.id.in_(place_ids)).values(weather_until=end))
    await places.changed(db, database)
    return len(over)


async def current(db: AsyncSession, *, now: datetime) -> list[Proposal]:
    """What is proposed or in force, the newest first."""
    query = _with_notice().where(
        or_(
            WeatherWarning.state == "in_force",
            (WeatherWarning.state == "proposed") & (WeatherWarning.ends_at > now),
        )
    )
    warnings = (await db.execute(query.order_by(WeatherWarning.id.desc()).limit(50))).all()
    extending = (await db.execute(select(Place.name, Place.county).where(*_extends(())).order_by(Place.id))).all()
    return [_proposal(warning, is_told, extending) for warning, is_told in warnings]


async def proposal(db: AsyncSession, warning_id: int) -> Proposal:
    """One of them, whatever its state; raises NoSuchWarning."""
    found = _with_notice().where(WeatherWarning.id == warning_id).execution_options(populate_existing=True)
    row = (await db.execute(found)).one_or_none()
    if row is None:
        raise NoSuchWarning
    warning, is_told = row
    query = select(Place.name, Place.county).where(*_extends(warning.counties)).order_by(Place.id)
    return _proposal(warning, is_told, (await db.execute(query)).all())


def _with_notice() -> Select[WeatherWarning, bool]:
    """Warnings, and whether their notice goes to riders or may yet."""
    is_told = func.coalesce(Broadcast.state != "cancelled", false())
    return select(WeatherWarning, is_told).outerjoin(Broadcast, Broadcast.id == WeatherWarning.broadcast_id)


def _proposal(warning: WeatherWarning, is_told: bool, extending: Sequence[Any]) -> Proposal:
    names = (name for name, county in extending if not warning.counties or county in warning.counties)
    return Proposal(
        id=warning.id,
        kind=warning.kind,
        level=warning.level,
        starts_at=warning.starts_at,
        ends_at=warning.ends_at,
        counties=tuple(warning.counties),
        state=warning.state,
        origin=warning.origin,
        broadcast_id=warning.broadcast_id,
        is_told=is_told,
        places=tuple(names),
    )


async def _told(
    db: AsyncSession, member: Member, warning: WeatherWarning, *, newsroom: Newsroom, now: datetime
) -> bool:
    """Let the warning's notice go, if there is anybody to read it; raises what `composing.approve` raises."""
    if warning.broadcast_id is None:
        return False
    try:
        await composing.approve(db, member, warning.broadcast_id, newsroom=newsroom, now=now)
    except Blocked as blocked:
        if blocked.blockers != (NOBODY,):
            raise
        await _call_off(db, warning, now)
        return False
    await weather_notices.remember_review(db, warning)
    return True


async def _call_off(db: AsyncSession, warning: WeatherWarning, now: datetime) -> None:
    """Cancel the notice before anybody got it."""
    if warning.broadcast_id is not None:
        gone = update(Broadcast).where(Broadcast.id == warning.broadcast_id, Broadcast.state == "in_review")
        await db.execute(gone.values(state="cancelled", finished_at=now))


async def _in_turn(db: AsyncSession, kind: str, now: datetime) -> None:
    """Let nobody else propose this kind until this transaction ends, so that of two who press at once one does."""
    values = {"holder": "", "until": now}
    mine = insert(db, Lease).values(name=f"weather {kind}", **values)
    await db.execute(mine.on_conflict_do_update(index_elements=["name"], set_=values))


async def _tell_approvers(
    db: AsyncSession, warning: WeatherWarning, said: editors.Letter, *, newsroom: Newsroom, now: datetime
) -> None:
    """Say it in the chats of everybody but its author who may approve it."""
    await editors.tell_staff(
        db,
        lambda one: (
            one.id != warning.author_id
            and authority.may(one, "weather.approve")
            and authority.is_within(one, warning.counties)
        ),
        said,
        key=f"weather:{warning.id}:{warning.author_id or 0}",
        newsroom=newsroom,
        now=now,
    )


async def _stand_for(
    db: AsyncSession, member: Member, warning: WeatherWarning, *, newsroom: Newsroom, now: datetime
) -> None:
    """Make `member` the author of what nobody proposed, and ask the others; raises Overtaken."""
    nobodys = update(WeatherWarning).where(WeatherWarning.id == warning.id, WeatherWarning.state == "proposed")
    if not await rows_changed(db, nobodys.where(WeatherWarning.author_id.is_(None)).values(author_id=member.id)):
        raise states.Overtaken
    await db.execute(update(Broadcast).where(Broadcast.id == warning.broadcast_id).values(author_id=member.id))
    await audit.record(db, member, "weather.stand_for", f"weather:{warning.id}", now=now)
    said = _(
        "{login} stands for the words of the warning “{kind}, {level}”. Nobody has reviewed them before: it takes a "
        "second person to approve them.",
        login=member.login,
        kind=KINDS[warning.kind],
        level=LEVELS[warning.level],
    )
    warning = await _found(db, warning.id)

    def letter(voice: Voice) -> Outgoing:
        yes = Button(voice.word(_("✓ Approve both")), f"wxok.{warning.id}")
        return Outgoing(voice.word(said), ((yes, Button(voice.word(_("✕ Drop it")), f"wxno.{warning.id}")),))

    await _tell_approvers(db, warning, letter, newsroom=newsroom, now=now)


async def _found(db: AsyncSession, warning_id: int) -> WeatherWarning:
    query = select(WeatherWarning).where(WeatherWarning.id == warning_id)
    warning: WeatherWarning | None = await db.scalar(query.execution_options(populate_existing=True))
    if warning is None:
        raise NoSuchWarning
    return warning


async def _spare(db: AsyncSession, warning: WeatherWarning, zone: ZoneInfo) -> None:
    """On these days nobody is counted as not having come."""
    day, last = warning.starts_at.astimezone(zone).date(), warning.ends_at.astimezone(zone).date()
    rows = [{"day": day + timedelta(days=n), "level": warning.level} for n in range((last - day).days + 1)]
    await db.execute(insert(db, WeatherAlert).values(rows).on_conflict_do_nothing())


def _extends(counties: Sequence[str]) -> list[ColumnElement[bool]]:
    """Places that stay open longer in bad weather; without `counties`, all of them."""
    conditions: list[ColumnElement[bool]] = [Place.weather_hours != "", Place.state == "published"]
    return [*conditions, Place.county.in_(counties)] if counties else conditions


def _is_sqlite(db: AsyncSession) -> bool:
    return db.get_bind().dialect.name == "sqlite"
