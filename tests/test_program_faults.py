"""The whole program while something is broken, and several of its processes over one database."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.conftest import POSTGRES
from tests.program import NOON, Running, free_port, run, serving, until
from tests.standins.telegram import TelegramStandIn
from tests.standins.telegram_updates import Person

YANHU = {"lat": 35.016, "lng": 110.993, "datum": "wgs84"}
HEADER = "code,name,kind,county,lat,lng,datum,hours,amenities\n"
PLACE = "real-1,府东街暖心驿站,rest_station,140802,35.0160,110.9930,wgs84,24/7,hot_water\n"


class Cable:
    """The wire to a database, which can be cut and mended; `url` leads through it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._far = parts.hostname or "127.0.0.1", parts.port or 5432
        self._listening: asyncio.Server | None = None
        self._wires: set[asyncio.StreamWriter] = set()
        self.port = free_port()
        self.url = url.replace(f"{parts.hostname}:{self._far[1]}", f"127.0.0.1:{self.port}")

    async def mend(self) -> None:
        self._listening = await asyncio.start_server(self._join, "127.0.0.1", self.port)

    async def cut(self) -> None:
        assert self._listening
        self._listening.close()
        for wire in list(self._wires):
            wire.transport.abort()

    async def _join(self, near: asyncio.StreamReader, near_writer: asyncio.StreamWriter) -> None:
        far, far_writer = await asyncio.open_connection(*self._far)
        wires = {near_writer, far_writer}
        self._wires |= wires
        await asyncio.gather(_pump(near, far_writer), _pump(far, near_writer), return_exceptions=True)
        self._wires -= wires


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    writer.transport.abort()


