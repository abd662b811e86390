"""What is said of bad weather: its kinds and colours, and the city's prepared words for each of them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.i18n import LOCALES, Text, _

FILE = "weather.toml"
KINDS: dict[str, Text] = {
    "snow": _("Snow"),
    "ice": _("Icy roads"),
    "fog": _("Fog"),
    "gale": _("Gale"),
    "cold_wave": _("Cold wave"),
}
LEVELS: dict[str, Text] = {"blue": _("Blue"), "yellow": _("Yellow"), "orange": _("Orange"), "red": _("Red")}
SEVERE = frozenset({"orange", "red"})
_COLOURS = {
    "zh_CN": {"blue": "蓝色", "yellow": "黄色", "orange": "橙色", "red": "红色"},
    "zh_TW": {"blue": "藍色", "yellow": "黃色", "orange": "橙色", "red": "紅色"},
    "en": {"blue": "blue", "yellow": "yellow", "orange": "orange", "red": "red"},
}
_TITLES = {"zh_CN": "{name}{colour}预警", "zh_TW": "{name}{colour}預警", "en": "{name}: {colour} warning"}


@dataclass(frozen=True, slots=True)
class Prepared:
    """The words of every kind, as the city keeps them."""

    source: str
    kinds: Mapping[str, Mapping[str, Any]]

    def texts(self, kind: str, level: str) -> dict[str, Any]:
        """Title and body of a level in every language."""
        texts = {}
        for locale in LOCALES:
            words = self.kinds[kind][locale]
            title = _TITLES[locale].format(name=words["name"], colour=_COLOURS[locale][level])
            severe = [words["severe"]] if level in SEVERE else []
            texts[locale] = {"title": title, "body": "\n".join((words["body"], *severe))}
        return texts


def prepared(folder: Path) -> Prepared:
    """The city's prepared words, from `weather.toml` in its folder; raises KeyError where a kind is missing."""
    kept = tomllib.loads((folder / FILE).read_text(encoding="utf-8"))
    return Prepared(kept["source"], {kind: kept["kinds"][kind] for kind in KINDS})
