"""One engine, one way to open a transaction, on SQLite and PostgreSQL alike."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import asyncpg
from sqlalchemy import (
    Connection,
    CursorResult,
    DateTime,
    Delete,
    Dialect,
    String,
    TypeDecorator,
    Update,
    bindparam,
    event,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from bot.database.json_text import JSON
from bot.database.postgresql import PostgresqlTurns
from bot.database.prepared import Prepared as Prepared
from bot.database.prepared import PreparedRows as PreparedRows
from bot.database.prepared import Write as Write
from bot.database.prepared import together as together
from bot.database.sqlite import PATIENCE_MS, PRAGMAS, SqliteTurns

MIGRATIONS = Path(__file__).parent.parent.parent / "migrations"

# What a database in trouble raises: wrapped by SQLAlchemy or, from prepared statements and from a connection that
# cannot be opened, as the driver says it.
DATABASE_TROUBLE = (DBAPIError, sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


# Of a moment as it is kept on SQLite: its zone, always UTC, is left out.
_LENGTH = len("2026-01-31 23:59:59.000000")


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in, aware UTC out, also on SQLite, which forgets time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any]:
        return _to_text if dialect.name == "sqlite" else _aware

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None] | None:
        return _from_text if dialect.name == "sqlite" else None


def _aware(value: datetime | None) -> datetime | None:
    if value is not None and value.tzinfo is None:
        raise ValueError(f"{value} has no time zone")
    return value


def _to_text(value: datetime | None) -> str | None:
    aware = _aware(value)
    return aware.astimezone(UTC).isoformat(" ", "microseconds")[:_LENGTH] if aware else None


def _from_text(value: str | None) -> datetime | None:
    return datetime.fromisoformat(f"{value}+00:00") if value else None


class ReadOnly(Exception):
    """Something tried to write in a turn that declared that it only reads."""


class Database:
    """The database of one installation: `writing()` and `turn()` for a transaction, `reading()` for looking."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        """`url` is the setting `DATABASE_URL`: `sqlite:///path` or `postgresql://user:password@host/db`."""
        self.url = driver_url(url)
        self.embedded = self.url.get_backend_name() == "sqlite"
        options: dict[str, Any] = {} if self.embedded else {"pool_size": pool_size, "max_overflow": pool_size}
        self.engine: AsyncEngine = create_async_engine(self.url, hide_parameters=True, **JSON, **options)
        if self.embedded:
            _prepare_sqlite(self.engine)
        self._turns = SqliteTurns(self.url) if self.embedded else PostgresqlTurns(self.engine, pool_size)
        self._writer = self.engine.execution_options(writes=True)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """One transaction: saved at the end of the block, undone if anything is raised in it."""
        async with self._turns.alone(), AsyncSession(self._writer, expire_on_commit=False) as db, db.begin():
            yield db

    def turn(self) -> AbstractAsyncContextManager[AsyncSession]:
        """The same for a few short statements, such as those of one message, where each millisecond counts.

        On SQLite they run on the event loop and are committed together with those of others that stand in line:
        nothing that looks at many rows belongs here.
        """
        return self._turns.transaction()

    def single(self) -> AbstractAsyncContextManager[AsyncSession]:
        """The same for exactly one prepared statement, which is saved when it is done."""
        return self._turns.single()

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
        await together(db, self.notice(topic, payload))

    def notice(self, topic: str, payload: str = "") -> list[Write]:
        """What `notify` writes, to be done together with other writes."""
        return [] if self.embedded else [Write(_NOTIFY, {"topic": topic, "payload": payload})]

    async def close(self) -> None:
        await self._turns.close()
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


_NOTIFY = Prepared(select(func.pg_notify(bindparam("topic", type_=String), bindparam("payload", type_=String))))


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
        for pragma in (*PRAGMAS, f"busy_timeout={PATIENCE_MS}"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine.sync_engine, "begin")
    def began(connection: Any) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN DEFERRED")


def _alembic(connection: Connection) -> Any:
    """Alembic's configuration around an open connection (imported late: only starting needs it)."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
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
    """Whether the schema is the one that this release expects.

    Asked at every start and every few seconds after: Alembic itself would have to be imported for it.
    """

    def compare(connection: Connection) -> bool:
        if not inspect(connection).has_table("alembic_version"):
            return False
        newest = max(file.name.partition("_")[0] for file in MIGRATIONS.glob("versions/[0-9]*.py"))
        return connection.scalars(text("SELECT version_num FROM alembic_version")).all() == [newest]

    async with database.engine.connect() as connection:
        return await connection.run_sync(compare)
