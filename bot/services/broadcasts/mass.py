"""Mass messages: where a platform takes some messages a month to many at once, whom one goes to, and what came of it.

A red broadcast goes so to those who cannot be written to now, as long as there is any message left; an important one
as long as more are left than are kept for red ones. It is made once, when everybody of the broadcast is known.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import ColumnElement, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.channel_names import called
from bot.database import insert, rows_changed
from bot.i18n import Text, _
from bot.messages import MassQuota
from bot.models import Broadcast, Contact, MassSend, Notice, Outbound
from bot.services import audit

# What began longer ago reaches people at their next contact, as it always did.
RECENT = timedelta(hours=6)
LEASE = timedelta(minutes=2)
# So long after it was taken, whom a message went to need not be known to the platform any more.
SETTLED = timedelta(days=1)
URGENT = ("red", "important")

# The platforms that take such messages count days and months in China's time.
_CHINA = timezone(timedelta(hours=8))
_SLICE = 500
_GOES_ON = ("sending", "finished")


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a mass message on `channel` would come to: `people` reached, `left` of the `most` of a `period`.

    `goes` is false where too few are left for one of this urgency.
    """

    channel: str
    people: int
    left: int
    most: int
    period: str
    goes: bool

    @property
    def words(self) -> Text:
        """The same for those who decide."""
        monthly = _(
            "{channel}: {people} of those who wait are told by one mass message; {left} of {most} are left this month",
            **self._numbers,
        )
        daily = _(
            "{channel}: {people} of those who wait are told by one mass message; {left} of {most} are left today",
            **self._numbers,
        )
        kept = _("{channel}: no mass message; the last of {most} is kept for what is red", **self._numbers)
        none = _("{channel}: none of the {most} mass messages is left", **self._numbers)
        if not self.goes:
            return kept if self.left else none
        return monthly if self.period == "month" else daily

    @property
    def _numbers(self) -> dict[str, Text | str | int]:
        return {"channel": called(self.channel), "people": self.people, "left": self.left, "most": self.most}


@dataclass(frozen=True, slots=True)
class Mass:
    """One mass message that this process has in hand until its lease ends. `group` 0: the platform knows no group."""

    id: int
    channel: str
    key: str
    state: str
    tries: int
    group: int
    broadcast_id: int | None


async def prospects(
    db: AsyncSession, waiting: Mapping[str, int], quotas: Mapping[str, MassQuota], *, urgency: str, now: datetime
) -> tuple[Prospect, ...]:
    """What mass messages would do for those who are `waiting` for a contact, counted by channel."""
    found = []
    for channel, quota in quotas.items():
        if urgency in URGENT and (people := waiting.get(channel, 0)):
            left = await _left(db, channel, quota, now)
            goes = left > _kept(quota, urgency)
            found.append(Prospect(channel, people, left, quota.most, quota.period, goes))
    return tuple(found)


async def plan(db: AsyncSession, channel: str, quota: MassQuota, *, now: datetime) -> int:
    """Make a mass message for each urgent broadcast whose recipients are all known; returns how many.

    Each broadcast has at most one.
    """
    mine = (Outbound.broadcast_id == Broadcast.id, Outbound.channel == channel, Outbound.state == "waiting")
    fitting = (
        select(Broadcast.id, Notice.urgency)
        .join(Notice, Notice.id == Broadcast.notice_id)
        .where(Broadcast.state.in_(_GOES_ON), Broadcast.resolved_at.is_not(None), Broadcast.began_at > now - RECENT)
        .where(Notice.urgency.in_(URGENT), or_(Notice.valid_until.is_(None), Notice.valid_until > now))
        .where(~exists().where(MassSend.broadcast_id == Broadcast.id), exists().where(*mine))
        .order_by(Broadcast.id)
    )
    made = 0
    for broadcast_id, urgency in (await db.execute(fitting)).all():
        if await _left(db, channel, quota, now) <= _kept(quota, urgency):
            continue
        values = {"broadcast_id": broadcast_id, "channel": channel, "key": f"b{broadcast_id}-{secrets.token_hex(8)}"}
        row = values | {"state": "gathering", "at": now, "due": now, "tries": 0, "error": "", "message_id": ""}
        put = insert(db, MassSend).values(row | {"people": 0, "group_id": 0}).on_conflict_do_nothing()
        made += await rows_changed(db, put)
    return made


async def claim(db: AsyncSession, channel: str, *, now: datetime) -> Mass | None:
    """The next one that something is to be done for, this process's own until its lease ends."""
    unfinished = or_(MassSend.state.in_(("gathering", "sending")), MassSend.group_id != 0)
    due = select(MassSend.id).where(MassSend.channel == channel, MassSend.due <= now, unfinished)
    picked = due.order_by(MassSend.id).limit(1).with_for_update(skip_locked=True).scalar_subquery()
    mine = MassSend
    taken = update(mine).where(mine.id == picked).values(due=now + LEASE)
    columns = (mine.id, mine.channel, mine.key, mine.state, mine.tries, mine.group_id, mine.broadcast_id)
    row = (await db.execute(taken.returning(*columns))).one_or_none()
    return Mass(*row) if row else None


