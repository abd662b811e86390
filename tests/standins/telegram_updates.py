"""Updates as Telegram would send them, each a fresh dict with the documented field types."""

from itertools import count
from typing import Any

Update = dict[str, Any]

DATE = 1_767_225_600  # 2026-01-01T00:00:00Z

_numbers = count(10_001)


class Person:
    """Someone with the Telegram app; every method is something they do in their private chat with the bot."""

    def __init__(self, chat: int, *, language: str = "zh-hans") -> None:
        self.chat = chat
        self.language = language

    def says(self, text: str) -> Update:
        return self._message(text=text, **_entities(text))

    def shares(self, lat: float, lng: float, **extra: Any) -> Update:
        """Sends a location; with `live_period` it goes on being live."""
        return self._message(location={"latitude": lat, "longitude": lng, **extra})

    def moves(self, lat: float, lng: float) -> Update:
        """A live location that is being followed: an edit of the first message."""
        update = self.shares(lat, lng, live_period=900)
        update["edited_message"] = update.pop("message") | {"edit_date": DATE + 60}
        return update

    def shares_venue(self, lat: float, lng: float, title: str) -> Update:
        location = {"latitude": lat, "longitude": lng}
        return self._message(location=location, venue={"location": location, "title": title, "address": title})

    def presses(self, token: str, *, message_id: int = 1) -> Update:
        number = next(_numbers)
        message = {"message_id": message_id, "date": DATE, "chat": self._chat(), "from": _BOT, "text": "?"}
        return {
            "update_id": number,
            "callback_query": {
                "id": str(number * 1000),
                "from": self._user(),
                "message": message,
                "chat_instance": "-1",
                "data": token,
            },
        }

    def sends_photo(self, caption: str = "") -> Update:
        sizes = [{"file_id": "p", "file_unique_id": "p", "width": 90, "height": 90, "file_size": 1200}]
        return self._message(photo=sizes, **({"caption": caption} if caption else {}))

    def sends_sticker(self) -> Update:
        sticker = {"file_id": "s", "file_unique_id": "s", "type": "regular", "width": 512, "height": 512}
        return self._message(sticker={**sticker, "is_animated": False, "is_video": False, "emoji": "👍"})

    def sends_voice(self) -> Update:
        return self._message(voice={"file_id": "v", "file_unique_id": "v", "duration": 3})

    def blocks(self) -> Update:
        return self._membership("member", "kicked")

    def unblocks(self) -> Update:
        return self._membership("kicked", "member")

    def _message(self, **content: Any) -> Update:
        number = next(_numbers)
        head = {"message_id": number, "from": self._user(), "chat": self._chat(), "date": DATE}
        return {"update_id": number, "message": head | content}

    def _membership(self, before: str, after: str) -> Update:
        return {
            "update_id": next(_numbers),
            "my_chat_member": {
                "chat": self._chat(),
                "from": self._user(),
                "date": DATE,
                "old_chat_member": _member(before),
                "new_chat_member": _member(after),
            },
        }

    def _chat(self) -> dict[str, Any]:
        return {"id": self.chat, "type": "private", "first_name": "Rider"}

    def _user(self) -> dict[str, Any]:
        return {"id": self.chat, "is_bot": False, "first_name": "Rider", "language_code": self.language}


_BOT = {"id": 42, "is_bot": True, "first_name": "Nuanxin", "username": "nuanxin_bot"}


def _member(status: str) -> dict[str, Any]:
    return {"user": _BOT, "status": status} | ({"until_date": 0} if status == "kicked" else {})


def _entities(text: str) -> dict[str, Any]:
    if not text.startswith("/"):
        return {}
    return {"entities": [{"type": "bot_command", "offset": 0, "length": len(text.split(" ")[0])}]}
