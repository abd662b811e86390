"""Free text to a feature: what the stored phrases contain first, then what is like them, and silence when in doubt."""

import math
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bot.words import normal

FILE = Path(__file__).with_name("phrases.toml")
MOST_CANDIDATES = 5
LONGEST = 200  # characters
# Chosen on the phrases of the tests: lower lets chatter in, higher refuses ordinary rewordings.
_SURE, _POSSIBLE, _MARGIN = 0.5, 0.36, 0.08


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text seems to want: `feature` if `sure`, else `feature` and `others` to choose from, or nothing."""

    feature: str = ""
    sure: bool = False
    others: tuple[str, ...] = ()


class Intents:
    """The features by the phrases that ask for them, ready to read texts in a fraction of a millisecond.

    A phrase in stars, such as `*律师*`, counts wherever it stands; others do from three characters on.
    """

    def __init__(self, phrases: Mapping[str, Sequence[str]]) -> None:
        self._features: dict[str, str] = {}
        for feature, said in phrases.items():
            for phrase in said:
                if self._features.setdefault(_bare(phrase), feature) != feature:
                    raise ValueError(f"two features are asked for by {phrase!r}")
        strong = {_bare(phrase) for said in phrases.values() for phrase in said if phrase.startswith("*")}
        self._telling = [phrase for phrase in self._features if phrase in strong or _tells(phrase)]
        grams = {phrase: _grams(phrase) for phrase in self._features}
        spread = Counter(gram for counts in grams.values() for gram in counts)
        self._weights = {gram: math.log(1 + len(grams) / count) for gram, count in spread.items()}
        self._rare = math.log(1 + len(grams))
        self._index: dict[str, list[tuple[str, float]]] = defaultdict(list)
        for phrase, counts in grams.items():
            for gram, weight in self._vector(counts).items():
                self._index[gram].append((phrase, weight))

    def read(self, text: str) -> Reading:
        """The feature that `text` asks for, the few that it may ask for, or nothing."""
        said = _bare(text[: 2 * LONGEST])[:LONGEST]
        if not said:
            return Reading()
        if exact := self._features.get(said):
            return Reading(exact, sure=True)
        if contained := self._contained(said):
            return _reading(contained)
        return self._likest(said)

    def _contained(self, said: str) -> list[str]:
        """The features whose phrases `said` contains, the longest phrase first, without phrases within others."""
        inside = [phrase for phrase in self._telling if _holds(said, phrase)]
        outer = [phrase for phrase in inside if not any(phrase != other and phrase in other for other in inside)]
        return _unique(self._features[phrase] for phrase in sorted(outer, key=len, reverse=True))

    def _likest(self, said: str) -> Reading:
        likeness: dict[str, float] = defaultdict(float)
        for gram, weight in self._vector(_grams(said)).items():
            for phrase, other in self._index.get(gram, ()):
                likeness[phrase] += weight * other
        best: dict[str, float] = {}
        for phrase, score in likeness.items():
            feature = self._features[phrase]
            best[feature] = max(best.get(feature, 0.0), score)
        ranked = sorted(best, key=lambda feature: (-best[feature], feature))
        if not ranked or best[ranked[0]] < _POSSIBLE:
            return Reading()
        near = [feature for feature in ranked if best[feature] >= max(_POSSIBLE, best[ranked[0]] - _MARGIN)]
        if len(near) == 1 and best[ranked[0]] >= _SURE:
            return Reading(near[0], sure=True)
        return Reading(near[0], others=tuple(near[1:MOST_CANDIDATES]))

    def _vector(self, counts: Mapping[str, int]) -> dict[str, float]:
        weighed = {gram: count * self._weights.get(gram, self._rare) for gram, count in counts.items()}
        length = math.sqrt(sum(weight * weight for weight in weighed.values())) or 1.0
        return {gram: weight / length for gram, weight in weighed.items()}


@cache
def stored_phrases() -> dict[str, tuple[str, ...]]:
    """The phrases of phrases.toml by feature."""
    data = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return {feature: (*languages["zh"], *languages["en"]) for feature, languages in data.items()}


def _reading(features: Sequence[str]) -> Reading:
    return Reading(features[0], sure=len(features) == 1, others=tuple(features[1:MOST_CANDIDATES]))


def _bare(text: str) -> str:
    """`text` without punctuation and pictures; blanks stay only between Latin words."""
    words = re.sub(r"[^\w' ]+", " ", normal(text)).replace("'", "")
    return re.sub(r"(?<![a-z0-9]) +| +(?![a-z0-9])", "", words).strip()


def _tells(phrase: str) -> bool:
    """Whether a phrase says enough to count where a longer text contains it."""
    return len(phrase.split()) > 1 if phrase.isascii() else len(phrase) > 2


def _holds(said: str, phrase: str) -> bool:
    return f" {phrase} " in f" {said} " if phrase.isascii() else phrase in said


def _unique(features: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(features))


def _grams(text: str) -> Counter[str]:
    """How often each run of two or three characters (three or four in Latin words) occurs."""
    sizes = (3, 4) if text.isascii() else (2, 3)
    padded = f" {text} " if text.isascii() else text
    return Counter(padded[at : at + size] for size in sizes for at in range(len(padded) - size + 1))
