"""Takes queued messages to the channels: answers right after their turn, the rest when it is due."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Select

from bot import i18n, outbox
from bot.channels import Channel, Presence, Undelivered
from bot.database import Database
from bot.delivery import claims
from bot.delivery.bulk import Bulk
from bot.delivery.letters import Letter, Outcome, failed, sent, untried
from bot.delivery.recording import Counted, Recorder
from bot.messages import Address, Outgoing, numbered
from bot.models import Outbound
from bot.outbox import LEASE, Queued, worded
from bot.pacing import LANE, RANK, Held, Pacer
from bot.services.broadcasts import mailbox

log = structlog.get_logger(__name__)

BATCH = 50
MOST_BROUGHT = 10_000
# What is said so soon after a numbered list is read together with it, so its numbers go on.
SAME_BREATH = timedelta(seconds=10)
# What a channel without a pacer takes: about so many messages a second.
UNPACED = 200.0


class Courier:
    """Takes queued messages to the channels, in order for each person within a lane."""

    def __init__(
        self,
        database: Database,
        channels: Mapping[str, Channel],
        clock: Callable[[], datetime],
        counted: Counted = lambda _channel, _result: None,
        *,
        zone: ZoneInfo,
        pacers: Mapping[str, Pacer] = {},
    ) -> None:
        """`pacers` are those of the channels that have one."""
        self._database = database
        self._channels = channels
        self._clock = clock
        self._zone = zone
        self._pacers = pacers
        self._recorder = Recorder(database, zone, clock, counted, tuple(channels))
        self._bulk = {name: self._bulk_of(name) for name in channels}
        # For whom something waits on a channel where they are: the newest row that they were shown or told of.
        self._shown: dict[str, dict[int, int]] = {name: {} for name in channels}
        # The same for those who are there only while they are answered.
        self._brought: dict[int, int] = {}

    async def deliver(self, rows: Sequence[Outbound | Queued], to: Address, shown: tuple[str, ...] = ()) -> None:
        """Send the rows that a turn has just put in the outbox with a lease, in order, without a poll.

        Where one cannot go out now, it and those behind it wait in the outbox. Numbers go on after those of `shown`.
        """
        outcomes: list[Outcome] = []
        for row in rows:
            letter = Letter(row.id, row.contact_id, to, row.lane, row.rank or 0, row.tries or 0, row.message)
            if outcomes and outcomes[-1].state != "sent":
                outcomes.append(untried(letter, "queued", outcomes[-1].due))
            else:
                outcomes.append(await self._try(letter, worded(row.message), (), shown))
                shown = outcomes[-1].tokens or shown
        await self._recorder.record(*outcomes)

    async def bring(self, to: Address) -> None:
        """Say what waits for somebody who is there at this moment: what is due to them, then their mail.

        Their mail comes again only when there is something new; the rest of it is theirs to ask for.
        """
        now = self._clock()
        async with self._database.single() as db:
            waiting = await claims.waiting_for(db, to, now)
        for one in sorted(waiting, key=lambda one: one.lane or "z"):
            if one.lane:
                await self._bring_due(to, one.lane, now)
            elif one.newest > self._brought.get(one.contact_id, 0):
                self._brought[one.contact_id] = one.newest
                await self._show(one.contact_id, to, one.locale)
        if len(self._brought) > MOST_BROUGHT:
            self._brought.clear()

    async def deliver_due(self, channel: str, lane: str, limit: int = BATCH) -> int:
        """Send what is due in one lane of one channel, for some seconds at most; returns how many were tried."""
        if lane != "bulk":
            return await self._deliver_letters(channel, lane, limit)
        taking = self._channels[channel]
        if isinstance(taking, Presence):
            return await self._hand_over(channel, taking) + await self._deliver_letters(channel, lane, limit)
        return await self._bulk[channel].round()

    async def close(self) -> None:
        """Let what is in hand go out within a second, and save what became of it."""
        await asyncio.gather(*(bulk.finish(1.0) for bulk in self._bulk.values()))
        await self._recorder.close()

    def _bulk_of(self, channel: str) -> Bulk:
        pacer = self._pacers.get(channel)
        return Bulk(
            self._database,
            channel,
            rate=pacer.rate if pacer else UNPACED,
            waiting=(lambda: pacer.waiting) if pacer else None,
            zone=self._zone,
            clock=self._clock,
            send=self._send,
            recorder=self._recorder,
            reached=partial(self._reached, channel),
        )

    async def _deliver_letters(self, channel: str, lane: str, limit: int) -> int:
        now, taking = self._clock(), self._channels[channel]
        if isinstance(taking, Presence) and not taking.present():
            return 0
        async with self._database.reading() as db:
            if not await claims.is_any_due(db, channel, lane, now) or await claims.is_paused(db, channel, lane, now):
                return 0
            due = claims.due_letters(channel, lane, now, self._reached(channel, now), taking.can.forms)
            if not await claims.is_any(db, due):
                return 0
        async with self._database.writing() as db:
            letters = await claims.claim(db, due, limit, now)
        async with asyncio.TaskGroup() as group:
            for letter in letters:
                group.create_task(self._send(letter, worded(letter.message), ()))
        return len(letters)

    def _reached(self, channel: str, now: datetime) -> Select[int] | None:
        """The contacts that a channel reaches now, None for all of them."""
        taking = self._channels[channel]
        if isinstance(taking, Presence):
            return claims.contacts(channel, taking.present())
        return None if taking.can.reply_window is None else claims.with_open_window(now)

    async def _bring_due(self, to: Address, lane: str, now: datetime) -> None:
        """Send this person's due rows of one lane, in order, until there are none or one does not go out."""
        is_going = True
        while is_going:
            async with self._database.writing() as db:
                due = claims.due_letters(to.channel, lane, now, claims.contacts(to.channel, [to.user]))
                letters = await claims.claim(db, due, 1, now)
                shown = await claims.last_list(db, letters[0].contact_id, now - SAME_BREATH) if letters else ()
            is_going = bool(letters)
            for letter in letters:
                outcome = await self._try(letter, worded(letter.message), (), shown)
                await self._recorder.record(outcome)
                is_going = outcome.state == "sent"

    async def _hand_over(self, channel: str, taking: Presence) -> int:
        """Show those who are here what waits for them: the first few, and again only when there is something new."""
        here, shown = taking.present(), self._shown[channel]
        async with self._database.reading() as db:
            waiting = await mailbox.who_has_mail(db, channel, here) if here else []
        self._shown[channel] = {id: shown[id] for id, _user, _locale, _newest in waiting if id in shown}
        new = [one for one in waiting if one[3] > shown.get(one[0], 0)]
        for contact_id, user, locale, newest in new:
            self._shown[channel][contact_id] = newest
            await self._show(contact_id, Address(channel, user), locale)
        return len(new)

    async def _show(self, contact_id: int, to: Address, locale: str) -> None:
        now = self._clock()
        async with self._database.writing() as db:
            said = await mailbox.take(db, contact_id, i18n.voice(locale, self._zone), now=now)
            rows = []
            for n, message in enumerate(said):
                key = f"mail:{contact_id}:{now.timestamp()}:{n}"
                row = outbox.put(db, contact_id, to.channel, message, lane="personal", key=key, at=now)
                # Sent at once, by this process.
                row.due = now + LEASE
                rows.append(row)
            shown = await claims.last_list(db, contact_id, now - SAME_BREATH)
        await self.deliver(rows, to, shown)

    async def _send(self, letter: Letter, message: Outgoing, carried: tuple[int, ...]) -> None:
        await self._recorder.record(await self._try(letter, message, carried))

    async def _try(
        self, letter: Letter, message: Outgoing, carried: tuple[int, ...], shown: tuple[str, ...] = ()
    ) -> Outcome:
        """Try to send one message once; its numbers go on after those of `shown`."""
        channel, tokens = self._channels[letter.to.channel], tuple[str, ...]()
        if not channel.can.buttons and message.buttons:
            message, mine = numbered(message, first=len(shown) + 1)
            tokens = (*shown, *mine) if mine else ()
        # The lane is this message's alone: others are sent in tasks of their own, or after it.
        lane, rank = LANE.set(letter.lane), RANK.set(letter.rank)
        try:
            provider_id = await channel.send(letter.to, message)
        except (Undelivered, Held) as failure:
            outcome = failed(letter, failure, self._clock())
            if outcome.rest and (pacer := self._pacers.get(letter.to.channel)):
                pacer.hold(outcome.rest.total_seconds())
            return outcome
        except Exception:
            log.exception("sending failed", channel=letter.to.channel, row=letter.id)
            return failed(letter, Undelivered("internal error", retry_in=LEASE), self._clock())
        finally:
            LANE.reset(lane)
            RANK.reset(rank)
        return sent(letter, provider_id, self._clock(), tokens=tokens, carried=carried)
