"""A city full of riders who agreed to notices, in a scratch database on PostgreSQL."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
from sqlalchemy import text

from bot.database import Database, migrate

POSTGRES = os.environ.get("TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
# A Monday morning at ten, when everybody may be told.
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
FIRST_CHAT = 7_000_000_001
BODY = "今夜起有雪，气温降到零下十二度。桥面和路口先结冰：提早减速，轻刹车。停车取暖要开窗，别在发动着的车里睡觉。"


@asynccontextmanager
async def scratch(name: str) -> AsyncIterator[str]:
    """The address of an empty database; raises OSError or asyncpg.PostgresError where no PostgreSQL answers."""
    called = f"nuanxin_told_{name}_{os.getpid()}"
    server = await asyncpg.connect(POSTGRES, timeout=3)
    try:
        await server.execute(f"CREATE DATABASE {called}")
        url = f"{POSTGRES.rpartition('/')[0]}/{called}"
        database = Database(url)
        await migrate(database)
        await database.close()
        yield url
    finally:
        await server.execute(f"DROP DATABASE IF EXISTS {called} WITH (FORCE)")
        await server.close()


async def settle(database: Database, riders: int, *, agreed_at: datetime = NOW) -> None:
    """So many riders on Telegram, every third in another language, all of them told of everything."""
    values = {"riders": riders, "at": agreed_at, "first": FIRST_CHAT - 1}
    async with database.writing() as db:
        for statement in _SETTLE:
            await db.execute(text(statement), values)
    async with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(text("ANALYZE"))


async def announce(database: Database, title: str, *, at: datetime = NOW, urgency: str = "normal") -> int:
    """An approved broadcast to everybody; returns its number."""
    values = {"title": title, "body": BODY, "at": at, "urgency": urgency}
    async with database.writing() as db:
        number = await db.scalar(text(_ANNOUNCE), values)
    assert isinstance(number, int)
    return number


_SETTLE = (
    "INSERT INTO riders (created_at, vehicle, county)"
    " SELECT :at, (ARRAY['courier', 'parcel', 'truck', ''])[1 + n % 4], '140802'"
    " FROM generate_series(1, CAST(:riders AS int)) n WHERE CAST(:first AS bigint) > 0",
    'INSERT INTO contacts (rider_id, channel, "user", locale, created_at)'
    " SELECT id, 'telegram', CAST(CAST(:first AS bigint) + id AS text),"
    " (ARRAY['zh_CN', 'zh_CN', 'en'])[1 + id % 3], :at FROM riders WHERE CAST(:riders AS int) > 0",
    "INSERT INTO notice_wishes (rider_id, agreed_at, weekly)"
    " SELECT id, :at, 5 FROM riders WHERE CAST(:riders AS int) > 0 AND CAST(:first AS bigint) > 0",
)
_ANNOUNCE = (
    "WITH said AS (INSERT INTO notices (code, category, texts, created_at, urgency, buttons, source, late, version)"
    " VALUES (CAST(:title AS text), 'winter_safety', json_build_object("
    "  'zh_CN', json_build_object('title', CAST(:title AS text), 'body', CAST(:body AS text)),"
    "  'en', json_build_object('title', CAST(:title AS text), 'body', CAST(:body AS text))),"
    "  :at, CAST(:urgency AS text), '[]', '市应急管理局', 'send', 1) RETURNING id)"
    " INSERT INTO broadcasts (notice_id, created_at, state, audience, approved_at, comment, resolved_to, pause_reason)"
    " SELECT id, :at, 'approved', '{}', :at, '', 0, '' FROM said RETURNING id"
)
