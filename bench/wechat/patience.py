"""WeChat's five seconds: 200 people at once, while each query to PostgreSQL takes 100 ms more."""

import os
import time
from statistics import median

import asyncpg
from sqlalchemy.engine import make_url

from bot.channels.wechat.exchanges import PATIENCE
from bot.database import Database, migrate
from tests.channels.wechat.rush import Rush, SlowWire, rush

POSTGRES = os.environ.get("TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
NAME = "nuanxin_bench_patience"
PEOPLE, SLOW = 200, 0.1
LATEST = 4.5  # seconds until the last answer, as the phones see it
ARRIVING = 0.0  # seconds between two people


async def measure() -> int:
    """Prints how it went; 1 if somebody was answered late, twice or not at all."""
    try:
        server = await asyncpg.connect(POSTGRES, timeout=3)
    except (OSError, asyncpg.PostgresError, TimeoutError):
        print("no PostgreSQL: set TEST_POSTGRES_URL")
        return 0
    await server.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
    await server.execute(f"CREATE DATABASE {NAME}")
    try:
        began = time.monotonic()
        went = await _rush(POSTGRES.rpartition("/")[0] + f"/{NAME}")
        return _show(went, time.monotonic() - began)
    finally:
        await server.execute(f"DROP DATABASE {NAME} WITH (FORCE)")
        await server.close()


async def _rush(url: str) -> Rush:
    near = Database(url)
    await migrate(near)
    await near.close()
    wire = SlowWire(make_url(url))
    database = Database(await wire.open())
    try:
        return await rush(database, wire, people=PEOPLE, patience=PATIENCE, slow=SLOW, arriving=ARRIVING)
    finally:
        await database.close()
        await wire.close()


def _show(went: Rush, seconds: float) -> int:
    print(f"\n{PEOPLE} people at once, each query {SLOW * 1_000:.0f} ms slower:")
    print(f"  answered after {median(went.took):.2f} s (median), {max(went.took):.2f} s (last); all in {seconds:.0f} s")
    print(f"  put off, and fetched by a digit: {went.put_off}")
    goals = {
        f"no answer later than {LATEST} s": max(went.took) <= LATEST,
        "no message handled twice": max(went.heard.values()) == 1,
        "nobody lost": not went.lost,
    }
    for goal, is_met in goals.items():
        print(f"  {'met   ' if is_met else 'MISSED'}  {goal}")
    return int(not all(goals.values()))
