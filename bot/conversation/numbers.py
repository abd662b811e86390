"""Digits as people type and say them to choose from a numbered list."""

import re

from bot.words import normal

_LONGEST = 12  # characters
_ONES = {word: n for n, word in enumerate("一二三四五六七八九", start=1)} | {"两": 2}
_CHOICE = re.compile(
    r"(?:选择|选|回复|按)?\s*第?\s*"
    r"(?:(?P<digits>\d{1,2})\u20e3?|(?P<tens>二?十)?(?P<ones>[一二两三四五六七八九])?)"
    r"\s*(?:个|号|项|条|家)?吧?\s*[.、。]?"
)


def chosen_number(text: str) -> int | None:
    """The number that `text` chooses (`2`, `２`, `二`, `十二`, `第二个`, `2.`), or None if it is no choice."""
    if len(text) > _LONGEST or not (match := _CHOICE.fullmatch(normal(text))):
        return None
    if match["digits"]:
        return int(match["digits"])
    tens = {"十": 10, "二十": 20}.get(match["tens"], 0)
    return tens + _ONES.get(match["ones"], 0) or None
