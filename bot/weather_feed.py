"""A weather forecast over HTTP: asked for the hours around now, read with a limit, whoever serves it."""

from collections.abc import Sequence

import structlog
from aiohttp import ClientError, ClientSession, ClientTimeout
from yarl import URL

log = structlog.get_logger(__name__)

PATIENCE = ClientTimeout(total=20)
MOST_BYTES = 2**20
PAST_DAYS, FORECAST_DAYS = 2, 4


async def fetch(url: str, lat: float, lng: float, variables: Sequence[str]) -> bytes | None:
    """What the feed at `url` says of a point (WGS-84), in UTC, metric; None where it does not answer well.

    What `url` asks for itself stays as it is.
    """
    wanted = {
        "latitude": f"{lat:.4f}",
        "longitude": f"{lng:.4f}",
        "hourly": ",".join(variables),
        "past_days": str(PAST_DAYS),
        "forecast_days": str(FORECAST_DAYS),
        "wind_speed_unit": "ms",
        "timeformat": "unixtime",
        "timezone": "GMT",
    }
    try:
        async with ClientSession(timeout=PATIENCE) as client:
            address = URL(url)
            address = address.update_query({name: what for name, what in wanted.items() if name not in address.query})
            async with client.get(address, allow_redirects=False) as answer:
                if answer.status != 200:
                    log.warning("forecast not read", reason=f"HTTP {answer.status}")
                    return None
                body = bytearray()
                async for part in answer.content.iter_any():
                    body += part
                    if len(body) > MOST_BYTES:
                        log.warning("forecast not read", reason="too large")
                        return None
    except (ClientError, TimeoutError, OSError, ValueError) as error:
        # An error's own words may hold the address, and a key may be part of that.
        log.warning("forecast not read", reason=type(error).__name__)
        return None
    return bytes(body)
