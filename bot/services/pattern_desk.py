"""Weekly patterns as staff look after them: the form, what it would make, and making it."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import Problem
from bot.i18n import Text, _
from bot.models import Place
from bot.models import SessionPattern as Row
from bot.services import audit, authority, patterns
from bot.services.authority import Member
from bot.services.desk import Desk
from bot.services.patterns import Foreseen, Made, Rhythm
from bot.services.place_desk import Misfilled
from bot.services.place_files.cells import BadCell, count, day, parts, tidy
from bot.services.session_desk import open_offering, require_where
from bot.services.session_forms import Where, clock, read_where, values_of

MOST_BREAKS = 3
MOST_DAYS = 60
FIELDS = (
    *("opens", "closes", "minutes", "capacity", "first_day", "last_day", "off_days", "extra_days", "skips_holidays"),
    *("place", "address", "lawyer"),
)

Cells = dict[str, Any]


class NoSuchPattern(Problem):
    text = _("That weekly pattern is not there any more.")


@dataclass(frozen=True, slots=True)
class Filled:
    """A form of a pattern, read."""

    rhythm: Rhythm
    where: Where
    address: str
    lawyer_id: int | None


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern as it is kept, with its place."""

    id: int
    code: str
    offering_id: int
    rhythm: Rhythm
    place_code: str
    place_name: str
    county: str
    address: str
    lawyer_id: int | None


async def of_offering(db: AsyncSession, member: Member, offering_id: int) -> list[Pattern]:
    """The patterns of an offering that this member may look at, the newest last."""
    authority.require(member, "session.read")
    rows = await db.execute(_selected().where(Row.offering_id == offering_id).order_by(Row.id))
    found = [_pattern(*row) for row in rows]
    return [one for one in found if authority.is_within(member, [one.county] if one.county else [])]


async def found(db: AsyncSession, member: Member, pattern_id: int) -> Pattern:
    """A pattern; raises NoSuchPattern, and NotAllowed where it is not this member's."""
    row = (await db.execute(_selected().where(Row.id == pattern_id))).one_or_none()
    if row is None:
        raise NoSuchPattern
    pattern = _pattern(*row)
    authority.require(member, "session.write", counties=[pattern.county] if pattern.county else [])
    return pattern


async def read(db: AsyncSession, cells: Mapping[str, Any]) -> Filled:
    """A form with FIELDS, `weekdays` as a list of numbers, breaks as `break_0_since`, `break_0_until`, ….

    Raises Misfilled.
    """
    readers = {"opens": clock, "closes": clock, "minutes": count, "capacity": count, "first_day": day}
    values, faults = values_of(cells, readers)
    where, address, lawyer_id = await read_where(db, cells, faults)
    weekdays = frozenset(int(number) for number in cells["weekdays"] if number in set("0123456"))
    if not weekdays:
        faults["weekdays"] = _("Tick at least one weekday.")
    last_day = _optional(cells, "last_day", day, faults)
    off_days, extra_days = (_days(cells, name, faults) for name in ("off_days", "extra_days"))
    breaks = _breaks(cells, faults)
    if last_day and values.get("first_day", last_day) > last_day:
        faults["last_day"] = _("The last day must not be before the first.")
    if faults or where is None:
        raise Misfilled(faults)
    rhythm = Rhythm(
        weekdays,
        values["opens"],
        values["closes"],
        timedelta(minutes=values["minutes"]),
        values["capacity"],
        values["first_day"],
        last_day,
        breaks,
        off_days,
        extra_days,
        cells.get("skips_holidays") == "1",
    )
    if not patterns.slots(rhythm):
        raise Misfilled({"closes": patterns.BadPattern.text})
    return Filled(rhythm, where, address, lawyer_id)


