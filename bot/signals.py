"""What other processes tell us through PostgreSQL: somebody changed, the directory changed."""

import asyncio
from collections.abc import Callable, Mapping

import asyncpg
import structlog

from bot.database import Database

log = structlog.get_logger(__name__)


async def listen(database: Database, heard: Mapping[str, Callable[[str], None]], missed: Callable[[], None]) -> None:
    """Call `heard[topic](payload)` for every notification until the connection ends; then call `missed`.

    `missed` must treat every copy as stale: nobody knows what was said meanwhile. Alone on an embedded
    database there is nobody to listen to.
    """
    if database.embedded:
        await asyncio.Event().wait()
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(url)
    ended = asyncio.Event()
    connection.add_termination_listener(lambda _connection: ended.set())
    try:
        for topic, act in heard.items():
            await connection.add_listener(topic, _caller(act))
        missed()
        await ended.wait()
        log.warning("listening ended")
    finally:
        missed()
        await connection.close(timeout=1)


def _caller(act: Callable[[str], None]) -> Callable[[object, int, str, object], None]:
    def call(_connection: object, _pid: int, _topic: str, payload: object) -> None:
        act(str(payload))

    return call
