"""Positions in buttons: nobody reads them, changes them, or uses another's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.seals import BrokenSeal, Seals

SEALS = Seals("for tests")
PLACES = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@given(PLACES, st.text(max_size=40))
def test_a_position_comes_back_rounded(place: tuple[float, float], owner: str) -> None:
    hidden = SEALS.hide(*place, owner)
    assert len(hidden) == 22
    assert SEALS.seek(hidden, owner) == pytest.approx(place, abs=0.000_051)


@given(PLACES, st.text(max_size=40), st.text(max_size=40))
def test_only_to_its_owner(place: tuple[float, float], owner: str, other: str) -> None:
    if owner != other:
        with pytest.raises(BrokenSeal):
            SEALS.seek(SEALS.hide(*place, owner), other)


@given(PLACES, st.integers(0, 20), st.sampled_from("Az09-_"))
def test_one_character_changed_breaks_it(place: tuple[float, float], at: int, other: str) -> None:
    hidden = SEALS.hide(*place, "wang")
    if hidden[at] != other:
        with pytest.raises(BrokenSeal):
            SEALS.seek(hidden[:at] + other + hidden[at + 1 :], "wang")


@given(st.text(max_size=40))
def test_nonsense_is_refused(hidden: str) -> None:
    with pytest.raises(BrokenSeal):
        SEALS.seek(hidden, "wang")


def test_another_installation_cannot_read_it() -> None:
    with pytest.raises(BrokenSeal):
        Seals("another").seek(SEALS.hide(35.0, 111.0, "wang"), "wang")
