"""Rows of places into the table in great numbers: by COPY on PostgreSQL, by one prepared statement on SQLite."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson
from sqlalchemy import JSON, Dialect, Text, cast, column, select, table, text
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import insert
from bot.models import Base, Place
from bot.services.place_files.cells import columns

TABLE = Base.metadata.tables[Place.__tablename__]
COLUMNS = tuple(column.name for column in TABLE.columns if column.name != "id")
# What an import may change of a place that is there.
_FROM_FILE = ("lat", "lng", "source_lat", "source_lng", "datum", "doubtful_since", "updated_at")
_CHANGED = (*(name for name in columns(()) if name != "code"), *_FROM_FILE)

# SQLAlchemy's own way with these takes longer than everything else that is done to a row.
_JSON = frozenset(name for name in COLUMNS if isinstance(TABLE.c[name].type, JSON))
_JSON_AT = [n for n, name in enumerate(COLUMNS, 1) if name in _JSON]

Values = tuple[Any, ...]


def encoder(dialect: Dialect) -> Callable[[Values], Values]:
    """Makes of a row's values, in the order of COLUMNS, what the driver of `dialect` takes."""
    processors = [(n, process) for n, name in enumerate(COLUMNS) if (process := _processor(name, dialect))]

    def encoded(values: Values) -> Values:
        row = list(values)
        for n, process in processors:
            row[n] = process(row[n])
        return tuple(row)

    return encoded


async def known(db: AsyncSession, codes: Sequence[str]) -> dict[str, Values]:
    """The places that have these codes: the number, then the values in the order of COLUMNS."""
    columns = (cast(TABLE.c[name], Text) if name in _JSON else TABLE.c[name] for name in COLUMNS)
    query = select(TABLE.c.code, TABLE.c.id, *columns).where(TABLE.c.code.in_(codes))
    found = {}
    for code, *row in await db.execute(query):
        for n in _JSON_AT:
            row[n] = orjson.loads(row[n])
        found[code] = tuple(row)
    return found


def _processor(name: str, dialect: Dialect) -> Callable[[Any], Any] | None:
    if name in _JSON:
        return lambda value: orjson.dumps(value).decode()
    return TABLE.c[name].type.dialect_impl(dialect).bind_processor(dialect)


async def store(db: AsyncSession, portions: Iterator[list[Values]], done: Callable[[int], None]) -> None:
    """Write encoded rows over the places that have their codes, or as new ones; `done` hears how many went."""
    if db.get_bind().dialect.name == "sqlite":
        await _store_portions(db, portions, done)
    else:
        await _store_at_once(db, portions, done)


async def _store_portions(db: AsyncSession, portions: Iterator[list[Values]], done: Callable[[int], None]) -> None:
    connection = await db.connection()
    statement = str(_upsert(insert(db, TABLE)).compile(dialect=connection.dialect, column_keys=COLUMNS))
    while rows := await asyncio.to_thread(next, portions, None):
        await connection.exec_driver_sql(statement, rows)
        done(len(rows))


async def _store_at_once(db: AsyncSession, portions: Iterator[list[Values]], done: Callable[[int], None]) -> None:
    """The rows go into a table of their own first: places are locked for one statement only."""
    names = ", ".join(COLUMNS)
    copied = f"CREATE TEMPORARY TABLE incoming_places ON COMMIT DROP AS SELECT {names} FROM places WITH NO DATA"
    await db.execute(text(copied))
    driver: Any = (await (await db.connection()).get_raw_connection()).driver_connection
    while rows := await asyncio.to_thread(next, portions, None):
        await driver.copy_records_to_table("incoming_places", columns=COLUMNS, records=rows)
        done(len(rows))
    incoming = select(table("incoming_places", *map(column, COLUMNS)))
    await db.execute(_upsert(insert(db, TABLE).from_select(COLUMNS, incoming)))


def _upsert(statement: Any) -> Any:
    new = {name: statement.excluded[name] for name in _CHANGED}
    return statement.on_conflict_do_update(index_elements=["code"], set_=new)
