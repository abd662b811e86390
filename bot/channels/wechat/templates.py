"""Template messages and subscription notices: which ones the account has, and their fields within WeChat's limits.

A field that is too long or of a wrong kind makes WeChat refuse them all.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = "wechat.toml"
WAYS = ("template", "subscription")
# What a message can say in a field.
FACTS = frozenset({"title", "when", "where", "code", "contact"})

# How many characters each kind of field holds; a longer text is cut, since WeChat would not.
_TEXTS = {"thing": 20, "name": 10, "phrase": 5, "const": 20, "character_string": 32, "letter": 32, "symbol": 5}
_EXACT = {
    "number": re.compile(r"-?\d{1,32}(\.\d+)?"),
    "amount": re.compile(r"[¥$]?\d{1,10}(\.\d{1,2})?元?"),
    "phone_number": re.compile(r"[+0-9-]{3,17}"),
    "car_number": re.compile(r"\w{7,8}"),
    "date": re.compile(r"\d{4}(-\d{1,2}-\d{1,2}|年\d{1,2}月\d{1,2}日)( \d{1,2}:\d{2}(:\d{2})?)?"),
    "time": re.compile(r"(\d{4}(-\d{1,2}-\d{1,2}|年\d{1,2}月\d{1,2}日) )?\d{1,2}:\d{2}(:\d{2})?"),
}
_NAME = re.compile(r"([a-z_]+?)\d{0,3}")
_PRINTABLE_ASCII = re.compile(r"[\x20-\x7e]+")


@dataclass(frozen=True, slots=True)
class Form:
    """One template of the account, sent by one of WAYS; `fields` say which fact each of its fields holds."""

    id: str
    way: str
    fields: Mapping[str, str]

    def filled(self, facts: Mapping[str, str]) -> dict[str, dict[str, str]]:
        """The `data` of a message that says `facts`; raises ValueError for one that is missing or does not fit."""
        return filled({field: facts.get(fact, "") for field, fact in self.fields.items()})


def forms(folder: Path) -> dict[str, Form]:
    """The forms of a city, by the kind of message that they are for; none without a file.

    Raises ValueError, in words for whoever wrote it, for a file that cannot be understood.
    """
    try:
        text = (folder / FILE).read_text("utf-8")
    except FileNotFoundError:
        return {}
    found: dict[str, Form] = {}
    for entry in tomllib.loads(text).get("form", []):
        form = _form(entry)
        for kind in entry.get("for", []):
            if kind in found:
                raise ValueError(f"there are two forms for {kind}")
            found[str(kind)] = form
    return found


def filled(values: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The `data` of a message from values by field, such as `thing1` or `time2`.

    Raises ValueError for a field that there is not, and for a value that it cannot hold.
    """
    return {field: {"value": _fitting(field, value)} for field, value in values.items()}


def _form(entry: Mapping[str, Any]) -> Form:
    if unknown := sorted(entry.keys() - {"for", "id", "way", "fields"}):
        raise ValueError(f"a form has no {', '.join(unknown)}")
    id, way, fields = entry.get("id"), entry.get("way"), entry.get("fields")
    if not isinstance(id, str) or not id or not isinstance(fields, dict) or not fields or not entry.get("for"):
        raise ValueError("a form needs for, id, way and fields")
    if way not in WAYS:
        raise ValueError(f"a form is sent by {' or '.join(WAYS)}")
    for field, fact in fields.items():
        if _kind(field) not in _TEXTS.keys() | _EXACT.keys():
            raise ValueError(f"there is no kind of field {field}")
        if fact not in FACTS:
            raise ValueError(f"{field}: there is no {fact}, only {', '.join(sorted(FACTS))}")
    return Form(id, way, fields)


def _kind(field: str) -> str:
    named = _NAME.fullmatch(field)
    return named[1] if named else ""


def _fitting(field: str, value: str) -> str:
    kind, value = _kind(field), " ".join(value.split())
    if kind in _EXACT:
        if not _EXACT[kind].fullmatch(value):
            raise ValueError(f"{field} cannot hold this value")
        return value
    if kind not in _TEXTS:
        raise ValueError(f"there is no kind of field {field}")
    if not value or (kind in ("character_string", "letter") and not _PRINTABLE_ASCII.fullmatch(value)):
        raise ValueError(f"{field} cannot hold this value")
    longest = _TEXTS[kind]
    if len(value) <= longest:
        return value
    return f"{value[: longest - 1]}…" if kind in ("thing", "const") else value[:longest]
