"""Many people who write at once while the database is slow: what each of them gets, and when."""

import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field, replace

from sqlalchemy.engine import URL

from bot.channels import Answer
from bot.database import Database
from bot.messages import Incoming
from tests.callback import CallbackWorld, behind_an_account
from tests.program import GLANCE


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


async def rush(
    database: Database, wire: SlowWire, *, people: int, patience: float, slow: float, arriving: float
) -> Rush:
    """Let `people` write, one every `arriving` seconds; a query takes `slow` seconds more, a delivery waits `patience`.

    Half of them are known already. Their phones are in a process of their own.
    """
    went = Rush()
    async with behind_an_account(database, "service", patience=patience) as world:
        _listens_in(world, went)
        users = [f"r{number}" for number in range(people)]
        for user in users[: people // 2]:
            await world.rider(user, "zh_CN").phone.says("菜单")
        for user in users:
            world.rider(user, "zh_CN")
        wire.delay = slow
        phone = world.phone
        what = [phone.url, phone.now().isoformat(), phone.patience, users, arriving]
        watching = asyncio.create_task(_is_held_up(went))
        took, put_off, lost = json.loads(await _phones(json.dumps(what)))
        watching.cancel()
        wire.delay = 0.0
    return replace(went, took=took, put_off=put_off, lost=lost)


async def _is_held_up(went: Rush) -> None:
    """Note by how much later than asked for sleeping ends, unless this process worked meanwhile."""
    while True:
        began, worked = time.monotonic(), time.process_time()
        await asyncio.sleep(GLANCE)
        late = time.monotonic() - began - GLANCE
        went.held_up += max(0.0, late - (time.process_time() - worked))


async def _phones(what: str) -> bytes:
    """Let the phones ring in a process of their own, which prints what became of it."""
    command = (sys.executable, "-m", "tests.channels.wechat.crowd", what)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _err = await process.communicate()
    assert process.returncode == 0
    return out


def _listens_in(world: CallbackWorld, went: Rush) -> None:
    hear = world.hear

    async def counted(heard: Incoming) -> Answer:
        went.heard[heard.key] += 1
        return await hear(heard)

    world.hear = counted  # type: ignore[method-assign]  # it listens in
