"""A file that was read, held against the directory: what is new, what changes, what stays as it is."""

import asyncio
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import IO, Any

from sqlalchemy.ext.asyncio import AsyncSession

from bot.i18n import _
from bot.models import Place
from bot.services import places
from bot.services.place_files.cells import columns
from bot.services.place_files.reading import Reading, Remark, Remarks, Taken, unspooled
from bot.services.place_files.storing import COLUMNS, Values, encoder, known

_GIVEN_POSITION = ("source_lat", "source_lng", "datum")

Fields = dict[str, Any]
# A place's code, and the cells that change, as they were and as they are.
Change = tuple[str, dict[str, str], dict[str, str]]

ELSEWHERE = _("this place is not in a county that you look after")


@dataclass(slots=True)
class Comparison:
    """What a file would do to the directory of this `version`; the rows to store are in `spool`.

    `verified` are the numbers of places that were in doubt and have been seen since. Where `within` names
    counties, only their places are taken, and none is given to another. `told`, where it is given, gets each change
    in the words of the file.
    """

    spool: IO[bytes]
    rejected: Remarks
    within: frozenset[str] | None = None
    told: IO[bytes] | None = None
    version: int = 0
    verified: list[int] = field(default_factory=list)
    added: int = 0
    changed: int = 0
    unchanged: int = 0

    def is_elsewhere(self, county: str) -> bool:
        """Whether a place of this county is not for the one who imports."""
        return self.within is not None and county not in self.within

    def portions(self) -> Iterator[list[Values]]:
        """The rows to store, encoded."""
        return unspooled(self.spool)

    def history(self) -> Iterator[list[Change]]:
        """Every change, portion by portion."""
        return unspooled(self.told) if self.told else iter(())


async def compare(
    db: AsyncSession, reading: Reading, found: Comparison, now: datetime, tell: Callable[[float], None]
) -> None:
    """Hold the file against the directory, portion by portion; `tell` hears the share that is done.

    Nothing is locked: if somebody changes a place meanwhile, the directory's version is another one afterwards.
    """
    for spool in filter(None, (found.spool, found.told)):
        spool.seek(0)
        spool.truncate()
    found.version = await places.version(db)
    encode, in_order, blank = encoder(db.get_bind().dialect), itemgetter(*COLUMNS), _blank(now)
    done = 0
    portions = reading.portions()
    while (portion := await asyncio.to_thread(next, portions, None)) is not None:
        places_by_code = await known(db, [code for _number, code, _names, _values in portion])
        fresh, told = [], list[tuple[Values | None, Fields]]()
        for taken in portion:
            before = places_by_code.get(taken[1])
            if after := _outcome(taken, before, found, blank):
                after["updated_at"] = now
                fresh.append(encode(in_order(after)))
                if found.told:
                    told.append((before, after))
        if fresh:
            await asyncio.to_thread(pickle.dump, fresh, found.spool)
        if told and found.told:
            await asyncio.to_thread(_tell, told, found.told)
        done += len(portion)
        tell(done / max(reading.count, 1))


def _outcome(taken: Taken, before: Values | None, found: Comparison, blank: Fields) -> Fields | None:
    """The place to store, or None if there is nothing to change; what comes of it is counted."""
    number, _code, names, values = taken
    if before is None:
        missing = [column for column in ("name", "kind") if column not in names]
        if missing:
            found.rejected.add(Remark(number, column, _("a new place needs this")) for column in missing)
            return None
        fresh = blank | dict(zip(names, values, strict=True))
        if found.is_elsewhere(fresh["county"]):
            found.rejected.add([Remark(number, "county", ELSEWHERE)])
            return None
        found.added += 1
        return fresh
    of_place, of_row = _held_together(names)
    if of_place(before) == of_row(values):
        found.unchanged += 1
        return None
    place = dict(zip(("id", *COLUMNS), before, strict=True))
    after = _merged(place, dict(zip(names, values, strict=True)))
    if after is None:
        found.unchanged += 1
        return None
    if found.is_elsewhere(place["county"]) or found.is_elsewhere(after["county"]):
        found.rejected.add([Remark(number, "county", ELSEWHERE)])
        return None
    found.changed += 1
    if place["doubtful_since"] and not after["doubtful_since"]:
        found.verified.append(place["id"])
    return after


@lru_cache(maxsize=1000)
def _held_together(names: tuple[str, ...]) -> tuple[Callable[[Values], Any], Callable[[Values], Any]]:
    """What to take of a known place and of a row's values: where these are equal, the row changes nothing.

    Degrees in WGS-84 follow from the pair as it was given, and do not count.
    """
    kept = [n for n, name in enumerate(names) if name not in ("lat", "lng")]
    return itemgetter(*(COLUMNS.index(names[n]) + 1 for n in kept)), itemgetter(*kept)


def _merged(before: Fields, changes: Fields) -> Fields | None:
    """The place with the file's values, or None if they are what it has."""
    if all(before[name] == changes.get(name, before[name]) for name in _GIVEN_POSITION):
        changes.pop("lat", None)
        changes.pop("lng", None)
    if "amenities" in changes and "amenity_verified" not in changes:
        # What is gone must not come back as checked.
        there, dates = changes["amenities"], before["amenity_verified"]
        changes["amenity_verified"] = {name: day for name, day in dates.items() if name in there}
    seen = changes.get("verified_at")
    if places.is_newer_verification(seen, before["verified_at"], before["doubtful_since"]):
        changes["doubtful_since"] = None
    if all(before[name] == value for name, value in changes.items()):
        return None
    return before | changes


def _tell(changes: list[tuple[Values | None, Fields]], spool: IO[bytes]) -> None:
    pickle.dump([_in_words(before, after) for before, after in changes], spool)


def _in_words(before: Values | None, after: Fields) -> Change:
    """What becomes of a place, in cells of the places file; one that is new had none."""
    is_, was = _cells(after), _cells(dict(zip(("id", *COLUMNS), before, strict=True))) if before else {}
    names = [name for name, text in is_.items() if text != was.get(name, "")]
    return after["code"], {name: was[name] for name in names if before}, {name: is_[name] for name in names}


def _cells(place: Fields) -> dict[str, str]:
    given = {"lat": place["source_lat"], "lng": place["source_lng"], "datum": place["datum"]}
    position = {name: "" if value is None else str(value) for name, value in given.items()}
    return {name: column.text(place[name]) for name, column in _COLUMNS.items()} | position


_COLUMNS = columns(())


def _blank(now: datetime) -> Fields:
    """A place of which nothing is known."""
    place = Place(code="", name="", kind="", updated_at=now)
    return {name: getattr(place, name) for name in COLUMNS}
