"""The words of lexicon.toml, ready to be found in a text."""

import tomllib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("lexicon.toml")


@dataclass(frozen=True, slots=True)
class Found:
    """A word and where it stands in the text."""

    start: int
    end: int
    word: str


class Words:
    """Many words looked for at once: leftmost first, and of those that start together the longest.

    A word of Latin letters must stand alone, also among digits; a Chinese one may stand anywhere.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self.all = frozenset(words)
        self._by_first: dict[str, list[str]] = defaultdict(list)
        for word in sorted(self.all, key=len, reverse=True):
            self._by_first[word[0]].append(word)

    def find(self, text: str) -> list[Found]:
        """The words in `text`, none overlapping another."""
        found = []
        at = 0
        while at < len(text):
            word = self._at(text, at)
            if word:
                found.append(Found(at, at + len(word), word))
            at += len(word) or 1
        return found

    def within(self, text: str) -> bool:
        """Whether `text` has any of the words."""
        return any(self._at(text, at) for at in range(len(text)))

    def _at(self, text: str, at: int) -> str:
        for word in self._by_first.get(text[at], ()):
            if text.startswith(word, at) and _stands_alone(text, at, word):
                return word
        return ""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """What each word means: `meanings` maps a word to its group and name, such as `amenities`, `toilet`.

    The other fields are the lists of the file that mean nothing alone.
    """

    meanings: dict[str, tuple[str, str]]
    spoken: Words
    vehicles: Words
    vehicles_by_word: dict[str, str]
    brands: dict[str, Words]
    around: dict[str, Words]
    sounds: tuple[str, ...]
    typed: tuple[str, ...]


@cache
def lexicon() -> Lexicon:
    """The lexicon, read once. A word that two names claim is an error in the file."""
    data = tomllib.loads(FILE.read_text(encoding="utf-8"))
    meanings: dict[str, tuple[str, str]] = {}
    for group in ("amenities", "kinds", "unsettled", "signs"):
        for name, words in data[group].items():
            for word in words:
                if word in meanings:
                    raise ValueError(f"{word!r} means both {meanings[word][1]!r} and {name!r}")
                meanings[word] = (group, name)
    vehicles = {word: name for name, words in data["vehicles"].items() for word in words}
    return Lexicon(
        meanings,
        Words(meanings),
        Words(vehicles),
        vehicles,
        _lists(data["brands"]),
        _lists(data["around"]),
        tuple(data["sounds"]["words"]),
        tuple(data["sounds"]["typed"]),
    )


def _lists(table: dict[str, list[str]]) -> dict[str, Words]:
    return {name: Words(words) for name, words in table.items()}


def _stands_alone(text: str, at: int, word: str) -> bool:
    end = at + len(word)
    before = at > 0 and _is_latin(word[0]) and _goes_on(text[at - 1])
    after = end < len(text) and _is_latin(word[-1]) and _goes_on(text[end])
    return not (before or after)


def _is_latin(char: str) -> bool:
    return "a" <= char <= "z"


def _goes_on(char: str) -> bool:
    """Whether a Latin word that this touches is a part of something longer, such as a code."""
    return _is_latin(char) or "0" <= char <= "9"
