"""Bookings in the console: the door with its codes, the day sheet, who is approved, and what became of them."""

import csv
import io
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from bot.errors import Problem
from bot.i18n import Text, _
from bot.services import attendance, authority, booking_desk, bookings, offering_desk, sessions
from bot.services.attendance import Tally
from bot.services.booking_desk import PAGE
from bot.services.bookings import CheckedIn, Details
from bot.services.bookings.holding import CODE_LENGTH
from bot.services.place_files.exporting import harmless
from bot.services.sessions import Roll, roll
from bot.web.admin.forms import (
    answered,
    day_of,
    day_words,
    midnight,
    number_asked,
    page_asked,
    today,
    typed,
)
from bot.web.admin.gate import CONSOLE, MEMBER, SITE, Pages, go, number_in, show
from bot.web.site import locale_of

pages = Pages()

LATELY = timedelta(days=30)
LONGEST_SPAN = timedelta(days=731)
TALLY_NAMES: dict[str, Text] = {
    "booked": _("Booked"),
    "attended": _("Came"),
    "no_show": _("Did not come"),
    "waiting": _("Waiting"),
    "cancelled": _("Cancelled"),
    "ratings": _("Ratings"),
    "rating": _("Stars on average"),
}
# What can be done to one booking, by who may check in, and by who looks after bookings.
AT_THE_DOOR = {"undo": bookings.undo_check_in, "miss": bookings.miss}
AT_THE_DESK: dict[str, Callable[..., Awaitable[Any]]] = {
    "approve": bookings.approve,
    "refuse": bookings.refuse,
    "withdraw": bookings.withdraw,
}


@pages.get("/admin/bookings", "booking.read")
async def door(request: web.Request) -> web.StreamResponse:
    """Where somebody stands at the door: the field for a code, and the sessions of the day."""
    return await _door(request)


@pages.post("/admin/bookings/check-in", "booking.check_in")
async def check_in(request: web.Request) -> web.StreamResponse:
    """Somebody with a code is here; the second time changes nothing."""
    site, member, typed_code = request.app[SITE], request[MEMBER], typed(await request.post(), "code")
    code = _as_code(typed_code)
    try:
        async with site.database.writing() as db:
            came = await bookings.check_in(db, member.id, code=code, now=site.now(), desk=request.app[CONSOLE].desk)
    except Problem as problem:
        return await _door(request, code=code, problem=problem.text)
    return await _door(request, came=came)


@pages.get("/admin/bookings/find", "booking.read")
async def find(request: web.Request) -> web.StreamResponse:
    """The booking with a code that somebody says at the desk or on the telephone; nothing is done to it."""
    code = _as_code(request.query.get("code", ""))
    try:
        async with request.app[SITE].database.reading() as db:
            found = await bookings.look(db, request[MEMBER].id, code=code, desk=request.app[CONSOLE].desk)
    except bookings.UnknownCode as problem:
        return await _door(request, problem=problem.text)
    raise go(f"/admin/bookings/{found.booking.id}")


@pages.get("/admin/bookings/day/{day:[0-9]{4}-[0-9]{2}-[0-9]{2}}", "booking.read")
async def sheet(request: web.Request) -> web.StreamResponse:
    """The day on paper: each session with who comes, to tick by hand."""
    site, day = request.app[SITE], day_of(request.match_info["day"])
    if day is None:
        raise web.HTTPNotFound
    locale = locale_of(request)
    async with site.database.reading() as db:
        rolls = await sessions.on(db, request[MEMBER], day, desk=request.app[CONSOLE].desk)
    only = number_asked(request, "session")
    values = {
        "day": day,
        "words": day_words(day, locale),
        "earlier": day - timedelta(days=1),
        "later": day + timedelta(days=1),
        "rolls": [(one, answered(one.offering, locale)) for one in rolls if only in (None, one.session.id)],
        "only": only,
        "states": booking_desk.STATE_NAMES,
        "locale": locale,
        "zone": site.city.zone,
        "time": site.voice(locale).time,
        "printed": site.now(),
    }
    return show(request, "admin/day_sheet.html", values)


