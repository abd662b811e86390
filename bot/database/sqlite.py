"""Short transactions on SQLite: statements on the event loop, commits in a thread, several turns in one commit.

A statement that finds its rows in memory takes some ten microseconds; handing it to a thread and back takes many times
that. What waits for the disk is the commit, and for other processes the BEGIN: these leave the loop.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy import URL, Dialect, StaticPool
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine

from bot.database.json_text import JSON
from bot.database.prepared import DRIVER, Compiled, Row, flush

T = TypeVar("T")

PATIENCE_MS = 10_000
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
# Nobody's commit waits for more turns than these.
MOST_TOGETHER = 16


class SqliteTurns:
    """Transactions one after the other on one connection; those that stand in line are committed together.

    Each is a savepoint in the transaction that they share: it is undone alone, and done when the commit is.
    """

    def __init__(self, url: URL) -> None:
        self._path = str(url.database)
        self._engine = create_async_engine(
            url, hide_parameters=True, poolclass=StaticPool, async_creator=self._lend, **JSON
        )
        self._turnstile = asyncio.Lock()
        self._waiting = 0
        self._group: _Group | None = None
        self._thread = ThreadPoolExecutor(1, "sqlite")
        self._tasks: set[asyncio.Task[None]] = set()
        self._raw: sqlite3.Connection | None = None
        self._lent: AsyncConnection | None = None
        self._session: AsyncSession | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        session, raw, group = await self._enter()
        try:
            yield session
            if session.in_transaction():
                await flush(session)
                await session.close()
            raw.execute("RELEASE turn")
        except BaseException:
            await _finished(asyncio.ensure_future(self._undo(session, raw)))
            self._leave()
            raise
        self._leave()
        await group.committed()

    def single(self) -> AbstractAsyncContextManager[AsyncSession]:
        """For one prepared statement: here a transaction like any other."""
        return self.transaction()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Keeps other writers of this process out. They would sleep and try again: in line is faster."""
        async with self._turnstile:
            if self._group:
                await _finished(self._commit())
            yield

    async def close(self) -> None:
        async with self.alone():
            if self._session and self._lent and self._raw:
                await self._session.close()
                await self._lent.close()
                await self._engine.dispose()
                self._raw.close()
        self._thread.shutdown()

    async def _enter(self) -> tuple[AsyncSession, sqlite3.Connection, "_Group"]:
        """Waits in line, then joins the open transaction or begins one."""
        self._waiting += 1
        try:
            await self._turnstile.acquire()
        except asyncio.CancelledError:
            # Whoever went before may have left the commit to us.
            task = asyncio.create_task(self._settle())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            raise
        finally:
            self._waiting -= 1
        try:
            session, raw = await self._connection()
            if not self._group:
                await self._begin(raw)
                self._group = _Group()
            raw.execute("SAVEPOINT turn")
        except BaseException:
            self._leave()
            raise
        self._group.size += 1
        return session, raw, self._group

    def _leave(self) -> None:
        """Lets the next one in, who goes on with the open transaction; commits it first where nobody would."""
        if self._group and (not self._waiting or self._group.size >= MOST_TOGETHER):
            self._commit().add_done_callback(lambda _future: self._turnstile.release())
        else:
            self._turnstile.release()

    async def _undo(self, session: AsyncSession, raw: sqlite3.Connection) -> None:
        await session.close()
        if raw.in_transaction:
            raw.execute("ROLLBACK TO turn")
            raw.execute("RELEASE turn")
        elif self._group:
            # A disk that is full or broken ends the whole transaction, and with it what others did in it.
            self._group.end(sqlite3.OperationalError("the database gave up the transaction"))
            self._group = None

    async def _begin(self, raw: sqlite3.Connection) -> None:
        """Takes the write lock: at once where it is free, else a thread waits until the other process is done."""
        try:
            raw.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            await _finished(self._in_thread(_begin_patiently, raw))

    def _commit(self) -> "asyncio.Future[None]":
        """Commits what is open, in the thread; the turnstile must be held until it is done."""
        group, self._group = self._group, None
        assert group
        assert self._raw
        future = self._in_thread(_commit, self._raw)
        future.add_done_callback(lambda done: group.end(done.exception()))
        return future

    async def _settle(self) -> None:
        async with self.alone():
            pass

    async def _connection(self) -> tuple[AsyncSession, sqlite3.Connection]:
        if self._session and self._raw:
            return self._session, self._raw
        raw: sqlite3.Connection = await _finished(self._in_thread(_open, self._path))
        self._raw = raw
        self._lent = await self._engine.connect()
        self._session = AsyncSession(self._lent, expire_on_commit=False)
        self._session.info[DRIVER] = _InLoop(self._engine.dialect, raw)
        return self._session, raw

    async def _lend(self, *_address: Any, **_options: Any) -> aiosqlite.Connection:
        assert self._raw
        return _Lent(self._raw)

    def _in_thread(self, does: Callable[..., Any], *arguments: Any) -> "asyncio.Future[Any]":
        return asyncio.get_running_loop().run_in_executor(self._thread, does, *arguments)


class _Group:
    """Turns that are committed together."""

    def __init__(self) -> None:
        self.size = 0
        self._ended = asyncio.Event()
        self._error: BaseException | None = None

    def end(self, error: BaseException | None) -> None:
        self._error = error
        self._ended.set()

    async def committed(self) -> None:
        """Waits for the commit; raises what went wrong with it, and then none of it happened."""
        await self._ended.wait()
        if self._error:
            raise sqlite3.OperationalError(str(self._error)) from self._error


class _InLoop:
    """Runs statements where it is called: they find the write lock taken, and their pages in memory."""

    def __init__(self, dialect: Dialect, raw: sqlite3.Connection) -> None:
        self.dialect = dialect
        self._raw = raw

    async def run(self, statement: Compiled, values: Mapping[str, Any]) -> list[Row]:
        return statement.rows(self._raw.execute(statement.text, statement.bound(values)).fetchall())

    async def run_together(self, writes: Sequence[tuple[Compiled, Mapping[str, Any]]]) -> list[Row]:
        rows: list[Row] = []
        for statement, values in writes:
            rows = await self.run(statement, values)
        return rows


class _Lent(aiosqlite.Connection):
    """The same connection as SQLAlchemy's driver wants to see it: without a thread, and not its to end."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        super().__init__(lambda: raw, 64)
        self._connection = raw

    async def _execute(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    async def commit(self) -> None: ...

    async def rollback(self) -> None: ...

    async def close(self) -> None:
        self._connection = None

    def stop(self) -> None:
        self._connection = None


def _open(path: str) -> sqlite3.Connection:
    raw = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in (*PRAGMAS, "busy_timeout=0"):
        raw.execute(f"PRAGMA {pragma}")
    return raw


def _begin_patiently(raw: sqlite3.Connection) -> None:
    raw.execute(f"PRAGMA busy_timeout={PATIENCE_MS}")
    try:
        raw.execute("BEGIN IMMEDIATE")
    finally:
        raw.execute("PRAGMA busy_timeout=0")


def _commit(raw: sqlite3.Connection) -> None:
    try:
        raw.execute("COMMIT")
    except sqlite3.Error:
        if raw.in_transaction:
            raw.execute("ROLLBACK")
        raise


async def _finished(future: "asyncio.Future[T]") -> T:
    """What comes of `future`; whoever is told to stop waits for it nevertheless."""
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        raise
