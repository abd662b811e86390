"""Reply windows: until when, and how many times more, somebody may be written to where a platform limits that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Integer, bindparam, delete, exists, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Database, Prepared, Write
from bot.models import Contact, Exchange, ReplyWindow


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody allows by something they do: so many `pushes` for as long as it `lasts`."""

    lasts: timedelta
    pushes: int


@dataclass(frozen=True, slots=True)
class Opening:
    """A window that somebody opened by what they said, with the `pushes` that it allows."""

    channel: str
    user: str
    until: datetime
    pushes: int


class ReplyWindows:
    """The windows of one channel, right with any number of processes: what is taken is taken by one statement."""

    def __init__(self, database: Database, channel: str) -> None:
        self._database = database
        self._channel = channel

    async def take(self, user: str, count: int, *, now: datetime) -> datetime | None:
        """Take `count` pushes to this person; returns the end of their window, None if that is not allowed now."""
        async with self._database.turn() as db:
            row = await _TAKE.first(db, channel=self._channel, user=user, count=count, now=now)
        return row[0] if row else None

    async def give_back(self, user: str, count: int, *, until: datetime) -> None:
        """The platform did not count `count` pushes of the window that ends `until`."""
        async with self._database.turn() as db:
            await _GIVE_BACK.all(db, channel=self._channel, user=user, count=count, until=until)

    async def close(self, user: str, *, until: datetime) -> None:
        """The platform says that the window that ends `until` allows nothing more."""
        async with self._database.turn() as db:
            await _CLOSE.all(db, channel=self._channel, user=user, until=until)


def opening(
    grants: Mapping[str, Grant], channel: str, user: str, opens: str, *, at: datetime, unless: str = ""
) -> list[Write]:
    """What opens a window, to be written together with other things; nothing where `opens` grants nothing.

    Nothing is written for somebody who is not known yet, or if there is an exchange of the key `unless` already. A
    shorter window takes the place of a longer one only when nothing is left of that.
    """
    grant = grants.get(opens)
    if grant is None:
        return []
    values = {"channel": channel, "user": user, "until": at + grant.lasts, "pushes": grant.pushes, "unless": unless}
    return [Write(_OPEN, values)]


async def open_all(db: AsyncSession, openings: Sequence[Opening]) -> None:
    """Open windows by the same rules as `opening`; those of one person in the order in which they come."""
    # Everybody locks them in the same order.
    ordered = sorted(openings, key=lambda one: one.user)
    values = [
        {"channel": o.channel, "user": o.user, "until": o.until, "pushes": o.pushes, "unless": ""} for o in ordered
    ]
    await db.execute(_OPENED, values)


async def forget_old(db: AsyncSession, *, now: datetime) -> None:
    """Drop the windows that are closed."""
    await db.execute(delete(ReplyWindow).where(ReplyWindow.until <= now))


_WINDOWS: Any = ReplyWindow.__table__
_AT = (Contact.channel == bindparam("channel"), Contact.user == bindparam("user"))
_UNTIL = bindparam("until", type_=_WINDOWS.c.until.type)


def opened(*, until: str = "until", unless: str = "unless") -> Any:
    """The statement that opens a contact's window, unless the message that opens it was begun before.

    Its parameters are `channel`, `user` and `pushes`, and those named `until` and `unless`.
    """
    is_new = ~exists().where(Exchange.key == bindparam(unless))
    end = bindparam(until, type_=_WINDOWS.c.until.type)
    granted = select(Contact.id, end, bindparam("pushes", type_=Integer)).where(*_AT, is_new)
    put = insert(_WINDOWS).from_select(["contact_id", "until", "remaining"], granted, include_defaults=False)
    new, old = put.excluded, _WINDOWS.c
    return put.on_conflict_do_update(
        index_elements=["contact_id"],
        set_={"until": new.until, "remaining": new.remaining},
        where=or_(new.until > old.until, old.remaining <= 0),
    )


def _mine(*conditions: Any) -> Any:
    contact = select(Contact.id).where(*_AT, *conditions).scalar_subquery()
    return update(_WINDOWS).where(_WINDOWS.c.contact_id == contact)


def _more(sign: int) -> Any:
    return _WINDOWS.c.remaining + sign * bindparam("count", type_=Integer)


_OPENED = opened()
_OPEN = Prepared(_OPENED)
_TAKE = Prepared(
    _mine(Contact.stopped_at.is_(None))
    .where(_WINDOWS.c.until > bindparam("now"), _more(-1) >= 0)
    .values(remaining=_more(-1))
    .returning(_WINDOWS.c.until)
)
_GIVE_BACK = Prepared(_mine().where(_WINDOWS.c.until == _UNTIL).values(remaining=_more(1)))
_CLOSE = Prepared(_mine().where(_WINDOWS.c.until == _UNTIL).values(remaining=0))
