"""What is told by the calendar: schedules with their next fires, seasons, and the policy cards with their dates."""

from aiohttp import web

from bot.i18n import Text, _
from bot.services.policies import load_policies
from bot.services.schedules import planning, seasons
from bot.web.admin.gate import MEMBER, Pages, go, show
from bot.web.site import SITE, locale_of

pages = Pages()

# What the seasons' files are called by people.
SEASONS: dict[str, Text] = {"winter": _("Winter safety")}
# What switching a season on leaves to staff, in words.
LEFT: dict[str, Text] = {
    "edited": _("Changed by staff, left as they are:"),
    "off": _("Switched off by staff, left off:"),
    "unreviewed": _("Past their review date, held back:"),
}


@pages.get("/admin/schedules", "notice.read")
async def listed(request: web.Request) -> web.StreamResponse:
    """Every schedule with its next ten fires, and the seasons."""
    site = request.app[SITE]
    zone, now, locale = site.city.zone, site.now(), locale_of(request)
    async with site.database.reading() as db:
        planned = await planning.listed(db, locale=locale, now=now, zone=zone)
        on = await seasons.switched_on(db)
    coming = sorted(((at, one) for one in planned for at in one.fires), key=lambda pair: pair[0])
    values = {
        "planned": planned,
        "coming": coming[:30],
        "seasons": [(name, name in on) for name in seasons.names(site.city.folder)],
        "names": SEASONS,
        "time": site.voice(locale).time,
    }
    return show(request, "admin/schedules.html", values)


@pages.post("/admin/schedules/{id:[0-9]{1,15}}/{do:pause|resume|approve}", "notice.steer")
async def switch(request: web.Request) -> web.StreamResponse:
    """Let one rest, go on, or stand for somebody else's plan."""
    site, member = request.app[SITE], request[MEMBER]
    schedule_id, now = int(request.match_info["id"]), site.now()
    async with site.database.writing() as db:
        match request.match_info["do"]:
            case "pause":
                await planning.pause(db, member, schedule_id, now=now)
            case "resume":
                await planning.resume(db, member, schedule_id, now=now, zone=site.city.zone)
            case "approve":
                await planning.approve(db, member, schedule_id, now=now)
    raise go("/admin/schedules", done="saved")


@pages.post("/admin/seasons/{name:[a-z0-9-]{1,40}}/{do:on|off}", "season.switch")
async def season(request: web.Request) -> web.StreamResponse:
    """A whole series, by one click; what it left alone is said."""
    site, member, name = request.app[SITE], request[MEMBER], request.match_info["name"]
    if request.match_info["do"] == "off":
        async with site.database.writing() as db:
            await seasons.switch_off(db, name, member=member, now=site.now())
        raise go("/admin/schedules", done="saved")
    async with site.database.writing() as db:
        came = await seasons.switch_on(db, site.city.folder, name, member=member, now=site.now(), zone=site.city.zone)
    values = {"name": name, "made": came.made, "changed": came.changed, "names": SEASONS}
    left = [(words, codes) for key, words in LEFT.items() if (codes := getattr(came, key))]
    return show(request, "admin/season.html", values | {"left": left})


@pages.get("/admin/policies", "notice.read")
async def policies(request: web.Request) -> web.StreamResponse:
    """The policy cards, those to be looked at again first."""
    site, locale = request.app[SITE], locale_of(request)
    today = site.now().astimezone(site.city.zone).date()
    cards = sorted(load_policies(site.city.folder).all, key=lambda card: card.review_by)
    values = {"cards": [(card, card.in_locale(locale), card.review_by < today) for card in cards]}
    return show(request, "admin/policies.html", values)
