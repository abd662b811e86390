"""Sessions in the console: a calendar of what is coming, one of them, and its moves, said before they are done."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from aiohttp import web

from bot.i18n import Text, _
from bot.services import authority, booking_desk, offering_desk, session_desk, session_forms, sessions
from bot.services.offerings import from_model
from bot.services.place_desk import Misfilled
from bot.services.seating.session_rows import Session
from bot.services.session_desk import Forecast, Listed, NeedsPlace
from bot.services.session_forms import FIELDS, Filled
from bot.services.sessions import Roll, roll
from bot.web.admin.forms import answered, day_of, day_words, midnight, monday, number_asked, today, typed, weekday_words
from bot.web.admin.gate import CONSOLE, MEMBER, SITE, Pages, go, number_in, show
from bot.web.site import locale_of

pages = Pages()

STATES: dict[str, Text] = {
    "open": _("takes bookings"),
    "closed": _("takes no more bookings"),
    "cancelled": _("called off"),
}
# Why a freed seat was offered to nobody.
UNOFFERED: dict[str, Text] = {
    "closed": _("Free seats are offered to nobody: the session takes no more bookings or has begun."),
    "too_late": _("Free seats are offered to nobody: it begins too soon."),
    "quiet": _("Free seats are offered in the morning: people sleep now."),
    "nobody_fits": _("Free seats are offered to nobody: those who wait may not have one (limit, pause, vehicle)."),
}
VIEWS = ("week", "month")
_WEEKS_OF_MONTH = 6


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the calendar; `is_outside` is whether it belongs to another month than the one that is shown."""

    day: date
    words: str
    is_today: bool
    is_outside: bool
    sessions: tuple[Listed, ...]


@pages.get("/admin/sessions", "session.read")
async def calendar(request: web.Request) -> web.StreamResponse:
    """A week or a month; `from` is a day in it, and `homeless` leaves only what has no place yet."""
    site, member, zone = request.app[SITE], request[MEMBER], request.app[SITE].city.zone
    view = "month" if request.query.get("view") == "month" else "week"
    offering_id, homeless = number_asked(request, "offering"), request.query.get("homeless") == "1"
    # It is tomorrow's sessions that need a place first.
    shown = day_of(request.query.get("from", "")) or today(request) + timedelta(days=homeless)
    first, days = _span(view, shown)
    since, until = midnight(first, zone), midnight(first + timedelta(days=days), zone)
    async with site.database.reading() as db:
        found = await session_desk.listed(
            db, member, since=since, until=until, offering_id=offering_id, homeless=homeless
        )
    locale = locale_of(request)
    values = {
        "view": view,
        "days": _days(request, first, days, found, month=shown.month if view == "month" else 0),
        "weekdays": weekday_words(locale),
        "shown": shown,
        "title": _title(view, shown, first, locale),
        "today": today(request),
        "earlier": _step(view, shown, -1),
        "later": _step(view, shown, 1),
        "offering": offering_id,
        "homeless": homeless,
        "is_full": len(found) == session_desk.MOST,
        "most": session_desk.MOST,
        "locale": locale,
        "zone": zone,
    }
    return show(request, "admin/sessions.html", values)


@pages.get("/admin/sessions/new", "session.write")
async def new(request: web.Request) -> web.StreamResponse:
    day = day_of(request.query.get("day", "")) or today(request) + timedelta(days=1)
    cells = {"day": str(day), "starts": "09:00", "ends": "11:00", "capacity": "10"}
    return await _new(request, number_asked(request, "offering") or 0, cells, {})


@pages.post("/admin/sessions/new", "session.write")
async def create(request: web.Request) -> web.StreamResponse:
    site, form = request.app[SITE], await request.post()
    offering_id, cells = number_asked(request, "offering") or 0, {name: typed(form, name) for name in FIELDS}
    try:
        async with site.database.writing() as db:
            filled = await session_forms.read(db, cells, site.city.zone)
            number = await session_desk.create(db, request[MEMBER], offering_id, filled, now=site.now())
    except Misfilled as wrong:
        return await _new(request, offering_id, cells, wrong.faults)
    except NeedsPlace as problem:
        return await _new(request, offering_id, cells, {"place": problem.text})
    except sessions.BadTimes as problem:
        return await _new(request, offering_id, cells, {"day": problem.text})
    raise go(f"/admin/sessions/{number}", done="saved")


