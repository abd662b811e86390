"""Weather levels: staff press a colour, which proposes a prepared notice and longer hours; one approval does both."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Database, insert, rows_changed
from bot.errors import Problem
from bot.i18n import LOCALES, Text, Voice, _
from bot.messages import Button, Outgoing
from bot.models import Broadcast, Notice, Place, WeatherAlert, WeatherWarning
from bot.services import audit, authority, places
from bot.services.authority import Member
from bot.services.broadcasts import composing, editors, states
from bot.services.broadcasts.audience import Audience
from bot.services.broadcasts.newsroom import Newsroom
from bot.services.city import County

KINDS: dict[str, Text] = {
    "snow": _("Snow"),
    "ice": _("Icy roads"),
    "fog": _("Fog"),
    "gale": _("Gale"),
    "cold_wave": _("Cold wave"),
}
LEVELS: dict[str, Text] = {"blue": _("Blue"), "yellow": _("Yellow"), "orange": _("Orange"), "red": _("Red")}
STATES: dict[str, Text] = {
    "proposed": _("Proposed"),
    "in_force": _("In force"),
    "dismissed": _("Dropped"),
    "over": _("Over"),
}
URGENCIES = {"blue": "normal", "yellow": "important", "orange": "red", "red": "red"}
SEVERE = frozenset({"orange", "red"})
LONGEST = timedelta(days=5)
_COLOURS = {
    "zh_CN": {"blue": "蓝色", "yellow": "黄色", "orange": "橙色", "red": "红色"},
    "zh_TW": {"blue": "藍色", "yellow": "黃色", "orange": "橙色", "red": "紅色"},
    "en": {"blue": "blue", "yellow": "yellow", "orange": "orange", "red": "red"},
}
_TITLES = {"zh_CN": "{name}{colour}预警", "zh_TW": "{name}{colour}預警", "en": "{name}: {colour} warning"}


class NoSuchWarning(Problem):
    text = _("There is no such weather warning any more.")


class BadWarning(Problem):
    text = _("A warning ends after it begins, and within five days.")


@dataclass(frozen=True, slots=True)
class Prepared:
    """The words of every kind, as the city keeps them."""

    source: str
    kinds: Mapping[str, Mapping[str, Any]]

    def texts(self, kind: str, level: str) -> dict[str, Any]:
        """Title and body of a level in every language."""
        texts = {}
        for locale in LOCALES:
            words = self.kinds[kind][locale]
            title = _TITLES[locale].format(name=words["name"], colour=_COLOURS[locale][level])
            severe = [words["severe"]] if level in SEVERE else []
            texts[locale] = {"title": title, "body": "\n".join((words["body"], *severe))}
        return texts


@dataclass(frozen=True, slots=True)
class Proposal:
    """A warning with what its approval does: the broadcast, and the names of places that stay open longer."""

    id: int
    kind: str
    level: str
    starts_at: datetime
    ends_at: datetime
    counties: tuple[str, ...]
    state: str
    origin: str
    broadcast_id: int | None
    places: tuple[str, ...]


def prepared(folder: Path) -> Prepared:
    """The city's prepared words, from `weather.toml` in its folder; raises KeyError where a kind is missing."""
    kept = tomllib.loads((folder / "weather.toml").read_text(encoding="utf-8"))
    return Prepared(kept["source"], {kind: kept["kinds"][kind] for kind in KINDS})


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
    same = select(WeatherWarning).where(
        WeatherWarning.kind == kind,
        WeatherWarning.level == level,
        WeatherWarning.state.in_(("proposed", "in_force")),
        WeatherWarning.ends_at > now,
    )
    for other in await db.scalars(same):
        if set(other.counties) == set(counties):
            return other.id
    notice = await _notice(db, kind, level, words, ends_at=ends_at, now=now)
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
    await editors.tell_staff(
        db,
        lambda one: (
            one.id != warning.author_id and authority.may(one, "weather.approve") and authority.is_within(one, counties)
        ),
        lambda voice: letter(shown, voice, places_in, words),
        key=f"weather:{warning.id}",
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
    match proposal.state:
        case "proposed":
            buttons = [(_("✓ Approve both"), f"wxok.{proposal.id}"), (_("✕ Drop it"), f"wxno.{proposal.id}")]
        case "in_force":
            buttons = [(_("End it now"), f"wxend.{proposal.id}")]
        case _:
            buttons = []
    row = tuple(Button(voice.word(label), token) for label, token in buttons)
    return Outgoing(voice.word(said), (row,) if row else ())


async def approve(
    db: AsyncSession, member: Member, warning_id: int, *, newsroom: Newsroom, database: Database, now: datetime
) -> None:
    """Let the notice go and keep the places open longer until the warning ends.

    Raises what `composing.approve` raises: the second person is asked for there.
    """
    warning = await _found(db, warning_id)
    authority.require(member, "weather.approve", counties=warning.counties)
    taken = update(WeatherWarning).where(WeatherWarning.id == warning_id, WeatherWarning.state == "proposed")
    if not await rows_changed(db, taken.values(state="in_force", approver_id=member.id)):
        raise states.Overtaken
    if warning.broadcast_id is not None:
        await composing.approve(db, member, warning.broadcast_id, newsroom=newsroom, now=now)
        await _remember_review(db, warning)
    extended = update(Place).where(*_extends(warning.counties))
    later = func.coalesce(Place.weather_until, warning.ends_at)
    until = {
        "weather_until": func.max(later, warning.ends_at) if _is_sqlite(db) else func.greatest(later, warning.ends_at)
    }
    if await rows_changed(db, extended.values(until).execution_options(synchronize_session=False)):
        await places.changed(db, database)
    if warning.level in SEVERE:
        await _spare(db, warning, newsroom.zone)
    await audit.record(db, member, "weather.approve", f"weather:{warning_id}", now=now)


async def dismiss(db: AsyncSession, member: Member, warning_id: int, *, now: datetime) -> None:
    """No warning after all: its notice is cancelled before anybody got it. Raises NotAllowed, Overtaken."""
    warning = await _found(db, warning_id)
    authority.require(member, "weather.propose", counties=warning.counties)
    taken = update(WeatherWarning).where(WeatherWarning.id == warning_id, WeatherWarning.state == "proposed")
    if not await rows_changed(db, taken.values(state="dismissed")):
        raise states.Overtaken
    if warning.broadcast_id is not None:
        gone = update(Broadcast).where(Broadcast.id == warning.broadcast_id, Broadcast.state == "in_review")
        await db.execute(gone.values(state="cancelled", finished_at=now))
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
    query = select(WeatherWarning).where(
        or_(
            WeatherWarning.state == "in_force",
            (WeatherWarning.state == "proposed") & (WeatherWarning.ends_at > now),
        )
    )
    warnings = list(await db.scalars(query.order_by(WeatherWarning.id.desc()).limit(50)))
    extending = (await db.execute(select(Place.name, Place.county).where(*_extends(())).order_by(Place.id))).all()
    return [_proposal(warning, extending) for warning in warnings]


async def proposal(db: AsyncSession, warning_id: int) -> Proposal:
    """One of them, whatever its state; raises NoSuchWarning."""
    warning = await _found(db, warning_id)
    query = select(Place.name, Place.county).where(*_extends(warning.counties)).order_by(Place.id)
    return _proposal(warning, (await db.execute(query)).all())


def _proposal(warning: WeatherWarning, extending: Sequence[Any]) -> Proposal:
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
        places=tuple(names),
    )


