"""The staff console: one module for each noun, every address behind one gate."""

from aiohttp import web

from bot.web.admin import (
    account,
    accounts,
    audit,
    bookings,
    figures,
    health,
    notices,
    offering_import,
    offerings,
    overview,
    patterns,
    people,
    place_import,
    places,
    plans,
    schedules,
    sessions,
    weather,
)
from bot.web.admin.gate import Page, guarded

PAGES: tuple[Page, ...] = (
    *overview.pages.all,
    *account.pages.all,
    *accounts.pages.all,
    *audit.pages.all,
    *places.pages.all,
    *place_import.pages.all,
    *people.pages.all,
    *offerings.pages.all,
    *offering_import.pages.all,
    *patterns.pages.all,
    *sessions.pages.all,
    *bookings.pages.all,
    *notices.pages.all,
    *plans.pages.all,
    *schedules.pages.all,
    *figures.pages.all,
    *health.pages.all,
    *weather.pages.all,
)


def routes() -> list[web.AbstractRouteDef]:
    """The addresses of the console, each with its check of who may."""
    return [web.route(page.method, page.path, guarded(page)) for page in PAGES]
