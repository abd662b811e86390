"""The menu below the chat: three buttons, each with up to five entries."""

from collections.abc import Sequence
from typing import Any

# What is tapped: its label, and what it says; empty asks for a place, an address opens a page.
Entry = tuple[str, str]
Menu = Sequence[tuple[str, Sequence[Entry]]]

MOST_BUTTONS, MOST_ENTRIES = 3, 5
# Bytes of UTF-8.
LONGEST_BUTTON, LONGEST_ENTRY, LONGEST_KEY, LONGEST_URL = 16, 60, 128, 1024

# Every entry that asks for a place has this key; what comes back is the place.
_PLACE_KEY = "place"


def encode(menu: Menu) -> list[dict[str, Any]]:
    """The buttons as WeChat wants them; raises ValueError where a number or a length is over WeChat's limits."""
    if not 1 <= len(menu) <= MOST_BUTTONS:
        raise ValueError(f"{len(menu)} buttons")
    return [{"name": _short(name, LONGEST_BUTTON), "sub_button": _entries(name, entries)} for name, entries in menu]


def _entries(name: str, entries: Sequence[Entry]) -> list[dict[str, str]]:
    if not 1 <= len(entries) <= MOST_ENTRIES:
        raise ValueError(f"{len(entries)} entries under {name}")
    return [_entry(label, says) for label, says in entries]


def _entry(label: str, says: str) -> dict[str, str]:
    name = _short(label, LONGEST_ENTRY)
    if not says:
        return {"type": "location_select", "name": name, "key": _PLACE_KEY}
    if says.startswith("https://"):
        return {"type": "view", "name": name, "url": _short(says, LONGEST_URL)}
    return {"type": "click", "name": name, "key": _short(says, LONGEST_KEY)}


def _short(text: str, longest: int) -> str:
    if not 0 < len(text.encode()) <= longest:
        raise ValueError(f"{text!r} has more than {longest} bytes, or none")
    return text
