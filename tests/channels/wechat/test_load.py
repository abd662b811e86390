"""Five seconds for an answer, with many people and a slow database; at somewhat more than half of WeChat's times."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.engine import make_url

from bot.database import Database
from tests.channels.wechat.rush import SlowWire, rush

PEOPLE = 60
PATIENCE = 2.5  # seconds for an answer, of WeChat's 4.5
ARRIVING = 0.0  # seconds between two people
SLOW = 0.055  # seconds that each query takes longer, of 0.1
LATE = 0.5  # seconds for what is no waiting


@pytest.fixture
def database_kind() -> str:
    return "postgresql"


@pytest.fixture
async def slow(database: Database, database_url: str) -> AsyncIterator[tuple[Database, SlowWire]]:
    wire = SlowWire(make_url(database_url))
    slow = Database(await wire.open(), pool_size=10)
    yield slow, wire
    await slow.close()
    await wire.close()


async def test_many_people_at_once_on_a_slow_database(slow: tuple[Database, SlowWire]) -> None:
    database, wire = slow
    went = await rush(database, wire, people=PEOPLE, patience=PATIENCE, slow=SLOW, arriving=ARRIVING)
    assert went.lost == []
    assert max(went.heard.values()) == 1, "handled once, however often it was delivered"
    assert max(went.took) < PATIENCE + LATE + went.held_up
    assert wire.asked > 3 * PEOPLE, "the database was slow for everybody"
