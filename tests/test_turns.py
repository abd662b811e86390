"""Short transactions: alone in what they undo, together in what they commit, whatever happens around them."""

import asyncio
import sqlite3
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import bindparam, func, select, text

from bot.database import DATABASE_TROUBLE, Database, Prepared, PreparedRows, together
from bot.models import Contact, Heard, Rider

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
_HEARD: Any = Heard.__table__
NOTE = PreparedRows(_HEARD, ("key", "at"), always={"channel": "test"}, returning=("key",))
NOTED = Prepared(select(Heard.key, Heard.at).where(Heard.channel == bindparam("channel")).order_by(Heard.key))


async def noted(database: Database) -> list[str]:
    async with database.reading() as db:
        return [key for key, _at in await NOTED.all(db, channel="test")]


async def note(database: Database, key: str) -> None:
    async with database.turn() as db:
        await NOTE.all(db, [{"key": key, "at": NOW}])
        if key.startswith("bad"):
            raise ZeroDivisionError


async def test_prepared_statements_see_and_show_what_the_session_writes(database: Database) -> None:
    async with database.turn() as db:
        rider = Rider(created_at=NOW)
        db.add(rider)
        await db.flush()
        db.add(Contact(rider.id, channel="test", user="mei", locale="en", created_at=NOW))
        count = Prepared(select(func.count()).select_from(Contact))
        assert await count.all(db) == [(1,)]
        writes = [*NOTE.of([{"key": "a", "at": NOW}]), *database.notice("people", "test:mei")]
        await together(db, [*writes, *NOTE.of([{"key": "b", "at": NOW}, {"key": "c", "at": NOW}])])
        assert await db.scalar(select(func.count()).select_from(Heard)) == 3
        assert await NOTED.all(db, channel="test") == [("a", NOW), ("b", NOW), ("c", NOW)]
        with pytest.raises(KeyError):
            await NOTED.all(db)
    assert await noted(database) == ["a", "b", "c"]


async def test_turns_side_by_side_are_undone_alone(database: Database) -> None:
    keys = [f"{'bad' if n % 3 == 0 else 'good'}{n:02}" for n in range(40)]

    async def other() -> None:
        async with database.writing() as db:
            db.add(Rider(created_at=NOW))

    results = await asyncio.gather(*(note(database, key) for key in keys), other(), return_exceptions=True)
    assert {type(result) for result in results} == {type(None), ZeroDivisionError}
    assert await noted(database) == [key for key in keys if key.startswith("good")]


async def test_a_turn_that_is_cut_off_leaves_nothing_and_holds_up_nobody(database: Database) -> None:
    inside = asyncio.Event()

    async def never_ends() -> None:
        async with database.turn() as db:
            await NOTE.all(db, [{"key": "cut", "at": NOW}])
            inside.set()
            await asyncio.Event().wait()

    cut = asyncio.create_task(never_ends())
    await inside.wait()
    behind = [asyncio.create_task(note(database, f"good{n}")) for n in range(3)]
    await asyncio.sleep(0)
    behind[-1].cancel()
    cut.cancel()
    await asyncio.gather(cut, *behind, return_exceptions=True)
    await note(database, "later")
    assert await noted(database) == ["good0", "good1", "later"]


async def test_an_error_that_somebody_caught_is_no_success(database: Database) -> None:
    if database.embedded:
        pytest.skip("SQLite goes on after an error")

    async def catches_it() -> None:
        async with database.turn() as db:
            await NOTE.all(db, [{"key": "a", "at": NOW}])
            with pytest.raises(DATABASE_TROUBLE):
                await db.execute(text("SELECT nothing FROM nowhere"))

    with pytest.raises(DATABASE_TROUBLE):
        await catches_it()
    await note(database, "b")
    assert await noted(database) == ["b"]


async def test_a_connection_that_was_lost_is_replaced(database: Database) -> None:
    if database.embedded:
        pytest.skip("an embedded database is never away")
    await note(database, "a")
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    async with database.writing() as db:
        await db.execute(text(f"{others} AND pid <> pg_backend_pid()"))
    await note(database, "b")
    async with database.turn() as db:
        assert [key for key, _at in await NOTED.all(db, channel="test")] == ["a", "b"]


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
class TestSqlite:
    async def test_another_process_that_writes_is_waited_for_off_the_loop(self, database: Database) -> None:
        await note(database, "a")
        other = sqlite3.connect(str(database.url.database), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(note(database, "b"))
        for _ in range(50):
            await asyncio.sleep(0)
        assert not waiting.done()
        other.execute("COMMIT")
        await waiting
        other.close()
        assert await noted(database) == ["a", "b"]

    async def test_a_commit_that_fails_fails_for_all_who_wait_for_it(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(raw: sqlite3.Connection) -> None:
            raw.execute("ROLLBACK")
            raise sqlite3.OperationalError("database or disk is full")

        await note(database, "before")
        with monkeypatch.context() as broken:
            broken.setattr("bot.database.sqlite._commit", full)
            results = await asyncio.gather(*(note(database, f"b{n}") for n in range(3)), return_exceptions=True)
        assert [str(result) for result in results] == ["database or disk is full"] * 3
        await note(database, "later")
        assert await noted(database) == ["before", "later"]

    async def test_a_database_that_gives_up_the_transaction_takes_all_with_it(self, database: Database) -> None:
        async def give_up() -> None:
            async with database.turn() as db:
                # What SQLite does by itself when the disk is full.
                await db.execute(text("ROLLBACK"))
                raise ZeroDivisionError

        results = await asyncio.gather(note(database, "a"), give_up(), note(database, "b"), return_exceptions=True)
        assert [type(result) for result in results] == [sqlite3.OperationalError, ZeroDivisionError, type(None)]
        assert await noted(database) == ["b"]
