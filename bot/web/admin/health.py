"""How the program does: channels and what each may do, the queue, the loops, what failed last, what to back up."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aiohttp import web

from bot.channel_names import called
from bot.i18n import Text, _
from bot.services import deliveries, trials
from bot.services.broadcasts import restored
from bot.services.storage import storage
from bot.web.admin.gate import MEMBER, Pages, go, show
from bot.web.console import CONSOLE
from bot.web.site import SITE, locale_of

pages = Pages()

LANES: Mapping[str, Text] = {
    "answer": _("answers"),
    "personal": _("reminders and the like"),
    "bulk": _("notices to many"),
}
STATES: Mapping[str, Text] = {
    "queued": _("on their way"),
    "waiting": _("wait for the next contact"),
    "digest": _("wait for Sunday's digest"),
    "sent": _("sent"),
    "failed": _("failed"),
    "stopped": _("the person does not want any"),
}
# Behind a channel's name, what its loop says of how messages come in.
_WAYS: Mapping[str, Text] = {
    "webhook": _("Telegram calls us (webhook)"),
    "polling": _("we ask Telegram (long polling)"),
}


@pages.get("/admin/health", "health.read")
async def health(request: web.Request) -> web.StreamResponse:
    site, console, member = request.app[SITE], request.app[CONSOLE], request[MEMBER]
    now = site.now()
    async with site.database.reading() as db:
        queue = await deliveries.queue(db, now=now)
        failures = await deliveries.last_failures(db, limit=20)
        tests = await trials.latest(db, member)
        kept = await storage(db, site.database)
    ready = await console.ready()
    reach = console.newsroom.reach
    channels = [
        (name, _state(ready, name), name in reach.pushing, name in reach.windowed, name in reach.editing, limit)
        for name, limit in sorted(reach.limits.items())
    ]
    values = {
        "ready": ready,
        "loops": {name: sign | {"at": _moment(sign["last"])} for name, sign in ready["loops"].items()},
        "pauses": {name: pause | {"at": _moment(pause["until"])} for name, pause in ready["paused"].items()},
        "channels": channels,
        "called": called,
        "queue": queue,
        "failures": failures,
        "tests": tests,
        "lanes": LANES,
        "states": STATES,
        "storage": kept,
        "is_held": restored.EVERYWHERE in ready["paused"],
        "time": site.voice(locale_of(request)).time,
    }
    return show(request, "admin/health.html", values)


@pages.post("/admin/health/test", "health.read")
async def test(request: web.Request) -> web.StreamResponse:
    """Send a test message to the member's own chats."""
    site, desk = request.app[SITE], request.app[CONSOLE].desk
    async with site.database.writing() as db:
        await trials.send(db, request[MEMBER], now=site.now(), desk=desk)
    raise go("/admin/health", done="started")


@pages.post("/admin/health/resume", "settings.write")
async def resume(request: web.Request) -> web.StreamResponse:
    """Let notices go on in a database that came from a backup."""
    site = request.app[SITE]
    async with site.database.writing() as db:
        await restored.lift(db, request[MEMBER], now=site.now())
    raise go("/admin/health", done="saved")


def _state(ready: Mapping[str, Any], channel: str) -> tuple[bool, Text | None, str] | None:
    """Whether messages come in on a channel, how, and what else its loop says; None where no loop takes them."""
    sign = ready["loops"].get(channel)
    if sign is None:
        return None
    way = _WAYS.get(sign["detail"])
    return sign["ok"], way, "" if way else sign["detail"]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
