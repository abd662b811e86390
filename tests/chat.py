"""People who chat with the bot in tests, and what they can do and see."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from aiohttp import web

from bot.app import features, reach_of, resources_of
from bot.channels import Undelivered
from bot.conversation.engine import Engine, Said
from bot.database import Database
from bot.delivery import Courier
from bot.messages import Address, Capabilities, Incoming, Location, Outgoing, Photo
from bot.outbox import LANES, Queued
from bot.schedule import Jobs, Ticker
from bot.seals import Seals
from bot.services import duties, photographs, weather
from bot.services.broadcasts import jobs as broadcast_jobs
from bot.services.broadcasts import resolving
from bot.services.broadcasts.newsroom import Newsroom
from bot.services.city import load_city
from bot.services.desk import Desk
from bot.services.directory import Directory
from bot.services.tallies import Tally
from bot.settings import DATA

# A Monday morning, 09:00 in Yuncheng.
MORNING = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
CITY = load_city(DATA / "yuncheng")
DESK = Desk(Seals("a secret for tests"), CITY.zone, demo=True, public_url="https://nuanxin.example")


class PretendChannel:
    """A channel that keeps what it is told to send."""

    def __init__(self, name: str, can: Capabilities) -> None:
        self.name = name
        self.can = can
        self.delivered: dict[str, list[Outgoing]] = {}
        self.fails_with: list[Undelivered] = []

    def routes(self, hear: object) -> list[web.AbstractRouteDef]:
        return []

    async def listen(self, hear: object) -> None: ...

    async def close(self) -> None: ...

    async def send(self, to: Address, message: Outgoing) -> str:
        if self.fails_with:
            raise self.fails_with.pop(0)
        self.delivered.setdefault(to.user, []).append(message)
        return "1"


class World:
    """The whole bot on one database; `restarting` forgets everything in memory between two messages."""

    def __init__(self, database: Database, channel: PretendChannel, *, restarting: bool) -> None:
        self.database = database
        self.channel = channel
        self.restarting = restarting
        self.now = MORNING
        self.keys = itertools.count(1)
        self.directory = Directory(CITY.zone, demo=True)
        self.tally = Tally(DESK.seals.key("looked in vain"))
        self.router = features()
        self.jobs = Jobs()
        duties.register(self.jobs, DESK)
        self.newsroom = Newsroom(reach_of([channel]), CITY.zone)
        broadcast_jobs.register(self.jobs, self.newsroom)
        self._courier = self.new_courier()
        self._engine = self.new_engine()

    def new_engine(self) -> Engine:
        return Engine(
            self.database,
            self.router,
            lambda: self.now,
            CITY.zone,
            resources_of(CITY, self.directory, DESK.seals, self.database, self.tally, DESK, self.newsroom),
            self._deliver,
        )

    @property
    def engine(self) -> Engine:
        if self.restarting:
            self.restarts()
        return self._engine

    def restarts(self) -> None:
        """Everything in memory is gone; what is in the database stays."""
        self._courier = self.new_courier()
        self._engine = self.new_engine()

    @property
    def courier(self) -> Courier:
        """What delivers in the present process; after a restart it is another."""
        return self._courier

    def new_courier(self) -> Courier:
        return Courier(self.database, {self.channel.name: self.channel}, lambda: self.now, zone=CITY.zone)

    async def open(self) -> None:
        async with self.database.reading() as db:
            await self.directory.refresh(db)

    async def close(self) -> None:
        await self._engine.drain()

    async def settle(self) -> None:
        """Deliver everything that is due."""
        for lane in LANES:
            while await self.courier.deliver_due(self.channel.name, lane):
                pass
        await resolving.finish(self.database, self.now)

    async def passes(self, **time: float) -> None:
        """Time goes by, such as `minutes=5`, and what became due is delivered."""
        self.now += timedelta(**time)
        await self.keep_clock()
        await self.settle()

    async def keep_clock(self) -> None:
        """Do what is due: jobs, holds and offers that are over, sessions that ended, broadcasts that begin."""
        await Ticker(self.database, self.jobs, lambda: self.now).tick()
        while await duties.sweep(self.database, self.now, DESK):
            pass
        async with self.database.writing() as db:
            await weather.sweep(db, database=self.database, now=self.now)
        await resolving.begin_due(self.database, self.now, self.newsroom)
        while await resolving.resolve(self.database, self.newsroom.reach, self.now):
            pass

    def rider(self, user: str, locale: str = "en") -> "RiderInTest":
        return RiderInTest(self, Address(self.channel.name, user), locale)

    async def _deliver(self, rows: Sequence[Queued], to: Address) -> None:
        await self.courier.deliver(rows, to)


@dataclass
class RiderInTest:
    """A person; `maps` are the map programs of which they are given links, `sticker` what a sticker is answered.

    `can_show`: the pictures that they send can be had.
    """

    maps: ClassVar[tuple[str, ...]] = ("uri.amap.com", "apis.map.qq.com", "api.map.baidu.com")
    sticker: ClassVar[str] = "Nice one"
    can_show: ClassVar[bool] = True

    world: World
    address: Address
    locale: str = "en"
    seen: int = field(default=0)
    options: tuple[tuple[str, str], ...] = ()

    async def says(self, text: str, *, key: str = "") -> None:
        await self._hear(key, text=text)

    async def shares(self, lat: float, lng: float, *, key: str = "") -> None:
        """Share a location, WGS-84."""
        await self._hear(key, location=Location(lat, lng))

    async def taps(self, label: str) -> None:
        """Choose what contains `label` the way this channel allows: press its button, or say its number."""
        matching = [n for n, (shown, _token) in enumerate(self.options) if label in shown]
        assert matching, f"no choice {label!r} among {[shown for shown, _token in self.options]}"
        if self.world.channel.can.buttons:
            await self._hear("", pressed=self.options[matching[0]][1])
        else:
            await self._hear("", text=str(matching[0] + 1))

    async def presses(self, token: str, *, key: str = "") -> None:
        await self._hear(key, pressed=token)

    async def sends(self, event: str) -> None:
        """Something that is neither words nor a location: `photo`, `sticker`, `stopped`, `resumed`."""
        await self._hear("", event=event)

    async def shows(self, picture: bytes) -> None:
        """Send a picture; an empty one is one that its channel cannot have."""
        await self._hear("", event="photo", photo=Photo("a name", picture))

    def sees(self, *parts: str) -> None:
        """Assert that what arrived since the last look says each of `parts`; nothing at all if there are none."""
        new = self.inbox[self.seen :]
        self.seen = len(self.inbox)
        words = "\n".join(message.text for message in new)
        if not parts:
            assert not new, words
        for part in parts:
            assert part in words, f"{part!r} is not in:\n{words}"

    def does_not_see(self, *parts: str) -> None:
        """Assert that the last message says none of `parts`."""
        for part in parts:
            assert part not in self.latest.text, f"{part!r} is in:\n{self.latest.text}"

    def sees_choices(self, *labels: str) -> None:
        """Assert that the last answer offers each of `labels`, in this order, perhaps among others."""
        shown = iter(label for label, _token in self.options)
        for label in labels:
            assert any(label in one for one in shown), f"{label!r} is not offered in {self.options}"

    async def comes_back(self) -> None:
        """After days of silence they look in: what could not reach them meanwhile does now."""

    def looks_at_the_phone(self) -> None:
        """What came by itself is read: its choices are the ones to tap."""
        self.options = tuple(_options(self.inbox[self.seen :], buttons=self.world.channel.can.buttons))

    def catches_up(self) -> None:
        """Look at everything so far, and think nothing of it."""
        self.seen = len(self.inbox)

    @property
    def pins(self) -> list[str]:
        """The codes of the places in the last message, in order."""
        return [place.code for place in self.latest.places]

    @property
    def inbox(self) -> list[Outgoing]:
        return self.world.channel.delivered.setdefault(self.address.user, [])

    @property
    def latest(self) -> Outgoing:
        return self.inbox[-1]

    async def _hear(self, key: str, **what: Any) -> None:
        world = self.world
        before = len(self.inbox)
        key = key or f"k{next(world.keys)}"
        heard = Incoming(self.address, key, world.now, locale=self.locale, **what)
        heard = await photographs.developed(heard, None, world.database)
        known = world.engine.at_once(heard, world.channel.can)
        said = await world.engine.hear(heard, world.channel.can) if known is None else Said(known)
        self.inbox.extend(said.direct)
        if said.sent:
            await said.sent
        await world.settle()
        if len(self.inbox) > before:
            self.options = tuple(_options(self.inbox[before:], buttons=world.channel.can.buttons))


def _options(messages: list[Outgoing], *, buttons: bool) -> list[tuple[str, str]]:
    if buttons:
        return [(b.label, b.press) for message in messages for row in message.buttons for b in row if b.press]
    options: list[tuple[str, str]] = []
    for line in (line for message in messages for line in message.text.splitlines()):
        number, _space, label = line.partition(" ")
        if number == str(len(options) + 1):
            options.append((label, ""))
    return options
