"""Figures: who rides, what is looked for and not found, what is booked, who is reached; each also as a file."""

import asyncio
import csv
import io
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from bot.i18n import Text, _
from bot.services import figures, riders
from bot.services.figures import Square
from bot.services.place_files.exporting import harmless
from bot.services.vocabulary import AMENITY_NAMES, KIND_NAMES
from bot.services.wording import phrases
from bot.web.admin import maps
from bot.web.admin.gate import Pages, show
from bot.web.site import SITE, Site, locale_of

pages = Pages()

Rows = list[Sequence[Any]]
Table = Callable[[AsyncSession, Site], Awaitable[Rows]]
_HALF = 0.005  # degrees from the middle of a square to its side


@dataclass(frozen=True, slots=True)
class Part:
    """What a bar is made of: its name, how it is filled (without colour), and how long it is in a row."""

    name: Text
    fill: str
    of: Callable[[Mapping[str, Any]], int]


async def _vehicles(db: AsyncSession, site: Site) -> Rows:
    return [("vehicle", "riders", "agreed"), *await figures.riders_by(db, "vehicle")]


async def _counties(db: AsyncSession, site: Site) -> Rows:
    return [("county", "riders", "agreed"), *await figures.riders_by(db, "county")]


async def _hours(db: AsyncSession, site: Site) -> Rows:
    found = await figures.searches_by_hour(db, now=site.now(), zone=site.city.zone)
    return [("hour", "searches", "in_vain"), *found]


async def _kinds(db: AsyncSession, site: Site) -> Rows:
    return [("wanted", "searches", "in_vain"), *await figures.searches_by_kind(db, now=site.now())]


async def _squares(db: AsyncSession, site: Site) -> Rows:
    found = await figures.unmet_squares(db, now=site.now())
    return [("lat", "lng", "wanted", "searches", "people"), *(_square_row(one) for one in found)]


def _square_row(one: Square) -> tuple[Any, ...]:
    return one.lat, one.lng, one.wanted, one.count, one.people


async def _bookings(db: AsyncSession, site: Site) -> Rows:
    states = ("booked", "pending", "waiting", "offered", "attended", "no_show", "cancelled")
    found = await figures.bookings_by_offering(db, now=site.now())
    return [("offering", *states), *((title, *(by.get(state, 0) for state in states)) for title, by in found)]


async def _notices(db: AsyncSession, site: Site, *, limit: int = 20) -> Rows:
    names = ("id", "title", "recipients", "sent", "failed", "waiting", "read", "received")
    found = await figures.reach_of_notices(db, limit=limit)
    return [names, *(tuple(getattr(one, name) for name in names) for one in found)]


TABLES: dict[str, Table] = {
    "vehicles": _vehicles,
    "counties": _counties,
    "hours": _hours,
    "kinds": _kinds,
    "squares": _squares,
    "bookings": _bookings,
    "notices": _notices,
}
TITLES = {
    "vehicles": _("Riders by vehicle"),
    "counties": _("Riders by county"),
    "hours": _("Searches by hour, last thirty days"),
    "kinds": _("What is looked for, last thirty days"),
    "squares": _("Where searches found nothing suitable"),
    "bookings": _("Bookings, last thirty days"),
    "notices": _("Reach of notices"),
}
HEADINGS = {
    "vehicle": _("Vehicle"),
    "county": _("County"),
    "riders": _("Riders"),
    "agreed": _("Agreed to notices"),
    "hour": _("Hour"),
    "searches": _("Searches"),
    "in_vain": _("Found nothing suitable"),
    "wanted": _("What was looked for"),
    "lat": _("Latitude"),
    "lng": _("Longitude"),
    "people": _("People, at least"),
    "offering": _("Offering"),
    "booked": _("Expected"),
    "pending": _("To be approved"),
    "waiting": _("Waiting"),
    "offered": _("Offered"),
    "attended": _("Came"),
    "no_show": _("Did not come"),
    "cancelled": _("Cancelled"),
    "id": _("No."),
    "title": _("Title"),
    "recipients": _("Recipients"),
    "sent": _("Sent"),
    "failed": _("Failed"),
    "read": _("Read"),
    "received": _("Confirmed"),
}
_AGREED = (
    Part(_("Agreed to notices"), "solid", lambda row: row["agreed"]),
    Part(_("the others"), "plain", lambda row: row["riders"] - row["agreed"]),
)
_SEARCHED = (
    Part(_("Found nothing suitable"), "solid", lambda row: row["in_vain"]),
    Part(_("found something"), "plain", lambda row: row["searches"] - row["in_vain"]),
)
BARS: dict[str, tuple[Part, ...]] = {
    "vehicles": _AGREED,
    "counties": _AGREED,
    "hours": _SEARCHED,
    "kinds": _SEARCHED,
    "bookings": (
        Part(_("Came"), "solid", lambda row: row["attended"]),
        Part(_("Did not come"), "hatched", lambda row: row["no_show"]),
        Part(_("Cancelled"), "dotted", lambda row: row["cancelled"]),
        Part(_("still open"), "plain", lambda row: sum(row[n] for n in ("booked", "pending", "waiting", "offered"))),
    ),
    "notices": (
        Part(_("Read"), "solid", lambda row: min(row["read"], row["sent"])),
        Part(_("sent, not read"), "plain", lambda row: row["sent"] - min(row["read"], row["sent"])),
        Part(_("Failed"), "hatched", lambda row: row["failed"]),
        Part(_("Waiting"), "dotted", lambda row: row["waiting"]),
    ),
}


