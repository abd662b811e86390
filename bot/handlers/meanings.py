"""Which feature free text asks for, by the stored phrases and by what can be booked."""

from functools import cache

from bot.conversation.intents import Intents, Reading, stored_phrases
from bot.services.subjects import category_asked_for


def meant(text: str) -> Reading:
    """The feature that `text` asks for, for sure or perhaps."""
    reading = _intents().read(text)
    if not reading.sure and category_asked_for(text):
        return Reading("book", sure=True)
    return reading


@cache
def _intents() -> Intents:
    return Intents(stored_phrases())
