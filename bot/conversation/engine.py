"""Hearing one message: from what was said to what is answered, in one transaction or without any.

A turn that only reads answers at once and writes nothing. Everything else happens in one transaction: the
message is noted as heard, acted on, and its answers are put in the outbox; the commit makes all of it true.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bot import i18n, outbox
from bot.conversation import people
from bot.conversation.emergency import emergency
from bot.conversation.lines import Lines
from bot.conversation.numbers import chosen_number
from bot.conversation.people import People
from bot.conversation.router import Route, Router
from bot.conversation.shown import Shown
from bot.conversation.talks import Conversation, Refused
from bot.conversation.turn import Person, Talk, Turn
from bot.database import DATABASE_TROUBLE, Database, Prepared, together
from bot.errors import Problem
from bot.i18n import _, spoken
from bot.messages import Address, Button, Capabilities, Incoming, Outgoing, numbered
from bot.models import Choices, Contact, Heard
from bot.outbox import Queued
from bot.pictures import drawn

log = structlog.get_logger(__name__)

# How long the numbers of a list mean what they meant, and how long its encrypted location is kept.
LIST_LIVES = timedelta(minutes=30)

Deliver = Callable[[Sequence[Queued], Address], Awaitable[None]]
Act = Callable[[Turn, Talk], Awaitable[bool]]


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
        self._seen = Shown()
        self._tasks: set[asyncio.Task[None]] = set()

    async def hear(self, heard: Incoming, can: Capabilities) -> Said:
        """Act on `heard`; its effects and what must be said are saved together, once. Danger waits in no line.

        Raises one of DATABASE_TROUBLE, and Busy when this person has too many messages in line: nothing happened,
        the platform may deliver again. A bug is answered with an apology, because hearing the same message again
        would only meet the same bug.
        """
        if danger := self._in_danger(heard, can):
            return danger
        mine = await self._lines.join(heard.sender)
        said = Said()
        try:
            said = await self._hear(heard, can)
        finally:
            if said.sent:
                said.sent.add_done_callback(lambda _task: self._lines.leave(heard.sender, mine))
            else:
                self._lines.leave(heard.sender, mine)
        return replace(said, direct=tuple(_drawn(message) for message in said.direct)) if said.direct else said

    def at_once(self, heard: Incoming, can: Capabilities) -> tuple[Outgoing, ...] | None:
        """What `hear` would answer directly, where that takes nothing but memory; else None, and nothing happened.

        A person who is being answered, or whom we have no copy of, is nobody to answer at once.
        """
        person = self.people.get(heard.sender)
        if person is None or person.dialog or person.stopped or not can.buttons or heard.sender in self._lines:
            return None
        if heard.event or (heard.text and emergency(heard.text)):
            return None
        turn = self._turn(person, heard, can, self._clock())
        route = self._known_route(turn)
        if route is None or not route.is_instant:
            return None
        turn.argument = route.argument
        try:
            _started(route, turn)
        except Problem as problem:
            turn.say(problem.text)
        except Exception:
            log.exception("turn failed", channel=heard.sender.channel)
            turn.said = [_apology(turn)]
        said = tuple(turn.said)
        self._seen.keep(person.address, said)
        return tuple([_drawn(message) for message in said])

    def must_write(self, heard: Incoming) -> bool:
        """Whether `read` would surely answer nothing; it asks nobody."""
        person = self.people.get(heard.sender)
        return self._is_to_write(heard) or bool(person and (person.dialog or person.stopped))

    async def read(self, heard: Incoming, can: Capabilities) -> Said | None:
        """What `hear` answers where nothing but reading comes of it; None, and nothing has happened, for all else."""
        if danger := self._in_danger(heard, can):
            return danger
        mine = await self._lines.join(heard.sender)
        try:
            said = await self._answered(heard, can, self._clock())
        finally:
            self._lines.leave(heard.sender, mine)
        return replace(said, direct=tuple(_drawn(message) for message in said.direct)) if said else None

    async def drain(self) -> None:
        """Wait until every answer that was handed over has been tried once."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _hear(self, heard: Incoming, can: Capabilities) -> Said:
        now = self._clock()
        return await self._answered(heard, can, now) or await self._write(heard, can, now)

    def _in_danger(self, heard: Incoming, can: Capabilities) -> Said | None:
        """The answer to danger: it alone may come before the database was asked for anything."""
        danger = emergency(heard.text) if heard.text else None
        if danger is None:
            return None
        locale = known.locale if (known := self.people.get(heard.sender)) else spoken(heard.locale)
        voice = i18n.voice(locale, self._zone)
        calls = tuple((Button(voice.word(name), url=f"tel:{number}"),) for number, name in danger.numbers)
        return Said((Outgoing(voice.word(danger.text), calls if can.buttons else ()),))

    async def _answered(self, heard: Incoming, can: Capabilities, now: datetime) -> Said | None:
        """The answer to what only needs reading."""
        person = self.people.get(heard.sender)
        if person is None and not self._is_to_write(heard):
            person = await self._meet(heard.sender)
        if person and not person.dialog and not person.stopped and heard.event != "stopped":
            turn = self._turn(person, heard, can, now)
            route = await self._route(turn)
            if route.reads:
                return await self._read(turn, route)
            if turn.session:
                await turn.session.close()
        return None

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

    def _is_to_write(self, heard: Incoming) -> bool:
        """Whether this is no message for a feature that only reads, whoever says it: then the lock comes first."""
        router = self._router
        route = router.pressed(heard.pressed) if heard.pressed else router.said(heard.text)
        return not route.reads if route else heard.pressed.startswith("q.")

    async def _meet(self, address: Address) -> Person | None:
        with self.people.meeting(address) as meeting:
            async with self._database.reading() as db:
                person = await people.find(db, address)
            if person and meeting.holds:
                self.people.keep(person)
        return person

    async def _route(self, turn: Turn) -> Route:
        """The feature that answers this message when no dialog is open."""
        if route := self._known_route(turn):
            return route
        text, tokens = turn.heard.text, await self._listed(turn)
        if self._router.is_choice(text):
            return self._router.chosen(text, tokens) or self._understood(turn)
        return self._router.pressed(_numbered_token(tokens, text)) or self._router.events["stale"]

    def _known_route(self, turn: Turn) -> Route | None:
        """The same; None for a number or a word that may mean something of the last list."""
        heard, router = turn.heard, self._router
        if heard.event:
            return router.events.get(heard.event) or router.events["unknown"]
        if heard.pressed:
            return router.pressed(heard.pressed) or router.events["stale"]
        if heard.location:
            return router.events["location"]
        if route := router.said(heard.text):
            return route
        if chosen_number(heard.text) is not None or router.is_choice(heard.text):
            return None
        return self._understood(turn)

    def _understood(self, turn: Turn) -> Route:
        """What free words mean."""
        router = self._router
        return (router.reader and router.reader(turn.heard.text, turn)) or router.events["unknown"]

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
            self._seen.keep(turn.person.address, said)
            return said
        shown, tokens = _numbered(said)
        if tokens:
            async with self._database.single() as db:
                await _keep_list(db, turn.person.contact_id, tokens, turn.now)
        return shown

    async def _listed(self, turn: Turn) -> list[str]:
        """The tokens of the last list shown to this person, in the order of their numbers."""
        if turn.can.buttons:
            return self._seen.tokens(turn.person.address)
        choices = await turn.db.get(Choices, turn.person.contact_id)
        return choices.tokens if choices and choices.shown_at > turn.now - LIST_LIVES else []

    async def _write(self, heard: Incoming, can: Capabilities, now: datetime) -> Said:
        try:
            rows, said = await self._transact(heard, can, now, self._act)
        except Refused as refused:
            rows, said = await self._transact(heard, can, now, partial(self._refuse, refused))
        except DATABASE_TROUBLE:
            raise
        except Exception:
            log.exception("turn failed", channel=heard.sender.channel)
            rows, said = await self._transact(heard, can, now, _apologise)
        for address in said.changed:
            self.people.forget(address)
        if not rows:
            return said
        task = asyncio.create_task(_finished(self._deliver(rows, heard.sender)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return replace(said, sent=task)

    async def _transact(self, heard: Incoming, can: Capabilities, now: datetime, act: Act) -> tuple[list[Queued], Said]:
        """One transaction around `act`; what it says is in the outbox, unless it only read.

        When it is over, the copy of the person that is kept is the one that it saved.
        """
        self.people.forget(heard.sender)
        async with self._database.turn() as db:
            if heard.event == "stopped":
                if await people.note(db, heard, now):
                    await _stop(db, heard.sender, now)
                return [], Said()
            met = await people.note_and_lock(db, heard, now)
            if met is None:
                return [], Said()
            person, talk = met
            if person.stopped:
                await _resume(db, person.contact_id)
            turn = self._turn(replace(person, stopped=False) if person.stopped else person, heard, can, now)
            turn.session = db
            before = replace(talk)
            only_read = await act(turn, talk)
            if turn.erased:
                self._seen.forget(heard.sender)
                for address in {heard.sender, *turn.changed}:
                    await self._database.notify(db, "people", _named(address))
                return [], Said(tuple(turn.said), changed=tuple(turn.changed))
            saved = [*turn.writes, *([people.kept(person.contact_id, talk)] if talk != before else [])]
            said = await self._said(turn, talk)
            if only_read:
                # Nothing but the first contact was saved: heard again, this may be answered again.
                await together(db, saved)
                await people.unnote(db, heard)
                return [], Said(said)
            known = replace(turn.person, dialog=bool(talk.dialog), is_new=False)
            # Whoever still believes that a dialog is open only looks once too often: telling holds up other commits.
            is_same = known in (person, replace(person, dialog=False)) and not turn.changed
            for address in (*(() if is_same else (heard.sender,)), *turn.changed):
                saved += self._database.notice("people", _named(address))
            rows = await outbox.put_answers(db, person.contact_id, heard, said, at=now, beside=saved)
        if not turn.changed:
            self.people.keep(known)
        chosen = known.locale if known.locale != person.locale else ""
        return rows, Said(locale=chosen, changed=tuple(turn.changed))

    async def _said(self, turn: Turn, talk: Talk) -> tuple[Outgoing, ...]:
        """What a turn says as the channel shows it, its choices remembered for whoever answers by a digit."""
        if turn.can.buttons:
            self._seen.keep(turn.person.address, turn.said)
            return tuple(turn.said)
        said, tokens = _numbered(tuple(_without_digits(turn.said, talk)))
        if tokens:
            await _keep_list(turn.db, turn.person.contact_id, tokens, turn.now)
        return said

    async def _read_digit(self, turn: Turn, talk: Talk) -> None:
        """Where choices are numbered, a digit means what stood beside it, whichever message showed that."""
        text = turn.heard.text
        if chosen_number(text) is None or turn.can.buttons or talk.asked.get("kind") == "text":
            return
        if token := _numbered_token(await self._listed(turn), text):
            turn.heard = turn.heard._replace(text="", pressed=token)

    async def _act(self, turn: Turn, talk: Talk) -> bool:
        """Do what was asked; returns whether nothing but reading came of it. Raises Refused."""
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
            await _call(route, turn)
        except Problem as problem:
            raise Refused(problem, only_read=route.reads and not was_open) from problem
        if turn.follows:
            turn.heard, turn.follows = turn.heard._replace(text="", pressed=turn.follows), ""
            await self._act(turn, talk)
            return False
        if talk.dialog and not turn.erased:
            await conversation.ask_again()
        return route.reads and not was_open

    async def _refuse(self, refused: Refused, turn: Turn, talk: Talk) -> bool:
        """Say why what was asked cannot be, and ask the open question again."""
        await Conversation(self._router, turn, talk).refuse(refused.problem)
        return refused.only_read


def _numbered_token(tokens: Sequence[str], said: str) -> str:
    """The token of the option whose number was said, or nothing."""
    number = chosen_number(said)
    return tokens[number - 1] if number and number <= len(tokens) else ""


def _without_digits(said: Sequence[Outgoing], talk: Talk) -> list[Outgoing]:
    """Where free words are asked for, a digit is an answer: the question itself offers none to choose."""
    if said and talk.asked.get("kind") == "text":
        return [*said[:-1], said[-1]._replace(buttons=())]
    return list(said)


async def _call(route: Route, turn: Turn) -> None:
    if (reading := _started(route, turn)) is not None:
        await reading


def _started(route: Route, turn: Turn) -> Awaitable[None] | None:
    entry = route.entry
    if isinstance(entry, type):
        raise TypeError(f"the dialog {entry.__name__} cannot be called like a function")
    return entry(turn)


def _apology(turn: Turn) -> Outgoing:
    sorry = _("Sorry, something went wrong on our side. Please try again in a moment.")
    return Outgoing(turn.word(sorry))


async def _apologise(turn: Turn, talk: Talk) -> bool:
    turn.said = [_apology(turn)]
    return False


def _drawn(message: Outgoing) -> Outgoing:
    """As the channel takes it that carries it at once."""
    return message._replace(photo=drawn(message.photo)) if message.photo else message


def _named(address: Address) -> str:
    """A person in a notice to other processes."""
    return f"{address.channel}:{address.user}"


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
    await _KEEP_LIST.all(db, contact_id=contact_id, tokens=tokens, shown_at=now)


async def _stop(db: AsyncSession, address: Address, now: datetime) -> None:
    contact = select(Contact.id).where(Contact.channel == address.channel, Contact.user == address.user)
    await outbox.stop(db, contact, now)


async def _resume(db: AsyncSession, contact_id: int) -> None:
    await db.execute(update(Contact).where(Contact.id == contact_id).values(stopped_at=None))


async def forget_old(db: AsyncSession, now: datetime) -> None:
    """Drop the lists that have expired and the keys that no platform repeats any more (three days)."""
    await db.execute(delete(Choices).where(Choices.shown_at < now - LIST_LIVES))
    await db.execute(delete(Heard).where(Heard.at < now - timedelta(days=3)))


def _lists_kept() -> Any:
    columns = {name: bindparam(name, type_=_CHOICES.c[name].type) for name in ("contact_id", "tokens", "shown_at")}
    put = insert(_CHOICES).values(**columns)
    new = {name: put.excluded[name] for name in ("tokens", "shown_at")}
    return put.on_conflict_do_update(index_elements=["contact_id"], set_=new)


_CHOICES: Any = Choices.__table__
_KEEP_LIST = Prepared(_lists_kept())
