"""Hearing one message: from what was said to what is answered, in one transaction or without any.

A turn that only reads answers at once and writes nothing. Everything else happens in one transaction: the
message is noted as heard, acted on, and its answers are put in the outbox; the commit makes all of it true.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot import i18n, outbox
from bot.conversation import people
from bot.conversation.emergency import emergency
from bot.conversation.lines import Lines
from bot.conversation.numbers import chosen_number
from bot.conversation.people import People
from bot.conversation.router import Route, Router
from bot.conversation.talks import Conversation
from bot.conversation.turn import Person, Turn
from bot.database import DATABASE_TROUBLE, Database, insert
from bot.errors import Problem
from bot.i18n import _, spoken
from bot.messages import Address, Button, Capabilities, Incoming, Outgoing, numbered
from bot.models import Choices, Contact, Heard, Outbound, Talk

log = structlog.get_logger(__name__)

# How long the numbers of a list mean what they meant, and how long its encrypted location is kept.
LIST_LIVES = timedelta(minutes=30)
# Danger is said in the first words; what follows them is not searched on every message.
MOST_WORDS = 500

Deliver = Callable[[Sequence[Outbound], Address], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Said:
    """What came of one message: `direct` answers for the channel to carry, `sent` when the others are out.

    `locale` is the language that the person chose by it, empty if they chose none. `changed` are other addresses
    of theirs of which no copy may be used any more.
    """

    direct: tuple[Outgoing, ...] = ()
    sent: asyncio.Task[None] | None = None
    locale: str = ""
    changed: tuple[Address, ...] = ()


class Engine:
    """Acts on messages, whichever channel they come from."""

    def __init__(
        self,
        database: Database,
        router: Router,
        clock: Callable[[], datetime],
        zone: ZoneInfo,
        resources: Mapping[type, object],
        deliver: Deliver,
    ) -> None:
        self._database = database
        self._router = router
        self._clock = clock
        self._zone = zone
        self._resources = resources
        self._deliver = deliver
        self._lines = Lines()
        self.people = People()
        self._lists: OrderedDict[Address, tuple[Outgoing, ...]] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    async def hear(self, heard: Incoming, can: Capabilities) -> Said:
        """Act on `heard`; its effects and what must be said are saved together, once.

        Raises one of DATABASE_TROUBLE, and Busy when this person has too many messages in line: nothing happened,
        the platform may deliver again. A bug is answered with an apology, because hearing the same message again
        would only meet the same bug.
        """
        mine = await self._lines.join(heard.sender)
        said = Said()
        try:
            said = await self._hear(heard, can)
        finally:
            if said.sent:
                said.sent.add_done_callback(lambda _task: self._lines.leave(heard.sender, mine))
            else:
                self._lines.leave(heard.sender, mine)
        return said

    async def drain(self) -> None:
        """Wait until every answer that was handed over has been tried once."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _hear(self, heard: Incoming, can: Capabilities) -> Said:
        now = self._clock()
        if heard.text and (danger := emergency(heard.text[:MOST_WORDS])):
            locale = known.locale if (known := self.people.get(heard.sender)) else spoken(heard.locale)
            voice = i18n.voice(locale, self._zone)
            calls = tuple((Button(voice.word(name), url=f"tel:{number}"),) for number, name in danger.numbers)
            # This answer alone may come before the database was asked for anything.
            return Said((Outgoing(voice.word(danger.text), calls if can.buttons else ()),))
        person = self.people.get(heard.sender) or await self._meet(heard.sender)
        if person and not person.dialog and not person.stopped and heard.event != "stopped":
            turn = self._turn(person, heard, can, now)
            route = await self._route(turn)
            if route.reads:
                return await self._read(turn, route)
            if turn.session:
                await turn.session.close()
        return await self._write(heard, can, now)

    def _turn(self, person: Person, heard: Incoming, can: Capabilities, now: datetime) -> Turn:
        return Turn(
            person=person,
            heard=heard,
            now=now,
            voice=i18n.voice(person.locale, self._zone),
            can=can,
            resources=self._resources,
            database=self._database,
        )

    async def _meet(self, address: Address) -> Person | None:
        async with self._database.reading() as db:
            person = await people.find(db, address)
        if person:
            self.people.keep(person)
        return person

    async def _route(self, turn: Turn) -> Route:
        """The feature that answers this message when no dialog is open."""
        heard, router = turn.heard, self._router
        if heard.event:
            return router.events.get(heard.event) or router.events["unknown"]
        if heard.pressed:
            return router.pressed(heard.pressed) or router.events["stale"]
        if heard.location:
            return router.events["location"]
        if route := router.said(heard.text):
            return route
        if (number := chosen_number(heard.text)) is not None:
            token = await self._listed(turn, number)
            return (token and router.pressed(token)) or router.events["stale"]
        return (router.reader and router.reader(heard.text, turn)) or router.events["unknown"]

    async def _read(self, turn: Turn, route: Route) -> Said:
        turn.argument = route.argument
        try:
            await _call(route, turn)
        except Problem as problem:
            turn.say(problem.text)
        except DATABASE_TROUBLE:
            raise
        except Exception:
            log.exception("turn failed", channel=turn.heard.sender.channel)
            turn.said = [_apology(turn)]
        finally:
            if turn.session:
                await turn.session.close()
        return Said(await self._shown(turn))

    async def _shown(self, turn: Turn) -> tuple[Outgoing, ...]:
        """What a turn that only read says, with its choices remembered for whoever answers by a digit."""
        said = tuple(turn.said)
        if turn.can.buttons:
            self._lists[turn.person.address] = said
            self._lists.move_to_end(turn.person.address)
            if len(self._lists) > 10_000:
                self._lists.popitem(last=False)
            return said
        shown, tokens = _numbered(said)
        if tokens:
            async with self._database.writing() as db:
                await _keep_list(db, turn.person.contact_id, tokens, turn.now)
        return shown

    async def _listed(self, turn: Turn, number: int) -> str:
        """The token of option `number` of the last list shown to this person, or nothing."""
        if turn.can.buttons:
            said = self._lists.get(turn.person.address, ())
            tokens = [b.press for message in said for row in message.buttons for b in row if b.press]
        else:
            choices = await turn.db.get(Choices, turn.person.contact_id)
            fresh = choices is not None and choices.shown_at > turn.now - LIST_LIVES
            tokens = choices.tokens if choices and fresh else []
        return tokens[number - 1] if 1 <= number <= len(tokens) else ""

    async def _write(self, heard: Incoming, can: Capabilities, now: datetime) -> Said:
        try:
            rows, said = await self._transact(heard, can, now, self._act)
        except DATABASE_TROUBLE:
            raise
        except Exception:
            log.exception("turn failed", channel=heard.sender.channel)
            rows, said = await self._transact(heard, can, now, _apologise)
        for address in (heard.sender, *said.changed):
            self.people.forget(address)
        if not rows:
            return said
        sent = asyncio.ensure_future(self._deliver(rows, heard.sender))
        task = asyncio.create_task(_finished(sent))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return replace(said, sent=task)

    async def _transact(
        self,
        heard: Incoming,
        can: Capabilities,
        now: datetime,
        act: Callable[[Turn, Talk], Awaitable[bool]],
    ) -> tuple[list[Outbound], Said]:
        """One transaction around `act`; what it says is in the outbox, unless it only read."""
        async with self._database.writing() as db:
            if not await _first_time(db, heard, now):
                return [], Said()
            if heard.event == "stopped":
                await _stop(db, heard.sender, now)
                return [], Said()
            person = await people.find_and_lock(db, heard, now)
            if person.stopped:
                await _resume(db, person.contact_id)
                person = replace(person, stopped=False)
            talk = await db.get(Talk, person.contact_id) or Talk(contact_id=person.contact_id)
            turn = self._turn(person, heard, can, now)
            turn.session = db
            only_read = await act(turn, talk)
            if turn.erased:
                self._lists.pop(heard.sender, None)
                await self._database.notify(db, "people", f"{heard.sender.channel}:{heard.sender.user}")
                return [], Said(tuple(turn.said))
            if talk.exchange and talk not in db:
                db.add(talk)
            said: tuple[Outgoing, ...] = tuple(turn.said)
            if can.buttons:
                self._lists[heard.sender] = said
            else:
                said, tokens = _numbered(tuple(_without_digits(said, talk)))
                if tokens:
                    await _keep_list(db, person.contact_id, tokens, now)
            if only_read:
                # Nothing but the first contact was saved: heard again, this may be answered again.
                await db.execute(delete(Heard).where(Heard.channel == heard.sender.channel, Heard.key == heard.key))
            else:
                rows = [self._put(db, turn, message, n) for n, message in enumerate(said)]
                await db.flush()
                for address in (heard.sender, *turn.changed):
                    await self._database.notify(db, "people", f"{address.channel}:{address.user}")
                chosen = turn.person.locale if turn.person.locale != person.locale else ""
                return rows, Said(locale=chosen, changed=tuple(turn.changed))
        return [], Said(said)

    def _put(self, db: AsyncSession, turn: Turn, message: Outgoing, n: int) -> Outbound:
        heard = turn.heard
        return outbox.put(
            db,
            turn.person.contact_id,
            heard.sender.channel,
            message,
            lane="answer",
            key=f"{heard.sender.channel}:{heard.key}:{n}",
            at=turn.now,
            leased=True,
        )

    async def _read_digit(self, turn: Turn, talk: Talk) -> None:
        """Where choices are numbered, a digit means what stood beside it, whichever message showed that."""
        number = chosen_number(turn.heard.text)
        if number is None or turn.can.buttons or talk.asked.get("kind") == "text":
            return
        if token := await self._listed(turn, number):
            turn.heard = replace(turn.heard, text="", pressed=token)

    async def _act(self, turn: Turn, talk: Talk) -> bool:
        """Do what was asked; returns whether nothing but reading came of it."""
        if talk.dialog:
            await self._read_digit(turn, talk)
        conversation = Conversation(self._router, turn, talk)
        was_open = bool(talk.dialog)
        if was_open and await conversation.take():
            return False
        route = await self._route(turn)
        turn.argument = route.argument
        if isinstance(route.entry, type):
            await conversation.start(route.entry)
            return False
        try:
            async with turn.db.begin_nested():
                await _call(route, turn)
        except Problem as problem:
            turn.said = []
            turn.say(problem.text)
        if talk.dialog and not turn.erased:
            await conversation.ask_again()
        return route.reads and not was_open


