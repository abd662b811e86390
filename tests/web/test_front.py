"""Callbacks are answered the same, whichever way a request comes in, and everybody else finds the pages."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from gzip import compress

import pytest
from aiohttp import web
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.callbacks import Post, Reply
from bot.web import front as module
from bot.web.front import Front

PLAIN = b"POST /bell?tone=a%20b HTTP/1.1\r\nHost: us\r\nX-Who: Wang\r\nContent-Length: 5\r\n\r\nhello"
BELL = b"a%20b|Wang|hello"


class Bell:
    """Says what it was told; `wait` keeps a body that begins with it waiting, `hush` gets no reply."""

    path = "/bell"
    largest = 64

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.is_waiting, self.may_go_on = asyncio.Event(), asyncio.Event()

    def answer(self, post: Post) -> Reply | Awaitable[Reply | None]:
        self.heard.append(post.body)
        said = b"|".join((post.query.removeprefix(b"tone="), post.headers.get(b"x-who", b""), post.body))
        if post.body.startswith(b"wait"):
            return self._later(said)
        if post.body.startswith(b"hush"):
            return self._never()
        if post.body.startswith(b"much"):
            return Reply(body=b"much" * 10_000)
        if post.body.startswith(b"drop"):
            raise RuntimeError("a bug")
        if post.body.startswith(b"fall"):
            return self._fall()
        return Reply(404) if post.body.startswith(b"nope") else Reply(body=said, content_type=b"text/plain")

    async def _later(self, said: bytes) -> Reply:
        self.is_waiting.set()
        await self.may_go_on.wait()
        return Reply(body=said)

    async def _never(self) -> None:
        return None

    async def _fall(self) -> Reply:
        raise RuntimeError("a bug")


class House:
    """A front with a bell and one page."""

    def __init__(self) -> None:
        self.bell = Bell()
        app = web.Application()
        app.router.add_get("/page", self._page)
        self.front = Front(app, [self.bell], seconds_to_close=0.2)
        self.visitors: list[Visitor] = []

    async def open(self) -> None:
        self.port = await self.front.listen("127.0.0.1", 0)

    async def knock(self) -> "Visitor":
        self.visitors.append(Visitor(*await asyncio.open_connection("127.0.0.1", self.port)))
        return self.visitors[-1]

    async def close(self) -> None:
        for visitor in self.visitors:
            await visitor.leaves()
        await self.front.close()

    async def asked(self, request: bytes) -> tuple[int, bytes]:
        """Status and body that one request gets on a connection of its own."""
        visitor = await self.knock()
        visitor.says(request)
        return await visitor.hears()

    async def _page(self, _request: web.Request) -> web.Response:
        return web.Response(text="a page")


class Visitor:
    """Whoever speaks HTTP on one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def says(self, data: bytes) -> None:
        self._writer.write(data)

    async def hears(self) -> tuple[int, bytes]:
        async with asyncio.timeout(5):
            head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            return int(head.split()[1]), await self._reader.readexactly(length)

    async def is_hung_up_on(self) -> bool:
        async with asyncio.timeout(5):
            return await self._reader.read() == b""

    async def leaves(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    await house.open()
    yield house
    await house.close()


async def test_a_callback_is_answered(house: House) -> None:
    assert await house.asked(PLAIN) == (200, BELL)
    assert await house.asked(PLAIN.replace(b"hello", b"nope!")) == (404, b"")


async def test_however_it_is_cut_into_pieces(house: House) -> None:
    visitor = await house.knock()
    for cut in range(1, len(PLAIN)):
        visitor.says(PLAIN[:cut])
        await asyncio.sleep(0)
        visitor.says(PLAIN[cut:])
        assert await visitor.hears() == (200, BELL)
    assert len(house.bell.heard) == len(PLAIN) - 1
    assert len(house.front.open) == 1


async def test_many_at_once_are_answered_in_their_order(house: House) -> None:
    visitor = await house.knock()
    visitor.says(b"".join(PLAIN.replace(b"hello", word) for word in (b"first", b"wait1", b"third")))
    assert (await visitor.hears())[1].endswith(b"first")
    assert house.bell.heard == [b"first", b"wait1"]
    visitor.says(PLAIN)
    house.bell.may_go_on.set()
    for word in (b"wait1", b"third", b"hello"):
        assert (await visitor.hears())[1].endswith(word)


async def test_whoever_does_not_read_is_not_heard(house: House) -> None:
    visitor, count = await house.knock(), 600
    visitor.says(PLAIN.replace(b"hello", b"much!") * count)
    heard = -1
    while house.bell.heard.count(b"much!") > heard:
        heard = house.bell.heard.count(b"much!")
        assert await house.asked(PLAIN) == (200, BELL)
    assert heard < count, "replies pile up for nobody"
    for _reply in range(count):
        assert await visitor.hears() == (200, b"much" * 10_000)


async def test_a_page_after_a_callback_on_one_connection(house: House) -> None:
    visitor = await house.knock()
    for _round in range(2):
        visitor.says(PLAIN + b"GET /page HTTP/1.1\r\nHost: us\r\n\r\n")
        assert await visitor.hears() == (200, BELL)
        assert await visitor.hears() == (200, b"a page")
    assert not house.front.open


@pytest.mark.parametrize(
    ("request_", "is_ours"),
    [
        (PLAIN, True),
        (PLAIN.replace(b"Host", b"Connection: Keep-Alive\r\nHost"), True),
        (PLAIN.replace(b"Content-Length: 5", b"Transfer-Encoding: chunked")[:-5] + b"5\r\nhello\r\n0\r\n\r\n", False),
        (PLAIN.replace(b"Host", b"Connection: close\r\nHost"), False),
        (PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0"), False),
        (PLAIN.replace(b"Host", b"Accept: a\r\nAccept: b\r\nHost"), False),
    ],
)
async def test_every_form_gets_the_same_answer(house: House, request_: bytes, is_ours: bool) -> None:
    visitor = await house.knock()
    visitor.says(request_)
    assert await visitor.hears() == (200, BELL)
    assert len(house.front.open) == is_ours


async def test_a_compressed_body_is_read(house: House) -> None:
    body = compress(b"hello")
    fields = b"Content-Encoding: gzip\r\nContent-Length: %d" % len(body)
    assert await house.asked(PLAIN[:-5].replace(b"Content-Length: 5", fields) + body) == (200, BELL)
    assert await house.asked(PLAIN.replace(b"Host", b"Content-Encoding: gzip\r\nHost")) == (400, b"")


@pytest.mark.parametrize("length", [b"65", b"5, 5", b"-5", b"0x5", b"5 5", "５".encode(), b"9" * 30])
async def test_a_length_that_is_none_or_too_large(house: House, length: bytes) -> None:
    status, _body = await house.asked(PLAIN.replace(b": 5", b": " + length) + b" " * 100)
    assert status == 400
    assert house.bell.heard == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.integers(0, len(PLAIN) - 1), st.binary(max_size=3), st.integers(0, 3))
@example(PLAIN.index(b"Host"), b" ", 0)  # a folded line
@example(PLAIN.index(b": us"), b" ", 0)  # a blank before the colon
@example(PLAIN.index(b"\r\nHost"), b"", 1)  # a bare line feed
async def test_what_is_odd_is_never_taken_for_plain(house: House, at: int, instead: bytes, gone: int) -> None:
    """What the front reads itself, aiohttp would have read alike."""
    odd = PLAIN[:at] + instead + PLAIN[at + gone :]
    read = module._read(odd, house.front.callbacks, bool)
    if read is None or isinstance(read, module._Foreign):
        return
    whole = odd[: read[2]]
    by_aiohttp = whole.replace(b"\r\n", b"\r\nAccept: a\r\nAccept: b\r\n", 1)
    assert await house.asked(whole) == await house.asked(by_aiohttp)


async def test_no_reply_hangs_up(house: House, caplog: pytest.LogCaptureFixture) -> None:
    for word in (b"hush!", b"fall!", b"drop!"):
        visitor = await house.knock()
        visitor.says(PLAIN.replace(b"hello", word))
        assert await visitor.is_hung_up_on()


async def test_whoever_says_nothing_is_hung_up_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_IDLE", 0.05)
    visitor, other = await house.knock(), await house.knock()
    visitor.says(b"POST /be")
    other.says(PLAIN.replace(b"hello", b"wait!"))
    assert await visitor.is_hung_up_on()
    house.bell.may_go_on.set()
    assert (await other.hears())[0] == 200
    assert await other.is_hung_up_on()


async def test_closing_finishes_what_is_in_hand(house: House) -> None:
    visitor, idle = await house.knock(), await house.knock()
    visitor.says(PLAIN.replace(b"hello", b"wait!"))
    await house.bell.is_waiting.wait()
    closing = asyncio.create_task(house.front.close())
    await asyncio.sleep(0)
    house.bell.may_go_on.set()
    assert (await visitor.hears())[1].endswith(b"wait!")
    await closing
    assert await visitor.is_hung_up_on()
    assert await idle.is_hung_up_on()
    with pytest.raises(ConnectionError):
        await house.knock()
