"""Many people who write at once while the database is slow: what each of them gets, and when."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy.engine import URL

from bot.channels import Answer
from bot.database import Database
from bot.messages import Incoming
from tests.callback import CallbackWorld, behind_an_account
from tests.channels.wechat.phone import Phone, Reply, Response
from tests.program import GLANCE

# What they say by turns, and what is part of the answer: one turn writes, the other only reads.
SAID = (("反映", "遇到"), ("帮助", "位置"))
MOST_TRIES = 20


class SlowWire:
    """A way to the database on which each thing that is asked takes a while to arrive."""

    def __init__(self, far: URL) -> None:
        self._address = far
        self._far = far.host or "127.0.0.1", far.port or 5432
        self._tasks: set[asyncio.Task[None]] = set()
        self.delay = 0.0
        self.asked = 0

    async def open(self) -> str:
        """The address of the same database at this end."""
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        port = int(self._server.sockets[0].getsockname()[1])
        return self._address.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)

    async def close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _join(self, near: asyncio.StreamReader, near_writer: asyncio.StreamWriter) -> None:
        far, far_writer = await asyncio.open_connection(*self._far)
        for reader, writer in ((near, far_writer), (far, near_writer)):
            task = asyncio.create_task(self._carry(reader, writer, is_asking=reader is near))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_asking: bool) -> None:
        try:
            while data := await reader.read(2**16):
                if is_asking and self.delay:
                    self.asked += 1
                    await asyncio.sleep(self.delay)
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()


@dataclass
class Rush:
    """How it went: seconds until each delivery was answered, how often each message was heard, who got no answer.

    `held_up`: seconds for which other programs had the processor that this one was due.
    """

    took: list[float] = field(default_factory=list)
    heard: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    put_off: int = 0
    held_up: float = 0.0


class Impatient(Phone):
    """A phone that notes how long an answer took."""

    rush: Rush

    async def posts(self, body: bytes, query: dict[str, str]) -> Response:
        began = time.monotonic()
        response = await super().posts(body, query)
        if response.status == 200:
            self.rush.took.append(time.monotonic() - began)
        return response


async def rush(
    database: Database, wire: SlowWire, *, people: int, patience: float, slow: float, arriving: float
) -> Rush:
    """Let `people` write, one every `arriving` seconds; a query takes `slow` seconds more, a delivery waits `patience`.

    Half of them are known already.
    """
    went = Rush()
    async with behind_an_account(database, "service", patience=patience) as world:
        _listens_in(world, went)
        phones = [_phone(world, went, f"r{number}") for number in range(people)]
        for phone in phones[: people // 2]:
            await phone.says("菜单")
        went.took.clear()
        wire.delay = slow
        # The phones are in this process too: all in one instant, they would hold up each other.
        watching = asyncio.create_task(_is_held_up(went))
        await asyncio.gather(*(_asks(went, phone, n, arriving * n) for n, phone in enumerate(phones)))
        watching.cancel()
        wire.delay = 0.0
    return went


async def _is_held_up(went: Rush) -> None:
    """Note by how much later than asked for sleeping ends, unless this process worked meanwhile."""
    while True:
        began, worked = time.monotonic(), time.process_time()
        await asyncio.sleep(GLANCE)
        late = time.monotonic() - began - GLANCE
        went.held_up += max(0.0, late - (time.process_time() - worked))


async def _asks(went: Rush, phone: Phone, number: int, after: float) -> None:
    """Say something and go on until the answer is there; WeChat says it up to three times for them."""
    await asyncio.sleep(after)
    wish, answer = SAID[number % len(SAID)]
    reply: Reply | None = await phone.says(wish)
    for _try in range(MOST_TRIES):
        if reply is None or answer in reply.text:
            break
        went.put_off += 1
        reply = await phone.says("0")
    if reply is None or answer not in reply.text:
        went.lost.append(wish)


def _listens_in(world: CallbackWorld, went: Rush) -> None:
    hear = world.hear

    async def counted(heard: Incoming) -> Answer:
        went.heard[heard.key] += 1
        return await hear(heard)

    world.hear = counted  # type: ignore[method-assign]  # it listens in


def _phone(world: CallbackWorld, went: Rush, user: str) -> Phone:
    theirs = world.rider(user, "zh_CN").phone
    phone = Impatient(
        theirs.url, theirs.now, theirs.aes_key, openid=user, patience=theirs.patience, numbers=theirs.numbers
    )
    phone.rush = went
    return phone
