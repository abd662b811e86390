"""Runs the benchmarks: `python -m bench` all, `python -m bench webhook [options]` one; wrong words list their names."""

import importlib
import sys
from collections.abc import Sequence

PARTS = {
    "webhook": ("bench.webhook.__main__", "Location webhooks a second on one core, against other bots"),
    "nearest": ("bench.nearest", "Nearest search over 1,000 to 1,000,000 places"),
    "broadcast": ("bench.broadcast.__main__", "Notices a second, and preparing them for a million"),
    "wechat": ("bench.wechat.__main__", "WeChat callbacks a second of one core, against wechatpy, and a rush"),
    "bookings": ("bench.bookings", "Bookings a second through the engine, beside the same rows in plain SQL"),
    "console": ("bench.console", "Pages of the staff console in a large city"),
    "startup": ("bench.startup", "Start to first answer, and memory"),
}


def main(arguments: Sequence[str]) -> int:
    """Runs one part with its own options, or every part; options alone go to every part."""
    if arguments and arguments[0] in PARTS:
        return _run(arguments[0], arguments[1:])
    if any(argument not in ("--quick",) for argument in arguments):
        print(f"usage: python -m bench [{'|'.join(PARTS)}] [--quick]", file=sys.stderr)
        return 2
    return max([_run(part, arguments) for part in PARTS])


def _run(part: str, arguments: Sequence[str]) -> int:
    module, title = PARTS[part]
    print(f"\n=== {title} ===", flush=True)
    return int(importlib.import_module(module).main(list(arguments)) or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
