"""When a notice is told: a rule in the city's local time, and the moments (UTC) at which it fires.

A rule is a table such as `{kind = "weekly", weekdays = ["mon", "thu"], at = "07:30", from = "11-15", to = "03-15"}`.
`from` and `to` are month and day, both included, and come again every year, over the new year where `to` is earlier.
"""

import re
from calendar import monthrange
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from bot.errors import Problem
from bot.i18n import _

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# In the order of the year, as `lunar-python` spells them.
# fmt: off
SOLAR_TERMS = (
    "小寒", "大寒", "立春", "雨水", "惊蛰", "春分", "清明", "谷雨",
    "立夏", "小满", "芒种", "夏至", "小暑", "大暑", "立秋", "处暑",
    "白露", "秋分", "寒露", "霜降", "立冬", "小雪", "大雪", "冬至",
)
# fmt: on
MOST_DAYS_APART = 60
_INSTANT = timedelta(microseconds=1)
# Whatever comes again does so within a year; what found no day between `from` and `to` by then never will.
_HORIZON = timedelta(days=2 * 366)
_DAYS_OF_MONTHS = [monthrange(2024, month)[1] for month in range(1, 13)]


class UnreadableRule(Problem):
    """A table that is no rule; its words name the key."""

    def __init__(self, key: str) -> None:
        super().__init__(_("The schedule is wrong or incomplete at “{key}”.", key=key))


@dataclass(frozen=True, slots=True)
class Once:
    on: date
    at: time


@dataclass(frozen=True, slots=True)
class Daily:
    at: time


@dataclass(frozen=True, slots=True)
class Weekly:
    """`weekdays` are names out of WEEKDAYS, never numbers: people and libraries do not agree where a week begins."""

    weekdays: tuple[str, ...]
    at: time


@dataclass(frozen=True, slots=True)
class Monthly:
    """On a day of every month; a month without that day uses its last."""

    day: int
    at: time


@dataclass(frozen=True, slots=True)
class Yearly:
    """On a day of every year; 29 February is the 28th where there is none."""

    month: int
    day: int
    at: time


@dataclass(frozen=True, slots=True)
class Offset:
    """So many days after a date, before it if negative."""

    date: date
    days: int
    at: time


@dataclass(frozen=True, slots=True)
class SolarTerm:
    """So many days after the day of each of these terms, before it if negative."""

    terms: tuple[str, ...]
    at: time
    days: int = 0


When = Once | Daily | Weekly | Monthly | Yearly | Offset | SolarTerm


@dataclass(frozen=True, slots=True)
class Span:
    """A part of every year, from one (month, day) to another, both included."""

    first: tuple[int, int]
    last: tuple[int, int]

    def covers(self, day: date) -> bool:
        here = (day.month, day.day)
        if self.first <= self.last:
            return self.first <= here <= self.last
        return here >= self.first or here <= self.last

    def last_day(self, day: date) -> date:
        """The last day of the span that `day` is in, else of the next one."""
        month, last = self.last
        ends = (_day_of(year, month, last) for year in (day.year, day.year + 1))
        return next(end for end in ends if end >= day)

    def begins_after(self, day: date) -> date:
        """The next first day of the span after `day`."""
        month, first = self.first
        starts = (_day_of(year, month, first) for year in (day.year, day.year + 1))
        return next(start for start in starts if start > day)


@dataclass(frozen=True, slots=True)
class Rule:
    when: When
    span: Span | None = None


def read(table: Mapping[str, Any]) -> Rule:
    """The rule that a table of JSON or TOML says. Raises UnreadableRule."""
    rest = dict(table)
    kind, at = str(rest.pop("kind", "")), _time(rest)
    when: When
    match kind:
        case "once":
            when = Once(_date(rest, "on"), at)
        case "daily":
            when = Daily(at)
        case "weekly":
            when = Weekly(_names(rest, "weekdays", WEEKDAYS), at)
        case "monthly":
            when = Monthly(_number(rest, "day", 1, 31), at)
        case "yearly":
            when = Yearly(*_month_day(rest, "on"), at)
        case "offset":
            when = Offset(_date(rest, "date"), _number(rest, "days", -MOST_DAYS_APART, MOST_DAYS_APART), at)
        case "solar_term":
            terms = _names(rest, "terms", SOLAR_TERMS)
            days = _number({"days": rest.pop("days", 0)}, "days", -MOST_DAYS_APART, MOST_DAYS_APART)
            when = SolarTerm(terms, at, days)
        case _:
            raise UnreadableRule("kind")
    span = Span(_month_day(rest, "from"), _month_day(rest, "to")) if rest.keys() & {"from", "to"} else None
    if rest:
        raise UnreadableRule(min(rest))
    return Rule(when, span)


