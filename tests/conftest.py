"""What every test can ask for: a database of each kind, and a world in which people chat."""

import asyncio
import os
import shutil
import tempfile
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.database import Database, migrate
from bot.messages import Capabilities
from bot.models import Base
from tests.browser import browser as browser
from tests.browser import chromium as chromium
from tests.callback import behind_an_account
from tests.chat import PretendChannel, RiderInTest, World

POSTGRES = os.environ.get("TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")

KINDS_OF_CHANNEL = {
    "buttons": Capabilities(),
    "digits": Capabilities(buttons=False, text_limit=600, asks_location=False),
}

# On these, every word crosses WeChat's real callback over HTTP, in plain or in AES mode.
CALLBACKS = ("wechat", "wechat-aes")

# A story runs in four worlds: every two of database, channel and restarting meet in one of them.
WORLDS = {
    ("sqlite", "buttons", False),
    ("sqlite", "digits", True),
    ("postgresql", "buttons", True),
    ("postgresql", "digits", False),
}
# And over the callback in one of these, always the same one: all of them would take minutes.
CALLBACK_WORLDS = (
    ("sqlite", "wechat", False),
    ("sqlite", "wechat-aes", True),
    ("postgresql", "wechat", True),
    ("postgresql", "wechat-aes", False),
)

# An engine of each kind that has met its server: its dialect knows all that it asks.
_CONNECTED: dict[str, Engine] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def runs(item: pytest.Item) -> bool:
        params = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        world = tuple(params.get(name) for name in ("database_kind", "channel", "restarting"))
        if world in CALLBACK_WORLDS:
            story = item.nodeid.partition("[")[0]
            return world == CALLBACK_WORLDS[zlib.crc32(story.encode()) % len(CALLBACK_WORLDS)]
        return None in world or world in WORLDS or world[1] not in (*KINDS_OF_CHANNEL, *CALLBACKS)

    items[:] = [item for item in items if runs(item)]


@pytest.fixture(scope="session", autouse=True)
def compiled_once() -> Iterator[None]:
    """Every test has engines of its own, but what one compiled serves all: that takes longer than most tests."""

    def create(*arguments: Any, **options: Any) -> AsyncEngine:
        engine = create_async_engine(*arguments, query_cache_size=5_000, **options)
        if like := _CONNECTED.get(engine.name):
            engine.sync_engine.dialect = like.dialect
            engine.sync_engine._compiled_cache = like._compiled_cache
        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bot.database.create_async_engine", create)
        patch.setattr("bot.database.sqlite.create_async_engine", create)
        yield


@pytest.fixture(scope="session")
def worker(request: pytest.FixtureRequest) -> str:
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.db"
    asyncio.run(_migrated(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres_url(worker: str) -> Iterator[str]:
    """A database of this test process alone, migrated once; skips where no PostgreSQL answers."""
    name = f"nuanxin_test_{worker}_{os.getpid()}"
    try:
        asyncio.run(
            _on_server(
                f"DROP DATABASE IF EXISTS {name} WITH (FORCE)",
                f"CREATE DATABASE {name}",
                f"ALTER DATABASE {name} SET synchronous_commit = off",
            )
        )
    except (OSError, asyncpg.PostgresError, TimeoutError):
        if os.environ.get("CI"):
            raise
        pytest.skip("no PostgreSQL: set TEST_POSTGRES_URL")
    url = POSTGRES.rpartition("/")[0] + f"/{name}"
    asyncio.run(_migrated(url))
    yield url
    asyncio.run(_on_server(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def memory_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that is kept in memory where the machine has that: waiting for a disk tests nothing."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database at the newest schema; its parameter runs a test on both kinds."""
    if database_kind == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    template = request.getfixturevalue("sqlite_template")
    folder = request.getfixturevalue("memory_folder")
    shutil.copy(template, folder / "test.db")
    return f"sqlite:///{folder}/test.db"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    if not database.embedded:
        async with database.engine.begin() as connection:
            await _emptied(connection)
    yield database
    await database.close()


async def _emptied(connection: AsyncConnection) -> None:
    """Every table without rows, and counting from one: deleting a few rows is a hundred times quicker than TRUNCATE."""
    emptied = [f'DELETE FROM "{table.name}"' for table in reversed(Base.metadata.sorted_tables)]
    raw = await connection.get_raw_connection()
    assert raw.driver_connection
    await raw.driver_connection.execute("; ".join(emptied))
    counters = "SELECT setval(CAST(sequencename AS regclass), 1, false) FROM pg_sequences WHERE last_value IS NOT NULL"
    await connection.execute(text(counters))


@pytest.fixture(params=[*KINDS_OF_CHANNEL, *CALLBACKS])
def channel(request: pytest.FixtureRequest) -> PretendChannel:
    """A kind of channel; over a callback, the world makes the real one in its place."""
    return PretendChannel(request.param, KINDS_OF_CHANNEL.get(request.param, KINDS_OF_CHANNEL["digits"]))


@pytest.fixture(params=[False, True], ids=["steady", "restarting"])
def restarting(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
async def world(database: Database, channel: PretendChannel, restarting: bool) -> AsyncIterator[World]:
    if channel.name in CALLBACKS:
        is_aes = channel.name == "wechat-aes"
        async with behind_an_account(database, "service-verified", aes=is_aes, restarting=restarting) as account:
            yield account
        return
    world = World(database, channel, restarting=restarting)
    await world.open()
    yield world
    await world.close()


@pytest.fixture
def rider(world: World) -> RiderInTest:
    return world.rider("mei")


@pytest.fixture(autouse=True)
def no_errors_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """An error in the log fails the test, unless the test clears it."""
    yield
    errors = [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]
    assert not errors, [record.getMessage() for record in errors]


async def _migrated(url: str) -> None:
    database = Database(url)
    await migrate(database)
    _CONNECTED[database.engine.name] = database.engine.sync_engine
    await database.close()


async def _on_server(*statements: str) -> None:
    server = await asyncpg.connect(POSTGRES, timeout=3)
    for statement in statements:
        await server.execute(statement)
    await server.close()
