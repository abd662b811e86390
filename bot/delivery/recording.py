"""Recording what became of messages: whatever ends at about the same time is written in one transaction."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import bindparam, or_, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot import outbox
from bot.database import Database, insert
from bot.database.prepared import Prepared
from bot.delivery import storms
from bot.delivery.letters import Outcome
from bot.i18n import DEFAULT_LOCALE, _
from bot.models import Choices, Outbound, Pause
from bot.services.broadcasts import digest, editors, states, steering
from bot.services.broadcasts.audience import Reach
from bot.services.broadcasts.newsroom import Newsroom

log = structlog.get_logger(__name__)

_MOST_TOGETHER = 500

Counted = Callable[[str, str], None]


class Recorder:
    """Writes outcomes down, in batches that form by themselves while the batch before is written.

    What a crash leaves unwritten is sent again when its lease ends, never lost.
    """

    def __init__(
        self,
        database: Database,
        zone: ZoneInfo,
        clock: Callable[[], datetime],
        counted: Counted,
        channels: Collection[str],
    ) -> None:
        """`channels` are all by which a broadcast goes out."""
        self._database = database
        self._channels = channels
        self._zone = zone
        self._clock = clock
        self._counted = counted
        self._waiting: deque[tuple[Sequence[Outcome], asyncio.Future[None]]] = deque()
        self._writing: asyncio.Task[None] | None = None

    async def record(self, *outcomes: Outcome) -> None:
        """Return when these are saved; raises one of DATABASE_TROUBLE if they are not."""
        if not outcomes:
            return
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((outcomes, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        await done

    async def close(self) -> None:
        """Wait until everything is written."""
        while self._writing and not self._writing.done():
            await asyncio.wait([self._writing])

    async def _write_all(self) -> None:
        while self._waiting:
            taken: list[tuple[Sequence[Outcome], asyncio.Future[None]]] = []
            try:
                is_plain = _are_plain(self._waiting[0][0])
                async with self._database.single() if is_plain else self._database.turn() as db:
                    # What came while this stood in line for a connection goes with it.
                    outcomes = self._take(taken, only_plain=is_plain)
                    await self._write(db, outcomes)
            except Exception as error:  # noqa: BLE001 (whatever it is, everybody who waits hears of it)
                for _some, done in taken or self._everything():
                    if not done.done():
                        done.set_exception(error)
                continue
            for outcome in outcomes:
                if outcome.result:
                    self._counted(outcome.letter.to.channel, outcome.result)
            for _some, done in taken:
                if not done.done():
                    done.set_result(None)

    def _take(self, taken: list[tuple[Sequence[Outcome], asyncio.Future[None]]], *, only_plain: bool) -> list[Outcome]:
        """The outcomes that are written together next; `taken` gets those who wait for them."""
        count = 0
        while self._waiting and count < _MOST_TOGETHER and (_are_plain(self._waiting[0][0]) or not only_plain):
            taken.append(self._waiting.popleft())
            count += len(taken[-1][0])
        return [outcome for some, _done in taken for outcome in some]

    def _everything(self) -> list[tuple[Sequence[Outcome], asyncio.Future[None]]]:
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    async def _write(self, db: AsyncSession, outcomes: Sequence[Outcome]) -> None:
        now = self._clock()
        await write(db, outcomes)
        if gone := {outcome.letter.contact_id for outcome in outcomes if outcome.state == "stopped" and outcome.result}:
            await outbox.stop(db, gone, now)
        if tokens := {outcome.letter.contact_id: outcome.tokens for outcome in outcomes if outcome.tokens}:
            await _keep_choices(db, tokens, now)
        if carried := [id for outcome in outcomes for id in outcome.carried]:
            told = update(Outbound).where(Outbound.id.in_(carried), Outbound.state == "digest")
            await db.execute(told.values(state="sent", sent_at=now).execution_options(synchronize_session=False))
        for outcome in outcomes:
            if outcome.rest:
                await pause(db, outcome.letter.to.channel, now + outcome.rest, outcome.error)
        if any(outcome.state == "digest" for outcome in outcomes):
            await digest.expect(db, now, self._zone)
        await self._watch(db, outcomes, now)

    async def _watch(self, db: AsyncSession, outcomes: Iterable[Outcome], now: datetime) -> None:
        """Pause the broadcasts of which too much has failed lately, by whichever processes, and tell the staff."""
        failed = {
            outcome.letter.broadcast_id: outcome.error
            for outcome in outcomes
            if outcome.letter.broadcast_id is not None and storms.counts(outcome)
        }
        for number, error in failed.items():
            if (count := await storms.failures(db, number, self._channels, now)) is None:
                continue
            newsroom = Newsroom(Reach(), self._zone)
            said = _("{count} of the last {of} failed: {error}", count=count, of=storms.OF, error=error)
            reason = newsroom.voice(DEFAULT_LOCALE).word(said)
            try:
                await steering.pause(db, None, number, reason, now=now)
            except (states.Overtaken, states.NoSuchBroadcast):
                # Somebody paused, cancelled or erased it first.
                continue
            log.warning("error storm", broadcast=number, failures=count, reason=error)
            broadcast, notice = await states.found(db, number)
            await editors.tell_of_halt(db, broadcast, notice, reason, newsroom=newsroom, now=now)


def _are_plain(outcomes: Sequence[Outcome]) -> bool:
    """Whether nothing but their own rows changes by them."""
    return all(one.state == "sent" and not (one.tokens or one.carried or one.rest) for one in outcomes)


async def write(db: AsyncSession, outcomes: Sequence[Outcome]) -> None:
    """Save what became of rows. A row that was cancelled meanwhile stays so, unless it had gone out."""
    rows = [
        {
            "row": outcome.letter.id,
            "to_state": outcome.state,
            "to_due": outcome.due,
            "to_tries": outcome.tries,
            "to_error": outcome.error,
            "to_provider": outcome.provider_id,
            "to_sent_at": outcome.sent_at,
            "to_tried_at": outcome.tried_at,
        }
        for outcome in outcomes
    ]
    if db.get_bind().dialect.name == "sqlite" or len(rows) == 1:
        for row in rows:
            await _ONE.all(db, **row)
        return
    await _MANY.all(db, **{name: [row[name] for row in rows] for name in rows[0]})


async def pause(db: AsyncSession, channel: str, until: datetime, reason: str) -> None:
    """Send nothing but answers on `channel` before `until`."""
    values = {"until": until, "reason": reason}
    await db.execute(
        insert(db, Pause)
        .values(channel=channel, **values)
        .on_conflict_do_update(index_elements=["channel"], set_=values, where=Pause.until < until)
    )


async def _keep_choices(db: AsyncSession, tokens: dict[int, tuple[str, ...]], now: datetime) -> None:
    rows = [{"contact_id": contact, "tokens": list(kept), "shown_at": now} for contact, kept in tokens.items()]
    put = insert(db, Choices).values(rows)
    new = {"tokens": put.excluded.tokens, "shown_at": put.excluded.shown_at}
    await db.execute(put.on_conflict_do_update(index_elements=["contact_id"], set_=new))


def _one() -> object:
    row = Outbound.__table__.c
    values = {
        "state": bindparam("to_state"),
        "due": bindparam("to_due", type_=row.due.type),
        "tries": bindparam("to_tries"),
        "error": bindparam("to_error"),
        "provider_id": bindparam("to_provider"),
        "sent_at": bindparam("to_sent_at", type_=row.sent_at.type),
        "tried_at": bindparam("to_tried_at", type_=row.tried_at.type),
    }
    still = or_(row.state == "queued", bindparam("to_state", type_=row.state.type) == "sent")
    return update(Outbound.__table__).where(row.id == bindparam("row"), still).values(values)  # type: ignore[arg-type]


_ONE = Prepared(_one())
_MANY = Prepared(
    text(
        "UPDATE outbox SET state = new.state, due = new.due, tries = new.tries, error = new.error,"
        " provider_id = new.provider_id, sent_at = new.sent_at, tried_at = new.tried_at"
        " FROM unnest(CAST(:row AS bigint[]), CAST(:to_state AS text[]), CAST(:to_due AS timestamptz[]),"
        " CAST(:to_tries AS int[]), CAST(:to_error AS text[]), CAST(:to_provider AS text[]),"
        " CAST(:to_sent_at AS timestamptz[]), CAST(:to_tried_at AS timestamptz[]))"
        " AS new (id, state, due, tries, error, provider_id, sent_at, tried_at)"
        " WHERE outbox.id = new.id AND (outbox.state = 'queued' OR new.state = 'sent')"
    )
)
