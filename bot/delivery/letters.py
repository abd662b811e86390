"""A claimed message, and what can become of it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bot.channels import Absent, Throttled, Undelivered, Unreachable
from bot.messages import Address
from bot.pacing import Held

MAX_TRIES = 8
# Somebody left between the claim and the sending: their message waits for them, and is looked at again soon.
ABSENCE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Letter:
    """A row of the outbox that this process may send until its lease ends. One of a broadcast has no words yet."""

    id: int
    contact_id: int
    to: Address
    lane: str
    rank: int
    tries: int
    message: dict[str, Any] = field(default_factory=dict)
    broadcast_id: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a letter: the `state` of its row from now on and, while it is queued, when it is `due` again.

    `result` is how it is counted, empty for what was not tried. `tokens` are the numbered choices that went with it,
    `carried` other rows that it told as well. A `rest` is how long the platform wants to be left alone.
    """

    letter: Letter
    state: str
    due: datetime
    tries: int = 0
    error: str = ""
    provider_id: str = ""
    sent_at: datetime | None = None
    tried_at: datetime | None = None
    result: str = ""
    tokens: tuple[str, ...] = ()
    carried: tuple[int, ...] = ()
    rest: timedelta | None = None


def sent(
    letter: Letter, provider_id: str, now: datetime, *, tokens: tuple[str, ...] = (), carried: tuple[int, ...] = ()
) -> Outcome:
    return Outcome(
        letter,
        "sent",
        now,
        tries=letter.tries,
        provider_id=provider_id,
        sent_at=now,
        tried_at=now,
        result="sent",
        tokens=tokens,
        carried=carried,
    )


def untried(letter: Letter, state: str, due: datetime) -> Outcome:
    """It was not sent: it ends in `state`, or is queued until `due`."""
    return Outcome(letter, state, due, tries=letter.tries)


def failed(letter: Letter, failure: Undelivered | Held, now: datetime) -> Outcome:
    """It did not go out: whether and when it is tried again. Neither a rest nor an absence counts as a try."""
    reason, tries = str(failure), letter.tries + 1
    match failure:
        case Held():
            return untried(letter, "queued", now + timedelta(seconds=failure.seconds))
        case Throttled():
            rest = failure.retry_in or timedelta(seconds=1)
            return Outcome(letter, "queued", now + rest, letter.tries, reason, result="throttled", rest=rest)
        case Absent():
            state = "queued" if letter.broadcast_id is None else "waiting"
            return Outcome(letter, state, now + ABSENCE, letter.tries, reason, result="waiting")
        case Unreachable():
            return Outcome(letter, "stopped", now, tries, reason, tried_at=now, result="stopped")
        case _ if failure.retry_in and tries < MAX_TRIES:
            due = now + backoff(tries, failure.retry_in)
            return Outcome(letter, "queued", due, tries, reason, tried_at=now, result="retried")
    return Outcome(letter, "failed", now, tries, reason, tried_at=now, result="failed")


def backoff(tries: int, least: timedelta) -> timedelta:
    """How long to wait after the `tries`th failure: doubling from `least`, at most an hour."""
    return min(least * (1 << (tries - 1)), timedelta(hours=1))
