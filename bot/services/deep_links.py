"""What a link into a chat carries: a place, so that whoever follows it meets that place first."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

# What Telegram takes behind `?start=`: https://core.telegram.org/bots/features#deep-linking
_TAKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PLACE = "p-"


def to_place(code: str) -> str:
    """The payload that leads to the place with that code; empty where the code is too long for one."""
    payload = _PLACE + urlsafe_b64encode(code.encode()).decode().rstrip("=")
    return payload if _TAKEN.fullmatch(payload) else ""


def place_of(payload: str) -> str:
    """The code of the place that `payload` leads to; empty for anything that `to_place` did not make."""
    if not payload.startswith(_PLACE) or not _TAKEN.fullmatch(payload):
        return ""
    packed = payload.removeprefix(_PLACE)
    try:
        return urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()
    except ValueError:
        return ""
