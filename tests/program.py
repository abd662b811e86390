"""The whole program as operators run it: started as its own process, asked over real HTTP, stopped, killed."""

import asyncio
import itertools
import json
import multiprocessing
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import aiohttp

ROOT = Path(__file__).parent.parent
# A Friday noon on which the sample data is fresh.
NOON = "2026-11-20T12:00:00+08:00"
# Between two looks at a process that cannot tell us when it is ready.
GLANCE = 0.02

_numbers = itertools.count()


class Process(Protocol):
    """A process as asyncio knows it. `returncode` is None while it runs."""

    @property
    def returncode(self) -> int | None: ...
    def send_signal(self, signal: int, /) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...
    async def wait(self) -> int: ...


# Starts the program with arguments, an environment, and the files that its output and its errors go to.
Start = Callable[[tuple[str, ...], Mapping[str, str], Path, Path], Awaitable[Process]]


@dataclass
class Running:
    """A program that serves. `log` is the file that its standard error goes to."""

    process: Process
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


async def executed(arguments: tuple[str, ...], variables: Mapping[str, str], out: Path, err: Path) -> Process:
    """The program as a shell starts it."""
    with out.open("wb") as stdout, err.open("wb") as stderr:
        command = (sys.executable, "-m", "bot", *arguments)
        return await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=variables, stdout=stdout, stderr=stderr)


async def forked(arguments: tuple[str, ...], variables: Mapping[str, str], out: Path, err: Path) -> Process:
    """The same with its imports done, which take most of a start: a process that has done them once is forked."""
    process = _FORKING.Process(target=_become_the_program, args=(arguments, dict(variables), out, err))
    process.start()
    return _Forked(process)


@asynccontextmanager
async def serving(folder: Path, *, command: str = "serve", **settings: str) -> AsyncIterator[Running]:
    """The program on a database in `folder`, unless `settings` name another, until the end of the block."""
    async with serving_from(forked, folder, command, settings) as program:
        yield program


@asynccontextmanager
async def serving_from(start: Start, folder: Path, command: str, settings: Mapping[str, str]) -> AsyncIterator[Running]:
    """The same, started as `start` does it."""
    out, log = _output_files(folder)
    process = await start((command,), environment(folder, **settings), out, log)
    try:
        greeting, address = await _greeting(process, out)
        yield Running(process, address, greeting, log)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def run(folder: Path, *arguments: str, **settings: str) -> tuple[int, str, str]:
    """Run a command to its end: its exit status, standard output and standard error."""
    return await run_from(forked, folder, arguments, settings)


async def run_from(
    start: Start, folder: Path, arguments: tuple[str, ...], settings: Mapping[str, str]
) -> tuple[int, str, str]:
    """The same, started as `start` does it."""
    out, err = _output_files(folder)
    process = await start(arguments, environment(folder, **settings), out, err)
    status = await process.wait()
    return status, _text_of(out), _text_of(err)


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """What the program is started with; it may keep what Python compiled, so that the next one starts sooner."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return inherited | {"DATABASE_URL": f"sqlite:///{folder}/nuanxin.db", "PORT": "0", "DEMO": "1"} | settings


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


async def _greeting(process: Process, out: Path) -> tuple[str, str]:
    await until(lambda: "/admin/" in _text_of(out) or process.returncode is not None, 60)
    greeting = _text_of(out)
    match = re.search(r"(http://\S+?)/\s", greeting)
    assert match, "the program ended before it served"
    return greeting, match[1]


def _output_files(folder: Path) -> tuple[Path, Path]:
    number = next(_numbers)
    out, err = folder / f"out-{number}", folder / f"log-{number}"
    for file in (out, err):
        file.touch()
    return out, err


def _text_of(file: Path) -> str:
    return file.read_text("utf-8")


class _Forked:
    def __init__(self, process: multiprocessing.process.BaseProcess) -> None:
        self._process = process

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, signal: int, /) -> None:
        assert self._process.pid
        os.kill(self._process.pid, signal)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()

    async def wait(self) -> int:
        await until(lambda: self.returncode is not None, 60)
        assert self.returncode is not None
        return self.returncode


def _become_the_program(arguments: tuple[str, ...], variables: Mapping[str, str], out: Path, err: Path) -> None:
    for number, file in ((1, out), (2, err)):
        os.dup2(os.open(file, os.O_WRONLY), number)
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = ["nuanxin", *arguments]
    from bot.__main__ import main

    main()


_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload(["bot.__main__", "bot.commands", "tests.program"])
