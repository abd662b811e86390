"""Messages a second without a limit: ours with every row recorded, python-telegram-bot, and bare aiohttp."""

import asyncio
import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from bench.processes import ROOT, SERVER_CORE, NotStarted, on_load_core
from bench.webhook.standin import StandIn
from bot.database import Database
from bot.services.broadcasts import resolving
from bot.services.broadcasts.audience import Reach
from bot.services.broadcasts.newsroom import Newsroom
from tests import crowd

GOAL_PTB, GOAL_RAW = 6.0, 0.4
REACH = Reach(pushing=frozenset({"telegram"}))


@dataclass(frozen=True, slots=True)
class Sent:
    name: str
    rate: float
    cpu: float


async def measure(count: int, rounds: int) -> list[Sent]:
    """The best round of each, in turns."""
    best: dict[str, Sent] = {}
    chats: set[int] = set()
    standin = StandIn(lambda chat, _body: chats.add(chat))
    with on_load_core():
        api = await standin.start()
        for _round in range(rounds):
            for name, messages in (("raw", count), ("ours", count), ("ptb", max(1_000, count // 10))):
                chats.clear()
                found = await _ours(api, messages) if name == "ours" else await _run(name, api, messages)
                if len(chats) != messages:
                    raise NotStarted(f"{name} reached {len(chats)} of {messages} chats")
                if name not in best or found.rate > best[name].rate:
                    best[name] = found
        await standin.stop()
    return list(best.values())


def show(measured: list[Sent]) -> None:
    by_name = {one.name: one for one in measured}
    ours, ptb, raw = by_name["ours"].rate, by_name["ptb"].rate, by_name["raw"].rate
    table = Table("sender", "messages/s", "CPU/message", title="sending without a limit")
    for one in sorted(measured, key=lambda one: -one.rate):
        table.add_row(one.name, f"{one.rate:,.0f}", f"{one.cpu * 1e6:,.0f} µs")
    Console().print(table)
    print(f"  {_met(ours / ptb >= GOAL_PTB)}  {ours / ptb:.1f} times python-telegram-bot (goal {GOAL_PTB:g})")
    print(f"  {_met(ours / raw >= GOAL_RAW)}  {ours / raw:.2f} of bare aiohttp (goal {GOAL_RAW:g})")


async def _ours(api: str, count: int) -> Sent:
    async with crowd.scratch("sending") as url:
        database = Database(url)
        await crowd.settle(database, count)
        await crowd.announce(database, "有雪")
        await resolving.begin_due(database, crowd.NOW, Newsroom(REACH, ZoneInfo("Asia/Shanghai")))
        while await resolving.resolve(database, REACH, crowd.NOW):
            pass
        await database.close()
        return await _run("ours", api, count, url)


async def _run(name: str, api: str, count: int, *more: str) -> Sent:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.broadcast.senders", name, api, str(count), *more),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    with suppress(OSError, AttributeError):
        os.sched_setaffinity(process.pid, {SERVER_CORE})
    out, _err = await process.communicate()
    if process.returncode:
        raise NotStarted(f"{name} ended with status {process.returncode}")
    said = json.loads(out)
    return Sent(name, said["sent"] / said["seconds"], said["cpu"] / said["sent"])


def _met(is_met: bool) -> str:
    return "met   " if is_met else "MISSED"
