"""Updates that Telegram posts to us; the answer rides in the response where it can."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from datetime import datetime

import orjson
import structlog

from bot.callbacks import Post, Reply
from bot.channels import Answer, AtOnce, Hear, Undelivered, Unheard
from bot.channels.telegram.carrier import Carrier, direct_calls
from bot.channels.telegram.decode import decode, press_id
from bot.channels.telegram.encode import Call
from bot.channels.telegram.errors import trace
from bot.channels.telegram.lanes import Lanes
from bot.messages import Incoming

PATH = "/telegram/webhook"
SECRET_HEADER = b"x-telegram-bot-api-secret-token"
LONGEST_QUEUE = 50
SECONDS_FOR_SENT = 5.0

_CONFIRMED, _NONSENSE, _FORBIDDEN, _FAILED, _LATER = map(Reply, (200, 400, 403, 500, 503))

log = structlog.get_logger()


class Webhook:
    """Confirms an update only after it was heard; what goes wrong before makes Telegram deliver it again."""

    path = PATH
    largest = 1024 * 1024

    def __init__(self, secret: str, hear: Hear, at_once: AtOnce, carrier: Carrier, now: Callable[[], datetime]) -> None:
        self._secret = secret.encode()
        self._hear = hear
        self._at_once = at_once
        self._carrier = carrier
        self._now = now
        self._lanes = Lanes(LONGEST_QUEUE)

    def answer(self, post: Post) -> Reply | Awaitable[Reply]:
        """Hear one update; the answer rides in the reply where it can."""
        if not hmac.compare_digest(post.headers.get(SECRET_HEADER, b""), self._secret):
            return _FORBIDDEN
        try:
            update = orjson.loads(post.body)
            heard = decode(update, self._now())
        except ValueError:  # no JSON, or Malformed
            return _NONSENSE
        if press := press_id(update):
            self._carrier.acknowledge(press)
        if heard is None:
            return _CONFIRMED
        if heard.sender.user in self._lanes:
            return self._answer(heard)
        try:
            known = self._at_once(heard)
            calls = direct_calls(heard.sender, known.direct) if known else ()
        except Exception as error:  # noqa: BLE001 (the edge: Telegram delivers it again)
            return _failed(heard, error)
        return _riding(calls[0]) if len(calls) == 1 and not calls[0].photo else self._answer(heard, known)

    async def _answer(self, heard: Incoming, known: Answer | None = None) -> Reply:
        chat = heard.sender.user
        if not await self._lanes.enter(chat):
            return _LATER
        held = False
        try:
            answer = known or await self._hear(heard)
            last = await self._carry(heard, answer)
            if answer.sent is not None:
                self._carrier.start(self._hold(chat, answer.sent))
                held = True
        except Undelivered as error:
            log.warning("answer delayed", channel="telegram", update=heard.key, reason=str(error))
            return _LATER
        except Unheard:
            return _LATER
        except Exception as error:  # noqa: BLE001 (the edge: Telegram delivers it again)
            return _failed(heard, error)
        finally:
            if not held:
                self._lanes.leave(chat)
        return _riding(last)

    async def _carry(self, heard: Incoming, answer: Answer) -> Call | None:
        """Make the direct answer's calls, except the last if the response can carry it: that is returned."""
        if not answer.direct:
            return None
        calls = direct_calls(heard.sender, answer.direct)
        last = calls.pop() if calls and not calls[-1].photo else None
        if calls:
            await self._carrier.carry_direct(heard.sender, calls)
        return last

    async def _hold(self, chat: str, sent: Awaitable[None]) -> None:
        """Keep the chat's next update waiting until what was said to this one has gone out, within reason."""
        task = asyncio.ensure_future(sent)
        try:
            await asyncio.wait({task}, timeout=SECONDS_FOR_SENT)
        finally:
            self._lanes.leave(chat)
        await task


def _failed(heard: Incoming, error: Exception) -> Reply:
    log.error("update failed", update=heard.key, error=type(error).__name__, trace=trace(error))
    return _FAILED


def _riding(call: Call | None) -> Reply:
    return Reply(body=orjson.dumps({"method": call.method, **call.params})) if call else _CONFIRMED
