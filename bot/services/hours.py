"""Opening hours: OpenStreetMap's syntax, asked at a moment, with Chinese holidays and make-up workdays."""

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from opening_hours import OpeningHours, ParserError, State  # type: ignore[attr-defined]  # incomplete stubs

from bot.services.holidays import Calendar, mainland

Openness = Literal["open", "closed", "unknown"]


@dataclass(frozen=True, slots=True)
class Opening:
    """Whether a place is open, and until when that stays so.

    `until` is aware, in the city's zone; None where nothing changes for more than a week or nothing is known.
    """

    state: Openness
    until: datetime | None = None


UNKNOWN = Opening("unknown")


@lru_cache(maxsize=10_000)
def compiled(text: str, zone: ZoneInfo, calendar: Calendar | None = None) -> "Hours":
    """The hours written in `text`; empty means unknown. Raises ValueError if they cannot be understood.

    `PH` in a rule means every day off of `calendar` (by default the mainland's), Golden Week and all. A
    make-up workday has the hours of that week's Wednesday. A holiday that no rule speaks of is a weekday.
    """
    return Hours(text.strip(), zone, calendar or mainland())


class Hours:
    """One text of opening hours, ready to be asked."""

    __slots__ = ("_days", "_rules", "_timeline", "_zone", "text")

    def __init__(self, text: str, zone: ZoneInfo, calendar: Calendar) -> None:
        self.text = text
        self._zone = zone
        self._days = _SpecialDays(text, calendar)
        self._rules = _Rules(text, zone) if text and not _ONLY_COMMENT.fullmatch(text) else None
        self._timeline: _Timeline | None = None

    def at(self, when: datetime) -> Opening:
        """Whether it is open at `when` (aware), and when that ends."""
        return self.at_second(when.timestamp())

    def at_second(self, when: float) -> Opening:
        """The same for a moment in seconds since 1970, UTC."""
        rules, timeline = self._rules, self._timeline
        if rules is None:
            return UNKNOWN
        if timeline is None or not timeline.starts <= when < timeline.ends:
            # Whoever asks next finds it ready: a turn asks for tens of places at nearly the same moment.
            timeline = self._timeline = self._drawn(rules, datetime.fromtimestamp(when, self._zone).date())
        return timeline.openings[bisect_right(timeline.changes, when) - 1]

    def _drawn(self, rules: "_Rules", day: date) -> "_Timeline":
        start, end = day, day + _LOOK_AHEAD
        if special := self._days.between(start - _A_DAY, end):
            spans = list(_composed(rules, special, start, end))
        else:
            spans = [(span.start, span.state) for span in rules.ordinary(start, end)]
        changes = [(at, state) for n, (at, state) in enumerate(spans) if not n or spans[n - 1][1] != state]
        moments = [at.replace(tzinfo=self._zone) for at, _state in changes]
        openings = map(Opening, (state for _at, state in changes), [*moments[1:], None])
        return _Timeline(
            starts=_midnight(day).replace(tzinfo=self._zone).timestamp(),
            ends=_midnight(day + _VALID).replace(tzinfo=self._zone).timestamp(),
            changes=[at.timestamp() for at in moments],
            openings=list(openings),
        )


_A_DAY = timedelta(days=1)
_VALID = timedelta(days=2)
_LOOK_AHEAD = timedelta(days=13)  # past the longest run of holidays
_SPILL = timedelta(hours=12)
_ONLY_COMMENT = re.compile(r'"[^"]*"')
_STATES: dict[str, Openness] = {"open": "open", "closed": "closed", "unknown": "unknown"}


@dataclass(frozen=True, slots=True)
class _Timeline:
    """Every change from `starts` on; good for questions before `ends`. In seconds since 1970."""

    starts: float
    ends: float
    changes: list[float]
    openings: list[Opening]


@dataclass(frozen=True, slots=True)
class _Span:
    """A stretch of one state, in local time without a zone."""

    start: datetime
    end: datetime
    state: Openness


class _SpecialDays:
    """The holidays and make-up workdays that change anything for one text."""

    def __init__(self, text: str, calendar: Calendar) -> None:
        rules = re.sub(r'"[^"]*"', "", text)
        self._holidays = calendar.holidays if re.search(r"\bPH\b", rules) else frozenset()
        by_weekday = re.search(r"\b(?:Mo|Tu|We|Th|Fr|Sa|Su)\b", rules, re.IGNORECASE)
        self._workdays = calendar.workdays if by_weekday else frozenset()

    def between(self, start: date, end: date) -> dict[date, Literal["holiday", "workday"]]:
        found: dict[date, Literal["holiday", "workday"]] = {}
        if self._holidays or self._workdays:
            for day in _days(start, end):
                if day in self._holidays:
                    found[day] = "holiday"
                elif day in self._workdays:
                    found[day] = "workday"
        return found


