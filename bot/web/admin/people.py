"""A rider who stands at the desk: looked up by the code that they give, never in a list."""

from typing import Any

import orjson
from aiohttp import web

from bot.i18n import _
from bot.services import people
from bot.services.booking_desk import STATE_NAMES
from bot.services.people import Person
from bot.services.riders import VEHICLE_NAMES
from bot.web.admin.gate import CONSOLE, MEMBER, SITE, Pages, go, show
from bot.web.site import locale_of

pages = Pages()

# What the language of a chat is called in itself.
LANGUAGES = {"zh_CN": "简体中文", "zh_TW": "繁體中文", "en": "English"}


@pages.get("/admin/people", "person.look_up")
async def form(request: web.Request) -> web.StreamResponse:
    return show(request, "admin/people.html", {"problems": {}, "code": "", "person": None})


@pages.post("/admin/people", "person.look_up")
async def look_up(request: web.Request) -> web.StreamResponse:
    """Show whoever gave the code; the audit has it either way."""
    site, member, desk = request.app[SITE], request[MEMBER], request.app[CONSOLE].desk
    code = str((await request.post()).get("code", ""))
    async with site.database.writing() as db:
        person = await people.look_up(db, member, code, now=site.now(), desk=desk)
    if person is None:
        problems = {"code": _("Nobody is known by that code, or it is too old.")}
        values = {"problems": problems, "code": code[:40], "person": None}
        return show(request, "admin/people.html", values, status=422)
    return _shown(request, person)


@pages.post("/admin/people/phone", "person.phone")
async def phone(request: web.Request) -> web.StreamResponse:
    """Open the number that was left for one booking."""
    site, member, desk = request.app[SITE], request[MEMBER], request.app[CONSOLE].desk
    sent = await request.post()
    rider_id = await _who(request)
    booking = str(sent.get("booking", ""))
    if not (booking.isascii() and booking.isdecimal() and len(booking) <= 18):
        raise web.HTTPBadRequest
    async with site.database.writing() as db:
        number = await people.phone(db, member, rider_id, int(booking), now=site.now(), desk=desk)
        person = await people.again(db, member, rider_id, desk=desk)
    return _shown(request, person, phones={int(booking): number})


@pages.post("/admin/people/export", "person.export")
async def export(request: web.Request) -> web.StreamResponse:
    """Everything that is kept, as a file for the person."""
    site, member, desk = request.app[SITE], request[MEMBER], request.app[CONSOLE].desk
    rider_id = await _who(request)
    async with site.database.writing() as db:
        kept = await people.export(db, member, rider_id, now=site.now(), desk=desk)
    body = orjson.dumps(kept, option=orjson.OPT_INDENT_2)
    headers = {"Content-Disposition": 'attachment; filename="person.json"'}
    return web.Response(body=body, content_type="application/json", charset="utf-8", headers=headers)


@pages.post("/admin/people/erase", "person.erase")
async def erase(request: web.Request) -> web.StreamResponse:
    """Forget the person, whose wish it is."""
    site, member, console = request.app[SITE], request[MEMBER], request.app[CONSOLE]
    rider_id = await _who(request)
    if (await request.post()).get("sure") != "1":
        raise people.NotSure
    async with site.database.writing() as db:
        addresses = await people.erase(db, member, rider_id, now=site.now(), desk=console.desk, database=site.database)
    for address in addresses:
        console.person_changed(address)
    raise go("/admin/people", done="removed")


async def _who(request: web.Request) -> int:
    token = str((await request.post()).get("person", ""))
    seals, now = request.app[CONSOLE].desk.seals, request.app[SITE].now()
    return people.who(request[MEMBER], token, seals=seals, now=now)


def _shown(request: web.Request, person: Person, *, phones: dict[int, str] | None = None) -> web.Response:
    site, member, locale = request.app[SITE], request[MEMBER], locale_of(request)
    county = site.city.counties.get(person.kept.county)
    values: dict[str, Any] = {
        "problems": {},
        "code": "",
        "person": person,
        "token": people.opened(member, person.rider_id, seals=request.app[CONSOLE].desk.seals, now=site.now()),
        "kept": person.kept,
        "vehicle": VEHICLE_NAMES.get(person.kept.vehicle),
        "county": county.called(locale) if county else "",
        "language": LANGUAGES.get(person.kept.locale, person.kept.locale),
        "phones": phones or {},
        "states": STATE_NAMES,
        "locale": locale,
        "time": site.voice(locale).time,
    }
    return show(request, "admin/people.html", values)
