"""The audit: what staff changed, written in the transaction that changed it; nothing here alters or deletes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import AuditEntry
from bot.services.authority import Member

# The login under which stands what the program did by itself.
SYSTEM = "system"
PAGE = 50
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done; `before` and `after` hold what it changed."""

    at: datetime
    login: str
    action: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """An entry with its number and with what it was done to."""

    id: int
    subject: str
    entry: Entry


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries: by one login, and by how the action and the subject begin; empty means all."""

    login: str = ""
    action: str = ""
    subject: str = ""


async def record(
    db: AsyncSession,
    member: Member | None,
    action: str,
    subject: str,
    *,
    now: datetime,
    before: Mapping[str, Any] = _NOTHING,
    after: Mapping[str, Any] = _NOTHING,
) -> None:
    """Note that `member` (None: the program itself) did `action` to `subject`; no personal data goes in here."""
    entry = AuditEntry(
        at=now,
        login=member.login if member else SYSTEM,
        action=action,
        subject=subject,
        staff_id=member.id if member else None,
        before=dict(before),
        after=dict(after),
    )
    db.add(entry)
    await db.flush()


async def record_all(
    db: AsyncSession,
    member: Member,
    action: str,
    changes: Sequence[tuple[str, Mapping[str, Any], Mapping[str, Any]]],
    *,
    now: datetime,
) -> None:
    """Note that `member` did `action` to many at once: their subjects, what was before, and what is after."""
    by = {"at": now, "login": member.login, "action": action, "staff_id": member.id}
    rows = [by | {"subject": subject, "before": dict(old), "after": dict(new)} for subject, old, new in changes]
    await db.execute(insert(AuditEntry), rows)


async def of(db: AsyncSession, subject: str, *, limit: int = 100) -> list[Entry]:
    """What was done to `subject`, such as `broadcast:12`, in order; the latest `limit` of it."""
    query = select(AuditEntry).where(AuditEntry.subject == subject).order_by(AuditEntry.id.desc()).limit(limit)
    entries = [Entry(row.at, row.login, row.action, row.before, row.after) for row in await db.scalars(query)]
    return entries[::-1]


async def count(db: AsyncSession, member: Member, subject: str, *, since: datetime) -> int:
    """How often this member did something to `subject` since then."""
    query = select(func.count()).where(
        AuditEntry.subject == subject, AuditEntry.staff_id == member.id, AuditEntry.at > since
    )
    return await db.scalar(query) or 0


async def page(db: AsyncSession, wanted: Wanted, *, before: int | None = None, limit: int = PAGE) -> list[Row]:
    """The latest `limit` entries that are `wanted`, newest first; `before` goes on from an earlier page's last id."""
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if wanted.login:
        query = query.where(AuditEntry.login == wanted.login)
    if wanted.action:
        query = query.where(AuditEntry.action.startswith(wanted.action, autoescape=True))
    if wanted.subject:
        query = query.where(AuditEntry.subject.startswith(wanted.subject, autoescape=True))
    if before is not None:
        query = query.where(AuditEntry.id < before)
    rows = await db.scalars(query)
    return [Row(row.id, row.subject, Entry(row.at, row.login, row.action, row.before, row.after)) for row in rows]
