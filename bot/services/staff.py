"""Accounts of people who work for the city: passwords, logging in, and the browsers that are logged in.

A try is counted before its password is looked at, so that many at once gain nothing; a login that does not
exist costs the same time and reads the same as a wrong password.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import ColumnElement, case, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import insert
from bot.errors import Problem
from bot.i18n import _
from bot.models.staff import StaffMember, StaffSession

ROLES = ("admin", "editor", "approver", "operator", "lawyer", "county", "viewer")

FREE_TRIES = 5
FIRST_LOCK = timedelta(minutes=1)  # doubled by every further failure …
LONGEST_LOCK = timedelta(minutes=32)  # … up to this
IDLE_END = timedelta(minutes=30)
ABSOLUTE_END = timedelta(hours=12)
TOUCH_EVERY = timedelta(minutes=1)
LONGEST_PASSWORD = 200

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # without those that are read for others


class LoginTaken(Problem):
    text = _("There is already an account with that login.")


class EmptyLogin(Problem):
    text = _("An account needs a login.")


class UnknownRole(Problem):
    text = _("There is no such role.")


@dataclass(frozen=True, slots=True)
class Try:
    """One counted try to log in; `password_hash` is of nobody when the login is unknown, locked or disabled.

    `failures` counts this try too, and `totp_secret` is there where a second factor is asked for.
    """

    staff_id: int | None
    password_hash: str
    failures: int = 0
    totp_secret: bytes | None = None


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A browser that just logged in: `token` goes into its cookie and is kept nowhere else."""

    token: str
    csrf: str


@dataclass(frozen=True, slots=True)
class OnDuty:
    """Who is behind a request, and whether their session should be marked as seen."""

    id: int
    login: str
    role: str
    counties: tuple[str, ...]
    csrf: str
    is_stale: bool
    must_change: bool
    has_totp: bool


