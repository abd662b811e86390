"""Searches counted in memory, without the person, until they are written together."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b

from bot.services.places import Search, search

BITS = 31
_DEGREE = 100  # squares along a degree: each about a kilometre wide


@dataclass(frozen=True, slots=True)
class Counted:
    """How often things were looked for, and the bits of those who looked in vain (see `SearchCount`)."""

    counts: Mapping[Search, int] = field(default_factory=dict)
    people: Mapping[Search, int] = field(default_factory=dict)


class Tally:
    """What was looked for since the counts were last taken; all processes of an installation share the `key`."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._counts: Counter[tuple[int, str, int, int, bool]] = Counter()
        self._people: dict[tuple[int, str, int, int, bool], int] = {}

    def add(self, at: datetime, wanted: str, lat: float, lng: float, *, found: bool, rider_id: int) -> None:
        """Count one search: the hour, not the moment; the square, not the position (WGS-84).

        Of whoever found nothing one bit is kept, the same for one in thirty-one people.
        """
        hour = int(at.timestamp()) // 3600
        key = hour, wanted, round(lat * _DEGREE), round(lng * _DEGREE), found
        self._counts[key] += 1
        if not found:
            self._people[key] = self._people.get(key, 0) | self._bit(rider_id, key[2], key[3])

    def take(self) -> Counted:
        """The counts so far; from now on they start at nothing."""
        counts, self._counts = self._counts, Counter()
        people, self._people = self._people, {}
        return Counted(
            {_search(key): count for key, count in counts.items()},
            {_search(key): bits for key, bits in people.items()},
        )

    def _bit(self, rider_id: int, down: int, across: int) -> int:
        told = blake2b(f"{rider_id}:{down}:{across}".encode(), key=self._key, digest_size=8).digest()
        return 1 << int.from_bytes(told) % BITS


def _search(key: tuple[int, str, int, int, bool]) -> Search:
    hour, wanted, lat, lng, found = key
    return search(datetime.fromtimestamp(hour * 3600, UTC), wanted, lat / _DEGREE, lng / _DEGREE, found=found)
