"""One spelling for what people type, so that every reader of words compares like with like."""

import re
import unicodedata
from functools import cache
from typing import Protocol

_UNSEEN = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ud800-\udfff]"
)
_SPACE = re.compile(r"\s+")


class _Converter(Protocol):
    def convert(self, text: str) -> str: ...


def normal(text: str) -> str:
    """`text` in simplified characters, half width, lower case, single spaces, without marks that nobody sees."""
    if text.isascii():
        return " ".join(_UNSEEN.sub("", text).lower().split())
    seen = _UNSEEN.sub("", unicodedata.normalize("NFKC", text))
    # The converter leaves 著, which people in Taiwan and Hong Kong write for the particle 着.
    simple = _simplifier().convert(seen).replace("著", "着")
    return _SPACE.sub(" ", simple.lower()).strip()


@cache
def _simplifier() -> _Converter:
    from opencc import OpenCC

    converter: _Converter = OpenCC("t2s")
    return converter
