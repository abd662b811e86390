"""Pages that anybody may open: the chat, and a place."""

import re
from datetime import datetime
from typing import Any
from urllib.parse import quote

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.i18n import Text, Voice, _
from bot.services import deep_links, place_pictures
from bot.services.directory import Directory, Listing
from bot.services.facts import closure, facts
from bot.services.maps import landmarks
from bot.services.wording import navigation, phrases
from bot.web.rendering import render
from bot.web.site import SITE, Site, is_in_wechat, locale_of

# What the script of the chat page says, by the name it uses.
SCRIPT_WORDS: dict[str, Text] = {
    "open_yes": _("Open"),
    "open_no": _("Closed"),
    "open_unknown": _("Hours unknown"),
    "details": _("Details"),
    "navigate": _("Navigate"),
    "metres": _("{n} m"),
    "kilometres": _("{n} km"),
    "you": _("You said"),
    "bot": _("Nuanxin said"),
    "offline": _("No connection. What you write is kept and sent as soon as it is back."),
    "connecting": _("Connecting…"),
    "back": _("Connected again."),
    "my_location": _("My location"),
    "map_location": _("A place on the map"),
    "a_photo": _("A photo"),
    "picture": _("Picture that belongs to this message"),
    "locating": _("Looking for where you are…"),
    "denied": _("Your location is not shared with this page, and that is fine: point at the place on the map instead."),
    "not_found": _("Your phone could not find where it is. Point at the place on the map instead."),
    "no_gps": _("This browser cannot tell where you are. Point at the place on the map instead."),
    "no_map": _("The map could not be loaded. Type a road, a place or a county instead."),
    "near": _("About {distance} from {name}"),
    "pin": _("Pin: move it with the arrow keys, faster with Shift"),
    "photo_failed": _("That file could not be read as a photo."),
    "too_long": _("That is too long. Please say it in fewer words."),
    "cleared": _("The conversation was cleared from this device."),
    "clear_sure": _("Clear this conversation from this device?"),
}

# What the error frames of the chat say, by their code.
FRAME_ERRORS: dict[str, Text] = {
    "bad_frame": _("That could not be understood."),
    "bad_location": _("That is no place on the earth."),
    "bad_photo": _("That is no photo that can be read here, or it is too large."),
    "failed": _("Something went wrong on our side. Please try again in a moment."),
    "late_resume": _("A conversation can only be resumed with the first frame."),
    "slow_down": _("That was a lot at once. Please wait a moment."),
    "too_long": SCRIPT_WORDS["too_long"],
    "unknown_field": _("That frame has a field that is not known here."),
}

# One tap above the keyboard: what the button says, and the command it sends where that is not the same.
QUICK: tuple[tuple[Text, str], ...] = (
    (_("Book"), "/book"),
    (_("Menu"), "/menu"),
    (_("Charging"), ""),
    (_("Toilet"), ""),
    (_("Hot water"), ""),
)


_ONE_DAY = 24 * 3600


def routes(places: Handler | None) -> list[web.AbstractRouteDef]:
    """The chat, and `/p/{code}` where there is something to answer it."""
    always: list[web.AbstractRouteDef] = [web.get("/", show_chat), web.get("/p/{code}/picture", show_picture)]
    return [*always, web.get("/p/{code}", places)] if places else always


def frame_error(code: str, voice: Voice) -> str:
    """The words of an error frame."""
    return voice.word(FRAME_ERRORS[code])


async def show_chat(request: web.Request) -> web.StreamResponse:
    """The rider's chat; everything that its script needs to know comes with the page."""
    site = request.app[SITE]
    locale = locale_of(request)
    voice = site.voice(locale)
    values = {
        "quick": [(voice.word(label), command) for label, command in QUICK],
        "city": site.city.called(locale),
        "page": {
            "words": {name: voice.word(text) for name, text in SCRIPT_WORDS.items()},
            "language": locale,
            "inWeChat": is_in_wechat(request),
            "map": {
                "tiles": site.map.tiles_url,
                "attribution": site.map.attribution,
                "datum": site.map.datum,
                "landmarks": [
                    {"name": mark.name, "lat": round(mark.lat, 5), "lng": round(mark.lng, 5)}
                    for mark in landmarks(site.city, site.map.datum, locale)
                ],
            },
        },
    }
    return render(request, "chat.html", values)


def place_page(directory: Directory) -> Handler:
    """What answers `/p/{code}`, the address on the posters at doors, from `directory`."""

    async def show_place(request: web.Request) -> web.StreamResponse:
        place = directory.by_code_any(request.match_info["code"])
        if place is None:
            raise web.HTTPNotFound
        site = request.app[SITE]
        voice = site.voice(locale_of(request))
        if place.state == "removed":
            context: dict[str, Any] = {"place": place}
            return render(request, "removed.html", context, status=410)
        async with site.database.reading() as db:
            stamp = await place_pictures.stamp(db, place.id)
        picture = f"/p/{quote(place.code, safe='')}/picture?{stamp}" if stamp else ""
        told = _told(place, directory, voice, site.now())
        chats = {"telegram": _telegram_link(site, place), "is_on_wechat": site.is_on_wechat}
        response = render(request, "place.html", told | chats | {"picture": picture})
        response.headers["Cache-Control"] = "no-cache"
        return response

    return show_place


async def show_picture(request: web.Request) -> web.StreamResponse:
    """The picture of a place; its address changes when the picture does."""
    code = request.match_info["code"]
    if "\0" in code:
        # No code has one, and PostgreSQL takes none.
        raise web.HTTPNotFound
    async with request.app[SITE].database.reading() as db:
        picture = await place_pictures.public(db, code)
    if picture is None:
        raise web.HTTPNotFound
    headers = {"Cache-Control": f"public, max-age={_ONE_DAY}"}
    return web.Response(body=picture, content_type="image/jpeg", headers=headers)


def _telegram_link(site: Site, place: Listing) -> str:
    """The link into Telegram that shows this place first; empty where there is none."""
    name, payload = site.telegram(), deep_links.to_place(place.code)
    return f"https://t.me/{quote(name, safe='')}?start={payload}" if name and payload else ""


def _told(place: Listing, directory: Directory, voice: Voice, now: datetime) -> dict[str, Any]:
    words = phrases(voice.locale, voice.zone)
    opening = directory.opening(place, now)
    today = now.astimezone(directory.zone).date()
    return {
        "place": place,
        "kind": words.kinds.get(place.kind, place.kind),
        "state": _STATES[opening.state],
        "opening": closure(place) or words.opening(opening, now, place.phone),
        "facts": facts(place, voice, today=today),
        "maps": [(voice.word(name), url) for name, url in navigation(place)],
        "call": _callable(place.phone),
    }


_STATES = {"open": "yes", "closed": "no", "unknown": "unknown"}


def _callable(phone: str) -> str:
    """The number without what people put between its digits; empty where there is no one number to call."""
    number = re.sub(r"[ ()-]", "", phone)
    return number if re.fullmatch(r"\+?\d{3,15}", number) else ""
