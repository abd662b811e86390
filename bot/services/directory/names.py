"""Finding places by what people call them: name, address, road."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from bot.services.directory.listing import Listing

_EXACT, _INSIDE, _MENTIONED, _NEARBY, _ABBREVIATED = 100.0, 92.0, 88.0, 75.0, 80.0
_SHORTEST_ABBREVIATION = 4
_LEAST_ALIKE = 72
_SHORTEST = 2
# Neighbours in spelling that are not the same: whoever says one never means the other.
_APART = (("新绛", "绛县"), ("天津", "河津"))
_COUNTY = re.compile(r"(?!社区|小区|园区)[一-鿿]{1,2}[县市区]")
_DIRECTIONS = frozenset("东西南北")
_BOUNDARY = "省市县区旗州 ·(（-/、,，"


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    where: str
    number: int


class Names:
    """The names of all places, surveyed or not."""

    def __init__(self, listings: Iterable[Listing]) -> None:
        self._listings = listings
        self._entries = [
            _Entry(folded(listing.name), folded(f"{listing.address} {listing.road}"), number)
            for number, listing in enumerate(listings)
        ]

    def matching(self, text: str) -> list[tuple[int, float]]:
        """Listing numbers with how well each fits, 0 to 100, best first; among equals the longest name first."""
        said = folded(text)
        if len(said) < _SHORTEST:
            return []
        scores: dict[int, float] = {}
        for entry in self._entries:
            if score := _written(said, entry):
                scores[entry.number] = score
        if max(scores.values(), default=0) < _MENTIONED:
            scores = self._alike(said) | scores
        best = sorted(scores, key=lambda number: (-scores[number], -len(self._entries[number].name), number))
        return [(number, scores[number]) for number in best]

    def _alike(self, said: str) -> dict[int, float]:
        """What is spelt nearly so, where nothing is spelt so."""
        from rapidfuzz import fuzz, process

        names = [entry.name for entry in self._entries]
        close = process.extract(said, names, scorer=fuzz.ratio, score_cutoff=_LEAST_ALIKE, limit=20)
        scores = {at: score * 0.85 for _name, score, at in close}
        if len(said) >= _SHORTEST_ABBREVIATION:
            abbreviated = re.compile(".*".join(map(re.escape, said)))
            scores |= {at: _ABBREVIATED for at, name in enumerate(names) if abbreviated.match(name)}
        return {at: score for at, score in scores.items() if not _are_apart(said, names[at])}


def folded(text: str) -> str:
    """`text` for comparing: half width, lower case, without spaces."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def _written(said: str, entry: _Entry) -> float:
    """How well an entry fits by the letter; 0 if not at all."""
    name = entry.name
    if said == name:
        return _EXACT
    if said in name and _begins_a_word(said, name):
        return _INSIDE + 6 * len(said) / len(name)
    if len(name) >= _SHORTEST and name in said and not _are_confused(said, name):
        return _MENTIONED + 3 * len(name) / len(said)
    if said in entry.where and _begins_a_word(said, entry.where):
        return _NEARBY
    return 0.0


def _begins_a_word(part: str, whole: str) -> bool:
    """Whether `part` stands in `whole` as itself: a county's name does not begin in the middle of another's.

    绛县 is no part of 新绛县, though its letters are.
    """
    if not _COUNTY.match(part):
        return True
    at = whole.find(part)
    while at > 0 and whole[at - 1] not in _BOUNDARY:
        at = whole.find(part, at + 1)
    return at >= 0


def _are_apart(said: str, name: str) -> bool:
    said_county, county = _COUNTY.match(said), _COUNTY.match(name)
    if said_county and county and said_county[0] != county[0]:
        return True
    one, other = _DIRECTIONS & set(said), _DIRECTIONS & set(name)
    if one and other and not one & other:
        return True
    return _are_confused(said, name)


def _are_confused(said: str, name: str) -> bool:
    for one, other in _APART:
        for mine, theirs in ((said, name), (name, said)):
            if one in mine and one not in theirs and other in theirs:
                return True
    return False
