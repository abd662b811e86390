"""A stand-in of a weather forecast on loopback, in Open-Meteo's format: calm, but for what a test changes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from bot import weather_feed
from bot.services import forecasts
from tests.chat import CITY
from tests.services.clinic import MORNING

CALM = {
    "temperature_2m": 6.0,
    "precipitation": 0.0,
    "snowfall": 0.0,
    "visibility": 20_000.0,
    "wind_gusts_10m": 4.0,
}


def feed(*changes: tuple[str, int, int, float | None], now: datetime = MORNING, **said: Any) -> bytes:
    """Six days of calm weather from two days before `now`, as the feed writes it.

    Each change is a name, from and to which hour from now, and the value in these hours.
    """
    begins = now - timedelta(hours=48)
    hourly: dict[str, list[Any]] = {name: [value] * 144 for name, value in CALM.items()}
    hourly["time"] = [int((begins + timedelta(hours=n)).timestamp()) for n in range(144)]
    for name, begin, end, value in changes:
        hourly[name][48 + begin : 48 + end] = [value] * (end - begin)
    answer = {
        "latitude": 35.0,
        "longitude": 111.0,
        "utc_offset_seconds": 0,
        "timezone": "GMT",
        "hourly_units": {"time": "unixtime", **forecasts.UNITS},
        "hourly": hourly,
    }
    return json.dumps(answer | said).encode()


@dataclass
class Feed:
    """A forecast that is said over HTTP on this machine."""

    says: bytes = b""
    status: int = 200
    asked: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    hangs: bool = False

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.query))
        if self.hangs:
            await asyncio.Event().wait()
        headers = {"Location": "http://127.0.0.1:1/"} if self.status == 302 else {}
        return web.Response(body=self.says, status=self.status, headers=headers)

    async def fetch(self) -> bytes | None:
        return await weather_feed.fetch(self.url, CITY.lat, CITY.lng, tuple(forecasts.UNITS))


@asynccontextmanager
async def forecasting() -> AsyncIterator[Feed]:
    """A feed that is served until the end of the block."""
    feed = Feed()
    app = web.Application()
    app.add_routes([web.get("/v1/forecast", feed.answer)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    feed.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/forecast"
    yield feed
    await runner.cleanup()
