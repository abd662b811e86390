"""Runs the comparison, then the rush: `python -m bench wechat`."""

import argparse
import asyncio
import gc
import sys
from collections.abc import Sequence
from itertools import islice

import aiohttp

from bench.processes import NotStarted, Program, free_port, on_load_core
from bench.wechat import patience
from bench.wechat.load import Tally, drive, requests

OURS, PEER = "nuanxin", "wechatpy on aiohttp"
SERVERS = {OURS: "ours", PEER: "peer", "floor: aiohttp alone": "floor"}
MODES = ("plain", "aes")
GOAL = 2.0
FASTEST = 12_000  # requests a second that are made beforehand, more than any server here answers


def main(arguments: Sequence[str] = ()) -> int:
    """Measures and prints; the exit status is 1 only if ours could not be measured, or kept people waiting."""
    parser = argparse.ArgumentParser(prog="python -m bench wechat", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, for a first impression")
    parser.add_argument("--seconds", type=float, help="of each measurement (2, quick: 1)")
    parser.add_argument("--rounds", type=int, help="of which the best counts (3, quick: 1)")
    parser.add_argument("--connections", type=int, default=50, help="that deliver (50)")
    asked = parser.parse_args(arguments)
    seconds, rounds = asked.seconds or (1.0 if asked.quick else 2.0), asked.rounds or (1 if asked.quick else 3)
    with on_load_core() as alone:
        if not alone:
            print("Servers and load share their cores here: trust the ratios only roughly.")
        rates = asyncio.run(_all(seconds, rounds, asked.connections))
    _show(rates)
    failed = any((OURS, mode) not in rates for mode in MODES)
    return int(failed or asyncio.run(patience.measure()))


async def _all(seconds: float, rounds: int, connections: int) -> dict[tuple[str, str], float]:
    rates: dict[tuple[str, str], float] = {}
    # Round after round over everybody, so that a slow minute of the machine does not fall on one alone.
    for _ in range(rounds):
        for mode in MODES:
            for name in SERVERS:
                try:
                    tally = await _measure(name, mode, seconds, connections)
                except NotStarted as error:
                    print(f"  ! {name}: {error}", file=sys.stderr)
                    continue
                if tally.refused:
                    print(f"  ! {name}, {mode}: {tally.refused} callbacks were refused", file=sys.stderr)
                rates[name, mode] = max(rates.get((name, mode), 0.0), tally.rate)
    return rates


async def _measure(name: str, mode: str, seconds: float, connections: int) -> Tally:
    """What the server does in how much time of its core, after a short warming up."""
    port = free_port()
    env = {"BENCH_PORT": str(port), "BENCH_MODE": mode}
    command = [sys.executable, "-W", "ignore", "-m", f"bench.wechat.servers.{SERVERS[name]}"]
    with Program(f"wechat {SERVERS[name]} {mode}", command, env) as program:
        prepared = list(islice(requests(mode, port), int(FASTEST * (seconds + 0.5))))
        await _until_it_listens(program, port)
        gc.collect()
        gc.disable()
        try:
            warm = await drive(port, prepared[: FASTEST // 2], connections, 0.5)
            cpu = program.cpu()
            tally = await drive(port, prepared[FASTEST // 2 :], connections, seconds)
            # What counts is what a callback costs: other programs on the machine only make everybody wait.
            tally.seconds = program.cpu() - cpu
        finally:
            gc.enable()
        program.check()
    tally.refused += warm.refused
    return tally


async def _until_it_listens(program: Program, port: int) -> None:
    async with asyncio.timeout(20), aiohttp.ClientSession() as client:
        while True:
            program.check()
            try:
                async with client.get(f"http://127.0.0.1:{port}/"):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)


def _show(rates: dict[tuple[str, str], float]) -> None:
    print(f"\n{'callbacks a second of one core':32}" + "".join(f"{mode:>10}" for mode in MODES))
    for name in SERVERS:
        print(f"{name:32}" + "".join(f"{rates.get((name, mode), 0.0):>10,.0f}" for mode in MODES))
    print("\nGoals")
    for mode in MODES:
        if (OURS, mode) in rates and (PEER, mode) in rates:
            times = rates[OURS, mode] / rates[PEER, mode]
            print(f"  {'met   ' if times >= GOAL else 'MISSED'}  {times:6.2f} times {PEER}, {mode} (goal {GOAL:g})")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
