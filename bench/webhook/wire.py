"""HTTP/1.1 with as little work as possible, for both sides of the load generator."""

import asyncio
from typing import cast


class Wire(asyncio.Protocol):
    """Splits a keep-alive stream into messages: `content-length` and chunked bodies."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._rest = b""

    def message(self, head: bytes, body: bytes) -> None:
        """One whole request or response arrived; `head` is everything before the empty line."""
        raise NotImplementedError

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        while data:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                break
            head, start = data[:end], end + 4
            whole = _body(head, data, start)
            if whole is None:
                break
            body, start = whole
            data = data[start:]
            self.message(head, body)
        self._rest = data


def _body(head: bytes, data: bytes, start: int) -> tuple[bytes, int] | None:
    """The body that begins at `start`, and where the next message begins; None if more must come."""
    lower = head.lower()
    at = lower.find(b"\r\ncontent-length:")
    if at >= 0:
        line_end = lower.find(b"\r\n", at + 2)
        length = int(lower[at + 17 : line_end if line_end > 0 else len(lower)])
        if len(data) - start < length:
            return None
        return data[start : start + length], start + length
    if b"\r\ntransfer-encoding: chunked" in lower:
        return _chunks(data, start)
    return b"", start


def _chunks(data: bytes, start: int) -> tuple[bytes, int] | None:
    parts = []
    while True:
        line_end = data.find(b"\r\n", start)
        if line_end < 0:
            return None
        length = int(data[start:line_end].split(b";")[0], 16)
        start = line_end + 2
        if len(data) < start + length + 2:
            return None
        parts.append(data[start : start + length])
        start += length + 2
        if length == 0:
            return b"".join(parts), start
