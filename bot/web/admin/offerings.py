"""Offerings in the console: what can be booked, written down, shown to riders and hidden from them."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from multidict import MultiMapping

from bot.i18n import LOCALES, Text, _
from bot.services import offering_desk, offerings, pattern_desk, session_desk
from bot.services.offering_desk import FIELDS, MOST_QUESTIONS, PAGE, Asked, CodeTaken, Form, Overtaken, Wanted
from bot.services.place_desk import Misfilled
from bot.services.riders import VEHICLE_NAMES
from bot.services.vocabulary import STATE_NAMES
from bot.web.admin.forms import one_asked, own_counties, page_asked, text_asked, ticked, typed, weekday_words
from bot.web.admin.gate import MEMBER, SITE, Pages, go, number_in, show
from bot.web.site import locale_of

pages = Pages()

# How far the page of an offering looks ahead.
AHEAD = timedelta(days=28)
MOST_COMING = 20
STATES = {state: STATE_NAMES[state] for state in offerings.STATES}
FIELD_NAMES: dict[str, Text] = {
    "category": _("Kind"),
    "title": _("Title in Chinese"),
    "title_zh_TW": _("Title in traditional Chinese"),
    "title_en": _("Title in English"),
    "description": _("Description in Chinese"),
    "description_zh_TW": _("Description in traditional Chinese"),
    "description_en": _("Description in English"),
    "organiser": _("Organiser"),
    "contact": _("Contact (telephone; riders read it)"),
    "bring": _("What to bring, in Chinese"),
    "bring_zh_TW": _("What to bring, in traditional Chinese"),
    "bring_en": _("What to bring, in English"),
    "vehicles": _("Who may book (none ticked: everybody)"),
    "counties": _("In which counties (none ticked: the whole city)"),
    "limit": _("Bookings of one person at most (0: any number)"),
    "limit_days": _("In so many days (0: ever)"),
    "cancel_before_min": _("Cancelling is late from so many minutes before"),
    "waitlist": _("There is a waiting list"),
    "approval": _("Staff approve each booking"),
    "reminders": _("Reminders, such as 1d@19:00;2h"),
    "source": _("Source"),
}
# What is asked without words of its own; riders read the longer question.
PLAIN_NAMES: dict[str, Text] = {
    "name": _("What to call them"),
    "phone": _("Mobile number"),
    "note": _("A note, read by the assigned lawyer only"),
    "topic": _("Topic of the consultation"),
    "way": _("By phone or on the spot"),
}
ASKED_NAMES: dict[str, Text] = {
    "choice": _("One of several choices"),
    "text": _("A short text"),
    "number": _("A number"),
    "yesno": _("Yes or no"),
}
LANGUAGES: dict[str, Text] = {"zh_CN": _("Chinese"), "zh_TW": _("Traditional Chinese"), "en": _("English")}


@pages.get("/admin/offerings", "offering.read")
async def listed(request: web.Request) -> web.StreamResponse:
    site, page = request.app[SITE], page_asked(request)
    wanted = Wanted(
        text_asked(request),
        one_asked(request, "category", offerings.CATEGORY_NAMES),
        one_asked(request, "state", STATES),
    )
    async with site.database.reading() as db:
        rows = await offering_desk.listed(
            db, request[MEMBER], wanted, now=site.now(), start=page * PAGE, limit=PAGE + 1
        )
    asked = {name: value for name, value in asdict(wanted).items() if value}
    values = {
        "rows": rows[:PAGE],
        "wanted": wanted,
        "earlier": f"/admin/offerings?{urlencode(asked | {'page': str(page - 1)})}" if page else "",
        "later": f"/admin/offerings?{urlencode(asked | {'page': str(page + 1)})}" if len(rows) > PAGE else "",
        "categories": offerings.CATEGORY_NAMES,
        "states": STATES,
        "time": site.voice(locale_of(request)).time,
        "locale": locale_of(request),
    }
    return show(request, "admin/offerings.html", values)


@pages.get("/admin/offerings/new", "offering.write")
async def new(request: web.Request) -> web.StreamResponse:
    member = request[MEMBER]
    blank = offering_desk.blank(member.counties if member.role == "county" else ())
    return _form(request, blank, {}, address="/admin/offerings/new")


@pages.post("/admin/offerings/new", "offering.write")
async def create(request: web.Request) -> web.StreamResponse:
    site, form = request.app[SITE], await request.post()
    filled, code = _filled(form), typed(form, "code")
    try:
        async with site.database.writing() as db:
            number = await offering_desk.create(
                db, request[MEMBER], filled, code=code, counties=site.city.counties, now=site.now()
            )
    except Misfilled as wrong:
        return _form(request, filled, wrong.faults, address="/admin/offerings/new", code=code)
    except CodeTaken as problem:
        return _form(request, filled, {"code": problem.text}, address="/admin/offerings/new", code=code)
    raise go(_address(number), done="saved")


@pages.get("/admin/offerings/{id:[0-9]{1,15}}", "offering.read")
async def one(request: web.Request) -> web.StreamResponse:
    """An offering with its weekly patterns and the sessions to come."""
    site, member, number = request.app[SITE], request[MEMBER], number_in(request, "id")
    now, locale = site.now(), locale_of(request)
    async with site.database.reading() as db:
        row = await offering_desk.found(db, member, number)
        rhythms = await pattern_desk.of_offering(db, member, number)
        coming = await session_desk.listed(db, member, since=now, until=now + AHEAD, offering_id=number)
    values = {
        "offering": offerings.from_model(row),
        "locale": locale,
        "patterns": rhythms,
        "weekdays": weekday_words(locale),
        "coming": coming,
        "most": MOST_COMING,
        "is_mine": offering_desk.may_write(member, row),
        "address": _address(number),
        "category": offerings.CATEGORY_NAMES[row.category],
        "vehicles": VEHICLE_NAMES,
        "counties": {code: county.called(locale) for code, county in site.city.counties.items()},
        "fields": FIELD_NAMES,
        "time": site.voice(locale).time,
    }
    return show(request, "admin/offering.html", values)


@pages.get("/admin/offerings/{id:[0-9]{1,15}}/edit", "offering.write")
async def edit(request: web.Request) -> web.StreamResponse:
    site, number = request.app[SITE], number_in(request, "id")
    async with site.database.reading() as db:
        row = await offering_desk.found(db, request[MEMBER], number)
    form, seen = offering_desk.form_of(row), offering_desk.version(row)
    return _form(request, form, {}, address=f"{_address(number)}/edit", seen=seen)


@pages.post("/admin/offerings/{id:[0-9]{1,15}}/edit", "offering.write")
async def change(request: web.Request) -> web.StreamResponse:
    site, number, form = request.app[SITE], number_in(request, "id"), await request.post()
    filled, seen = _filled(form), typed(form, "version")
    try:
        async with site.database.writing() as db:
            await offering_desk.save(
                db, request[MEMBER], number, filled, seen=seen, counties=site.city.counties, now=site.now()
            )
    except Misfilled as wrong:
        return _form(request, filled, wrong.faults, address=f"{_address(number)}/edit", seen=seen)
    except Overtaken as problem:
        async with site.database.reading() as db:
            newest = offering_desk.version(await offering_desk.found(db, request[MEMBER], number))
        return _form(request, filled, {"version": problem.text}, address=f"{_address(number)}/edit", seen=newest)
    raise go(_address(number), done="saved")


@pages.post("/admin/offerings/{id:[0-9]{1,15}}/{state:published|hidden}", "offering.write")
async def turn(request: web.Request) -> web.StreamResponse:
    """Show it to riders, or hide it."""
    site, number = request.app[SITE], number_in(request, "id")
    async with site.database.writing() as db:
        await offering_desk.turn(db, request[MEMBER], number, state=request.match_info["state"], now=site.now())
    raise go(_address(number), done="saved")


def _form(
    request: web.Request, form: Form, problems: Mapping[str, Text], *, address: str, seen: str = "", code: str = ""
) -> web.Response:
    asked = [*form.asked, *(Asked() for _n in range(MOST_QUESTIONS - len(form.asked)))]
    values = {
        "form": replace(form, asked=tuple(asked)),
        "cells": form.cells,
        "problems": problems,
        "address": address,
        "version": seen,
        "code": code,
        "back": address.removesuffix("/edit").removesuffix("/new"),
        "fields": FIELD_NAMES,
        "categories": offerings.CATEGORY_NAMES,
        "vehicles": VEHICLE_NAMES,
        "counties": own_counties(request),
        "plain": PLAIN_NAMES,
        "kinds": ASKED_NAMES,
        "languages": {locale: LANGUAGES[locale] for locale in LOCALES},
    }
    return show(request, "admin/offering_form.html", values, status=422 if problems else 200)


def _filled(form: MultiMapping[Any]) -> Form:
    cells = {name: typed(form, name) for name in FIELDS}
    cells |= {name: ";".join(ticked(form, name)) for name in ("vehicles", "counties")}
    cells |= {name: "1" if typed(form, name) else "0" for name in ("waitlist", "approval")}
    asked = tuple(
        Asked(
            typed(form, f"question_{n}_key"),
            typed(form, f"question_{n}_kind"),
            {locale: typed(form, f"question_{n}_label_{locale}") for locale in LOCALES},
            {locale: typed(form, f"question_{n}_options_{locale}") for locale in LOCALES},
        )
        for n in range(MOST_QUESTIONS)
    )
    return Form(cells, tuple(ticked(form, "plain")), asked)


def _address(number: int) -> str:
    return f"/admin/offerings/{number}"
