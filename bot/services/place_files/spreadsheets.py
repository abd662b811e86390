"""The cells of a spreadsheet, unpacked by a process of its own: what a crafted file makes of memory ends with it.

Run as a program it writes the rows of the file that it is given, pickled in portions, to its standard output.
"""

import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

# Bytes of memory, bytes of rows and seconds that one spreadsheet may cost.
MOST_MEMORY = 1 << 30
MOST_WRITTEN = 1 << 30
MOST_SECONDS = 120
MOST_COLUMNS = 1000
_UNREADABLE, _TOO_BIG = 3, 4
_PORTION = 500


class Unreadable(Exception):
    """This is no spreadsheet."""


class TooBig(Exception):
    """The spreadsheet would take more memory, space or time than there is for it."""


def unpacked(path: Path) -> tuple[int, Iterator[Sequence[Any]]]:
    """How many rows the first sheet has, and each of them as its cells; raises Unreadable, TooBig."""
    # Closed when the last row is read, or when nobody asks for more.
    spool = TemporaryFile()  # noqa: SIM115
    try:
        done = subprocess.run(  # our own program, with a path of our own making
            [sys.executable, "-I", __file__, str(path)],
            stdout=spool,
            stderr=subprocess.DEVNULL,
            timeout=MOST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        spool.close()
        raise TooBig from None
    if done.returncode:
        spool.close()
        raise Unreadable if done.returncode == _UNREADABLE else TooBig
    spool.seek(0)
    return pickle.load(spool), _rows(spool)


def _rows(spool: Any) -> Iterator[Sequence[Any]]:
    with spool:
        while portion := pickle.load(spool):
            yield from portion


def _unpack(path: str) -> None:
    _bound()
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        sheet = CalamineWorkbook.from_path(path).get_sheet_by_index(0)
    except (CalamineError, OSError, IndexError, ValueError):
        sys.exit(_UNREADABLE)
    if sheet.width > MOST_COLUMNS:
        sys.exit(_TOO_BIG)
    out = sys.stdout.buffer
    pickle.dump(sheet.height, out)
    portion: list[list[Any]] = []
    for cells in sheet.iter_rows():
        while cells and cells[-1] == "":
            cells.pop()
        portion.append(cells)
        if len(portion) == _PORTION:
            pickle.dump(portion, out)
            portion = []
    if portion:
        pickle.dump(portion, out)
    pickle.dump([], out)


def _bound() -> None:
    """Let the system refuse more than one spreadsheet may cost, where it can."""
    with suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_WRITTEN, MOST_WRITTEN))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    _unpack(sys.argv[1])
