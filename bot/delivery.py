"""Delivering the outbox: claim in one transaction, send outside any, record in another."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from bot.channels import Absent, Channel, Presence, Throttled, Undelivered, Unreachable
from bot.database import Database, insert
from bot.messages import Address
from bot.models import Contact, Outbound, Pause
from bot.outbox import LEASE, worded
from bot.pacing import LANE

log = structlog.get_logger(__name__)

MAX_TRIES = 8
BATCH = 50
# Somebody left between the claim and the sending: their message waits for them, and is looked at again soon.
ABSENCE = timedelta(seconds=5)

Clock = Callable[[], datetime]
Counted = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that this process may send until its lease ends."""

    row: Outbound
    to: Address


class Courier:
    """Takes queued messages to the channels, in order for each person within a lane."""

    def __init__(
        self,
        database: Database,
        channels: Mapping[str, Channel],
        clock: Clock,
        counted: Counted = lambda _channel, _result: None,
    ) -> None:
        self._database = database
        self._channels = channels
        self._clock = clock
        self._counted = counted

    async def deliver(self, rows: Sequence[Outbound], to: Address) -> None:
        """Send the rows that a turn has just put in the outbox with a lease, in order, without a poll.

        Where one cannot go out now, it and those behind it wait in the outbox.
        """
        for n, row in enumerate(rows):
            if not await self._send(Claimed(row, to)):
                await self._give_back(rows[n + 1 :], after=row)
                return

    async def deliver_due(self, channel: str, lane: str, limit: int = BATCH) -> int:
        """Claim what is due in one lane of one channel and send it; returns how many were tried."""
        claimed = await self._claim(channel, lane, limit)
        async with asyncio.TaskGroup() as group:
            for one in claimed:
                group.create_task(self._send(one))
        return len(claimed)

    async def _claim(self, channel: str, lane: str, limit: int) -> list[Claimed]:
        """Lease due rows, at most one for each person: the one behind must wait for its outcome.

        An earlier row that another process has locked but not yet marked still reads as queued, so its
        successor stays where it is.
        """
        now = self._clock()
        earlier = aliased(Outbound)
        waits_for_earlier = (
            select(earlier.id)
            .where(earlier.contact_id == Outbound.contact_id, earlier.state == "queued")
            .where(earlier.lane == lane, earlier.id < Outbound.id, earlier.at <= now)
            .exists()
        )
        due = (
            select(Outbound, Contact.user)
            .join(Contact, Contact.id == Outbound.contact_id)
            .where(Outbound.state == "queued", Outbound.channel == channel, Outbound.lane == lane)
            .where(Outbound.due <= now, ~waits_for_earlier)
            .order_by(Outbound.id)
            .limit(limit)
        )
        taking = self._channels[channel]
        if isinstance(taking, Presence):
            due = due.where(Contact.user.in_(taking.present()))
        async with self._database.reading() as db:
            paused = select(Pause.until).where(Pause.channel == channel, Pause.until > now)
            if lane != "answer" and await db.scalar(paused):
                return []
            if (await db.execute(due.limit(1))).first() is None:
                return []
        async with self._database.writing() as db:
            rows = await db.execute(due.with_for_update(of=Outbound, skip_locked=True))
            claimed = [Claimed(row, Address(channel, user)) for row, user in rows]
            for one in claimed:
                one.row.due = now + LEASE
        return claimed

    async def _send(self, one: Claimed) -> bool:
        """Try one row once; returns whether the next one of this person may follow."""
        channel = self._channels[one.to.channel]
        # Each send runs in a task of its own, so the lane is this message's alone.
        lane = LANE.set(one.row.lane)
        try:
            provider_id = await channel.send(one.to, worded(one.row.message))
        except Undelivered as failure:
            await self._failed(one, failure)
            return False
        except Exception:
            log.exception("sending failed", channel=one.to.channel, row=one.row.id)
            await self._failed(one, Undelivered("internal error", retry_in=LEASE))
            return False
        finally:
            LANE.reset(lane)
        async with self._database.writing() as db:
            values = {"state": "sent", "provider_id": provider_id, "sent_at": self._clock(), "error": ""}
            await db.execute(update(Outbound).where(Outbound.id == one.row.id).values(values))
        self._counted(one.to.channel, "sent")
        return True

    async def _failed(self, one: Claimed, failure: Undelivered) -> None:
        row, now = one.row, self._clock()
        tries = row.tries if isinstance(failure, Throttled | Absent) else row.tries + 1
        values: dict[str, Any] = {"tries": tries, "error": str(failure)}
        result = "retried"
        match failure:
            case Throttled():
                values["due"] = now + (failure.retry_in or timedelta(seconds=1))
                result = "throttled"
            case Absent():
                values["due"] = now + ABSENCE
                result = "waiting"
            case Unreachable():
                values["state"] = "stopped"
                result = "stopped"
            case _ if failure.retry_in and tries < MAX_TRIES:
                values["due"] = now + backoff(tries, failure.retry_in)
            case _:
                values["state"] = "failed"
                result = "failed"
        async with self._database.writing() as db:
            await db.execute(update(Outbound).where(Outbound.id == row.id).values(values))
            if isinstance(failure, Unreachable):
                await _stop(db, row.contact_id, now)
            if isinstance(failure, Throttled) and row.lane != "answer":
                await _pause(db, one.to.channel, values["due"], str(failure))
        row.due = values.get("due", now)
        self._counted(one.to.channel, result)

    async def _give_back(self, rows: Sequence[Outbound], *, after: Outbound) -> None:
        """Let go of claimed rows that must wait for the one before them."""
        if rows:
            async with self._database.writing() as db:
                waiting = update(Outbound).where(Outbound.id.in_([row.id for row in rows]))
                await db.execute(waiting.where(Outbound.state == "queued").values(due=after.due))


def backoff(tries: int, least: timedelta) -> timedelta:
    """How long to wait after the `tries`th failure: doubling from `least`, at most an hour."""
    return min(least * (1 << (tries - 1)), timedelta(hours=1))


async def _stop(db: AsyncSession, contact_id: int, now: datetime) -> None:
    await db.execute(update(Contact).where(Contact.id == contact_id).values(stopped_at=now))
    waiting = update(Outbound).where(Outbound.contact_id == contact_id, Outbound.state == "queued")
    await db.execute(waiting.values(state="stopped"))


async def _pause(db: AsyncSession, channel: str, until: datetime, reason: str) -> None:
    values = {"until": until, "reason": reason}
    await db.execute(
        insert(db, Pause)
        .values(channel=channel, **values)
        .on_conflict_do_update(index_elements=["channel"], set_=values)
    )
