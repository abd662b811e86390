"""Order: one person's messages are acted on one after another, different people's side by side."""

import asyncio

from bot.messages import Address

LONGEST_LINE = 20


class Busy(Exception):
    """One person has sent more than we hold in line; the platform may deliver this again later."""


class Lines:
    """The people who are being answered, and who waits behind whom."""

    def __init__(self) -> None:
        self._last: dict[Address, asyncio.Future[None]] = {}
        self._length: dict[Address, int] = {}

    async def join(self, person: Address) -> asyncio.Future[None]:
        """Wait for this person's turn; whoever got it must `leave` with what this returns. Raises Busy."""
        before = self._last.get(person)
        length = self._length.get(person, 0)
        if length >= LONGEST_LINE:
            raise Busy
        mine = asyncio.get_running_loop().create_future()
        self._last[person] = mine
        self._length[person] = length + 1
        if before is not None:
            try:
                await asyncio.shield(before)
            except asyncio.CancelledError:
                before.add_done_callback(lambda _done: self.leave(person, mine))
                raise
        return mine

    def leave(self, person: Address, mine: asyncio.Future[None]) -> None:
        """Let the next one in."""
        mine.set_result(None)
        self._length[person] -= 1
        if self._last[person] is mine:
            del self._last[person], self._length[person]

    def __contains__(self, person: Address) -> bool:
        return person in self._last

    def __len__(self) -> int:
        return sum(self._length.values())
