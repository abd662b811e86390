"""What WeChat's servers ask of us: the proof that the address is ours, and an answer to each message."""

import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime

from aiohttp import web

from bot.channels import Hear
from bot.channels.wechat import xml
from bot.channels.wechat.crypto import AesKey, Garbled, WrongApp, is_fresh, is_signed, open_with, signature
from bot.channels.wechat.decode import Letter, MassReport, decode
from bot.channels.wechat.exchanges import Exchanges
from bot.channels.wechat.glances import Glances
from bot.channels.wechat.twins import Twins

PATH = "/wechat/callback"
LONGEST_ECHO = 256

_SUCCESS = b"success"
_XML = {"Content-Type": "text/xml; charset=utf-8"}
_PLAIN = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}


class Callback:
    """`keys` are of AES mode, the present one first; none means plain mode. A stranger gets 403, nonsense 400."""

    def __init__(
        self,
        token: str,
        keys: tuple[AesKey, ...],
        exchanges: Exchanges,
        *,
        hear: Hear,
        now: Callable[[], datetime],
        event_datum: str,
        asks_place: Callable[[str], bool],
        reported: Callable[[MassReport], Awaitable[bool]],
    ) -> None:
        self._token = token
        self._keys = keys
        self._exchanges = exchanges
        self._hear = hear
        self._now = now
        self._event_datum = event_datum
        self._twins = Twins()
        self._glances = Glances(asks_place)
        self._reported = reported

    async def verify(self, request: web.Request) -> web.Response:
        """Somebody saves this address in WeChat's console: what proves that it is ours is sent back."""
        query = request.query
        if not self._is_from_wechat(query.get("signature", ""), query.get("timestamp", ""), query.get("nonce", "")):
            return web.Response(status=403)
        echo = query.get("echostr", "")
        if not echo or len(echo) > LONGEST_ECHO:
            return web.Response(status=400)
        return web.Response(body=echo.encode(), headers=_PLAIN)

    async def receive(self, request: web.Request) -> web.Response:
        """One delivery of a message or event."""
        query = request.query
        timestamp, nonce = query.get("timestamp", ""), query.get("nonce", "")
        is_encrypted = bool(self._keys)
        if is_encrypted != (query.get("encrypt_type", "raw") == "aes"):
            return web.Response(status=403)
        if not is_encrypted and not self._is_from_wechat(query.get("signature", ""), timestamp, nonce):
            return web.Response(status=403)
        key: AesKey | None = None
        try:
            body = await _body(request)
            if is_encrypted:
                sealed = xml.sealed(body)
                if not self._is_from_wechat(query.get("msg_signature", ""), timestamp, nonce, sealed):
                    return web.Response(status=403)
                body, key = open_with(self._keys, sealed)
            fields = xml.read(body)
            letter = decode(fields, self._now(), self._event_datum)
        except WrongApp:
            return web.Response(status=403)
        except (xml.Malformed, Garbled):
            return web.Response(status=400)
        reply = await self._reply(letter)
        if reply is None:
            return _hung_up(request)
        if _is_gone(request):
            await self._exchanges.missed(letter.key)
        return self._response(reply, key)

    async def _reply(self, letter: Letter) -> bytes | None:
        if letter.report and not await self._reported(letter.report):
            return None
        if letter.heard is None:
            return _SUCCESS
        if letter.is_silent:
            self._glances.keep(letter.heard)
            return _SUCCESS
        if self._twins.has_answered(letter, letter.heard):
            return _SUCCESS
        return await self._exchanges.answer(letter, self._glances.meant(letter.heard), self._hear)

    def _is_from_wechat(self, given: str, timestamp: str, nonce: str, *sealed: str) -> bool:
        return is_signed(given, self._token, timestamp, nonce, *sealed) and is_fresh(timestamp, self._now())

    def _response(self, reply: bytes, key: AesKey | None) -> web.Response:
        if key and reply != _SUCCESS:
            timestamp, nonce, sealed = str(int(self._now().timestamp())), secrets.token_hex(8), key.encrypt(reply)
            signed = signature(self._token, timestamp, nonce, sealed)
            reply = xml.encrypted_reply(sealed, signed, timestamp, nonce)
        return web.Response(body=reply, headers=_PLAIN if reply == _SUCCESS else _XML)


async def _body(request: web.Request) -> bytes:
    """The request's body; raises Malformed if it breaks off, is not compressed as it says, or is far too large."""
    try:
        return await request.read()
    except (web.HTTPRequestEntityTooLarge, web.RequestPayloadError, ConnectionError) as error:
        request.content.feed_eof()  # or the server would read on, and fail where nobody catches it
        raise xml.Malformed("body") from error


def _is_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _hung_up(request: web.Request) -> web.Response:
    """No answer at all, which makes WeChat deliver the message again."""
    if request.transport is not None:
        request.transport.close()
    return web.Response()
