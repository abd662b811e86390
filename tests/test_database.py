"""Both kinds of database: migrations, time zones, locks, secrets in errors."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, select, text, update
from sqlalchemy.exc import DBAPIError, StatementError

from bot.database import Database, driver_url, is_migrated, migrate, rows_changed
from bot.models import Base, PlaceChange, Rider

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


async def test_the_migrations_make_what_the_models_say(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), Base.metadata))

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_migrations_go_down_and_up_again(database: Database) -> None:
    await migrate(database, "base")
    async with database.engine.connect() as connection:
        left = await connection.run_sync(lambda sync: set(inspect(sync).get_table_names()))
    assert left <= {"alembic_version"}
    assert not await is_migrated(database)
    await migrate(database)
    assert await is_migrated(database)


async def test_processes_that_migrate_at_once_do_it_once(database: Database, database_url: str) -> None:
    if database.embedded:
        pytest.skip("an embedded database has one process")
    await migrate(database, "base")
    others = [Database(database_url) for _ in range(3)]
    await asyncio.gather(*(migrate(other) for other in others))
    assert await is_migrated(database)
    for other in others:
        await other.close()


async def test_times_come_back_aware_and_naive_ones_are_refused(database: Database) -> None:
    shanghai = NOW.astimezone(timezone(timedelta(hours=8)))
    async with database.writing() as db:
        db.add(Rider(created_at=shanghai))
    async with database.reading() as db:
        kept = (await db.scalars(select(Rider.created_at))).one()
    assert kept == NOW
    assert kept.tzinfo is not None
    with pytest.raises(StatementError, match="time zone"):
        async with database.writing() as db:
            db.add(Rider(created_at=NOW.replace(tzinfo=None)))


async def test_many_writers_read_and_then_write_without_losing_anything(database: Database) -> None:
    async with database.writing() as db:
        db.add(PlaceChange(id=1))

    async def raise_it() -> None:
        async with database.writing() as db:
            row = await db.get_one(PlaceChange, 1, with_for_update=True)
            row.version += 1

    await asyncio.gather(*(raise_it() for _ in range(40)))
    async with database.reading() as db:
        assert (await db.get_one(PlaceChange, 1)).version == 40


async def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.writing() as db:
            db.add(Rider(created_at=NOW))
            await db.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.reading() as db:
        assert await db.scalar(select(Rider.id)) is None


async def test_rows_changed_counts(database: Database) -> None:
    async with database.writing() as db:
        db.add(PlaceChange(id=1))
        await db.flush()
        assert await rows_changed(db, update(PlaceChange).values(version=9)) == 1


async def test_an_error_does_not_tell_what_was_written(database: Database) -> None:
    with pytest.raises(DBAPIError) as caught:
        async with database.writing() as db:
            await db.execute(text("SELECT nothing FROM nowhere WHERE name = :name"), {"name": "Wang Mei"})
    assert "Wang Mei" not in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://x", "oracle://y"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="only sqlite and postgresql"):
        driver_url(url)
