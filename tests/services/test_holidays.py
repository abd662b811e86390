from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot.services.holidays import BadTable, Calendar, known_in, mainland
from bot.services.hours import compiled

ZONE = ZoneInfo("Asia/Shanghai")
FESTIVAL = datetime(2027, 2, 6, 12, tzinfo=ZONE)
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
    [(date(2025, 10, 31), None), (date(2025, 11, 1), 2026), (date(2026, 1, 1), 2026), (date(2024, 12, 31), 2024)],
)
def test_somebody_is_told_in_november_and_for_as_long_as_nothing_happens(today: date, missing: int | None) -> None:
    calendar = Calendar(frozenset({date(2025, 1, 1)}))
    assert calendar.missing_year(today) == missing


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_staff_amend_the_table(tmp_path: Path, encoding: str) -> None:
    lines = "date,kind,name\r\n2027-02-06,holiday,春节\r\n2027/2/14,workday,春节\r\n,,\r\n2025-10-08,ordinary\r\n"
    (tmp_path / "holidays.csv").write_text(lines, encoding)
    calendar = known_in(tmp_path)
    assert compiled("Mo-Su 09:00-18:00; PH off", ZONE, calendar).at(FESTIVAL).state == "closed"
    assert calendar.covers(2027)
    assert date(2027, 2, 14) in calendar.workdays
    assert date(2025, 10, 8) not in calendar.holidays
    assert date(2025, 10, 7) in calendar.holidays


def test_a_city_without_a_table_has_the_mainland_s(tmp_path: Path) -> None:
    assert known_in(tmp_path) == mainland()


@pytest.mark.parametrize("row", ["soon,holiday", "2027-02-30,holiday", "2027-01-01,free", "2027-01-01", "date,kind"])
def test_a_broken_table_is_refused(tmp_path: Path, row: str) -> None:
    file = tmp_path / "holidays.csv"
    file.write_text(f"date,kind,name\n2027-01-01,holiday,元旦\n{row}\n")
    with pytest.raises(BadTable) as refused:
        mainland().amended(file)
    assert refused.value.row == 3
