"""What a channel remembers of messages and their answers, for all processes: one row a message, and not for long."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from sqlalchemy import and_, bindparam, case, delete, exists, func, literal, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from bot.database import Database, Prepared, Write, together
from bot.models import Contact, Exchange
from bot.seals import BrokenSeal, Seals
from bot.services.jottings import Jottings, Noted, answered
from bot.services.windows import Grant, Opening, opened, opening

# How long a message without an answer keeps its person busy.
BUSY = timedelta(minutes=2)
# Nobody asks for the rest of an older answer; what nobody was told waits for its person as long as a notice does.
TOLD_LIVES = timedelta(minutes=30)
OWED_LIVES = timedelta(days=30)

_PURPOSE = "answers"

B = TypeVar("B")


class Exchanges(Generic[B]):
    """The messages of one channel.

    `begun` makes what the channel wants to know of one that it begins. `grants` are the reply windows that
    messages open, by their kind; a channel that pushes nothing has none. Answers are kept encrypted: how far
    places are from somebody tells where they are.
    """

    def __init__(
        self,
        database: Database,
        channel: str,
        seals: Seals,
        begun: Callable[..., B],
        grants: Mapping[str, Grant] = {},
    ) -> None:
        self._database = database
        self._seals = seals
        self._channel = channel
        self._begun = begun
        self._grants = grants
        self._jottings = Jottings(database, channel)
        # Where a round trip counts, one statement is one transaction.
        self._at_once = None if database.embedded else database.engine.execution_options(isolation_level="AUTOCOMMIT")

    async def begin(self, key: str, user: str, *, opens: str, now: datetime, until: datetime) -> B:
        """A delivery of message `key` came `now`; whoever first begins it may work on it `until` then."""
        await _in_a_task()
        opens = opens if opens in self._grants else ""
        if self._at_once:
            others = await self._begin_at_once(self._at_once, key, user, opens=opens, now=now, until=until)
            if others is not None:
                return self._known(others, is_mine=True, since=now, answer=None, told=True)
        person = {"channel": self._channel, "user": user}
        new = Write(_BEGIN, {"key": key, **person, "since": now, "until": until, "opens": opens})
        async with self._database.turn() as db:
            since, answer, told, is_mine = now, None, True, True
            window = opening(self._grants, self._channel, user, opens, at=now, unless=key)
            if not await together(db, [*window, new]):
                is_mine = await _TAKE_OVER.first(db, key=key, now=now, until=until) is not None
                row = await _LOOK.first(db, key=key)
                # Between the two they may have asked to be forgotten: then it is begun like a new one.
                since, answer, told = row or (now, None, True)
            others = await _OTHERS.all(db, key=key, lately=now - BUSY, **person)
        return self._known(others, is_mine=is_mine, since=since, answer=answer, told=told)

    async def look(self, key: str, user: str, *, now: datetime) -> B:
        """The same of a delivery of message `key` that came `now`, without beginning it."""
        await _in_a_task()
        async with self._database.single() as db:
            rows = await _LOOK_AROUND.all(db, key=key, channel=self._channel, user=user, lately=now - BUSY)
        others = [row for row in rows if row[0] != key]
        for _key, answer, told, since in (row for row in rows if row[0] == key):
            return self._known(others, is_mine=False, since=since, answer=answer, told=told)
        return self._known(others, is_mine=True, since=now, answer=None, told=True)

    def open(self, user: str, *, opens: str, at: datetime) -> None:
        """Open the window that a message from somebody we know, said at `at`, grants; `settle` waits for it.

        A crash may lose it: then less is allowed than could be, until they say something again.
        """
        if grant := self._grants.get(opens):
            self._jottings.open(Opening(self._channel, user, at + grant.lasts, grant.pushes))

    def note(self, key: str, user: str, answer: bytes, *, now: datetime) -> None:
        """Keep the answer that somebody was told to a message that nobody began; `settle` waits for it.

        An answer that there is already stays. A crash may lose this one: then the message is read once more.
        """
        self._jottings.note(Noted(key, user, self._sealed(answer), now))

    async def settle(self) -> None:
        """Return when everything is written down that was opened and noted until now."""
        await self._jottings.settle()

    async def _begin_at_once(
        self, engine: AsyncEngine, key: str, user: str, *, opens: str, now: datetime, until: datetime
    ) -> list[Any] | None:
        """Begin a message that nobody knew, in one statement; what is known of the others, None if it was known."""
        values = {"key": key, "channel": self._channel, "user": user, "since": now, "until": until, "opens": opens}
        grant = self._grants.get(opens)
        window = {"until_open": now + grant.lasts, "pushes": grant.pushes} if grant else {}
        statement = _BEGIN_AND_OPEN if grant else _BEGIN_ALONE
        async with engine.connect() as connection:
            # Given as parameters, the values would also set columns of their names.
            rows = (await connection.execute(statement.params(**values, **window, lately=now - BUSY))).all()
        if not rows[0].is_new:
            return None
        return [(row.key, row.answer, row.told, row.since) for row in rows if row.key is not None]

    def _known(self, others: Sequence[Any], *, is_mine: bool, since: datetime, answer: bytes | None, told: bool) -> B:
        open_ones = [(other, self._opened(kept), was_told) for other, kept, was_told, _since in others]
        said = [(other, kept, was_told) for other, kept, was_told in open_ones if kept is not None]
        return self._begun(
            is_mine=is_mine,
            since=since,
            answer=self._opened(answer),
            told=told,
            last=next((kept for _other, kept, was_told in reversed(said) if was_told), None),
            owed={other: kept for other, kept, was_told in said if not was_told},
            is_busy=any(kept is None for _other, kept, _told, _since in others),
        )

    def _sealed(self, answer: bytes) -> bytes:
        return self._seals.encrypt(answer.decode(), _PURPOSE)

    def _opened(self, kept: bytes | None) -> bytes | None:
        """The answer; None where there is none, or it was kept under another secret."""
        try:
            return self._seals.decrypt(kept, _PURPOSE).encode() if kept else None
        except BrokenSeal:
            return None

    async def keep(
        self,
        key: str,
        user: str,
        answer: bytes,
        *,
        told: bool,
        also: Collection[str] = (),
        shelf: Collection[str] = (),
        now: datetime,
    ) -> None:
        """The answer to `key`; it tells those of the keys `also`, and what was on the `shelf` is part of it."""
        sealed = self._sealed(answer)
        values = {"key": key, "channel": self._channel, "user": user, "answer": sealed, "told": told, "now": now}
        if self._at_once:
            async with self._at_once.connect() as connection:
                done = await connection.execute(_KEEP_ALL.params(**values, also=list(also), shelf=list(shelf)))
                opens = done.one().opens
            if not opens:
                return
            also, shelf = (), ()
        async with self._database.turn() as db:
            kept = await _KEEP.first(db, **values)
            if kept and kept[0]:
                # They were not known when the message came.
                await together(db, opening(self._grants, self._channel, user, kept[0], at=kept[1]))
                await _OPENED.all(db, key=key)
            if also:
                await db.execute(update(Exchange).where(Exchange.key.in_(also)).values(told=True))
            if shelf:
                await db.execute(delete(Exchange).where(Exchange.key.in_(shelf)))

    async def forget(self, user: str) -> None:
        """Drop every row of this person."""
        await self.settle()
        async with self._database.turn() as db:
            await db.execute(delete(Exchange).where(Exchange.channel == self._channel, Exchange.user == user))


async def _in_a_task() -> None:
    """Whoever calls may not run in a task yet, and connecting to a database needs one."""
    await asyncio.sleep(0)


async def forget_old(db: AsyncSession, *, now: datetime) -> None:
    """Drop what no platform repeats and nobody asks for any more."""
    is_owed = and_(Exchange.answer.is_not(None), ~Exchange.told)
    old = or_(and_(~is_owed, Exchange.since < now - TOLD_LIVES), Exchange.since < now - OWED_LIVES)
    await db.execute(delete(Exchange).where(old).execution_options(synchronize_session=False))


_TABLE: Any = Exchange.__table__
_ROW = _TABLE.c
_KEY = _ROW.key == bindparam("key")
_PERSON = (_ROW.channel == bindparam("channel"), _ROW.user == bindparam("user"))
_IS_SAID = _ROW.answer.is_not(None)


def _begins() -> Any:
    known = exists().where(Contact.channel == bindparam("channel"), Contact.user == bindparam("user"))
    row = {name: bindparam(name, type_=_ROW[name].type) for name in ("key", "channel", "user", "since", "until")}
    opens = case((known, ""), else_=bindparam("opens", type_=_ROW.opens.type))
    put = insert(_TABLE).values(**row, opens=opens, told=True)
    return put.on_conflict_do_nothing(index_elements=["key"]).returning(_ROW.id)


def _keeps() -> Any:
    put = answered()
    new = {"answer": put.excluded.answer, "told": put.excluded.told}
    return put.on_conflict_do_update(index_elements=["key"], set_=new).returning(_ROW.opens, _ROW.since)


def _others(*also: Any) -> Any:
    """The rest of what is known of a person: what is owed or in hand, and the newest answer that was told."""
    is_other = _ROW.key != bindparam("key")
    newest = select(func.max(_ROW.id)).where(*_PERSON, is_other, _IS_SAID, _ROW.told).scalar_subquery()
    is_owed = and_(_IS_SAID, ~_ROW.told)
    is_busy = and_(~_IS_SAID, _ROW.since > bindparam("lately"))
    counts = and_(is_other, or_(is_owed, is_busy, _ROW.id == newest))
    return select(_ROW.key, _ROW.answer, _ROW.told, _ROW.since).where(*_PERSON, or_(*also, counts)).order_by(_ROW.id)


def _begins_at_once(*, opens_window: bool) -> Any:
    """All of it as one statement: begin the message, open the window, and see what else there is."""
    begun = _begins().cte("begun")
    others = _others().subquery("others")
    is_new = exists(select(begun.c.id)).label("is_new")
    one = select(literal(1).label("one")).subquery("one")
    found = select(is_new, others).select_from(one.outerjoin(others, true()))
    if opens_window:
        found = found.add_cte(opened(until="until_open", unless="key").cte("opened"))
    return found


def _keeps_all() -> Any:
    told = update(_TABLE).where(_ROW.key.in_(bindparam("also", expanding=True))).values(told=True)
    gone = delete(_TABLE).where(_ROW.key.in_(bindparam("shelf", expanding=True)))
    kept = _keeps().cte("kept")
    return select(kept.c.opens).add_cte(told.cte("told"), gone.cte("gone"))


_BEGIN_ALONE, _BEGIN_AND_OPEN = _begins_at_once(opens_window=False), _begins_at_once(opens_window=True)
_KEEP_ALL = _keeps_all()
_BEGIN = Prepared(_begins())
_TAKE_OVER = Prepared(
    update(_TABLE)
    .where(_KEY, ~_IS_SAID, _ROW.until <= bindparam("now"))
    .values(until=bindparam("until"))
    .returning(_ROW.id)
)
_LOOK = Prepared(select(_ROW.since, _ROW.answer, _ROW.told).where(_KEY))
_OTHERS = Prepared(_others())
_LOOK_AROUND = Prepared(_others(_KEY))
_KEEP = Prepared(_keeps())
_OPENED = Prepared(update(_TABLE).where(_KEY).values(opens=""))
