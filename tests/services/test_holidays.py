from datetime import date
from pathlib import Path

import pytest

from bot.services.holidays import Calendar, mainland

GOLDEN_WEEK = [date(2025, 10, day) for day in range(1, 9)]


def test_golden_week_is_a_week() -> None:
    assert mainland().holidays.issuperset(GOLDEN_WEEK)
    assert date(2025, 10, 9) not in mainland().holidays
    assert {date(2025, 9, 28), date(2025, 10, 11)} <= mainland().workdays


def test_no_day_is_both() -> None:
    calendar = mainland()
    assert not calendar.holidays & calendar.workdays
    assert all(day.weekday() >= 5 for day in calendar.workdays if day.year >= 2020)


@pytest.mark.parametrize(
    ("today", "missing"),
    [(date(2025, 10, 31), False), (date(2025, 11, 1), True), (date(2024, 12, 31), False)],
)
def test_somebody_is_told_in_november(today: date, missing: bool) -> None:
    calendar = Calendar(frozenset({date(2025, 1, 1)}))
    assert calendar.misses_next_year(today) is missing


def test_staff_amend_the_table(tmp_path: Path) -> None:
    file = tmp_path / "holidays.toml"
    file.write_text("holidays = [2027-02-06]\nworkdays = [2027-02-14]\nordinary = [2025-10-08]\n")
    calendar = mainland().amended(file)
    assert calendar.covers(2027)
    assert date(2027, 2, 14) in calendar.workdays
    assert date(2025, 10, 8) not in calendar.holidays
    assert date(2025, 10, 7) in calendar.holidays


@pytest.mark.parametrize(
    "broken", ["holidays = ['soon']", "holiday = [2027-01-01]", "holidays = [2027-01-01T00:00:00]"]
)
def test_a_broken_table_is_refused(tmp_path: Path, broken: str) -> None:
    file = tmp_path / "holidays.toml"
    file.write_text(broken)
    with pytest.raises(ValueError, match="lists of dates"):
        mainland().amended(file)
