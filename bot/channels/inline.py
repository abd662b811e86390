"""Answering on the spot: what need not wait is over when it was called, and costs no task."""

from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def inline(work: Coroutine[Any, Any, T]) -> T | Coroutine[Any, Any, T]:
    """What `work` returns, if it comes to its end without waiting for anything; else the rest of it, to be awaited.

    Until it first waits it runs in no task, so it may not need one before (`asyncio.timeout` does).
    """
    try:
        waits_for = work.send(None)
    except StopIteration as finished:
        result: T = finished.value
        return result
    return _rest(work, waits_for)


async def _rest(work: Coroutine[Any, Any, T], waits_for: Any) -> T:
    return await _steps(work, waits_for)


@coroutine
def _steps(work: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, Any, T]:
    """Drive `work` on from where it waits: whatever it is sent or thrown goes through to it."""
    try:
        while True:
            try:
                sent = yield waits_for
            except BaseException as error:  # noqa: BLE001 (a failure or the cancelling of what it waits for is its own)
                waits_for = work.throw(error)
            else:
                waits_for = work.send(sent)
    except StopIteration as finished:
        result: T = finished.value
        return result
