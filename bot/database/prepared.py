"""Statements that are built and compiled once: what every turn runs, without the cost of making it each time.

SQLAlchemy spends far more on a statement than the database does: building it, finding its compiled form, wrapping its
rows. A `Prepared` is compiled at its first use and handed to the driver as text, inside the same transaction
as everything else that its session does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Dialect, Table, bindparam, literal
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

# Under this name a session's `info` holds the driver of its transaction.
DRIVER = "driver"

# PostgreSQL's number for the type of a column; only those of numbers look at it, and ours have no others.
_FLOAT8 = 701

Row = tuple[Any, ...]
Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement as text, with the names of its parameters in order, and what must be converted on the way.

    `converts` and `results` are positions of parameters and columns; `defaults` are values that need not be given.
    """

    text: str
    names: tuple[str, ...]
    converts: tuple[tuple[int, Convert], ...]
    defaults: Mapping[str, Any]
    results: tuple[tuple[int, Convert], ...]

    def bound(self, values: Mapping[str, Any]) -> list[Any]:
        """The parameters as the driver takes them; raises KeyError for one that is missing."""
        given = {**self.defaults, **values} if self.defaults else values
        bound = [given[name] for name in self.names]
        for n, convert in self.converts:
            bound[n] = convert(bound[n])
        return bound

    def rows(self, fetched: Sequence[Any]) -> list[Row]:
        """What the driver fetched, as plain tuples."""
        if not self.results:
            return [tuple(row) for row in fetched]
        rows = []
        for row in fetched:
            values = list(row)
            for n, convert in self.results:
                values[n] = convert(values[n])
            rows.append(tuple(values))
        return rows


class Driver(Protocol):
    """What runs statements in an open transaction."""

    dialect: Dialect

    async def run(self, statement: Compiled, values: Mapping[str, Any]) -> list[Row]: ...

    async def run_together(self, writes: Sequence[tuple[Compiled, Mapping[str, Any]]]) -> list[Row]: ...


@dataclass(frozen=True, slots=True)
class Write:
    """A statement with its values, to be run together with others."""

    statement: "Prepared"
    values: Mapping[str, Any]


class Prepared:
    """A statement of `bindparam`s, for both kinds of database."""

    def __init__(self, statement: Any) -> None:
        self._statement = statement
        self._compiled: dict[str, Compiled] = {}

    async def all(self, db: AsyncSession, /, **values: Any) -> list[Row]:
        """Its rows as plain tuples; what `db` was told to add before is written first."""
        driver: Driver | None = db.sync_session.info.get(DRIVER)
        if driver is None:
            # Given as parameters, the values would also set columns of their names in an UPDATE within the statement.
            is_select = self._statement.is_select
            made = (self._statement.params(values),) if is_select else (self._statement, values)
            result: Any = await db.execute(*made)
            return [tuple(row) for row in result] if getattr(result, "returns_rows", True) else []
        await flush(db)
        return await driver.run(self.compiled(driver.dialect), values)

    async def first(self, db: AsyncSession, /, **values: Any) -> Row | None:
        """Its first row, if there is any."""
        rows = await self.all(db, **values)
        return rows[0] if rows else None

    def compiled(self, dialect: Dialect) -> Compiled:
        """Its text for that kind of database."""
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = _compile(self._statement, dialect)
        return compiled


async def together(db: AsyncSession, writes: Sequence[Write]) -> list[Row]:
    """Do several writes of which none needs to see another, in one round trip where that counts.

    Returns the rows of the last one.
    """
    driver: Driver | None = db.sync_session.info.get(DRIVER)
    if driver is None or len(writes) < 2:
        rows: list[Row] = []
        for write in writes:
            rows = await write.statement.all(db, **write.values)
        return rows
    await flush(db)
    return await driver.run_together([(one.statement.compiled(driver.dialect), one.values) for one in writes])


class PreparedRows:
    """An INSERT of any number of rows at once, each with values for `columns`, and `always` the same for others.

    It returns the columns `returning`.
    """

    def __init__(
        self, table: Table, columns: Sequence[str], *, always: Mapping[str, Any] = {}, returning: Sequence[str] = ()
    ) -> None:
        self._table = table
        self._columns = columns
        self._always = always
        self._returning = returning
        self._by_count: dict[int, Prepared] = {}

    async def all(self, db: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
        """Write `rows`; a row that is there already is left as it is."""
        return await together(db, self.of(rows))

    def of(self, rows: Sequence[Mapping[str, Any]]) -> list[Write]:
        """The same, to be done together with other writes: one write, or none where there are no rows."""
        if not rows:
            return []
        prepared = self._by_count.get(len(rows))
        if prepared is None:
            prepared = self._by_count[len(rows)] = Prepared(self._statement(len(rows)))
        return [Write(prepared, {f"{name}_{n}": value for n, row in enumerate(rows) for name, value in row.items()})]

    def _statement(self, count: int) -> Any:
        columns = [self._table.c[name] for name in self._columns]
        always = {self._table.c[name]: literal(value) for name, value in self._always.items()}
        marks = [{one: bindparam(f"{one.name}_{n}", type_=one.type) for one in columns} | always for n in range(count)]
        statement: Any = insert(self._table).values(marks).on_conflict_do_nothing()
        if self._returning:
            statement = statement.returning(*(self._table.c[name] for name in self._returning))
        return statement


async def flush(db: AsyncSession) -> None:
    """Write what `db` was told to add or change."""
    sync = db.sync_session
    if sync.in_transaction() and (sync.new or sync.dirty or sync.deleted):
        await db.flush()


def _compile(statement: Any, dialect: Dialect) -> Compiled:
    compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    named = {name: bind for bind, name in compiled.bind_names.items()}
    names = tuple(compiled.positiontup)
    binds = [named[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names]
    defaults = {name: bind.value for name, bind in named.items() if not bind.required}
    columns = getattr(statement, "exported_columns", ())
    results = [column.type.dialect_impl(dialect).result_processor(dialect, _FLOAT8) for column in columns]
    return Compiled(compiled.string, names, _present(binds), defaults, _present(results))


def _present(converts: Sequence[Convert | None]) -> tuple[tuple[int, Convert], ...]:
    return tuple((n, convert) for n, convert in enumerate(converts) if convert)
