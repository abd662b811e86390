"""Weekly patterns in the console: a rhythm is typed, looked at as the sessions that it makes, and saved."""

from collections.abc import Mapping
from datetime import date, datetime
from itertools import groupby
from typing import Any

from aiohttp import web

from bot.i18n import Text
from bot.services import offering_desk, pattern_desk, session_forms
from bot.services.offerings import from_model
from bot.services.pattern_desk import FIELDS, MOST_BREAKS, Cells, Filled, Pattern
from bot.services.patterns import AHEAD, Foreseen
from bot.services.place_desk import Misfilled
from bot.web.admin.forms import day_words, ticked, today, typed, weekday_words
from bot.web.admin.gate import CONSOLE, MEMBER, SITE, Pages, go, number_in, show
from bot.web.site import locale_of

pages = Pages()


@pages.get("/admin/offerings/{id:[0-9]{1,15}}/patterns/new", "session.write")
async def new(request: web.Request) -> web.StreamResponse:
    return await _form(request, number_in(request, "id"), None, pattern_desk.blank(today(request)))


@pages.post("/admin/offerings/{id:[0-9]{1,15}}/patterns/new", "session.write")
async def create(request: web.Request) -> web.StreamResponse:
    """Make it; or, with the button `look`, only show what it would make."""
    return await _take(request, number_in(request, "id"), None)


@pages.get("/admin/patterns/{id:[0-9]{1,15}}", "session.write")
async def one(request: web.Request) -> web.StreamResponse:
    pattern = await _found(request)
    return await _form(request, pattern.offering_id, pattern, pattern_desk.cells_of(pattern))


@pages.post("/admin/patterns/{id:[0-9]{1,15}}", "session.write")
async def change(request: web.Request) -> web.StreamResponse:
    """Save it and make its sessions agree; or, with the button `look`, only show what that would do."""
    pattern = await _found(request)
    return await _take(request, pattern.offering_id, pattern)


async def _found(request: web.Request) -> Pattern:
    async with request.app[SITE].database.reading() as db:
        return await pattern_desk.found(db, request[MEMBER], number_in(request, "id"))


async def _take(request: web.Request, offering_id: int, pattern: Pattern | None) -> web.StreamResponse:
    site, form = request.app[SITE], await request.post()
    names = (*FIELDS, *(f"break_{n}_{end}" for n in range(MOST_BREAKS) for end in ("since", "until")))
    cells: Cells = {name: typed(form, name) for name in names} | {"weekdays": ticked(form, "weekdays")}
    try:
        async with site.database.reading() as db:
            filled = await pattern_desk.read(db, cells)
    except Misfilled as wrong:
        return await _form(request, offering_id, pattern, cells, problems=wrong.faults)
    if "look" in form:
        return await _form(request, offering_id, pattern, cells, filled=filled)
    async with site.database.writing() as db:
        made = await pattern_desk.save(
            db,
            request[MEMBER],
            offering_id,
            filled,
            pattern_id=pattern.id if pattern else None,
            now=site.now(),
            desk=request.app[CONSOLE].desk,
        )
    if made.booked:
        # Nobody is to think that these changed as well.
        return await _form(request, offering_id, pattern, cells, left_alone=len(made.booked))
    raise go(f"/admin/offerings/{offering_id}", done="saved")


async def _form(
    request: web.Request,
    offering_id: int,
    pattern: Pattern | None,
    cells: Cells,
    *,
    problems: Mapping[str, Text] | None = None,
    filled: Filled | None = None,
    left_alone: int = 0,
) -> web.Response:
    """The form; with what it was `filled` with, the sessions that would make."""
    site, desk, locale = request.app[SITE], request.app[CONSOLE].desk, locale_of(request)
    member, foreseen = request[MEMBER], None
    async with site.database.reading() as db:
        offering = from_model(await offering_desk.found(db, member, offering_id))
        lawyers = await session_forms.lawyers(db)
        if filled:
            foreseen = await pattern_desk.foresee(
                db, member, offering_id, filled, pattern=pattern, now=site.now(), desk=desk
            )
    values = {
        "offering": offering,
        "locale": locale,
        "pattern": pattern,
        "cells": cells,
        "problems": problems or {},
        "lawyers": lawyers if offering.category == "legal" else {},
        "weekdays": weekday_words(locale),
        "breaks": range(MOST_BREAKS),
        "address": f"/admin/patterns/{pattern.id}" if pattern else f"/admin/offerings/{offering_id}/patterns/new",
        "foreseen": foreseen,
        "made": _by_day(request, foreseen) if foreseen else [],
        "off": [day_words(day, locale) for day in foreseen.off] if foreseen else [],
        "weeks": AHEAD.days // 7,
        "missing_year": desk.calendar.missing_year(today(request)),
        "left_alone": left_alone,
        "time": site.voice(locale).time,
    }
    return show(request, "admin/pattern.html", values, status=422 if problems else 200)


def _by_day(request: web.Request, foreseen: Foreseen) -> list[tuple[str, list[str]]]:
    """The sessions as they lie in the weeks to come: each day with its times."""
    zone, locale = request.app[SITE].city.zone, locale_of(request)

    def day_in(slot: tuple[datetime, datetime]) -> date:
        return slot[0].astimezone(zone).date()

    def times(slots: Any) -> list[str]:
        return [f"{since.astimezone(zone):%H:%M}–{until.astimezone(zone):%H:%M}" for since, until in slots]

    return [(day_words(day, locale), times(slots)) for day, slots in groupby(foreseen.wanted, key=day_in)]
