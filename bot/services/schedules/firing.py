"""What makes broadcasts of schedules: each fire once, however many workers look, and what was missed but once."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Database, insert, rows_changed
from bot.i18n import Text, _
from bot.models import Broadcast, Notice, Schedule
from bot.services import audit
from bot.services.broadcasts import composing, editors, states
from bot.services.broadcasts.audience import Audience
from bot.services.broadcasts.newsroom import Newsroom
from bot.services.schedules import rules
from bot.services.schedules.rules import Rule, UnreadableRule

log = structlog.get_logger(__name__)

# A fire that is no later than this is on time.
GRACE = timedelta(minutes=10)
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class _Fire:
    """A fire that this process has claimed; `at` is the last one that has come."""

    schedule: Schedule
    notice: Notice
    at: datetime
    rule: Rule


async def tick(database: Database, now: datetime, newsroom: Newsroom) -> int:
    """Make the broadcasts whose time has come, one transaction each; returns how many schedules went on.

    Meant to run often, in any number of processes. Of several fires missed in a row only the last one counts. One that
    is late by more than ten minutes is sent, left out or put before the staff, as its notice says.
    """
    async with database.reading() as db:
        due = select(Schedule.id).where(_is_due(now)).order_by(Schedule.next_at, Schedule.id).limit(_AT_ONCE)
        schedule_ids = list(await db.scalars(due))
    done = 0
    for schedule_id in schedule_ids:
        async with database.writing() as db:
            if fire := await _claim(db, schedule_id, now, newsroom.zone):
                await _announce(db, fire, now, newsroom)
                done += 1
    return done


def held_back(notice: Notice, today: date, now: datetime) -> Text | None:
    """Why a schedule does not tell `notice` at present, None if it does; `today` is the city's date."""
    if notice.review_by and notice.review_by < today:
        return _("Held back: somebody has to check it again since {day}.", day=notice.review_by.isoformat())
    if notice.valid_until and notice.valid_until <= now:
        return _("Held back: it is no longer valid.")
    return None


def _is_due(now: datetime) -> ColumnElement[bool]:
    return and_(Schedule.is_on, Schedule.next_at <= now)


async def _claim(db: AsyncSession, schedule_id: int, now: datetime, zone: ZoneInfo) -> _Fire | None:
    """Move a due schedule on to its next fire; None where another process did.

    The second of two that race waits for the first one's row and then finds another `next_at`.
    """
    found = select(Schedule, Notice).join(Notice, Notice.id == Schedule.notice_id)
    row = (await db.execute(found.where(Schedule.id == schedule_id, _is_due(now)))).one_or_none()
    if row is None:
        return None
    schedule, notice = row
    seen = schedule.next_at
    assert seen is not None
    try:
        rule = rules.read(schedule.rule)
    except UnreadableRule:
        log.error("schedule has no readable rule", schedule=schedule.code)
        await _move(db, schedule, seen, next_at=None)
        return None
    missed = takewhile(lambda at: at <= now, rules.fires(rule, seen, zone))
    last = max(missed, default=seen)
    coming = next(rules.fires(rule, now, zone), None)
    is_mine = await _move(db, schedule, seen, next_at=coming, fired_at=last)
    return _Fire(schedule, notice, last, rule) if is_mine else None


async def _move(db: AsyncSession, schedule: Schedule, seen: datetime, **values: datetime | None) -> bool:
    still = (Schedule.id == schedule.id, Schedule.next_at == seen, Schedule.is_on)
    moved = update(Schedule).where(*still).values(values).execution_options(synchronize_session=False)
    return await rows_changed(db, moved) == 1


async def _announce(db: AsyncSession, fire: _Fire, now: datetime, newsroom: Newsroom) -> None:
    """Make the broadcast of a claimed fire, or say in the log why there is none."""
    schedule, notice, zone = fire.schedule, fire.notice, newsroom.zone
    if schedule.season and fire.rule.span:
        # What a season tells is good until the season ends, this year and every year.
        last_day = fire.rule.span.last_day(fire.at.astimezone(zone).date())
        notice.valid_until = datetime.combine(last_day + timedelta(1), time(), zone)
        await db.flush()
    is_late = now - fire.at > GRACE
    if is_late and notice.late == "skip":
        log.warning("late notice left out", schedule=schedule.code, fire_at=fire.at.isoformat())
    elif held_back(notice, now.astimezone(zone).date(), now):
        log.warning("notice held back", schedule=schedule.code, review_by=str(notice.review_by))
    elif (is_late and notice.late == "ask") or not _is_stood_for(schedule, notice):
        await _ask(db, fire, now, newsroom)
    else:
        await composing.announce(
            db,
            notice.id,
            Audience.from_json(schedule.audience),
            starts_at=now,
            author_id=schedule.author_id,
            approver_id=schedule.approver_id,
            schedule_id=schedule.id,
            fire_at=fire.at,
            now=now,
        )


async def _ask(db: AsyncSession, fire: _Fire, now: datetime, newsroom: Newsroom) -> None:
    """Leave the broadcast to the staff, who hear of it: it waits for approval and goes at once when it has it."""
    schedule = fire.schedule
    row = {
        "notice_id": fire.notice.id,
        "created_at": now,
        "state": "in_review",
        "audience": schedule.audience,
        "author_id": _whose(schedule, fire.notice),
        "comment": "",
        "resolved_to": 0,
        "pause_reason": "",
        "schedule_id": schedule.id,
        "fire_at": fire.at,
    }
    statement = insert(db, Broadcast).values(row).on_conflict_do_nothing().returning(Broadcast.id)
    if broadcast_id := await db.scalar(statement):
        after = {"schedule": schedule.id, "fire_at": fire.at.isoformat()}
        await audit.record(db, None, "broadcast.ask", f"broadcast:{broadcast_id}", now=now, after=after)
        broadcast, notice = await states.found(db, broadcast_id)
        counties = Audience.from_json(schedule.audience).counties
        await editors.ask_approval(db, broadcast, notice, counties=counties, newsroom=newsroom, now=now)


def _whose(schedule: Schedule, notice: Notice) -> int | None:
    """Who planned it or changed its words since and cannot approve it alone; nobody where two stand for both."""
    if not (schedule.season or schedule.approver_id):
        return schedule.author_id
    return None if notice.reviewed_version == notice.version else notice.author_id


def _is_stood_for(schedule: Schedule, notice: Notice) -> bool:
    """Whether two people, or the season's file, stand for the plan and for the words as they are."""
    return bool(schedule.season or schedule.approver_id) and notice.reviewed_version == notice.version