@pages.get("/admin/sessions/{id:[0-9]{1,15}}", "session.read")
async def one(request: web.Request) -> web.StreamResponse:
    return await _one(request, None, {})


@pages.post("/admin/sessions/{id:[0-9]{1,15}}", "session.write")
async def change(request: web.Request) -> web.StreamResponse:
    """Save the form; where that moves the session, first say who is told and in which words."""
    site, desk, form = request.app[SITE], request.app[CONSOLE].desk, await request.post()
    cells, number = {name: typed(form, name) for name in FIELDS}, number_in(request, "id")
    try:
        async with site.database.reading() as db:
            session = await session_desk.found(db, request[MEMBER], number)
            roll.require(request[MEMBER], "session.write", session)
            filled = await session_forms.read(db, cells, site.city.zone)
            is_moved = session_desk.moves(session, filled)
            forecast = await session_desk.forecast_move(db, session, filled, desk=desk) if is_moved else None
        if forecast and forecast.concerned and "agreed" not in form:
            return _preview(request, session, forecast, filled=filled, cells=cells)
        async with site.database.writing() as db:
            told = await session_desk.save(
                db,
                request[MEMBER],
                number,
                filled,
                seen=_seen(form),
                now=site.now(),
                desk=desk,
            )
    except Misfilled as wrong:
        return await _one(request, cells, wrong.faults)
    except (NeedsPlace, session_desk.Overtaken) as problem:
        return await _one(request, cells, {"place": problem.text})
    except sessions.BadTimes as problem:
        return await _one(request, cells, {"day": problem.text})
    except sessions.SeatsTaken as problem:
        return await _one(request, cells, {"capacity": problem.text})
    raise go(f"/admin/sessions/{number}", done="told" if told else "saved")


@pages.get("/admin/sessions/{id:[0-9]{1,15}}/cancel", "session.write")
async def look_at_cancel(request: web.Request) -> web.StreamResponse:
    """Who would be told that it does not take place, and in which words."""
    site, desk = request.app[SITE], request.app[CONSOLE].desk
    async with site.database.reading() as db:
        session = await session_desk.found(db, request[MEMBER], number_in(request, "id"))
        roll.require(request[MEMBER], "session.write", session)
        forecast = await session_desk.forecast_cancel(db, session, desk=desk)
    return _preview(request, session, forecast)


@pages.post("/admin/sessions/{id:[0-9]{1,15}}/cancel", "session.write")
async def cancel(request: web.Request) -> web.StreamResponse:
    site, form, number = request.app[SITE], await request.post(), number_in(request, "id")
    async with site.database.writing() as db:
        await session_desk.cancel(
            db,
            request[MEMBER],
            number,
            seen=_seen(form),
            now=site.now(),
            desk=request.app[CONSOLE].desk,
        )
    raise go(f"/admin/sessions/{number}", done="told")


@pages.post("/admin/sessions/{id:[0-9]{1,15}}/close", "session.write")
async def close(request: web.Request) -> web.StreamResponse:
    site, number = request.app[SITE], number_in(request, "id")
    async with site.database.writing() as db:
        await session_desk.close(db, request[MEMBER], number, now=site.now())
    raise go(f"/admin/sessions/{number}", done="saved")


@pages.post("/admin/sessions/{id:[0-9]{1,15}}/reopen", "session.write")
async def reopen(request: web.Request) -> web.StreamResponse:
    site, number, desk = request.app[SITE], number_in(request, "id"), request.app[CONSOLE].desk
    async with site.database.writing() as db:
        await session_desk.reopen(db, request[MEMBER], number, now=site.now(), desk=desk)
    raise go(f"/admin/sessions/{number}", done="saved")


async def _new(
    request: web.Request, offering_id: int, cells: Mapping[str, str], problems: Mapping[str, Text]
) -> web.Response:
    async with request.app[SITE].database.reading() as db:
        offering = from_model(await offering_desk.found(db, request[MEMBER], offering_id))
        lawyers = await session_forms.lawyers(db)
    values = {
        "offering": offering,
        "locale": locale_of(request),
        "cells": cells,
        "problems": problems,
        "lawyers": lawyers if offering.category == "legal" else {},
    }
    return show(request, "admin/session_new.html", values, status=422 if problems else 200)


