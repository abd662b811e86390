"""What every response carries, and what every failure looks like."""

import logging
import re
import secrets

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.web.rendering import render
from bot.web.site import SITE, is_in_wechat, is_secure, locale_of

log = logging.getLogger(__name__)

# Paths that only other servers call.
MACHINES = web.AppKey("machines", frozenset[str])

_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]+")
_ONE_YEAR = 365 * 24 * 3600


@web.middleware
async def security(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Headers that keep foreign code, frames and addresses out; a socket is past all that once it is open.

    What a platform's servers post to us is shown by no browser, and comes often.
    """
    if request.path in request.app[MACHINES]:
        return await handler(request)
    try:
        response = await handler(request)
    except web.HTTPException as failure:
        _protect(request, failure)
        raise
    if not response.prepared:
        _protect(request, response)
    return response


@web.middleware
async def kind_failures(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Failures as pages in the reader's language; programs that ask for no page get the plain answer."""
    if request.path in request.app[MACHINES]:
        return await handler(request)
    try:
        return await handler(request)
    except web.HTTPException as failure:
        if failure.status < 400 or not _wants_page(request):
            raise
        return _page(request, failure.status, failure.headers.get("Retry-After"))
    except Exception:
        reference = secrets.token_hex(4)
        log.exception("request failed", extra={"reference": reference, "route": route(request)})
        if not _wants_page(request):
            raise web.HTTPInternalServerError(text=reference) from None
        return _page(request, 500, None, reference)


def route(request: web.Request) -> str:
    """The pattern that a request matched, such as `/p/{code}`: an address itself may be a secret."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else "(none)"


def _protect(request: web.Request, response: web.StreamResponse) -> None:
    site = request.app[SITE]
    sockets = f" ws://{request.host} wss://{request.host}" if _HOST.fullmatch(request.host) else ""
    scripts = "'self' https://res.wx.qq.com" if is_in_wechat(request) else "'self'"
    response.headers.setdefault(
        "Content-Security-Policy",
        f"default-src 'none'; script-src {scripts}; style-src 'self'; manifest-src 'self'; "
        f"img-src 'self' data: blob: {site.map.tiles_source}; connect-src 'self'{sockets}; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    )
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    # With "no-referrer" browsers send our own forms with `Origin: null`, as if from anywhere.
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("X-Frame-Options", "DENY")
    response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    response.headers.setdefault("Permissions-Policy", "geolocation=(self), camera=(self), microphone=()")
    if is_secure(request):
        response.headers.setdefault("Strict-Transport-Security", f"max-age={_ONE_YEAR}")
    chosen = request.query.get("lang")
    if chosen and chosen == locale_of(request) and isinstance(response, web.Response):
        response.set_cookie("lang", chosen, max_age=_ONE_YEAR, httponly=True, samesite="Lax", secure=is_secure(request))


def _wants_page(request: web.Request) -> bool:
    return "text/html" in request.headers.get("Accept", "") and not request.path.startswith("/api/")


def _page(request: web.Request, status: int, retry_after: str | None, reference: str = "") -> web.StreamResponse:
    context = {"status": status, "reference": reference}
    response = render(request, "failure.html", context, status=status)
    if retry_after:
        response.headers["Retry-After"] = retry_after
    return response