@pytest.fixture
def empty_postgres(worker: str) -> Iterator[str]:
    """The address of a PostgreSQL database with nothing in it; skips where no PostgreSQL answers."""
    name = f"nuanxin_program_{worker}_{os.getpid()}"
    try:
        asyncio.run(_on_server(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name}"))
    except (OSError, asyncpg.PostgresError, TimeoutError):
        if os.environ.get("CI"):
            raise
        pytest.skip("no PostgreSQL: set TEST_POSTGRES_URL")
    yield POSTGRES.rpartition("/")[0] + f"/{name}"
    asyncio.run(_on_server(f"DROP DATABASE {name} WITH (FORCE)"))


async def _on_server(*statements: str) -> None:
    server = await asyncpg.connect(POSTGRES, timeout=3)
    for statement in statements:
        await server.execute(statement)
    await server.close()


def shared(url: str, **more: str) -> dict[str, str]:
    return {"DATABASE_URL": url, "SECRET_KEY": "a key that all processes have", "CLOCK": NOON} | more


@asynccontextmanager
async def two_webs(folder: Path, **settings: str) -> AsyncIterator[tuple[Running, Running]]:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(serving(folder, command="web", **settings))
        second = await stack.enter_async_context(serving(folder, command="web", **settings))
        yield first, second


def words(answers: list[dict[str, object]]) -> str:
    return "\n".join(str(answer.get("text", "")) for answer in answers)


def token_of(answers: list[dict[str, object]], label: str) -> str:
    rows = [row for answer in answers for row in answer.get("buttons", ())]  # type: ignore[attr-defined]  # JSON
    return str(next(button["press"] for row in rows for button in row if button["label"] == label))


async def test_without_its_database_it_answers_danger_and_recovers(tmp_path: Path, empty_postgres: str) -> None:
    cable = Cable(empty_postgres)
    await cable.mend()
    port = free_port()
    async with TelegramStandIn() as telegram:
        settings = shared(
            cable.url,
            TELEGRAM_TOKEN=telegram.token,
            TELEGRAM_API_URL=telegram.url,
            PORT=str(port),
            PUBLIC_URL=f"http://127.0.0.1:{port}",
        )
        assert (await run(tmp_path, "migrate", **settings))[0] == 0
        async with serving(tmp_path, **settings) as program:
            await until(lambda: len(telegram.commands) >= 3)
            stranger, known = Person(1), Person(2)
            assert (await telegram.push(known.shares(35.016, 110.993))).status == 200
            await cable.cut()
            danger = await telegram.push(stranger.says("有人煤气中毒晕倒了"))
            assert danger.status == 200
            assert danger.call
            assert "120" in danger.call.text
            assert "120" in words(await program.chat({"text": "着火了"}))
            waiting = stranger.shares(35.016, 110.993)
            assert (await telegram.push(waiting)).status >= 500
            status, ready = await program.ready()
            assert (status, ready["ready"], ready["database"]) == (503, False, False)
            assert (await program.get("/healthz"))[0] == 200
            assert (await telegram.push(known.shares(35.016, 110.993))).status >= 500
            assert "turn failed" not in program.log.read_text()  # an outage is no bug

            await cable.mend()

            async def is_ready() -> bool:
                return (await program.ready())[0] == 200

            await until(is_ready)
            await until(lambda: "database answers again" in program.log.read_text())
            logged = program.log.read_text()
            assert (logged.count("database does not answer"), logged.count("update failed")) == (1, 0)
            again = await telegram.push(waiting)
            assert again.status == 200
            assert again.call
            assert "1. " in again.call.text
            assert await program.stops() == 0
        await cable.cut()


async def test_a_language_chosen_at_one_process_is_spoken_by_the_other(tmp_path: Path, empty_postgres: str) -> None:
    async with TelegramStandIn() as telegram:
        ports = free_port(), free_port()
        each = [
            shared(
                empty_postgres,
                TELEGRAM_TOKEN=telegram.token,
                TELEGRAM_API_URL=telegram.url,
                PORT=str(port),
                PUBLIC_URL=f"http://127.0.0.1:{port}",
            )
            for port in ports
        ]
        assert (await run(tmp_path, "migrate", **each[0]))[0] == 0
        person = Person(3)
        async with (
            serving(tmp_path, command="web", **each[0]) as first,
            serving(tmp_path, command="web", **each[1]) as second,
        ):
            await until(lambda: len(telegram.made("setMyCommands")) >= 6)

            async def shows(program: Running) -> str:
                telegram.webhook = telegram.webhook | {"url": f"{program.address}/telegram/webhook"}
                said = await telegram.push(person.says("/settings"))
                assert said.call
                return said.call.text

            assert "语言" in await shows(first)
            assert "语言" in await shows(second)
            telegram.webhook = telegram.webhook | {"url": f"{first.address}/telegram/webhook"}
            await telegram.push(person.presses("speak.en"))
            assert "Language" in await shows(first)

            async def is_english() -> bool:
                return "Language" in await shows(second)

            await until(is_english, seconds=5)


async def test_an_imported_place_appears_everywhere_without_a_restart(tmp_path: Path, empty_postgres: str) -> None:
    settings = shared(empty_postgres, DEMO="0")
    del settings["CLOCK"]
    assert (await run(tmp_path, "migrate", **settings))[0] == 0
    file = tmp_path / "places.csv"
    file.write_text(HEADER + PLACE, encoding="utf-8")
    async with two_webs(tmp_path, **settings) as webs:
        assert "府东街暖心驿站" not in words(await webs[0].chat({"location": YANHU}))
        assert (await run(tmp_path, "import", "places", str(file), **settings))[0] == 0
        for web in webs:

            async def knows(web: Running = web) -> bool:
                return "府东街暖心驿站" in words(await web.chat({"location": YANHU}))

            await until(knows, seconds=15)


async def test_the_import_says_what_it_did(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text(HEADER + PLACE, encoding="utf-8")
    bad.write_text(HEADER + PLACE.replace("real-1", "real-2") + PLACE.replace("rest_station", "castle"))

    async def imports(*arguments: str | Path) -> tuple[int | None, dict[str, Any], str]:
        status, out, err = await run(tmp_path, "import", "places", *map(str, arguments), DEMO="0")
        return status, json.loads(out.splitlines()[-1]), err

    status, said, _err = await imports(good, "--dry-run")
    assert (status, said["added"], said["rejected"]) == (0, 1, [])
    status, said, _err = await imports(good)
    assert (status, said["added"], said["changed"], said["unchanged"], said["warnings"]) == (0, 1, 0, 0, [])
    status, said, _err = await imports(good)
    assert (status, said["added"], said["unchanged"]) == (0, 0, 1)
    status, said, err = await imports(bad)
    assert (status, said["added"]) == (1, 0)
    assert [(row["row"], row["column"]) for row in said["rejected"]] == [(3, "kind")]
    assert all(row["reason"] in err for row in said["rejected"])
    status, said, _err = await imports(bad, "--skip-bad")
    assert (status, said["added"]) == (0, 1)
    out = tmp_path / "out.csv"
    assert (await run(tmp_path, "export", "places", str(out), DEMO="0"))[0] == 0
    assert out.read_bytes().startswith(b"\xef\xbb\xbfcode,name,kind")
    status, said, _err = await imports(out)
    assert (status, said["unchanged"]) == (0, 2)
    assert (await run(tmp_path, "import", "places", str(tmp_path / "nowhere.csv")))[0] == 2


async def test_a_staff_account_opens_the_console_once_it_is_made(tmp_path: Path) -> None:
    added = ("staff", "add", "mei", "--role", "county", "--county", "140802")
    status, password, _err = await run(tmp_path, *added)
    assert status == 0
    assert re.fullmatch(r"\S{8,}", password.strip())
    status, out, err = await run(tmp_path, *added)
    assert (status, out) == (1, "")
    assert "Traceback" not in err
    status, _out, err = await run(tmp_path, "staff", "add", "wang", "--role", "emperor")
    assert status == 1
    assert "Traceback" not in err


async def test_a_command_without_its_database_says_so_in_a_line(tmp_path: Path) -> None:
    away = shared(f"postgresql://u:hunter2@127.0.0.1:{free_port()}/x")
    status, out, err = await run(tmp_path, "staff", "add", "mei", "--role", "admin", **away)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert "hunter2" not in err
