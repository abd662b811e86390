"""The cells of the offerings file and the sessions file: from text to typed values."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from bot.i18n import _
from bot.services import reminders
from bot.services.offerings import ASKED_KINDS, CATEGORY_NAMES, PLAIN_QUESTIONS, STATES
from bot.services.place_files.cells import (
    BadCell,
    Column,
    code_cell,
    count,
    each,
    joined,
    limited,
    must_be_there,
    nothing,
    one_of,
    parts,
    short,
    shown_truth,
    truth,
)
from bot.services.riders import VEHICLE_NAMES

SESSION_STATES = ("open", "closed", "cancelled")


def offering_columns(counties: Collection[str]) -> dict[str, tuple[str, Column]]:
    """By the column's name in small letters: the name in our table, and how the cell is read."""
    known = {*counties, *(f"{county[:4]}00" for county in counties)}
    columns = {
        "code": Column(code_cell, empty=must_be_there),
        "category": Column(one_of(CATEGORY_NAMES), empty=must_be_there),
        "title": Column(limited(120), empty=must_be_there),
        "title_zh_TW": Column(limited(120)),
        "title_en": Column(limited(120)),
        "description": Column(limited(2000)),
        "description_zh_TW": Column(limited(2000)),
        "description_en": Column(limited(2000)),
        "organiser": Column(limited(200)),
        "contact": Column(limited(200)),
        "bring": Column(limited(500)),
        "bring_zh_TW": Column(limited(500)),
        "bring_en": Column(limited(500)),
        "vehicles": Column(each(one_of(VEHICLE_NAMES)), joined, list),
        "counties": Column(each(one_of(known)), joined, list),
        "limit": Column(count, empty=int),
        "limit_days": Column(count, empty=int),
        "cancel_before_min": Column(count, empty=int),
        "waitlist": Column(truth, shown_truth, lambda: True),
        "approval": Column(truth, shown_truth, bool),
        "questions": Column(_questions, empty=list),
        "reminders": Column(each(_reminder), joined, list),
        "state": Column(one_of(STATES), empty=lambda: "published"),
        "source": Column(limited(500)),
        "demo": Column(truth, shown_truth, bool),
    }
    fields = {"limit": "limit_count"}
    return {name.lower(): (fields.get(name, name), column) for name, column in columns.items()}


def session_columns(zone: ZoneInfo) -> dict[str, tuple[str, Column]]:
    """The same for sessions; `offering` and `place` are codes, a time without offset is of `zone`."""

    def moment(text: str) -> datetime:
        return _moment(text, zone)

    columns = {
        "code": Column(code_cell, empty=must_be_there),
        "offering": Column(code_cell, empty=must_be_there),
        "place": Column(code_cell, empty=nothing),
        "address": Column(limited(300)),
        "starts_at": Column(moment, empty=must_be_there),
        "ends_at": Column(moment, empty=must_be_there),
        "capacity": Column(count, empty=must_be_there),
        "state": Column(one_of(SESSION_STATES), empty=lambda: "open"),
    }
    return {name: (name, column) for name, column in columns.items()}


def _reminder(text: str) -> str:
    if not reminders.is_offset(text):
        raise BadCell(_("not a reminder such as 1d@19:00 or 2h: {value}", value=short(text)))
    return text


def _moment(text: str, zone: ZoneInfo) -> datetime:
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{1,2}:[0-9]{2}.*", text):
            at = datetime.fromisoformat(text.replace(" ", "T", 1))
            return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise BadCell(_("not a time such as 2026-01-31 09:00: {value}", value=short(text)))


def _questions(text: str) -> list[dict[str, Any]]:
    """`name; phone; size:choice:尺码|尺碼|Size:S,M,L`: plain words, or key, kind, labels and options."""
    asked = [_question(part) for part in parts(text)]
    keys = [question["key"] for question in asked]
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        raise BadCell(_("asked twice: {value}", value=short(twice)))
    return asked


def _question(part: str) -> dict[str, Any]:
    if part in PLAIN_QUESTIONS:
        return {"key": part, "kind": part}
    key, kind, labels, options = (piece.strip() for piece in f"{part.replace('：', ':')}:::".split(":")[:4])
    choices = [_by_locale(option) for option in options.split(",") if option.strip()]
    asked = question(key, kind, _by_locale(labels), choices)
    if asked is None:
        raise BadCell(_("not a question such as size:choice:Size:S,M,L: {value}", value=short(part)))
    return asked


def question(
    key: str, kind: str, label: Mapping[str, str], choices: Sequence[Mapping[str, str]]
) -> dict[str, Any] | None:
    """A question of an offering's own as it is kept, or None for what is none; texts are by locale."""
    is_known = re.fullmatch("[a-z_]{1,30}", key) and key not in PLAIN_QUESTIONS and kind in ASKED_KINDS
    has_words = all(one.get("zh_CN") for one in (label, *choices))
    if not is_known or not has_words or (kind == "choice") != bool(choices):
        return None
    options = {"options": [dict(choice) for choice in choices]} if choices else {}
    return {"key": key, "kind": kind, "label": dict(label)} | options


def _by_locale(text: str) -> dict[str, str]:
    """`尺码|尺碼|Size`: simplified Chinese, traditional Chinese, English; what is missing is said in the first."""
    pieces = (piece.strip() for piece in text.split("|"))
    return {locale: piece for locale, piece in zip(("zh_CN", "zh_TW", "en"), pieces, strict=False) if piece}
