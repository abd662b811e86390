"""Whom to call about one's rights: a number at one tap, the legal line, a lawyer."""

from bot.conversation import Turn
from bot.i18n import _
from bot.messages import Button

URGENT = _("Is it urgent? The legal line 12348 advises by phone at once, free of charge.")


def call(turn: Turn, number: str) -> Button:
    """A button that calls `number`; where a channel has no such button, the words name it."""
    return Button(turn.word(_("☎ Call {number}", number=number)), url=f"tel:{number}")


def lawyer(turn: Turn) -> Button:
    """A button that books one."""
    return Button(turn.word(_("⚖ Book a lawyer, free")), "book.legal")
