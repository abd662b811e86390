"""Places in the console: listed, edited, verified, closed for a time, changed back; as a file and as a door poster."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from aiohttp import web
from multidict import MultiMapping

from bot.errors import Problem
from bot.i18n import Text, _
from bot.services import authority, place_desk, place_pictures
from bot.services.audit import Entry
from bot.services.hours import compiled
from bot.services.place_desk import (
    CLOSED,
    FIELDS,
    IMPORTED,
    PAGE,
    UNDONE,
    VERIFIED,
    WRITTEN,
    Misfilled,
    Overtaken,
    Spot,
    Wanted,
)
from bot.services.place_files.exporting import export_places
from bot.services.timetables import timetable
from bot.services.vocabulary import AMENITY_NAMES, ENTRY_NAMES, KIND_NAMES, STATE_NAMES
from bot.services.wording import phrases
from bot.web.admin import maps
from bot.web.admin.gate import CONSOLE, MEMBER, SITE, Pages, go, show
from bot.web.site import locale_of

pages = Pages()

FIELD_NAMES: dict[str, Text] = {
    "name": _("Name"),
    "kind": _("Kind"),
    "county": _("County"),
    "address": _("Address"),
    "phone": _("Phone"),
    "hours": _("Opening hours, such as Mo-Sa 08:00-20:00; Su off"),
    "weather_hours": _("Hours while a weather warning is in force"),
    "amenities": _("Amenities"),
    "entry": _("Entry"),
    "note": _("Note for riders"),
    "state": _("State"),
    "closed_until": _("Closed until (the last day)"),
    "closed_reason": _("Why it is closed"),
    "verified_at": _("Verified on"),
    "amenity_verified": _("Amenities verified on"),
    "picture": _("Picture"),
}
DEEDS: dict[str, Text] = {
    WRITTEN: _("edited"),
    CLOSED: _("closed for a time"),
    UNDONE: _("changed back"),
    IMPORTED: _("imported from a file"),
    VERIFIED: _("verified"),
    place_pictures.CHANGED: _("picture changed"),
    place_pictures.REMOVED: _("picture removed"),
}
# Fields whose values are words of the places file.
_WORDED = {"kind": KIND_NAMES, "amenities": AMENITY_NAMES, "entry": ENTRY_NAMES, "state": STATE_NAMES}


# So many dots a browser on an old computer still moves.
MOST_SPOTS = 5_000


class NoAddress(Problem):
    text = _("The installation has no public address yet (PUBLIC_URL), so a poster would lead nowhere.")


@pages.get("/admin/places", "place.read")
async def listed(request: web.Request) -> web.StreamResponse:
    return await _listed(request, {}, {})


@pages.post("/admin/places", "place.close")
async def close(request: web.Request) -> web.StreamResponse:
    """Close the ticked places for a time."""
    site, form = request.app[SITE], await request.post()
    codes = [str(code) for code in form.getall("codes", [])]
    typed = {"closed_until": _typed(form, "closed_until"), "closed_reason": _typed(form, "closed_reason")}
    try:
        async with site.database.writing() as db:
            await place_desk.close(
                db,
                request[MEMBER],
                codes,
                until=typed["closed_until"],
                reason=typed["closed_reason"],
                now=site.now(),
                database=site.database,
            )
    except Misfilled as wrong:
        return await _listed(request, typed | {"codes": codes}, wrong.faults)
    except (place_desk.NoneTicked, place_desk.NotOpenToAll) as problem:
        return await _listed(request, typed | {"codes": codes}, {"codes": problem.text})
    raise go("/admin/places", done="saved", **_asked(_wanted(request)))


@pages.get("/admin/places.csv", "place.export")
async def as_csv(request: web.Request) -> web.StreamResponse:
    """The directory as a places file; those of a county get theirs."""
    member = request[MEMBER]
    bound = member.counties if member.role == "county" else None
    folder = await asyncio.to_thread(TemporaryDirectory)
    try:
        path = Path(folder.name) / "places.csv"
        await export_places(request.app[SITE].database, path, counties=bound)
        body = await asyncio.to_thread(path.read_bytes)
    finally:
        await asyncio.to_thread(folder.cleanup)
    headers = {"Content-Disposition": 'attachment; filename="places.csv"'}
    return web.Response(body=body, content_type="text/csv", charset="utf-8", headers=headers)


@pages.get("/admin/places.json", "place.read")
async def spots(request: web.Request) -> web.StreamResponse:
    """What the map shows: every place that fits, whatever page of the table is open."""
    site, member = request.app[SITE], request[MEMBER]
    async with site.database.reading() as db:
        found = await place_desk.located(
            db, member, _wanted(request), now=site.now(), zone=site.city.zone, limit=MOST_SPOTS + 1
        )
    more = _("The map shows the first {most} places that fit; narrow the search to see the others.", most=MOST_SPOTS)
    answer = {
        "points": await asyncio.to_thread(_points, request, found[:MOST_SPOTS]),
        "note": site.voice(locale_of(request)).word(more) if len(found) > MOST_SPOTS else "",
    }
    return web.Response(body=orjson.dumps(answer), content_type="application/json")


@pages.get("/admin/places/{code}", "place.read")
async def one(request: web.Request) -> web.StreamResponse:
    return await _one(request, None, {})


@pages.post("/admin/places/{code}", "place.write")
async def change(request: web.Request) -> web.StreamResponse:
    """Save the form; or, with the button `look`, only say what its hours mean."""
    site, code, form = request.app[SITE], request.match_info["code"], await request.post()
    typed = {name: _typed(form, name) for name in FIELDS}
    typed["amenities"] = ";".join(str(name) for name in form.getall("amenities", []))
    seen = _typed(form, "version")
    if "look" in form:
        return await _one(request, typed, {}, version=seen)
    try:
        async with site.database.writing() as db:
            await place_desk.save(
                db,
                request[MEMBER],
                code,
                typed,
                seen=seen,
                counties=site.city.counties,
                now=site.now(),
                database=site.database,
            )
    except Misfilled as wrong:
        return await _one(request, typed, wrong.faults, version=seen)
    except Overtaken as problem:
        # Shown beside the history with the newest version, so that saving again is a decision.
        return await _one(request, typed, {"version": problem.text})
    raise go(_address(code), done="saved")


@pages.post("/admin/places/{code}/undo", "place.write")
async def undo(request: web.Request) -> web.StreamResponse:
    site, code, form = request.app[SITE], request.match_info["code"], await request.post()
    async with site.database.writing() as db:
        await place_desk.undo(
            db,
            request[MEMBER],
            code,
            seen=_typed(form, "version"),
            counties=site.city.counties,
            now=site.now(),
            database=site.database,
        )
    raise go(_address(code), done="undone")


@pages.post("/admin/places/{code}/verify", "place.verify")
async def verify(request: web.Request) -> web.StreamResponse:
    """Somebody was there today."""
    site, code, now = request.app[SITE], request.match_info["code"], request.app[SITE].now()
    async with site.database.writing() as db:
        today = now.astimezone(site.city.zone).date()
        await place_desk.verify(db, request[MEMBER], code, on=today, now=now, database=site.database)
    raise go(_address(code), done="saved")


@pages.post("/admin/places/{code}/picture", "place.write", largest=place_pictures.LARGEST)
async def take_picture(request: web.Request) -> web.StreamResponse:
    """Give the place the picture that was sent, drawn anew."""
    site, code, sent = request.app[SITE], request.match_info["code"], (await request.post()).get("file")
    if not isinstance(sent, web.FileField):
        raise place_pictures.BadPicture
    picture = await place_pictures.redrawn(await asyncio.to_thread(sent.file.read))
    async with site.database.writing() as db:
        await place_pictures.put(db, request[MEMBER], code, picture, now=site.now())
    raise go(_address(code), done="saved")


@pages.post("/admin/places/{code}/picture/remove", "place.write")
async def remove_picture(request: web.Request) -> web.StreamResponse:
    site, code = request.app[SITE], request.match_info["code"]
    async with site.database.writing() as db:
        await place_pictures.remove(db, request[MEMBER], code, now=site.now())
    raise go(_address(code), done="removed")


@pages.get("/admin/places/{code}/picture", "place.read")
async def picture(request: web.Request) -> web.StreamResponse:
    """The picture, also of a place that riders do not see."""
    async with request.app[SITE].database.reading() as db:
        found = await place_pictures.of(db, request[MEMBER], request.match_info["code"])
    if found is None:
        raise web.HTTPNotFound
    return web.Response(body=found, content_type="image/jpeg")


@pages.get("/admin/places/{code}/poster", "place.read")
async def poster(request: web.Request) -> web.StreamResponse:
    """A page to print for the door: its code leads riders to the place's own page."""
    import segno

    site, code, origin = request.app[SITE], request.match_info["code"], request.app[CONSOLE].desk.public_url
    async with site.database.reading() as db:
        place = await place_desk.found(db, request[MEMBER], code)
    if not origin:
        raise NoAddress
    url = f"{origin.rstrip('/')}/p/{quote(code, safe='')}"
    # A door is wiped, scratched and iced over: a quarter of the code may be gone.
    picture = segno.make(url, error="q", micro=False).svg_data_uri(border=4, dark="#000", light="#fff")
    kind = KIND_NAMES.get(place.kind)
    return show(request, "admin/poster.html", {"place": place, "kind": kind, "url": url, "picture": picture})


