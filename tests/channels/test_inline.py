"""What need not wait is over when it was called; the rest goes on as if it had been a task from the start."""

import asyncio

import pytest

from bot.channels.inline import inline


async def adds(number: int, *waits_for: asyncio.Future[int]) -> int:
    for future in waits_for:
        number += await future
    return number


async def test_what_waits_for_nothing_is_returned() -> None:
    assert inline(adds(1)) == 1
    with pytest.raises(ZeroDivisionError):
        inline(fails())


async def fails() -> float:
    return 1 / 0


async def test_what_waits_goes_on() -> None:
    one, other = (asyncio.get_running_loop().create_future() for _ in range(2))
    rest = inline(adds(1, one, other))
    assert not isinstance(rest, int)
    task = asyncio.create_task(rest)
    for future, value in ((one, 2), (other, 3)):
        await asyncio.sleep(0)
        future.set_result(value)
    assert await task == 6


async def test_failures_and_cancelling_go_through_to_it() -> None:
    failing, pending = (asyncio.get_running_loop().create_future() for _ in range(2))
    rest = inline(forgives(failing))
    assert not isinstance(rest, str)
    failing.set_exception(OSError("away"))
    assert await rest == "OSError"
    rest = inline(forgives(pending))
    assert not isinstance(rest, str)
    task = asyncio.create_task(rest)
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "CancelledError"


async def forgives(future: asyncio.Future[None]) -> str:
    try:
        await future
    except (OSError, asyncio.CancelledError) as error:
        return type(error).__name__
    return ""
