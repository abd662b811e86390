"""The accounts of all who work for the city: who there is, what they may, and who may no longer come in."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from multidict import MultiMapping

from bot.errors import Problem
from bot.i18n import Text
from bot.services import accounts, credentials, staff
from bot.services.accounts import Account
from bot.services.roles import ROLE_NAMES
from bot.web.admin.gate import CONSOLE, MEMBER, SITE, Pages, go, number_in, show
from bot.web.site import locale_of

pages = Pages()

# Which field of a form a broken rule belongs to.
_FIELD_OF: dict[type[Problem], str] = {
    staff.LoginTaken: "login",
    staff.EmptyLogin: "login",
    staff.UnknownRole: "role",
    accounts.LastAdmin: "role",
    accounts.NeedsCounty: "counties",
}


@dataclass(frozen=True, slots=True)
class _Typed:
    """A form of an account as it was sent: counties that the city does not have are left out."""

    login: str = ""
    role: str = "viewer"
    counties: tuple[str, ...] = ()


@pages.get("/admin/staff", "staff.read")
async def members(request: web.Request) -> web.StreamResponse:
    return await _members(request, _Typed(), {})


@pages.post("/admin/staff", "staff.write")
async def add(request: web.Request) -> web.StreamResponse:
    site, member, form = request.app[SITE], request[MEMBER], await request.post()
    typed = _typed(form, site.city.counties)
    password = staff.one_time_password()
    password_hash = await staff.hashed(password)
    by_link = form.get("how") == "link"
    token = ""
    try:
        async with site.database.writing() as db:
            login = await accounts.create(
                db,
                member,
                typed.login,
                typed.role,
                counties=typed.counties,
                password_hash=password_hash,
                now=site.now(),
            )
            if by_link:
                token = await credentials.issue_reset(db, member, login, now=site.now())
    except tuple(_FIELD_OF) as problem:
        return await _members(request, typed, {_FIELD_OF[type(problem)]: problem.text})
    return _shown(request, login, password="" if by_link else password, token=token)


@pages.get("/admin/staff/{id}", "staff.read")
async def one(request: web.Request) -> web.StreamResponse:
    return await _one(request, None, {})


@pages.post("/admin/staff/{id}", "staff.write")
async def assign(request: web.Request) -> web.StreamResponse:
    site, member, id = request.app[SITE], request[MEMBER], number_in(request, "id")
    typed = _typed(await request.post(), site.city.counties)
    try:
        async with site.database.writing() as db:
            await accounts.assign(db, member, id, typed.role, counties=typed.counties, now=site.now())
    except tuple(_FIELD_OF) as problem:
        return await _one(request, typed, {_FIELD_OF[type(problem)]: problem.text})
    raise go("/admin/staff", done="saved")


@pages.post("/admin/staff/{id}/disable", "staff.write")
async def disable(request: web.Request) -> web.StreamResponse:
    site, id = request.app[SITE], number_in(request, "id")
    async with site.database.writing() as db:
        await accounts.disable(db, request[MEMBER], id, now=site.now())
    raise go(f"/admin/staff/{id}", done="saved")


@pages.post("/admin/staff/{id}/enable", "staff.write")
async def enable(request: web.Request) -> web.StreamResponse:
    site, id = request.app[SITE], number_in(request, "id")
    async with site.database.writing() as db:
        await accounts.enable(db, request[MEMBER], id, now=site.now())
    raise go(f"/admin/staff/{id}", done="saved")


@pages.post("/admin/staff/{id}/sessions", "staff.write")
async def end_sessions(request: web.Request) -> web.StreamResponse:
    site, id = request.app[SITE], number_in(request, "id")
    async with site.database.writing() as db:
        await accounts.end_sessions(db, request[MEMBER], id, now=site.now())
    raise go(f"/admin/staff/{id}", done="saved")


@pages.post("/admin/staff/{id}/totp", "staff.write")
async def remove_totp(request: web.Request) -> web.StreamResponse:
    site, id = request.app[SITE], number_in(request, "id")
    async with site.database.writing() as db:
        theirs = await accounts.found(db, id)
        await credentials.leave_totp(db, request[MEMBER], theirs.login, now=site.now())
    raise go(f"/admin/staff/{id}", done="removed")


@pages.post("/admin/staff/{id}/reset", "staff.write")
async def reset(request: web.Request) -> web.StreamResponse:
    site, id = request.app[SITE], number_in(request, "id")
    async with site.database.writing() as db:
        theirs = await accounts.found(db, id)
        token = await credentials.issue_reset(db, request[MEMBER], theirs.login, now=site.now())
    return _shown(request, theirs.login, token=token)


async def _members(request: web.Request, typed: _Typed, problems: dict[str, Text]) -> web.Response:
    site = request.app[SITE]
    number = request.query.get("page", "")
    page = min(int(number), 10_000) if number.isascii() and number.isdecimal() and len(number) < 9 else 0
    async with site.database.reading() as db:
        rows = await accounts.listed(db, start=page * accounts.PAGE, limit=accounts.PAGE + 1)
    values = _choices(request) | {
        "accounts": [_row(request, account) for account in rows[: accounts.PAGE]],
        "page": page,
        "has_more": len(rows) > accounts.PAGE,
        "typed": typed,
        "problems": problems,
    }
    return show(request, "admin/staff.html", values, status=422 if problems else 200)


async def _one(request: web.Request, typed: _Typed | None, problems: dict[str, Text]) -> web.Response:
    site, id = request.app[SITE], number_in(request, "id")
    async with site.database.reading() as db:
        account = await accounts.found(db, id)
    values = _choices(request) | {
        "account": _row(request, account),
        "typed": typed or _Typed(account.login, account.role, account.counties),
        "problems": problems,
    }
    return show(request, "admin/staff_member.html", values, status=422 if problems else 200)


def _shown(request: web.Request, login: str, *, password: str = "", token: str = "") -> web.Response:
    """What lets somebody in for the first time: it is shown in this one answer and kept nowhere."""
    link = f"{request.app[CONSOLE].desk.public_url}/admin/reset/{token}" if token else ""
    return show(request, "admin/staff_way_in.html", {"login": login, "password": password, "link": link})


def _typed(form: MultiMapping[Any], known: Collection[str]) -> _Typed:
    counties = tuple(str(code) for code in form.getall("counties", []) if code in known)
    return _Typed(str(form.get("login", ""))[:100], str(form.get("role", ""))[:20], counties)


def _choices(request: web.Request) -> dict[str, Any]:
    counties = request.app[SITE].city.counties.values()
    return {"roles": ROLE_NAMES, "counties": [(one.code, one.called(locale_of(request))) for one in counties]}


def _row(request: web.Request, account: Account) -> dict[str, Any]:
    """An account in the words of a page; times are local."""
    site, locale = request.app[SITE], locale_of(request)
    known = site.city.counties
    return {
        "id": account.id,
        "login": account.login,
        "role": ROLE_NAMES[account.role],
        "counties": [known[code].called(locale) if code in known else code for code in account.counties],
        "is_disabled": account.disabled_at is not None,
        "is_locked": account.is_locked(site.now()),
        "must_change": account.must_change,
        "has_totp": account.has_totp,
        "chats": account.chats,
        "seen": f"{account.seen_at.astimezone(site.city.zone):%Y-%m-%d %H:%M}" if account.seen_at else "",
    }
