"""The one way into the console: who is logged in, whether their role may, and whether the form is ours."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from aiohttp import web

from bot.errors import Problem
from bot.i18n import Text, _
from bot.services import authority
from bot.services.authority import Member
from bot.services.staff import OnDuty
from bot.web.console import CONSOLE, Console
from bot.web.rendering import render
from bot.web.site import SITE, is_own_origin
from bot.web.staff import logged_in, must_enrol

# What is open to somebody who has to choose a password first, or to set up a second factor.
FOR_PASSWORD = frozenset({"/admin/account", "/admin/account/password"})
FOR_TOTP = frozenset({"/admin/account/totp"})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


MEMBER = web.RequestKey("member", Member)
CSRF = web.RequestKey("csrf", str)

# What a page says after something was done; an address names it by its key, so that nothing of an address is shown.
DONE: dict[str, Text] = {
    "saved": _("Saved."),
    "removed": _("Removed."),
    "undone": _("Undone."),
    "sent": _("Sent."),
    "told": _("Done, and everybody concerned is told."),
    "started": _("On its way."),
}


@dataclass(frozen=True, slots=True)
class Page:
    """An address of the console and the action (a key of `authority.TABLE`) that whoever opens it must be allowed."""

    method: str
    path: str
    action: str
    handler: Handler


class Pages:
    """The pages of one noun."""

    def __init__(self) -> None:
        self.all: list[Page] = []

    def get(self, path: str, action: str) -> Callable[[Handler], Handler]:
        """Decorate a page that is looked at."""
        return self._register("GET", path, action)

    def post(self, path: str, action: str) -> Callable[[Handler], Handler]:
        """Decorate what a form does; it carries the session's token, in the field `csrf` or the header `X-CSRF`."""
        return self._register("POST", path, action)

    def _register(self, method: str, path: str, action: str) -> Callable[[Handler], Handler]:
        if action not in authority.TABLE:
            raise ValueError(f"nobody may {action!r}")

        def register(handler: Handler) -> Handler:
            self.all.append(Page(method, path, action, handler))
            return handler

        return register


def guarded(page: Page) -> Handler:
    """`page` for those who may open it: others are sent to the login, or told that it is not theirs."""

    async def serve(request: web.Request) -> web.StreamResponse:
        duty = await logged_in(request)
        if duty is None:
            if page.method == "GET":
                raise web.HTTPSeeOther(f"/admin/login?next={quote(request.path_qs, safe='')}")
            raise web.HTTPForbidden
        _check_arrival(request, page, duty)
        member = Member(duty.id, duty.login, duty.role, duty.counties)
        if not authority.may(member, page.action):
            raise web.HTTPForbidden
        if page.method == "POST":
            await _check_form(request, duty.csrf)
        request[MEMBER], request[CSRF] = member, duty.csrf
        try:
            response = await page.handler(request)
        except authority.NotAllowed:
            raise web.HTTPForbidden from None
        except Problem as problem:
            response = show(request, "admin/problem.html", {"problem": problem.text}, status=422)
        response.headers["Cache-Control"] = "no-store"
        return response

    return serve


def show(request: web.Request, name: str, values: Mapping[str, Any], *, status: int = 200) -> web.Response:
    """A page of the console inside its frame: who is logged in, where they may go, what was just done."""
    member = request[MEMBER]
    frame = {
        "member": member,
        "csrf": request[CSRF],
        "may": lambda action: authority.may(member, action),
        "path": request.path,
        "done": DONE.get(request.query.get("done", "")),
    }
    return render(request, name, frame | dict(values), status=status)


def go(path: str, *, done: str = "", **query: str) -> web.HTTPSeeOther:
    """Where a browser goes on after a form, with what was done said there; to be raised."""
    asked = urlencode(({"done": done} if done else {}) | query)
    return web.HTTPSeeOther(f"{path}?{asked}" if asked else path)


def number_in(request: web.Request, name: str) -> int:
    """The number in the address of a page, such as `{id}`; what is none is an address that does not exist."""
    text = request.match_info[name]
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise web.HTTPNotFound
    return int(text)


def _check_arrival(request: web.Request, page: Page, duty: OnDuty) -> None:
    """Whoever has a password to change or a second factor to set up does that before anything else."""
    if duty.must_change:
        reachable = FOR_PASSWORD
    elif must_enrol(request, duty):
        reachable = FOR_PASSWORD | FOR_TOTP
    else:
        return
    if page.path not in reachable:
        raise web.HTTPSeeOther("/admin/account") if page.method == "GET" else web.HTTPForbidden


async def _check_form(request: web.Request, csrf: str) -> None:
    sent = request.headers.get("X-CSRF")
    if sent is None and request.content_type in ("application/x-www-form-urlencoded", "multipart/form-data"):
        # Reads the form, within the limit that the application sets.
        sent = str((await request.post()).get("csrf", ""))
    if not is_own_origin(request) or not hmac.compare_digest((sent or "").encode(), csrf.encode()):
        raise web.HTTPForbidden


__all__ = ["CONSOLE", "CSRF", "MEMBER", "SITE", "Console", "Page", "Pages", "go", "guarded", "number_in", "show"]
