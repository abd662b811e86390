"""Public holidays, and the weekend days that are worked in exchange for them (调休)."""

import csv
import re
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from bot.errors import Problem
from bot.i18n import _

FILE = "holidays.csv"
_DAY = re.compile(r"([0-9]{4})[-/]([0-9]{1,2})[-/]([0-9]{1,2})")


class BadTable(Problem):
    """A table of holidays that cannot be read; `row` is the first that is wrong, the header is row 1."""

    def __init__(self, row: int) -> None:
        self.row = row
        super().__init__(
            _(
                "Row {row} of holidays.csv cannot be read: it must name a date such as 2027-01-01 and a kind, which is "
                "holiday, workday or ordinary.",
                row=row,
            )
        )


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days off by law, and Saturdays and Sundays on which everybody works."""

    holidays: frozenset[date] = frozenset()
    workdays: frozenset[date] = frozenset()

    def covers(self, year: int) -> bool:
        """Whether the holidays of `year` are known."""
        return any(day.year == year for day in self.holidays)

    def missing_year(self, today: date) -> int | None:
        """The year whose holidays somebody should enter: this one, or the next, which is announced in November."""
        if not self.covers(today.year):
            return today.year
        return today.year + 1 if today.month >= 11 and not self.covers(today.year + 1) else None

    def amended(self, file: Path) -> "Calendar":
        """This calendar with the changes of a CSV file: a `date`, its `kind`, and a `name` for whoever reads the file.

        A `holiday` is off, a `workday` is worked, an `ordinary` day is neither, whatever was known of it. Excel may
        have written the dates its own way, and the names in whichever encoding. Raises BadTable and OSError.
        """
        kinds: dict[date, str] = {}
        for number, row in enumerate(csv.reader(file.read_text("utf-8-sig", "replace").splitlines()), 1):
            cells = [cell.strip() for cell in row]
            if not any(cells) or (number == 1 and cells[:2] == ["date", "kind"]):
                continue
            day = _day(cells[0])
            if day is None or cells[1:2] not in (["holiday"], ["workday"], ["ordinary"]):
                raise BadTable(number)
            kinds[day] = cells[1]
        holidays, workdays = (frozenset(day for day in kinds if kinds[day] == kind) for kind in ("holiday", "workday"))
        return Calendar(self.holidays.difference(kinds) | holidays, self.workdays.difference(kinds) | workdays)


@cache
def mainland() -> Calendar:
    """What the State Council has announced, as far as the package `chinesecalendar` knows it."""
    from chinese_calendar import constants

    return Calendar(frozenset(constants.holidays), frozenset(constants.workdays))


def known_in(folder: Path) -> Calendar:
    """The mainland's calendar with the changes of the city whose profile is in `folder`. Raises BadTable, OSError."""
    file = folder / FILE
    return mainland().amended(file) if file.exists() else mainland()


def _day(text: str) -> date | None:
    found = _DAY.fullmatch(text)
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None