async def _listed(request: web.Request, typed: Mapping[str, Any], problems: Mapping[str, Text]) -> web.Response:
    site, member, wanted = request.app[SITE], request[MEMBER], _wanted(request)
    number = request.query.get("page", "")
    page = int(number) if number.isascii() and number.isdecimal() and len(number) < 6 else 0
    async with site.database.reading() as db:
        rows = await place_desk.listed(
            db, member, wanted, now=site.now(), zone=site.city.zone, start=page * PAGE, limit=PAGE + 1
        )
    asked = _asked(wanted)
    points = _points(request, [place_desk.spot(place) for place in rows[:PAGE] if place.lat is not None])
    values = {
        "places": [(place, _address(place.code)) for place in rows[:PAGE]],
        "map": maps.ground(request) | {"points": points, "more": f"/admin/places.json?{urlencode(asked)}"},
        "wanted": wanted,
        "here": f"/admin/places?{urlencode(asked | {'page': str(page)})}",
        "earlier": f"/admin/places?{urlencode(asked | {'page': str(page - 1)})}" if page else "",
        "later": f"/admin/places?{urlencode(asked | {'page': str(page + 1)})}" if len(rows) > PAGE else "",
        "counties": _counties(request),
        "kinds": KIND_NAMES,
        "states": STATE_NAMES,
        "typed": {"codes": [], "closed_until": "", "closed_reason": ""} | dict(typed),
        "problems": problems,
    }
    return show(request, "admin/places.html", values, status=422 if problems else 200)


