"""Builds the program from its settings; the only module that knows all the others."""

import asyncio
import gc
import os
import socket
from collections.abc import Iterable, Mapping
from functools import partial
from ipaddress import ip_address
from typing import Any

import structlog
from aiohttp import web

from bot import i18n, loops, outbox, signals
from bot.callbacks import Callback
from bot.channels import (
    Answer,
    Called,
    Channel,
    Linked,
    Listener,
    Presence,
)
from bot.channels.web import WebChannel
from bot.channels.wechat import PassiveWeChatChannel
from bot.clock import Clock
from bot.conversation import Router
from bot.conversation.emergency import emergency
from bot.conversation.engine import Engine
from bot.database import DATABASE_TROUBLE, Database, is_migrated
from bot.delivery import Courier
from bot.delivery.mass import MassCourier
from bot.ears import Ears
from bot.handlers import HANDLERS
from bot.loops import Loops
from bot.messages import Address, Incoming
from bot.metrics import Metrics
from bot.official_account import OfficialAccount, official_account
from bot.outbox import LANES
from bot.pacing import Pacer
from bot.seals import BrokenSeal, Seals
from bot.services import holidays, places, riders, weather
from bot.services.broadcasts.audience import Reach
from bot.services.broadcasts.newsroom import Newsroom
from bot.services.city import City, load_city
from bot.services.desk import Desk
from bot.services.directory import Directory
from bot.services.policies import Policies, load_policies
from bot.services.tallies import Tally
from bot.services.tokens import Tokens
from bot.settings import Settings
from bot.telegram_bot import telegram_channel, telegram_pacer
from bot.upkeep import Upkeep
from bot.web import api, health, pages, passes, sign_in
from bot.web.console import Console
from bot.web.front import Front
from bot.web.proxies import client_address
from bot.web.server import build_app
from bot.web.site import Map, Site

log = structlog.get_logger(__name__)

# A hundred turns in hand are some thousand objects in use: looking through them for garbage every 700 finds none.
NEW_OBJECTS = 10_000
# How often somebody looks whether many are to be written to at once.
MASS_EVERY = 5.0


def features() -> Router:
    """Everything that a rider can say, in one register."""
    router = Router()
    for handlers in HANDLERS:
        router.include(handlers)
    return router


def resources_of(
    city: City,
    directory: Directory,
    seals: Seals,
    database: Database,
    tally: Tally,
    desk: Desk,
    newsroom: Newsroom,
) -> Mapping[type, object]:
    """What a handler may ask its turn for."""
    return {
        City: city,
        Directory: directory,
        Seals: seals,
        Database: database,
        Tally: tally,
        Desk: desk,
        Newsroom: newsroom,
        Reach: newsroom.reach,
        Policies: load_policies(city.folder),
        weather.Prepared: weather.prepared(city.folder),
    }


