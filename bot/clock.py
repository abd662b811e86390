"""The time. Nothing else asks for it."""

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """Tells the time, aware UTC; with `starts_at` it runs on from there."""

    def __init__(self, starts_at: datetime | None = None) -> None:
        self._shift = starts_at - datetime.now(UTC) if starts_at else timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._shift


def monotonic() -> float:
    """Seconds that only rise, for measuring and pacing."""
    return time.monotonic()
