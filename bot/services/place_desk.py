"""Places as staff look after them: listed, edited cell by cell, closed for a time, verified, and changed back."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Database
from bot.errors import Problem
from bot.i18n import Text, _
from bot.models import Place
from bot.services import audit, authority, figures, places
from bot.services.audit import Entry
from bot.services.authority import Member
from bot.services.place_files.cells import BadCell, Column, columns, tidy

PAGE = 50
# What the form holds, in its order; amenities are one cell, as in the places file.
FIELDS = (
    *("name", "kind", "county", "address", "phone", "hours", "weather_hours", "amenities", "entry", "note"),
    *("state", "closed_until", "closed_reason"),
)
WRITTEN, CLOSED, UNDONE, VERIFIED = "place.write", "place.close", "place.undo", "place.verify"
IMPORTED = "place.import"
_CHANGES = frozenset({WRITTEN, CLOSED, UNDONE, IMPORTED})
_HISTORY = 30

Cells = dict[str, str]


class Overtaken(Problem):
    text = _("Somebody changed this place meanwhile. Look at the history, then save again.")


class NothingToUndo(Problem):
    text = _("There is nothing to undo: the place was changed in another way since.")


class NoneTicked(Problem):
    text = _("Tick the places that are to be closed.")


class NotOpenToAll(Problem):
    def __init__(self, code: str) -> None:
        super().__init__(_("Only places that are published can be closed for a time: {code} is not.", code=code))


class Misfilled(Exception):
    """Cells of a form that cannot be taken: the field's name and why."""

    def __init__(self, faults: Mapping[str, Text]) -> None:
        self.faults = faults
        super().__init__(", ".join(faults))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which places; empty means all. `text` is a part of the name or the code, `county` a GB/T 2260 code.

    Doubtful and unverified ones are those that riders can see, unless a `state` is named.
    """

    text: str = ""
    kind: str = ""
    county: str = ""
    state: str = ""
    doubtful: bool = False
    unverified: bool = False


@dataclass(frozen=True, slots=True)
class Spot:
    """A place as a map needs it; degrees in WGS-84."""

    code: str
    name: str
    state: str
    is_doubtful: bool
    lat: float
    lng: float


async def listed(
    db: AsyncSession, member: Member, wanted: Wanted, *, now: datetime, zone: ZoneInfo, start: int = 0, limit: int
) -> list[Place]:
    """The places that are `wanted` and this member's to look after, by code."""
    conditions = _wanted_by(member, wanted, now, zone)
    query = select(Place).where(*conditions).order_by(Place.code).offset(start).limit(limit)
    return list(await db.scalars(query))


async def located(
    db: AsyncSession, member: Member, wanted: Wanted, *, now: datetime, zone: ZoneInfo, limit: int
) -> list[Spot]:
    """Of the places that `listed` would give, those of which it is known where they are."""
    conditions = _wanted_by(member, wanted, now, zone)
    columns = (Place.code, Place.name, Place.state, Place.doubtful_since.is_not(None), Place.lat, Place.lng)
    query = select(*columns).where(*conditions, Place.lat.is_not(None)).order_by(Place.code).limit(limit)
    rows = await db.execute(query)
    return [Spot(code, name, state, doubtful, lat or 0, lng or 0) for code, name, state, doubtful, lat, lng in rows]


def spot(place: Place) -> Spot:
    """A place with a position as a map needs it."""
    return Spot(place.code, place.name, place.state, place.doubtful_since is not None, place.lat or 0, place.lng or 0)


async def found(db: AsyncSession, member: Member, code: str) -> Place:
    """The place with that code; raises NoSuchPlace, and NotAllowed where it is not this member's."""
    return await _allowed(db, member, "place.read", select(Place).where(Place.code == code))


async def writable(db: AsyncSession, member: Member, code: str) -> Place:
    """The place with that code, locked by somebody who may change it; raises NoSuchPlace, NotAllowed."""
    return await _locked(db, member, "place.write", code)


async def history(db: AsyncSession, code: str) -> list[Entry]:
    """What staff did to the place, the latest first."""
    return (await audit.of(db, subject(code), limit=_HISTORY))[::-1]


