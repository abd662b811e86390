"""What is said, as calls of the Bot API."""

import base64
import binascii
from dataclasses import dataclass
from html import escape
from typing import Any

from bot.messages import Address, Button, Capabilities, Outgoing, Place

CAPABILITIES = Capabilities(edits=True)
LONGEST_TEXT = 4096
LONGEST_CAPTION = 1024
LONGEST_PRESS = 64

_EDITS = (("editMessageText", "text", LONGEST_TEXT), ("editMessageCaption", "caption", LONGEST_CAPTION))
_LINKS = ("https://", "http://", "tg://")
# Telegram refuses buttons to the machine that somebody tries the program on.
_LOCAL = ("http://127.", "http://localhost", "http://[::1]", "http://0.0.0.0")


class Unsayable(ValueError):
    """The message cannot be said on Telegram as it was built; the same message never can."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the Bot API. `photo` is uploaded beside `params`; `main` can carry buttons.

    `body` is the whole request as JSON, where it was made beforehand.
    """

    method: str
    params: dict[str, Any]
    photo: bytes = b""
    main: bool = False
    body: bytes = b""


def encode(to: Address, message: Outgoing) -> list[Call]:
    """The calls that say `message`, in order; none if there is nothing to say. Raises Unsayable."""
    chat = chat_number(to)
    inline, asks = _keyboards(message)
    calls = [_venue(chat, message.places[0])] if message.card and message.places else []
    texts = split(message.text, LONGEST_TEXT)
    if message.photo:
        fits = len(texts) == 1 and length(texts[0]) <= LONGEST_CAPTION
        caption = _html(texts.pop(0), message) if fits else ""
        calls.append(_photo(chat, message.photo, caption))
    calls += [_text(chat, _html(text, message, first=i == 0)) for i, text in enumerate(texts)]
    if not calls:
        return _nothing_but(inline, asks)
    if asks and not inline and calls[-1].method == "sendMessage":
        calls[-1].params["reply_markup"] = _reply_keyboard(asks)
    elif asks:
        calls.append(_asking(chat, asks))
    main = len(calls) - 1 if calls[-1].main else len(calls) - 2
    if inline:
        calls[main].params["reply_markup"] = {"inline_keyboard": inline}
    return calls


def encode_edits(to: Address, message_id: int, message: Outgoing) -> list[Call]:
    """The calls of which the first that is accepted puts `message` in the place of an earlier one.

    What does not fit is left out: a caption is shorter, and a picture stays as it is.
    """
    inline, _asks = _keyboards(message)
    common: dict[str, Any] = {"chat_id": chat_number(to), "message_id": message_id, "parse_mode": "HTML"}
    if inline:
        common["reply_markup"] = {"inline_keyboard": inline}
    calls = []
    for method, name, limit in _EDITS:
        texts = split(message.text, limit)
        if not texts:
            raise Unsayable("an edited message needs a text")
        calls.append(Call(method, {**common, name: _html(texts[0], message)}))
    return calls


def chat_number(to: Address) -> int:
    """The number of the chat with somebody; raises Unsayable."""
    try:
        return int(to.user)
    except ValueError as error:
        raise Unsayable("the address is no Telegram chat") from error


def split(text: str, limit: int) -> list[str]:
    """`text` in parts of at most `limit`, cut at line ends where it can be; blank parts are left out."""
    if len(text) * 2 <= limit or length(text) <= limit:
        return [text] if text.strip() else []
    parts: list[str] = []
    part = ""
    for line in text.split("\n"):
        longer = f"{part}\n{line}" if part else line
        if length(longer) <= limit:
            part = longer
            continue
        parts.append(part)
        *full, part = _cut(line, limit)
        parts += full
    return [part for part in (*parts, part) if part.strip()]


def length(text: str) -> int:
    """UTF-16 units: never less than what Telegram counts, whether it means these or characters."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def _cut(line: str, limit: int) -> list[str]:
    parts: list[str] = []
    while length(line) > limit:
        end = limit
        while length(line[:end]) > limit:
            end -= max(1, (length(line[:end]) - limit) // 2)
        parts.append(line[:end])
        line = line[end:]
    return [*parts, line]


def _html(text: str, message: Outgoing, *, first: bool = True) -> str:
    if not (first and message.places):
        return escape(text, quote=False)
    title, newline, rest = text.partition("\n")
    title = f"<b>{escape(title, quote=False)}</b>" if title.strip() else title
    return f"{title}{newline}{escape(rest, quote=False)}"


def _text(chat: int, html: str) -> Call:
    params: dict[str, Any] = {"chat_id": chat, "text": html, "parse_mode": "HTML"}
    if "://" in html:
        params["link_preview_options"] = {"is_disabled": True}
    return Call("sendMessage", params, main=True)


def _venue(chat: int, place: Place) -> Call:
    params = {
        "chat_id": chat,
        "latitude": place.lat,
        "longitude": place.lng,
        "title": place.name,
        "address": place.address or place.name,
    }
    return Call("sendVenue", params, main=True)


def _photo(chat: int, photo: str, caption: str) -> Call:
    params: dict[str, Any] = {"chat_id": chat}
    if caption:
        params |= {"caption": caption, "parse_mode": "HTML"}
    try:
        return Call("sendPhoto", params, base64.b64decode(photo, validate=True), main=True)
    except binascii.Error as error:
        raise Unsayable("the photo is not base64") from error


def _asking(chat: int, asks: list[Button]) -> Call:
    params = {"chat_id": chat, "text": asks[0].label, "reply_markup": _reply_keyboard(asks)}
    return Call("sendMessage", params)


def _reply_keyboard(asks: list[Button]) -> dict[str, Any]:
    keys = [[{"text": button.label, "request_location": True}] for button in asks]
    return {"keyboard": keys, "resize_keyboard": True, "one_time_keyboard": True}


def _keyboards(message: Outgoing) -> tuple[list[list[dict[str, str]]], list[Button]]:
    inline: list[list[dict[str, str]]] = []
    asks: list[Button] = []
    for row in message.buttons:
        keys: list[dict[str, str]] = []
        for button in row:
            label, press, url, asks_location = button
            if asks_location:
                asks.append(button)
            elif not label or label.isspace():
                raise Unsayable("a button needs a label")
            elif press:
                if len(press) > LONGEST_PRESS or not (press.isascii() or len(press.encode()) <= LONGEST_PRESS):
                    raise Unsayable("a button's token is longer than 64 bytes")
                keys.append({"text": label, "callback_data": press})
            elif not url:
                raise Unsayable("a button needs something to do")
            elif _can_be_opened(url):
                keys.append({"text": label, "url": url})
        if keys:
            inline.append(keys)
    return inline, asks


def _can_be_opened(url: str) -> bool:
    """Whether Telegram takes a button with this link; it refuses `tel:`, whose number the text has anyway."""
    return url.startswith(_LINKS) and not url.startswith(_LOCAL)


def _nothing_but(inline: list[list[dict[str, str]]], asks: list[Button]) -> list[Call]:
    if inline or asks:
        raise Unsayable("buttons need a text")
    return []