def written(rule: Rule) -> dict[str, Any]:
    """The rule as a table of JSON, which `read` reads."""
    when = rule.when
    table: dict[str, Any] = {"at": f"{when.at:%H:%M}"}
    match when:
        case Once(on=on):
            table |= {"kind": "once", "on": on.isoformat()}
        case Daily():
            table |= {"kind": "daily"}
        case Weekly(weekdays=weekdays):
            table |= {"kind": "weekly", "weekdays": list(weekdays)}
        case Monthly(day=day):
            table |= {"kind": "monthly", "day": day}
        case Yearly(month=month, day=day):
            table |= {"kind": "yearly", "on": f"{month:02}-{day:02}"}
        case Offset(date=base, days=days):
            table |= {"kind": "offset", "date": base.isoformat(), "days": days}
        case SolarTerm(terms=terms, days=days):
            table |= {"kind": "solar_term", "terms": list(terms), "days": days}
    if rule.span:
        ends = {"from": rule.span.first, "to": rule.span.last}
        table |= {key: f"{month:02}-{day:02}" for key, (month, day) in ends.items()}
    return table


def next_fires(rule: Rule, after: datetime, zone: ZoneInfo, count: int = 10) -> list[datetime]:
    """The next fires later than `after` (aware), at most `count`, in UTC."""
    return list(islice(fires(rule, after, zone), count))


def fires(rule: Rule, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """Every fire later than `after` (aware), in UTC; endless for a rule that comes again."""
    begins = after
    while at := _next(rule.when, begins, zone):
        day = at.astimezone(zone).date()
        if rule.span is None or rule.span.covers(day):
            yield at.astimezone(UTC)
            begins = after = at
        elif at - after > _HORIZON:
            return
        else:
            begins = datetime.combine(rule.span.begins_after(day), time(), zone) - _INSTANT


def _next(when: When, after: datetime, zone: ZoneInfo) -> datetime | None:
    days: Iterable[date]
    match when:
        case Once(on=on):
            days = (on,)
        case Offset(date=base, days=offset):
            days = (base + timedelta(offset),)
        case SolarTerm():
            year = (after.astimezone(zone) - timedelta(when.days)).year
            days = (day for near in (year, year + 1) for day in _term_days(when, near))
        case _:
            found = [trigger.get_next_fire_time(None, after + _INSTANT) for trigger in _triggers(when, zone)]
            return min((at for at in found if at), default=None)
    moments = (datetime.combine(day, when.at, zone) for day in days)
    return next((at for at in moments if at > after), None)


@lru_cache(256)
def _triggers(when: Daily | Weekly | Monthly | Yearly, zone: ZoneInfo) -> "tuple[CronTrigger, ...]":
    from apscheduler.triggers.cron import CronTrigger

    def cron(**fields: Any) -> CronTrigger:
        return CronTrigger(**fields, hour=when.at.hour, minute=when.at.minute, timezone=zone)

    match when:
        case Daily():
            return (cron(),)
        case Weekly(weekdays=weekdays):
            return (cron(day_of_week=",".join(weekdays)),)
        case Yearly(month=2, day=29):
            return (cron(month=2, day="last"),)
        case Yearly(month=month, day=day):
            return (cron(month=month, day=day),)
        case Monthly(day=31):
            return (cron(day="last"),)
        case Monthly(day=day) if day > 28:
            return cron(month="1,3-12", day=day), cron(month=2, day="last")
        case Monthly(day=day):
            return (cron(day=day),)


def _term_days(when: SolarTerm, year: int) -> list[date]:
    """In their order, for the terms of a rule are in the order of the year."""
    days = solar_terms(year)
    return [days[term] + timedelta(when.days) for term in when.terms]


@lru_cache(64)
def solar_terms(year: int) -> Mapping[str, date]:
    """The day, in China, on which each of the 24 terms falls in `year`. Slow (20 ms), hence kept."""
    from lunar_python import Lunar

    # The table of a year goes from one winter to the next and names those after its 大雪 in Latin letters.
    table = Lunar.fromYmd(year, 6, 1).getJieQiTable()
    spelt = {term: "DONG_ZHI" if term == "冬至" else term for term in SOLAR_TERMS}
    return {term: date.fromisoformat(table[name].toYmd()) for term, name in spelt.items()}


def _day_of(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, monthrange(year, month)[1]))


def _time(rest: dict[str, Any]) -> time:
    text = str(rest.pop("at", ""))
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d(:00)?", text):
        raise UnreadableRule("at")
    return time.fromisoformat(text)


def _date(rest: dict[str, Any], key: str) -> date:
    try:
        return date.fromisoformat(str(rest.pop(key, "")))
    except ValueError:
        raise UnreadableRule(key) from None


def _month_day(rest: dict[str, Any], key: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d\d)-(\d\d)", str(rest.pop(key, "")))
    month, day = (int(part) for part in found.groups()) if found else (0, 0)
    if not (1 <= month <= 12 and 1 <= day <= _DAYS_OF_MONTHS[month - 1]):
        raise UnreadableRule(key)
    return month, day


def _number(rest: dict[str, Any], key: str, least: int, most: int) -> int:
    value = rest.pop(key, None)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise UnreadableRule(key)
    return value


def _names(rest: dict[str, Any], key: str, known: Collection[str]) -> tuple[str, ...]:
    values = rest.pop(key, None)
    if not isinstance(values, list) or not values or not set(map(str, values)) <= set(known):
        raise UnreadableRule(key)
    return tuple(name for name in known if name in values)
