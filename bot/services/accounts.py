"""The accounts of the staff, as an admin looks after them: who there is, their role, and who may no longer come in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import Problem
from bot.i18n import _
from bot.models import LinkCode, StaffChat, StaffMember, StaffReset, StaffSession
from bot.services import audit, staff
from bot.services.authority import Member, NoSuchMember

PAGE = 50


class LastAdmin(Problem):
    text = _("This is the last admin who can log in. Make another one first.")


class NeedsCounty(Problem):
    text = _("Who works for a county needs at least one county.")


@dataclass(frozen=True, slots=True)
class Account:
    """One account; times are aware UTC. `seen_at` is when a browser that is still logged in was last used."""

    id: int
    login: str
    role: str
    counties: tuple[str, ...]
    created_at: datetime
    disabled_at: datetime | None
    locked_until: datetime | None
    must_change: bool
    has_totp: bool
    seen_at: datetime | None
    chats: int

    def is_locked(self, now: datetime) -> bool:
        """Whether too many failures keep it out for a while."""
        return self.locked_until is not None and self.locked_until > now

    def states(self, now: datetime) -> list[str]:
        """What is special about the account, as words for a program's output."""
        said = {
            "disabled": self.disabled_at is not None,
            "locked": self.is_locked(now),
            "first password": self.must_change,
            "second factor": self.has_totp,
        }
        return [word for word, holds in said.items() if holds]


async def listed(db: AsyncSession, *, start: int = 0, limit: int = PAGE) -> list[Account]:
    """The accounts from the `start`-th on: those that can log in first, by their logins."""
    order = (StaffMember.disabled_at.is_not(None), StaffMember.login)
    rows = await db.execute(_accounts().order_by(*order).offset(start).limit(limit))
    return [_account(row) for row in rows]


async def found(db: AsyncSession, staff_id: int) -> Account:
    """One account; raises NoSuchMember."""
    row = (await db.execute(_accounts().where(StaffMember.id == staff_id))).one_or_none()
    if row is None:
        raise NoSuchMember
    return _account(row)


async def called(db: AsyncSession, login: str) -> Account:
    """The account with that login, disabled or not; raises NoSuchMember."""
    row = (await db.execute(_accounts().where(StaffMember.login == staff.spelled(login)))).one_or_none()
    if row is None:
        raise NoSuchMember
    return _account(row)


async def create(
    db: AsyncSession,
    member: Member | None,
    login: str,
    role: str,
    *,
    counties: Sequence[str],
    password_hash: str,
    now: datetime,
) -> str:
    """Make an account whose first password is for one login; returns how its login is kept.

    Raises LoginTaken, EmptyLogin, UnknownRole, NeedsCounty.
    """
    bound = _bound(role, counties)
    made = await staff.add(db, login, role, counties=bound, password_hash=password_hash, now=now, must_change=True)
    after = {"role": role, "counties": bound}
    await audit.record(db, member, "staff.add", f"staff:{made.login}", now=now, after=after)
    return made.login


async def assign(
    db: AsyncSession, member: Member, staff_id: int, role: str, *, counties: Sequence[str], now: datetime
) -> None:
    """Give an account another role, at once. Raises NoSuchMember, UnknownRole, NeedsCounty, LastAdmin."""
    bound = _bound(role, counties)
    if role not in staff.ROLES:
        raise staff.UnknownRole
    others = await _other_admins(db, staff_id)
    theirs = await _locked(db, staff_id)
    if theirs.role == "admin" and role != "admin" and theirs.disabled_at is None and not others:
        raise LastAdmin
    before = {"role": theirs.role, "counties": list(theirs.counties)}
    theirs.role, theirs.counties = role, bound
    after = {"role": role, "counties": bound}
    await audit.record(db, member, "staff.role", f"staff:{theirs.login}", now=now, before=before, after=after)


async def disable(db: AsyncSession, member: Member | None, staff_id: int, *, now: datetime) -> None:
    """Keep an account out: its browsers, chats, codes and links end at once. Raises NoSuchMember, LastAdmin."""
    others = await _other_admins(db, staff_id)
    theirs = await _locked(db, staff_id)
    if theirs.disabled_at is not None:
        return
    if theirs.role == "admin" and not others:
        raise LastAdmin
    theirs.disabled_at = now
    for table in (StaffSession, StaffChat, StaffReset, LinkCode):
        await db.execute(delete(table).where(table.staff_id == staff_id))
    await audit.record(db, member, "staff.disable", f"staff:{theirs.login}", now=now)


async def enable(db: AsyncSession, member: Member, staff_id: int, *, now: datetime) -> None:
    """Let an account in again, with the password that it had. Raises NoSuchMember."""
    theirs = await _locked(db, staff_id)
    if theirs.disabled_at is None:
        return
    theirs.disabled_at = None
    await audit.record(db, member, "staff.enable", f"staff:{theirs.login}", now=now)


async def end_sessions(db: AsyncSession, member: Member, staff_id: int, *, now: datetime) -> None:
    """Log an account out of every browser. Raises NoSuchMember."""
    theirs = await _locked(db, staff_id)
    await db.execute(delete(StaffSession).where(StaffSession.staff_id == staff_id))
    await audit.record(db, member, "staff.sessions.end", f"staff:{theirs.login}", now=now)


async def unlink_chats(db: AsyncSession, member: Member, *, now: datetime) -> None:
    """The member's chats are no longer those of staff."""
    await db.execute(delete(StaffChat).where(StaffChat.staff_id == member.id))
    await audit.record(db, member, "account.chats.unlink", f"staff:{member.login}", now=now)


def _bound(role: str, counties: Sequence[str]) -> list[str]:
    """The counties that an account of `role` is kept with: only one role is bound to any."""
    if role != "county":
        return []
    if not counties:
        raise NeedsCounty
    return sorted(set(counties))


async def _other_admins(db: AsyncSession, staff_id: int) -> int:
    """How many other admins can log in; none of them changes before the transaction ends, whatever comes at once."""
    admins = (
        select(StaffMember.id)
        .where(StaffMember.role == "admin", StaffMember.disabled_at.is_(None))
        .order_by(StaffMember.id)
        .with_for_update()
    )
    return sum(id != staff_id for id in await db.scalars(admins))


async def _locked(db: AsyncSession, staff_id: int) -> StaffMember:
    query = select(StaffMember).where(StaffMember.id == staff_id).with_for_update()
    theirs = await db.scalar(query.execution_options(populate_existing=True))
    if theirs is None:
        raise NoSuchMember
    return theirs


def _accounts() -> Select[Any]:
    """Accounts with what belongs to them, in one query whatever their number."""
    seen = select(func.max(StaffSession.seen_at)).where(StaffSession.staff_id == StaffMember.id).scalar_subquery()
    chats = select(func.count()).where(StaffChat.staff_id == StaffMember.id).scalar_subquery()
    return select(StaffMember, seen.label("seen_at"), chats.label("chats"))


def _account(row: Any) -> Account:
    member = row.StaffMember
    return Account(
        id=member.id,
        login=member.login,
        role=member.role,
        counties=tuple(member.counties),
        created_at=member.created_at,
        disabled_at=member.disabled_at,
        locked_until=member.locked_until,
        must_change=member.must_change,
        has_totp=member.totp_secret is not None,
        seen_at=row.seen_at,
        chats=row.chats,
    )
