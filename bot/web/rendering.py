"""Templates, filled in the language of the reader."""

from collections.abc import Callable, Mapping
from typing import Any

import jinja2
from aiohttp import web

from bot.i18n import Text
from bot.web.site import SITE, locale_of

TEMPLATES = web.AppKey("templates", jinja2.Environment)


def templates(asset: Callable[[str], str]) -> jinja2.Environment:
    """The templates of all pages; `asset` gives the address of a static file."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bot.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["asset"] = asset
    return environment


def render(request: web.Request, name: str, values: Mapping[str, Any], *, status: int = 200) -> web.Response:
    """The page `name` filled with `values`; in it, `_` words a message in the language of the page."""
    site = request.app[SITE]
    locale = locale_of(request)
    voice = site.voice(locale)

    def say(msgid: str, /, **named: Any) -> str:
        return voice.word(Text(msgid, named))

    page = (
        request.app[TEMPLATES]
        .get_template(name)
        .render(
            values,
            _=say,
            word=voice.word,
            locale=locale,
            tag=locale.replace("_", "-"),
            is_demo=site.is_demo,
        )
    )
    return web.Response(text=page, content_type="text/html", status=status)
