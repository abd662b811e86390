"""Short transactions on PostgreSQL: what is prepared goes to the driver as it is, in as few round trips as can be."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import asyncpg
from sqlalchemy import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from bot.database.prepared import DRIVER, Compiled, Row, flush

# The last is what asyncpg says when it hears of the loss at the same moment.
_LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, asyncpg.InternalClientError)


class PostgresqlTurns:
    """Transactions side by side, each on one of a few connections that are kept for them."""

    def __init__(self, engine: AsyncEngine, most: int) -> None:
        # BEGIN and COMMIT are sent here: SQLAlchemy's connection is told that there are none.
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._places = asyncio.Semaphore(most)
        self._free: list[_Kept] = []

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        async with self._places:
            kept = await self._begun()
            session = kept.session
            try:
                yield session
                if session.in_transaction():
                    await flush(session)
                    await session.close()
                # After an error that somebody caught, PostgreSQL answers COMMIT by undoing everything.
                if await kept.raw.execute("COMMIT") != "COMMIT":
                    raise asyncpg.InFailedSQLTransactionError("the transaction had failed before its end")
            except BaseException:
                await asyncio.shield(self._undo(kept))
                raise
            self._free.append(kept)

    @asynccontextmanager
    async def single(self) -> AsyncIterator[AsyncSession]:
        """For one prepared statement, a transaction of its own: one round trip where `transaction` needs three."""
        async with self._places:
            kept = await self._open()
            try:
                yield kept.session
            except BaseException:
                await asyncio.shield(kept.drop())
                raise
            self._free.append(kept)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """PostgreSQL lets people write side by side."""
        yield

    async def close(self) -> None:
        while self._free:
            await self._free.pop().connection.close()

    async def _begun(self) -> "_Kept":
        """A connection in a transaction; one that was lost while nobody used it is replaced."""
        while True:
            is_new = not self._free
            kept = await self._new() if is_new else self._free.pop()
            try:
                await kept.raw.execute("BEGIN")
            except BaseException as error:
                await asyncio.shield(kept.drop())
                if is_new or not isinstance(error, _LOST):
                    raise
            else:
                return kept

    async def _open(self) -> "_Kept":
        """A connection that was not lost while nobody used it, as far as this end knows."""
        while self._free:
            kept = self._free.pop()
            if not kept.raw.is_closed():
                return kept
            await asyncio.shield(kept.drop())
        return await self._new()

    async def _new(self) -> "_Kept":
        connection = await self._engine.connect()
        raw: asyncpg.Connection = (await connection.get_raw_connection()).driver_connection
        # Each statement finds its rows by a key, whatever the values: planning it anew costs more than running it.
        await raw.execute("SET plan_cache_mode = force_generic_plan")
        session = AsyncSession(connection, expire_on_commit=False)
        session.info[DRIVER] = _Direct(self._engine.dialect, raw)
        return _Kept(connection, raw, session)

    async def _undo(self, kept: "_Kept") -> None:
        await kept.session.close()
        try:
            await kept.raw.execute("ROLLBACK")
        except _LOST:
            await kept.drop()
        else:
            self._free.append(kept)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A connection as SQLAlchemy sees it and as the driver does, and the session that runs on it."""

    connection: AsyncConnection
    raw: asyncpg.Connection
    session: AsyncSession

    async def drop(self) -> None:
        """Let go of it for good."""
        await self.connection.invalidate()
        await self.connection.close()


class _Direct:
    """Runs statements that stay prepared on its connection."""

    def __init__(self, dialect: Dialect, raw: asyncpg.Connection) -> None:
        self.dialect = dialect
        self._raw = raw
        self._prepared: dict[str, Any] = {}

    async def run(self, statement: Compiled, values: Mapping[str, Any]) -> list[Row]:
        return statement.rows(await self._fetched(statement.text, statement.bound(values)))

    async def run_together(self, writes: Sequence[tuple[Compiled, Mapping[str, Any]]]) -> list[Row]:
        text = _joined(tuple(statement.text for statement, _values in writes))
        bound = [value for statement, values in writes for value in statement.bound(values)]
        fetched = await self._fetched(text, bound)
        return writes[-1][0].rows([row for row in fetched if row and row[0] is not None])

    async def _fetched(self, text: str, bound: Sequence[Any]) -> Sequence[Any]:
        statement = self._prepared.get(text)
        if statement is None:
            statement = self._prepared[text] = await self._raw.prepare(text)
        try:
            return cast(Sequence[Any], await statement.fetch(*bound))
        except asyncpg.InvalidCachedStatementError:
            # The schema changed: what was prepared for the old one is of no use.
            self._prepared.clear()
            raise


@lru_cache(maxsize=256)
def _joined(texts: tuple[str, ...]) -> str:
    """One statement that does what each of `texts` does and returns what the last one returns.

    A part that changes rows is done whether or not anything looks at it; a part that selects is looked at for that.
    """
    parts, last, first = [], len(texts) - 1, 0
    for n, text in enumerate(texts):
        parts.append(f"part{n} AS ({_numbered_from(first, text)})")
        first += len(set(re.findall(r"\$[0-9]+", text)))
    looked_at = [n for n, text in enumerate(texts) if n == last or text.startswith("SELECT")]
    joins = " ".join(f"LEFT JOIN part{n} ON true" for n in looked_at)
    return f"WITH {', '.join(parts)} SELECT part{last}.* FROM (SELECT) AS one {joins}"


def _numbered_from(first: int, text: str) -> str:
    return re.sub(r"\$([0-9]+)", lambda mark: f"${first + int(mark[1])}", text)