def cells_of(pattern: Pattern) -> Cells:
    """The pattern as its form shows it."""
    rhythm = pattern.rhythm
    cells: Cells = {
        "weekdays": [str(number) for number in sorted(rhythm.weekdays)],
        "opens": f"{rhythm.opens:%H:%M}",
        "closes": f"{rhythm.closes:%H:%M}",
        "minutes": str(int(rhythm.slot.total_seconds() // 60)),
        "capacity": str(rhythm.capacity),
        "first_day": str(rhythm.first_day),
        "last_day": str(rhythm.last_day or ""),
        "off_days": "; ".join(map(str, sorted(rhythm.off_days))),
        "extra_days": "; ".join(map(str, sorted(rhythm.extra_days))),
        "skips_holidays": "1" if rhythm.skips_holidays else "",
        "place": pattern.place_code,
        "address": pattern.address,
        "lawyer": str(pattern.lawyer_id or ""),
    }
    for n, (since, until) in enumerate(rhythm.breaks):
        cells |= {f"break_{n}_since": f"{since:%H:%M}", f"break_{n}_until": f"{until:%H:%M}"}
    return cells


def blank(today: date) -> Cells:
    """The form of a new pattern: an ordinary office week."""
    return {
        "weekdays": ["0", "1", "2", "3", "4"],
        "opens": "09:00",
        "closes": "17:00",
        "minutes": "60",
        "capacity": "10",
        "first_day": str(today),
        "skips_holidays": "1",
        "break_0_since": "12:00",
        "break_0_until": "14:00",
    }


async def foresee(
    db: AsyncSession,
    member: Member,
    offering_id: int,
    filled: Filled,
    *,
    pattern: Pattern | None,
    now: datetime,
    desk: Desk,
) -> Foreseen:
    """What saving the form would do to the coming sessions."""
    return await patterns.foresee(
        db,
        code=pattern.code if pattern else await _new_code(db, member, offering_id),
        offering_id=offering_id,
        rhythm=filled.rhythm,
        pattern_id=pattern.id if pattern else None,
        place_id=filled.where.place_id,
        address=filled.address,
        lawyer_id=filled.lawyer_id,
        now=now,
        desk=desk,
    )


async def save(
    db: AsyncSession,
    member: Member,
    offering_id: int,
    filled: Filled,
    *,
    pattern_id: int | None,
    now: datetime,
    desk: Desk,
) -> Made:
    """Keep the pattern and make its sessions of the weeks to come; raises NeedsPlace, NotAllowed, NoSuchPattern."""
    require_where(member, filled.where)
    before = await found(db, member, pattern_id) if pattern_id else None
    code = before.code if before else await _new_code(db, member, offering_id)
    number = await patterns.save(
        db,
        member.id,
        code=code,
        offering_id=offering_id,
        rhythm=filled.rhythm,
        place_id=filled.where.place_id,
        address=filled.address,
        lawyer_id=filled.lawyer_id,
    )
    made = await patterns.make(db, member.id, pattern_id=number, now=now, desk=desk)
    after = cells_of(await found(db, member, number))
    old = cells_of(before) if before else {}
    changed = [name for name in dict.fromkeys((*old, *after)) if old.get(name, "") != after.get(name, "")]
    await audit.record(
        db,
        member,
        "pattern.write",
        f"pattern:{number}",
        now=now,
        before={name: old[name] for name in changed if name in old},
        after={name: after.get(name, "") for name in changed} | {"added": made.added, "removed": made.removed},
    )
    return made


def _selected() -> Any:
    columns = (Row, Place.code, Place.name, Place.county)
    return select(*columns).outerjoin(Place, Place.id == Row.place_id)


def _pattern(row: Row, place_code: str | None, place_name: str | None, county: str | None) -> Pattern:
    rhythm = patterns.rhythm_of(row)
    place = (place_code or "", place_name or "", county or "")
    return Pattern(row.id, row.code, row.offering_id, rhythm, *place, row.address, row.lawyer_id)


async def _new_code(db: AsyncSession, member: Member, offering_id: int) -> str:
    return f"{await open_offering(db, member, offering_id)}-{secrets.token_hex(4)}"


def _optional(cells: Mapping[str, Any], name: str, reader: Any, faults: dict[str, Text]) -> Any:
    try:
        text = tidy(cells.get(name, ""))
        return reader(text) if text else None
    except BadCell as bad:
        faults[name] = bad.reason
        return None


def _days(cells: Mapping[str, Any], name: str, faults: dict[str, Text]) -> frozenset[date]:
    def several(text: str) -> frozenset[date]:
        written = [part for piece in parts(text) for part in piece.replace("，", " ").replace(",", " ").split()]
        if len(written) > MOST_DAYS:
            raise BadCell(_("at most {limit} days", limit=MOST_DAYS))
        return frozenset(map(day, written))

    return _optional(cells, name, several, faults) or frozenset()


def _breaks(cells: Mapping[str, Any], faults: dict[str, Text]) -> tuple[tuple[time, time], ...]:
    breaks = []
    for n in range(MOST_BREAKS):
        since, until = (_optional(cells, f"break_{n}_{end}", clock, faults) for end in ("since", "until"))
        if (since is None) != (until is None) or (since and until and since >= until):
            faults.setdefault(f"break_{n}_since", _("A break has a beginning and a later end."))
        elif since and until:
            breaks.append((since, until))
    return tuple(breaks)