def _without_digits(said: Sequence[Outgoing], talk: Talk) -> list[Outgoing]:
    """Where free words are asked for, a digit is an answer: the question itself offers none to choose."""
    if said and talk.asked.get("kind") == "text":
        return [*said[:-1], replace(said[-1], buttons=())]
    return list(said)


async def _call(route: Route, turn: Turn) -> None:
    entry = route.entry
    if isinstance(entry, type):
        raise TypeError(f"the dialog {entry.__name__} cannot be called like a function")
    await entry(turn)


def _apology(turn: Turn) -> Outgoing:
    sorry = _("Sorry, something went wrong on our side. Please try again in a moment.")
    return Outgoing(turn.word(sorry))


async def _apologise(turn: Turn, talk: Talk) -> bool:
    turn.said = [_apology(turn)]
    return False


async def _finished(sent: Awaitable[None]) -> None:
    try:
        await sent
    except Exception:
        # The rows are in the outbox with a lease: another attempt follows when it ends.
        log.exception("handing over answers failed")


def _numbered(said: tuple[Outgoing, ...]) -> tuple[tuple[Outgoing, ...], list[str]]:
    shown, tokens = list[Outgoing](), list[str]()
    for message in said:
        plain, more = numbered(message, first=len(tokens) + 1)
        shown.append(plain)
        tokens += more
    return tuple(shown), tokens


