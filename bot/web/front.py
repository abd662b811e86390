"""The front of the web server: it answers platforms' callbacks itself and shows everybody else in to aiohttp.

Callbacks come by the thousand and always in one plain form. Reading that form and writing the reply costs a few
microseconds where a general server takes a hundred. A connection on which anything else is asked, a page,
a socket, a callback in chunks, is handed to aiohttp for good, which answers the callbacks as well.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from email.utils import formatdate
from functools import lru_cache, partial
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import structlog
from aiohttp import web

from bot.callbacks import Callback, Post, Reply

LONGEST_HEAD = 16 * 1024
SECONDS_IDLE = 75.0
LONGEST_READ = 64 * 1024
BACKLOG = 1024

# A request whose every byte is as it should be (RFC 9112, 9110); in doubt it is aiohttp's.
_LINE = re.compile(rb"POST (/[!-~]*) HTTP/1\.1")
_FIELDS = re.compile(rb"(?:[!#-'*+.^_`|~\w-]+:[\t -~\x80-\xff]*\r\n)+", re.ASCII)
_FIELD = re.compile(rb"([^:\r]+):[\t ]*([^\r]*?)[\t ]*\r\n")
_LENGTH = re.compile(rb"\d{1,9}", re.ASCII)
_NOT_PLAIN = frozenset({b"transfer-encoding", b"content-encoding", b"expect", b"upgrade"})

log = structlog.get_logger(__name__)


class Front:
    """Listens at one port: `callbacks` are answered here, everything else by `app`."""

    def __init__(self, app: web.Application, callbacks: Iterable[Callback], *, seconds_to_close: float = 0.5) -> None:
        callbacks = tuple(callbacks)
        # A callback that does not come in the plain form is a request like any other.
        app.add_routes(web.post(callback.path, _handler(callback)) for callback in callbacks)
        self.callbacks = {callback.path.encode(): callback for callback in callbacks}
        self.buffer = memoryview(bytearray(LONGEST_READ))
        self.open: set[_Connection] = set()
        self.replying: set[asyncio.Task[None]] = set()
        self._seconds = seconds_to_close
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=seconds_to_close)
        self._server: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> int:
        """Let people in until `close_door`; returns the port. Raises OSError if it is taken."""
        return await self._listen(host=host, port=port)

    async def listen_at(self, bound: socket.socket) -> int:
        """The same at a socket that is bound already."""
        return await self._listen(sock=bound)

    def close_door(self) -> None:
        """Let nobody in any more."""
        if self._server:
            self._server.close()

    async def close(self) -> None:
        """Finish the replies in hand, but take no longer than the seconds to close, and hang up."""
        self.close_door()
        if self.replying:
            _done, late = await asyncio.wait(set(self.replying), timeout=self._seconds)
            for task in late:
                task.cancel()
        for one in list(self.open):
            one.hang_up()
        await self._runner.cleanup()

    def for_others(self) -> asyncio.Protocol:
        """What answers whoever asks for anything but a callback."""
        assert self._runner.server is not None
        return self._runner.server()

    async def _listen(self, **where: Any) -> int:
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), backlog=BACKLOG, **where)
        return int(self._server.sockets[0].getsockname()[1])


class _Connection(asyncio.BufferedProtocol):
    """One connection, as long as only callbacks are posted on it.

    What arrives is read into one buffer, which is emptied before anybody else's turn: asyncio's other protocols get
    room for 256 KiB from the system for every read, which takes longer than the read.
    """

    def __init__(self, front: Front) -> None:
        self._front = front
        self._is_replying = False
        self._is_full = False
        self._loop = asyncio.get_running_loop()
        self._data = b""
        self._heard = self._loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._front.open.add(self)
        self._timer = self._loop.call_later(SECONDS_IDLE, self._look_after)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._front.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._heard = self._loop.time()
        data = bytes(self._front.buffer[:nbytes])
        self._data = self._data + data if self._data else data
        if self._is_replying:  # nobody asks again before the reply has come
            self._transport.pause_reading()
        else:
            self._go_on()

    def pause_writing(self) -> None:
        """Whoever does not take their replies is not heard any further."""
        self._is_full = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._is_full = False
        self._hear_on()

    def hang_up(self) -> None:
        self._transport.close()

    def _go_on(self) -> None:
        while self._data and not self._is_full and not self._transport.is_closing():
            request = _read(self._data, self._front.callbacks, self._transport.is_closing)
            if request is None:
                return
            if isinstance(request, _Foreign):
                self._show_in()
                return
            callback, post, end = request
            self._data = self._data[end:]
            try:
                reply = callback.answer(post)
            except Exception:  # a bug: what goes wrong should have been a reply
                log.exception("callback failed")
                self._transport.close()
                return
            if not isinstance(reply, Reply):
                self._reply_later(reply)
                return
            self._transport.write(self._written(reply))

    def _reply_later(self, coming: Awaitable[Reply | None]) -> None:
        self._is_replying = True
        task = asyncio.ensure_future(self._reply(coming))
        self._front.replying.add(task)
        task.add_done_callback(self._front.replying.discard)

    async def _reply(self, coming: Awaitable[Reply | None]) -> None:
        try:
            reply = await coming
        except Exception:  # a bug: what goes wrong should have been a reply
            log.exception("callback failed")
            reply = None
        self._is_replying = False
        if reply is None:
            self._transport.close()
        elif not self._transport.is_closing():
            self._transport.write(self._written(reply))
            self._hear_on()

    def _hear_on(self) -> None:
        if not self._is_replying and not self._is_full:
            self._transport.resume_reading()
            self._go_on()

    def _written(self, reply: Reply) -> bytes:
        head = _head(reply.status, reply.content_type if reply.body else b"", int(self._heard))
        return b"%b%d\r\n\r\n%b" % (head, len(reply.body), reply.body)

    def _show_in(self) -> None:
        self._leave()
        protocol = self._front.for_others()
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        protocol.data_received(self._data)

    def _leave(self) -> None:
        self._timer.cancel()
        self._front.open.discard(self)

    def _look_after(self) -> None:
        """Hang up on whoever has said nothing for long and waits for nothing."""
        idle = 0.0 if self._is_replying else self._loop.time() - self._heard
        if idle >= SECONDS_IDLE:
            self._transport.close()
        else:
            self._timer = self._loop.call_later(SECONDS_IDLE - idle, self._look_after)


# A callback, what is posted to it, and where that ends.
_Request = tuple[Callback, Post, int]


class _Foreign:
    """A request that is not for us to read."""


_FOREIGN = _Foreign()


def _read(data: bytes, callbacks: Mapping[bytes, Callback], is_gone: Callable[[], bool]) -> _Request | _Foreign | None:
    """The request that `data` begins with, or _FOREIGN; None while more of it must come."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        is_ours = any(data.startswith(start[: len(data)]) for start in _starts(callbacks))
        return None if is_ours and len(data) <= LONGEST_HEAD else _FOREIGN
    first = data.find(b"\r\n")
    line = _LINE.fullmatch(data, 0, first)
    if line is None:
        return _FOREIGN
    path, _mark, query = line[1].partition(b"?")
    callback, fields = callbacks.get(path), _fields(data[first + 2 : end + 2])
    if callback is None or fields is None or fields.length > callback.largest:
        return _FOREIGN
    start, end = end + 4, end + 4 + fields.length
    return (callback, Post(query, fields.headers, data[start:end], is_gone), end) if len(data) >= end else None


