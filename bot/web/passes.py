"""What the links of a booking open: its calendar file, its QR picture, and the check-in for staff."""

import hmac
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.errors import Problem
from bot.services import bookings, passes
from bot.services.bookings import CheckedIn, NoSuchBooking
from bot.services.bookings.holding import CODE_LENGTH
from bot.services.desk import Desk
from bot.services.staff import OnDuty
from bot.web.rendering import render
from bot.web.site import SITE, is_own_origin, locale_of
from bot.web.staff import logged_in, on_duty


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    """The addresses in the messages and QR codes of bookings; they live for years."""

    def at(handler: Any) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            response: web.StreamResponse = await handler(request, desk)
            response.headers["Cache-Control"] = "no-store"
            return response

        return answer

    return [
        web.get("/b/{token}.ics", at(_calendar)),
        web.get("/qr/{token}.png", at(_picture)),
        web.get("/c/{token}", at(_show)),
        web.post("/c/{token}", at(_check_in)),
        web.post("/c/{token}/undo", at(_undo)),
    ]


async def _calendar(request: web.Request, desk: Desk) -> web.StreamResponse:
    site = request.app[SITE]
    try:
        booking_id = passes.calendar_opened(request.match_info["token"], desk)
        async with site.database.reading() as db:
            booking = await bookings.unowned(db, booking_id)
    except (passes.BrokenSeal, NoSuchBooking) as error:
        raise web.HTTPNotFound from error
    calendar = passes.ics(booking, desk=desk, voice=site.voice(locale_of(request)), now=site.now())
    name = {"Content-Disposition": 'attachment; filename="nuanxin.ics"'}
    return web.Response(body=calendar, content_type="text/calendar", charset="utf-8", headers=name)


async def _picture(request: web.Request, desk: Desk) -> web.StreamResponse:
    return web.Response(body=passes.qr(passes.check_in_url(_code(request, desk), desk)), content_type="image/png")


async def _show(request: web.Request, desk: Desk) -> web.StreamResponse:
    """For staff who it is and a button; for everybody else nothing but that this is for the desk."""
    code, site = _code(request, desk), request.app[SITE]
    member = await on_duty(request)
    if member is None:
        if await logged_in(request):
            # Something is to be done at the console first, such as choosing a password.
            raise web.HTTPSeeOther("/admin/")
        return _page(request, None, "")
    try:
        async with site.database.reading() as db:
            expected = await bookings.look(db, member.id, code=code, desk=desk)
    except Problem as problem:
        return _page(request, member, code, problem=problem)
    return _page(request, member, code, who=expected, came=expected if expected.already else None)


async def _check_in(request: web.Request, desk: Desk) -> web.StreamResponse:
    code, member = _code(request, desk), await _sent_by_staff(request)
    site = request.app[SITE]
    try:
        async with site.database.writing() as db:
            came = await bookings.check_in(db, member.id, code=code, now=site.now(), desk=desk)
    except Problem as problem:
        return _page(request, member, code, problem=problem, status=409)
    return _page(request, member, code, who=came, came=came)


async def _undo(request: web.Request, desk: Desk) -> web.StreamResponse:
    """Take a check-in back; the booking is found by its code, as it was checked in."""
    code, member = _code(request, desk), await _sent_by_staff(request)
    site = request.app[SITE]
    form = await request.post()
    number = str(form.get("booking", ""))
    if not (number.isascii() and number.isdecimal() and len(number) <= 18):
        raise web.HTTPBadRequest
    try:
        async with site.database.writing() as db:
            await bookings.undo_check_in(db, member.id, booking_id=int(number), now=site.now(), desk=desk)
    except Problem as problem:
        return _page(request, member, code, problem=problem, status=409)
    return _page(request, member, code, is_undone=True)


def _code(request: web.Request, desk: Desk) -> str:
    try:
        return passes.opened(request.match_info["token"], desk)
    except passes.BrokenSeal as error:
        raise web.HTTPNotFound from error


async def _sent_by_staff(request: web.Request) -> OnDuty:
    """Who sent this form; only staff can, and only from a page of ours."""
    member = await on_duty(request)
    sent = (await request.post()).get("csrf")
    if member is None or not is_own_origin(request) or not isinstance(sent, str):
        raise web.HTTPForbidden
    if not hmac.compare_digest(sent.encode(), member.csrf.encode()):
        raise web.HTTPForbidden
    return member


def _page(
    request: web.Request,
    member: OnDuty | None,
    code: str,
    *,
    who: CheckedIn | None = None,
    came: CheckedIn | None = None,
    problem: Problem | None = None,
    is_undone: bool = False,
    status: int = 200,
) -> web.Response:
    facts = dict.fromkeys(("guest", "title", "time", "where"), "")
    if who:
        voice = request.app[SITE].voice(locale_of(request))
        facts = {
            "guest": who.guest,
            "title": who.booking.offering.titled(voice),
            "time": voice.time(who.booking.session.starts_at),
            "where": who.booking.session.where,
        }
    values = {
        "member": member,
        "code": code,
        "length": CODE_LENGTH,
        "path": f"/c/{request.match_info['token']}",
        "came": came,
        "facts": facts,
        "problem": problem.text if problem else "",
        "is_undone": is_undone,
    }
    return render(request, "check_in.html", values, status=status)
