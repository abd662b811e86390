"""What counts as choosing a number, typed or spoken."""

import pytest

from bot.conversation.numbers import chosen_number


@pytest.mark.parametrize(
    "text",
    [
        *("2", "２", " 2 ", "2.", "2。", "02", "②", "2️⃣"),
        *("二", "两", "两个", "兩個", "第二个", "第二個", "第二家。", "第2项", "2号"),
        *("选2", "選二", "选第二个", "回复2", "回覆２", "按2", "第二个吧。"),
    ],
)
def test_two_in_many_ways(text: str) -> None:
    assert chosen_number(text) == 2


@pytest.mark.parametrize(("text", "number"), [("十", 10), ("十二", 12), ("二十", 20), ("第二十三个", 23), ("14", 14)])
def test_longer_lists(text: str, number: int) -> None:
    assert chosen_number(text) == number


@pytest.mark.parametrize("text", ["", "第", "个", "一二", "123", "一下", "十里", "2个热水", "附近", "二" * 5000])
def test_what_is_no_number(text: str) -> None:
    assert chosen_number(text) is None
