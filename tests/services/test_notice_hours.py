"""When notices suit people who drive."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.services.broadcasts.hours import next_good_time

ZONE = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
minutes = st.integers(0, 24 * 60 - 1)
moments = st.integers(0, 2 * 365 * 24 * 60).map(lambda minute: NOON + timedelta(minutes=minute))
vehicles = st.sampled_from(["courier", "ridehail", "truck"])


def local(now: str, **how: object) -> str:
    at = datetime.fromisoformat(f"2026-11-23T{now}:00").replace(tzinfo=ZONE).astimezone(UTC)
    how = {"urgency": "normal", "vehicle": "", "quiet_from": None, "quiet_to": None} | how
    found = next_good_time(at, ZONE, **how)  # type: ignore[arg-type]  # a table of examples
    return found.astimezone(ZONE).strftime("%d %H:%M")


@pytest.mark.parametrize(
    ("now", "how", "good"),
    [
        ("09:00", {}, "23 09:00"),
        ("06:59", {}, "23 07:00"),
        ("22:00", {}, "24 07:00"),
        ("23:59", {"urgency": "important"}, "24 07:00"),
        ("03:00", {"urgency": "red"}, "23 03:00"),
        ("11:00", {"vehicle": "courier"}, "23 13:30"),
        ("13:30", {"vehicle": "courier"}, "23 13:30"),
        ("17:00", {"vehicle": "parcel"}, "23 20:00"),
        ("11:30", {"vehicle": "courier", "urgency": "important"}, "23 11:30"),
        ("06:30", {"vehicle": "ridehail"}, "23 09:30"),
        ("12:00", {"vehicle": "truck"}, "23 12:00"),
        ("21:59", {"quiet_from": 8 * 60, "quiet_to": 16 * 60}, "23 21:59"),
        ("09:00", {"quiet_from": 8 * 60, "quiet_to": 16 * 60}, "23 16:00"),
        ("02:00", {"quiet_from": 0, "quiet_to": 0}, "23 02:00"),
    ],
)
def test_examples(now: str, how: dict[str, object], good: str) -> None:
    assert local(now, **how) == good


@given(moments, st.sampled_from(["normal", "important"]), vehicles, minutes, minutes)
def test_it_is_the_first_good_moment(now: datetime, urgency: str, vehicle: str, quiet_from: int, quiet_to: int) -> None:
    def next_for(at: datetime) -> datetime:
        wishes = {"quiet_from": quiet_from, "quiet_to": quiet_to}
        return next_good_time(at, ZONE, urgency=urgency, vehicle=vehicle, **wishes)

    good = next_for(now)
    assert now <= good <= now + timedelta(days=2)
    quiet_for = (quiet_to - quiet_from) % (24 * 60)
    if quiet_for < 12 * 60:
        assert next_for(good) == good
        between = now + timedelta(minutes=1)
        while between < good - timedelta(minutes=17):
            assert next_for(between) == good
            between += timedelta(minutes=17)
