"""The link by which somebody of the staff chooses a new password, once."""

from collections.abc import Callable
from datetime import datetime

from aiohttp import web

from bot.errors import Problem
from bot.i18n import Text, _
from bot.services import credentials, staff
from bot.web.site import SITE
from bot.web.staff import Tries, is_our_form, show_form


def routes(client: Callable[[web.Request], str]) -> list[web.AbstractRouteDef]:
    """Looking at the link, which does not use it up, and choosing; `client` tells the network address of who asks."""
    tries = Tries()

    async def choose(request: web.Request) -> web.StreamResponse:
        if not tries.may_try(client(request), request.app[SITE].now()):
            raise web.HTTPTooManyRequests
        return await _choose(request)

    return [web.get("/admin/reset/{token}", _look), web.post("/admin/reset/{token}", choose)]


async def _look(request: web.Request) -> web.StreamResponse:
    try:
        reset = await _reset(request, request.app[SITE].now())
    except credentials.LinkUsedUp as problem:
        return _form(request, "", problem.text, 404)
    return _form(request, reset.login, None, 200)


async def _choose(request: web.Request) -> web.StreamResponse:
    site, token = request.app[SITE], request.match_info["token"]
    form = await request.post()
    new, login = str(form.get("new", "")), ""
    try:
        reset = await _reset(request, site.now())
        login = reset.login
        if not is_our_form(request, form.get("csrf")):
            return _form(request, login, _("The form was open for too long. Please try again."), 403)
        credentials.check_password(new, login)
        if new != form.get("again"):
            return _form(request, login, _("The two are not the same."), 422)
        password_hash = await staff.hashed(new)
        async with site.database.writing() as db:
            await credentials.use_reset(db, token, password_hash=password_hash, now=site.now())
    except credentials.LinkUsedUp as problem:
        return _form(request, "", problem.text, 404)
    except Problem as problem:
        return _form(request, login, problem.text, 422)
    raise web.HTTPSeeOther("/admin/login")


def _form(request: web.Request, login: str, problem: Text | None, status: int) -> web.StreamResponse:
    """The form; without `login` only what is wrong."""
    return show_form(request, "reset.html", {"login": login, "problem": problem}, status=status)


async def _reset(request: web.Request, now: datetime) -> credentials.Reset:
    async with request.app[SITE].database.reading() as db:
        return await credentials.reset_of(db, request.match_info["token"], now=now)
