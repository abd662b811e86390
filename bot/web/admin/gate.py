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

# What a form holds beside its file.
FORM_AROUND_FILE = 2**16

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


MEMBER = web.RequestKey("member", Member)
CSRF = web.RequestKey("csrf", str)

# What a page says after something was done; an address names it by its key, so that nothing of an address is shown.
DONE: dict[str, Text] = {
    "saved": _("Saved."),
    "removed": _("Removed."),
    "undone": _("Undone."),
    "sent": _("Sent."),
    "handed_in": _("Handed in: a second person looks at it."),
    "returned": _("Returned to its author."),
    "approved": _("Approved. It goes out at its time."),
    "told": _("Done, and everybody concerned is told."),
    "started": _("On its way."),
}


@dataclass(frozen=True, slots=True)
class Page:
    """An address of the console and the action (a key of `authority.TABLE`) that whoever opens it must be allowed.

    `largest` is how many bytes a file that is sent there may have; 0 where none is expected.
    """

    method: str
    path: str
    action: str
    handler: Handler
    largest: int = 0


class Pages:
    """The pages of one noun."""

    def __init__(self) -> None:
        self.all: list[Page] = []

    def get(self, path: str, action: str) -> Callable[[Handler], Handler]:
        """Decorate a page that is looked at."""
        return self._register("GET", path, action)

    def post(self, path: str, action: str, *, largest: int = 0) -> Callable[[Handler], Handler]:
        """Decorate what a form does; it carries the session's token, in the field `csrf` or the header `X-CSRF`.

        A form with a file says how many bytes that may have.
        """
        return self._register("POST", path, action, largest)

    def _register(self, method: str, path: str, action: str, largest: int = 0) -> Callable[[Handler], Handler]:
        if action not in authority.TABLE:
            raise ValueError(f"nobody may {action!r}")

        def register(handler: Handler) -> Handler:
            self.all.append(Page(method, path, action, handler, largest))
            return handler

        return register


def guarded(page: Page) -> Handler:
    """`page` for those who may open it: others are sent to the login, or told that it is not theirs."""

    async def serve(request: web.Request) -> web.StreamResponse:
        duty = await _admitted(request, page)
        if page.largest:
            request = request.clone(client_max_size=page.largest + FORM_AROUND_FILE)
        request[MEMBER], request[CSRF] = _member(duty), duty.csrf
        form: Mapping[str, Any] = {}
        try:
            if page.method == "POST":
                form = await _form(request)
                _check_token(request, form, duty.csrf)
            response = await page.handler(request)
        except web.HTTPRequestEntityTooLarge:
            response = show(request, "admin/problem.html", {"problem": _too_large(page)}, status=413)
        except authority.NotAllowed:
            raise web.HTTPForbidden from None
        except Problem as problem:
            response = show(request, "admin/problem.html", {"problem": problem.text}, status=422)
        finally:
            _close_files(form)
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


def _too_large(page: Page) -> Text:
    if page.largest:
        return _("The file is too large: at most {most} MB are taken here.", most=page.largest // 2**20)
    return _("That is too long. Please say it in fewer words.")


def number_in(request: web.Request, name: str) -> int:
    """The number in the address of a page, such as `{id}`; what is none is an address that does not exist."""
    text = request.match_info[name]
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise web.HTTPNotFound
    return int(text)


async def _admitted(request: web.Request, page: Page) -> OnDuty:
    """Whoever is logged in, if they may open the page and it can be there."""
    duty = await logged_in(request)
    if duty is None:
        if page.method == "GET":
            raise web.HTTPSeeOther(f"/admin/login?next={quote(request.path_qs, safe='')}")
        raise web.HTTPForbidden
    _check_arrival(request, page, duty)
    if not authority.may(_member(duty), page.action):
        raise web.HTTPForbidden
    if any("\0" in part for part in request.match_info.values()):
        # Nothing is called so, and PostgreSQL takes no such text.
        raise web.HTTPNotFound
    return duty


def _member(duty: OnDuty) -> Member:
    return Member(duty.id, duty.login, duty.role, duty.counties)


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


async def _form(request: web.Request) -> Mapping[str, Any]:
    """What was sent, read within the limit that the application or the page sets; empty where it is no form."""
    if not is_own_origin(request):
        raise web.HTTPForbidden
    if request.content_type not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return {}
    try:
        form = await request.post()
    except (ValueError, LookupError, RuntimeError):
        # Parts without names, an unknown charset or encoding.
        raise web.HTTPBadRequest from None
    if any(isinstance(text, str) and "\0" in text for text in form.values()):
        # No keyboard makes one, and PostgreSQL takes none.
        raise web.HTTPBadRequest
    return form


def _check_token(request: web.Request, form: Mapping[str, Any], csrf: str) -> None:
    sent = request.headers.get("X-CSRF", form.get("csrf"))
    if not isinstance(sent, str) or not hmac.compare_digest(sent.encode(), csrf.encode()):
        raise web.HTTPForbidden


def _close_files(form: Mapping[str, Any]) -> None:
    for sent in form.values():
        if isinstance(sent, web.FileField):
            sent.file.close()


__all__ = ["CONSOLE", "CSRF", "MEMBER", "SITE", "Console", "Page", "Pages", "go", "guarded", "number_in", "show"]
