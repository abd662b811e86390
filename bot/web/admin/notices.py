"""Notices in the console: written, shown as each channel shows them, handed in, approved, steered, reported."""

import asyncio
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web
from multidict import MultiDictProxy

from bot.channel_names import called
from bot.i18n import DEFAULT_LOCALE, LOCALES, Text, _
from bot.messages import Outgoing, numbered
from bot.services import authority, linking, notices, riders, weather
from bot.services.broadcasts import composing, files, report, states, steering
from bot.services.broadcasts.audience import Audience
from bot.services.broadcasts.composing import Draft
from bot.services.broadcasts.findings import LANGUAGES
from bot.services.broadcasts.particulars import whom
from bot.services.notices import NoticeButton, Words
from bot.web.admin.gate import MEMBER, Pages, go, show
from bot.web.console import CONSOLE
from bot.web.site import SITE, locale_of

pages = Pages()

LISTED = 50
LARGEST_PICTURE = 2**20


@dataclass(frozen=True, slots=True)
class Shown:
    """A notice as one channel shows it. `bytes` is the length of its text in UTF-8, `limit` that of the channel."""

    channel: Text | str
    text: str
    buttons: tuple[str, ...]
    characters: int
    bytes: int
    limit: int


@pages.get("/admin/notices", "notice.read")
async def listed(request: web.Request) -> web.StreamResponse:
    """The newest, those that wait for a decision first."""
    site, member = request.app[SITE], request[MEMBER]
    async with site.database.reading() as db:
        found = await report.listed(db, limit=LISTED)
    mine = [one for one in found if authority.is_within(member, one.counties)]
    waiting = [one for one in mine if one.state == "in_review"]
    values = {"waiting": waiting, "found": mine, "states": states.STATES}
    return show(request, "admin/notices.html", values | {"local": site.voice(locale_of(request)).time})


@pages.get("/admin/notices/new", "notice.write")
async def new(request: web.Request) -> web.StreamResponse:
    return _form(request, {}, 0)


@pages.post("/admin/notices/new", "notice.write", largest=LARGEST_PICTURE)
async def compose(request: web.Request) -> web.StreamResponse:
    """Keep what was written; or, with the button `look`, only show how it would be read."""
    site, form = request.app[SITE], await request.post()
    if "look" in form:
        return await _look(request, form, 0)
    try:
        draft = await _draft(request, form)
        async with site.database.writing() as db:
            broadcast_id = await composing.compose(db, request[MEMBER], draft, now=site.now())
    except (notices.BadNotice, notices.BadPicture) as problem:
        return _form(request, _as_typed(form), 0, problem=problem.text)
    raise go(f"/admin/notices/{broadcast_id}", done="saved")


@pages.get("/admin/notices/{id:[0-9]{1,15}}", "notice.read")
async def one(request: web.Request) -> web.StreamResponse:
    """Everything about one: as riders will read it, whom it reaches, what is wrong with it, how it stands."""
    site, console, member = request.app[SITE], request.app[CONSOLE], request[MEMBER]
    broadcast_id, now, voice = _id(request), site.now(), site.voice(locale_of(request))
    async with site.database.reading() as db:
        broadcast, notice = await states.allowed(db, member, "notice.read", broadcast_id)
        found = await composing.findings(db, broadcast_id, newsroom=console.newsroom, now=now)
        reaches = await composing.forecast(db, broadcast_id, newsroom=console.newsroom, now=now)
        told = await report.report(db, broadcast_id)
        warning = await weather.of_broadcast(db, broadcast_id)
        audience = await whom(db, Audience.from_json(broadcast.audience), newsroom=console.newsroom, voice=voice)
    letter = notices.letter(notice, voice, broadcast_id) if notice.texts.get("zh_CN") else Outgoing("")
    values = {
        "broadcast": broadcast,
        "notice": notice,
        "found": found,
        "reaches": reaches,
        "called": called,
        "told": told,
        "warning": warning,
        "shown": _shown(letter, console.newsroom.reach.limits),
        "photo": letter.photo,
        "states": states.STATES,
        "category": notices.CATEGORIES[notice.category],
        "urgency": notices.URGENCIES[notice.urgency],
        "audience": audience,
        "time": voice.time,
        "asks_why": steering.asks_why(member, broadcast),
    }
    return show(request, "admin/notice.html", values)


