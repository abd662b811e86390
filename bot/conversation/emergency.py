"""Words of danger, answered with telephone numbers before anything else: no database, no judging of the case."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bot.i18n import Text, _
from bot.words import normal

FILE = Path(__file__).with_name("danger.toml")
# Danger is said in the first words; what follows them is not searched on every message.
MOST_WORDS = 500  # characters


@dataclass(frozen=True, slots=True)
class Emergency:
    """What to say to somebody in danger. `numbers` are telephone numbers and their labels, the likeliest first."""

    kind: str
    text: Text
    numbers: tuple[tuple[str, Text], ...]


def emergency(text: str) -> Emergency | None:
    """The answer if `text` speaks of danger, else None. When in doubt it is danger."""
    said, patterns = normal(text[:MOST_WORDS]), _patterns()
    if not patterns.hint.search(said):
        return None
    kinds = {str(match.lastgroup) for match in patterns.danger.finditer(said)}
    if kinds and patterns.lesson.search(said) and not patterns.urgent.search(said):
        kinds -= _TAUGHT
    return next((answer for kind, answer in _ANSWERS.items() if kind in kinds), None)


@dataclass(frozen=True, slots=True)
class _Patterns:
    hint: re.Pattern[str]
    danger: re.Pattern[str]
    lesson: re.Pattern[str]
    urgent: re.Pattern[str]


@cache
def _patterns() -> _Patterns:
    data = tomllib.loads(FILE.read_text(encoding="utf-8"))
    danger = "|".join(f"(?P<{kind}>{'|'.join(table['words'])})" for kind, table in data["kinds"].items())
    gate = {name: re.compile("|".join(words)) for name, words in data["gate"].items()}
    return _Patterns(gate["hints"], re.compile(danger), gate["lesson"], gate["urgent"])


_TAUGHT = {"fire", "gas", "crash", "fainted", "highway", "help", "attacked"}

_AMBULANCE = ("120", _("120 Ambulance"))
_FIRE = ("119", _("119 Fire"))
_POLICE = ("110", _("110 Police"))
_TRAFFIC = ("122", _("122 Road accidents"))
_EXPRESSWAY = ("12122", _("12122 Expressway rescue"))
_SUPPORT = ("12356", _("12356 Someone to talk to"))

# In the order in which one kind goes before another where a text speaks of several.
_ANSWERS = {
    answer.kind: answer
    for answer in (
        Emergency(
            "suicide",
            _(
                "I am a program, but people are there for you right now. Call 12356, the national line for "
                "psychological support. If you are in danger this minute, call 120 or 110.\n\n"
                "12356 someone to talk to\n120 ambulance\n110 police\n119 fire\n122 road accidents"
            ),
            (_SUPPORT, _AMBULANCE, _POLICE, _FIRE, _TRAFFIC),
        ),
        Emergency(
            "fire",
            _("Get out first, then call 119.\n\n119 fire\n120 ambulance\n110 police\n122 road accidents"),
            (_FIRE, _AMBULANCE, _POLICE, _TRAFFIC),
        ),
        Emergency(
            "gas",
            _(
                "Open doors and windows, get everyone out to somewhere airy and warm, then call 120. "
                "Do not go back in for anything.\n\n"
                "120 ambulance\n119 fire\n110 police\n122 road accidents"
            ),
            (_AMBULANCE, _FIRE, _POLICE, _TRAFFIC),
        ),
        Emergency(
            "attacked",
            _(
                "Get away to where people are, then call 110. If anyone is hurt, call 120.\n\n"
                "110 police\n120 ambulance\n119 fire\n122 road accidents"
            ),
            (_POLICE, _AMBULANCE, _FIRE, _TRAFFIC),
        ),
        Emergency(
            "crash",
            _(
                "If anyone is hurt, call 120 first, then 122. On an expressway everyone goes behind the "
                "barrier; call 12122.\n\n"
                "120 ambulance\n122 road accidents\n12122 expressway rescue\n119 fire\n110 police"
            ),
            (_AMBULANCE, _TRAFFIC, _EXPRESSWAY, _FIRE, _POLICE),
        ),
        Emergency(
            "fainted",
            _(
                "Call 120 now: say where you are and what happened.\n\n"
                "120 ambulance\n119 fire\n110 police\n122 road accidents"
            ),
            (_AMBULANCE, _FIRE, _POLICE, _TRAFFIC),
        ),
        Emergency(
            "highway",
            _(
                "Hazard lights on, warning triangle at least 150 m behind, everyone behind the barrier. Then call "
                "12122: the road's name, your direction, the kilometre post.\n\n"
                "12122 expressway rescue\n120 ambulance\n122 road accidents\n119 fire\n110 police"
            ),
            (_EXPRESSWAY, _AMBULANCE, _TRAFFIC, _FIRE, _POLICE),
        ),
        Emergency(
            "help",
            _(
                "If anyone is in danger, call now.\n\n"
                "120 ambulance\n119 fire\n110 police\n122 road accidents\n12356 someone to talk to"
            ),
            (_AMBULANCE, _FIRE, _POLICE, _TRAFFIC, _SUPPORT),
        ),
    )
}
