"""Policies in short: cards that say who, since when, what to do and where, each with its source and review date."""

import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from bot.i18n import DEFAULT_LOCALE, LOCALES
from bot.words import normal

# What a card is called and asked for by counts for more than what it says.
_NAMED, _SAID = 1.0, 0.4
# Of 1 for a text whose every pair of characters names the card.
_LEAST = 0.3
# What is said in every question says nothing of its subject.
_EMPTY_WORDS = """
    怎么 什么 多少 哪里 可以 能不 不能 有没 没有 是不 不是 如何 请问 规定 政策 一下 我要 我的 有什 有多 几个 吗我 给我
    the and for can how what when where does must have has are you your get rule rules policy policies with about
"""
_EMPTY = frozenset(_EMPTY_WORDS.split())
_RULES = re.compile(
    r"规定|規定|政策|[违違]法|合法|犯法|[罚罰]|[国國][标標]|法[规規]|\b(?:allowed|legal|illegal|fined?|law|rules?)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class CardWords:
    """What a card says in one language; `note` is what it does not settle, and who does."""

    title: str
    who: str
    since: str
    what: str
    where: str
    note: str


@dataclass(frozen=True, slots=True)
class Card:
    """One policy. After the day `review_by` it is shown to nobody until somebody has checked it again.

    `buttons` are `call:NUMBER`, `find:AMENITY`, `near` or `lawyer`. `words` are what people ask for it by.
    """

    code: str
    source: str
    reviewed: date
    review_by: date
    buttons: tuple[str, ...]
    words: tuple[str, ...]
    texts: Mapping[str, CardWords]

    def in_locale(self, locale: str) -> CardWords:
        return self.texts.get(locale) or self.texts[DEFAULT_LOCALE]


class Policies:
    """All cards of a city, in their order; `today` is always the city's date."""

    def __init__(self, cards: Iterable[Card]) -> None:
        self._cards = {card.code: card for card in cards}
        self._grams = {code: _weighed(card) for code, card in self._cards.items()}
        spread = Counter(gram for grams in self._grams.values() for gram in grams)
        self._weights = {gram: math.log(1 + len(self._cards) / count) for gram, count in spread.items()}
        self._rare = math.log(1 + len(self._cards))

    @property
    def codes(self) -> frozenset[str]:
        """Every page that there is, shown at present or not."""
        return frozenset(self._cards)

    @property
    def all(self) -> list[Card]:
        """Every card, shown at present or not."""
        return list(self._cards.values())

    def current(self, today: date) -> list[Card]:
        """The cards that may be shown."""
        return [card for card in self._cards.values() if today <= card.review_by]

    def page(self, code: str, today: date) -> Card | None:
        """The card of that code; None where there is none or its review date has passed."""
        card = self._cards.get(code)
        return card if card and today <= card.review_by else None

    def find(self, text: str, today: date) -> list[Card]:
        """The cards that `text` may be about, the likeliest first, without those that are far less likely."""
        said = _grams(text) - _EMPTY
        whole = sum(self._weights.get(gram, self._rare) for gram in said)
        scores: dict[str, float] = {}
        for card in self.current(today):
            grams = self._grams[card.code]
            score = sum(self._weights[gram] * grams[gram] for gram in said if gram in grams) / (whole or 1.0)
            if score >= _LEAST:
                scores[card.code] = score
        ranked = sorted(scores, key=lambda code: -scores[code])
        return [self._cards[code] for code in ranked if scores[code] >= 0.6 * scores[ranked[0]]]


def speaks_of_rules(text: str) -> bool:
    """Whether `text` asks what is allowed, though its other words may name a kind of place."""
    return _RULES.search(text) is not None


@cache
def load_policies(folder: Path) -> Policies:
    """The cards of the city whose profile is in `folder`, read once. Raises KeyError, TypeError or ValueError."""
    cards = []
    for file in sorted((folder / "policies").glob("*.toml")):
        cards += [_card(table) for table in tomllib.loads(file.read_text("utf-8"))["card"]]
    if twice := [code for code, count in Counter(card.code for card in cards).items() if count > 1]:
        raise ValueError(f"two cards are called {twice[0]!r}")
    return Policies(cards)


def _card(table: Mapping[str, Any]) -> Card:
    reviewed, review_by = table["reviewed"], table["review_by"]
    if not (isinstance(reviewed, date) and isinstance(review_by, date)):
        raise ValueError(f"{table['code']}: reviewed and review_by are dates")
    return Card(
        code=table["code"],
        source=table["source"],
        reviewed=reviewed,
        review_by=review_by,
        buttons=tuple(table["buttons"]),
        words=tuple(table["words"]),
        texts={locale: CardWords(**table[locale]) for locale in LOCALES if locale in table},
    )


def _weighed(card: Card) -> dict[str, float]:
    """How much each pair of characters or Latin word speaks for a card."""
    texts = [words for locale, words in card.texts.items() if locale != "zh_TW"]
    said = _grams(" ".join(f"{words.who} {words.what} {words.where}" for words in texts))
    named = _grams(" ".join((*card.words, *(words.title for words in texts))))
    return dict.fromkeys(said, _SAID) | dict.fromkeys(named, _NAMED)


def _grams(text: str) -> set[str]:
    """Pairs of neighbouring Chinese characters, and Latin words and numbers from three characters on."""
    found = set()
    for run in re.findall(r"[一-鿿]+|[a-z0-9-]{3,}", normal(text)):
        found |= {run} if run.isascii() else {run[at : at + 2] for at in range(len(run) - 1)}
    return found
