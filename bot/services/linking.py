"""One person at two addresses, and staff in a chat: linked by a code that is shown in one and typed in the other."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import insert
from bot.errors import Problem
from bot.i18n import _
from bot.messages import Address
from bot.models import (
    Booking,
    Consent,
    Contact,
    HelpCall,
    LinkCode,
    LinkTry,
    PlaceReport,
    Rider,
    Session,
    StaffChat,
    StaffMember,
)
from bot.services import preferences
from bot.services.bookings import leaving
from bot.services.bookings.holding import CODE_LETTERS
from bot.services.desk import Desk
from bot.services.seating import booking_rows as reading
from bot.services.seating.booking_rows import LIVE

RIDER_CODE_LIVES = timedelta(minutes=10)
STAFF_CODE_LIVES = timedelta(minutes=30)
CODE_LENGTH = 8
MOST_TRIES = 5
TRIES_COUNT_FOR = timedelta(minutes=10)
# Of two live bookings of one session, the first of these stays.
_BETTER = ("attended", "booked", "pending", "offered", "held", "no_show", "waiting")


class TooManyTries(Problem):
    text = _("Too many codes were tried. Please wait ten minutes, then ask for a new one.")


class OwnCode(Problem):
    text = _("Type this code at your other address, not where it was shown.")


class NoSuchLogin(Problem):
    text = _("There is no account with that login.")


class NoChat(Problem):
    text = _("No chat of yours is linked yet: open your account page and type the code there in your chat.")


@dataclass(frozen=True, slots=True)
class Merged:
    """The person who remains, and all their addresses: copies of them in memory are out of date."""

    rider_id: int
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class OnChat:
    """Somebody of the staff at a chat."""

    staff_id: int
    login: str
    role: str
    counties: tuple[str, ...]


async def issue(db: AsyncSession, rider_id: int, *, now: datetime, desk: Desk) -> str:
    """A code for this rider's other address: good once, for ten minutes; an earlier one is void."""
    await db.execute(delete(LinkCode).where(LinkCode.rider_id == rider_id))
    code = _new_code()
    db.add(LinkCode(_hash(code, desk), until=now + RIDER_CODE_LIVES, rider_id=rider_id))
    await db.flush()
    return code


async def redeem(
    db: AsyncSession, rider_id: int, *, contact_id: int, code: str, now: datetime, desk: Desk
) -> Merged | None:
    """Make this rider and the one who was shown `code` one person; None for a wrong or old code.

    A wrong one is no Problem, so that the try is counted for good. Raises TooManyTries, OwnCode.
    """
    used = await _use(db, contact_id, code, now=now, desk=desk)
    if used is None or used.rider_id is None:
        return None
    if used.rider_id == rider_id:
        raise OwnCode
    return await _merge(db, used.rider_id, rider_id, now=now, desk=desk)


async def issue_for_staff(db: AsyncSession, login: str, *, now: datetime, desk: Desk) -> str:
    """A code for a staff member's chat: good once, for thirty minutes. Raises NoSuchLogin."""
    theirs = (StaffMember.login == login.strip().casefold(), StaffMember.disabled_at.is_(None))
    staff_id = await db.scalar(select(StaffMember.id).where(*theirs))
    if staff_id is None:
        raise NoSuchLogin
    await db.execute(delete(LinkCode).where(LinkCode.staff_id == staff_id))
    code = _new_code()
    db.add(LinkCode(_hash(code, desk), until=now + STAFF_CODE_LIVES, staff_id=staff_id))
    await db.flush()
    return code


async def link_staff(db: AsyncSession, contact_id: int, *, code: str, now: datetime, desk: Desk) -> OnChat | None:
    """Let the staff member who got `code` work through this chat; None for a wrong or old code. Raises TooManyTries."""
    used = await _use(db, contact_id, code, now=now, desk=desk)
    if used is None or used.staff_id is None:
        return None
    values = {"staff_id": used.staff_id, "linked_at": now}
    statement = insert(db, StaffChat).values(contact_id=contact_id, **values)
    await db.execute(statement.on_conflict_do_update(index_elements=["contact_id"], set_=values))
    return await staff_at(db, contact_id)


async def staff_at(db: AsyncSession, contact_id: int) -> OnChat | None:
    """Who of the staff works through this chat, if anybody."""
    query = (
        select(StaffMember.id, StaffMember.login, StaffMember.role, StaffMember.counties)
        .join(StaffChat, StaffChat.staff_id == StaffMember.id)
        .where(StaffChat.contact_id == contact_id, StaffMember.disabled_at.is_(None))
    )
    row = (await db.execute(query)).one_or_none()
    return OnChat(row.id, row.login, row.role, tuple(row.counties)) if row else None


