"""Series of notices that ship with a city, such as its winter: a file each, switched on and off as a whole."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import insert, rows_changed
from bot.errors import Problem
from bot.i18n import LOCALES, _
from bot.models import Notice, Schedule, Season
from bot.services import audit, authority, notices
from bot.services.authority import Member
from bot.services.broadcasts.audience import Audience
from bot.services.notices import NoticeButton, Words
from bot.services.schedules import rules
from bot.services.schedules.rules import Rule

log = structlog.get_logger(__name__)


class NoSuchSeason(Problem):
    """No file of that name; its words list those that there are."""

    def __init__(self, folder: Path) -> None:
        known = ", ".join(names(folder)) or "-"
        super().__init__(_("There is no season of that name. There are: {names}.", names=known))


@dataclass(frozen=True, slots=True)
class Entry:
    """One notice of a series with its schedule, both under one code; `content` are columns of the notice."""

    code: str
    content: Mapping[str, Any]
    rule: Rule
    audience: Audience


@dataclass(frozen=True, slots=True)
class Report:
    """What switching on came to, by codes.

    `edited` differ from the file because staff changed them, `off` were switched off by staff: both are left alone.
    `gone` are no longer in the file. `unreviewed` are past their review date and are held back.
    """

    made: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)
    off: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    unreviewed: list[str] = field(default_factory=list)


def names(folder: Path) -> list[str]:
    """The seasons of the city whose profile is in `folder`."""
    return sorted(file.stem for file in (folder / "seasons").glob("*.toml"))


def load(folder: Path, name: str) -> list[Entry]:
    """The series `name` of the city in `folder`. Raises NoSuchSeason, KeyError, ValueError or Problem."""
    if not re.fullmatch(r"[a-z0-9-]+", name) or name not in names(folder):
        raise NoSuchSeason(folder)
    data = tomllib.loads((folder / "seasons" / f"{name}.toml").read_text("utf-8"))
    span = {"from": data["from"], "to": data["to"]}
    return [_entry(table, span) for table in data["notice"]]


async def switched_on(db: AsyncSession) -> frozenset[str]:
    """The seasons that are on."""
    return frozenset(await db.scalars(select(Season.name)))


async def switch_on(
    db: AsyncSession, folder: Path, name: str, *, member: Member | None, now: datetime, zone: ZoneInfo
) -> Report:
    """Bring the notices and schedules of a season up to its file and let them fire; again changes nothing.

    What the file says counts as reviewed. Raises NotAllowed, NoSuchSeason.
    """
    if member:
        authority.require(member, "season.switch")
    entries = load(folder, name)
    was_on = await db.get(Season, name) is not None
    row = {"name": name, "on_since": now, "staff_id": member.id if member else None}
    # A second switch at the same time waits here for the first.
    await db.execute(insert(db, Season).values(row).on_conflict_do_update(index_elements=["name"], set_={"name": name}))
    report = Report()
    for entry in entries:
        notice = await _put_notice(db, entry, report, now)
        await _put_schedule(db, entry, notice, name, report, now, zone)
        if notice.review_by and notice.review_by < now.astimezone(zone).date():
            report.unreviewed.append(entry.code)
            log.warning("notice held back", notice=entry.code, review_by=notice.review_by.isoformat())
    report.gone.extend(await _retire(db, name, {entry.code for entry in entries}))
    if not was_on or report.made or report.changed:
        after = {"made": report.made, "changed": report.changed, "edited": report.edited, "off": report.off}
        await audit.record(db, member, "season.on", f"season:{name}", now=now, after=after)
    return report


async def switch_off(db: AsyncSession, name: str, *, member: Member | None, now: datetime) -> bool:
    """Let nothing of a season fire any more; returns whether it was on. What staff switched off stays noted."""
    if member:
        authority.require(member, "season.switch")
    if not await rows_changed(db, delete(Season).where(Season.name == name)):
        return False
    await db.execute(update(Schedule).where(Schedule.season == name).values(next_at=None))
    await audit.record(db, member, "season.off", f"season:{name}", now=now)
    return True


async def _put_notice(db: AsyncSession, entry: Entry, report: Report, now: datetime) -> Notice:
    """The notice as the file has it; one that staff changed, who are then its author, stays theirs."""
    notice = await db.scalar(select(Notice).where(Notice.code == entry.code).with_for_update())
    if notice is None:
        notice = Notice(code=entry.code, created_at=now, reviewed_version=1, **entry.content)
        db.add(notice)
        await db.flush()
        report.made.append(entry.code)
    elif any(getattr(notice, name) != value for name, value in entry.content.items()):
        if notice.author_id is not None:
            report.edited.append(entry.code)
            return notice
        for name, value in entry.content.items():
            setattr(notice, name, value)
        notice.version += 1
        notice.reviewed_version = notice.version
        report.changed.append(entry.code)
    return notice


async def _put_schedule(
    db: AsyncSession, entry: Entry, notice: Notice, season: str, report: Report, now: datetime, zone: ZoneInfo
) -> None:
    schedule = await db.scalar(select(Schedule).where(Schedule.code == entry.code).with_for_update())
    rule, audience = rules.written(entry.rule), entry.audience.to_json()
    if schedule is None:
        schedule = Schedule(entry.code, notice.id, rule, created_at=now, audience=audience, season=season)
        db.add(schedule)
    elif (schedule.rule, schedule.audience) != (rule, audience):
        schedule.rule, schedule.audience, schedule.next_at = rule, audience, None
        if entry.code not in report.changed:
            report.changed.append(entry.code)
    if not schedule.is_on:
        report.off.append(entry.code)
    elif schedule.next_at is None:
        schedule.next_at = next(rules.fires(entry.rule, now, zone), None)


async def _retire(db: AsyncSession, season: str, codes: set[str]) -> list[str]:
    """Stop the schedules of a season that its file no longer has; returns their codes."""
    gone = update(Schedule).where(Schedule.season == season, Schedule.code.not_in(codes), Schedule.next_at.is_not(None))
    stopped = gone.values(next_at=None).returning(Schedule.code).execution_options(synchronize_session=False)
    return sorted(await db.scalars(stopped))


def _entry(table: Mapping[str, Any], span: Mapping[str, str]) -> Entry:
    reviewed, review_by = table["reviewed"], table["review_by"]
    if not (isinstance(reviewed, date) and isinstance(review_by, date)):
        raise ValueError(f"{table['code']}: reviewed and review_by are dates")
    category, urgency, late = table["category"], table["urgency"], table["late"]
    if not (category in notices.CATEGORIES and urgency in notices.RANKS and late in notices.LATE):
        raise ValueError(f"{table['code']}: category, urgency or late is unknown")
    texts = {locale: Words(table[locale]["title"], table[locale]["body"]) for locale in LOCALES if locale in table}
    buttons = [NoticeButton(**button) for button in table.get("buttons", ())]
    content = {
        "category": category,
        "urgency": urgency,
        "late": late,
        "texts": notices.checked_texts(texts),
        "buttons": notices.checked_buttons(buttons),
        "source": f"{table['source']}（{reviewed.isoformat()} 核对）",
        "review_by": review_by,
    }
    audience = Audience(vehicles=tuple(table.get("vehicles", ())))
    return Entry(table["code"], content, rules.read({**table["rule"], **span}), audience)
