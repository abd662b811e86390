"""From one message of WeChat's to its one answer, however often the platform delivers it.

WeChat waits five seconds for an answer and delivers a message up to three times. What it is answered is made once:
an `Exchange` is the work on one message, and every delivery of it waits for the same one, 4.2 seconds at most. A
first or second delivery whose time runs out is cut off without a word, because any word would end the deliveries;
the third one gets a line that says which digit fetches the answer.

How nothing is lost and nothing is said twice:

* What nothing but reading comes of is answered and not begun; `Memory` writes the answer down a moment later, with
  those of others. Another process that gets a repeated delivery before that reads once more, and changes nothing.
* Any other message is begun in `Memory` before it is heard, so no other process hears it meanwhile; the third
  delivery takes over from a process that died.
* A turn that only reads gives its answer back. Any other turn commits its answers as rows of the outbox, and
  `send` is called with them right after. While their person's exchange is open, `send` puts the message on
  that person's shelf in `Memory`, as owed, and returns: from there on the row counts as sent, because what is
  on the shelf will be said whatever happens to this process. Where no exchange is open the row stays where
  it is (`Absent`) or is pushed.
* An exchange that was heard takes what it brought to the shelf, and all else that is owed to this person, into its
  own answer, and remembers that answer in one step before it goes out. Every later delivery gets the same.
* An answer for which nobody waits when it is ready is owed like the rest: it is said before the next answer, or
  alone when the rider sends the digit. If a delivery comes for it after all, it is told there.
* What does not fit one reply is still part of the remembered answer; 更多 as the next message gets the rest.
"""

import asyncio
import secrets
import traceback
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from bot.channels import Absent, Hear, Read, Undelivered, Unheard
from bot.channels.inline import inline
from bot.channels.wechat import encode
from bot.channels.wechat.decode import CHANNEL, Letter
from bot.channels.wechat.encode import Words
from bot.channels.wechat.memory import Begun, Kept, Memory, unpacked
from bot.messages import Address, Incoming, Outgoing

DELIVERIES = 3
# The third delivery comes ten seconds after the first: it may take over from a process that says nothing.
LEASE = timedelta(seconds=9)
PATIENCE = 4.2  # seconds until a delivery is answered, 4.5 on a busy machine; WeChat hangs up after five
HANGING_UP = 1.2  # seconds for which WeChat is left to hang up itself
GLANCE = 0.25  # seconds between two looks at what another process is doing
SECONDS_TO_CLOSE = 3.0
MOST_REMEMBERED = 4_000

MORE = frozenset({"更多", "more", "/more"})
FETCH = frozenset({"0", "０", "〇", "零"})

