"""How somebody of the staff proves who they are: passwords, codes of an app, and links that replace a lost password."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import Problem
from bot.i18n import _
from bot.models.staff import StaffMember, StaffReset, StaffSession
from bot.seals import BrokenSeal, Seals
from bot.services import audit, totp
from bot.services.authority import Member
from bot.services.staff import LONGEST_PASSWORD, Try, spelled, token_hash

SHORTEST_PASSWORD = 10
RESET_LIVES = timedelta(hours=24)
CODE_WAITS = timedelta(minutes=5)  # between the password and the code of a login

ISSUER = "Nuanxin"  # what an app shows above the code

_CODE_STEP = "staff-code-step"


class WeakPassword(Problem):
    text = _("Please choose at least 10 characters, not digits alone, and not your login.")


class CodeDoesNotFit(Problem):
    text = _("That code does not fit. Wait for the next one and type it.")


class LinkUsedUp(Problem):
    text = _("This link was used already, or is too old. Ask for a new one.")


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody whose password fitted and whose code is not there yet; `mark` stands for that password."""

    login: str
    mark: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A second factor that is not set up yet: `url` goes into a picture, `token` brings the offer back."""

    secret: str
    url: str
    token: str


@dataclass(frozen=True, slots=True)
class Reset:
    """Whose password a link replaces."""

    staff_id: int
    login: str


def check_password(password: str, login: str) -> None:
    """Raise WeakPassword for one that is guessed soon: short, a birthday or a phone number, or the login."""
    is_good = SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD and len(set(password)) > 3
    beside_login = password.casefold().replace(login.casefold(), "")
    if not is_good or "".join(password.split()).isdigit() or len(beside_login) < SHORTEST_PASSWORD // 2 + 1:
        raise WeakPassword


async def choose_password(db: AsyncSession, member: Member, *, password_hash: str, now: datetime) -> None:
    """The member's own new password; every browser that is logged in is logged out."""
    await _set_password(db, member.id, password_hash)
    await audit.record(db, member, "account.password", f"staff:{member.login}", now=now)


async def issue_reset(db: AsyncSession, member: Member | None, login: str, *, now: datetime) -> str:
    """The token of a link by which `login` chooses a new password once, within 24 hours; an earlier one is void.

    `member` asked for it, None on the command line. Nothing happens to a login that is not there.
    """
    await db.execute(delete(StaffReset).where(StaffReset.until <= now))
    staff_id = await db.scalar(select(StaffMember.id).where(StaffMember.login == login))
    token = secrets.token_urlsafe(32)
    if staff_id is not None:
        await db.execute(delete(StaffReset).where(StaffReset.staff_id == staff_id))
        db.add(StaffReset(token_hash(token), staff_id, until=now + RESET_LIVES))
        await audit.record(db, member, "staff.reset", f"staff:{login}", now=now)
    return token


async def reset_of(db: AsyncSession, token: str, *, now: datetime) -> Reset:
    """Whose link this is; raises LinkUsedUp, also where the account is disabled."""
    query = (
        select(StaffMember.id, StaffMember.login)
        .join(StaffReset, StaffReset.staff_id == StaffMember.id)
        .where(StaffReset.token_hash == token_hash(token), StaffReset.until > now, StaffMember.disabled_at.is_(None))
    )
    row = (await db.execute(query)).one_or_none()
    if row is None:
        raise LinkUsedUp
    return Reset(row.id, row.login)


async def use_reset(db: AsyncSession, token: str, *, password_hash: str, now: datetime) -> None:
    """Replace the password and use the link up; every browser is logged out. Raises LinkUsedUp."""
    reset = await reset_of(db, token, now=now)
    used = await db.scalar(
        delete(StaffReset).where(StaffReset.token_hash == token_hash(token)).returning(StaffReset.staff_id)
    )
    if used is None:
        raise LinkUsedUp
    await _set_password(db, reset.staff_id, password_hash)
    freed = update(StaffMember).where(StaffMember.id == reset.staff_id)
    await db.execute(freed.values(failures=0, locked_until=None))
    await audit.record(db, None, "staff.reset.used", f"staff:{reset.login}", now=now)


def offer(member: Member, *, seals: Seals) -> Offer:
    """A new second factor for `member`, which counts once `enrol` saw a code of it."""
    return _offered(member, totp.new_secret(), seals)


