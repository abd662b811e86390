"""Order within one chat, and freedom between chats."""

import asyncio
from collections import deque


class Lanes:
    """One at a time per key, first come first served; different keys go side by side."""

    def __init__(self, longest: int) -> None:
        """At most `longest` wait for one key."""
        self._longest = longest
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    def __contains__(self, key: str) -> bool:
        """Whether somebody's turn it is, or somebody waits, for this key."""
        return key in self._waiting

    async def enter(self, key: str) -> bool:
        """Wait for the turn of this caller, who must then `leave`; false at once if too many wait already."""
        queue = self._waiting.get(key)
        if queue is None:
            self._waiting[key] = deque()
            return True
        if len(queue) >= self._longest:
            return False
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                queue.remove(turn)
            else:  # the turn came in the same moment: pass it on
                self.leave(key)
            raise
        return True

    def leave(self, key: str) -> None:
        """Let the next one in."""
        queue = self._waiting[key]
        while queue:
            turn = queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._waiting[key]
