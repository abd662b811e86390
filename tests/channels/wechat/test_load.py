"""Five seconds for an answer, with many people and a slow database; at somewhat more than half of WeChat's times."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.engine import make_url

from bot.channels import Answer
from bot.database import Database
from bot.messages import Incoming
from tests.callback import CallbackWorld, behind_an_account

PEOPLE = 60
PATIENCE = 2.5  # seconds for an answer, of WeChat's 4.5
ARRIVING = 0.02  # seconds between two people
SLOW = 0.055  # seconds that each query takes longer, of 0.1


class SlowWire:
    """A way to the database on which each thing that is asked takes a while to arrive."""

    def __init__(self, host: str, port: int) -> None:
        self._far = host, port
        self._tasks: set[asyncio.Task[None]] = set()
        self.delay = 0.0
        self.asked = 0

    async def open(self) -> int:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

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


@pytest.fixture
def database_kind() -> str:
    return "postgresql"


@pytest.fixture
async def slow(database: Database, database_url: str) -> AsyncIterator[tuple[Database, SlowWire]]:
    address = make_url(database_url)
    wire = SlowWire(address.host or "127.0.0.1", address.port or 5432)
    slow = Database(
        address.set(host="127.0.0.1", port=await wire.open()).render_as_string(hide_password=False), pool_size=10
    )
    yield slow, wire
    await slow.close()
    await wire.close()


class Crowd:
    """Counts what the bot heard, by message."""

    def __init__(self, world: CallbackWorld) -> None:
        self.heard: Counter[str] = Counter()
        self._world = world
        self._hear = world.hear
        world.hear = self.hear  # type: ignore[method-assign]  # it listens in

    async def hear(self, heard: Incoming) -> Answer:
        self.heard[heard.key] += 1
        return await self._hear(heard)


async def test_many_people_at_once_on_a_slow_database(slow: tuple[Database, SlowWire]) -> None:
    database, wire = slow
    async with behind_an_account(database, "service", patience=PATIENCE) as world:
        crowd = Crowd(world)

        async def asks(number: int) -> None:
            """Say something and go on until the answer is there; WeChat says it up to three times for them."""
            # The phones are in this process too: all in one instant, they would hold up each other.
            await asyncio.sleep(number * ARRIVING)
            rider = world.rider(f"r{number}", "zh_CN")
            wish, answer = (("反映", "遇到"), ("帮助", "位置"))[number % 2]
            phone = rider.phone
            reply = await phone.says(wish)
            for _try in range(20):
                assert reply, "a reply is never empty here"
                if answer in reply.text:
                    return
                assert "0" in reply.text, "until it is ready, a digit fetches it"
                reply = await phone.says("0")
            raise AssertionError(f"{wish} was lost")

        # Those who open connections and are met for the first time wait for more than queries.
        for number in range(PEOPLE // 2):
            await world.rider(f"r{number}", "zh_CN").phone.says("菜单")
        wire.delay = SLOW
        await asyncio.gather(*(asks(number) for number in range(PEOPLE)))
        wire.delay = 0.0
    assert max(crowd.heard.values()) == 1, "handled once, however often it was delivered"
    assert wire.asked > 3 * PEOPLE, "the database was slow for everybody"
