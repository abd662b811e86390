"""The whole program as operators run it: started as its own process, asked over real HTTP, stopped, killed."""

import asyncio
import itertools
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

ROOT = Path(__file__).parent.parent
# A Friday noon on which the sample data is fresh.
NOON = "2026-11-20T12:00:00+08:00"
# Between two looks at a process that cannot tell us when it is ready.
GLANCE = 0.02

_numbers = itertools.count()


@dataclass
class Running:
    """A program that serves. `log` is the file that its standard error goes to."""

    process: asyncio.subprocess.Process
    address: str
    greeting: str
    log: Path

    async def chat(self, *frames: dict[str, object]) -> list[dict[str, object]]:
        """Open a chat, say `frames` one after another, and return everything that was answered."""
        async with aiohttp.ClientSession() as client, client.ws_connect(f"{self.address}/chat/ws") as socket:
            answers: list[dict[str, object]] = [await socket.receive_json()]
            for n, frame in enumerate(frames):
                await socket.send_json(frame | {"key": f"k{n}"})
                while answers[-1].get("done") != f"k{n}":
                    answers.append(await socket.receive_json())
            return answers

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as client, client.get(self.address + path, headers=headers) as answer:
            return answer.status, await answer.text()

    async def ready(self) -> tuple[int, dict[str, Any]]:
        status, body = await self.get("/readyz")
        return status, json.loads(body)

    async def loop(self, name: str) -> dict[str, Any]:
        """What `/readyz` says of one loop."""
        _status, ready = await self.ready()
        sign: dict[str, Any] = ready["loops"].get(name, {})
        return sign

    async def stops(self) -> int:
        """Ask it to stop; returns its exit status, and fails if that takes five seconds."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(5):
            return await self.process.wait()

    async def is_killed(self) -> None:
        self.process.kill()
        await self.process.wait()

    def errors(self) -> list[str]:
        """The lines of its log that say that something is broken."""
        lines = self.log.read_text().splitlines()
        return [line for line in lines if '"level": "error"' in line or not line.startswith("{")]


@asynccontextmanager
async def serving(folder: Path, *, command: str = "serve", **settings: str) -> AsyncIterator[Running]:
    """The program on a database in `folder`, unless `settings` name another, until the end of the block."""
    log = folder / f"log-{next(_numbers)}"
    with log.open("wb") as err:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", command),
            cwd=ROOT,
            env=environment(folder, **settings),
            stdout=asyncio.subprocess.PIPE,
            stderr=err,
        )
    try:
        greeting, address = await _greeting(process)
        yield Running(process, address, greeting, log)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def run(folder: Path, *arguments: str, **settings: str) -> tuple[int | None, str, str]:
    """Run a command to its end: its exit status, standard output and standard error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *arguments),
        cwd=ROOT,
        env=environment(folder, **settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


def environment(folder: Path, **settings: str) -> dict[str, str]:
    return os.environ | {"DATABASE_URL": f"sqlite:///{folder}/nuanxin.db", "PORT": "0", "DEMO": "1"} | settings


async def until(holds: Callable[[], Any], seconds: float = 20) -> None:
    """Look again and again until `holds()`, which may be a coroutine function, is true."""
    async with asyncio.timeout(seconds):
        while True:
            found = holds()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(GLANCE)


def free_port() -> int:
    """A port that nobody listens on, for a program whose address must be known before it starts."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


async def _greeting(process: asyncio.subprocess.Process) -> tuple[str, str]:
    assert process.stdout
    greeting = ""
    async with asyncio.timeout(60):
        while "/admin/" not in greeting:
            line = await process.stdout.readline()
            assert line, "the program ended before it served"
            greeting += line.decode()
    match = re.search(r"(http://\S+?)/\s", greeting)
    assert match
    return greeting, match[1]
