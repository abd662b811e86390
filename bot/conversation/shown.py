"""The buttons that each person saw last, for those who say a button's number instead of pressing it."""

from collections import OrderedDict
from collections.abc import Iterable

from bot.messages import Address, Outgoing


class Shown:
    """The tokens of the last buttons of the people who spoke last.

    Each person's are kept as one string: the messages themselves would take four times the memory.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._tokens: OrderedDict[Address, str] = OrderedDict()

    def keep(self, person: Address, said: Iterable[Outgoing]) -> None:
        self._tokens[person] = "\n".join([b.press for one in said for row in one.buttons for b in row if b.press])
        self._tokens.move_to_end(person)
        if len(self._tokens) > self._most:
            self._tokens.popitem(last=False)

    def tokens(self, person: Address) -> list[str]:
        """In the order in which they were shown."""
        return self._tokens.get(person, "").split()

    def forget(self, person: Address) -> None:
        self._tokens.pop(person, None)
