"""What WeChat's servers ask of us: the proof that the address is ours, and an answer to each message."""

import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from urllib.parse import parse_qsl

from aiohttp import web

from bot.callbacks import Post, Reply
from bot.channels import Hear
from bot.channels.inline import inline
from bot.channels.wechat import xml
from bot.channels.wechat.crypto import AesKey, Garbled, WrongApp, is_fresh, is_signed, open_with, signature
from bot.channels.wechat.decode import Letter, MassReport, decode
from bot.channels.wechat.exchanges import Exchanges
from bot.channels.wechat.glances import Glances
from bot.channels.wechat.twins import Twins

PATH = "/wechat/callback"
LONGEST_ECHO = 256

_SUCCESS = b"success"
_XML = b"text/xml; charset=utf-8"
_TAKEN = Reply(body=_SUCCESS, content_type=b"text/plain; charset=utf-8")
_NONSENSE, _FORBIDDEN = Reply(400), Reply(403)
_PLAIN = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}


class Verification:
    """Somebody saves this address in WeChat's console: what proves that it is ours is sent back."""

    def __init__(self, token: str, now: Callable[[], datetime]) -> None:
        self._token = token
        self._now = now

    async def answer(self, request: web.Request) -> web.Response:
        query = request.query
        given, timestamp, nonce = (query.get(name, "") for name in ("signature", "timestamp", "nonce"))
        if not _is_from_wechat(self._token, self._now(), given, timestamp, nonce):
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
        self._token = token
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
        query, now = _query(post.query), self._now()
        timestamp, nonce = query.get("timestamp", ""), query.get("nonce", "")
        is_encrypted = bool(self._keys)
        if is_encrypted != (query.get("encrypt_type", "raw") == "aes"):
            return _FORBIDDEN
        if not is_encrypted and not _is_from_wechat(self._token, now, query.get("signature", ""), timestamp, nonce):
            return _FORBIDDEN
        key, body = None, post.body
        try:
            if is_encrypted:
                sealed = xml.sealed(body)
                if not _is_from_wechat(self._token, now, query.get("msg_signature", ""), timestamp, nonce, sealed):
                    return _FORBIDDEN
                body, key = open_with(self._keys, sealed)
            letter = decode(xml.read(body), now, self._event_datum)
        except WrongApp:
            return _FORBIDDEN
        except (xml.Malformed, Garbled):
            return _NONSENSE
        receiving = self._receive(letter, key, post)
        if letter.report:
            return receiving
        reply = inline(receiving)
        return _hung_up() if reply is None else reply

    async def _receive(self, letter: Letter, key: AesKey | None, post: Post) -> Reply | None:
        reply = await self._reply(letter)
        if reply is None:
            return None
        if post.is_gone():
            await self._exchanges.missed(letter.key)
        return self._sealed(reply, key)

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

    def _sealed(self, reply: bytes, key: AesKey | None) -> Reply:
        if reply == _SUCCESS:
            return _TAKEN
        if key:
            timestamp, nonce, sealed = str(int(self._now().timestamp())), secrets.token_hex(8), key.encrypt(reply)
            signed = signature(self._token, timestamp, nonce, sealed)
            reply = xml.encrypted_reply(sealed, signed, timestamp, nonce)
        return Reply(body=reply, content_type=_XML)


async def _hung_up() -> None:
    """No reply at all, which makes WeChat deliver the message again."""


def _is_from_wechat(token: str, now: datetime, given: str, timestamp: str, nonce: str, *sealed: str) -> bool:
    return is_signed(given, token, timestamp, nonce, *sealed) and is_fresh(timestamp, now)


def _query(raw: bytes) -> dict[str, str]:
    """What the address carries."""
    query = raw.decode("latin-1")
    if "%" in query or "+" in query:
        return dict(parse_qsl(query, keep_blank_values=True))
    return {name: value for name, _equals, value in [one.partition("=") for one in query.split("&")]}
