"""How the program does: channels and what each may do, the queue, the loops, what failed last."""

from aiohttp import web

from bot.services import deliveries
from bot.web.admin.gate import Pages, show
from bot.web.console import CONSOLE
from bot.web.site import SITE, locale_of

pages = Pages()


@pages.get("/admin/health", "health.read")
async def health(request: web.Request) -> web.StreamResponse:
    site, console = request.app[SITE], request.app[CONSOLE]
    now = site.now()
    async with site.database.reading() as db:
        queue = await deliveries.queue(db, now=now)
        failures = await deliveries.last_failures(db, limit=20)
    reach = console.newsroom.reach
    channels = [
        (name, name in reach.pushing, name in reach.windowed, name in reach.editing, limit)
        for name, limit in sorted(reach.limits.items())
    ]
    values = {
        "ready": await console.ready(),
        "channels": channels,
        "queue": queue,
        "failures": failures,
        "time": site.voice(locale_of(request)).time,
    }
    return show(request, "admin/health.html", values)
