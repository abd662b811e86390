"""What became of a broadcast: counted in the database, without anybody's name."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from bot.models import AuditEntry, Broadcast, Notice, NoticeResponse, Outbound, StaffMember
from bot.services.broadcasts import states
from bot.services.notices import ANSWERS, words_of

# The entry of the audit that keeps the figures of a broadcast whose rows are old enough to be let go of.
PRUNED = "broadcast.prune"


@dataclass(frozen=True, slots=True)
class Recipients:
    """How many recipients of a broadcast are in which state, and how many failed for which reason."""

    states: dict[str, int]
    failures: dict[str, int]


@dataclass(frozen=True, slots=True)
class Report:
    """How many recipients are where. `waiting` is for their next contact, `digest` for the weekly one.

    `read` and `tapped` are known only of some channels; `help` counts calls for help. `is_resolved`: nobody is added.
    `asks_answer`: it has a button to answer by.
    """

    number: int
    state: str
    title: str
    is_resolved: bool
    began_at: datetime | None
    finished_at: datetime | None
    pause_reason: str
    queued: int = 0
    sent: int = 0
    waiting: int = 0
    digest: int = 0
    failed: int = 0
    stopped: int = 0
    muted: int = 0
    expired: int = 0
    cancelled: int = 0
    read: int = 0
    tapped: int = 0
    received: int = 0
    help: int = 0
    asks_answer: bool = False
    failures: Mapping[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Times in ISO."""
        plain = asdict(self)
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in plain.items()}


@dataclass(frozen=True, slots=True)
class Summary:
    """A broadcast as a line of a list; `version` is that of its words."""

    id: int
    state: str
    title: str
    category: str
    urgency: str
    author: str
    approver: str
    created_at: datetime
    starts_at: datetime | None
    version: int
    counties: tuple[str, ...]


async def counted(db: AsyncSession, numbers: Collection[int]) -> dict[int, Recipients]:
    """The recipients of these broadcasts, by their rows."""
    id, mine = Outbound.broadcast_id, Outbound.broadcast_id.in_(numbers)
    # Apart, so that the many rows that did not fail are counted by the index alone.
    by_state = select(id, Outbound.state, func.count()).where(mine).group_by(id, Outbound.state)
    by_reason = select(id, Outbound.error, func.count()).where(mine, Outbound.state == "failed")
    found = {number: Recipients({}, {}) for number in numbers}
    for number, state, count in await db.execute(by_state):
        found[number or 0].states[state] = count
    for number, why, count in await db.execute(by_reason.group_by(id, Outbound.error)):
        found[number or 0].failures[why] = count
    return found


async def kept(db: AsyncSession, numbers: Collection[int]) -> dict[int, Recipients]:
    """The same of those whose rows were let go of, as they were then."""
    subjects = {f"broadcast:{number}": number for number in numbers}
    query = select(AuditEntry.subject, AuditEntry.after).where(AuditEntry.subject.in_(subjects))
    entries = await db.execute(query.where(AuditEntry.action == PRUNED))
    return {subjects[subject]: Recipients(after["states"], after["failures"]) for subject, after in entries}


async def report(db: AsyncSession, broadcast_id: int) -> Report:
    """The broadcast's report at this moment; raises NoSuchBroadcast."""
    broadcast, notice = await states.found(db, broadcast_id)
    recipients = (await kept(db, [broadcast_id]) or await counted(db, [broadcast_id]))[broadcast_id]
    responses = select(
        func.count(NoticeResponse.read_at),
        func.count(NoticeResponse.tapped_at),
        func.count(case((NoticeResponse.reply == "received", 1))),
        func.count(case((NoticeResponse.reply == "help", 1))),
    ).where(NoticeResponse.broadcast_id == broadcast_id)
    read, tapped, received, calls = (await db.execute(responses)).one()
    return Report(
        number=broadcast_id,
        state=broadcast.state,
        title=_title(notice),
        is_resolved=broadcast.resolved_at is not None,
        began_at=broadcast.began_at,
        finished_at=broadcast.finished_at,
        pause_reason=broadcast.pause_reason,
        failures=dict(sorted(recipients.failures.items(), key=lambda item: -item[1])),
        read=read,
        tapped=tapped,
        received=received,
        help=calls,
        asks_answer=any(button["kind"] in ANSWERS for button in notice.buttons),
        **recipients.states,
    )


async def listed(db: AsyncSession, *, limit: int, in_states: Collection[str] = ()) -> list[Summary]:
    """The latest broadcasts, newest first; only those `in_states` if any are named."""
    author, approver = StaffMember.__table__.alias("author"), StaffMember.__table__.alias("approver")
    query = (
        select(Broadcast, Notice, author.c.login.label("author"), approver.c.login.label("approver"))
        .join(Notice, Notice.id == Broadcast.notice_id)
        .outerjoin(author, author.c.id == Broadcast.author_id)
        .outerjoin(approver, approver.c.id == Broadcast.approver_id)
        .order_by(Broadcast.id.desc())
        .limit(limit)
        .options(defer(Notice.picture))
    )
    if in_states:
        query = query.where(Broadcast.state.in_(in_states))
    return [
        Summary(
            id=broadcast.id,
            state=broadcast.state,
            title=_title(notice),
            category=notice.category,
            urgency=notice.urgency,
            author=wrote or "",
            approver=approved or "",
            created_at=broadcast.created_at,
            starts_at=broadcast.starts_at,
            version=notice.version,
            counties=tuple(broadcast.audience.get("counties", ())),
        )
        for broadcast, notice, wrote, approved in await db.execute(query)
    ]


def _title(notice: Notice) -> str:
    """Its Chinese title, which a draft may still lack."""
    return words_of(notice, "zh_CN")[0] if notice.texts.get("zh_CN") else ""
