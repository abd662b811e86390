"""What people say when they want a feature, or none."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversation.intents import MOST_CANDIDATES, Intents, Reading, stored_phrases

HERE = Path(__file__).parent
INTENTS = Intents(stored_phrases())


def table(name: str) -> list[tuple[str, str]]:
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [(row[0], row[1].replace("-", "")) for row in rows if row and not row[0].startswith("#")]


def is_understood(reading: Reading, feature: str) -> bool:
    """Sure of the right one, offering it, or silent where nothing is wanted."""
    if reading.sure or not feature:
        return reading.feature == feature
    return feature in (reading.feature, *reading.others)


@pytest.mark.parametrize("name", ["intents.tsv", "intents_held_out.tsv"])
def test_tables(name: str) -> None:
    rows = table(name)
    missed = [(text, feature) for text, feature in rows if not is_understood(INTENTS.read(text), feature)]
    acted = [(text, feature) for text, feature in rows if INTENTS.read(text).sure]
    wrong = [(text, feature) for text, feature in acted if INTENTS.read(text).feature != feature]
    assert wrong == []
    assert len(missed) <= len(rows) // 15, missed


@pytest.mark.parametrize(("feature", "phrases"), stored_phrases().items())
def test_every_stored_phrase_means_its_feature(feature: str, phrases: tuple[str, ...]) -> None:
    assert {INTENTS.read(phrase) for phrase in phrases} == {Reading(feature, sure=True)}
    assert len(phrases) >= 20


def test_two_features_in_one_sentence_are_asked_about() -> None:
    reading = INTENTS.read("我要投诉，老板拖欠工资")
    assert not reading.sure
    assert {reading.feature, *reading.others} == {"report", "wages"}


def test_asks_about_a_few_at_most() -> None:
    phrases = {f"feature{n}": [f"甲乙丙丁戊己庚辛壬癸{n}"] for n in range(9)}
    reading = Intents(phrases).read("甲乙丙丁戊己庚辛壬癸")
    assert not reading.sure
    assert len((reading.feature, *reading.others)) == MOST_CANDIDATES


def test_a_phrase_cannot_mean_two_features() -> None:
    with pytest.raises(ValueError, match="two features"):
        Intents({"help": ["怎么用"], "menu": ["*怎么用*"]})


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    reading = INTENTS.read(text)
    assert len(reading.others) < MOST_CANDIDATES
    assert not (reading.sure and reading.others)


def test_traditional_characters_mean_the_same() -> None:
    assert INTENTS.read("預約體檢") == INTENTS.read("预约体检") == Reading("book", sure=True)
