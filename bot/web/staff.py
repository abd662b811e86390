"""The door of the staff console: logging in, with a code where the account asks for one, and out."""

import hmac
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from bot.services import credentials, staff
from bot.web.console import CONSOLE
from bot.web.rendering import render
from bot.web.site import SITE, is_own_origin, is_secure

SESSION_COOKIE = "nuanxin_staff"
FORM_COOKIE = "nuanxin_form"
TRIES, WINDOW = 20, timedelta(minutes=5)  # tries that one address has in that time
MOST_ADDRESSES = 10_000
FIRST_PAGE = "/admin/"

# A page for staff on this very site: nothing that a browser or a proxy could take for another host or another page.
_FOR_STAFF = re.compile(r"(?i:(?!.*(?:\.\.|//|%2e|%2f|%5c)))/(?:admin|c)/[A-Za-z0-9._~%/?=&+,:@!$'()*;-]*")

Client = Callable[[web.Request], str]


def routes(client: Client) -> list[web.AbstractRouteDef]:
    """The login; `client` tells the network address of who asks."""
    tries = Tries()

    async def log_in(request: web.Request) -> web.StreamResponse:
        return await _log_in(request, tries, client(request))

    async def take_code(request: web.Request) -> web.StreamResponse:
        return await _take_code(request, tries, client(request))

    return [
        web.get("/admin", _to_console),
        web.get("/admin/login", show_login),
        web.post("/admin/login", log_in),
        web.post("/admin/login/code", take_code),
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


async def logged_in(request: web.Request) -> staff.OnDuty | None:
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


async def on_duty(request: web.Request) -> staff.OnDuty | None:
    """Who is logged in with this browser and may work: no password to change first, no second factor to set up."""
    member = await logged_in(request)
    return None if member is None or member.must_change or must_enrol(request, member) else member


def must_enrol(request: web.Request, member: staff.OnDuty) -> bool:
    """Whether the installation asks for a second factor that the member has not set up."""
    console = request.app.get(CONSOLE)
    return console is not None and console.requires_totp and member.role == "admin" and not member.has_totp


def keep_session(request: web.Request, response: web.StreamResponse, opened: staff.OpenSession) -> None:
    """Give the browser the session that was just opened."""
    response.set_cookie(SESSION_COOKIE, opened.token, **_cookie(request))


async def show_login(request: web.Request) -> web.StreamResponse:
    """The form; who is logged in already goes straight on, by way of what has to be done first."""
    onward = _onward(request.query.get("next"))
    if await on_duty(request):
        raise web.HTTPSeeOther(onward)
    if await logged_in(request):
        raise web.HTTPSeeOther("/admin/account")
    return _form(request, onward=onward)


async def _log_in(request: web.Request, tries: Tries, address: str) -> web.StreamResponse:
    """The first step: login and password."""
    site = request.app[SITE]
    form = await request.post()
    login, password, onward = str(form.get("login", "")), str(form.get("password", "")), _onward(form.get("next"))
    if not is_our_form(request, form.get("csrf")):
        return _form(request, login=login, onward=onward, problem="form", status=403)
    if not tries.may_try(address, site.now()):
        return _too_fast(request, login=login, onward=onward)
    async with site.database.writing() as db:
        tried = await staff.count_try(db, login, site.now())
    if not await staff.password_fits(tried, password) or tried.staff_id is None:
        return _form(request, login=login, onward=onward, problem="password", status=401)
    if tried.totp_secret is not None:
        # From here on it is the codes that count as tries.
        async with site.database.writing() as db:
            await staff.take_back(db, tried)
        token = credentials.waiting_token(login, tried, seals=request.app[CONSOLE].desk.seals, now=site.now())
        return _code_form(request, token, onward=onward)
    async with site.database.writing() as db:
        opened = await _open_session(request, db, tried.staff_id)
    raise _welcome(request, opened, onward)


async def _take_code(request: web.Request, tries: Tries, address: str) -> web.StreamResponse:
    """The second step: the code of an app. Nobody is logged in until it fits, and each try counts."""
    site, seals = request.app[SITE], request.app[CONSOLE].desk.seals
    form = await request.post()
    token, onward = str(form.get("waiting", "")), _onward(form.get("next"))
    waiting = credentials.waiting_of(token, seals=seals, now=site.now())
    if waiting is None or not is_our_form(request, form.get("csrf")):
        return _form(request, onward=onward, problem="form", status=403)
    if not tries.may_try(address, site.now()):
        return _too_fast(request, onward=onward)
    opened = None
    async with site.database.writing() as db:
        tried = await staff.count_try(db, waiting.login, site.now())
        if tried.staff_id and tried.totp_secret and credentials.is_same_password(waiting, tried, seals=seals):
            kept, typed = tried.totp_secret, str(form.get("code", ""))
            if await credentials.use_code(db, tried.staff_id, kept, typed=typed, seals=seals, now=site.now()):
                opened = await _open_session(request, db, tried.staff_id)
    if opened is None:
        return _code_form(request, token, onward=onward, problem="code", status=401)
    raise _welcome(request, opened, onward)


async def log_out(request: web.Request) -> web.StreamResponse:
    """End this browser's session."""
    site = request.app[SITE]
    form = await request.post()
    member = await logged_in(request)
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


async def _open_session(request: web.Request, db: AsyncSession, staff_id: int) -> staff.OpenSession:
    """A new session, whatever the browser brought along; that one ends."""
    if old := request.cookies.get(SESSION_COOKIE):
        await staff.log_out(db, old)
    return await staff.open_session(db, staff_id, request.app[SITE].now())


def _welcome(request: web.Request, opened: staff.OpenSession, onward: str) -> web.HTTPSeeOther:
    response = web.HTTPSeeOther(onward)
    keep_session(request, response, opened)
    response.del_cookie(FORM_COOKIE, path="/admin")
    return response


def _onward(sent: object) -> str:
    """Where to go on after the login: a page for staff, whatever the address asks for."""
    return sent if isinstance(sent, str) and _FOR_STAFF.fullmatch(sent) else FIRST_PAGE


def _too_fast(request: web.Request, *, login: str = "", onward: str) -> web.StreamResponse:
    response = _form(request, login=login, onward=onward, problem="pace", status=429)
    response.headers["Retry-After"] = str(int(WINDOW.total_seconds()))
    return response


def _form(
    request: web.Request, *, login: str = "", onward: str = FIRST_PAGE, problem: str = "", status: int = 200
) -> web.StreamResponse:
    values = {"login": login[:100], "next": onward, "problem": problem}
    return show_form(request, "login.html", values, status=status)


def _code_form(
    request: web.Request, token: str, *, onward: str, problem: str = "", status: int = 200
) -> web.StreamResponse:
    values = {"waiting": token, "next": onward, "problem": problem}
    return show_form(request, "login_code.html", values, status=status)


def show_form(request: web.Request, name: str, values: Mapping[str, Any], *, status: int = 200) -> web.StreamResponse:
    """A form for somebody who is not logged in; its token is also in a cookie, so that no other site can send it."""
    csrf = secrets.token_urlsafe(24)
    response = render(request, name, {"csrf": csrf, **values}, status=status)
    response.set_cookie(FORM_COOKIE, csrf, max_age=3600, **(_cookie(request) | {"path": "/admin"}))
    response.headers["Cache-Control"] = "no-store"
    return response


def is_our_form(request: web.Request, csrf: object) -> bool:
    """Whether what was sent comes from a form of `show_form`, with its token."""
    return is_own_origin(request) and _is_same(csrf, request.cookies.get(FORM_COOKIE))


def _cookie(request: web.Request) -> dict[str, Any]:
    return {"path": "/", "httponly": True, "samesite": "Strict", "secure": is_secure(request)}


def _is_same(sent: object, kept: str | None) -> bool:
    return isinstance(sent, str) and bool(kept) and hmac.compare_digest(sent.encode(), str(kept).encode())
