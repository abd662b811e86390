"""What sends, each in a process of its own: `python -m bench.broadcast.senders NAME API COUNT [DATABASE]`.

It prints one JSON line: how many messages it sent and recorded, in how many seconds, and its processor time.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import aiohttp
import orjson
from sqlalchemy import text

from bot.channels.telegram import TelegramChannel
from bot.clock import monotonic
from bot.database import Database
from bot.delivery import Courier
from bot.messages import Address
from bot.pacing import OwnSteps, Pacer
from tests.crowd import BODY, FIRST_CHAT, NOW

TOKEN = "123456:bench"
# python-telegram-bot is fastest with so many connections; more make it slower.
AT_ONCE_PTB = 32
AT_ONCE_RAW = 100
AS_IF = 1_000.0
TEXT = f"有雪\n{BODY}\n来源：市应急管理局\n不想收这类通知：回复 TD"


async def ours(api: str, count: int, database_url: str) -> int:
    """The broadcast that is prepared in the database, by the engine that sends it in earnest, without a pace."""
    database = Database(database_url)

    def answered() -> None:
        return None

    async def at_once(_to: Address) -> Callable[[], None]:
        return answered

    async def nothing(*_anything: object) -> None:
        return None

    channel = TelegramChannel(
        TOKEN,
        api_url=api,
        secret="s",
        commands={"zh_CN": []},
        pace=at_once,
        beat=nothing,
        sleep=asyncio.sleep,
        now=lambda: datetime.now(UTC),
    )
    await channel.start()
    # Nobody waits for a step; the rate only says how many rows are in hand.
    pacers = {"telegram": Pacer(OwnSteps(AS_IF, monotonic), monotonic)}
    courier = Courier(database, {"telegram": channel}, lambda: NOW, zone=ZoneInfo("Asia/Shanghai"), pacers=pacers)
    while await courier.deliver_due("telegram", "bulk"):
        pass
    await courier.close()
    await channel.close()
    async with database.reading() as db:
        recorded = await db.scalar(text("SELECT count(*) FROM outbox WHERE state = 'sent' AND provider_id <> ''"))
    await database.close()
    assert recorded == count, f"{recorded} of {count} are recorded"
    return count


async def ptb(api: str, count: int, _database_url: str) -> int:
    """python-telegram-bot as it comes, with gather."""
    from telegram import Bot
    from telegram.request import HTTPXRequest

    request = HTTPXRequest(connection_pool_size=AT_ONCE_PTB, pool_timeout=None)
    async with Bot(TOKEN, f"{api}/bot", request=request) as bot:
        for first in range(0, count, AT_ONCE_PTB):
            chats = range(first, min(first + AT_ONCE_PTB, count))
            await asyncio.gather(*(bot.send_message(FIRST_CHAT + n, TEXT, parse_mode="HTML") for n in chats))
    return count


async def raw(api: str, count: int, _database_url: str) -> int:
    """aiohttp's client alone: a body, an answer, nothing else."""
    waiting = iter(range(count))
    headers = {"Content-Type": "application/json"}
    connector = aiohttp.TCPConnector(limit=AT_ONCE_RAW)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:

        async def send() -> None:
            for n in waiting:
                body = orjson.dumps({"chat_id": FIRST_CHAT + n, "text": TEXT, "parse_mode": "HTML"})
                async with session.post(f"{api}/bot{TOKEN}/sendMessage", data=body, headers=headers) as response:
                    assert orjson.loads(await response.read())["ok"]

        await asyncio.gather(*(send() for _n in range(AT_ONCE_RAW)))
    return count


SENDERS: dict[str, Callable[[str, int, str], Awaitable[int]]] = {"ours": ours, "ptb": ptb, "raw": raw}


def main(arguments: list[str]) -> None:
    name, api, count, *rest = arguments

    async def measured() -> None:
        began, worked = time.perf_counter(), time.process_time()
        sent = await SENDERS[name](api, int(count), rest[0] if rest else "")
        seconds = time.perf_counter() - began
        print(json.dumps({"sent": sent, "seconds": seconds, "cpu": time.process_time() - worked}))

    asyncio.run(measured())


if __name__ == "__main__":
    main(sys.argv[1:])
