"""One request to the stand-in of the Bot API, and the ways to answer it."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from tests.standins import telegram_rules as rules
from tests.standins.telegram_updates import DATE

REFUSALS: dict[str, tuple[int, str]] = {
    "blocked": (403, "Forbidden: bot was blocked by the user"),
    "deactivated": (403, "Forbidden: user is deactivated"),
    "chat not found": (400, "Bad Request: chat not found"),
    "bad request": (400, "Bad Request: something is wrong"),
    "throttled without a time": (429, "Too Many Requests"),
    "unauthorized": (401, "Unauthorized"),
    "conflict": (409, "Conflict: terminated by other getUpdates request"),
    "error": (500, "Internal Server Error"),
}


@dataclass(slots=True)
class Call:
    """One request. `direct` rode in a webhook's response. `problem` says why it was refused, if it was."""

    method: str
    params: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)
    at: float = 0.0
    direct: bool = False
    message_id: int = 0
    problem: str = ""

    @property
    def chat(self) -> int:
        return int(self.params.get("chat_id", 0))

    @property
    def photo(self) -> str:
        """The name of its picture, the same for the same picture."""
        if self.files:
            return hashlib.sha256(b"".join(self.files.values())).hexdigest()[:16]
        return str(self.params.get("photo", "")).partition("-")[0]

    @property
    def text(self) -> str:
        """Its words as people see them."""
        return rules.text_of(self.params)

    @property
    def buttons(self) -> list[list[dict[str, Any]]]:
        """The rows of its inline keyboard."""
        rows: list[list[dict[str, Any]]] = self.params.get("reply_markup", {}).get("inline_keyboard", [])
        return rows

    @property
    def asks_location(self) -> bool:
        rows = self.params.get("reply_markup", {}).get("keyboard", [])
        return any(key.get("request_location") for row in rows for key in row)


async def read(method: str, request: web.Request) -> Call:
    if request.content_type == "application/json":
        body = await request.read()
        return Call(method, orjson.loads(body) if body else {})
    call = Call(method, {})
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            call.files[name] = value.file.read()
        elif rules.is_text(method, name):
            call.params[name] = value
        else:
            call.params[name] = orjson.loads(value)
    return call


def message(call: Call) -> dict[str, Any]:
    chat = {"id": call.chat, "type": "private", "first_name": "Rider"}
    sent: dict[str, Any] = {"message_id": call.message_id, "date": DATE, "chat": chat}
    if call.method != "sendPhoto":
        return sent | {"text": call.text}
    sizes = [{"file_id": f"{call.photo}-{side}", "width": side, "height": side} for side in (90, 800)]
    return sent | {"caption": call.text, "photo": sizes}


def refusal(status: int, description: str, parameters: dict[str, int] | None = None) -> web.Response:
    content = {"ok": False, "error_code": status, "description": description}
    return answer(content | ({"parameters": parameters} if parameters else {}), status)


def answer(content: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json")