async def _keep_list(db: AsyncSession, contact_id: int, tokens: list[str], now: datetime) -> None:
    values = {"tokens": tokens, "shown_at": now}
    await db.execute(
        insert(db, Choices)
        .values(contact_id=contact_id, **values)
        .on_conflict_do_update(index_elements=["contact_id"], set_=values)
    )


async def _first_time(db: AsyncSession, heard: Incoming, now: datetime) -> bool:
    noted = await db.execute(
        insert(db, Heard)
        .values(channel=heard.sender.channel, key=heard.key, at=now)
        .on_conflict_do_nothing()
        .returning(Heard.key)
    )
    return noted.first() is not None


async def _stop(db: AsyncSession, address: Address, now: datetime) -> None:
    contact = select(Contact.id).where(Contact.channel == address.channel, Contact.user == address.user)
    await db.execute(update(Contact).where(Contact.id.in_(contact)).values(stopped_at=now))
    waiting = update(Outbound).where(Outbound.contact_id.in_(contact), Outbound.state == "queued")
    await db.execute(waiting.values(state="stopped"))


async def _resume(db: AsyncSession, contact_id: int) -> None:
    await db.execute(update(Contact).where(Contact.id == contact_id).values(stopped_at=None))


async def forget_old(db: AsyncSession, now: datetime) -> None:
    """Drop the lists that have expired and the keys that no platform repeats any more (three days)."""
    await db.execute(delete(Choices).where(Choices.shown_at < now - LIST_LIVES))
    await db.execute(delete(Heard).where(Heard.at < now - timedelta(days=3)))
