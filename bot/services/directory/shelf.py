"""Where listings are kept: as they are while there are few, packed while there are hundreds of thousands."""

import pickle
from collections.abc import Callable, Iterator

from bot.services.directory.listing import Listing, packed

_FEW = 50_000
_HANDY = 20_000


class Shelf:
    """Listings by their number, in the order in which they were put there.

    A million listings as objects fill more than two gigabytes, packed a quarter of it; those asked for of late
    are kept unpacked.
    """

    def __init__(self, finish: Callable[[Listing], Listing]) -> None:
        self._finish = finish
        self._whole: list[Listing] = []
        self._packed: list[bytes] = []
        self._handy: dict[int, Listing] = {}

    def put(self, listing: Listing) -> None:
        if len(self._whole) < _FEW:
            self._whole.append(self._finish(listing))
        else:
            self._packed.append(pickle.dumps(packed(listing), protocol=5))

    def __len__(self) -> int:
        return len(self._whole) + len(self._packed)

    @property
    def take(self) -> Callable[[int], Listing]:
        """The fastest way to many listings by their numbers."""
        return self.__getitem__ if self._packed else self._whole.__getitem__

    def __getitem__(self, number: int) -> Listing:
        whole = self._whole
        if number < len(whole):
            return whole[number]
        listing = self._handy.get(number)
        if listing is None:
            if len(self._handy) >= _HANDY:
                self._handy.clear()
            # Our own bytes, written above: nothing from outside is unpickled.
            listing = self._finish(Listing(*pickle.loads(self._packed[number - len(whole)])))
            self._handy[number] = listing
        return listing

    def __iter__(self) -> Iterator[Listing]:
        return (self[number] for number in range(len(self)))
