"""The web server: every page and address behind one application."""

from collections.abc import Callable, Iterable

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.web import admin, pages, resets, staff
from bot.web.assets import Assets
from bot.web.console import CONSOLE, Console
from bot.web.middlewares import MACHINES, kind_failures, security
from bot.web.rendering import TEMPLATES, templates
from bot.web.site import SITE, Site

LARGEST_BODY = 2**20


def build_app(
    site: Site,
    *,
    places: Handler | None = None,
    extra: Iterable[web.AbstractRouteDef] = (),
    client: Callable[[web.Request], str] = lambda request: request.remote or "",
    machines: Iterable[str] = (),
    console: Console | None = None,
) -> web.Application:
    """The application that serves `site`.

    `places` answers for `/p/{code}`, `extra` are the routes of channels and of the JSON interface, and
    `client` tells the address of the person behind a request, past the proxies that are trusted. `machines` are
    paths that only other servers call. `console` is what the staff's pages work with.
    """
    app = web.Application(middlewares=[security, kind_failures], client_max_size=LARGEST_BODY)
    app[SITE] = site
    app[MACHINES] = frozenset(machines)
    assets = Assets()
    app[TEMPLATES] = templates(assets.address)
    app.router.add_get("/static/{version}/{name:.+}", assets.serve)
    app.add_routes(pages.routes(places))
    app.add_routes(staff.routes(client))
    app.add_routes(resets.routes(client))
    app.add_routes(admin.routes())
    if console:
        app[CONSOLE] = console
    app.add_routes(extra)
    return app