async def _found(db: AsyncSession, warning_id: int) -> WeatherWarning:
    query = select(WeatherWarning).where(WeatherWarning.id == warning_id)
    warning: WeatherWarning | None = await db.scalar(query.execution_options(populate_existing=True))
    if warning is None:
        raise NoSuchWarning
    return warning


async def _notice(
    db: AsyncSession, kind: str, level: str, words: Prepared, *, ends_at: datetime, now: datetime
) -> Notice:
    """This warning's own notice; reviewed already if its words are those that two people stood for."""
    texts = words.texts(kind, level)
    urgency = URGENCIES[level]
    buttons = (
        [{"kind": answer, "target": "", "label": ""} for answer in ("received", "help")] if urgency == "red" else []
    )
    content: dict[str, Any] = {"texts": texts, "urgency": urgency, "buttons": buttons, "source": words.source}
    base_code = f"weather-{kind}-{level}"
    base = await db.scalar(select(Notice).where(Notice.code == base_code))
    if base is None:
        base = Notice(code=base_code, category="weather", created_at=now, **content)
        db.add(base)
    elif any(getattr(base, name) != value for name, value in content.items()):
        for name, value in content.items():
            setattr(base, name, value)
        base.version += 1
    is_reviewed = base.reviewed_version == base.version
    notice = Notice(
        code=f"{base_code}-{int(now.timestamp() * 1000):x}",
        category="weather",
        created_at=now,
        valid_until=ends_at,
        late="send",
        reviewed_version=1 if is_reviewed else None,
        **content,
    )
    db.add(notice)
    await db.flush()
    return notice


async def _remember_review(db: AsyncSession, warning: WeatherWarning) -> None:
    """The prepared words now have two people behind them, if it was these that they looked at."""
    told = select(Notice.texts).join(Broadcast, Broadcast.notice_id == Notice.id)
    texts = await db.scalar(told.where(Broadcast.id == warning.broadcast_id))
    base = await db.scalar(select(Notice).where(Notice.code == f"weather-{warning.kind}-{warning.level}"))
    if base is not None and base.texts == texts:
        base.reviewed_version = base.version
        await db.flush()


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
