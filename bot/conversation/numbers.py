"""Digits as people type them to choose from a numbered list."""

import re
import unicodedata

_WORDS = {word: n for n, word in enumerate("一二三四五六七八九十", start=1)} | {"两": 2}
_CHOICE = re.compile(r"(?:第|选|回复)?\s*(\d{1,2}|[一二两三四五六七八九十])\s*(?:个|号|项|\.|、|。)?")


def chosen_number(text: str) -> int | None:
    """The number that `text` chooses (`2`, `２`, `二`, `第二个`, `2.`), or None if it is no choice."""
    match = _CHOICE.fullmatch(unicodedata.normalize("NFKC", text).strip())
    if not match:
        return None
    number = match[1]
    return _WORDS.get(number) or int(number)