async def _one(request: web.Request, cells: Mapping[str, str] | None, problems: Mapping[str, Text]) -> web.Response:
    """A session, its form, and who comes; the people only for those who look after bookings."""
    site, member, number = request.app[SITE], request[MEMBER], number_in(request, "id")
    desk, locale = request.app[CONSOLE].desk, locale_of(request)
    people: Roll | None = None
    async with site.database.reading() as db:
        session = await session_desk.found(db, member, number)
        offering = from_model(await offering_desk.of_session(db, member, session))
        lawyers = await session_forms.lawyers(db) if offering.category == "legal" else {}
        if authority.may(member, "booking.read"):
            people = await sessions.of_session(db, member, number, desk=desk)
    values = {
        "session": session,
        "offering": offering,
        "locale": locale,
        "cells": cells or session_forms.cells_of(session, site.city.zone),
        "problems": problems,
        "lawyers": lawyers,
        "lawyer": lawyers.get(session.lawyer_id or 0, ""),
        "people": people,
        "told": answered(offering, locale),
        "states": STATES,
        "guest_states": booking_desk.STATE_NAMES,
        "unoffered": UNOFFERED.get(session.unoffered) if people and people.waiting else None,
        "is_mine": roll.runs(member, "session.write", session),
        "is_ahead": session.starts_at > site.now(),
        "is_over": session.ends_at <= site.now(),
        "day": session.starts_at.astimezone(site.city.zone).date(),
        "back": f"/admin/sessions/{number}",
        "time": site.voice(locale).time,
        "zone": site.city.zone,
    }
    return show(request, "admin/session.html", values, status=422 if problems else 200)


def _preview(
    request: web.Request,
    session: Session,
    forecast: Forecast,
    *,
    filled: Filled | None = None,
    cells: Mapping[str, str] | None = None,
) -> web.Response:
    """What riders would read; without a form it is about calling the session off."""
    site, locale = request.app[SITE], locale_of(request)
    values = {
        "session": session,
        "forecast": forecast,
        "filled": filled,
        "cells": cells or {},
        "address": f"/admin/sessions/{session.id}" + ("" if filled else "/cancel"),
        "time": site.voice(locale).time,
    }
    return show(request, "admin/session_told.html", values)


def _span(view: str, shown: date) -> tuple[date, int]:
    """The first day of a view, and how many days it has: whole weeks."""
    if view == "week":
        return monday(shown), 7
    first = monday(shown.replace(day=1))
    days = _WEEKS_OF_MONTH * 7
    while (first + timedelta(days=days - 7)).month != shown.month:
        days -= 7
    return first, days


def _step(view: str, shown: date, direction: int) -> date:
    if view == "week":
        return monday(shown) + timedelta(days=7 * direction)
    return (shown.replace(day=15) + timedelta(days=30 * direction)).replace(day=1)


def _days(request: web.Request, first: date, days: int, found: list[Listed], *, month: int) -> list[Day]:
    zone, locale = request.app[SITE].city.zone, locale_of(request)
    by_day: dict[date, list[Listed]] = {}
    for one in found:
        by_day.setdefault(one.session.starts_at.astimezone(zone).date(), []).append(one)
    return [
        Day(
            day,
            day_words(day, locale),
            is_today=day == today(request),
            is_outside=bool(month) and day.month != month,
            sessions=tuple(by_day.get(day, ())),
        )
        for day in (first + timedelta(days=n) for n in range(days))
    ]


def _title(view: str, shown: date, first: date, locale: str) -> str:
    from babel.dates import format_skeleton

    if view == "month":
        return format_skeleton("yMMMM", shown, locale=locale)
    return f"{day_words(first, locale)} – {day_words(first + timedelta(days=6), locale)}"


def _seen(form: Mapping[str, Any]) -> int:
    """The state of the session that a form was made from; -1, which none has, where it is not said."""
    text = typed(form, "sequence")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else -1
