"""Whether the program is alive, ready, and how it does."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address
from typing import Any

from aiohttp import web

# Everything that `/readyz` says, and whether it is ready.
Report = Callable[[], Awaitable[Mapping[str, Any]]]


def routes(report: Report, metrics: Callable[[], Awaitable[bytes]], metrics_token: str) -> list[web.AbstractRouteDef]:
    """`/healthz`, `/readyz` and `/metrics`; the last for this machine only, unless there is a token."""

    async def alive(_request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def ready(_request: web.Request) -> web.Response:
        said = await report()
        return web.json_response(said, status=200 if said["ready"] else 503)

    async def numbers(request: web.Request) -> web.Response:
        if not _may_read(request, metrics_token):
            raise web.HTTPForbidden
        return web.Response(body=await metrics(), content_type="text/plain", charset="utf-8")

    return [web.get("/healthz", alive), web.get("/readyz", ready), web.get("/metrics", numbers)]


def _may_read(request: web.Request, token: str) -> bool:
    if token:
        given = request.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(errors="replace"), f"Bearer {token}".encode())
    # Behind a proxy on this machine everybody seems to be here.
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    try:
        return ip_address(request.remote or "").is_loopback
    except ValueError:
        return False
