"""Figures: who rides, what is looked for and not found, what is booked, who is reached; each also as a file."""

import csv
import io
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from bot.i18n import _
from bot.services import figures, riders
from bot.services.place_files.exporting import harmless
from bot.web.admin.gate import Pages, show
from bot.web.site import SITE, Site, locale_of

pages = Pages()

Rows = list[Sequence[Any]]


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
    return [("lat", "lng", "wanted", "searches"), *((one.lat, one.lng, one.wanted, one.count) for one in found)]


async def _bookings(db: AsyncSession, site: Site) -> Rows:
    states = ("booked", "pending", "waiting", "offered", "attended", "no_show", "cancelled")
    found = await figures.bookings_by_offering(db, now=site.now())
    return [("offering", *states), *((title, *(by.get(state, 0) for state in states)) for title, by in found)]


async def _notices(db: AsyncSession, site: Site) -> Rows:
    names = ("id", "title", "recipients", "sent", "failed", "waiting", "read", "received")
    found = await figures.reach_of_notices(db)
    return [names, *(tuple(getattr(one, name) for name in names) for one in found)]


TABLES: dict[str, Callable[[AsyncSession, Site], Awaitable[Rows]]] = {
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


@pages.get("/admin/figures", "figures.read")
async def shown(request: web.Request) -> web.StreamResponse:
    """Every figure as a table; the hours also as a picture."""
    site, locale = request.app[SITE], locale_of(request)
    async with site.database.reading() as db:
        tables = {name: await table(db, site) for name, table in TABLES.items()}
    voice = site.voice(locale)
    names = {key: voice.word(words) for key, words in riders.VEHICLE_NAMES.items()}
    names |= {code: county.called(locale) for code, county in site.city.counties.items()}
    hours = [(hour, count, vain) for hour, count, vain in tables["hours"][1:]]
    values = {
        "tables": tables,
        "titles": TITLES,
        "names": names,
        "most": max((count for _hour, count, _vain in hours), default=0),
        "hours": hours,
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
