"""Bookings a second: whole conversations through the engine, beside the same rows written by plain SQL in one hop each.

`python -m bench.bookings [--riders N] [--at-once N] [--quick]` runs on SQLite and, where one answers at
TEST_POSTGRES_URL, on PostgreSQL. A conversation is three messages (预约, a time, yes) and their answers, delivered.
The plain side takes the seat and writes the very rows that the conversation left behind, in one transaction and one
round trip (one statement on PostgreSQL, one call into the database's thread on SQLite).
"""

import argparse
import asyncio
import gc
import json
import os
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
from aiohttp import web
from rich.console import Console
from rich.table import Table
from sqlalchemy import select, text

from bot.app import NEW_OBJECTS, features, resources_of
from bot.channels import Channel
from bot.conversation.engine import Engine
from bot.database import Database, migrate
from bot.delivery import Courier
from bot.messages import Address, Capabilities, Incoming, Outgoing
from bot.models import Base, Booking, BookingChange, Contact, Due, Heard, Offering, Outbound, Rider, Session, Talk
from bot.seals import Seals
from bot.services.broadcasts.audience import Reach
from bot.services.broadcasts.newsroom import Newsroom
from bot.services.city import load_city
from bot.services.desk import Desk
from bot.services.directory import Directory
from bot.services.tallies import Tally
from bot.settings import DATA

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
GOAL = 0.3
# With so many plain SQL is fastest on two cores: a fifth faster than with one for each rider.
PLAIN_CONNECTIONS = 8
# How many of the times that are shown people choose among.
TIMES = 5
POSTGRES = os.environ.get("TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
# What a conversation leaves behind, in an order that foreign keys allow.
WRITTEN: tuple[Any, ...] = (Heard, Talk, Booking, BookingChange, Due, Outbound)

Rows = list[tuple[Any, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Spent:
    """What a round took: seconds on the clock, and of this process's processor."""

    seconds: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Measured:
    """Bookings a second on both sides, the median of the rounds' ratios, processor seconds and rows per booking."""

    kind: str
    engine: float
    plain: float
    ratio: float
    engine_cpu: float
    plain_cpu: float
    rows: float


class Phone:
    """A channel that remembers the last buttons of everybody, and what it sent."""

    name = "bench"
    can = Capabilities(photo=False)

    def __init__(self) -> None:
        self.latest: dict[str, Outgoing] = {}

    def routes(self, hear: object) -> Sequence[web.AbstractRouteDef]:
        return ()

    async def listen(self, hear: object) -> None:
        return

    async def close(self) -> None:
        return

    async def send(self, to: Address, message: Outgoing) -> str:
        self.latest[to.user] = message
        return "1"

    def times(self, user: str) -> list[str]:
        """The tokens of the times that were offered last."""
        return [token for label, token in self._choices(user) if "·" in label]

    def yes(self, user: str) -> str:
        """The token of the button that books."""
        return next(token for label, token in self._choices(user) if "✓" in label)

    def _choices(self, user: str) -> list[tuple[str, str]]:
        return [(button.label, button.press) for row in self.latest[user].buttons for button in row if button.press]


def main(arguments: Sequence[str] = ()) -> int:
    """Measures and prints; the exit status is 0 whether or not the goal is met."""
    options = argparse.ArgumentParser(prog="bench.bookings")
    options.add_argument("--riders", type=int, default=1000)
    options.add_argument("--at-once", type=int, default=16)
    options.add_argument("--rounds", type=int, default=10)
    options.add_argument("--quick", action="store_true")
    chosen = options.parse_args(list(arguments))
    riders = 200 if chosen.quick else chosen.riders
    asyncio.run(_run(riders, chosen.at_once, chosen.rounds))
    return 0


async def _run(riders: int, at_once: int, rounds: int) -> None:
    # As the program does when it starts.
    gc.set_threshold(NEW_OBJECTS)
    gc.freeze()
    measured = []
    with TemporaryDirectory() as folder:
        urls = (f"sqlite:///{folder}/engine.db", f"sqlite:///{folder}/plain.db")
        measured.append(await _measure(urls, riders, at_once, rounds))
        if names := await _scratch():
            measured.append(await _measure(names, riders, at_once, rounds))
    columns = ("database", "engine /s", "plain SQL /s", "ratio", f"goal {GOAL}", "engine CPU", "plain CPU", "rows each")
    table = Table(*columns, title="bookings")
    for one in measured:
        is_met = "met" if one.ratio >= GOAL else "missed"
        cpu = [f"{seconds * 1000:.2f} ms" for seconds in (one.engine_cpu, one.plain_cpu)]
        table.add_row(
            one.kind, f"{one.engine:,.0f}", f"{one.plain:,.0f}", f"{one.ratio:.2f}", is_met, *cpu, f"{one.rows:.1f}"
        )
    Console().print(table)


async def _measure(urls: tuple[str, str], riders: int, at_once: int, rounds: int) -> Measured:
    # With as many connections as the program opens.
    ours, theirs = (Database(url) for url in urls)
    users = [f"u{n}" for n in range(riders)]
    for database in (ours, theirs):
        await migrate(database)
        await _prepare(database, users)
    books = await _conversations(ours)
    hop = await _plain_sqlite(theirs) if theirs.embedded else await _plain_postgres(theirs)
    times, count = [], 0
    for n in range(rounds):
        some = users[n::rounds]
        engine = await _timed(books, some, at_once)
        written = await _written(ours, some)
        plain = await _timed(hop.write, [hop.prepare(rows) for rows in written], at_once)
        times.append((len(some), engine, plain))
        count += sum(len(rows) for rows in written)
    await hop.close()
    for database in (ours, theirs):
        await _check(database, riders)
        await database.close()
    # The first round pays for what is made once: statements, connections, words.
    return _summary("SQLite" if ours.embedded else "PostgreSQL", times[1:] or times, count / riders)


def _summary(kind: str, times: Sequence[tuple[int, Spent, Spent]], rows: float) -> Measured:
    done = sum(count for count, _engine, _plain in times)
    engines, plains = [engine for _n, engine, _plain in times], [plain for _n, _engine, plain in times]
    return Measured(
        kind,
        engine=done / sum(one.seconds for one in engines),
        plain=done / sum(one.seconds for one in plains),
        ratio=median(plain.seconds / engine.seconds for engine, plain in zip(engines, plains, strict=True)),
        engine_cpu=sum(one.cpu for one in engines) / done,
        plain_cpu=sum(one.cpu for one in plains) / done,
        rows=rows,
    )


async def _timed(does: Callable[[Any], Awaitable[None]], all_of: Sequence[Any], at_once: int) -> Spent:
    """What `does` costs on all of these, `at_once` side by side."""
    waiting = iter(all_of)

    async def one_after_the_other() -> None:
        for one in waiting:
            await does(one)

    cpu, started = time.process_time(), time.perf_counter()
    await asyncio.gather(*(one_after_the_other() for _n in range(at_once)))
    return Spent(time.perf_counter() - started, time.process_time() - cpu)


async def _conversations(database: Database) -> Callable[[str], Awaitable[None]]:
    city, phone = load_city(DATA / "yuncheng"), Phone()
    channels: dict[str, Channel] = {phone.name: phone}
    directory = Directory(city.zone, demo=True)
    async with database.reading() as db:
        await directory.refresh(db)
    desk = Desk(Seals("a secret for measuring"), city.zone, demo=True, public_url="https://nuanxin.example")
    courier = Courier(database, channels, lambda: NOW, zone=city.zone)
    newsroom = Newsroom(Reach(), city.zone)
    tally = Tally(desk.seals.key("looked in vain"))
    resources = resources_of(city, directory, desk.seals, database, tally, desk, newsroom)
    engine = Engine(database, features(), lambda: NOW, city.zone, resources, courier.deliver)

    async def hears(user: str, n: int, *, text: str = "", pressed: str = "") -> None:
        said = await engine.hear(Incoming(Address(phone.name, user), f"{user}:{n}", NOW, text, pressed), phone.can)
        if said.direct:
            phone.latest[user] = said.direct[-1]
        if said.sent:
            await said.sent

    async def books(user: str) -> None:
        await hears(user, 1, text="预约")
        await hears(user, 2, pressed=phone.times(user)[int(user[1:]) % TIMES])
        await hears(user, 3, pressed=phone.yes(user))

    return books


async def _prepare(database: Database, users: Sequence[str]) -> None:
    """One offering without questions, ten sessions with room for everybody, and people who were here before."""
    async with database.writing() as db:
        for table in reversed(Base.metadata.sorted_tables):
            await db.execute(table.delete())
        offering = Offering("bench", category="event", title="饺子宴", updated_at=NOW)
        db.add(offering)
        await db.flush()
        for n in range(10):
            starts = NOW + timedelta(days=3, hours=n)
            ends = starts + timedelta(hours=1)
            db.add(Session(f"s{n}", offering_id=offering.id, starts_at=starts, ends_at=ends, capacity=len(users)))
        people = [Rider(created_at=NOW, vehicle="courier") for _user in users]
        db.add_all(people)
        await db.flush()
        db.add_all(
            Contact(person.id, channel="bench", user=user, locale="zh_CN", created_at=NOW)
            for person, user in zip(people, users, strict=True)
        )


async def _written(database: Database, users: Sequence[str]) -> list[Rows]:
    """What the conversations of these people left behind, each person's together."""
    async with database.reading() as db:
        contacts = {user: id for user, id in await db.execute(select(Contact.user, Contact.id))}
        owners = {id: contact or 0 for id, contact in await db.execute(select(Booking.id, Booking.contact_id))}
        rows: dict[int, Rows] = {contacts[user]: [] for user in users}
        for model in WRITTEN:
            for row in (await db.execute(select(model.__table__))).mappings():
                if (owner := _owner(model, row, contacts, owners)) in rows:
                    rows[owner].append((model.__table__, dict(row)))
    return list(rows.values())


def _owner(model: Any, row: Any, contacts: dict[str, int], owners: dict[int, int]) -> int:
    if model is Heard:
        return contacts[row["key"].partition(":")[0]]
    if model is BookingChange:
        return owners[row["booking_id"]]
    if model is Due:
        return owners[row["values"]["booking_id"]]
    owner: int = row["contact_id"]
    return owner


async def _check(database: Database, riders: int) -> None:
    async with database.reading() as db:
        taken = await db.scalar(text("SELECT sum(taken) FROM sessions"))
        booked = await db.scalar(text("SELECT count(*) FROM bookings WHERE state = 'booked'"))
    assert (taken, booked) == (riders, riders), f"{taken} seats and {booked} bookings for {riders} riders"


_TAKE = "UPDATE sessions SET taken = taken + 1 WHERE id = {} AND taken < capacity AND state = 'open'"


@dataclass(frozen=True, slots=True)
class Hop:
    """One way to write a booking's rows at once; what `prepare` costs is not measured."""

    prepare: Callable[[Rows], Any]
    write: Callable[[Any], Awaitable[None]]
    close: Callable[[], Awaitable[None]]


async def _plain_sqlite(database: Database) -> Hop:
    """Each booking in one call into one thread, as whoever wants speed would do it."""
    thread = ThreadPoolExecutor(1)
    path = str(database.url.database)

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    loop = asyncio.get_running_loop()
    connection = await loop.run_in_executor(thread, connect)

    def prepare(rows: Rows) -> list[tuple[str, list[Any]]]:
        taking = (_TAKE.format("?"), [_session_of(rows)])
        return [taking, *((_insert(table, ["?"] * len(row)), _bound(row, _sqlite_time)) for table, row in rows)]

    def run(prepared: list[tuple[str, list[Any]]]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        for statement, values in prepared:
            if connection.execute(statement, values).rowcount != 1:
                raise RuntimeError("no seat")
        connection.execute("COMMIT")

    async def write(prepared: list[tuple[str, list[Any]]]) -> None:
        await loop.run_in_executor(thread, run, prepared)

    async def close() -> None:
        await loop.run_in_executor(thread, connection.close)
        thread.shutdown()

    return Hop(prepare, write, close)


async def _plain_postgres(database: Database) -> Hop:
    """Each booking as one statement: a chain of data-modifying expressions, prepared once per shape."""
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    pool = await asyncpg.create_pool(url, min_size=PLAIN_CONNECTIONS, max_size=PLAIN_CONNECTIONS)

    def prepare(rows: Rows) -> tuple[str, list[Any]]:
        values: list[Any] = [_session_of(rows)]
        parts = []
        for n, (table, row) in enumerate(rows):
            marks = [f"${len(values) + k}" for k in range(1, len(row) + 1)]
            values += _bound(row, lambda at: at)
            parts.append(f"r{n} AS ({_insert(table, marks)})")
        return f"WITH {', '.join(parts)} {_TAKE.format('$1')}", values

    async def write(prepared: tuple[str, list[Any]]) -> None:
        statement, values = prepared
        if await pool.execute(statement, *values) != "UPDATE 1":
            raise RuntimeError("no seat")

    return Hop(prepare, write, pool.close)


def _insert(table: Any, marks: Sequence[str]) -> str:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    return f"INSERT INTO {table.name} ({names}) VALUES ({', '.join(marks)})"


def _bound(row: Mapping[str, Any], moment: Callable[[datetime], Any]) -> list[Any]:
    """The row's values as the driver wants them: JSON as text, moments by `moment`."""

    def bind(value: Any) -> Any:
        match value:
            case datetime():
                return moment(value)
            case dict() | list():
                return json.dumps(value)
        return value

    return [bind(value) for value in row.values()]


def _sqlite_time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _session_of(rows: Iterable[tuple[Any, dict[str, Any]]]) -> int:
    return next(int(row["session_id"]) for table, row in rows if table.name == "bookings")


async def _scratch() -> tuple[str, str] | None:
    """Two empty databases of our own, or nothing where no PostgreSQL answers."""
    names = [f"nuanxin_bench_{os.getpid()}_{side}" for side in ("engine", "plain")]
    try:
        server = await asyncpg.connect(POSTGRES, timeout=3)
    except (OSError, asyncpg.PostgresError, TimeoutError):
        print("no PostgreSQL: set TEST_POSTGRES_URL")
        return None
    for row in await server.fetch("SELECT datname FROM pg_database WHERE datname LIKE 'nuanxin_bench_%'"):
        await server.execute(f'DROP DATABASE IF EXISTS "{row["datname"]}" WITH (FORCE)')
    for name in names:
        await server.execute(f"CREATE DATABASE {name}")
    await server.close()
    engine, plain = (POSTGRES.rpartition("/")[0] + f"/{name}" for name in names)
    return engine, plain


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
