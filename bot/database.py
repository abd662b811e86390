"""One engine, one way to open a transaction, on SQLite and PostgreSQL alike."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import asyncpg
from sqlalchemy import Connection, CursorResult, DateTime, Delete, Dialect, TypeDecorator, Update, event, text
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

# What a database in trouble raises. What asyncpg says of a connection that it cannot open comes as it is:
# refused, timed out, starting up, full.
DATABASE_TROUBLE = (DBAPIError, asyncpg.PostgresError, OSError)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in, aware UTC out, also on SQLite, which forgets time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=value.tzinfo or UTC) if value else None


class ReadOnly(Exception):
    """Something tried to write in a turn that declared that it only reads."""


class Database:
    """The database of one installation: `writing()` for a transaction, `reading()` for looking."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        """`url` is the setting `DATABASE_URL`: `sqlite:///path` or `postgresql://user:password@host/db`."""
        self.url = driver_url(url)
        self.embedded = self.url.get_backend_name() == "sqlite"
        options: dict[str, Any] = {} if self.embedded else {"pool_size": pool_size, "max_overflow": pool_size}
        self.engine: AsyncEngine = create_async_engine(self.url, hide_parameters=True, **options)
        if self.embedded:
            _prepare_sqlite(self.engine)
        # SQLite lets one write at a time, and whoever finds it busy sleeps and tries again: in line is faster.
        self._turnstile: AbstractAsyncContextManager[object] = asyncio.Lock() if self.embedded else nullcontext()
        self._writer = self.engine.execution_options(writes=True)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """One transaction: saved at the end of the block, undone if anything is raised in it."""
        async with self._turnstile, AsyncSession(self._writer, expire_on_commit=False) as db, db.begin():
            yield db

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session that takes no lock and refuses to write (raises ReadOnly)."""
        async with self.reader() as db:
            yield db

    def reader(self) -> AsyncSession:
        """A read-only session for the caller to close; it takes no connection before its first query."""
        return AsyncSession(self.engine, sync_session_class=_ReadOnlySession, expire_on_commit=False)

    async def notify(self, db: AsyncSession, topic: str, payload: str = "") -> None:
        """Tell the other processes, once `db` commits, that something changed; alone, there is nobody to tell."""
        if not self.embedded:
            await db.execute(text("SELECT pg_notify(:topic, :payload)"), {"topic": topic, "payload": payload})

    async def close(self) -> None:
        await self.engine.dispose()


def driver_url(url: str) -> URL:
    """The address with the driver that we use named; raises ValueError for another kind of database."""
    parsed = make_url(url)
    match parsed.get_backend_name():
        case "sqlite":
            return parsed.set(drivername="sqlite+aiosqlite")
        case "postgresql" | "postgres":
            return parsed.set(drivername="postgresql+asyncpg")
    raise ValueError("only sqlite and postgresql are supported")


def insert(db: AsyncSession, table: Any) -> Any:
    """An INSERT that knows ON CONFLICT, in the dialect of `db`."""
    if db.get_bind().dialect.name == "sqlite":
        return sqlite_insert(table)
    return postgresql_insert(table)


async def rows_changed(db: AsyncSession, statement: Update | Delete) -> int:
    """How many rows the statement changed."""
    return cast(CursorResult[Any], await db.execute(statement)).rowcount


class _ReadOnlySession(Session):
    def flush(self, objects: Any = None) -> None:
        if self.new or self.dirty or self.deleted:
            raise ReadOnly
        super().flush(objects)


def _prepare_sqlite(engine: AsyncEngine) -> None:
    """WAL, patience, and BEGIN IMMEDIATE where writing is meant.

    A deferred transaction that turns from reading to writing is refused at once when another writes, however
    long the busy timeout; taking the lock at BEGIN waits for it instead.
    """

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine.sync_engine, "begin")
    def began(connection: Any) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN DEFERRED")


def _alembic(connection: Connection) -> Any:
    """Alembic's configuration around an open connection (imported late: only starting needs it)."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent.parent / "migrations"))
    config.attributes["connection"] = connection
    return config


async def migrate(database: Database, revision: str = "head") -> None:
    """Bring the schema to `revision` (up or `-1`, `base` down), one process at a time."""
    from alembic import command

    def run(connection: Connection) -> None:
        if not database.embedded:
            connection.execute(text("SELECT pg_advisory_xact_lock(77412)"))
        config = _alembic(connection)
        if revision == "base" or revision.startswith("-"):
            command.downgrade(config, revision)
        else:
            command.upgrade(config, revision)

    async with database.engine.execution_options(writes=True).begin() as connection:
        await connection.run_sync(run)


async def is_migrated(database: Database) -> bool:
    """Whether the schema is the one that this release expects."""
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    def compare(connection: Connection) -> bool:
        here = MigrationContext.configure(connection).get_current_revision()
        return here == ScriptDirectory.from_config(_alembic(connection)).get_current_head()

    async with database.engine.connect() as connection:
        return await connection.run_sync(compare)
