"""What Telegram delivers, as what a rider said or did.

Works on plain dicts and trusts nothing to have its documented type. Only private chats are heard.
"""

from datetime import datetime
from typing import Any

from bot.messages import Address, Incoming, Location, Photo

ALLOWED_UPDATES = ("message", "callback_query", "my_chat_member")

_MEDIA = (
    "animation",
    "audio",
    "checklist",
    "contact",
    "dice",
    "document",
    "game",
    "live_photo",
    "paid_media",
    "poll",
    "rich_message",
    "story",
    "video",
    "video_note",
    "voice",
)
_MEMBERSHIP = {"kicked": "stopped", "member": "resumed"}


class Malformed(ValueError):
    """The payload breaks the documented types in a field that we need."""


def decode(update: object, now: datetime) -> Incoming | None:
    """What `update` says, heard at `now`; None if it is not for us. Raises Malformed and nothing else.

    `event` is `photo`, `sticker`, `media` (what else is no text and no place), `stopped` or `resumed`.
    Edited messages are not heard, so a live location is heard once, where it starts.
    """
    key = str(update_id(update))
    assert isinstance(update, dict)
    if (message := update.get("message")) is not None:
        return _message(_dict(message), key, now)
    if (press := update.get("callback_query")) is not None:
        return _press(_dict(press), key, now)
    if (change := update.get("my_chat_member")) is not None:
        return _membership(_dict(change), key, now)
    return None


def update_id(update: object) -> int:
    """The update's number; raises Malformed if there is none."""
    if not isinstance(update, dict):
        raise Malformed("update")
    return _whole(update.get("update_id"), "update_id")


def press_id(update: object) -> str:
    """The id by which a pressed button is acknowledged, whatever it was about; empty if there is none."""
    press = update.get("callback_query") if isinstance(update, dict) else None
    id = press.get("id") if isinstance(press, dict) else None
    return id if isinstance(id, str) else ""


def _message(message: dict[str, Any], key: str, now: datetime) -> Incoming | None:
    if (sender := _private(message)) is None:
        return None
    locale = _locale(message.get("from"))
    if (text := message.get("text")) is not None:
        return Incoming(sender, key, now, _str(text, "text"), locale=locale)
    location = message.get("location")
    if location is None and (venue := message.get("venue")) is not None:
        location = _dict(venue).get("location")
    if location is not None:
        return Incoming(sender, key, now, location=_location(_dict(location)), locale=locale)
    if not (event := _event(message)):
        return None
    caption = _str(message.get("caption", ""), "caption")
    photo = _photo(message.get("photo")) if event == "photo" else None
    return Incoming(sender, key, now, caption, locale=locale, event=event, photo=photo)


def _press(press: dict[str, Any], key: str, now: datetime) -> Incoming | None:
    message, data = press.get("message"), press.get("data")
    if message is None or data is None:
        return None
    if (sender := _private(_dict(message))) is None:
        return None
    return Incoming(sender, key, now, "", _str(data, "data"), None, _locale(press.get("from")))


def _membership(change: dict[str, Any], key: str, now: datetime) -> Incoming | None:
    if (sender := _private(change)) is None:
        return None
    status = _str(_dict(change.get("new_chat_member")).get("status"), "status")
    if not (event := _MEMBERSHIP.get(status)):
        return None
    return Incoming(sender, key, now, locale=_locale(change.get("from")), event=event)


def _private(holder: dict[str, Any]) -> Address | None:
    chat = _dict(holder.get("chat"))
    if chat.get("type") != "private":
        return None
    return Address("telegram", str(_whole(chat.get("id"), "chat")))


def _event(message: dict[str, Any]) -> str:
    if "photo" in message:
        return "photo"
    if "sticker" in message:
        return "sticker"
    return "media" if any(kind in message for kind in _MEDIA) else ""


def _photo(sizes: object) -> Photo | None:
    """The largest of the sizes that Telegram keeps of a picture; the last one."""
    largest = sizes[-1] if isinstance(sizes, list) and sizes else None
    name = largest.get("file_id") if isinstance(largest, dict) else None
    return Photo(name) if isinstance(name, str) and name else None


def _location(location: dict[str, Any]) -> Location:
    return Location(_degrees(location.get("latitude"), 90), _degrees(location.get("longitude"), 180))


def _locale(person: object) -> str:
    code = person.get("language_code") if isinstance(person, dict) else None
    return code if isinstance(code, str) else ""


def _degrees(value: object, most: int) -> float:
    if type(value) is not float and type(value) is not int:
        raise Malformed("coordinate")
    if not -most <= value <= most:  # false for NaN too
        raise Malformed("coordinate")
    return float(value)


def _whole(value: object, field: str) -> int:
    if type(value) is not int:  # bool is an int to isinstance
        raise Malformed(field)
    return value


def _str(value: object, field: str) -> str:
    if not isinstance(value, str):
        raise Malformed(field)
    return value


def _dict(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed("object")
    return value