@pages.get("/admin/notices/{id:[0-9]{1,15}}/edit", "notice.write")
async def edit(request: web.Request) -> web.StreamResponse:
    site = request.app[SITE]
    async with site.database.reading() as db:
        broadcast, notice = await states.allowed(db, request[MEMBER], "notice.write", _id(request))
    audience = Audience.from_json(broadcast.audience)
    kept: dict[str, Any] = {
        "category": notice.category,
        "urgency": notice.urgency,
        "source": notice.source,
        "late": notice.late,
        "vehicles": audience.vehicles,
        "counties": audience.counties,
        "booked": audience.booked,
        "locales": audience.locales,
        "topic": audience.topic,
        "unanswered": str(audience.unanswered or ""),
        "photo": bool(notice.picture),
        "starts_at": _typed(broadcast.starts_at, site.city.zone),
        "valid_until": _typed(notice.valid_until, site.city.zone),
    }
    for locale, words in notice.texts.items():
        kept |= {f"title_{locale}": words["title"], f"body_{locale}": words["body"]}
    for n, button in enumerate(notice.buttons):
        kept |= {f"kind_{n}": button["kind"], f"target_{n}": button["target"], f"label_{n}": button["label"]}
    return _form(request, kept, _id(request))


@pages.post("/admin/notices/{id:[0-9]{1,15}}/edit", "notice.write", largest=LARGEST_PICTURE)
async def change(request: web.Request) -> web.StreamResponse:
    """Save the form; or, with the button `look`, only show how it would be read."""
    site, form = request.app[SITE], await request.post()
    if "look" in form:
        return await _look(request, form, _id(request))
    try:
        draft = await _draft(request, form)
        async with site.database.writing() as db:
            if draft.picture is None and "no_picture" not in form:
                draft = replace(draft, picture=await composing.picture_of(db, _id(request)))
            await composing.edit(db, request[MEMBER], _id(request), draft, now=site.now())
    except (notices.BadNotice, notices.BadPicture) as problem:
        return _form(request, _as_typed(form), _id(request), problem=problem.text)
    raise go(f"/admin/notices/{_id(request)}", done="saved")


@pages.post("/admin/notices/{id:[0-9]{1,15}}/preview", "notice.read")
async def preview(request: web.Request) -> web.StreamResponse:
    """Send it to the member's own chat."""
    site, console, member = request.app[SITE], request.app[CONSOLE], request[MEMBER]
    async with site.database.writing() as db:
        contact_id = await linking.chat_of(db, member.id)
        await composing.preview(
            db, member, _id(request), contact_id=contact_id, newsroom=console.newsroom, now=site.now()
        )
    raise go(f"/admin/notices/{_id(request)}", done="sent")


@pages.post("/admin/notices/{id:[0-9]{1,15}}/submit", "notice.write")
async def submit(request: web.Request) -> web.StreamResponse:
    site, console = request.app[SITE], request.app[CONSOLE]
    async with site.database.writing() as db:
        await composing.submit(db, request[MEMBER], _id(request), newsroom=console.newsroom, now=site.now())
    raise go(f"/admin/notices/{_id(request)}", done="handed_in")


@pages.post("/admin/notices/{id:[0-9]{1,15}}/approve", "notice.approve")
async def approve(request: web.Request) -> web.StreamResponse:
    """Let it go, with the hours of a weather warning that it was prepared for."""
    site, console, member = request.app[SITE], request.app[CONSOLE], request[MEMBER]
    version = str((await request.post()).get("version", ""))
    async with site.database.writing() as db:
        warning = await weather.of_broadcast(db, _id(request))
        if warning is None:
            await composing.approve(
                db,
                member,
                _id(request),
                newsroom=console.newsroom,
                now=site.now(),
                version=int(version) if version.isdecimal() else 0,
            )
        else:
            await weather.approve(
                db, member, warning, newsroom=console.newsroom, database=site.database, now=site.now()
            )
    raise go(f"/admin/notices/{_id(request)}", done="approved")


