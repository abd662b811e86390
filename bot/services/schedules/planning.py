"""What staff do with schedules: plan, approve, pause and resume one, and see when each fires next."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import Problem
from bot.i18n import Text, _
from bot.models import Notice, Schedule, Season
from bot.services import audit, authority, notices
from bot.services.authority import Member
from bot.services.broadcasts.audience import Audience
from bot.services.schedules import rules
from bot.services.schedules.firing import held_back
from bot.services.schedules.rules import Rule


class NoSuchSchedule(Problem):
    text = _("There is no such schedule.")


class OwnPlan(Problem):
    text = _("Somebody else has to approve what you planned yourself.")


@dataclass(frozen=True, slots=True)
class Planned:
    """A schedule as staff see it. `fires` are the next ten in UTC, none while it is off.

    `trouble` says why it tells nothing at present.
    """

    id: int
    code: str
    title: str
    rule: Rule
    audience: Audience
    season: str
    is_on: bool
    is_approved: bool
    fired_at: datetime | None
    fires: tuple[datetime, ...]
    trouble: Text | None


async def plan(
    db: AsyncSession,
    member: Member,
    notice_id: int,
    *,
    code: str,
    rule: Mapping[str, Any],
    audience: Audience,
    now: datetime,
    zone: ZoneInfo,
) -> int:
    """Tell a notice by a rule from now on; what fires before somebody else approved the plan waits for the staff.

    Raises UnreadableRule or NotAllowed; IntegrityError for a code that is taken.
    """
    authority.require(member, "schedule.write", counties=audience.counties)
    read = rules.read(rule)
    schedule = Schedule(
        code=code,
        notice_id=notice_id,
        rule=rules.written(read),
        created_at=now,
        audience=audience.to_json(),
        next_at=next(rules.fires(read, now, zone), None),
        author_id=member.id,
    )
    db.add(schedule)
    await db.flush()
    await audit.record(db, member, "schedule.plan", f"schedule:{schedule.id}", now=now, after=schedule.rule)
    return schedule.id


async def approve(db: AsyncSession, member: Member, schedule_id: int, *, now: datetime) -> None:
    """Stand for a plan of somebody else. Raises OwnPlan, NotAllowed or NoSuchSchedule."""
    authority.require(member, "notice.approve")
    schedule = await _locked(db, schedule_id)
    if schedule.author_id == member.id:
        raise OwnPlan
    schedule.approver_id = member.id
    await audit.record(db, member, "schedule.approve", f"schedule:{schedule_id}", now=now)


async def pause(db: AsyncSession, member: Member, schedule_id: int, *, now: datetime) -> None:
    """Nothing more comes of it until it is resumed; pausing again changes nothing."""
    schedule = await _switched(db, member, schedule_id)
    if schedule.is_on:
        schedule.is_on = False
        await audit.record(db, member, "schedule.pause", f"schedule:{schedule_id}", now=now)


async def resume(db: AsyncSession, member: Member, schedule_id: int, *, now: datetime, zone: ZoneInfo) -> None:
    """Go on from now; what would have fired meanwhile is not made up for. In a season that is off it waits for it."""
    schedule = await _switched(db, member, schedule_id)
    if schedule.is_on:
        return
    schedule.is_on = True
    is_awake = not schedule.season or await db.get(Season, schedule.season) is not None
    schedule.next_at = next(rules.fires(rules.read(schedule.rule), now, zone), None) if is_awake else None
    await audit.record(db, member, "schedule.resume", f"schedule:{schedule_id}", now=now)


async def listed(db: AsyncSession, *, locale: str, now: datetime, zone: ZoneInfo) -> list[Planned]:
    """Every schedule, the next to fire first."""
    query = select(Schedule, Notice).join(Notice, Notice.id == Schedule.notice_id)
    query = query.order_by(Schedule.next_at.is_(None), Schedule.next_at, Schedule.code)
    return [_planned(schedule, notice, locale, now, zone) for schedule, notice in await db.execute(query)]


def _planned(schedule: Schedule, notice: Notice, locale: str, now: datetime, zone: ZoneInfo) -> Planned:
    rule = rules.read(schedule.rule)
    title, _body, _is_fallback = notices.words_of(notice, locale)
    is_awake = schedule.is_on and schedule.next_at is not None
    return Planned(
        schedule.id,
        schedule.code,
        title,
        rule,
        Audience.from_json(schedule.audience),
        schedule.season,
        schedule.is_on,
        bool(schedule.season or schedule.approver_id),
        schedule.fired_at,
        tuple(rules.next_fires(rule, now, zone)) if is_awake else (),
        held_back(notice, now.astimezone(zone).date(), now),
    )


async def _switched(db: AsyncSession, member: Member, schedule_id: int) -> Schedule:
    schedule = await _locked(db, schedule_id)
    authority.require(member, "schedule.switch", counties=schedule.audience.get("counties", ()))
    return schedule


async def _locked(db: AsyncSession, schedule_id: int) -> Schedule:
    schedule = await db.get(Schedule, schedule_id, with_for_update=True)
    if schedule is None:
        raise NoSuchSchedule
    return schedule
