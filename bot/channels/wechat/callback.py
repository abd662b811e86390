"""What WeChat's servers ask of us: the proof that the address is ours, and an answer to each message."""

import os
from collections.abc import Awaitable, Callable
from datetime import datetime
from urllib.parse import parse_qsl

from aiohttp import web

from bot.callbacks import Post, Reply
from bot.channels import Hear
from bot.channels.wechat import xml
from bot.channels.wechat.crypto import AesKey, Garbled, WrongApp, is_fresh, is_signed, open_with, signature
from bot.channels.wechat.decode import Letter, MassReport, decode
from bot.channels.wechat.exchanges import Exchanges
from bot.channels.wechat.glances import Glances
from bot.channels.wechat.twins import Twins

PATH = "/wechat/callback"
LONGEST_ECHO = 256

_PERCENT, _PLUS = b"%+"
_SUCCESS = b"success"
_XML = b"text/xml; charset=utf-8"
_TAKEN = Reply(body=_SUCCESS, content_type=b"text/plain; charset=utf-8")
_NONSENSE, _FORBIDDEN = Reply(400), Reply(403)
_PLAIN = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}


class Stranger(Exception):
    """Not WeChat, or not now."""


class Verification:
    """Somebody saves this address in WeChat's console: what proves that it is ours is sent back."""

    def __init__(self, token: str, now: Callable[[], datetime]) -> None:
        self._token = token.encode()
        self._now = now

    async def answer(self, request: web.Request) -> web.Response:
        query = request.query
        signed = [query.get(name, "").encode("utf-8", "surrogatepass") for name in ("signature", "timestamp", "nonce")]
        if not _is_from_wechat(self._token, self._now(), *signed):
            return web.Response(status=403)
        echo = query.get("echostr", "")
        if not echo or len(echo) > LONGEST_ECHO:
            return web.Response(status=400)
        return web.Response(body=echo.encode(), headers=_PLAIN)


class Callback:
    """`keys` are of AES mode, the present one first; none means plain mode. A stranger gets 403, nonsense 400."""

    path = PATH
    largest = 2**20  # far more than a message may have, which is said of it when it is read

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
        self._token = token.encode()
        self._keys = keys
        self._exchanges = exchanges
        self._hear = hear
        self._now = now
        self._event_datum = event_datum
        self._twins = Twins()
        self._glances = Glances(asks_place)
        self._reported = reported

    def answer(self, post: Post) -> Reply | Awaitable[Reply | None]:
        """One delivery of a message or event."""
        try:
            letter, key = self._opened(post)
        except (Stranger, WrongApp):
            return _FORBIDDEN
        except (xml.Malformed, Garbled):
            return _NONSENSE
        if letter.report:
            return self._heard_of(letter.report)
        if letter.heard is None:
            return _TAKEN
        if letter.is_silent:
            self._glances.keep(letter.heard)
            return _TAKEN
        if self._twins.has_answered(letter, letter.heard):
            return _TAKEN
        reply = self._exchanges.answer(letter, self._glances.meant(letter.heard), self._hear)
        if isinstance(reply, bytes) and not post.is_gone():
            return self._sealed(reply, key)
        return self._later(reply, letter, key, post)

    def _opened(self, post: Post) -> tuple[Letter, AesKey | None]:
        """What was delivered, and the key that opened it; raises Stranger, WrongApp, Malformed or Garbled."""
        said, now, key, body = _query(post.query).get, self._now(), None, post.body
        timestamp, nonce = said(b"timestamp", b""), said(b"nonce", b"")
        if bool(self._keys) != (said(b"encrypt_type") == b"aes"):
            raise Stranger
        if self._keys:
            sealed = xml.sealed(body)
            if not _is_from_wechat(self._token, now, said(b"msg_signature", b""), timestamp, nonce, sealed):
                raise Stranger
            body, key = open_with(self._keys, sealed)
        elif not _is_from_wechat(self._token, now, said(b"signature", b""), timestamp, nonce):
            raise Stranger
        return decode(xml.read(body), now, self._event_datum), key

    async def _heard_of(self, report: MassReport) -> Reply | None:
        return _TAKEN if await self._reported(report) else None

    async def _later(
        self, coming: Awaitable[bytes | None] | bytes | None, letter: Letter, key: AesKey | None, post: Post
    ) -> Reply | None:
        """The reply when it comes; None hangs up, which makes WeChat deliver the message again."""
        reply = await coming if isinstance(coming, Awaitable) else coming
        if reply is None:
            return None
        if post.is_gone():
            await self._exchanges.missed(letter.key)
        return self._sealed(reply, key)

    def _sealed(self, reply: bytes, key: AesKey | None) -> Reply:
        if reply == _SUCCESS:
            return _TAKEN
        if key:
            timestamp, nonce = str(int(self._now().timestamp())).encode(), os.urandom(8).hex().encode()
            sealed = key.encrypt(reply)
            signed = signature(self._token, timestamp, nonce, sealed)
            reply = xml.encrypted_reply(sealed, signed, timestamp, nonce)
        return Reply(body=reply, content_type=_XML)


def _is_from_wechat(token: bytes, now: datetime, given: bytes, timestamp: bytes, nonce: bytes, *sealed: bytes) -> bool:
    return is_signed(given, token, timestamp, nonce, *sealed) and is_fresh(timestamp, now)


def _query(raw: bytes) -> dict[bytes, bytes]:
    """What the address carries."""
    if _PERCENT in raw or _PLUS in raw:
        pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True)
        return {name.encode(): value.encode() for name, value in pairs}
    return {name: value for name, _equals, value in [one.partition(b"=") for one in raw.split(b"&")]}
