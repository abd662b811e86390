"""One's own account: the password, the second factor, and the chat through which one works."""

from typing import Any

from aiohttp import web

from bot.i18n import Text, _
from bot.services import accounts, credentials, linking, staff
from bot.services.authority import NotAllowed
from bot.services.roles import ROLE_NAMES
from bot.web.admin.gate import CONSOLE, MEMBER, SITE, Pages, go, show
from bot.web.staff import keep_session

pages = Pages()

WRONG_PASSWORD = _("The password does not fit, or there were too many tries. Wait a little, then try again.")
NOT_THE_SAME = _("The two are not the same.")


@pages.get("/admin/account", "own.account")
async def account(request: web.Request) -> web.StreamResponse:
    return await _account(request, {})


@pages.post("/admin/account/password", "own.account")
async def change_password(request: web.Request) -> web.StreamResponse:
    site, member, form = request.app[SITE], request[MEMBER], await request.post()
    old, new = str(form.get("old", "")), str(form.get("new", ""))
    try:
        credentials.check_password(new, member.login)
    except credentials.WeakPassword as problem:
        return await _account(request, {"new": problem.text})
    if new != form.get("again"):
        return await _account(request, {"again": NOT_THE_SAME})
    if not await _is_theirs(request, old):
        return await _account(request, {"old": WRONG_PASSWORD})
    if new == old:
        return await _account(request, {"new": _("That is the old one.")})
    password_hash = await staff.hashed(new)
    async with site.database.writing() as db:
        await credentials.choose_password(db, member, password_hash=password_hash, now=site.now())
        opened = await staff.open_session(db, member.id, site.now())
    raise _with_session(request, opened)


@pages.get("/admin/account/totp", "own.account")
async def offer_totp(request: web.Request) -> web.StreamResponse:
    offer = credentials.offer(request[MEMBER], seals=request.app[CONSOLE].desk.seals)
    return await _offer(request, offer, {})


@pages.post("/admin/account/totp", "own.account")
async def enrol(request: web.Request) -> web.StreamResponse:
    site, member, form = request.app[SITE], request[MEMBER], await request.post()
    seals = request.app[CONSOLE].desk.seals
    offer = credentials.offered(member, str(form.get("offer", "")), seals=seals)
    if not await _is_theirs(request, str(form.get("password", ""))):
        return await _offer(request, offer, {"password": WRONG_PASSWORD})
    try:
        async with site.database.writing() as db:
            typed = str(form.get("code", ""))
            await credentials.enrol(db, member, offer, typed=typed, seals=seals, now=site.now())
            opened = await staff.open_session(db, member.id, site.now())
    except credentials.CodeDoesNotFit as problem:
        return await _offer(request, offer, {"code": problem.text})
    raise _with_session(request, opened)


@pages.post("/admin/account/totp/off", "own.account")
async def leave_totp(request: web.Request) -> web.StreamResponse:
    site, member, form = request.app[SITE], request[MEMBER], await request.post()
    if _is_bound_to_totp(request):
        raise NotAllowed
    if not await _is_theirs(request, str(form.get("password", ""))):
        return await _account(request, {"password": WRONG_PASSWORD})
    async with site.database.writing() as db:
        await credentials.leave_totp(db, member, member.login, now=site.now())
    raise go("/admin/account", done="saved")


@pages.post("/admin/account/chat", "own.account")
async def link_chat(request: web.Request) -> web.StreamResponse:
    site, member = request.app[SITE], request[MEMBER]
    async with site.database.writing() as db:
        code = await linking.issue_for_staff(db, member.login, now=site.now(), desk=request.app[CONSOLE].desk)
    return show(request, "admin/chat_code.html", {"code": code})


@pages.post("/admin/account/chats/unlink", "own.account")
async def unlink_chats(request: web.Request) -> web.StreamResponse:
    site = request.app[SITE]
    async with site.database.writing() as db:
        await accounts.unlink_chats(db, request[MEMBER], now=site.now())
    raise go("/admin/account", done="removed")


async def _account(request: web.Request, problems: dict[str, Text]) -> web.Response:
    site, member = request.app[SITE], request[MEMBER]
    async with site.database.reading() as db:
        mine = await accounts.found(db, member.id)
    values: dict[str, Any] = {
        "mine": mine,
        "role": ROLE_NAMES[mine.role],
        "counties": [site.city.counties[code] for code in mine.counties if code in site.city.counties],
        "problems": problems,
        "shortest": credentials.SHORTEST_PASSWORD,
        "is_bound": _is_bound_to_totp(request),
    }
    return show(request, "admin/account.html", values, status=422 if problems else 200)


async def _offer(request: web.Request, offer: credentials.Offer, problems: dict[str, Text]) -> web.Response:
    values = {"offer": offer, "picture": _picture(offer.url), "problems": problems}
    return show(request, "admin/totp.html", values, status=422 if problems else 200)


def _picture(text: str) -> str:
    """`text` as a QR code, in an address that an image shows."""
    import segno

    return str(segno.make(text, error="m", micro=False).svg_data_uri(border=4, dark="#000", light="#fff"))


async def _is_theirs(request: web.Request, password: str) -> bool:
    """Whether this is the password of who is logged in; wrong ones count and lock as at the login."""
    site, member = request.app[SITE], request[MEMBER]
    async with site.database.writing() as db:
        tried = await staff.count_try(db, member.login, site.now())
    if not await staff.password_fits(tried, password):
        return False
    async with site.database.writing() as db:
        await staff.take_back(db, tried)
    return True


def _is_bound_to_totp(request: web.Request) -> bool:
    return request.app[CONSOLE].requires_totp and request[MEMBER].role == "admin"


def _with_session(request: web.Request, opened: staff.OpenSession) -> web.HTTPSeeOther:
    """All browsers were logged out; this one goes on with a session of its own."""
    response = go("/admin/account", done="saved")
    keep_session(request, response, opened)
    return response