def _points(request: web.Request, found: Sequence[Spot]) -> list[dict[str, Any]]:
    return [
        {"code": spot.code, "name": spot.name, "href": _address(spot.code), "state": _mark(spot)}
        | maps.point(request, spot.lat, spot.lng)
        for spot in found
    ]


def _mark(spot: Spot) -> str:
    return "doubtful" if spot.is_doubtful and spot.state == "published" else spot.state


async def _one(
    request: web.Request, typed: Mapping[str, str] | None, problems: Mapping[str, Text], *, version: str = ""
) -> web.Response:
    """The page of a place, its form filled with what was `typed` on the given `version`, by default the newest."""
    site, code = request.app[SITE], request.match_info["code"]
    async with site.database.reading() as db:
        place = await place_desk.found(db, request[MEMBER], code)
        entries = await place_desk.history(db, code)
        stamp = await place_pictures.stamp(db, place.id)
    cells = typed or place_desk.cells_of(place)
    last = place_desk.undoable(entries)
    values = {
        "place": place,
        "address": _address(code),
        "version": version or place_desk.version(place),
        "newest": place_desk.version(place),
        "cells": cells,
        "ticked": cells["amenities"].split(";"),
        "fields": FIELD_NAMES,
        "kinds": KIND_NAMES,
        "amenities": AMENITY_NAMES,
        "entries": ENTRY_NAMES,
        "states": STATE_NAMES,
        "counties": _counties(request),
        "meaning": {name: _meaning(request, cells[name]) for name in ("hours", "weather_hours")},
        "history": [_told(request, entry) for entry in entries],
        "undoes": DEEDS[last.action] if last else None,
        "time": site.voice(locale_of(request)).time,
        "problems": problems,
        "picture": f"{_address(code)}/picture?{stamp}" if stamp else "",
        "most": place_pictures.LARGEST // 2**20,
    }
    return show(request, "admin/place.html", values, status=422 if problems else 200)


