"""What we know of the person who speaks: a bounded copy in memory, the truth in the database."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, exists, literal, select, true, union_all
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bot.conversation.turn import Person, Talk
from bot.database import Prepared, Write
from bot.database import insert as insert_in
from bot.i18n import spoken
from bot.messages import Address, Incoming
from bot.models import Contact, Heard, Rider
from bot.models import Talk as TalkRow


@dataclass(slots=True)
class Meeting:
    """A person who is being read; it no longer `holds` if they changed meanwhile."""

    holds: bool = True


class People:
    """Copies of the people who spoke last, dropped when they change here or, by notice, elsewhere."""

    def __init__(self, most: int = 50_000) -> None:
        self._most = most
        self._known: OrderedDict[Address, Person] = OrderedDict()
        self._meetings: dict[Address, Meeting] = {}

    def get(self, address: Address) -> Person | None:
        return self._known.get(address)

    def keep(self, person: Person) -> None:
        self._known[person.address] = person
        if len(self._known) > self._most:
            self._known.popitem(last=False)

    @contextmanager
    def meeting(self, address: Address) -> Iterator[Meeting]:
        """While somebody is read: what was read is kept only if it still holds, for the notice may come first."""
        meeting = self._meetings[address] = Meeting()
        try:
            yield meeting
        finally:
            if self._meetings.get(address) is meeting:
                del self._meetings[address]

    def forget(self, address: Address) -> None:
        self._known.pop(address, None)
        if meeting := self._meetings.get(address):
            meeting.holds = False

    def forget_all(self) -> None:
        self._known.clear()
        for meeting in self._meetings.values():
            meeting.holds = False


async def find(db: AsyncSession, address: Address) -> Person | None:
    """The person at `address`, if they ever spoke to us."""
    row = await _FIND.first(db, channel=address.channel, user=address.user)
    return _person(row, address) if row else None


async def note(db: AsyncSession, heard: Incoming, now: datetime) -> bool:
    """Note `heard` as acted on; False if it was already."""
    return await _NOTE.first(db, heard_on=heard.sender.channel, key=heard.key, at=now) is not None


async def note_and_lock(db: AsyncSession, heard: Incoming, now: datetime) -> tuple[Person, Talk] | None:
    """The person who speaks, made if they are new, and their talk; None if `heard` was acted on already.

    Until `db` ends, no other process answers this person.
    """
    address = heard.sender
    if db.get_bind().dialect.name == "sqlite":
        if not await note(db, heard, now):
            return None
        row = await _FIND.first(db, channel=address.channel, user=address.user)
    else:
        told = {"heard_on": address.channel, "key": heard.key, "at": now}
        noted = await _NOTE_AND_LOCK.first(db, **told, channel=address.channel, user=address.user)
        if noted is None:
            return None
        row = noted[1:] if noted[1] is not None else None
    is_new = row is None
    if row is None:
        await _make(db, heard, now)
        await _LOCK.all(db, channel=address.channel, user=address.user)
        row = await _FIND.first(db, channel=address.channel, user=address.user)
        assert row is not None
    return _person(row, address, is_new=is_new), _talk(row)


async def unnote(db: AsyncSession, heard: Incoming) -> None:
    """Let `heard` be acted on once more."""
    await db.execute(delete(Heard).where(Heard.channel == heard.sender.channel, Heard.key == heard.key))


def kept(contact_id: int, talk: Talk) -> Write:
    """What saves where this person's dialog stands."""
    return Write(_KEEP, {"contact_id": contact_id, **{column.name: getattr(talk, column.name) for column in _TALK}})


_HEARD: Any = Heard.__table__
_TALKS: Any = TalkRow.__table__
_PERSON = (Contact.id, Contact.rider_id, Contact.locale, Contact.stopped_at, Rider.vehicle, Rider.county)
_TALK = tuple(_TALKS.c[name] for name in ("dialog", "step", "exchange", "draft", "asked", "trail"))
_EXCHANGE = len(_PERSON) + 2


def _person(row: tuple[Any, ...], address: Address, *, is_new: bool = False) -> Person:
    contact_id, rider_id, locale, stopped_at, vehicle, county, dialog = row[: len(_PERSON) + 1]
    return Person(
        contact_id, rider_id, address, locale, vehicle, county, bool(dialog), is_new, stopped=stopped_at is not None
    )


def _talk(row: tuple[Any, ...]) -> Talk:
    return Talk() if row[_EXCHANGE] is None else Talk(*row[len(_PERSON) :])


async def _make(db: AsyncSession, heard: Incoming, now: datetime) -> None:
    rider = Rider(created_at=now)
    db.add(rider)
    await db.flush()
    made = await db.execute(
        insert_in(db, Contact)
        .values(
            rider_id=rider.id,
            channel=heard.sender.channel,
            user=heard.sender.user,
            locale=spoken(heard.locale),
            created_at=now,
        )
        .on_conflict_do_nothing()
        .returning(Contact.id)
    )
    if made.first() is None:
        await db.delete(rider)
        await db.flush()


def _found(*columns: Any) -> Any:
    at_address = (Contact.channel == bindparam("channel"), Contact.user == bindparam("user"))
    return select(*columns).select_from(Contact).join(Rider, Rider.id == Contact.rider_id).where(*at_address)


def _noted() -> Any:
    values: dict[str, Any] = {"channel": bindparam("heard_on"), "key": bindparam("key"), "at": bindparam("at")}
    return insert(_HEARD).values(values).on_conflict_do_nothing().returning(_HEARD.c.key)


def _noted_and_locked() -> Any:
    """In one round trip: the key, the contact's lock, and the talk as it stands once that lock is held.

    The talk is locked as well, because only a row that is locked is read again if it changed meanwhile. One that is
    not there is made, because only an insertion meets one that began while this statement waited for the lock.
    """
    noted = _noted().cte("noted")
    mine = _found(*_PERSON).with_for_update(of=Contact).cte("mine")
    is_mine = _TALKS.c.contact_id == select(mine.c.id).scalar_subquery()
    old = select(_TALKS).where(is_mine).with_for_update().cte("old")
    values: dict[str, Any] = {"dialog": "", "step": "", "exchange": 0, "draft": {}, "asked": {}, "trail": []}
    first = select(mine.c.id, *(literal(values[column.name], column.type) for column in _TALK))
    first = first.where(~exists().where(_TALKS.c.contact_id == mine.c.id))
    made = insert(_TALKS).from_select(["contact_id", *(column.name for column in _TALK)], first)
    there = made.on_conflict_do_update(index_elements=["contact_id"], set_={"contact_id": made.excluded.contact_id})
    new = there.returning(*_TALKS.c).cte("new")
    talk = union_all(select(old), select(new)).cte("talk")
    columns = (*(column for column in mine.c), *(talk.c[column.name] for column in _TALK))
    return select(noted.c.key, *columns).select_from(noted.outerjoin(mine, true()).outerjoin(talk, true()))


def _kept() -> Any:
    values: dict[str, Any] = {column.name: bindparam(column.name) for column in (_TALKS.c.contact_id, *_TALK)}
    put = insert(_TALKS).values(values)
    return put.on_conflict_do_update(index_elements=["contact_id"], set_={c.name: put.excluded[c.name] for c in _TALK})


_FIND = Prepared(_found(*_PERSON, *_TALK).outerjoin(_TALKS, _TALKS.c.contact_id == Contact.id))
_LOCK = Prepared(_found(Contact.id).with_for_update(of=Contact))
_NOTE = Prepared(_noted())
_NOTE_AND_LOCK = Prepared(_noted_and_locked())
_KEEP = Prepared(_kept())
