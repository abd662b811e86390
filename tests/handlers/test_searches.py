"""What rides in a list's buttons."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.handlers.searches import number, packed, unpacked
from bot.services.lexicon import lexicon
from bot.services.vocabulary import AMENITIES, KINDS
from bot.services.wishes import Wish

wishes = st.builds(
    Wish,
    kinds=st.frozensets(st.sampled_from(KINDS)),
    amenities=st.frozensets(st.sampled_from(AMENITIES)),
    open_now=st.booleans(),
    charging=st.booleans(),
    parking=st.booleans(),
    hazmat=st.booleans(),
    voltage=st.sampled_from(["", "48", "60", "72", "84"]),
    length_m=st.none() | st.integers(30, 300).map(lambda decimetres: decimetres / 10),
    brand=st.sampled_from(["", *lexicon().brands]),
    at=st.just("") | st.times().map(lambda time: f"{time:%H:%M}"),
) | st.builds(Wish, amenities=st.frozensets(st.sampled_from(AMENITIES)), always=st.just(True))


@given(wishes, st.booleans())
def test_a_wish_comes_back_as_it_was_packed(wish: Wish, elsewhere: bool) -> None:
    assert unpacked(packed(wish, elsewhere)) == (wish, elsewhere)


@given(wishes, st.integers(1, 2**31 - 1), st.integers(0, 20))
def test_the_longest_token_fits_a_button(wish: Wish, place_id: int, page: int) -> None:
    token = f"p.{number(place_id)}.{packed(wish, True)}.{page}.{'x' * 32}"
    assert len(token.encode()) <= 64


@given(st.text(max_size=30))
def test_anything_else_is_refused_or_a_wish(text: str) -> None:
    try:
        wish, _elsewhere = unpacked(text)
    except ValueError:
        return
    assert wish.kinds <= set(KINDS)
    assert wish.amenities <= set(AMENITIES)


def test_a_name_that_it_cannot_carry_is_left_out() -> None:
    with pytest.raises(ValueError, match="not packed"):
        unpacked("_" * 20)
    assert unpacked(packed(Wish(near="万达", county="140802"))) == (Wish(), False)


@given(st.integers(0, 2**40))
def test_numbers_are_short_and_come_back(place_id: int) -> None:
    assert int(number(place_id) or "0", 36) == place_id
