"""What the Bot API accepts: by its schema, and by the rules that its documentation states in words."""

import json
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema_rs

SCHEMA = Path(__file__).parent / "telegram-schema.json"
LONGEST_TEXT = 4096
LONGEST_CAPTION = 1024
LARGEST_PHOTO = 10 * 1024 * 1024

_TAGS = {"a", "b", "blockquote", "code", "del", "em", "i", "ins", "pre", "s", "span", "strike", "strong", "u"}
_TAGS |= {"tg-emoji", "tg-spoiler"}
_ENTITIES = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_DECORATION = {"text", "icon_custom_emoji_id", "style"}
_IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
_LOCAL = ("http://127.0.0.1", "http://localhost", "http://[::1]")


class Refused(Exception):
    """The request breaks a rule; the words are the answer's description."""


def check(method: str, params: dict[str, Any], files: dict[str, bytes]) -> None:
    """Raise Refused unless `params` with the uploaded `files` are a right request of `method`."""
    values = params | {name: f"attach://{name}" for name in files}
    for error in _validator(_definition(method)).iter_errors(values):
        raise Refused(f"Bad Request: {method}: {error.message} at {list(error.instance_path)}")
    if rules := _RULES.get(method):
        rules(values)
    if markup := values.get("reply_markup"):
        _check_markup(markup)
    for content in files.values():
        _require(content.startswith(_IMAGES), "wrong type of the photo")
        _require(len(content) <= LARGEST_PHOTO, "the photo is too big")


def check_update(update: object) -> None:
    """Raise Refused unless `update` is one that Telegram could send."""
    for error in _validator("TelegramUpdate").iter_errors(update):
        raise Refused(f"{error.message} at {list(error.instance_path)}")


def knows(method: str) -> bool:
    return _definition(method) in _definitions()


def is_text(method: str, field: str) -> bool:
    """Whether a form's field is text as it stands, not JSON."""
    properties = _definitions()[_definition(method)]["properties"]
    schema = properties.get(field, {})
    return schema.get("type") == "string" or "enum" in schema


def plain(html: str) -> str:
    """The text that a person sees of `html`; raises Refused if its tags or entities are wrong."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    if parser.open:
        raise Refused(f"Bad Request: can't parse entities: no end tag for {parser.open[-1]}")
    return parser.text.strip()


def text_of(params: dict[str, Any]) -> str:
    """The words of a message or caption as people see them."""
    written = str(params.get("text", params.get("caption", "")))
    return plain(written) if params.get("parse_mode") == "HTML" else written.strip()


def _definition(method: str) -> str:
    return f"{method[:1].upper()}{method[1:]}Params"


@cache
def _definitions() -> dict[str, Any]:
    definitions: dict[str, Any] = json.loads(SCHEMA.read_text())["$defs"]
    return definitions


@cache
def _validator(name: str) -> Any:  # each validator class of the library is a type of its own
    return jsonschema_rs.validator_for({"$ref": f"#/$defs/{name}", "$defs": _definitions()})


def _require(holds: bool, words: str) -> None:
    if not holds:
        raise Refused(f"Bad Request: {words}")


def _check_text(params: dict[str, Any]) -> None:
    text = text_of(params)
    _require(bool(text), "message text is empty")
    _require(_length(text) <= LONGEST_TEXT, "message is too long")


def _check_caption(params: dict[str, Any]) -> None:
    _require(_length(text_of(params)) <= LONGEST_CAPTION, "message caption is too long")


def _check_venue(params: dict[str, Any]) -> None:
    _require(bool(params["title"].strip()), "venue title is empty")
    _require(bool(params["address"].strip()), "venue address is empty")
    _require(abs(params["latitude"]) <= 90 and abs(params["longitude"]) <= 180, "wrong coordinates")


def _check_commands(params: dict[str, Any]) -> None:
    for command in params["commands"]:
        _require(bool(re.fullmatch(r"[a-z0-9_]{1,32}", command["command"])), "BOT_COMMAND_INVALID")
        _require(bool(command["description"].strip()), "BOT_COMMAND_DESCRIPTION_INVALID")
    _require(bool(re.fullmatch(r"([a-z]{2})?", params.get("language_code", ""))), "invalid language code")


def _check_webhook(params: dict[str, Any]) -> None:
    url, secret = params["url"], params.get("secret_token", "x")
    _require(url == "" or url.startswith(("https://", *_LOCAL)), "an HTTPS URL must be provided for webhook")
    _require(bool(re.fullmatch(r"[A-Za-z0-9_-]{1,256}", secret)), "secret token contains unallowed characters")


_RULES = {
    "sendMessage": _check_text,
    "editMessageText": _check_text,
    "sendPhoto": _check_caption,
    "editMessageCaption": _check_caption,
    "sendVenue": _check_venue,
    "setMyCommands": _check_commands,
    "setWebhook": _check_webhook,
}


def _check_markup(markup: dict[str, Any]) -> None:
    rows = markup.get("inline_keyboard", markup.get("keyboard"))
    if rows is None:
        return
    _require(bool(rows) and all(rows), "keyboard rows must not be empty")
    _require(sum(map(len, rows)) <= 100, "too many buttons")
    for button in (button for row in rows for button in row):
        _require(bool(button["text"].strip()), "text buttons are unallowed in the inline keyboard")
        if "inline_keyboard" in markup:
            _check_inline(button)


def _check_inline(button: dict[str, Any]) -> None:
    _require(len(button.keys() - _DECORATION) == 1, "a button must do exactly one thing")
    if "callback_data" in button:
        _require(1 <= len(button["callback_data"].encode()) <= 64, "BUTTON_DATA_INVALID")
    if "url" in button:
        _require(button["url"].startswith(("https://", "http://", "tg://")), "BUTTON_URL_INVALID")


def _length(text: str) -> int:
    """UTF-16 units, the stricter of the two ways to count."""
    return len(text.encode("utf-16-le")) // 2


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.text = ""
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS:
            raise Refused(f"Bad Request: can't parse entities: unsupported start tag {tag}")
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            raise Refused(f"Bad Request: can't parse entities: unexpected end tag {tag}")

    def handle_data(self, data: str) -> None:
        if any(sign in data for sign in "<>&"):
            raise Refused("Bad Request: can't parse entities: unescaped sign")
        self.text += data

    def handle_entityref(self, name: str) -> None:
        if name not in _ENTITIES:
            raise Refused(f"Bad Request: can't parse entities: unknown entity {name}")
        self.text += _ENTITIES[name]

    def handle_charref(self, name: str) -> None:
        self.text += chr(int(name[1:], 16) if name[:1] in "xX" else int(name))

    def handle_comment(self, data: str) -> None:
        raise Refused("Bad Request: can't parse entities: comment")

    def handle_decl(self, decl: str) -> None:
        self.handle_comment(decl)

    def handle_pi(self, data: str) -> None:
        self.handle_comment(data)
