"""The kinds of question that a dialog can ask, and how their answers are read.

A question is stored as it was shown, so "2" always means what the rider saw as 2.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.conversation.numbers import chosen_number
from bot.errors import Problem
from bot.i18n import Text, Voice, _
from bot.messages import Button, Incoming, Outgoing, typed_location

LONGEST_ANSWER = 2000
_ADORNED = re.compile(r"^\W+|\W+$")


class NotUnderstood(Problem):
    """The answer is none; a `take_` that raises this has written nothing."""

    text = _("Sorry, I did not understand that.")


class Stale(Problem):
    text = _("That button belongs to an earlier question.")


class TooLong(Problem):
    text = _("That is too long. Please say it in fewer words.")


@dataclass(frozen=True, slots=True)
class Ask:
    """A question answered in the rider's own words."""

    text: Text | str

    def shown(self, voice: Voice, exchange: int) -> tuple[Outgoing, dict[str, Any]]:
        return Outgoing(voice.word(self.text), (_ways_out(voice, exchange),)), {"kind": "text"}


@dataclass(frozen=True, slots=True)
class AskLocation:
    """A question answered with a location, shared or in degrees; `or_words`: the name of a place or county will do too.

    Where nothing but a location will do, the ways out are shown beside it.
    """

    text: Text
    or_words: bool = False

    def shown(self, voice: Voice, exchange: int) -> tuple[Outgoing, dict[str, Any]]:
        share = Button(voice.word(_("📍 Send my location")), asks_location=True)
        asked = {"kind": "location", "or_words": self.or_words}
        rows = ((share,),) if self.or_words else ((share,), _ways_out(voice, exchange))
        return Outgoing(voice.word(self.text), rows), asked


@dataclass(frozen=True, slots=True)
class Choose:
    """A question answered by picking one of `options` (value: label), two to a row where they are short.

    `or_words`: the rider's own words will do as well.
    """

    text: Text | str
    options: Mapping[Any, Text | str]
    or_words: bool = False

    def shown(self, voice: Voice, exchange: int) -> tuple[Outgoing, dict[str, Any]]:
        labels = [voice.word(label) for label in self.options.values()]
        buttons = [Button(label, f"q.{exchange}.{i}") for i, label in enumerate(labels)]
        width = 2 if all(len(label) <= 10 for label in labels) else 1
        rows = [tuple(buttons[i : i + width]) for i in range(0, len(buttons), width)]
        asked = {"kind": "choice", "values": list(self.options), "labels": labels, "or_words": self.or_words}
        return Outgoing(voice.word(self.text), (*rows, _ways_out(voice, exchange))), asked


@dataclass(frozen=True, slots=True)
class AskPhoto:
    """A question answered with a picture, or by one of `options` (value: label) instead.

    The answer is a Photo, None for a picture that could not be had, or the value of an option.
    """

    text: Text | str
    options: Mapping[Any, Text | str]

    def shown(self, voice: Voice, exchange: int) -> tuple[Outgoing, dict[str, Any]]:
        said, asked = Choose(self.text, self.options).shown(voice, exchange)
        return said, asked | {"kind": "photo"}


def Confirm(text: Text) -> Choose:
    return Choose(text, {True: _("Yes"), False: _("No")})


Question = Ask | AskLocation | AskPhoto | Choose


def _ways_out(voice: Voice, exchange: int) -> tuple[Button, ...]:
    return (
        Button(voice.word(_("↩ Back")), f"q.{exchange}.back"),
        Button(voice.word(_("✕ Cancel")), f"q.{exchange}.cancel"),
    )


def read(asked: dict[str, Any], exchange: int, heard: Incoming) -> Any:
    """What `heard` answers to the stored question; raises a Problem if it is no answer to it."""
    match asked["kind"]:
        case "text" if heard.text.strip():
            return _own_words(heard)
        case "location" if location := heard.location or typed_location(heard.text):
            return location
        case "location" if asked.get("or_words") and 0 < len(heard.text.strip()) <= LONGEST_ANSWER:
            return heard.text.strip()
        case "photo" if heard.event == "photo":
            return heard.photo
        case "choice" | "photo" if heard.pressed:
            return asked["values"][_pressed(heard.pressed, exchange, len(asked["values"]))]
        case "choice" | "photo" if (chosen := _said(heard.text, asked["labels"])) is not None:
            return asked["values"][chosen]
        case "choice" if asked.get("or_words") and heard.text.strip():
            return _own_words(heard)
    raise Stale if heard.pressed else NotUnderstood


def _pressed(token: str, exchange: int, count: int) -> int:
    """The position in a button's token; tokens come from outside, so trust none of it."""
    _q, _dot, rest = token.partition(".")
    asked_in, _dot, position = rest.partition(".")
    if asked_in != str(exchange):
        raise Stale
    if not (position.isascii() and position.isdecimal()) or int(position) >= count:
        raise NotUnderstood
    return int(position)


def _own_words(heard: Incoming) -> str:
    if len(heard.text) > LONGEST_ANSWER:
        raise TooLong
    return heard.text.strip()


def _said(text: str, labels: list[str]) -> int | None:
    number = chosen_number(text.strip())
    if number is not None and 1 <= number <= len(labels):
        return number - 1
    said, folded = _bare(text), [_bare(label) for label in labels]
    return folded.index(said) if said and folded.count(said) == 1 else None


def _bare(label: str) -> str:
    """A label as people type it: `✓ Yes, book` without what only adorns it."""
    return _ADORNED.sub("", label).casefold()
