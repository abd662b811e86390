"""The list of the nearest places, worded fast: nearly every message gets one."""

from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from bot.conversation import Turn
from bot.handlers.searches import MOST_PAGES, Search, number, packed, position, unpacked
from bot.i18n import Text, _, voice
from bot.messages import Button, Outgoing, Place
from bot.services.directory import Directory, Listing
from bot.services.finding import Findings, Suggestion
from bot.services.wishes import Wish, settled
from bot.services.wording import Phrases, phrases

PAGE = 5
# A sample whose name says so needs no second mark.
SAMPLE = "示例"
_MOST_OFFERS = 4
_LONGEST_LABEL = 14

# What a rider of each vehicle looks for first, where nothing was asked for.
_WANTED = {
    "courier": ("ebike_charging", "battery_swap", "hot_water", "toilet", "meals", "microwave", "phone_charging"),
    "parcel": ("ebike_charging", "hot_water", "toilet", "meals", "microwave", "rest", "phone_charging"),
    "ridehail": ("car_charging", "toilet", "meals", "hot_water", "rest", "car_parking", "car_wash"),
    "truck": ("truck_parking", "shower", "bed", "meals", "toilet", "hot_water", "laundry"),
}
_WANTED_BY_ALL = ("hot_water", "toilet", "meals", "rest", "phone_charging", "ebike_charging", "car_charging")
_CHARGING = frozenset({"ebike_charging", "car_charging", "phone_charging"})

_FILTERS: dict[str, Text] = {
    "charging": _("Charge"),
    "hot_water": _("Hot water"),
    "toilet": _("Toilet"),
    "meals": _("Eat"),
    "rest": _("Rest"),
    "shower": _("Shower"),
    "truck_parking": _("Truck parking"),
    "open_now": _("Open now"),
}
_FILTERS_IN_A_ROW = 4
_PIN_STATES = {"open": "yes", "closed": "no", "unknown": "unknown"}


def message(
    turn: Turn, search: Search, findings: Findings, title: str, below: tuple[tuple[Button, ...], ...] = ()
) -> Outgoing:
    """What was found, under `title`: the places with a button each, more of them, the filters.

    Where choices are numbered anyway, the numbered choices are the list itself.
    """
    words = phrases(turn.voice.locale, turn.voice.zone)
    code, hidden = packed(search.wish, search.elsewhere), position(turn, search.lat, search.lng)
    tail = f".{code}.{search.page}.{hidden}"
    lines, buttons, has_buttons = [title], [], turn.can.buttons
    for n, one in enumerate(findings.found, search.page * PAGE + 1):
        place = one.listing
        row = _row(place, _in_season(turn, place), one.fresh_days, turn.person.vehicle, code, words)
        line = row.line.format(
            open=words.opening(one.opening, one.arrives_at, place.phone),
            distance=words.distance(one.distance_m),
            direction=words.direction(one.bearing),
        )
        if has_buttons:
            lines.append(f"{n}. {line}")
            buttons.append(Button(f"{n} {row.name}", row.press + tail))
        else:
            buttons.append(Button(line, row.press + tail))
    if findings.more and search.page < MOST_PAGES:
        buttons.append(Button(_parts(turn.voice.locale).more, f"m.{code}.{search.page + 1}.{hidden}"))
    width = 2 if has_buttons else 1
    rows = [tuple(buttons[i : i + width]) for i in range(0, len(buttons), width)]
    rows += [
        tuple([Button(name, prefix + hidden) for name, prefix in row]) for row in _filters(code, turn.voice.locale)
    ]
    return Outgoing("\n".join(lines), (*rows, *below), tuple([_pin(one) for one in findings.found]))


def _pin(one: Suggestion) -> Place:
    place = one.listing
    if place.lat is None or place.lng is None:
        raise ValueError("what is found by position has one")
    return Place(
        place.code,
        place.name,
        place.lat,
        place.lng,
        place.address,
        round(one.distance_m),
        _PIN_STATES[one.opening.state],
    )


