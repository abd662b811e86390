"""What travels over the page's WebSocket: frames read into values, messages written as frames."""

import base64
import binascii
import re
from dataclasses import dataclass
from math import isfinite
from typing import Any, TypeGuard

import orjson

from bot import geo
from bot.messages import Button, Location, Outgoing, Place

LONGEST_TEXT = 12_000
LARGEST_PHOTO = 4 * 2**20
LARGEST_FRAME = 6 * 2**20
SAFE_INTEGER = 2**53 - 1  # the largest that a browser's number holds exactly

# Every code that an error frame can carry.
ERRORS = (
    "bad_frame",
    "bad_location",
    "bad_photo",
    "failed",
    "late_resume",
    "slow_down",
    "too_long",
    "unknown_field",
)

_KEY = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_KINDS = ("text", "location", "press", "photo")
_PHOTO = re.compile(r"data:image/(jpeg|png|webp);base64,")
_JPEG = "/9j/"  # what the magic of a JPEG is in base64
_MAGIC = {"jpeg": (b"\xff\xd8\xff", 0), "png": (b"\x89PNG\r\n\x1a\n", 0), "webp": (b"WEBP", 8)}


class BadFrame(Exception):
    """A frame that cannot be taken; `code` is one of ERRORS, `key` the frame's own if it had one."""

    def __init__(self, code: str, key: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.key = key


@dataclass(frozen=True, slots=True)
class Resume:
    """The wish to go on with the session of `token`, and to see again what came `after` that message."""

    token: str
    after: int | None


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that a rider did on the page; `key` is empty where the page gave none."""

    key: str = ""
    text: str = ""
    pressed: str = ""
    location: Location | None = None
    event: str = ""
    photo: bytes = b""


def read(raw: str | bytes) -> Resume | Said:
    """The value of one frame; raises BadFrame."""
    try:
        frame = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadFrame("bad_frame") from error
    if not isinstance(frame, dict):
        raise BadFrame("bad_frame")
    if "resume" in frame:
        return _resume(frame)
    key = frame.pop("key", "")
    if key != "" and not (isinstance(key, str) and _KEY.fullmatch(key)):
        raise BadFrame("bad_frame")
    if unknown := frame.keys() - set(_KINDS):
        raise BadFrame("unknown_field" if unknown else "bad_frame", key)
    if len(frame) != 1:
        raise BadFrame("bad_frame", key)
    [(kind, value)] = frame.items()
    try:
        return _said(kind, value, key)
    except BadFrame as bad:
        raise BadFrame(bad.code, key) from bad


def message(number: int, said: Outgoing) -> dict[str, Any]:
    """`said` as the frame with the id `number`."""
    return {
        "id": number,
        "text": said.text,
        "buttons": [[_button(button) for button in row] for row in said.buttons],
        "places": [_place(place) for place in said.places],
    } | _extras(said)


def session(token: str) -> dict[str, Any]:
    return {"session": token}


def language(locale: str) -> dict[str, Any]:
    return {"language": locale}


def done(key: str) -> dict[str, Any]:
    return {"done": key}


def error(code: str, words: str, key: str) -> dict[str, Any]:
    """`words` say what was wrong; `key` names the frame that was refused, if it had one."""
    return {"error": {"code": code, "message": words}} | ({"key": key} if key else {})


def written(frame: dict[str, Any]) -> str:
    return orjson.dumps(frame).decode()


def _resume(frame: dict[str, Any]) -> Resume:
    if unknown := frame.keys() - {"resume", "after"}:
        raise BadFrame("unknown_field" if unknown else "bad_frame")
    token, after = frame["resume"], frame.get("after")
    if not isinstance(token, str):
        raise BadFrame("bad_frame")
    if after is not None and (type(after) is not int or not 0 <= after <= SAFE_INTEGER):
        raise BadFrame("bad_frame")
    return Resume(token, after)


def _said(kind: str, value: Any, key: str) -> Said:
    if kind == "location":
        return Said(key, location=_location(value))
    if not isinstance(value, str):
        raise BadFrame("bad_frame")
    if kind == "text":
        if len(value) > LONGEST_TEXT:
            raise BadFrame("too_long")
        return Said(key, text=value.replace("\0", ""))  # PostgreSQL keeps no NUL
    if kind == "press":
        if not 1 <= len(value.encode()) <= 64 or not value.isprintable():
            raise BadFrame("bad_frame")
        return Said(key, pressed=value)
    return Said(key, event="photo", photo=_photo(value))


def _location(value: Any) -> Location:
    if not isinstance(value, dict):
        raise BadFrame("bad_location")
    if value.keys() - {"lat", "lng", "datum"}:
        raise BadFrame("unknown_field")
    lat, lng, datum = value.get("lat"), value.get("lng"), value.get("datum", "wgs84")
    if not _degrees(lat, 90) or not _degrees(lng, 180) or datum not in ("wgs84", "gcj02", "bd09"):
        raise BadFrame("bad_location")
    return Location(*geo.convert(lat, lng, datum, "wgs84"))


def _degrees(value: Any, most: int) -> TypeGuard[float]:
    return type(value) in (int, float) and isfinite(value) and abs(value) <= most


def _photo(url: str) -> bytes:
    """The picture in a data URL; what is none is refused."""
    head = _PHOTO.match(url)
    if not head or len(url) > LARGEST_PHOTO * 4 // 3 + 64:
        raise BadFrame("bad_photo")
    try:
        picture = base64.b64decode(url[head.end() :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadFrame("bad_photo") from error
    magic, start = _MAGIC[head[1]]
    if picture[start : start + len(magic)] != magic or len(picture) > LARGEST_PHOTO:
        raise BadFrame("bad_photo")
    return picture


def _extras(said: Outgoing) -> dict[str, Any]:
    extras: dict[str, Any] = {"erased": True} if said.erased else {}
    if said.photo:
        kind = "jpeg" if said.photo.startswith(_JPEG) else "png"
        extras["photo"] = f"data:image/{kind};base64,{said.photo}"
    return extras


def _button(button: Button) -> dict[str, str]:
    if button.asks_location:
        return {"label": button.label, "ask": "location"}
    if button.url:
        return {"label": button.label, "url": button.url}
    return {"label": button.label, "press": button.press}


def _place(place: Place) -> dict[str, Any]:
    return {
        "code": place.code,
        "name": place.name,
        "lat": place.lat,
        "lng": place.lng,
        "distance_m": place.distance_m,
        "open": place.open,
        "navigate": geo.navigation_links(place.lat, place.lng, place.name, place.address)["amap"],
    }
