"""Urgent broadcasts to those who cannot be written to now: by one message to all of them, where a platform has that."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from bot import i18n
from bot.channels import Undelivered
from bot.database import Database
from bot.delivery import claims, screening
from bot.delivery.letters import MAX_TRIES, Letter, backoff
from bot.i18n import DEFAULT_LOCALE, Voice, _
from bot.messages import Address, Capabilities, MassQuota, Outgoing
from bot.models import Notice
from bot.services import notices
from bot.services.broadcasts import mass
from bot.services.broadcasts.mass import Mass

log = structlog.get_logger(__name__)

# How long until somebody looks again whether it is a good time for the people of a broadcast.
LATER = timedelta(minutes=10)


class Crowd(Protocol):
    """A platform's way to write to many at once. Everything raises Undelivered, and may be done twice."""

    async def gather(self, name: str, users: Sequence[str]) -> int:
        """The number of a group of these users, called `name`."""

    async def send(self, group: int, message: Outgoing, *, key: str) -> str:
        """Send it to the group once for each `key`; returns the platform's number for it."""

    async def release(self, group: int) -> None:
        """Forget the group."""


class MassCourier:
    """The mass messages of one channel. Each is sent once: its key and that it is being sent are saved before."""

    def __init__(
        self,
        database: Database,
        channel: str,
        crowd: Crowd,
        can: Capabilities,
        clock: Callable[[], datetime],
        zone: ZoneInfo,
    ) -> None:
        """Raises ValueError for a channel that has no mass messages."""
        if can.mass is None:
            raise ValueError(f"{channel} has no mass messages")
        self._database = database
        self._channel = channel
        self._crowd = crowd
        self._quota: MassQuota = can.mass
        self._limit = can.text_limit
        self._clock = clock
        self._zone = zone

    async def step(self) -> int:
        """Do the next thing that is due; returns 0 where nothing is, or bulk sending is held."""
        now = self._clock()
        async with self._database.reading() as db:
            if await claims.is_paused(db, self._channel, "bulk", now):
                return 0
        async with self._database.writing() as db:
            await mass.plan(db, self._channel, self._quota, now=now)
            mine = await mass.claim(db, self._channel, now=now)
        if mine is None:
            return 0
        try:
            match mine.state:
                case "gathering":
                    await self._gather_and_send(mine)
                case "sending":
                    await self._send(mine, mine.group)
                case _:
                    await self._release(mine)
        except Undelivered as failure:
            await self._failed(mine, failure)
        return 1

    async def _gather_and_send(self, mine: Mass) -> None:
        """Let the platform know whom it goes to, count it, and send it."""
        now = self._clock()
        async with self._database.reading() as db:
            found = await mass.found(db, mine)
            waiting = await mass.recipients(db, mine) if found else []
            go = await self._good_now(db, mine, found[1], waiting, now) if found else []
        if found is None or not waiting:
            await self._fail(mine, "nobody waits for it")
            return
        if not go:
            async with self._database.writing() as db:
                await mass.put_off(db, mine, now + LATER)
            return
        group = await self._crowd.gather(mine.key, [letter.to.user for letter in go])
        async with self._database.writing() as db:
            await mass.gathered(db, mine, [letter.id for letter in go], group)
            # Whoever cancelled it meanwhile was in time.
            still = await mass.found(db, mine)
            may = still and await mass.begin_sending(db, mine, self._quota, still[1].urgency, now=now)
        if not may:
            await self._fail(mine, "the quota is used up" if still else "it is not to go out any more")
            return
        await self._send(mine, group)

    async def _send(self, mine: Mass, group: int) -> None:
        async with self._database.reading() as db:
            found = await mass.found(db, mine)
        if found is None:
            await self._fail(mine, "there is no such notice any more")
            return
        broadcast_id, notice = found
        said = worded(notice, broadcast_id, i18n.voice(DEFAULT_LOCALE, self._zone), self._limit)
        number = await self._crowd.send(group, said, key=mine.key)
        async with self._database.writing() as db:
            await mass.accepted(db, mine, number, now=self._clock())
        log.info("mass message sent", channel=self._channel, broadcast=broadcast_id, number=number)

    async def _release(self, mine: Mass) -> None:
        await self._crowd.release(mine.group)
        async with self._database.writing() as db:
            await mass.released(db, mine)

    async def _failed(self, mine: Mass, failure: Undelivered) -> None:
        """Try again soon if that can help. The same key is sent again, so nobody gets it twice."""
        log.warning("mass message failed", channel=self._channel, key=mine.key, error=str(failure))
        if failure.retry_in and failure.retry_in < LATER and mine.tries + 1 < MAX_TRIES:
            until = self._clock() + backoff(mine.tries + 1, failure.retry_in)
            async with self._database.writing() as db:
                await mass.put_off(db, mine, until, error=str(failure))
        elif mine.state in ("gathering", "sending"):
            await self._fail(mine, str(failure))
        else:
            async with self._database.writing() as db:
                await mass.released(db, mine)

    async def _fail(self, mine: Mass, error: str) -> None:
        async with self._database.writing() as db:
            await mass.failed(db, mine, error, now=self._clock())

    async def _good_now(
        self, db: AsyncSession, mine: Mass, notice: Notice, waiting: Sequence[tuple[int, int, str]], now: datetime
    ) -> list[Letter]:
        """Those who want it and may be told at this hour."""
        letters = [
            Letter(row, contact, Address(self._channel, user), "bulk", notices.RANKS[notice.urgency], 0)
            for row, contact, user in waiting
        ]
        screened = await screening.screen(
            db,
            letters,
            category=notice.category,
            urgency=notice.urgency,
            valid_until=notice.valid_until,
            now=now,
            zone=self._zone,
        )
        return [letter for letter, _locale in screened.go]


def worded(notice: Notice, broadcast_id: int, voice: Voice, limit: int) -> Outgoing:
    """The notice as everybody reads it, in one language and without buttons; its body is cut where that is too long."""
    letter = notices.letter(notice, voice, broadcast_id)
    body, _newline, stop = letter.text.rpartition("\n")
    links = [f"{button.label} {button.url}" for row in letter.buttons for button in row if button.url]
    more = voice.word(_("Send “通知” here to read it again and to answer."))
    tail = "\n".join([*links, more, stop])
    room = limit - len(tail) - 1
    if len(body) > room:
        body = f"{body[: room - 1]}…"
    return Outgoing(f"{body}\n{tail}")
