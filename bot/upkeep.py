"""What goes on while nobody speaks: reminders, holds that end, broadcasts that begin, weather that passes, old rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from bot import weather_feed
from bot.conversation.engine import forget_old
from bot.database import Database
from bot.loops import Loops
from bot.metrics import Metrics
from bot.schedule import Jobs, Ticker
from bot.services import duties, exchanges, forecasts, weather, windows
from bot.services.broadcasts import jobs as broadcast_jobs
from bot.services.broadcasts import resolving
from bot.services.broadcasts.newsroom import Newsroom
from bot.services.city import City
from bot.services.desk import Desk
from bot.services.schedules import tick

HOURLY = 3600.0
# A seat is stuck no longer than its hold and this.
SWEEP_EVERY = 15.0
EXPIRE_EVERY = 60.0
# How often somebody looks whether it is time for the forecast.
LOOK_EVERY = 20.0
# How often somebody looks whether a scheduled notice is due.
TICK_EVERY = 2.0


@dataclass(frozen=True)
class Upkeep:
    """`told` is called when there are new rows in the bulk lane; without a `weather_url` nobody asks for forecasts."""

    database: Database
    clock: Callable[[], datetime]
    city: City
    desk: Desk
    newsroom: Newsroom
    metrics: Metrics
    told: Callable[[], None]
    weather_url: str = ""

    def start(self, loops: Loops) -> None:
        """Start all of it; any number of processes may."""
        jobs = Jobs()
        duties.register(jobs, self.desk)
        broadcast_jobs.register(jobs, self.newsroom)
        loops.start("schedule", Ticker(self.database, jobs, self.clock).tick, every=1.0)
        loops.start("bookings", self._sweep, every=SWEEP_EVERY)
        loops.start("broadcasts", self._broadcast, every=0.5)
        loops.start("expiry", self._expire, every=EXPIRE_EVERY)
        if self.weather_url:
            rules, words = forecasts.rules_of(self.city.folder), weather.prepared(self.city.folder)
            loops.start("forecast", partial(self._look_ahead, rules, words), every=LOOK_EVERY)
        loops.start("notices", self._tick, every=TICK_EVERY)
        loops.start("housekeeping", self._forget_old, every=HOURLY)

    async def _sweep(self) -> int:
        return await duties.sweep(self.database, self.clock(), self.desk)

    async def _tick(self) -> int:
        return await tick(self.database, self.clock(), self.newsroom)

    async def _broadcast(self) -> int:
        """Begin what is due, find the next recipients of what is being sent, end what is done."""
        now = self.clock()
        await resolving.begin_due(self.database, now, self.newsroom)
        found = await resolving.resolve(self.database, self.newsroom.reach, now)
        if found:
            self.told()
        await resolving.finish(self.database, now)
        return found

    async def _expire(self) -> int:
        now = self.clock()
        async with self.database.writing() as db:
            await weather.sweep(db, database=self.database, now=now)
        return await resolving.expire(self.database, now)

    async def _look_ahead(self, rules: Sequence[forecasts.Rule], words: weather.Prepared) -> None:
        """Put before the staff what the forecast would justify."""
        city = self.city
        looked = await forecasts.look(
            self.database,
            partial(weather_feed.fetch, self.weather_url, city.lat, city.lng, tuple(forecasts.UNITS)),
            rules,
            places_in=city.counties,
            words=words,
            newsroom=self.newsroom,
            now=self.clock(),
        )
        if looked:
            self.metrics.forecasts.labels(looked).inc()

    async def _forget_old(self) -> None:
        async with self.database.writing() as db:
            await forget_old(db, self.clock())
            await exchanges.forget_old(db, now=self.clock())
            await windows.forget_old(db, now=self.clock())
        await duties.erase(self.database, self.clock())
