"""What channels call with everything that people say: measured, and with failures in the channels' own words."""

import asyncio
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from bot.channels import Answer, AtOnce, Channel, Hear, Photographer, Polyglot, Unheard
from bot.clock import monotonic
from bot.conversation.engine import Engine
from bot.database import DATABASE_TROUBLE, Database
from bot.messages import Incoming
from bot.metrics import Metrics
from bot.services import photographs

log = structlog.get_logger(__name__)


class Outage:
    """Says once that the database is away, and once that it is back, however many people ask meanwhile."""

    def __init__(self) -> None:
        self._is_on = False

    def goes_on(self, trouble: Exception) -> None:
        if not self._is_on:
            self._is_on = True
            # What a database says of a row may be private: only where it happened is kept.
            trace = "".join(traceback.format_tb(trouble.__traceback__))
            log.error("database does not answer", error=type(trouble).__name__, trace=trace)

    def ends(self) -> None:
        if self._is_on:
            self._is_on = False
            log.warning("database answers again")


class Ears:
    """The one way from every channel to the engine."""

    def __init__(self, engine: Engine, database: Database, metrics: Metrics) -> None:
        self.outage = Outage()
        self._engine = engine
        self._database = database
        self._turns = metrics.turns
        self._errors = metrics.errors

    def hear_on(self, channel: Channel) -> Hear:
        """What `channel` calls with everything that comes in."""
        turns, can, engine = self._turns, channel.can, self._engine
        fetch = channel.fetch if isinstance(channel, Photographer) else None

        async def hear(heard: Incoming) -> Answer:
            began = monotonic()
            with self._failures_on(channel.name):
                if heard.photo:
                    heard = await photographs.developed(heard, fetch, self._database)
                said = await engine.hear(heard, can)
            turns.add(channel.name, monotonic() - began)
            if said.locale and isinstance(channel, Polyglot):
                channel.speaks(heard.sender, said.locale)
            return Answer(said.direct, said.sent)

        return hear

    def at_once_on(self, channel: Channel) -> AtOnce:
        """What `channel` may ask before it calls `hear_on`'s."""
        turns, name, can, engine = self._turns, channel.name, channel.can, self._engine

        def at_once(heard: Incoming) -> Answer | None:
            began = monotonic()
            said = engine.at_once(heard, can)
            if said is None:
                return None
            turns.add(name, monotonic() - began)
            return Answer(said)

        return at_once

    async def read(self, channel: Channel, heard: Incoming) -> Answer | None:
        """The answer to what only needs reading; None, and nothing happened, for all else. Raises as `Hear` does."""
        await asyncio.sleep(0)  # whoever asks may run in no task yet, which a database needs
        began = monotonic()
        with self._failures_on(channel.name):
            said = await self._engine.read(heard, channel.can)
        if said is None:
            return None
        self._turns.add(channel.name, monotonic() - began)
        return Answer(said.direct)

    @contextmanager
    def _failures_on(self, channel: str) -> Iterator[None]:
        """Count what goes wrong; a database that is away is Unheard, and spoken of once."""
        try:
            yield
        except DATABASE_TROUBLE as trouble:
            self._errors.labels(channel).inc()
            self.outage.goes_on(trouble)
            raise Unheard from trouble
        except Exception:
            self._errors.labels(channel).inc()
            raise