def offered(member: Member, token: str, *, seals: Seals) -> Offer:
    """The offer behind `token`; raises CodeDoesNotFit for one that was made for nobody, or for somebody else."""
    try:
        return _offered(member, seals.signed(_offer_of(member), token), seals)
    except BrokenSeal as error:
        raise CodeDoesNotFit from error


async def enrol(db: AsyncSession, member: Member, offer: Offer, *, typed: str, seals: Seals, now: datetime) -> None:
    """From now on `member` logs in with a code too, and every browser is logged out.

    Raises CodeDoesNotFit unless they typed a code of about now.
    """
    secret = offer.secret
    step = totp.matching_step(secret, typed, now)
    if step is None:
        raise CodeDoesNotFit
    kept = seals.encrypt(secret, _purpose(member.id))
    mine = update(StaffMember).where(StaffMember.id == member.id)
    await db.execute(mine.values(totp_secret=kept, totp_step=step))
    await db.execute(delete(StaffSession).where(StaffSession.staff_id == member.id))
    await audit.record(db, member, "account.totp", f"staff:{member.login}", now=now, after={"second factor": True})


async def use_code(db: AsyncSession, staff_id: int, kept: bytes, *, typed: str, seals: Seals, now: datetime) -> bool:
    """Whether `typed` is a code of about now that was not used before; it is used up.

    `kept` is the account's encrypted secret; one that another key encrypted fits no code.
    """
    try:
        step = totp.matching_step(seals.decrypt(kept, _purpose(staff_id)), typed, now)
    except BrokenSeal:
        return False
    if step is None:
        return False
    # One statement: of two browsers with the same code, one gets in.
    unused = update(StaffMember).where(StaffMember.id == staff_id, StaffMember.totp_step < step)
    used = await db.scalar(unused.values(totp_step=step).returning(StaffMember.id))
    return used is not None


def waiting_token(login: str, tried: Try, *, seals: Seals, now: datetime) -> str:
    """What a browser holds between password and code, for five minutes; it is no session, and we keep nothing."""
    until = int((now + CODE_WAITS).timestamp())
    return seals.sign(_CODE_STEP, f"{until}:{_mark(tried, seals)}:{spelled(login)}")


def waiting_of(token: str, *, seals: Seals, now: datetime) -> Waiting | None:
    """Who waits with `token`; None for one that is too old, or not ours."""
    try:
        until, mark, login = seals.signed(_CODE_STEP, token).split(":", 2)
    except BrokenSeal:
        return None
    return Waiting(login, mark) if now.timestamp() < int(until) else None


def is_same_password(waiting: Waiting, tried: Try, *, seals: Seals) -> bool:
    """Whether the account's password is still the one that was typed."""
    return waiting.mark == _mark(tried, seals)


async def leave_totp(db: AsyncSession, member: Member | None, login: str, *, now: datetime) -> None:
    """Take the second factor off the account `login`; `member` did so, None on the command line."""
    theirs = update(StaffMember).where(StaffMember.login == login, StaffMember.totp_secret.is_not(None))
    changed = await db.scalar(theirs.values(totp_secret=None, totp_step=0).returning(StaffMember.id))
    if changed is not None:
        taken = {"second factor": False}
        await audit.record(db, member, "account.totp", f"staff:{login}", now=now, after=taken)


async def _set_password(db: AsyncSession, staff_id: int, password_hash: str) -> None:
    mine = update(StaffMember).where(StaffMember.id == staff_id)
    await db.execute(mine.values(password_hash=password_hash, must_change=False))
    await db.execute(delete(StaffSession).where(StaffSession.staff_id == staff_id))
    await db.execute(delete(StaffReset).where(StaffReset.staff_id == staff_id))


def _offered(member: Member, secret: str, seals: Seals) -> Offer:
    return Offer(secret, totp.enrolment_url(secret, member.login, ISSUER), seals.sign(_offer_of(member), secret))


def _offer_of(member: Member) -> str:
    return f"staff-totp-offer:{member.id}"


def _mark(tried: Try, seals: Seals) -> str:
    return seals.signature(_CODE_STEP, tried.password_hash)


def _purpose(staff_id: int) -> str:
    """A secret that is copied to another account is worth nothing there."""
    return f"staff-totp:{staff_id}"
