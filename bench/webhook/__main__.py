"""Runs the comparison: `python -m bench webhook`."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from bench.processes import on_load_core
from bench.webhook import report
from bench.webhook.contenders import CONTENDERS, OURS, Contender
from bench.webhook.measure import Options, Result, better, generator_capacity, measure
from bench.webhook.places import Nearest


def main(arguments: Sequence[str] = ()) -> int:
    """Measures and prints; the exit status is 1 only if our own program could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench webhook", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, for a first impression")
    parser.add_argument("--seconds", type=float, help="of each measurement (2, quick: 1)")
    parser.add_argument("--rounds", type=int, help="over everybody, of which the better counts (2, quick: 1)")
    parser.add_argument("--connections", type=int, default=100, help="that deliver (100, Telegram's most)")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="name begins so; repeatable")
    asked = parser.parse_args(arguments)
    options = Options(
        seconds=asked.seconds or (1.0 if asked.quick else 2.0),
        rounds=asked.rounds or (1 if asked.quick else 2),
        connections=asked.connections,
    )
    chosen = [c for c in CONTENDERS if not asked.only or c.name.startswith(tuple(asked.only))]
    if not chosen:
        parser.error("nobody is called so; known are " + ", ".join(c.name for c in CONTENDERS))
    with on_load_core() as alone:
        if not alone:
            print("Servers and load share their cores here: trust the ratios only roughly.")
        results, capacity = asyncio.run(_all(chosen, options))
    report.show(results, capacity)
    return int(any(result.name == OURS and not result.figures for result in results))


async def _all(chosen: Sequence[Contender], options: Options) -> tuple[list[Result], tuple[float, float]]:
    nearest = Nearest()
    capacity = await generator_capacity(options)
    results: dict[str, Result] = {}
    # Round after round over everybody, so that a slow minute of the machine does not fall on one alone.
    for _ in range(options.rounds):
        for contender in chosen:
            if contender.name in results and not results[contender.name].figures:
                continue
            result = await measure(contender, options, nearest)
            print(f"  {result.name}: {report.line(result)}", file=sys.stderr, flush=True)
            results[result.name] = better(results.get(result.name, result), result)
    return list(results.values()), capacity


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
