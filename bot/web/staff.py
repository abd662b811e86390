"""The door of the staff console: logging in and out, and a page that says what staff can do today."""

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from bot.services import staff
from bot.web.rendering import render
from bot.web.site import SITE, is_own_origin, is_secure

SESSION_COOKIE = "nuanxin_staff"
FORM_COOKIE = "nuanxin_form"
TRIES, WINDOW = 20, timedelta(minutes=5)  # tries that one address has in that time
MOST_ADDRESSES = 10_000

Client = Callable[[web.Request], str]


def routes(client: Client) -> list[web.AbstractRouteDef]:
    """The login and the first page; `client` tells the network address of who asks."""
    tries = Tries()

    async def log_in(request: web.Request) -> web.StreamResponse:
        return await _log_in(request, tries, client(request))

    return [
        web.get("/admin", _to_console),
        web.get("/admin/", show_console),
        web.get("/admin/login", show_login),
        web.post("/admin/login", log_in),
        web.post("/admin/logout", log_out),
    ]


class Tries:
    """How often each network address tried to log in of late; bounded, and forgotten with the process."""

    def __init__(self) -> None:
        self._by_address: OrderedDict[str, tuple[datetime, int]] = OrderedDict()

    def may_try(self, address: str, now: datetime) -> bool:
        """Count one more try of `address`; false when it has had too many."""
        since, count = self._by_address.pop(address, (now, 0))
        if now - since >= WINDOW:
            since, count = now, 0
        self._by_address[address] = since, count + 1
        while len(self._by_address) > MOST_ADDRESSES:
            self._by_address.popitem(last=False)
        return count < TRIES


async def on_duty(request: web.Request) -> staff.OnDuty | None:
    """Who is logged in with this browser, if anybody; their idle time starts anew."""
    site = request.app[SITE]
    token = request.cookies.get(SESSION_COOKIE)
    if not token:
        return None
    async with site.database.reading() as db:
        member = await staff.on_duty(db, token, site.now())
    if member and member.is_stale:
        async with site.database.writing() as db:
            await staff.touch(db, token, site.now())
    return member


async def show_login(request: web.Request) -> web.StreamResponse:
    """The form; who is logged in already goes straight on."""
    if await on_duty(request):
        raise web.HTTPSeeOther("/admin/")
    return _form(request)


async def _log_in(request: web.Request, tries: Tries, address: str) -> web.StreamResponse:
    site = request.app[SITE]
    form = await request.post()
    login, password = str(form.get("login", "")), str(form.get("password", ""))
    if not is_own_origin(request) or not _is_same(form.get("csrf"), request.cookies.get(FORM_COOKIE)):
        return _form(request, login=login, problem="form", status=403)
    if not tries.may_try(address, site.now()):
        response = _form(request, login=login, problem="pace", status=429)
        response.headers["Retry-After"] = str(int(WINDOW.total_seconds()))
        return response
    async with site.database.writing() as db:
        tried = await staff.count_try(db, login, site.now())
    if not await staff.password_fits(tried, password) or tried.staff_id is None:
        return _form(request, login=login, problem="password", status=401)
    async with site.database.writing() as db:
        opened = await staff.open_session(db, tried.staff_id, site.now())
        if old := request.cookies.get(SESSION_COOKIE):
            await staff.log_out(db, old)
    response = web.HTTPSeeOther("/admin/")
    response.set_cookie(SESSION_COOKIE, opened.token, **_cookie(request))
    response.del_cookie(FORM_COOKIE, path="/admin")
    raise response


async def show_console(request: web.Request) -> web.StreamResponse:
    """What staff can do today, until the console is here."""
    member = await on_duty(request)
    if member is None:
        raise web.HTTPSeeOther("/admin/login")
    response = render(request, "console.html", {"member": member})
    response.headers["Cache-Control"] = "no-store"
    return response


async def log_out(request: web.Request) -> web.StreamResponse:
    """End this browser's session."""
    site = request.app[SITE]
    form = await request.post()
    member = await on_duty(request)
    if member:
        if not is_own_origin(request) or not _is_same(form.get("csrf"), member.csrf):
            raise web.HTTPForbidden
        async with site.database.writing() as db:
            await staff.log_out(db, request.cookies[SESSION_COOKIE])
    response = web.HTTPSeeOther("/admin/login")
    response.del_cookie(SESSION_COOKIE)
    raise response


async def _to_console(request: web.Request) -> web.StreamResponse:
    raise web.HTTPMovedPermanently("/admin/")


def _form(request: web.Request, *, login: str = "", problem: str = "", status: int = 200) -> web.StreamResponse:
    """The login form; its token is also in a cookie, so that no other site can send it."""
    csrf = secrets.token_urlsafe(24)
    context = {"csrf": csrf, "login": login[:100], "problem": problem}
    response = render(request, "login.html", context, status=status)
    response.set_cookie(FORM_COOKIE, csrf, max_age=3600, **(_cookie(request) | {"path": "/admin"}))
    response.headers["Cache-Control"] = "no-store"
    return response


def _cookie(request: web.Request) -> dict[str, Any]:
    return {"path": "/", "httponly": True, "samesite": "Strict", "secure": is_secure(request)}


def _is_same(sent: object, kept: str | None) -> bool:
    return isinstance(sent, str) and bool(kept) and hmac.compare_digest(sent.encode(), str(kept).encode())