async def chat_of(db: AsyncSession, staff_id: int) -> int:
    """The contact through which this member works, the one linked last; raises NoChat."""
    query = select(StaffChat.contact_id).where(StaffChat.staff_id == staff_id).order_by(StaffChat.linked_at.desc())
    contact_id: int | None = await db.scalar(query.limit(1))
    if contact_id is None:
        raise NoChat
    return contact_id


async def unlink_staff(db: AsyncSession, contact_id: int) -> None:
    """This chat is no longer a staff member's."""
    await db.execute(delete(StaffChat).where(StaffChat.contact_id == contact_id))


async def forget_old(db: AsyncSession, *, now: datetime) -> None:
    """Drop codes that are void and tries that no longer count."""
    await db.execute(delete(LinkCode).where(LinkCode.until <= now))
    await db.execute(delete(LinkTry).where(LinkTry.at <= now - TRIES_COUNT_FOR))


def _new_code() -> str:
    return "".join(secrets.choice(CODE_LETTERS) for _n in range(CODE_LENGTH))


def _hash(code: str, desk: Desk) -> str:
    return desk.seals.signature("link-code", code, 32)


async def _use(db: AsyncSession, contact_id: int, code: str, *, now: datetime, desk: Desk) -> LinkCode | None:
    """The code that was typed, used up; the try is counted first, so that many at once gain nothing."""
    # One after the other, whatever arrives at once from this address.
    await db.execute(select(Contact.id).where(Contact.id == contact_id).with_for_update())
    recent = select(func.count()).where(LinkTry.contact_id == contact_id, LinkTry.at > now - TRIES_COUNT_FOR)
    if (await db.scalar(recent) or 0) >= MOST_TRIES:
        raise TooManyTries
    db.add(LinkTry(contact_id, at=now))
    await db.flush()
    typed = "".join(code.split()).replace("-", "").upper()[: 2 * CODE_LENGTH]
    taken = delete(LinkCode).where(LinkCode.code_hash == _hash(typed, desk), LinkCode.until > now)
    used: LinkCode | None = await db.scalar(taken.returning(LinkCode))
    return used


async def _merge(db: AsyncSession, shown_to: int, typed_by: int, *, now: datetime, desk: Desk) -> Merged:
    """Everything of the younger person becomes the elder's, in one transaction."""
    stays, goes = sorted((shown_to, typed_by))
    await db.execute(select(Rider.id).where(Rider.id.in_((stays, goes))).order_by(Rider.id).with_for_update())
    await _settle_doubles(db, stays, goes, now=now, desk=desk)
    await preferences.inherit(db, stays, goes)
    for table in (Booking, PlaceReport, Consent, Contact, HelpCall):
        await db.execute(update(table).where(table.rider_id == goes).values(rider_id=stays))
    await _inherit(db, stays, goes)
    await db.execute(delete(LinkCode).where(LinkCode.rider_id.in_((stays, goes))))
    await db.execute(delete(Rider).where(Rider.id == goes))
    found = await db.execute(select(Contact.channel, Contact.user).where(Contact.rider_id == stays))
    return Merged(stays, tuple(Address(channel, user) for channel, user in found))


async def _settle_doubles(db: AsyncSession, stays: int, goes: int, *, now: datetime, desk: Desk) -> None:
    """One live booking per session and one hold in all: the lesser ones end, uncounted, and their seats go on."""
    mine = select(Booking.id, Booking.session_id, Booking.state).where(
        Booking.rider_id.in_((stays, goes)), Booking.state != "cancelled"
    )
    rows = sorted((await db.execute(mine)).all(), key=lambda row: (_BETTER.index(row.state), row.id))
    seen: set[int] = set()
    has_hold = False
    for row in rows:
        is_double = row.session_id in seen or (row.state == "held" and has_hold)
        seen.add(row.session_id)
        has_hold = has_hold or row.state == "held"
        if not is_double:
            continue
        booking = await reading.found(db, Booking.id == row.id, locks=Session)
        assert booking is not None
        if booking.state in LIVE:
            await leaving.end(db, booking, reason="linked", now=now, desk=desk)
        else:
            # Both were there, or missed it: one of them is enough.
            await db.execute(update(Booking).where(Booking.id == row.id).values(rider_id=None, contact_id=None))


async def _inherit(db: AsyncSession, stays: int, goes: int) -> None:
    """What the elder never told is taken from the younger."""
    query = select(Rider.id, Rider.vehicle, Rider.county).where(Rider.id.in_((stays, goes)))
    told = {id: (vehicle, county) for id, vehicle, county in await db.execute(query)}
    vehicle, county = (mine or theirs for mine, theirs in zip(told[stays], told[goes], strict=True))
    await db.execute(update(Rider).where(Rider.id == stays).values(vehicle=vehicle, county=county))