def _starts(callbacks: Iterable[bytes]) -> Iterator[bytes]:
    return (b"POST " + path for path in callbacks)


class _Fields(NamedTuple):
    headers: Mapping[bytes, bytes]
    length: int


@lru_cache(512)
def _fields(raw: bytes) -> _Fields | None:
    """The header of a request in the plain form, else None; a platform's is the same most of the time."""
    if len(raw) > LONGEST_HEAD or not _FIELDS.fullmatch(raw):
        return None
    pairs = _FIELD.findall(raw)
    headers = {name.lower(): value for name, value in pairs}
    length = _LENGTH.fullmatch(headers.get(b"content-length", b""))
    is_plain = len(headers) == len(pairs) and _NOT_PLAIN.isdisjoint(headers) and b"host" in headers
    stays_open = headers.get(b"connection", b"keep-alive").lower() == b"keep-alive"
    return _Fields(MappingProxyType(headers), int(length[0])) if is_plain and stays_open and length else None


@lru_cache(64)
def _head(status: int, content_type: bytes, _second: int) -> bytes:
    """The head of a response up to its length; made anew each second of the loop's clock, for it tells the time."""
    kind = b"Content-Type: %b\r\n" % content_type if content_type else b""
    date = formatdate(usegmt=True).encode()
    return b"HTTP/1.1 %b\r\nDate: %b\r\n%bContent-Length: " % (_STATUS[status], date, kind)


_STATUS = {status.value: f"{status.value} {status.phrase}".encode() for status in HTTPStatus}


def _handler(callback: Callback) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            body = await _body(request, callback.largest)
        except (web.RequestPayloadError, ConnectionError):
            request.content.feed_eof()  # or the server would read on, and fail where nobody catches it
            body = None
        if body is None:
            return web.Response(status=400)
        query = request.rel_url.raw_query_string.encode()
        headers = {name.lower(): value for name, value in request.raw_headers}
        coming = callback.answer(Post(query, headers, body, partial(_is_gone, request)))
        reply = coming if isinstance(coming, Reply) else await coming
        if reply is None:
            if request.transport is not None:
                request.transport.close()
            return web.Response()
        kind = {"Content-Type": reply.content_type.decode()} if reply.body else {}
        return web.Response(status=reply.status, body=reply.body or None, headers=kind)

    return handle


async def _body(request: web.Request, largest: int) -> bytes | None:
    """The request's body, or None if it is too large."""
    if (request.content_length or 0) > largest:
        return None
    body = b""
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > largest:
            return None
    return body


def _is_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()
