"""Calls for help: somebody answers a roll call with “I need help”, and staff see it at once."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot import i18n, outbox
from bot.database import rows_changed
from bot.errors import Problem
from bot.i18n import Voice, _
from bot.messages import Button, Outgoing
from bot.models import Contact, HelpCall, Rider, StaffChat, StaffMember
from bot.services import audit, authority
from bot.services.desk import Desk

_PURPOSE = "help-call"
KEPT_FOR = timedelta(days=30)


class NoSuchCall(Problem):
    text = _("There is no such call for help.")


class TakenAlready(Problem):
    text = _("Somebody has taken it already.")


@dataclass(frozen=True, slots=True)
class Call:
    """A call for help. `place` is in the rider's words or `lat,lng` (WGS-84); `handled_at` is None while it is open."""

    id: int
    at: datetime
    note: str
    place: str
    county: str
    broadcast_id: int | None
    handled_at: datetime | None


async def ring(
    db: AsyncSession,
    rider_id: int,
    *,
    broadcast_id: int | None,
    note: str,
    place: str,
    now: datetime,
    desk: Desk,
) -> int:
    """Note a call for help and tell the staff who may answer it, in their chats; returns its number."""
    row = HelpCall(
        broadcast_id=broadcast_id,
        rider_id=rider_id,
        at=now,
        note=desk.seals.encrypt(note, _PURPOSE),
        place=desk.seals.encrypt(place, _PURPOSE),
    )
    db.add(row)
    await db.flush()
    county = await db.scalar(select(Rider.county).where(Rider.id == rider_id)) or ""
    call = Call(row.id, now, note, place, county, broadcast_id, None)
    staff = (
        select(Contact.id, Contact.channel, Contact.locale, StaffMember)
        .join(StaffChat, StaffChat.contact_id == Contact.id)
        .join(StaffMember, StaffMember.id == StaffChat.staff_id)
        .where(Contact.stopped_at.is_(None), StaffMember.disabled_at.is_(None))
    )
    for contact_id, channel, locale, member in await db.execute(staff):
        if not may_answer(authority.Member(member.id, member.login, member.role, tuple(member.counties)), county):
            continue
        message = letter(call, i18n.voice(locale, desk.zone))
        key = f"help:{row.id}:{contact_id}"
        outbox.put(db, contact_id, channel, message, lane="personal", key=key, at=now)
    return row.id


def may_answer(member: authority.Member, county: str) -> bool:
    """Whether this member takes calls from `county`; one from nobody knows where is everybody's."""
    return authority.may(member, "help.answer") and (not county or authority.is_within(member, (county,)))


def letter(call: Call, voice: Voice) -> Outgoing:
    """What staff read of a call."""
    said = _("🆘 A rider asks for help ({at}): {note}\nWhere: {place}", at=call.at, note=call.note, place=call.place)
    return Outgoing(voice.word(said), ((Button(voice.word(_("✓ I take care of it")), f"helpdone.{call.id}"),),))


async def handle(db: AsyncSession, member: authority.Member, *, call_id: int, now: datetime) -> None:
    """This member takes care of a call; raises NoSuchCall where there is none of their counties, TakenAlready."""
    rider = select(Rider.county).join(HelpCall, HelpCall.rider_id == Rider.id).where(HelpCall.id == call_id)
    county = await db.scalar(rider)
    if county is None or not may_answer(member, county):
        raise NoSuchCall
    open_call = update(HelpCall).where(HelpCall.id == call_id, HelpCall.handled_at.is_(None))
    if not await rows_changed(db, open_call.values(handled_at=now, handled_by=member.id)):
        raise TakenAlready
    await audit.record(db, member, "help.answer", f"help:{call_id}", now=now)


async def open_calls(db: AsyncSession, *, desk: Desk, counties: tuple[str, ...] = ()) -> list[Call]:
    """The calls that nobody has taken, oldest first; `counties` leaves out those of other counties."""
    query = (
        select(HelpCall, Rider.county)
        .join(Rider, Rider.id == HelpCall.rider_id)
        .where(HelpCall.handled_at.is_(None))
        .order_by(HelpCall.at)
        .limit(100)
    )
    if counties:
        query = query.where(Rider.county.in_((*counties, "")))
    return [
        Call(row.id, row.at, _plain(row.note, desk), _plain(row.place, desk), county, row.broadcast_id, row.handled_at)
        for row, county in await db.execute(query)
    ]


async def erase_old(db: AsyncSession, *, now: datetime) -> int:
    """Forget what was said in calls older than KEPT_FOR; that there was one stays."""
    old = update(HelpCall).where(HelpCall.at <= now - KEPT_FOR, HelpCall.note.is_not(None))
    return await rows_changed(db, old.values(note=None, place=None))


def _plain(kept: bytes | None, desk: Desk) -> str:
    return desk.seals.decrypt(kept, _PURPOSE) if kept else ""