@pages.get("/admin/bookings/pending", "booking.read")
async def pending(request: web.Request) -> web.StreamResponse:
    """The requests that wait for a yes or a no."""
    site, page, locale = request.app[SITE], page_asked(request), locale_of(request)
    async with site.database.reading() as db:
        rows = await booking_desk.pending(
            db, request[MEMBER], desk=request.app[CONSOLE].desk, start=page * PAGE, limit=PAGE + 1
        )
    values = {
        "rows": [(shown, answered(shown.booking.offering, locale)(shown.guest)) for shown in rows[:PAGE]],
        "earlier": page - 1 if page else None,
        "later": page + 1 if len(rows) > PAGE else None,
        "locale": locale,
        "time": site.voice(locale).time,
    }
    return show(request, "admin/bookings_pending.html", values)


@pages.get("/admin/bookings/{id:[0-9]{1,15}}", "booking.read")
async def one(request: web.Request) -> web.StreamResponse:
    return await _one(request)


@pages.post("/admin/bookings/{id:[0-9]{1,15}}/phone", "person.phone")
async def phone(request: web.Request) -> web.StreamResponse:
    """Show the number once; the audit keeps who looked."""
    site, desk = request.app[SITE], request.app[CONSOLE].desk
    async with site.database.writing() as db:
        number = await booking_desk.phone(db, request[MEMBER], number_in(request, "id"), now=site.now(), desk=desk)
    return await _one(request, phone=number)


@pages.post("/admin/bookings/{id:[0-9]{1,15}}/note", "booking.read")
async def note(request: web.Request) -> web.StreamResponse:
    """Show the note to the lawyer of the session; the audit keeps when."""
    site, desk = request.app[SITE], request.app[CONSOLE].desk
    async with site.database.writing() as db:
        said = await booking_desk.note(db, request[MEMBER], number_in(request, "id"), now=site.now(), desk=desk)
    return await _one(request, note=said)


@pages.post("/admin/bookings/{id:[0-9]{1,15}}/{deed:here|undo|miss}", "booking.check_in")
async def at_the_door(request: web.Request) -> web.StreamResponse:
    site, desk, number = request.app[SITE], request.app[CONSOLE].desk, number_in(request, "id")
    member, deed = request[MEMBER], request.match_info["deed"]
    async with site.database.writing() as db:
        if deed == "here":
            shown = await booking_desk.found(db, member, number, desk=desk)
            await bookings.check_in(db, member.id, code=shown.booking.code, now=site.now(), desk=desk)
        else:
            await AT_THE_DOOR[deed](db, member.id, booking_id=number, now=site.now(), desk=desk)
    raise go(await _back(request), done="undone" if deed == "undo" else "saved")


@pages.post("/admin/bookings/{id:[0-9]{1,15}}/{deed:approve|refuse|withdraw}", "booking.write")
async def at_the_desk(request: web.Request) -> web.StreamResponse:
    site, desk, number = request.app[SITE], request.app[CONSOLE].desk, number_in(request, "id")
    async with site.database.writing() as db:
        shown = await booking_desk.found(db, request[MEMBER], number, desk=desk)
        deed = AT_THE_DESK[request.match_info["deed"]]
        await deed(db, request[MEMBER].id, booking_id=number, now=site.now(), desk=desk)
    # Who has no chat is told by nobody but the staff.
    raise go(await _back(request), done="told" if shown.booking.rider_id is not None else "saved")


@pages.post("/admin/bookings/{id:[0-9]{1,15}}/excuse", "booking.write")
async def excuse(request: web.Request) -> web.StreamResponse:
    """Take back what was counted against somebody."""
    site, number = request.app[SITE], number_in(request, "id")
    async with site.database.writing() as db:
        await bookings.excuse(db, request[MEMBER].id, booking_id=number, now=site.now())
    raise go(await _back(request), done="undone")


@pages.get("/admin/sessions/{id:[0-9]{1,15}}/walk-in", "booking.write")
async def walk_in_form(request: web.Request) -> web.StreamResponse:
    return await _walk_in(request, {})