def wanted(wish: Wish, vehicle: str) -> tuple[str, ...]:
    """Amenities in the order in which they matter: those asked for, then what such a vehicle's rider needs most."""
    asked = settled(wish, vehicle).amenities
    return (*sorted(asked), *(name for name in _WANTED.get(vehicle, _WANTED_BY_ALL) if name not in asked))


def toggled(wish: Wish, name: str) -> Wish:
    """`wish` with one filter the other way round."""
    match name:
        case "open_now":
            return replace(wish, open_now=not _is_on(wish, name), always=False)
        case "charging" if _is_on(wish, name):
            return replace(wish, charging=False, amenities=wish.amenities - _CHARGING)
        case "charging":
            return replace(wish, charging=True)
    return replace(wish, amenities=wish.amenities ^ {name})


class _Row(NamedTuple):
    """What stays the same of a place in a list: its line but for the way there, its name and token on a button."""

    line: str
    name: str
    press: str


@lru_cache(20_000)
def _row(
    place: Listing, amenities: frozenset[str], fresh_days: int | None, vehicle: str, code: str, words: Phrases
) -> _Row:
    """The row of `place` with these `amenities` in season, for a vehicle and a packed wish."""
    parts, wish = _parts(words.locale), unpacked(code)[0]
    offers = words.listed([name for name in wanted(wish, vehicle) if name in amenities][:_MOST_OFFERS])
    line = (parts.full if offers else parts.bare).format(
        name=_braced(_heading(place, words, parts)),
        open="{open}",
        distance="{distance}",
        direction="{direction}",
        offers=_braced(offers),
        fresh=_braced(words.doubtful if place.doubtful_since else words.freshness(fresh_days)),
    )
    return _Row(line, _short(place.name), f"p.{number(place.id)}")


def _braced(text: str) -> str:
    """`text` as it must stand in what is formatted once more."""
    return text.replace("{", "{{").replace("}", "}}")


@dataclass(frozen=True, slots=True)
class _Parts:
    """The sentences of a list in one language, to be filled in."""

    full: str
    bare: str
    heading: str
    sample: str
    more: str


@cache
def _parts(locale: str) -> _Parts:
    word = voice(locale, ZoneInfo("UTC")).word
    return _Parts(
        full=word(_("{name} · {open}\n{distance}, {direction} · {offers} · {fresh}")),
        bare=word(_("{name} · {open}\n{distance}, {direction} · {fresh}")),
        heading=word(_("{name} ({kind})")),
        sample=word(_("[sample] {name}")),
        more=word(_("More ›")),
    )


def _heading(place: Listing, words: Phrases, parts: _Parts) -> str:
    """A place's name, with its kind where the name does not tell."""
    kind = words.kinds.get(place.kind, "")
    heading = place.name if kind in place.name else parts.heading.format(name=place.name, kind=kind)
    if place.demo and not place.name.startswith(SAMPLE):
        return parts.sample.format(name=heading)
    return heading


def _in_season(turn: Turn, place: Listing) -> frozenset[str]:
    """The amenities that a place has today."""
    if not place.amenity_closed:
        return place.amenities
    directory, today = turn.use(Directory), turn.now.astimezone(turn.voice.zone).date()
    return frozenset(name for name in place.amenities if directory.amenity_open(place, name, today))


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_LABEL else f"{name[: _LONGEST_LABEL - 1]}…"


@lru_cache(4096)
def _filters(code: str, locale: str) -> tuple[tuple[tuple[str, str], ...], ...]:
    """Rows of (label, token without its position) for the filters, those that are on with their mark."""
    wish, elsewhere = unpacked(code)
    shown, word = [], voice(locale, ZoneInfo("UTC")).word
    for name, label in _FILTERS.items():
        mark = "✓ " if _is_on(wish, name) else ""
        shown.append((f"{mark}{word(label)}", f"n.{packed(toggled(wish, name), elsewhere)}.0."))
    return tuple(tuple(shown[i : i + _FILTERS_IN_A_ROW]) for i in range(0, len(shown), _FILTERS_IN_A_ROW))


def _is_on(wish: Wish, name: str) -> bool:
    match name:
        case "open_now":
            return wish.open_now or wish.always
        case "charging":
            return wish.charging or bool(wish.amenities & _CHARGING)
    return name in wish.amenities