def one_time_password() -> str:
    """A password that can be read out and typed: three groups of five, about 74 bits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _n in range(5)) for _group in range(3))


async def hashed(password: str) -> str:
    """The argon2id hash of `password`, made in a thread."""
    return await asyncio.to_thread(PasswordHasher().hash, password)


async def add(
    db: AsyncSession,
    login: str,
    role: str,
    *,
    counties: Sequence[str] = (),
    password_hash: str,
    now: datetime,
    must_change: bool = False,
) -> StaffMember:
    """A new account; raises LoginTaken, UnknownRole or EmptyLogin. With `must_change` its password is for one login."""
    if role not in ROLES:
        raise UnknownRole
    if not spelled(login):
        raise EmptyLogin
    row = {
        "login": spelled(login),
        "role": role,
        "counties": list(counties),
        "password_hash": password_hash,
        "created_at": now,
        "failures": 0,
        "must_change": must_change,
    }
    statement = insert(db, StaffMember).values(row).on_conflict_do_nothing().returning(StaffMember)
    member: StaffMember | None = await db.scalar(statement)
    if member is None:
        raise LoginTaken
    return member


async def first_admin(db: AsyncSession, password: str, now: datetime) -> bool:
    """Make the account `admin` if there is none; whether it was made."""
    if await db.scalar(select(StaffMember.id).where(StaffMember.login == "admin")) is not None:
        return False
    try:
        await add(db, "admin", "admin", password_hash=await hashed(password), now=now)
    except LoginTaken:
        return False
    return True


async def count_try(db: AsyncSession, login: str, now: datetime) -> Try:
    """Count a try at `login` as a failure in advance; `open_session` takes it back.

    From the fifth on, each locks the account for a while, and while it is locked no password fits.
    """
    is_free = or_(StaffMember.locked_until.is_(None), StaffMember.locked_until <= now)
    locks = [(StaffMember.failures + 1 == FREE_TRIES + n, now + min(FIRST_LOCK * 2**n, LONGEST_LOCK)) for n in range(6)]
    statement = (
        update(StaffMember)
        .where(StaffMember.login == spelled(login), is_free, StaffMember.disabled_at.is_(None))
        .values(
            failures=StaffMember.failures + 1,
            locked_until=case((StaffMember.failures + 1 < FREE_TRIES, None), *locks, else_=now + LONGEST_LOCK),
        )
        .returning(StaffMember.id, StaffMember.password_hash, StaffMember.failures, StaffMember.totp_secret)
    )
    found = (await db.execute(statement)).one_or_none()
    return Try(*found) if found else Try(None, await asyncio.to_thread(_nobody))


async def take_back(db: AsyncSession, tried: Try) -> None:
    """What was tried was right: it is no failure, and the lock that it brought is lifted, not that of any other."""
    lock = case((StaffMember.failures == tried.failures, None), else_=StaffMember.locked_until)
    await db.execute(
        update(StaffMember)
        .where(StaffMember.id == tried.staff_id, StaffMember.failures > 0)
        .values(failures=StaffMember.failures - 1, locked_until=lock)
    )


async def password_fits(tried: Try, password: str) -> bool:
    """Whether `password` opens the account that was tried; takes as long where there is none."""
    fits = await asyncio.to_thread(_verify, tried.password_hash, password[:LONGEST_PASSWORD])
    return fits and tried.staff_id is not None


async def open_session(db: AsyncSession, staff_id: int, now: datetime) -> OpenSession:
    """Log in a browser whose password fitted: always a new token, and the failures are forgotten."""
    await db.execute(delete(StaffSession).where(_has_ended(now)))
    await db.execute(update(StaffMember).where(StaffMember.id == staff_id).values(failures=0, locked_until=None))
    opened = OpenSession(secrets.token_urlsafe(32), secrets.token_urlsafe(24))
    db.add(StaffSession(token_hash(opened.token), staff_id, created_at=now, seen_at=now, csrf=opened.csrf))
    return opened


async def on_duty(db: AsyncSession, token: str, now: datetime) -> OnDuty | None:
    """Who is logged in with `token`; None once the session is idle or old, or was never ours."""
    statement = (
        select(StaffMember, StaffSession)
        .join(StaffSession, StaffSession.staff_id == StaffMember.id)
        .where(StaffSession.token_hash == token_hash(token), ~_has_ended(now), StaffMember.disabled_at.is_(None))
    )
    found = (await db.execute(statement)).one_or_none()
    if not found:
        return None
    member, session = found
    return OnDuty(
        id=member.id,
        login=member.login,
        role=member.role,
        counties=tuple(member.counties),
        csrf=session.csrf,
        is_stale=session.seen_at <= now - TOUCH_EVERY,
        must_change=member.must_change,
        has_totp=member.totp_secret is not None,
    )


async def touch(db: AsyncSession, token: str, now: datetime) -> None:
    """The session was used: its idle time starts anew."""
    mine = StaffSession.token_hash == token_hash(token)
    await db.execute(update(StaffSession).where(mine, ~_has_ended(now)).values(seen_at=now))


async def log_out(db: AsyncSession, token: str) -> None:
    await db.execute(delete(StaffSession).where(StaffSession.token_hash == token_hash(token)))


def _has_ended(now: datetime) -> ColumnElement[bool]:
    return or_(StaffSession.seen_at <= now - IDLE_END, StaffSession.created_at <= now - ABSOLUTE_END)


def spelled(login: str) -> str:
    """A login as it is kept: case and blanks around it do not matter."""
    return login.replace("\0", "").strip().casefold()[:100]  # PostgreSQL keeps no NUL


def token_hash(token: str) -> str:
    """What is kept of a secret that a browser or a link carries."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _verify(password_hash: str, password: str) -> bool:
    try:
        return PasswordHasher().verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobody() -> str:
    return PasswordHasher().hash(secrets.token_urlsafe(16))
