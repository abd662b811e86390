"""A notice put into the calendar: how often, on which days, at what time, with the next fires before it is kept."""

import re
import secrets
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from multidict import MultiDictProxy

from bot.errors import Problem
from bot.i18n import DEFAULT_LOCALE, Text, _
from bot.services import notices
from bot.services.broadcasts import states
from bot.services.broadcasts.audience import Audience
from bot.services.schedules import planning, rules
from bot.services.schedules.rules import SOLAR_TERMS, WEEKDAYS, UnreadableRule
from bot.web.admin.gate import MEMBER, Pages, go, show
from bot.web.site import SITE, locale_of

pages = Pages()

KINDS: dict[str, Text] = {
    "once": _("once"),
    "daily": _("every day"),
    "weekly": _("every week"),
    "monthly": _("every month"),
    "yearly": _("every year"),
    "offset": _("some days before or after a day"),
    "solar_term": _("by solar terms"),
}
DAYS: dict[str, Text] = {
    "mon": _("Monday"),
    "tue": _("Tuesday"),
    "wed": _("Wednesday"),
    "thu": _("Thursday"),
    "fri": _("Friday"),
    "sat": _("Saturday"),
    "sun": _("Sunday"),
}
# The fields of the form, by the keys of a rule.
FIELDS: dict[str, Text] = {
    "kind": _("How often"),
    "at": _("At what time"),
    "on": _("Day (once, every year, or what is counted from)"),
    "weekdays": _("On which days (every week)"),
    "day": _("Day of the month (every month)"),
    "days": _("Days later (earlier: with a minus)"),
    "terms": _("Solar terms"),
    "from": _("Only from (month and day, such as 11-15)"),
    "to": _("to (month and day, such as 03-15)"),
}


class Unfilled(Problem):
    def __init__(self, key: str) -> None:
        super().__init__(_("Missing or wrong: {field}", field=FIELDS.get("on" if key == "date" else key, key)))


@pages.get("/admin/notices/{id:[0-9]{1,15}}/plan", "schedule.write")
async def new(request: web.Request) -> web.StreamResponse:
    return await _form(request, {"kind": "weekly", "at": "07:30"})


@pages.post("/admin/notices/{id:[0-9]{1,15}}/plan", "schedule.write")
async def plan(request: web.Request) -> web.StreamResponse:
    """Keep the plan, for somebody else to approve; or, with the button `look`, only show when it fires."""
    site, member, form = request.app[SITE], request[MEMBER], await request.post()
    broadcast_id, zone, now = int(request.match_info["id"]), site.city.zone, site.now()
    typed: dict[str, Any] = {name: str(text)[:40] for name, text in form.items() if isinstance(text, str)}
    typed |= {name: [str(one) for one in form.getall(name, [])] for name in ("weekdays", "terms")}
    try:
        rule = rules.read(_rule(form))
    except UnreadableRule as wrong:
        return await _form(request, typed, problem=Unfilled(str(wrong.text.values["key"])).text)
    if "look" in form:
        return await _form(request, typed, rule=rule)
    async with site.database.writing() as db:
        broadcast, _notice = await states.allowed(db, member, "schedule.write", broadcast_id)
        audience = Audience.from_json(broadcast.audience)
        code = f"notice-{broadcast_id}-{secrets.token_hex(4)}"
        table = rules.written(rule)
        await planning.plan(
            db, member, broadcast.notice_id, code=code, rule=table, audience=audience, now=now, zone=zone
        )
    raise go("/admin/schedules", done="handed_in")


async def _form(
    request: web.Request, typed: Mapping[str, Any], *, rule: rules.Rule | None = None, problem: Text | None = None
) -> web.Response:
    site, broadcast_id = request.app[SITE], int(request.match_info["id"])
    async with site.database.reading() as db:
        _broadcast, notice = await states.allowed(db, request[MEMBER], "schedule.write", broadcast_id)
    fires = rules.next_fires(rule, site.now(), site.city.zone) if rule else []
    until = notice.valid_until
    values = {
        "id": broadcast_id,
        "title": notices.words_of(notice, DEFAULT_LOCALE)[0] if notice.texts.get(DEFAULT_LOCALE) else "",
        "kept": typed,
        "names": FIELDS,
        "kinds": KINDS,
        "weekdays": {key: DAYS[key] for key in WEEKDAYS},
        "terms": {term: term for term in SOLAR_TERMS},
        "asked": rule is not None,
        "fires": [at for at in fires if until is None or at < until],
        "until": until,
        "problem": problem,
        "time": site.voice(locale_of(request)).time,
    }
    return show(request, "admin/plan.html", values, status=422 if problem else 200)


def _rule(form: "MultiDictProxy[Any]") -> dict[str, Any]:
    """The table of the rule that the form says; what belongs to another kind is left out."""

    def said(name: str) -> str:
        return str(form.get(name, "")).strip()[:40]

    kind, later = said("kind"), _whole(said("days") or "0")
    table: dict[str, Any] = {"kind": kind, "at": said("at")}
    match kind:
        case "once":
            table["on"] = said("on")
        case "weekly":
            table["weekdays"] = [str(day) for day in form.getall("weekdays", [])]
        case "monthly":
            table["day"] = _whole(said("day"))
        case "yearly":
            table["on"] = said("on")[5:]
        case "offset":
            table |= {"date": said("on"), "days": later}
        case "solar_term":
            table |= {"terms": [str(term) for term in form.getall("terms", [])], "days": later}
    return table | ({"from": said("from"), "to": said("to")} if said("from") or said("to") else {})


def _whole(text: str) -> int | None:
    return int(text) if re.fullmatch(r"-?[0-9]{1,3}", text) else None