# So many notices are on the page; the file has more.
_LATEST = 5


async def _read(site: Site, tables: Mapping[str, Table]) -> dict[str, Rows]:
    async with site.database.reading() as db:
        return {name: await table(db, site) for name, table in tables.items()}


@pages.get("/admin/figures", "figures.read")
async def shown(request: web.Request) -> web.StreamResponse:
    """Every figure as a table with bars that can be told apart without colour; the squares also on a map."""
    site = request.app[SITE]
    # Recipients and riders are many: those of the latest notices only, and side by side with all the rest.
    lanes: list[dict[str, Table]] = [
        {"notices": partial(_notices, limit=_LATEST)},
        {"vehicles": _vehicles},
        {"counties": _counties},
    ]
    lanes.append({name: table for name, table in TABLES.items() if not any(name in lane for lane in lanes)})
    read = await asyncio.gather(*(_read(site, lane) for lane in lanes))
    found = {name: rows for lane in read for name, rows in lane.items()}
    tables = {name: found[name] for name in TABLES}
    values = {
        "tables": {name: _worded(request, rows) for name, rows in tables.items()},
        "bars": {name: _bars(parts, tables[name]) for name, parts in BARS.items()},
        "parts": BARS,
        "titles": TITLES,
        "headings": HEADINGS,
        "map": maps.ground(request) | {"squares": _drawn(request, tables["squares"][1:])},
        "least": figures.LEAST_PEOPLE,
    }
    return show(request, "admin/figures.html", values)


@pages.get("/admin/figures/{name:[a-z]{1,20}}.csv", "figures.export")
async def as_csv(request: web.Request) -> web.StreamResponse:
    """One of the tables, for a spreadsheet: with a byte order mark, and no cell that it would run."""
    name = request.match_info["name"]
    table = TABLES.get(name)
    if table is None:
        raise web.HTTPNotFound
    site = request.app[SITE]
    async with site.database.reading() as db:
        rows = await table(db, site)
    lines = io.StringIO()
    csv.writer(lines).writerows([harmless(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return web.Response(body=lines.getvalue().encode("utf-8-sig"), content_type="text/csv", headers=headers)


def _bars(parts: Sequence[Part], rows: Rows) -> list[list[tuple[str, float, float]]]:
    """For each row its pieces: how they are filled, where they begin and how long they are, in per cent."""
    lengths = [[part.of(dict(zip(rows[0], row, strict=True))) for part in parts] for row in rows[1:]]
    most = max(map(sum, lengths), default=0) or 1
    bars = []
    for row in lengths:
        starts = [sum(row[:n]) for n in range(len(row))]
        pieces = zip(parts, starts, row, strict=True)
        bars.append([(part.fill, _percent(start, most), _percent(length, most)) for part, start, length in pieces])
    return bars


def _percent(part: int, most: int) -> float:
    return round(100 * part / most, 2)


def _worded(request: web.Request, rows: Rows) -> Rows:
    """The rows with the names that people know for our keys."""
    site, locale = request.app[SITE], locale_of(request)
    voice = site.voice(locale)
    named = {key: voice.word(words) for key, words in riders.VEHICLE_NAMES.items()}
    counties = {code: county.called(locale) for code, county in site.city.counties.items()}
    names: dict[str, Callable[[Any], str]] = {
        "vehicle": lambda key: named.get(key, voice.word(_("not given"))),
        "county": lambda code: counties.get(code, code) or voice.word(_("not given")),
        "hour": lambda hour: f"{hour:02}:00",
        "wanted": lambda key: _wanted(request, key),
    }
    wordings = [names.get(name, str) for name in rows[0]]
    return [rows[0], *([word(cell) for word, cell in zip(wordings, row, strict=True)] for row in rows[1:])]


def _wanted(request: web.Request, key: str) -> str:
    """What was looked for, by its names: `rest_station,shower`."""
    locale = locale_of(request)
    voice = request.app[SITE].voice(locale)
    known = {**KIND_NAMES, **AMENITY_NAMES, "charging": _("Charge"), "": _("anything")}
    separator = phrases(locale, voice.zone).separator
    return separator.join(voice.word(known[part]) if part in known else part for part in key.split(","))


def _drawn(request: web.Request, rows: Rows) -> list[dict[str, Any]]:
    """The squares as the map draws them, each once with everything that was looked for in it."""
    voice = request.app[SITE].voice(locale_of(request))
    found: dict[tuple[float, float], dict[str, Any]] = {}
    for lat, lng, wanted, searches, people in rows:
        square = found.setdefault((lat, lng), {"corners": _corners(request, lat, lng), "count": 0, "lines": []})
        square["count"] += searches
        words = _(
            "{wanted}: {searches} searches, at least {people} people",
            wanted=_wanted(request, wanted),
            searches=searches,
            people=people,
        )
        square["lines"].append(voice.word(words))
    most = max((square["count"] for square in found.values()), default=1)
    return [square | {"share": round(square["count"] / most, 2)} for square in found.values()]


def _corners(request: web.Request, lat: float, lng: float) -> list[list[float]]:
    sides = ((-_HALF, -_HALF), (-_HALF, _HALF), (_HALF, _HALF), (_HALF, -_HALF))
    return [list(maps.point(request, lat + up, lng + right).values()) for up, right in sides]
