"""A small town to look for places in."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from bot.models import Base, Place
from bot.services import places
from tests.chat import World
from tests.handlers.fair import Fair

# Beside the seat of Yanhu district; a thousandth of a degree is some 100 metres.
LAT, LNG = 35.0160, 110.9930
OPENED = datetime(2026, 1, 1, tzinfo=UTC)

TOWN: tuple[dict[str, Any], ...] = (
    {
        "code": "YZ-1",
        "name": "东街爱心驿站",
        "kind": "rest_station",
        "lat": LAT + 0.003,
        "lng": LNG,
        "hours": "Mo-Su 08:00-22:00",
        "amenities": ["hot_water", "toilet", "microwave"],
        "phone": "0359-2000001",
        "verified_at": date(2026, 11, 20),
        "source": "市总工会",
    },
    {
        "code": "CD-1",
        "name": "西街充电点",
        "kind": "ebike_charging",
        "lat": LAT,
        "lng": LNG - 0.006,
        "hours": "24/7",
        "amenities": ["ebike_charging"],
        "piles": 19,
        "connectors": 38,
        "demo": True,
    },
    {
        "code": "SJ-1",
        "name": "南郊司机之家",
        "kind": "truckers_home",
        "lat": LAT - 0.02,
        "lng": LNG,
        "amenities": ["shower", "truck_parking", "meals", "toilet"],
        "amenity_closed": {"shower": "11-15/03-15"},
        "amenity_verified": {"meals": "2026-11-13"},
        "prices": [{"item": "自助餐", "fen": 2500, "unit": "人"}],
        "prices_at": date(2026, 1, 9),
        "max_vehicle_m": 17.5,
        "hazmat": False,
        "road": "G209",
        "direction": "北",
    },
    {
        "code": "ST-1",
        "name": "府东街社区爱心食堂",
        "kind": "canteen",
        "county": "140802",
        "address": "党群服务中心院内",
        "amenities": ["meals"],
        "source": "运城日报",
    },
    {
        "code": "HT-1",
        "name": "河津快充站",
        "kind": "charging",
        "lat": 35.597,
        "lng": 110.707,
        "county": "140882",
        "hours": "24/7",
        "amenities": ["car_charging", "toilet"],
    },
)

Settle = Callable[..., Awaitable[None]]


@pytest.fixture
def settle(world: World) -> Settle:
    """Adds places to the world and waits until its directory knows them."""

    async def settled(*rows: dict[str, Any]) -> None:
        async with world.database.writing() as db:
            db.add_all(Place(updated_at=OPENED, **row) for row in rows)
            await places.changed(db, world.database)
        await refresh(world)

    return settled


@pytest.fixture
async def town(settle: Settle) -> None:
    await settle(*TOWN)


async def refresh(world: World) -> None:
    async with world.database.reading() as db:
        await world.directory.refresh(db)


async def everything_kept(world: World) -> dict[str, list[Any]]:
    """Every row of every table, but the list that stands in for buttons and what a channel itself remembers."""
    beside = ("choices", "exchanges", "reply_windows")
    tables = [table for table in Base.metadata.sorted_tables if table.name not in beside]
    async with world.database.reading() as db:
        return {table.name: [tuple(row) for row in await db.execute(table.select())] for table in tables}


@pytest.fixture
def fair(world: World) -> Fair:
    return Fair(world)
