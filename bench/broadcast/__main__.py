"""`python -m bench broadcast [--quick] [--full] [--riders N]`: needs PostgreSQL."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

import asyncpg

from bench.broadcast import full, preparing, sending
from bench.processes import NotStarted


def main(arguments: Sequence[str] = ()) -> int:
    """Measures and prints; with --full the exit status is 1 where a promise is broken."""
    options = argparse.ArgumentParser(prog="bench broadcast")
    options.add_argument("--quick", action="store_true", help="fewer messages and riders")
    options.add_argument("--full", action="store_true", help="only the promise: 12 minutes at 29 a second")
    options.add_argument("--riders", type=int, default=20_000, help="how many riders --full tells")
    options.add_argument("--rounds", type=int, default=2)
    chosen = options.parse_args(list(arguments))
    try:
        if chosen.full:
            return 0 if full.show(*asyncio.run(full.measure(chosen.riders, kills=5))) else 1
        count, sizes = (3_000, (10_000, 100_000)) if chosen.quick else (20_000, (10_000, 100_000, 1_000_000))
        sending.show(asyncio.run(sending.measure(count, 1 if chosen.quick else chosen.rounds)))
        preparing.show(asyncio.run(preparing.measure(sizes)))
    except NotStarted as problem:
        print(problem)
        return 1
    except (OSError, asyncpg.PostgresError) as problem:
        print(f"no PostgreSQL: set TEST_POSTGRES_URL ({type(problem).__name__})")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
