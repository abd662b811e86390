"""Words known by their sound: misspelt with other characters (热睡 for 热水), or typed as pinyin (reshui)."""

import os
import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache

_FINALS = "iong|iang|uang|ang|eng|ing|ong|ian|iao|uai|uan|ai|ei|ui|ao|ou|iu|ie|ue|ve|er|an|en|in|un|ia|ua|uo|[aoeiuv]"
_TYPED = re.compile(f"(?:(?:zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw])?(?:{_FINALS}))+")
_LETTERS = re.compile("[a-z]+")
_NOT_LETTERS = re.compile("[^a-z]+")
_HAN = re.compile("[一-鿿]+")
_MARKS = re.compile("[\u0300-\u036f]")


def respelt(text: str, words: tuple[str, ...]) -> str:
    """`text` with every run of characters that sounds like one of `words` written as that word."""
    return _HAN.sub(lambda run: _respelt_run(run[0], _by_syllables(words)), text)


def typed(text: str, words: tuple[str, ...]) -> str:
    """The `words` whose pinyin stands in `text`, in Chinese, with what is not pinyin left between them."""
    known = _by_letters(words)
    parts: list[str] = []
    run = ""
    for token in re.findall(r"[a-z']+|[^a-z']+", text.lower()):
        bare = token.replace("'", "")
        if _TYPED.fullmatch(bare):
            run += bare
        elif token.strip():
            parts += (_typed_run(run, known), token)
            run = ""
    return "".join([*parts, _typed_run(run, known)])


def warm() -> None:
    """Load the table of readings, which takes a fifth of a second, before somebody waits for it."""
    _readings()


def _respelt_run(run: str, known: dict[tuple[str, ...], str]) -> str:
    heard = tuple(_syllable(char) for char in run)
    longest = max(map(len, known), default=0)
    written, at = "", 0
    while at < len(run):
        for size in range(min(longest, len(run) - at), 1, -1):
            if word := known.get(heard[at : at + size]):
                written += word
                at += size
                break
        else:
            written += run[at]
            at += 1
    return written


def _typed_run(run: str, known: dict[str, str]) -> str:
    letters = _folded(run)
    longest = max(map(len, known), default=0)
    written, at = "", 0
    while at < len(letters):
        for size in range(min(longest, len(letters) - at), 3, -1):
            if word := known.get(letters[at : at + size]):
                written += word
                at += size
                break
        else:
            at += 1
    return written


@lru_cache(maxsize=8)
def _by_syllables(words: tuple[str, ...]) -> dict[tuple[str, ...], str]:
    return {tuple(_syllable(char) for char in word): word for word in _spoken(words)}


@lru_cache(maxsize=8)
def _by_letters(words: tuple[str, ...]) -> dict[str, str]:
    return {"".join(_syllable(char) for char in word): word for word in _spoken(words)}


def _spoken(words: Iterable[str]) -> list[str]:
    return [word for word in words if len(word) > 1 and _HAN.fullmatch(word)]


@cache
def _syllable(char: str) -> str:
    """The commonest reading without its tone; z and zh, n and ng are alike, as in the speech of these counties."""
    reading = _readings().get(ord(char), char).partition(",")[0]
    return _folded(_MARKS.sub("", unicodedata.normalize("NFD", reading)))


def _folded(letters: str) -> str:
    for sound, alike in (("zh", "z"), ("ch", "c"), ("sh", "s"), ("ng", "n")):
        letters = letters.replace(sound, alike)
    return letters


@cache
def _readings() -> dict[int, str]:
    # Its table of phrases would triple the memory and is not needed for single characters.
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")
    from pypinyin.constants import PINYIN_DICT

    return PINYIN_DICT