def _bound(host: str) -> socket.socket:
    """A socket on a port that is free; nobody is answered before it is served."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    bound.bind((host, 0))
    return bound


def reach_of(channels: Iterable[Channel]) -> Reach:
    """What the channels in use can do, for whoever must not know them."""
    can = {channel.name: channel.can for channel in channels}
    return Reach(
        pushing=frozenset(name for name in can if can[name].pushes and can[name].reply_window is None),
        windowed=frozenset(name for name in can if can[name].pushes and can[name].reply_window is not None),
        present=frozenset(name for name in can if not can[name].pushes),
        editing=frozenset(name for name in can if can[name].edits),
        limits={name: can[name].text_limit for name in can},
        masses={name: quota for name in can if (quota := can[name].mass)},
    )


class Program:
    """One process of an installation: `web` talks to people, `works` delivers and keeps the clock."""

    def __init__(self, settings: Settings, secret: str, *, talks: bool, works: bool) -> None:
        self.settings = settings
        self.talks = talks
        self.works = works
        self.clock = Clock(settings.clock)
        self.seals = Seals(secret)
        self.city = load_city(settings.city_folder)
        self.database = Database(settings.database_url)
        calendar = holidays.known_in(settings.city_folder)
        self.directory = Directory(self.city.zone, demo=settings.demo, calendar=calendar)
        self.tally = Tally(self.seals.key("looked in vain"))
        self.metrics = Metrics()
        self.loops = Loops(self.database, self.clock, f"{socket.gethostname()}:{os.getpid()}")
        self.wakes = {lane: asyncio.Event() for lane in LANES}
        # Links name the port, so one that the system may choose is taken before there are any.
        self._socket = _bound(settings.host) if talks and not settings.port else None
        port = self._socket.getsockname()[1] if self._socket else settings.port
        address = settings.public_url or f"http://{settings.host}:{port}"
        self.desk = Desk(self.seals, self.city.zone, settings.demo, address, calendar)
        self.channels: dict[str, Channel] = {"web": self._web_channel()}
        self.pacers: dict[str, Pacer] = {}
        if settings.telegram_token:
            pacer = self.pacers["telegram"] = telegram_pacer(settings, self.database)
            beat = partial(self.loops.beat, "telegram")
            self.channels["telegram"] = telegram_channel(
                settings, self.seals, pacer, zone=self.city.zone, beat=beat, now=self.clock
            )
        self.account: OfficialAccount | None = None
        if settings.wechat_app_id:
            self.account = self._official_account()
            self.channels[self.account.channel.name] = self.account.channel
        pages = load_policies(self.city.folder).codes
        self.newsroom = Newsroom(reach_of(self.channels.values()), self.city.zone, pages, self.city.counties)
        self.courier = Courier(
            self.database,
            self.channels,
            self.clock,
            self.metrics.delivered,
            zone=self.city.zone,
            pacers=self.pacers,
        )
        self.engine = Engine(
            self.database,
            features(),
            self.clock,
            self.city.zone,
            resources_of(self.city, self.directory, self.seals, self.database, self.tally, self.desk, self.newsroom),
            self.courier.deliver,
        )
        self.ears = Ears(self.engine, self.database, self.metrics)
        self._front: Front | None = None

    async def start(self) -> int:
        """Serve until `stop`; returns the port that the web server listens on, 0 if there is none."""
        gc.set_threshold(NEW_OBJECTS)
        for name, channel in self.channels.items():
            if isinstance(channel, Listener):
                await channel.start()
                if self.talks and channel.by_webhook:
                    self.loops.start_task(name, partial(channel.listen, self.ears.hear_on(channel)))
                elif self.works and not channel.by_webhook:
                    self.loops.start_task(name, partial(channel.listen, self.ears.hear_on(channel)), alone=True)
        if self.account and self.works:
            name = self.account.channel.name
            self.loops.start_task(name, partial(self.account.keep, partial(self.loops.beat, name)), alone=True)
        self._start_loops()
        return await self._serve() if self.talks else 0

    async def stop(self) -> None:
        """Take no more work, finish the turns in hand, close every socket."""
        if self._front:
            self._front.close_door()
        # Those who are here by our own sockets are let go first: nothing more comes from them. What goes out
        # by a platform stays open until the turns in hand are answered.
        here = [channel for channel in self.channels.values() if isinstance(channel, Presence)]
        for channel in here:
            await channel.close()
        await self.loops.stop()
        await self.engine.drain()
        await self.courier.close()
        if self._front:
            await self._front.close()
        if self._socket:
            self._socket.close()
        for other in self.channels.values():
            if other not in here:
                await other.close()
        if self.account:
            await self.account.close()
        try:
            await self._count_searches()
        except DATABASE_TROUBLE:
            log.warning("search counts lost")
        await self.database.close()

    async def ready(self) -> Mapping[str, Any]:
        """What `/readyz` says."""
        now = self.clock()
        try:
            async with asyncio.timeout(2):
                migrated = await is_migrated(self.database)
                signs, pauses = {}, []
                if migrated:
                    async with self.database.reading() as db:
                        signs = await loops.signs_of_life(db, now)
                        pauses = await outbox.pauses(db, now)
            reachable = True
        except DATABASE_TROUBLE:
            reachable, migrated, signs, pauses = False, False, {}, []
        loaded = self.directory.version is not None
        return {
            "ready": reachable and migrated and loaded,
            "database": reachable,
            "migrations": migrated,
            "directory": loaded,
            "loops": {
                name: {"ok": sign.ok, "last": sign.at.isoformat(), "detail": sign.detail}
                for name, sign in sorted((signs | self.loops.signs).items())
            },
            "paused": {pause.channel: {"until": pause.until.isoformat(), "reason": pause.reason} for pause in pauses},
        }

    def _start_loops(self) -> None:
        start = self.loops.start
        start("directory", self.refresh, every=2.0)
        start("searches", self._count_searches, every=60.0)
        for name, channel in self.channels.items():
            if channel.can.pushes and not self.works:
                continue
            if not channel.can.pushes and (not self.talks or isinstance(channel, PassiveWeChatChannel)):
                continue
            if isinstance(channel, WebChannel):
                start("page memory", channel.forget_old, every=60.0)
            for lane in LANES:
                step = partial(self.courier.deliver_due, name, lane)
                start(f"delivery {name} {lane}", step, every=1.0, wake=self.wakes[lane])
        if self.works and self.account and self.account.crowds:
            name, can = self.account.channel.name, self.account.channel.can
            masses = MassCourier(self.database, name, self.account.crowds, can, self.clock, self.city.zone)
            start(f"mass {name}", masses.step, every=MASS_EVERY, alone=True)
        if self.works:
            self._upkeep().start(self.loops)
        if not self.database.embedded:
            heard = {"people": self._somebody_changed, places.TOPIC: lambda _payload: None}
            listen = partial(signals.listen, self.database, heard, self.engine.people.forget_all)
            self.loops.start_task("signals", listen)
        self.loops.start_beating()

    def _upkeep(self) -> Upkeep:
        return Upkeep(
            self.database,
            self.clock,
            self.city,
            self.desk,
            self.newsroom,
            self.metrics,
            told=self.wakes["bulk"].set,
            weather_url=self.settings.weather_url,
        )

    async def _serve(self) -> int:
        settings = self.settings
        site = Site(
            city=self.city,
            database=self.database,
            now=self.clock,
            voice=lambda locale: i18n.voice(locale, self.city.zone),
            map=Map(settings.tiles_url, settings.tiles_attribution, settings.tiles_datum),
            public_url=settings.public_url,
            is_demo=settings.demo,
            signs_for_wechat=bool(self.account and self.account.page_routes),
            telegram=self._telegram_name,
            is_on_wechat=self.account is not None,
        )
        routes: list[web.AbstractRouteDef] = [
            *api.routes(self.directory, self.clock, self.city.zone),
            *passes.routes(self.desk),
            *sign_in.routes(self.desk, WebChannel.name, partial(self.seals.sign, "web-session")),
            *health.routes(self.ready, self._numbers, settings.metrics_token),
        ]
        callbacks: list[Callback] = []
        for channel in self.channels.values():
            hear = self.ears.hear_on(channel)
            routes += channel.routes(hear)
            if isinstance(channel, Called):
                callbacks.append(channel.callback(hear, self.ears.at_once_on(channel)))
        if self.account:
            routes += self.account.page_routes
        client = client_address(settings.trusted_proxies)
        app = build_app(
            site,
            places=pages.place_page(self.directory),
            extra=routes,
            client=client,
            machines=[callback.path for callback in callbacks],
            console=self._console(),
        )
        self._front = Front(app, callbacks)
        if self._socket:
            return await self._front.listen_at(self._socket)
        return await self._front.listen(settings.host, settings.port)

    def _console(self) -> Console:
        return Console(
            self.desk,
            self.directory,
            self.newsroom,
            weather.prepared(self.city.folder),
            self.ready,
            self.settings.require_totp,
            self._somebody_changed,
        )

    def _web_channel(self) -> WebChannel:
        def verify(token: str) -> str | None:
            try:
                return self.seals.signed("web-session", token)
            except BrokenSeal:
                return None

        def say(code: str, locale: str) -> str:
            return pages.frame_error(code, i18n.voice(i18n.spoken(locale), self.city.zone))

        return WebChannel(
            partial(self.seals.sign, "web-session"),
            verify,
            now=self.clock,
            say=say,
            arrived=self._arrived,
            knows=self._knows,
            is_urgent=lambda text: emergency(text) is not None,
            public_url=self.settings.public_url,
            network=self._network,
        )

    def _network(self, request: web.Request) -> str:
        """Who shares a network address; nobody is told apart behind a proxy that is not trusted."""
        address = client_address(self.settings.trusted_proxies)(request)
        try:
            is_public = ip_address(address).is_global
        except ValueError:
            is_public = False
        return self.seals.signature("network", address) if is_public else ""

    def _official_account(self) -> OfficialAccount:
        # The courier is made when all channels are.
        return official_account(
            self.settings,
            self.database,
            Tokens(self.database, self.seals, self.clock),
            self.seals,
            now=self.clock,
            zone=self.city.zone,
            read=self._read_on_wechat,
            writes=lambda heard: self.engine.must_write(heard),
            arrived=lambda person: self.courier.bring(person),
        )

    async def _read_on_wechat(self, heard: Incoming) -> Answer | None:
        # The ears are made when all channels are.
        return await self.ears.read(self.channels[heard.sender.channel], heard)

    async def _arrived(self, _person: Address) -> None:
        for wake in self.wakes.values():
            wake.set()

    async def _knows(self, person: Address) -> bool:
        async with self.database.reading() as db:
            return await riders.is_known(db, person.channel, person.user)

    def _telegram_name(self) -> str:
        channel = self.channels.get("telegram")
        return channel.username if isinstance(channel, Linked) else ""

    def _somebody_changed(self, address: str) -> None:
        channel, _colon, user = address.partition(":")
        self.engine.people.forget(Address(channel, user))

    async def refresh(self) -> None:
        """Bring the directory up to date with the database."""
        async with self.database.reading() as db:
            if await self.directory.refresh(db):
                # The places stay until the next change: looking through all of them for garbage holds up riders.
                gc.freeze()
        self.ears.outage.ends()

    async def _count_searches(self) -> None:
        taken = self.tally.take()
        if taken.counts:
            async with self.database.writing() as db:
                await places.count_searches(db, taken.counts, taken.people)

    async def _numbers(self) -> bytes:
        # What waits for a person to come back, or for their window to open, is not late.
        pushing = self.newsroom.reach.pushing
        async with self.database.reading() as db:
            for lane, (count, oldest) in (await outbox.queue_ages(db, self.clock(), pushing)).items():
                self.metrics.rows.labels(lane).set(count)
                self.metrics.oldest.labels(lane).set(oldest)
            self.metrics.paused.clear()
            for pause in await outbox.pauses(db, self.clock()):
                self.metrics.paused.labels(pause.channel).set((pause.until - self.clock()).total_seconds())
        return self.metrics.text()