@pages.post("/admin/sessions/{id:[0-9]{1,15}}/walk-in", "booking.write")
async def walk_in(request: web.Request) -> web.StreamResponse:
    """Somebody without the chat gets a seat, and is here at once if the doors are open."""
    site, desk, number = request.app[SITE], request.app[CONSOLE].desk, number_in(request, "id")
    form, member = await request.post(), request[MEMBER]
    said = {name.removeprefix("answer_"): typed(form, name) for name in form if name.startswith("answer_")}
    details = Details(said.get("name", ""), said.get("phone", ""), "", said)
    try:
        async with site.database.writing() as db:
            booking = await bookings.walk_in(
                db, member.id, session_id=number, details=details, agreed="agreed" in form, now=site.now(), desk=desk
            )
    except authority.NotAllowed:
        raise
    except Problem as problem:
        return await _walk_in(request, said, problem=problem.text)
    raise go(f"/admin/bookings/{booking.id}", done="saved")


@pages.get("/admin/bookings/figures", "figures.read")
async def statistics(request: web.Request) -> web.StreamResponse:
    """How offerings are taken up; with an offering, session by session."""
    site, locale = request.app[SITE], locale_of(request)
    since, until, asked = _asked_span(request)
    rows, title = await _figures(request)
    values = {
        "rows": rows,
        "remarks": await _remarks(request),
        "title": title,
        "names": TALLY_NAMES,
        "since": since,
        "until": until,
        "offering": number_asked(request, "offering"),
        "asked": urlencode(asked),
        "time": site.voice(locale).time,
    }
    return show(request, "admin/booking_figures.html", values)


@pages.get("/admin/bookings/figures.csv", "figures.export")
async def statistics_csv(request: web.Request) -> web.StreamResponse:
    """The same for a spreadsheet."""
    rows, _title = await _figures(request)
    zone, names = request.app[SITE].city.zone, tuple(TALLY_NAMES)
    table: list[Sequence[Any]]
    if number_asked(request, "offering") is None:
        table = [("code", "title", "sessions", "seats", *names)]
        table += [(one.code, one.title, one.sessions, one.seats, *_numbers(one.tally)) for one in rows]
    else:
        table = [("starts_at", "place", "seats", *names)]
        for one in rows:
            starts_at = f"{one.session.starts_at.astimezone(zone):%Y-%m-%d %H:%M}"
            table.append((starts_at, one.session.where, one.session.capacity, *_numbers(one.tally)))
    lines = io.StringIO()
    csv.writer(lines).writerows([harmless(cell) if isinstance(cell, str) else cell for cell in row] for row in table)
    headers = {"Content-Disposition": 'attachment; filename="bookings.csv"'}
    return web.Response(body=lines.getvalue().encode("utf-8-sig"), content_type="text/csv", headers=headers)


def _as_code(text: str) -> str:
    """A code as it was meant: without the spaces and hyphens that people put in."""
    return "".join(letter for letter in text if letter.isalnum())[: CODE_LENGTH * 2]


async def _door(
    request: web.Request, *, code: str = "", came: CheckedIn | None = None, problem: Text | None = None
) -> web.Response:
    site, member, locale = request.app[SITE], request[MEMBER], locale_of(request)
    day = today(request)
    async with site.database.reading() as db:
        rolls = await sessions.on(db, member, day, desk=request.app[CONSOLE].desk)
        waits = bool(await booking_desk.pending(db, member, desk=request.app[CONSOLE].desk, limit=1))
    values = {
        "code": code,
        "came": came,
        "problem": problem,
        "rolls": [(one, _here(one)) for one in rolls],
        "waits": waits,
        "day": day,
        "words": day_words(day, locale),
        "length": CODE_LENGTH,
        "locale": locale,
        "zone": site.city.zone,
        "time": site.voice(locale).time,
    }
    return show(request, "admin/bookings.html", values, status=422 if problem else 200)


def _here(one: Roll) -> tuple[int, int]:
    """How many are here, of how many that are expected."""
    expected = [guest for guest in one.people if guest.state in ("booked", "attended", "no_show")]
    return sum(guest.state == "attended" for guest in expected), len(expected)


