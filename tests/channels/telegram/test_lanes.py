import asyncio

from hypothesis import given
from hypothesis import strategies as st

from bot.channels.telegram.lanes import Lanes


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), max_size=12))
def test_order_holds_whoever_gives_up(callers: list[tuple[str, bool]]) -> None:
    """Each caller waits in a lane; some are cancelled while they wait or in the moment their turn comes."""

    async def story() -> None:
        lanes = Lanes(longest=20)
        served: list[tuple[str, int]] = []
        inside: set[str] = set()

        async def visit(key: str, number: int) -> None:
            assert await lanes.enter(key)
            assert key not in inside
            inside.add(key)
            try:
                await asyncio.sleep(0)
                served.append((key, number))
            finally:
                inside.discard(key)
                lanes.leave(key)

        tasks = [asyncio.create_task(visit(key, i)) for i, (key, _gives_up) in enumerate(callers)]
        await asyncio.sleep(0)
        for task, (_key, gives_up) in zip(tasks, callers, strict=True):
            if gives_up:
                task.cancel()
                await asyncio.sleep(0)
        await asyncio.gather(*tasks, return_exceptions=True)
        for key in "ab":
            numbers = [number for other, number in served if other == key]
            assert numbers == sorted(numbers)
            assert {i for i, (other, gives_up) in enumerate(callers) if other == key and not gives_up} <= set(numbers)
            assert await lanes.enter(key)  # nobody left the lane locked

    asyncio.run(asyncio.wait_for(story(), 5))