async def found(db: AsyncSession, mass: Mass) -> tuple[int, Notice] | None:
    """The number of the broadcast and its notice, None if it is not to go out any more.

    Once it is being sent, it may have gone out: then it is found whatever has become of it since.
    """
    query = select(Broadcast.id, Notice).join(Notice, Notice.id == Broadcast.notice_id)
    query = query.where(Broadcast.id == mass.broadcast_id)
    if mass.state == "gathering":
        query = query.where(Broadcast.state.in_(_GOES_ON))
    row = (await db.execute(query)).one_or_none()
    return (row[0], row[1]) if row else None


async def recipients(db: AsyncSession, mass: Mass) -> list[tuple[int, int, str]]:
    """Who waits for a contact: the rows' ids, their contacts' ids, and the users."""
    query = (
        select(Outbound.id, Contact.id, Contact.user)
        .join(Contact, Contact.id == Outbound.contact_id)
        .where(Outbound.broadcast_id == mass.broadcast_id, Outbound.channel == mass.channel)
        .where(Outbound.state == "waiting")
        .order_by(Outbound.id)
    )
    return [(row, contact, user) for row, contact, user in await db.execute(query)]


async def put_off(db: AsyncSession, mass: Mass, until: datetime, *, error: str = "") -> None:
    """Look at it again at `until`; with an `error`, that was a try."""
    await _change(db, mass, due=until, error=error, tries=mass.tries + bool(error))


async def gathered(db: AsyncSession, mass: Mass, rows: Sequence[int], group: int) -> None:
    """These rows of the outbox are those that it tells; the platform knows their people as `group`."""
    await _change(db, mass, group_id=group, people=len(rows))
    for n in range(0, len(rows), _SLICE):
        await _rows(db, Outbound.id.in_(rows[n : n + _SLICE]), Outbound.state == "waiting", error=mass.key)


async def begin_sending(db: AsyncSession, mass: Mass, quota: MassQuota, urgency: str, *, now: datetime) -> bool:
    """Count it against the quota, before it is sent; false where nothing is left for it."""
    if await _left(db, mass.channel, quota, now) <= _kept(quota, urgency):
        return False
    await _change(db, mass, state="sending", sent_at=now)
    await audit.record(db, None, "broadcast.mass", f"broadcast:{mass.broadcast_id}", now=now, after={"key": mass.key})
    return True


async def accepted(db: AsyncSession, mass: Mass, message_id: str, *, now: datetime) -> None:
    """The platform took it: whoever still waited for a contact has been told."""
    await _change(db, mass, state="accepted", message_id=message_id, error="", due=now + SETTLED)
    mine = (Outbound.broadcast_id == mass.broadcast_id, Outbound.state == "waiting", Outbound.error == mass.key)
    sent = {"state": "sent", "sent_at": now, "tried_at": now, "provider_id": mass.key, "error": ""}
    await _rows(db, *mine, **sent)


async def failed(db: AsyncSession, mass: Mass, error: str, *, now: datetime) -> None:
    """It did not go out and will not: it counts for nothing, and everybody goes on waiting."""
    await _change(db, mass, state="failed", sent_at=None, error=error, due=now)
    await _rows(db, Outbound.broadcast_id == mass.broadcast_id, Outbound.error == mass.key, error="")


async def ended(db: AsyncSession, channel: str, message_id: str, *, went: bool, everybody: bool, now: datetime) -> bool:
    """The platform says how it ended; false if it speaks of none of ours, or of one that had ended.

    Where it does not say that `everybody` got it, it does not say who did: they see it again at their next contact.
    """
    ours = update(MassSend).where(MassSend.channel == channel, MassSend.message_id == message_id)
    done = ours.where(MassSend.state == "accepted").values(state="finished" if went else "failed", due=now)
    row = (await db.execute(done.returning(MassSend.key, MassSend.broadcast_id))).one_or_none()
    if row is None:
        return False
    if not (went and everybody):
        mine = (Outbound.broadcast_id == row.broadcast_id, Outbound.state == "sent", Outbound.provider_id == row.key)
        await _rows(db, *mine, state="waiting", sent_at=None, **({} if went else {"provider_id": ""}))
    return True


async def released(db: AsyncSession, mass: Mass) -> None:
    """The platform does not know the group any more."""
    await _change(db, mass, group_id=0)


async def _left(db: AsyncSession, channel: str, quota: MassQuota, now: datetime) -> int:
    """How many more may go out in the day or month that `now` is in."""
    local = now.astimezone(_CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
    since = local.replace(day=1) if quota.period == "month" else local
    counted = select(func.count()).where(MassSend.channel == channel, MassSend.sent_at >= since)
    return max(0, quota.most - (await db.scalar(counted) or 0))


def _kept(quota: MassQuota, urgency: str) -> int:
    return 0 if urgency == "red" else quota.kept


async def _change(db: AsyncSession, mass: Mass, **values: Any) -> None:
    await db.execute(update(MassSend).where(MassSend.id == mass.id).values(values))


async def _rows(db: AsyncSession, *which: ColumnElement[bool], **values: Any) -> None:
    await db.execute(update(Outbound).where(*which).values(values).execution_options(synchronize_session=False))
