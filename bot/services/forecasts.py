"""A weather forecast in Open-Meteo's format: read, compared with the city's thresholds, and put before the staff.

It never sends: what comes of it is a proposal, as somebody of the staff would press it.
"""

import json
import tomllib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import Any, Literal

import structlog
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Database, insert
from bot.models import Lease, WeatherWarning
from bot.services import weather
from bot.services.broadcasts.newsroom import Newsroom
from bot.services.city import County
from bot.services.weather_words import FILE, KINDS, LEVELS, Prepared

log = structlog.get_logger(__name__)

EVERY = timedelta(minutes=30)
# After a failure somebody looks again earlier.
AGAIN = timedelta(minutes=5)
# A warning that is proposed holds at least and at most so long. A few better hours between bad ones belong to it.
LEAST, MOST = timedelta(hours=6), timedelta(hours=48)
PATIENCE = timedelta(hours=3)
# What is asked for, with the unit in which it must come.
UNITS = {
    "temperature_2m": "°C",
    "precipitation": "mm",
    "snowfall": "cm",
    "visibility": "m",
    "wind_gusts_10m": "m/s",
}
_TURN = "forecast"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_MOST_HOURS = 24 * 20
# What the thresholds of each kind are called.
_MEASURES = {
    "snow": {"snow_cm"},
    "gale": {"gust_ms"},
    "fog": {"visibility_m"},
    "ice": {"frost_c", "wet_mm"},
    "cold_wave": {"drop_c", "frost_c"},
}

Fetch = Callable[[], Awaitable[bytes | None]]
Looked = Literal["ok", "unreachable", "unreadable"]


class Unreadable(ValueError):
    """The feed says something else than hours in the units that were asked for."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A level of a kind of weather, proposed when the next `hours` bring what its `limits` say."""

    kind: str
    level: str
    hours: int
    limits: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Hours:
    """A forecast hour by hour; `values` by the names of UNITS, None where nothing is known."""

    times: tuple[datetime, ...]
    values: Mapping[str, tuple[float | None, ...]]

    def between(self, name: str, begins: datetime, ends: datetime) -> list[float]:
        """What is known of `name` from `begins` on, before `ends`."""
        known = zip(self.times, self.values.get(name, ()), strict=False)
        return [value for at, value in known if begins <= at < ends and value is not None]


@dataclass(frozen=True, slots=True)
class Coming:
    """A level that the forecast would justify, from now on."""

    kind: str
    level: str
    ends_at: datetime


def rules_of(folder: Path) -> list[Rule]:
    """The city's thresholds, from `weather.toml` in its folder; raises KeyError, TypeError or ValueError."""
    kept = tomllib.loads((folder / FILE).read_text(encoding="utf-8"))
    return [_rule(dict(table)) for table in kept.get("forecast", ())]


def read(payload: bytes) -> Hours:
    """The hours that the feed tells of; raises Unreadable."""
    try:
        said = json.loads(payload)
        hourly, units = said["hourly"], said["hourly_units"]
        times = tuple(_time(at, said.get("utc_offset_seconds", 0)) for at in hourly["time"][:_MOST_HOURS])
        values = {name: _values(hourly[name], len(times)) for name in UNITS if name in hourly}
        wrong = [name for name in values if units.get(name) != UNITS[name]]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise Unreadable(type(error).__name__) from error
    if wrong:
        raise Unreadable(f"{wrong[0]} is not in {UNITS[wrong[0]]}")
    if not times or any(later - earlier != _HOUR for earlier, later in pairwise(times)):
        raise Unreadable("these are no hours in a row")
    return Hours(times, values)


def worth_a_warning(hours: Hours, rules: Sequence[Rule], now: datetime) -> list[Coming]:
    """For each kind the highest level that the forecast reaches, if any."""
    order = list(LEVELS)
    found: dict[str, Coming] = {}
    for rule in sorted(rules, key=lambda rule: order.index(rule.level), reverse=True):
        if rule.kind not in found and _is_met(rule, hours, now):
            found[rule.kind] = Coming(rule.kind, rule.level, _end(rule, hours, now))
    return list(found.values())


async def look(
    database: Database,
    fetch: Fetch,
    rules: Sequence[Rule],
    *,
    places_in: Mapping[str, County],
    words: Prepared,
    newsroom: Newsroom,
    now: datetime,
) -> Looked | None:
    """Look at the forecast if it is time, in one process of all; propose what it justifies. None: it is not time.

    Nothing is fetched inside a transaction, and a feed that fails is asked again soon.
    """
    if not await _takes_turn(database, now):
        return None
    payload = await fetch()
    result: Looked = "unreachable"
    if payload is not None:
        try:
            coming = worth_a_warning(_current(read(payload), now), rules, now)
        except Unreadable as error:
            log.warning("forecast not understood", reason=str(error))
            result = "unreadable"
        else:
            for one in coming:
                async with database.writing() as db:
                    await propose(db, one, places_in=places_in, words=words, newsroom=newsroom, now=now)
            return "ok"
    async with database.writing() as db:
        await db.execute(update(Lease).where(Lease.name == _TURN).values(until=now + AGAIN))
    return result