def undoable(entries: Collection[Entry]) -> Entry | None:
    """Of a history, what an undo would take back: the last change, unless it made the place or moved it."""
    last = next((entry for entry in entries if entry.action in _CHANGES), None)
    return last if last and last.before and last.before.keys() <= _columns(()).keys() else None


def cells_of(place: Place) -> Cells:
    """The place's fields as a form shows them."""
    return _texts(place, FIELDS)


async def save(
    db: AsyncSession,
    member: Member,
    code: str,
    cells: Mapping[str, str],
    *,
    seen: str,
    counties: Collection[str],
    now: datetime,
    database: Database,
) -> None:
    """Take the form's `cells` (one for each of FIELDS) into the place, as an import would take them.

    `seen` is the `version` that the form was made from. Raises Misfilled, Overtaken, NoSuchPlace, NotAllowed.
    """
    place = await _locked(db, member, "place.write", code)
    values = _read(cells, counties)
    _require_county(member, values["county"])
    if seen != version(place):
        raise Overtaken
    there = place.amenity_verified
    # What is gone must not come back as checked.
    values["amenity_verified"] = {name: day for name, day in there.items() if name in values["amenities"]}
    before, after = _changed(place, values)
    if not after:
        return
    await _write(db, place, values, now=now, database=database)
    await audit.record(db, member, WRITTEN, subject(code), now=now, before=before, after=after)


async def undo(
    db: AsyncSession,
    member: Member,
    code: str,
    *,
    seen: str,
    counties: Collection[str],
    now: datetime,
    database: Database,
) -> None:
    """Write back what the last change replaced; undone once more, the change is there again.

    Raises NothingToUndo where there is none or where the place no longer is what the change made of it.
    """
    place = await _locked(db, member, "place.write", code)
    last = undoable(await history(db, code))
    if last is None or seen != version(place) or _texts(place, last.after) != last.after:
        raise NothingToUndo
    known = _columns(counties)
    try:
        values = {name: known[name].value(text) for name, text in last.before.items()}
    except BadCell:
        raise NothingToUndo from None
    _require_county(member, values.get("county", place.county))
    await _write(db, place, values, now=now, database=database)
    await audit.record(db, member, UNDONE, subject(code), now=now, before=last.after, after=last.before)


async def verify(db: AsyncSession, member: Member, code: str, *, on: date, now: datetime, database: Database) -> None:
    """Somebody saw the place `on` a day of the city's calendar; its amenities keep their own dates."""
    place = await _locked(db, member, "place.verify", code)
    before = {"verified_at": str(place.verified_at or "")}
    await places.verify(db, place.id, on=on, now=now, database=database)
    after = {"verified_at": str(place.verified_at)}
    await audit.record(db, member, VERIFIED, subject(code), now=now, before=before, after=after)


async def close(
    db: AsyncSession,
    member: Member,
    codes: Collection[str],
    *,
    until: str,
    reason: str,
    now: datetime,
    database: Database,
) -> None:
    """Close the places with these codes (a page of them at most) for a time: all, or none if one cannot be.

    `until` is the last day, as a cell; empty where nobody knows. Raises Misfilled, NoneTicked, NotOpenToAll,
    NoSuchPlace, NotAllowed.
    """
    wanted = set(codes)
    if not wanted or len(wanted) > PAGE:
        raise NoneTicked
    known, cells = _columns(()), {"state": "closed", "closed_until": until, "closed_reason": reason}
    values, faults = _values(cells, known)
    if faults:
        raise Misfilled(faults)
    # In one order always, so that two who close the same places never wait for each other.
    query = select(Place).where(Place.code.in_(wanted)).order_by(Place.id).with_for_update()
    affected = list(await db.scalars(query))
    if len(affected) < len(wanted):
        raise places.NoSuchPlace
    for place in affected:
        authority.require(member, "place.close", counties=_scope(place.county))
        if place.state not in ("published", "closed"):
            raise NotOpenToAll(place.code)
    changes = [(place, *_changed(place, values)) for place in affected]
    of_these = update(Place).where(Place.id.in_([place.id for place in affected]))
    await db.execute(of_these.values(**values, updated_at=now), execution_options={"synchronize_session": False})
    for place, before, after in changes:
        if after:
            await audit.record(db, member, CLOSED, subject(place.code), now=now, before=before, after=after)
    await places.changed(db, database)


