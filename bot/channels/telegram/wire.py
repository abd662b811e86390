"""Posting JSON over kept connections: HTTP/1.1 with no more around it than the Bot API needs."""

import asyncio
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from httptools import HttpParserError, HttpResponseParser

# A connection that rested longer may be closed by the other side at the moment when it is used.
RESTED = 15.0
LARGEST_ANSWER = 2**20
LONGEST_READ = 64 * 1024


class Wire:
    """Up to `connections` to one server. What goes wrong is a TimeoutError or another OSError."""

    def __init__(self, root: str, connections: int) -> None:
        """`root` is the address that every path is under."""
        self._root = urlsplit(root)
        host = self._root.netloc.rpartition("@")[2]
        self._fields = f" HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: "
        # The connection that was used last comes first; None stands for one that is not made yet.
        self._places: asyncio.LifoQueue[_Connection | None] = asyncio.LifoQueue()
        for _place in range(connections):
            self._places.put_nowait(None)
        self._open: set[_Connection] = set()
        self._room = memoryview(bytearray(LONGEST_READ))
        self._tls: ssl.SSLContext | None = None

    async def post(self, path: str, body: bytes, seconds: float) -> tuple[int, bytes]:
        """Status and body of the answer; raises TimeoutError if it is not there in time.

        After an error nobody knows whether the server did what it was asked.
        """
        head = f"POST {self._root.path}/{path}{self._fields}{len(body)}\r\n\r\n"
        connection = await self._places.get()
        try:
            until = asyncio.get_running_loop().time() + seconds
            if connection is None or not connection.is_fresh():
                connection = await self._connected(until)
            return await connection.exchange(head.encode() + body, until)
        finally:
            self._places.put_nowait(connection)

    def close(self) -> None:
        """Cut all connections."""
        for connection in [*self._open]:
            connection.cut()

    async def _connected(self, until: float) -> "_Connection":
        is_secure = self._root.scheme == "https"
        if is_secure and self._tls is None:
            self._tls = ssl.create_default_context()
        async with asyncio.timeout_at(until):
            _transport, connection = await asyncio.get_running_loop().create_connection(
                lambda: _Connection(self._open.discard, self._room),
                self._root.hostname or "",
                self._root.port or (443 if is_secure else 80),
                ssl=self._tls,
                happy_eyeballs_delay=0.25,
            )
        self._open.add(connection)
        return connection


class _Connection(asyncio.BufferedProtocol):
    """One question and its answer after the other.

    Answers are read into `room`, which all connections share and which is empty again before another one reads:
    asyncio's other protocols get room for 256 KiB from the system for every read, which takes longer than the read.
    """

    def __init__(self, lost: Callable[["_Connection"], None], room: memoryview) -> None:
        self._room = room
        self._loop = asyncio.get_running_loop()
        self._lost = lost
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None
        self._parser = HttpResponseParser(self)
        self._body = b""
        self._used_at = self._loop.time()

    def is_fresh(self) -> bool:
        """Whether it can be used; one that rested for too long is closed."""
        if self._loop.time() - self._used_at > RESTED:
            self.cut()
        return self._transport is not None

    async def exchange(self, question: bytes, until: float) -> tuple[int, bytes]:
        """Ask and wait for the answer; whoever stops waiting closes the connection."""
        if self._transport is None:
            raise ConnectionResetError
        answer: asyncio.Future[tuple[int, bytes]] = self._loop.create_future()
        self._answer = answer
        timer = self._loop.call_at(until, self._fail, TimeoutError())
        self._transport.write(question)
        try:
            return await answer
        except asyncio.CancelledError:
            self.cut()
            raise
        finally:
            timer.cancel()
            self._used_at = self._loop.time()

    def cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    # asyncio.BufferedProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        try:
            self._parser.feed_data(self._room[:nbytes])
        except HttpParserError:
            self._fail(ConnectionError("unreadable answer"))

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(ConnectionResetError())
        self._lost(self)

    # HttpResponseParser

    def on_body(self, part: bytes) -> None:
        self._body += part
        if len(self._body) > LARGEST_ANSWER:
            self._fail(ConnectionError("endless answer"))

    def on_message_complete(self) -> None:
        answer, self._answer = self._answer, None
        if answer is None or not self._parser.should_keep_alive():  # nobody asked, or it was the last answer
            self.cut()
        if answer is not None and not answer.done():
            answer.set_result((self._parser.get_status_code(), self._body))
        self._body = b""

    def _fail(self, error: OSError) -> None:
        self.cut()
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(error)