async def propose(
    db: AsyncSession,
    coming: Coming,
    *,
    places_in: Mapping[str, County],
    words: Prepared,
    newsroom: Newsroom,
    now: datetime,
) -> int | None:
    """Put it before the staff for the whole city; returns its number.

    None if as much is proposed or in force, or somebody dropped it, and that time is not over yet.
    """
    enough = list(LEVELS)[list(LEVELS).index(coming.level) :]
    known = select(WeatherWarning.counties).where(
        WeatherWarning.kind == coming.kind,
        WeatherWarning.level.in_(enough),
        WeatherWarning.state.in_(("proposed", "in_force", "dismissed")),
        WeatherWarning.ends_at > now,
    )
    if any(not counties for counties in await db.scalars(known)):
        return None
    return await weather.propose(
        db,
        None,
        kind=coming.kind,
        level=coming.level,
        starts_at=now,
        ends_at=coming.ends_at,
        places_in=places_in,
        words=words,
        newsroom=newsroom,
        now=now,
    )


def _current(hours: Hours, now: datetime) -> Hours:
    if hours.times[-1] < now + LEAST:
        raise Unreadable("it tells of what is over")
    return hours


async def _takes_turn(database: Database, now: datetime) -> bool:
    """Whether it is time, and this process is the one that looks."""
    async with database.reading() as db:
        until = await db.scalar(select(Lease.until).where(Lease.name == _TURN))
    if until is not None and until > now:
        return False
    values = {"holder": "", "until": now + EVERY}
    taking = insert(db, Lease).values(name=_TURN, **values)
    async with database.writing() as db:
        taken = taking.on_conflict_do_update(index_elements=["name"], set_=values, where=Lease.until <= now)
        return await db.scalar(taken.returning(Lease.name)) is not None


def _rule(table: dict[str, Any]) -> Rule:
    kind, level, hours = table.pop("kind"), table.pop("level"), table.pop("hours")
    if kind not in KINDS or level not in LEVELS or type(hours) is not int or not 0 < hours <= MOST / _HOUR:
        raise ValueError(f"there is no warning {kind!r}, {level!r} for {hours!r} hours")
    if table.keys() != _MEASURES[kind]:
        raise ValueError(f"a rule for {kind} says {', '.join(sorted(_MEASURES[kind]))}")
    return Rule(kind, level, hours, {name: float(value) for name, value in table.items()})


def _time(at: object, offset: object) -> datetime:
    """A moment in UTC, of Unix seconds or of local ISO time."""
    if type(at) is int:
        return _EPOCH + timedelta(seconds=at)
    if not isinstance(at, str) or type(offset) is not int:
        raise TypeError("time")
    return datetime.fromisoformat(at).replace(tzinfo=UTC) - timedelta(seconds=offset)


def _values(values: object, count: int) -> tuple[float | None, ...]:
    if not isinstance(values, list) or len(values) < count:
        raise TypeError("values")
    return tuple(_value(value) for value in values[:count])


def _value(value: object) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not isfinite(value):  # type: ignore[arg-type]  # asked just before
        raise TypeError("value")
    return float(value)  # type: ignore[arg-type]


def _is_met(rule: Rule, hours: Hours, now: datetime) -> bool:
    ends, limits = now + rule.hours * _HOUR, rule.limits
    match rule.kind:
        case "snow":
            return sum(hours.between("snowfall", now, ends)) >= limits["snow_cm"]
        case "gale":
            return max(hours.between("wind_gusts_10m", now, ends), default=0.0) >= limits["gust_ms"]
        case "fog":
            sight = hours.between("visibility", now, ends)
            return bool(sight) and min(sight) <= limits["visibility_m"]
        case "ice":
            cold = hours.between("temperature_2m", now, ends)
            wet = sum(hours.between("precipitation", now, ends))
            return bool(cold) and min(cold) <= limits["frost_c"] and wet >= limits["wet_mm"]
    before = hours.between("temperature_2m", now - rule.hours * _HOUR, now)
    after = hours.between("temperature_2m", now, ends)
    is_known = bool(before and after)
    return is_known and min(after) <= limits["frost_c"] and min(before) - min(after) >= limits["drop_c"]


def _end(rule: Rule, hours: Hours, now: datetime) -> datetime:
    """When the bad hours are over that begin within the rule's own."""
    last: datetime | None = None
    for n, at in enumerate(hours.times):
        if not now - _HOUR < at < now + MOST or not _is_bad(rule, hours, n):
            continue
        has_begun = last is not None or at < now + rule.hours * _HOUR
        if not has_begun or (last is not None and at - last > PATIENCE + _HOUR):
            break
        last = at
    ends = (last or now) + _HOUR
    return min(max(ends, now + LEAST), now + MOST)


def _is_bad(rule: Rule, hours: Hours, n: int) -> bool:
    """Whether hour `n` is one of those that the rule warns of."""

    def value(name: str) -> float | None:
        known = hours.values.get(name, ())
        return known[n] if n < len(known) else None

    match rule.kind:
        case "snow":
            return (value("snowfall") or 0.0) > 0
        case "gale":
            return (value("wind_gusts_10m") or 0.0) >= rule.limits["gust_ms"]
        case "fog":
            return (sight := value("visibility")) is not None and sight <= rule.limits["visibility_m"]
    return (degrees := value("temperature_2m")) is not None and degrees <= rule.limits["frost_c"]
