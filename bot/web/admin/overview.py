"""The first page: what needs a person now, then today's figures."""

from aiohttp import web

from bot.i18n import Text, _
from bot.services import authority, figures, help_calls
from bot.web.admin.gate import MEMBER, Pages, go, show
from bot.web.console import CONSOLE
from bot.web.site import SITE, locale_of

pages = Pages()

# What may need a person: the field of the figures, its words, the page that shows it, and what that page asks for.
NEEDS: tuple[tuple[str, Text, str, str], ...] = (
    ("to_approve", _("Notices waiting for approval"), "/admin/notices", "notice.read"),
    ("pending_bookings", _("Bookings to approve"), "/admin/bookings/pending", "booking.read"),
    ("failing", _("Messages that failed since yesterday"), "/admin/health", "health.read"),
    ("homeless_sessions", _("Sessions tomorrow without a place"), "/admin/sessions?homeless=1", "session.read"),
    ("doubtful_places", _("Places that riders doubt"), "/admin/places?doubtful=1", "place.read"),
    ("unverified_places", _("Places unverified for 90 days"), "/admin/places?unverified=1", "place.read"),
)
TODAY: tuple[tuple[str, Text], ...] = (
    ("riders", _("Riders in all")),
    ("new_riders", _("New today")),
    ("searches", _("Searches today")),
    ("unmet", _("Of them in vain")),
    ("booked", _("Booked today")),
    ("sent", _("Messages sent today")),
)


@pages.get("/admin/", "own.account")
async def overview(request: web.Request) -> web.StreamResponse:
    """Everybody's first page; each sees of it what they look after."""
    site, console, member = request.app[SITE], request.app[CONSOLE], request[MEMBER]
    now, zone = site.now(), site.city.zone
    counties = member.counties if member.role == "county" else ()
    async with site.database.reading() as db:
        wanted = await figures.needs(db, now=now, zone=zone, counties=counties)
        so_far = await figures.today(db, now=now, zone=zone)
        calls = await help_calls.open_calls(db, desk=console.desk, counties=counties)
    ready = await console.ready()
    values = {
        "needs": [
            (words, count, link if authority.may(member, action) else "")
            for name, words, link, action in NEEDS
            if (count := getattr(wanted, name))
        ],
        "today": [(words, getattr(so_far, name)) for name, words in TODAY],
        "calls": calls,
        "silent": [name for name, sign in ready["loops"].items() if not sign["ok"]],
        "time": site.voice(locale_of(request)).time,
    }
    return show(request, "admin/overview.html", values)


@pages.post("/admin/help/{id:[0-9]{1,15}}", "help.answer")
async def take_call(request: web.Request) -> web.StreamResponse:
    """Take a call for help: nobody else is asked."""
    site = request.app[SITE]
    async with site.database.writing() as db:
        await help_calls.handle(db, request[MEMBER], call_id=int(request.match_info["id"]), now=site.now())
    raise go("/admin/", done="saved")
