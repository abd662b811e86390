"""The signature by which a page of ours, opened inside WeChat, may ask where its reader is and open WeChat's map."""

import secrets
from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from bot.channels.wechat.api import Api, signature
from bot.channels.wechat.errors import ApiError

PATH = "/wechat/js-sdk"
LONGEST_URL = 1024

log = structlog.get_logger()


def routes(api: Api, public_url: str, now: Callable[[], datetime]) -> list[web.AbstractRouteDef]:
    """`GET /wechat/js-sdk?url=…`: what `wx.config` needs, as JSON, for pages below `public_url` alone."""
    ours = urlsplit(public_url)

    async def sign(request: web.Request) -> web.Response:
        url = request.query.get("url", "")
        asked = urlsplit(url)
        if len(url) > LONGEST_URL or (asked.scheme, asked.netloc) != (ours.scheme, ours.netloc):
            raise web.HTTPBadRequest
        try:
            ticket = await api.ticket()
        except ApiError as error:
            log.warning("page not signed", channel="wechat", reason=str(error))
            raise web.HTTPServiceUnavailable from None
        nonce, timestamp = secrets.token_hex(8), int(now().timestamp())
        signed = signature(ticket, nonce, timestamp, url)
        said = {"appId": api.app_id, "timestamp": timestamp, "nonceStr": nonce, "signature": signed}
        return web.json_response(said, headers={"Cache-Control": "no-store"})

    return [web.get(PATH, sign)]
