"""The city that this installation serves: its counties, its clock, its middle."""

import csv
import math
import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class County:
    """One county. `lat`, `lng` are its seat's, WGS-84, within a kilometre; `aliases` are what people say."""

    code: str
    name: str
    name_zh_TW: str
    name_en: str
    lat: float
    lng: float
    aliases: tuple[str, ...] = ()

    def called(self, locale: str) -> str:
        """The county's name in `locale`."""
        return _in_locale(self, locale)


@dataclass(frozen=True)
class City:
    """A city, whose profile is in `folder`.

    `code` and the keys of `counties` are GB/T 2260 codes; `lat`, `lng` are its middle, WGS-84.
    """

    code: str
    name: str
    name_zh_TW: str
    name_en: str
    zone: ZoneInfo
    lat: float
    lng: float
    counties: Mapping[str, County]
    folder: Path

    def called(self, locale: str) -> str:
        """The city's name in `locale`."""
        return _in_locale(self, locale)

    def county_at(self, lat: float, lng: float) -> County:
        """The county whose seat is nearest to a point (WGS-84): a hint, since borders are not known."""
        return min(self.counties.values(), key=lambda county: _flat_distance(county, lat, lng))

    def county_named(self, text: str) -> County | None:
        """The county that `text` mentions, by the longest of its names, so that 新绛县 is not 绛县."""
        words = unicodedata.normalize("NFKC", text).casefold()
        for name, pattern, county in self._names:
            if name in words and (pattern is None or pattern.search(words)):
                return county
        return None

    @cached_property
    def _names(self) -> list[tuple[str, re.Pattern[str] | None, County]]:
        """Every name, longest first; one in Latin letters counts only as whole words."""
        found = []
        for county in self.counties.values():
            for name in {county.name, county.name_zh_TW, county.name_en, *county.aliases}:
                folded = name.casefold()
                whole = re.compile(rf"(?<![a-z]){re.escape(folded)}(?![a-z])") if folded.isascii() else None
                found.append((folded, whole, county))
        return sorted(found, key=lambda entry: (-len(entry[0]), entry[0]))


def load_city(folder: Path) -> City:
    """The profile in `folder`: `city.toml`, `counties.csv`. Raises OSError, KeyError or ValueError."""
    profile = tomllib.loads((folder / "city.toml").read_text("utf-8"))
    with (folder / "counties.csv").open(encoding="utf-8-sig", newline="") as file:
        counties = {row["code"]: _county(row) for row in csv.DictReader(file)}
    return City(
        code=profile["code"],
        name=profile["name"],
        name_zh_TW=profile["name_zh_TW"],
        name_en=profile["name_en"],
        zone=ZoneInfo(profile["zone"]),
        lat=profile["center"]["lat"],
        lng=profile["center"]["lng"],
        counties=MappingProxyType(counties),
        folder=folder,
    )


def _county(row: Mapping[str, str]) -> County:
    return County(
        code=row["code"],
        name=row["name"],
        name_zh_TW=row["name_zh_TW"],
        name_en=row["name_en"],
        lat=float(row["lat"]),
        lng=float(row["lng"]),
        aliases=tuple(alias for alias in row["aliases"].split(";") if alias),
    )


def _in_locale(named: County | City, locale: str) -> str:
    if locale == "zh_TW":
        return named.name_zh_TW
    return named.name_en if locale == "en" else named.name


def _flat_distance(county: County, lat: float, lng: float) -> float:
    return math.hypot(county.lat - lat, (county.lng - lng) * math.cos(math.radians(county.lat)))