@pages.post("/admin/notices/{id:[0-9]{1,15}}/return", "notice.approve")
async def send_back(request: web.Request) -> web.StreamResponse:
    site, console = request.app[SITE], request.app[CONSOLE]
    comment = str((await request.post()).get("comment", ""))
    async with site.database.writing() as db:
        await composing.send_back(db, request[MEMBER], _id(request), comment, newsroom=console.newsroom, now=site.now())
    raise go(f"/admin/notices/{_id(request)}", done="returned")


@pages.post("/admin/notices/{id:[0-9]{1,15}}/steer", "notice.steer")
async def steer(request: web.Request) -> web.StreamResponse:
    """Pause, go on, cancel, withdraw, try again."""
    site, console, member = request.app[SITE], request.app[CONSOLE], request[MEMBER]
    form, now, broadcast_id = await request.post(), site.now(), _id(request)
    async with site.database.writing() as db:
        match str(form.get("do", "")):
            case "pause":
                await steering.pause(db, member, broadcast_id, member.login, now=now)
            case "resume":
                await steering.resume(db, member, broadcast_id, now=now)
            case "cancel":
                await steering.cancel(db, member, broadcast_id, now=now)
            case "retry":
                await steering.retry_failed(db, member, broadcast_id, now=now)
            case "withdraw":
                why = str(form.get("why", ""))
                await steering.withdraw(db, member, broadcast_id, why=why, newsroom=console.newsroom, now=now)
            case _:
                raise web.HTTPBadRequest
    raise go(f"/admin/notices/{broadcast_id}", done="saved")


@pages.post("/admin/notices/{id:[0-9]{1,15}}/correct", "notice.write")
async def correct(request: web.Request) -> web.StreamResponse:
    """Other words for those who got the wrong ones: handed in at once, they go out when a second person approves."""
    site, form = request.app[SITE], await request.post()
    words = {DEFAULT_LOCALE: Words(str(form.get("title", "")), str(form.get("body", "")))}
    newsroom, now = request.app[CONSOLE].newsroom, site.now()
    async with site.database.writing() as db:
        number = await steering.correct(db, request[MEMBER], _id(request), words, newsroom=newsroom, now=now)
    raise go(f"/admin/notices/{number}", done="handed_in")


@pages.get("/admin/notices/{id:[0-9]{1,15}}/report.csv", "figures.export")
async def as_csv(request: web.Request) -> web.StreamResponse:
    """The report as a table, without anybody's name."""
    async with request.app[SITE].database.reading() as db:
        await states.allowed(db, request[MEMBER], "notice.read", _id(request))
        told = (await report.report(db, _id(request))).as_json()
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerow(("figure", "count"))
    writer.writerows((name, value) for name, value in told.items() if isinstance(value, int))
    writer.writerows((f"failed: {why}"[:200], count) for why, count in told["failures"].items())
    headers = {"Content-Disposition": f'attachment; filename="notice-{_id(request)}.csv"'}
    return web.Response(body=lines.getvalue().encode("utf-8-sig"), content_type="text/csv", headers=headers)


async def _look(request: web.Request, form: "MultiDictProxy[Any]", broadcast_id: int) -> web.Response:
    """The form as it is typed, and beside it what riders would read; a picture is not drawn for this."""
    typed = _as_typed(form)
    try:
        draft = await _draft(request, form, with_picture=False)
        notice = composing.sketch(draft, now=request.app[SITE].now())
    except notices.BadNotice as problem:
        return _form(request, typed, broadcast_id, problem=problem.text)
    preview: list[Shown] = []
    if notice.texts.get(DEFAULT_LOCALE):
        letter = notices.letter(notice, request.app[SITE].voice(locale_of(request)), broadcast_id)
        preview = _shown(letter, request.app[CONSOLE].newsroom.reach.limits)
    return _form(request, typed, broadcast_id, preview=preview)