def _meaning(request: web.Request, hours: str) -> Text | None:
    """What hours come to now, and in words; None for none."""
    site = request.app[SITE]
    zone, now = site.city.zone, site.now()
    if not hours.strip():
        return None
    try:
        opening = compiled(hours.strip(), zone).at(now)
    except ValueError:
        return _("These hours are not understood.")
    words = phrases(locale_of(request), zone)
    return _("Now: {opening}. Hours: {hours}", opening=words.opening(opening, now), hours=timetable(hours, words))


def _told(request: web.Request, entry: Entry) -> dict[str, Any]:
    voice = request.app[SITE].voice(locale_of(request))
    return {
        "at": voice.time(entry.at),
        "login": entry.login,
        "deed": DEEDS.get(entry.action),
        "action": entry.action,
        "changes": [
            (FIELD_NAMES.get(name), name, _said(request, name, entry.before), _said(request, name, entry.after))
            for name in dict.fromkeys((*entry.before, *entry.after))
        ],
    }


def _said(request: web.Request, name: str, cells: Mapping[str, Any]) -> str:
    """A cell of the history, its keys as the words that people know them by."""
    site, text = request.app[SITE], str(cells.get(name) or "")
    locale = locale_of(request)
    if name == "county" and text in site.city.counties:
        return site.city.counties[text].called(locale)
    voice, known = site.voice(locale), _WORDED.get(name)
    if known is None:
        return text
    separator = phrases(locale, site.city.zone).separator
    return separator.join(voice.word(known[part]) if part in known else part for part in text.split(";"))


def _counties(request: web.Request) -> dict[str, str]:
    """The counties that this member may give a place, and the city as a whole where it is theirs."""
    city, member, locale = request.app[SITE].city, request[MEMBER], locale_of(request)
    named = {code: county.called(locale) for code, county in city.counties.items()}
    everywhere = {f"{code[:4]}00": city.called(locale) for code in list(named)[:1]}
    return {code: name for code, name in (everywhere | named).items() if authority.is_within(member, [code])}


def _wanted(request: web.Request) -> Wanted:
    asked = request.query
    text = "".join(letter for letter in asked.get("text", "") if letter.isprintable()).strip()[:100]
    return Wanted(
        text,
        kind=_known(asked, "kind", KIND_NAMES),
        county=_known(asked, "county", _counties(request)),
        state=_known(asked, "state", STATE_NAMES),
        doubtful=asked.get("doubtful") == "1",
        unverified=asked.get("unverified") == "1",
    )


def _known(asked: Mapping[str, str], name: str, known: Mapping[str, object]) -> str:
    value = asked.get(name, "")
    return value if value in known else ""


def _asked(wanted: Wanted) -> dict[str, str]:
    """The filters as an address carries them, without those that are not used."""
    return {name: "1" if value is True else value for name, value in asdict(wanted).items() if value}


def _typed(form: MultiMapping[Any], name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def _address(code: str) -> str:
    return f"/admin/places/{quote(code, safe='')}"
