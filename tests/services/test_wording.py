"""How places are put into words."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.services.hours import Opening
from bot.services.timetables import timetable
from bot.services.wording import Part, part_of_the_world, phrases

ZONE = ZoneInfo("Asia/Shanghai")
CHINESE, ENGLISH = phrases("zh_CN", ZONE), phrases("en", ZONE)
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("metres", "said"),
    [
        (0, "直线约 10 米"),
        (348, "直线约 350 米"),
        (994, "直线约 990 米"),
        (996, "直线约 1.0 公里"),
        (2349, "直线约 2.3 公里"),
        (23_499, "直线约 23 公里"),
    ],
)
def test_distances_are_rounded_and_called_straight(metres: float, said: str) -> None:
    assert CHINESE.distance(metres) == said


@pytest.mark.parametrize(("bearing", "said"), [(0, "正北方向"), (44, "东北方向"), (359, "正北方向"), (225, "西南方向")])
def test_directions(bearing: float, said: str) -> None:
    assert CHINESE.direction(bearing) == said


@pytest.mark.parametrize(
    ("opening", "said"),
    [
        (Opening("open", NOON.replace(hour=22)), "营业至 22:00"),
        (Opening("open", NOON + timedelta(hours=14)), "营业至 02:00"),
        (Opening("open", None), "开着"),
        (Opening("open", NOON + timedelta(days=3)), "开着"),
        (Opening("closed", NOON.replace(hour=14, minute=30)), "14:30 开门"),
        (Opening("closed", NOON + timedelta(hours=20)), "明天 08:00 开门"),
        (Opening("closed", NOON + timedelta(days=4)), "周五 12:00 开门"),
        (Opening("closed", NOON + timedelta(days=40)), "1月2日 12:00 开门"),
        (Opening("closed", None), "没开门"),
        (Opening("unknown"), "营业时间未知，请先问一下"),
    ],
)
def test_openings(opening: Opening, said: str) -> None:
    assert CHINESE.opening(opening, NOON) == said


def test_times_are_the_citys_whatever_zone_they_come_in() -> None:
    assert CHINESE.opening(Opening("open", datetime(2026, 11, 23, 14, 0, tzinfo=UTC)), NOON) == "营业至 22:00"


def test_who_to_ask_where_hours_are_unknown() -> None:
    assert "0359-2000001" in CHINESE.opening(Opening("unknown"), NOON, "0359-2000001")


@pytest.mark.parametrize(
    ("days", "said"), [(None, "未核实"), (-1, "今天核实"), (0, "今天核实"), (1, "昨天核实"), (3, "3 天前核实")]
)
def test_freshness(days: int | None, said: str) -> None:
    assert CHINESE.freshness(days) == said


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        ("24/7", "24 小时"),
        ("08:00-22:00", "每天 08:00–22:00"),
        ("Mo-Su 08:00-22:00", "每天 08:00–22:00"),
        ("Mo-Fr 08:00-12:00,14:00-18:00; Sa off", "周一至周五 08:00–12:00、14:00–18:00; 周六不开"),
        ("Mo,We 09:00-17:00; PH off", "周一、周三 09:00–17:00; 节假日不开"),
        ("Jan-Mar 08:00-12:00", "Jan-Mar 08:00-12:00"),
        ('Mo-Fr 08:00-12:00 "call"', 'Mo-Fr 08:00-12:00 "call"'),
    ],
)
def test_hours_are_said_as_people_say_them_or_as_written(hours: str, said: str) -> None:
    assert timetable(hours, CHINESE) == said


@given(st.text(max_size=60))
def test_no_text_of_hours_breaks_a_card(hours: str) -> None:
    assert isinstance(timetable(hours, ENGLISH), str)


@pytest.mark.parametrize(
    ("lat", "lng", "part"),
    [
        (35.0, 111.0, Part.CHINA),
        (48.85, 2.35, Part.ABROAD),
        (91.0, 0.0, Part.NOWHERE),
        (0.0, 181.0, Part.NOWHERE),
        (float("nan"), 0.0, Part.NOWHERE),
        (float("inf"), 0.0, Part.NOWHERE),
    ],
)
def test_parts_of_the_world(lat: float, lng: float, part: Part) -> None:
    assert part_of_the_world(lat, lng) is part
