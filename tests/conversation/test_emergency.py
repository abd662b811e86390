"""Words of danger come before everything else."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversation.emergency import _patterns, emergency

FILE = Path(__file__).with_name("danger.tsv")


def table() -> list[tuple[str, str]]:
    rows = (line.split("\t") for line in FILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return [(text, "" if kind == "-" else kind) for text, kind in rows]


@pytest.mark.parametrize(("text", "kind"), table())
def test_danger(text: str, kind: str) -> None:
    found = emergency(text)
    assert (found.kind if found else "") == kind


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("煤气中毒了", "120"),
        ("晕倒了", "120"),
        ("撞车了", "120"),
        ("着火了", "119"),
        ("不想活了", "12356"),
        ("抢劫", "110"),
        ("高速抛锚", "12122"),
        ("救命", "120"),
    ],
)
def test_likeliest_number_comes_first_and_the_four_are_always_there(text: str, first: str) -> None:
    found = emergency(text)
    assert found is not None
    numbers = [number for number, _label in found.numbers]
    assert numbers[0] == first
    assert set(numbers) >= {"120", "119", "122", "110"}
    assert re.findall(r"^\d+", found.text.msgid, re.MULTILINE) == numbers


def test_worst_of_several_dangers_leads() -> None:
    texts = ("撞车了 车着火了", "高速上撞车了", "不想活了 想跳楼 煤气开着")
    assert [found.kind for text in texts if (found := emergency(text))] == ["fire", "crash", "suicide"]


@given(st.from_regex(_patterns().danger))
def test_first_look_hides_no_danger(text: str) -> None:
    assert _patterns().hint.search(text)


@given(st.text(), st.sampled_from([text for text, kind in table() if kind and not text.isascii()]))
def test_danger_is_heard_within_any_text(around: str, danger: str) -> None:
    assert emergency(f"{around}\n{danger}！{around}")


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    emergency(text)
