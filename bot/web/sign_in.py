"""The link from a chat that opens the page as the same person; looking at it does not use it up."""

from collections.abc import Callable

from aiohttp import web

from bot.services import sign_in
from bot.services.desk import Desk
from bot.web.rendering import render
from bot.web.site import SITE


def routes(desk: Desk, channel: str, sign: Callable[[str], str]) -> list[web.AbstractRouteDef]:
    """`channel` is the page's own, `sign` makes the token of one of its sessions."""

    async def look(request: web.Request) -> web.StreamResponse:
        # Messengers open links to preview them: only the button signs in.
        return _page(request, "")

    async def enter(request: web.Request) -> web.StreamResponse:
        site = request.app[SITE]
        async with site.database.writing() as db:
            user = await sign_in.use(db, request.match_info["token"], channel, now=site.now(), desk=desk)
        return _page(request, sign(user)) if user else _page(request, "", is_used_up=True)

    return [web.get("/s/{token}", look), web.post("/s/{token}", enter)]


def _page(request: web.Request, session: str, *, is_used_up: bool = False) -> web.Response:
    values = {"session": session, "is_used_up": is_used_up, "path": f"/s/{request.match_info['token']}"}
    response = render(request, "sign_in.html", values, status=410 if is_used_up else 200)
    # The address is the secret.
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response
