"""Public holidays, and the weekend days that are worked in exchange for them (调休)."""

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days off by law, and Saturdays and Sundays on which everybody works."""

    holidays: frozenset[date] = frozenset()
    workdays: frozenset[date] = frozenset()

    def covers(self, year: int) -> bool:
        """Whether the holidays of `year` are known."""
        return any(day.year == year for day in self.holidays)

    def misses_next_year(self, today: date) -> bool:
        """Whether somebody should enter the coming year: the government announces it in November."""
        return today.month >= 11 and not self.covers(today.year + 1)

    def amended(self, file: Path) -> "Calendar":
        """This calendar with the changes of a TOML file: lists of dates `holidays`, `workdays`, `ordinary`.

        An ordinary day is neither, whatever was known of it. Raises OSError or ValueError for a broken file.
        """
        changes = tomllib.loads(file.read_text("utf-8"))
        unknown = changes.keys() - {"holidays", "workdays", "ordinary"}
        days = {name: frozenset(changes.get(name, ())) for name in ("holidays", "workdays", "ordinary")}
        if unknown or not all(type(day) is date for listed in days.values() for day in listed):
            raise ValueError(f"{file.name}: holidays, workdays and ordinary are lists of dates")
        changed = days["holidays"] | days["workdays"] | days["ordinary"]
        return Calendar((self.holidays - changed) | days["holidays"], (self.workdays - changed) | days["workdays"])


@cache
def mainland() -> Calendar:
    """What the State Council has announced, as far as the package `chinesecalendar` knows it."""
    from chinese_calendar import constants

    return Calendar(frozenset(constants.holidays), frozenset(constants.workdays))
