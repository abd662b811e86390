"""Weather levels in the console: pressed, shown with what they do, approved, dropped, ended."""

from datetime import timedelta

from aiohttp import web

from bot.services import weather
from bot.web.admin.gate import MEMBER, Pages, go, show
from bot.web.console import CONSOLE
from bot.web.site import SITE, locale_of

pages = Pages()

HOURS = (6, 12, 24, 48, 72)


@pages.get("/admin/weather", "weather.propose")
async def current(request: web.Request) -> web.StreamResponse:
    """What is proposed or in force, and the form for a new level."""
    site, console, member = request.app[SITE], request.app[CONSOLE], request[MEMBER]
    locale = locale_of(request)
    async with site.database.reading() as db:
        found = await weather.current(db, now=site.now())
    bound = member.counties if member.role == "county" else ()
    counties = {code: one.called(locale) for code, one in site.city.counties.items() if not bound or code in bound}
    voice = site.voice(locale)
    values = {
        "found": [(one, weather.letter(one, voice, site.city.counties, console.prepared).text) for one in found],
        "kinds": weather.KINDS,
        "levels": weather.LEVELS,
        "hours": HOURS,
        "counties": counties,
        "bound": bool(bound),
    }
    return show(request, "admin/weather.html", values)


@pages.post("/admin/weather", "weather.propose")
async def propose(request: web.Request) -> web.StreamResponse:
    site, console, member = request.app[SITE], request.app[CONSOLE], request[MEMBER]
    form, now = await request.post(), site.now()
    hours = str(form.get("hours", ""))
    async with site.database.writing() as db:
        await weather.propose(
            db,
            member,
            kind=str(form.get("kind", "")),
            level=str(form.get("level", "")),
            starts_at=now,
            ends_at=now + timedelta(hours=int(hours) if hours.isascii() and hours.isdecimal() else 0),
            counties=[code for code in map(str, form.getall("counties", [])) if code in site.city.counties],
            places_in=site.city.counties,
            words=console.prepared,
            newsroom=console.newsroom,
            now=now,
        )
    raise go("/admin/weather", done="handed_in")


@pages.post("/admin/weather/{id:[0-9]{1,15}}/{do:approve|end}", "weather.approve")
async def decide(request: web.Request) -> web.StreamResponse:
    """One approval for the notice and the longer hours; or the end of both."""
    site, console, member = request.app[SITE], request.app[CONSOLE], request[MEMBER]
    warning_id, now, database = int(request.match_info["id"]), site.now(), site.database
    async with database.writing() as db:
        if request.match_info["do"] == "approve":
            await weather.approve(db, member, warning_id, newsroom=console.newsroom, database=database, now=now)
        else:
            await weather.lift(db, member, warning_id, database=database, now=now)
    raise go("/admin/weather", done="saved")


@pages.post("/admin/weather/{id:[0-9]{1,15}}/drop", "weather.propose")
async def drop(request: web.Request) -> web.StreamResponse:
    site = request.app[SITE]
    async with site.database.writing() as db:
        await weather.dismiss(db, request[MEMBER], int(request.match_info["id"]), now=site.now())
    raise go("/admin/weather", done="removed")