def version(place: Place) -> str:
    """What a form carries to tell whether the place changed since."""
    return place.updated_at.isoformat()


def _wanted_by(member: Member, wanted: Wanted, now: datetime, zone: ZoneInfo) -> list[ColumnElement[bool]]:
    authority.require(member, "place.read")
    conditions = _conditions(wanted, (now - figures.UNVERIFIED_AFTER).astimezone(zone).date())
    return [*conditions, Place.county.in_(member.counties)] if member.role == "county" else conditions


def _conditions(wanted: Wanted, old: date) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.text:
        parts = (column.icontains(wanted.text, autoescape=True) for column in (Place.name, Place.code))
        conditions.append(or_(*parts))
    for column, value in ((Place.kind, wanted.kind), (Place.county, wanted.county), (Place.state, wanted.state)):
        if value:
            conditions.append(column == value)
    if (wanted.doubtful or wanted.unverified) and not wanted.state:
        conditions.append(Place.state == "published")
    if wanted.doubtful:
        conditions.append(Place.doubtful_since.is_not(None))
    if wanted.unverified:
        conditions.append(or_(Place.verified_at.is_(None), Place.verified_at < old))
    return conditions


async def _locked(db: AsyncSession, member: Member, action: str, code: str) -> Place:
    return await _allowed(db, member, action, select(Place).where(Place.code == code).with_for_update())


async def _allowed(db: AsyncSession, member: Member, action: str, query: Select[Any]) -> Place:
    place: Place | None = await db.scalar(query)
    if place is None:
        raise places.NoSuchPlace
    authority.require(member, action, counties=_scope(place.county))
    return place


def subject(code: str) -> str:
    """What the audit calls a place."""
    return f"place:{code}"


def _require_county(member: Member, county: str) -> None:
    """Nobody gives a place away to a county that is not theirs."""
    authority.require(member, "place.write", counties=_scope(county))


def _scope(county: str) -> list[str]:
    return [county] if county else []


def _read(cells: Mapping[str, str], counties: Collection[str]) -> dict[str, Any]:
    known = _columns(counties)
    values, faults = _values({name: cells.get(name, "") for name in FIELDS}, known)
    if values.get("closed_until") and values.get("state", "closed") != "closed":
        faults["closed_until"] = _("A day goes with the state “closed for a time” only.")
    if faults:
        raise Misfilled(faults)
    return values


def _values(cells: Mapping[str, str], known: Mapping[str, Column]) -> tuple[dict[str, Any], dict[str, Text]]:
    values: dict[str, Any] = {}
    faults: dict[str, Text] = {}
    for name, cell in cells.items():
        try:
            values[name] = known[name].value(tidy(cell))
        except BadCell as bad:
            faults[name] = bad.reason
    return values, faults


def _columns(counties: Collection[str]) -> dict[str, Column]:
    known = columns(counties)
    return known | {"weather_hours": known["hours"]}


def _texts(place: Place, names: Collection[str]) -> Cells:
    known = _columns(())
    return {name: known[name].text(getattr(place, name)) for name in names}


def _changed(place: Place, values: Mapping[str, Any]) -> tuple[Cells, Cells]:
    """The cells that `values` would change, as they are and as they would be."""
    known, now = _columns(()), _texts(place, values)
    then = {name: known[name].text(value) for name, value in values.items()}
    names = [name for name in values if now[name] != then[name]]
    return {name: now[name] for name in names}, {name: then[name] for name in names}


async def _write(
    db: AsyncSession, place: Place, values: Mapping[str, Any], *, now: datetime, database: Database
) -> None:
    for name, value in values.items():
        setattr(place, name, value)
    if not place.weather_hours:
        # Without such hours there is nothing that a warning could put in place of the usual ones.
        place.weather_until = None
    place.updated_at = now
    await db.flush()
    await places.changed(db, database)