class _Rules:
    """The rules of a text, as they hold on ordinary days and on holidays."""

    def __init__(self, text: str, zone: ZoneInfo) -> None:
        # Without a country the library knows no holidays: a rule for PH matches no day.
        self._zone = zone
        try:
            self._ordinary = self._parsed(text)
        except ParserError as error:
            raise ValueError(f"opening hours not understood: {text!r}") from error
        try:
            self._holiday = self._parsed(_on_holidays(text))
        except ParserError:
            self._holiday = self._ordinary

    def _parsed(self, text: str) -> OpeningHours:
        return OpeningHours(text, timezone=self._zone, auto_country=False, auto_timezone=False)

    def ordinary(self, start: date, end: date) -> Iterator[_Span]:
        return self._spans(self._ordinary, start, end)

    def holiday(self, start: date, end: date) -> Iterator[_Span]:
        return self._spans(self._holiday, start, end)

    def _spans(self, rules: OpeningHours, start: date, end: date) -> Iterator[_Span]:
        first, last = (_midnight(day).replace(tzinfo=self._zone) for day in (start, end))
        for begins, ends, state, _comment in rules.intervals(first, last):
            yield _Span(begins.replace(tzinfo=None), ends.replace(tzinfo=None), _state(state))


def _state(state: State) -> Openness:
    return _STATES[str(state)]


def _on_holidays(text: str) -> str:
    """The rules with PH made every day of the week; `PH Mo-Fr` is a holiday on one of these days."""

    def widened(match: re.Match[str]) -> str:
        if match[0].startswith('"') or match["offset"]:
            return match[0]
        return "" if match["weekdays"] else "Mo-Su"

    weekday = "Mo|Tu|We|Th|Fr|Sa|Su"
    return re.sub(
        rf'"[^"]*"|\bPH\b(?P<offset>\s*[+-]\s*\d+\s*days?)?(?P<weekdays>\s+(?=(?:{weekday})\b))?',
        widened,
        text,
    )


def _composed(
    rules: _Rules, special: dict[date, Literal["holiday", "workday"]], start: date, end: date
) -> Iterator[tuple[datetime, Openness]]:
    """The changes from `start` to `end`, day by day, each by the rules that hold on it.

    A stretch past midnight belongs to the day on which it began: the night before a holiday ends as usual.
    """
    margin = timedelta(days=5)
    ordinary = _by_day(rules.ordinary(start - margin, end + margin))
    holiday = _by_day(rules.holiday(start - margin, end + margin))
    spans = []
    for day in _days(start - _A_DAY, end):
        kind = special.get(day)
        like = _wednesday_near(day) if kind == "workday" else day
        shift = day - like
        for span in (holiday if kind == "holiday" else ordinary)[like]:
            spans.append(_Span(span.start + shift, span.end + shift, span.state))
    first, last = _midnight(start), _midnight(end)
    edges = {first} | {edge for span in spans for edge in (span.start, span.end) if first < edge < last}
    for edge in sorted(edges):
        states = {span.state for span in spans if span.start <= edge < span.end}
        yield edge, "open" if "open" in states else "unknown" if "unknown" in states else "closed"


def _by_day(spans: Iterator[_Span]) -> defaultdict[date, list[_Span]]:
    """What is not closed, under the day on which it began; what lasts for days is cut at midnight."""
    days: defaultdict[date, list[_Span]] = defaultdict(list)
    for span in spans:
        start = span.start
        while span.state != "closed" and start < span.end:
            midnight = _midnight(start.date() + _A_DAY)
            end = span.end if span.end - midnight < _SPILL else midnight
            days[start.date()].append(_Span(start, end, span.state))
            start = end
    return days


def _wednesday_near(day: date) -> date:
    """The Wednesday three days before a Saturday or after a Sunday; a Monday often has hours of its own."""
    offset = (2 - day.weekday()) % 7
    return day + timedelta(days=offset if offset <= 3 else offset - 7)


def _days(start: date, end: date) -> Iterator[date]:
    return (start + timedelta(days=n) for n in range((end - start).days))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time())
