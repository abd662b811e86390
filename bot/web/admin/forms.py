"""What the forms of the console have in common: cells as they were typed, days, pages of lists."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from multidict import MultiMapping

from bot.i18n import Text
from bot.services import authority
from bot.services.offerings import Offering
from bot.services.sessions import Guest
from bot.web.admin.gate import MEMBER, SITE
from bot.web.site import locale_of

MOST_PAGES = 10_000
# A calendar of these years has every session; dates far from them are somebody's slip.
_FIRST_YEAR, _LAST_YEAR = 2000, 2999


def typed(form: Mapping[str, Any], name: str) -> str:
    """A field as it was typed; empty where there is none, or a file in its place."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def ticked(form: MultiMapping[Any], name: str) -> list[str]:
    """The values of a field that can be ticked several times."""
    return [value for value in form.getall(name, []) if isinstance(value, str)]


def text_asked(request: web.Request, name: str = "text") -> str:
    """What somebody looks for, on one line."""
    return "".join(letter for letter in request.query.get(name, "") if letter.isprintable()).strip()[:100]


def one_asked(request: web.Request, name: str, known: Mapping[str, object]) -> str:
    """A value of the address that is among the known ones, or nothing."""
    value = request.query.get(name, "")
    return value if value in known else ""


def number_asked(request: web.Request, name: str) -> int | None:
    value = request.query.get(name, "")
    return int(value) if value.isascii() and value.isdecimal() and len(value) <= 15 else None


def page_asked(request: web.Request) -> int:
    """Which page of a list, from 0."""
    return min(number_asked(request, "page") or 0, MOST_PAGES)


def day_of(text: str) -> date | None:
    """A day such as 2026-01-31 that a calendar can show, or None."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if _FIRST_YEAR <= day.year <= _LAST_YEAR else None


def midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


def today(request: web.Request) -> date:
    """The day in the city."""
    site = request.app[SITE]
    return site.now().astimezone(site.city.zone).date()


def monday(day: date) -> date:
    """The Monday of the day's week."""
    return day - timedelta(days=day.weekday())


def day_words(day: date, locale: str) -> str:
    """A day as people say it, with its weekday, such as `1月12日周一` or `Mon, Jan 12`."""
    from babel.dates import format_skeleton

    return format_skeleton("MMMEd", datetime.combine(day, time()), locale=locale)


def weekday_words(locale: str) -> list[str]:
    """The weekdays from Monday on, short."""
    from babel import Locale

    names = Locale.parse(locale).days["stand-alone"]["abbreviated"]
    return [names[number] for number in range(7)]


def own_counties(request: web.Request) -> dict[str, str]:
    """The counties that this member looks after, by code, in the reader's language."""
    city, member, locale = request.app[SITE].city, request[MEMBER], locale_of(request)
    named = {code: county.called(locale) for code, county in city.counties.items()}
    return {code: name for code, name in named.items() if authority.is_within(member, [code])}


def answered(offering: Offering, locale: str) -> Callable[[Guest], list[tuple[Text | str, Text | str]]]:
    """How the answers of a guest read: each question with what was said, in the order of the questions."""
    asked = offering.questions

    def told(guest: Guest) -> list[tuple[Text | str, Text | str]]:
        return [
            (question.label(locale), question.options(locale).get(said, said))
            for question in asked
            if (said := guest.answers.get(question.key))
        ]

    return told
