"""Searches counted in memory, without the person, until they are written together."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

from bot.services.places import Search, search

_DEGREE = 100  # squares along a degree: each about a kilometre wide


class Tally:
    """What was looked for since the counts were last taken."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[int, str, int, int, bool]] = Counter()

    def add(self, at: datetime, wanted: str, lat: float, lng: float, *, found: bool) -> None:
        """Count one search: the hour, not the moment; the square, not the position (WGS-84)."""
        hour = int(at.timestamp()) // 3600
        self._counts[hour, wanted, round(lat * _DEGREE), round(lng * _DEGREE), found] += 1

    def take(self) -> Mapping[Search, int]:
        """The counts so far; from now on they start at nothing."""
        counts, self._counts = self._counts, Counter()
        return {
            search(datetime.fromtimestamp(hour * 3600, UTC), wanted, lat / _DEGREE, lng / _DEGREE, found=found): count
            for (hour, wanted, lat, lng, found), count in counts.items()
        }
