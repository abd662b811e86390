"""Updates that Telegram posts to us; the answer rides in the response where it can."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from datetime import datetime

import orjson
import structlog
from aiohttp import web

from bot.channels import Answer, Hear, Undelivered, Unheard
from bot.channels.telegram.carrier import Carrier, direct_calls
from bot.channels.telegram.decode import decode, press_id
from bot.channels.telegram.encode import Call
from bot.channels.telegram.errors import trace
from bot.channels.telegram.lanes import Lanes
from bot.messages import Incoming

PATH = "/telegram/webhook"
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"
LARGEST_BODY = 1024 * 1024
LONGEST_QUEUE = 50
SECONDS_FOR_SENT = 5.0

log = structlog.get_logger()


class Webhook:
    """Confirms an update only after it was heard; what goes wrong before makes Telegram deliver it again."""

    def __init__(self, secret: str, hear: Hear, carrier: Carrier, now: Callable[[], datetime]) -> None:
        self._secret = secret.encode()
        self._hear = hear
        self._carrier = carrier
        self._now = now
        self._lanes = Lanes(LONGEST_QUEUE)

    async def handle(self, request: web.Request) -> web.Response:
        given = request.headers.get(SECRET_HEADER, "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, self._secret):
            return web.Response(status=403)
        body = await _body(request)
        if body is None:
            return web.Response(status=413)
        try:
            update = orjson.loads(body)
            heard = decode(update, self._now())
        except ValueError:  # no JSON, or Malformed
            return web.Response(status=400)
        if press := press_id(update):
            self._carrier.acknowledge(press)
        if heard is None:
            return web.Response()
        return await self._answer(heard)

    async def _answer(self, heard: Incoming) -> web.Response:
        chat = heard.sender.user
        if not await self._lanes.enter(chat):
            return web.Response(status=503)
        held = False
        try:
            answer = await self._hear(heard)
            last = await self._carry(heard, answer)
            if answer.sent is not None:
                self._carrier.start(self._hold(chat, answer.sent))
                held = True
        except Undelivered as error:
            log.warning("answer delayed", channel="telegram", update=heard.key, reason=str(error))
            return web.Response(status=503)
        except Unheard:
            return web.Response(status=503)
        except Exception as error:  # noqa: BLE001 (the edge: Telegram delivers it again)
            log.error("update failed", update=heard.key, error=type(error).__name__, trace=trace(error))
            return web.Response(status=500)
        finally:
            if not held:
                self._lanes.leave(chat)
        return _response(last)

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


async def _body(request: web.Request) -> bytes | None:
    """The request's body, or None if it is too large."""
    if request.content_length is not None:
        return await request.read() if request.content_length <= LARGEST_BODY else None
    body = b""
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > LARGEST_BODY:
            return None
    return body


def _response(call: Call | None) -> web.Response:
    if call is None:
        return web.Response()
    return web.Response(body=orjson.dumps({"method": call.method, **call.params}), content_type="application/json")
