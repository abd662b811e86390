"""What people type, and what is understood."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.services.city import load_city
from bot.services.lexicon import lexicon
from bot.services.vocabulary import AMENITIES, KINDS
from bot.services.wishes import Wish, read, settled

HERE = Path(__file__).parent
COUNTIES = load_city(Path("data/yuncheng")).counties


def table(name: str) -> list[tuple[str, str]]:
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [(row[0], row[1]) for row in rows if row and not row[0].startswith("#")]


def understood(text: str) -> str:
    """The wish in `text` in the words of the tables, sorted."""
    return shown(read(text, counties=COUNTIES))


def shown(wish: Wish | None) -> str:
    if wish is None:
        return "-"
    parts = [*wish.amenities, *(f"kind:{kind}" for kind in wish.kinds)]
    values = {
        "county": wish.county,
        "near": wish.near,
        "named": wish.named,
        "v": wish.voltage,
        "brand": wish.brand,
        "at": wish.at,
        "len": f"{wish.length_m:g}" if wish.length_m else "",
    }
    parts += [f"{name}:{value}" for name, value in values.items() if value]
    marks = {
        "open": wish.open_now,
        "always": wish.always,
        "hazmat": wish.hazmat,
        "charging": wish.charging,
        "parking": wish.parking,
    }
    parts += [name for name, is_so in marks.items() if is_so]
    return " ".join(sorted(parts)) or "any"


@pytest.mark.parametrize(("text", "expected"), table("phrases.tsv"))
def test_phrase(text: str, expected: str) -> None:
    assert understood(text) == " ".join(sorted(expected.split()))


def test_phrases_held_out() -> None:
    rows = table("phrases_held_out.tsv")
    wrong = [
        f"{text}: {understood(text)}, not {expected}"
        for text, expected in rows
        if understood(text) != " ".join(sorted(expected.split()))
    ]
    assert len(wrong) <= len(rows) // 10, wrong


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    read(text, counties=COUNTIES)


@given(st.text(alphabet="哪里能充电停车热水厕所绛县新河津天米点在离近60v:.17 hotwaernsu", max_size=30))
def test_any_mixture_of_our_words_is_read(text: str) -> None:
    read(text, counties=COUNTIES)


@given(st.integers(0, 400))
def test_long_texts_are_cut(count: int) -> None:
    assert shown(read("厕所" + "好" * count * 30, counties=COUNTIES)) == "toilet"


@pytest.mark.parametrize("mark", ["\u200b", "\u202e", "\ufeff", "\u2066", "\ud83d"])
def test_marks_that_nobody_sees_are_no_hindrance(mark: str) -> None:
    assert understood(f"{mark}厕{mark}所{mark}") == "toilet"


@pytest.mark.parametrize(
    ("text", "vehicle", "expected"),
    [
        ("哪能充电", "courier", "ebike_charging"),
        ("哪能充电", "parcel", "ebike_charging"),
        ("哪能充电", "ridehail", "car_charging"),
        ("哪能充电", "truck", "car_charging"),
        ("哪能充电", "none", "charging"),
        ("哪能充电", "", "charging"),
        ("手机没电了", "truck", "phone_charging"),
        ("电动车充电", "ridehail", "ebike_charging"),
        ("哪能停车", "truck", "truck_parking"),
        ("哪能停车", "courier", "bike_parking"),
        ("哪能停车", "", "parking"),
        ("电动车停哪", "truck", "bike_parking"),
    ],
)
def test_vehicle_settles_what_the_words_leave_open(text: str, vehicle: str, expected: str) -> None:
    wish = read(text, counties=COUNTIES)
    assert wish is not None
    assert shown(settled(wish, vehicle)) == expected


def test_lexicon_speaks_of_the_places_file_only() -> None:
    named = {name for group, name in lexicon().meanings.values() if group in ("amenities", "kinds")}
    assert named - set(KINDS) - set(AMENITIES) == set()
    assert set(AMENITIES) <= named