Texts = tuple[str, ...]
Arrived = Callable[[Address], Awaitable[None]]
Push = Callable[[str, Outgoing], Awaitable[str]]

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class Exchange:
    """The work on one message.

    It is ours until `mine_until`. `waiting` of its `deliveries` are here now. `shelved` is what `send` brought, by
    key. `kept` is the answer, `page` what one reply says of it if that is known already, `owed` as long as nobody was
    told it, `telling` writes down that somebody was. `is_erased`: its person asked to be forgotten.
    """

    letter: Letter
    heard: Incoming
    since: datetime
    begun: Begun | None = None
    mine_until: datetime | None = None
    task: asyncio.Task[None] | None = None
    deliveries: int = 0
    waiting: int = 0
    is_open: bool = False
    is_erased: bool = False
    has_failed: bool = False
    shelved: dict[str, Texts] = field(default_factory=dict)
    kept: Kept | None = None
    page: encode.Page | None = None
    owed: bool = False
    telling: asyncio.Task[None] | None = None

    @property
    def is_taken_over(self) -> bool:
        """Whether another process had begun it and said nothing."""
        return self.mine_until is not None and self.mine_until - self.since >= 2 * LEASE


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the channel is given by the program; see WeChatChannel."""

    memory: Memory
    now: Callable[[], datetime]
    words: Mapping[str, Words]
    is_urgent: Callable[[str], bool]
    read: Read
    writes: Callable[[Incoming], bool]
    arrived: Arrived | None
    push: Push | None
    patience: float = PATIENCE


class Elsewhere(Exception):
    """Another process has this message in hand, or had."""


class Exchanges:
    """Every message in hand, and the newest answers."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._memory = wiring.memory
        self._all: OrderedDict[str, Exchange] = OrderedDict()
        self._working: dict[str, list[Exchange]] = {}
        self._is_closing = False

    def answer(self, letter: Letter, heard: Incoming, hear: Hear) -> bytes | Awaitable[bytes | None] | None:
        """The reply to this delivery of `letter`, as XML, at once where nothing has to be waited for.

        None if it must end without one, so that WeChat retries.
        """
        if self._is_closing:
            return None
        exchange = self._all.get(letter.key)
        if exchange is None:
            exchange = self._all[letter.key] = Exchange(letter, heard, heard.at)
            if len(self._all) > MOST_REMEMBERED:
                self._forget_oldest()
        exchange.deliveries += 1
        if exchange.kept is None and exchange.task is None:
            exchange.waiting += 1
            rest = inline(self._work(exchange, hear))
            exchange.waiting -= 1
            if rest:
                exchange.task = asyncio.create_task(rest)
        if exchange.kept and not exchange.owed and not exchange.telling:
            return self._reply(exchange, exchange.kept)
        return inline(self._wait(exchange))

    async def missed(self, key: str) -> None:
        """The delivery that was just answered had gone: what it would have been told is owed again."""
        exchange = self._all.get(key)
        if exchange and exchange.kept and not exchange.waiting and not exchange.owed:
            exchange.owed = True
            if exchange.telling:
                await asyncio.wait((exchange.telling,))
            await self._remember(exchange, exchange.kept, told=False)

    async def send(self, user: str, message: Outgoing) -> str:
        """Put `message` on the shelf of somebody whose exchange is open, else push it; returns its id.

        Raises Undelivered: Absent if it can only wait.
        """
        exchange = next((one for one in self._working.get(user, ()) if one.is_open), None)
        if exchange is None:
            if self._wiring.push is None:
                raise Absent("no request is open")
            return await self._wiring.push(user, message)
        key, texts = f"{exchange.letter.key}#{secrets.token_hex(6)}", await self._encoded([message], user)
        packed, now = Kept(0, texts).packed(), self._wiring.now()
        try:
            await self._memory.keep(key, user, packed, told=False, now=now)
        except Exception as error:  # whatever a database raises: the row stays in the outbox
            raise Undelivered("not remembered", retry_in=timedelta(seconds=5)) from error
        if exchange.is_open:
            exchange.shelved[key] = texts
        return key

    def present(self) -> set[str]:
        """Those whose exchange is open."""
        return {user for user, working in self._working.items() if any(one.is_open for one in working)}

    async def close(self) -> None:
        """Take nothing more and let what is in hand end within 3 seconds; a retry finds another process."""
        self._is_closing = True
        await self._end_what_is_in_hand()
        await self._memory.settle()

    async def _end_what_is_in_hand(self) -> None:
        working = {one.task for many in self._working.values() for one in many if one.task}
        working |= {one.telling for one in self._all.values() if one.telling and not one.telling.done()}
        if not working:
            return
        _done, late = await asyncio.wait(working, timeout=SECONDS_TO_CLOSE)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _wait(self, exchange: Exchange) -> bytes | None:
        """The reply when the answer comes; if that takes too long a line in its place, or nothing but for the last."""
        patience, began = self._wiring.patience, asyncio.get_running_loop().time()
        if exchange.task:
            exchange.waiting += 1
            try:
                await asyncio.wait((exchange.task,), timeout=patience)
            finally:
                exchange.waiting -= 1
        if kept := exchange.kept:
            if exchange.owed or exchange.telling:
                await self._tell(exchange, kept, began + patience)
            return self._reply(exchange, kept)
        if exchange.deliveries >= DELIVERIES or self._wiring.now() - exchange.since >= LEASE:
            return self._put_off(exchange)
        hung_up = began + patience * (1 + HANGING_UP / PATIENCE)
        await asyncio.sleep(hung_up - asyncio.get_running_loop().time())
        return None

    def _reply(self, exchange: Exchange, kept: Kept) -> bytes:
        letter = exchange.letter
        said, _rest = exchange.page or encode.page(kept.texts, self._wiring.words)
        return encode.reply(letter.user, letter.account, kept.at, said)

    def _forget_oldest(self) -> None:
        key, oldest = next(iter(self._all.items()))
        if oldest.task is None:
            del self._all[key]

    async def _work(self, exchange: Exchange, hear: Hear) -> None:
        working = self._working.setdefault(exchange.letter.user, [])
        earlier = tuple(working)
        working.append(exchange)
        exchange.has_failed = False
        try:
            await self._find(exchange, hear, earlier)
        except Elsewhere:
            pass
        except Unheard:
            exchange.has_failed = True
        except Exception as error:  # noqa: BLE001 (the edge: the next delivery tries again)
            exchange.has_failed = True
            name, trace = type(error).__name__, "".join(traceback.format_tb(error.__traceback__))
            log.error("message failed", channel=CHANNEL, message=exchange.letter.key, error=name, trace=trace)
        finally:
            exchange.task = None
            working.remove(exchange)
            if not working:
                self._working.pop(exchange.letter.user, None)

    async def _find(self, exchange: Exchange, hear: Hear, earlier: Sequence[Exchange]) -> None:
        """Find the answer to a message and remember it."""
        if self._wiring.is_urgent(exchange.heard.text):
            # In danger nothing may stand between the words and the answer, least of all a database that is down.
            texts = await self._listen(exchange, hear)
            exchange.kept = self._kept((*texts, *_flat(exchange.shelved)))
            return
        said = exchange.heard.text.strip().casefold()
        may_be_read = said not in MORE and said not in FETCH and not earlier and not self._wiring.writes(exchange.heard)
        if may_be_read and await self._is_read(exchange):
            return
        begun = await self._begin(exchange)
        if begun.answer is not None:
            exchange.kept, exchange.owed = unpacked(begun.answer), not begun.told
            return
        if said in MORE and begun.last and (rest := self._rest(unpacked(begun.last))):
            await self._keep(exchange, (rest,), {})
            return
        owed = {key: unpacked(packed).texts for key, packed in begun.owed.items()}
        if said in FETCH and (owed or earlier or begun.is_busy):
            await self._fetch(exchange, owed, earlier)
            return
        texts = await self._listen(exchange, hear)
        if self._wiring.arrived:
            await self._receive(exchange, self._wiring.arrived)
        if exchange.is_taken_over and not texts and not exchange.shelved:
            raise Elsewhere
        await self._keep(exchange, texts, owed | _ready(earlier))

    async def _is_read(self, exchange: Exchange) -> bool:
        """Answer what nothing but reading comes of; false if that is not so, somebody has begun it or more is owed."""
        letter, now = exchange.letter, exchange.heard.at
        known = await self._memory.look(letter.key, letter.user, now=now)
        if known.answer is not None:
            exchange.kept, exchange.owed = unpacked(known.answer), not known.told
            return True
        if not known.is_mine or known.owed or (answer := await self._wiring.read(exchange.heard)) is None:
            return False
        if self._wiring.push:
            # A repeated delivery has the same time, so it opens nothing anew.
            self._memory.open(letter.user, opens=letter.opens, at=letter.said_at(now))
        texts = await self._encoded(answer.direct, letter.user)
        if self._wiring.arrived:
            await self._receive(exchange, self._wiring.arrived)
        page = encode.page(texts, self._wiring.words)
        if exchange.shelved or not exchange.waiting or page.rest:
            await self._keep(exchange, texts, {})
        else:
            exchange.kept, exchange.page = Kept(int(now.timestamp()), texts), page
            self._memory.note(letter.key, letter.user, exchange.kept.packed(), now=now)
        return True

    async def _begin(self, exchange: Exchange) -> Begun:
        """Begin the message here, or wait for the process that has it in hand; raises Elsewhere."""
        letter = exchange.letter
        while True:
            now = self._wiring.now()
            if exchange.begun and exchange.mine_until and now < exchange.mine_until:
                return exchange.begun
            until = now + LEASE
            begun = await self._memory.begin(letter.key, letter.user, opens=letter.opens, now=now, until=until)
            exchange.since = begun.since
            if begun.is_mine:
                exchange.begun, exchange.mine_until = begun, until
            if begun.is_mine or begun.answer is not None:
                return begun
            await asyncio.sleep(GLANCE)
            if not exchange.waiting:
                raise Elsewhere

    async def _listen(self, exchange: Exchange, hear: Hear) -> Texts:
        """Let the message be heard; what is answered directly."""
        exchange.is_open = True
        try:
            answer = await hear(exchange.heard)
            if answer.sent:
                await asyncio.wait((asyncio.ensure_future(answer.sent),))
        finally:
            exchange.is_open = False
        exchange.is_erased = any(message.erased for message in answer.direct)
        return await self._encoded(answer.direct, exchange.letter.user)

    async def _receive(self, exchange: Exchange, arrived: Arrived) -> None:
        """Let what waits for this person come in."""
        exchange.is_open = True
        try:
            await arrived(exchange.heard.sender)
        except Exception as error:  # noqa: BLE001 (it goes on waiting; the answer must not)
            log.warning("what waited was not sent", channel=CHANNEL, error=type(error).__name__)
        finally:
            exchange.is_open = False

    async def _fetch(self, exchange: Exchange, owed: Mapping[str, Texts], earlier: Sequence[Exchange]) -> None:
        """Answer with what is owed, waiting for what is in hand; if there is nothing yet, say so."""
        if not owed and (tasks := [one.task for one in earlier if one.task]):
            await asyncio.wait(tasks)
        ready = {**owed, **_ready(earlier)}
        if self._wiring.arrived:
            await self._receive(exchange, self._wiring.arrived)
        texts = () if ready or exchange.shelved else (self._words(exchange).working,)
        await self._keep(exchange, texts, ready)

    async def _keep(self, exchange: Exchange, texts: Texts, owed: Mapping[str, Texts]) -> None:
        """Make the answer of what was owed, `texts` and the shelf; remember it. Nothing at all is never owed."""
        kept = self._kept((*_flat(owed), *texts, *_flat(exchange.shelved)))
        while True:
            told = exchange.waiting > 0 or not kept.texts
            await self._remember(exchange, kept, told=told, also=owed)
            if told == (exchange.waiting > 0 or not kept.texts):
                break
        for key in owed:
            if older := self._all.get(key):
                older.kept, older.owed = self._kept(()), False
        exchange.kept, exchange.owed = kept, not told

    async def _remember(self, exchange: Exchange, kept: Kept, *, told: bool, also: Collection[str] = ()) -> None:
        """Remember an answer; of somebody who asked to be forgotten, forget all but this process's copy of it."""
        letter, now = exchange.letter, self._wiring.now()
        try:
            if exchange.is_erased:
                self._forget(exchange)
                await self._memory.forget(letter.user)
                return
            shelf = tuple(exchange.shelved)
            await self._memory.keep(letter.key, letter.user, kept.packed(), told=told, also=also, shelf=shelf, now=now)
        except Exception as error:  # noqa: BLE001 (it is known here, so it can be said)
            log.warning("answer not remembered", channel=CHANNEL, message=letter.key, error=type(error).__name__)

    def _forget(self, exchange: Exchange) -> None:
        """Drop everything of this person but the exchange in hand."""
        user = exchange.letter.user
        others = [key for key, one in self._all.items() if one.letter.user == user and one is not exchange]
        for key in others:
            del self._all[key]

    async def _tell(self, exchange: Exchange, kept: Kept, until: float) -> None:
        """Write down that it was told, no later than `until`: what is not yet written may be said once more."""
        if exchange.owed:
            exchange.owed = False
            exchange.telling = asyncio.create_task(self._remember(exchange, kept, told=True))
        if exchange.telling:
            left = until - asyncio.get_running_loop().time()
            await asyncio.wait((exchange.telling,), timeout=max(0.0, left))

    def _put_off(self, exchange: Exchange) -> bytes:
        """The line for a last delivery whose answer is not ready, or will not come."""
        words, letter = self._words(exchange), exchange.letter
        line = words.failed if exchange.has_failed else words.working
        return encode.reply(letter.user, letter.account, self._kept(()).at, line)

    def _words(self, exchange: Exchange) -> Words:
        return self._wiring.words[encode.locale_of(exchange.heard.text)]

    def _rest(self, kept: Kept) -> str:
        return encode.page(kept.texts, self._wiring.words).rest

    def _kept(self, texts: Texts) -> Kept:
        return Kept(int(self._wiring.now().timestamp()), texts)

    async def _encoded(self, messages: Sequence[Outgoing], user: str) -> Texts:
        """The texts of `messages`; a picture is pushed, because a reply cannot carry it."""
        for message in messages:
            if message.photo and self._wiring.push:
                await self._memory.settle()
                try:
                    await self._wiring.push(user, Outgoing("", photo=message.photo))
                except Undelivered as error:
                    log.warning("picture not sent", channel=CHANNEL, reason=str(error))
        return tuple([encode.encode(message) for message in messages])


def _ready(earlier: Sequence[Exchange]) -> dict[str, Texts]:
    """What is owed by those that were in hand when a message came and have ended meanwhile."""
    return {one.letter.key: one.kept.texts for one in earlier if one.kept and one.owed}


def _flat(texts: Mapping[str, Texts]) -> Texts:
    return tuple([text for some in texts.values() for text in some])