def _as_typed(form: "MultiDictProxy[Any]") -> dict[str, Any]:
    """What the form holds, to be shown in it again."""
    kept: dict[str, Any] = {name: text for name, text in form.items() if isinstance(text, str)}
    return kept | {name: tuple(map(str, form.getall(name, []))) for name in ("vehicles", "counties", "locales")}


def _form(
    request: web.Request,
    kept: Mapping[str, Any],
    broadcast_id: int,
    *,
    preview: Sequence[Shown] = (),
    problem: Text | None = None,
) -> web.Response:
    site = request.app[SITE]
    locale = locale_of(request)
    values = {
        "kept": kept,
        "id": broadcast_id,
        "locales": LOCALES,
        "languages": LANGUAGES,
        "categories": notices.CATEGORIES,
        "urgencies": notices.URGENCIES,
        "lates": notices.LATE,
        "kinds": notices.BUTTONS,
        "vehicles": riders.VEHICLE_NAMES,
        "counties": {county.code: county.called(locale) for county in site.city.counties.values()},
        "policies": sorted(request.app[CONSOLE].newsroom.pages),
        "most": notices.MOST_BUTTONS,
        "preview": preview,
        "problem": problem,
    }
    return show(request, "admin/notice_form.html", values, status=422 if problem else 200)


async def _draft(request: web.Request, form: "MultiDictProxy[Any]", *, with_picture: bool = True) -> Draft:
    """What the form says; raises BadNotice, BadPicture."""

    def said(name: str) -> str:
        return str(form.get(name, ""))[:5_000]

    zone = request.app[SITE].city.zone
    numbers = range(notices.MOST_BUTTONS)
    buttons = [NoticeButton(said(f"kind_{n}"), said(f"target_{n}"), said(f"label_{n}")) for n in numbers]
    upload = form.get("picture")
    picture = None
    if isinstance(upload, web.FileField) and with_picture:
        picture = await notices.picture(await asyncio.to_thread(upload.file.read))
    return Draft(
        said("category"),
        {locale: Words(said(f"title_{locale}"), said(f"body_{locale}")) for locale in LOCALES},
        Audience(
            vehicles=tuple(map(str, form.getall("vehicles", []))),
            counties=tuple(map(str, form.getall("counties", []))),
            locales=tuple(map(str, form.getall("locales", []))),
            topic=said("topic"),
            booked=said("booked").strip(),
            unanswered=_number(said("unanswered")),
        ),
        urgency=said("urgency"),
        buttons=[button for button in buttons if button.kind],
        picture=picture,
        source=said("source"),
        valid_until=files.moment(said("valid_until"), zone) if said("valid_until") else None,
        late=said("late") or "skip",
        starts_at=files.moment(said("starts_at"), zone) if said("starts_at") else None,
    )


def _shown(letter: Outgoing, limits: Mapping[str, int]) -> list[Shown]:
    """The letter in every channel that is in use; numbers stand before choices where a channel has no buttons."""
    labels = tuple(button.label for row in letter.buttons for button in row)
    plain = numbered(letter)[0].text
    found = []
    for channel, limit in sorted(limits.items()):
        text = letter.text if limit > 3_000 else plain
        found.append(Shown(called(channel), text, labels, len(text), len(text.encode()), limit))
    return found


def _typed(at: Any, zone: Any) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%dT%H:%M") if at else ""


def _number(text: str) -> int:
    """The number of a notice as somebody types it; 0 for none."""
    digits = text.strip().removeprefix("#")
    if not digits:
        return 0
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 15):
        raise notices.BadNotice(_("{value} is not the number of a notice.", value=digits[:40]))
    return int(digits)


def _id(request: web.Request) -> int:
    return int(request.match_info["id"])