async def _one(request: web.Request, *, phone: str | None = None, note: str | None = None) -> web.Response:
    site, member, number = request.app[SITE], request[MEMBER], number_in(request, "id")
    desk, locale = request.app[CONSOLE].desk, locale_of(request)
    async with site.database.reading() as db:
        shown = await booking_desk.found(db, member, number, desk=desk)
        steps = await booking_desk.steps(db, number)
    session = shown.booking.session
    values = {
        "shown": shown,
        "booking": shown.booking,
        "session": session,
        "answers": answered(shown.booking.offering, locale)(shown.guest),
        "phone": phone,
        "note": note,
        "steps": steps,
        "states": booking_desk.STATE_NAMES,
        "reasons": booking_desk.REASON_NAMES,
        "doors_open": session.starts_at - bookings.DOORS_OPEN <= site.now() <= session.ends_at + bookings.DOORS_CLOSE,
        "has_begun": session.starts_at <= site.now(),
        "is_over": session.ends_at <= site.now(),
        "back": f"/admin/bookings/{number}",
        "locale": locale,
        "time": site.voice(locale).time,
    }
    return show(request, "admin/booking.html", values)


async def _walk_in(request: web.Request, said: dict[str, str], *, problem: Text | None = None) -> web.Response:
    site, member, locale = request.app[SITE], request[MEMBER], locale_of(request)
    async with site.database.reading() as db:
        there = await sessions.of_session(db, member, number_in(request, "id"), desk=request.app[CONSOLE].desk)
        roll.require(member, "booking.write", there.session)
    values = {
        "session": there.session,
        "offering": there.offering,
        "questions": [
            (question, question.label(locale), question.options(locale))
            for question in there.offering.questions
            if question.kind != "note"
        ],
        "said": said,
        "problem": problem,
        "doors_open": there.session.starts_at - bookings.DOORS_OPEN <= site.now(),
        "locale": locale,
        "time": site.voice(locale).time,
    }
    return show(request, "admin/walk_in.html", values, status=422 if problem else 200)


async def _back(request: web.Request) -> str:
    """The page on which a button was: one of ours, by its name and not by an address that somebody sends."""
    form, number = await request.post(), number_in(request, "id")
    match typed(form, "back"):
        case "pending":
            return "/admin/bookings/pending"
        case "door":
            return "/admin/bookings"
        case "session":
            async with request.app[SITE].database.reading() as db:
                shown = await booking_desk.found(db, request[MEMBER], number, desk=request.app[CONSOLE].desk)
            return f"/admin/sessions/{shown.booking.session.id}"
    return f"/admin/bookings/{number}"


def _asked_span(request: web.Request) -> tuple[Any, Any, dict[str, str]]:
    """The first and the last day of the figures, and how an address asks for them."""
    until = day_of(request.query.get("until", "")) or today(request)
    since = day_of(request.query.get("since", "")) or until - LATELY
    since = max(min(since, until), until - LONGEST_SPAN)
    asked = {"since": str(since), "until": str(until)}
    if (offering := number_asked(request, "offering")) is not None:
        asked["offering"] = str(offering)
    return since, until, asked


async def _figures(request: web.Request) -> tuple[list[Any], str]:
    site, member, zone = request.app[SITE], request[MEMBER], request.app[SITE].city.zone
    first, last, _asked = _asked_span(request)
    since, until = midnight(first, zone), midnight(last + timedelta(days=1), zone)
    async with site.database.reading() as db:
        if (offering_id := number_asked(request, "offering")) is None:
            return list(await attendance.by_offering(db, member, since=since, until=until)), ""
        title = await offering_desk.title(db, offering_id, locale=locale_of(request))
        found = await attendance.by_session(db, member, offering_id=offering_id, since=since, until=until)
    return list(found), title


async def _remarks(request: web.Request) -> list[attendance.Remark]:
    """What riders wrote of the offering that is asked for, if this member may read it."""
    site, member, zone = request.app[SITE], request[MEMBER], request.app[SITE].city.zone
    offering_id = number_asked(request, "offering")
    if offering_id is None or not authority.may(member, "booking.read"):
        return []
    first, last, _asked = _asked_span(request)
    span = {"since": midnight(first, zone), "until": midnight(last + timedelta(days=1), zone)}
    async with site.database.reading() as db:
        desk = request.app[CONSOLE].desk
        return await attendance.remarks(db, member, offering_id=offering_id, desk=desk, **span)


def _numbers(tally: Tally) -> list[Any]:
    return [getattr(tally, name) if getattr(tally, name) is not None else "" for name in TALLY_NAMES]
