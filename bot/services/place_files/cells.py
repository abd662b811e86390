"""The cells of the places file: from text to typed values, and back."""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from bot.geo import DATUMS, convert, in_range
from bot.i18n import Text, _
from bot.services.holidays import mainland
from bot.services.hours import Hours
from bot.services.vocabulary import AMENITIES, ENTRIES, KINDS, STATES


class BadCell(ValueError):
    """A cell that cannot be taken; `reason` says why, in words for people."""

    def __init__(self, reason: Text) -> None:
        self.reason = reason
        super().__init__(reason.msgid)


def must_be_there() -> Any:
    raise BadCell(_("this must not be empty"))


@dataclass(frozen=True, slots=True)
class Column:
    """How one column is read (never called for an empty cell), shown again, and what an empty cell means."""

    read: Callable[[str], Any]
    show: Callable[[Any], str] = str
    empty: Callable[[], Any] = str

    def value(self, text: str) -> Any:
        """The typed value of a cell, not to be changed, since equal cells may share it; raises BadCell."""
        return self.read(text) if text else self.empty()

    def text(self, value: Any) -> str:
        """The cell for a value; nothing known is an empty cell."""
        return "" if value is None else self.show(value)


POSITION = ("lat", "lng", "datum")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_BETWEEN = re.compile("[;；]")
_FAR_TOO_MANY = 100_000


def tidy(text: str) -> str:
    """A cell without the space around it, its lines ended alike; raises BadCell for what is no text."""
    if text.isprintable():
        return text.strip()
    if _FORBIDDEN.search(text):
        raise BadCell(_("there are control characters in it"))
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def columns(counties: Collection[str]) -> dict[str, Column]:
    """Every column but the position's three, in the file's order; `counties` are the known GB/T 2260 codes.

    A place may also belong to the city as a whole: its code is the counties' first four digits and 00.
    """
    known = {*counties, *(f"{county[:4]}00" for county in counties)}
    return {
        "code": Column(code_cell, empty=must_be_there),
        "name": Column(limited(120), empty=must_be_there),
        "kind": Column(one_of(KINDS), empty=must_be_there),
        "county": Column(one_of(known)),
        "address": Column(limited(300)),
        "phone": Column(_phone),
        "hours": Column(_hours),
        "amenities": Column(_remembered(each(one_of(AMENITIES))), joined, list),
        "entry": Column(one_of(ENTRIES)),
        "prices": Column(_remembered(_prices), _shown_prices, list),
        "piles": Column(count, empty=nothing),
        "connectors": Column(count, empty=nothing),
        "swap_brands": Column(each(limited(60)), joined, list),
        "voltages": Column(_remembered(each(_voltage)), joined, list),
        "parking_spaces": Column(count, empty=nothing),
        "max_vehicle_m": Column(_measure, decimal, nothing),
        "operator": Column(limited(200)),
        "source": Column(limited(500)),
        "verified_at": Column(day, date.isoformat, nothing),
        "demo": Column(truth, shown_truth, bool),
        "note": Column(limited(2000)),
        "state": Column(one_of(STATES), empty=lambda: "published"),
        "closed_until": Column(day, date.isoformat, nothing),
        "closed_reason": Column(limited(200)),
        "amenity_verified": Column(_remembered(_by_amenity(lambda text: day(text).isoformat())), _paired, dict),
        "amenity_closed": Column(_remembered(_by_amenity(_season)), _paired, dict),
        "prices_at": Column(day, date.isoformat, nothing),
        "road": Column(limited(60)),
        "direction": Column(limited(60)),
        "max_vehicle_h_m": Column(_measure, decimal, nothing),
        "max_vehicle_t": Column(_measure, decimal, nothing),
        "hazmat": Column(truth, shown_truth, nothing),
    }


def header() -> tuple[str, ...]:
    """The names of all columns in the file's order."""
    names = tuple(columns(()))
    after = names.index("address") + 1
    return (*names[:after], *POSITION, *names[after:])


class BadPosition(BadCell):
    """A position that cannot be taken; `column` is the cell at fault."""

    def __init__(self, column: str, reason: Text) -> None:
        self.column = column
        super().__init__(reason)


def position(lat: str, lng: str, datum: str) -> dict[str, Any]:
    """The position's columns from a pair of degrees and the datum it is given in; raises BadPosition."""
    if not lat and not lng:
        return dict.fromkeys(("lat", "lng", "source_lat", "source_lng")) | {"datum": ""}
    source = _degrees("lat", lat, 90), _degrees("lng", lng, 180)
    if datum not in DATUMS:
        reason = _("not known: {value}", value=short(datum)) if datum else _("coordinates need their datum")
        raise BadPosition("datum", reason)
    inside = convert(*source, datum, "wgs84")
    if not in_range(*inside):
        raise BadPosition("lat", _("this is no point on the earth in its datum"))
    return dict(zip(("source_lat", "source_lng", "datum", "lat", "lng"), (*source, datum, *inside), strict=True))


def decimal(value: float) -> str:
    """A number the way people write it, without an exponent, exact when read again."""
    text = format(Decimal(repr(float(value))), "f")
    return text.removesuffix(".0")


@lru_cache(maxsize=4096)
def day(text: str) -> date:
    """A calendar day written as 2026-01-31; raises BadCell."""
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise BadCell(_("not a day such as 2026-01-31: {value}", value=short(text)))


def _degrees(column: str, text: str, limit: int) -> float:
    if not text:
        raise BadPosition(column, _("latitude and longitude go together"))
    if not re.fullmatch(r"[+-]?[0-9]{1,3}(\.[0-9]{0,20})?", text):
        raise BadPosition(column, _("not a number of degrees: {value}", value=short(text)))
    if abs(float(text)) > limit:
        raise BadPosition(column, _("outside of -{limit} to {limit} degrees: {value}", limit=limit, value=text))
    return float(text)


def _remembered(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Rows of one file repeat each other: what was understood once is not taken apart again."""
    return lru_cache(maxsize=2048)(read)


def nothing() -> None:
    return None


def short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"


def limited(limit: int) -> Callable[[str], str]:
    def read(text: str) -> str:
        if len(text) > limit:
            raise BadCell(_("longer than {limit} characters", limit=limit))
        return text

    return read


def one_of(known: Collection[str]) -> Callable[[str], str]:
    allowed = frozenset(known)

    def read(text: str) -> str:
        if text not in allowed:
            raise BadCell(_("not known: {value}", value=short(text)))
        return text

    return read


def parts(text: str) -> Iterable[str]:
    return (part for part in map(str.strip, _BETWEEN.split(text)) if part)


def each(read: Callable[[str], str]) -> Callable[[str], list[str]]:
    return lambda text: list(dict.fromkeys(read(part) for part in parts(text)))


def _pair(part: str) -> tuple[str, str]:
    name, equals, value = part.replace("＝", "=").partition("=")
    if not equals or not name.strip() or not value.strip():
        raise BadCell(_("not of the form name=value: {value}", value=short(part)))
    return name.strip(), value.strip()


def _by_amenity(read: Callable[[str], str]) -> Callable[[str], dict[str, str]]:
    amenity = one_of(AMENITIES)

    def understood(part: str) -> tuple[str, str]:
        name, value = _pair(part)
        return amenity(name), read(value)

    pair = lru_cache(maxsize=16_384)(understood)
    return lambda text: dict(map(pair, parts(text)))


def joined(values: list[str]) -> str:
    return ";".join(values)


def _paired(values: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in values.items())


def code_cell(text: str) -> str:
    if not re.fullmatch(r"[\w.:-]{1,64}", text):
        raise BadCell(_("a code is up to 64 letters, digits, dots, hyphens: {value}", value=short(text)))
    return text


def _phone(text: str) -> str:
    if len(text) > 60 or not re.search("[0-9]{3}", text):
        raise BadCell(_("not a telephone number"))
    return text


def _hours(text: str) -> str:
    if len(text) > 500 or not _understood(text):
        raise BadCell(_("not opening hours in the OpenStreetMap syntax: {value}", value=short(text)))
    return text


@lru_cache(maxsize=4096)
def _understood(hours: str) -> bool:
    try:
        # Whether a text is understood depends neither on the zone nor on the holidays.
        Hours(hours, ZoneInfo("UTC"), mainland())
    except ValueError:
        return False
    return True


def count(text: str) -> int:
    if not re.fullmatch("[0-9]{1,6}", text) or int(text) > _FAR_TOO_MANY:
        raise BadCell(_("not a whole number: {value}", value=short(text)))
    return int(text)


def _measure(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", text) or not float(text):
        raise BadCell(_("not a number such as 17.5: {value}", value=short(text)))
    return float(text)


def _voltage(text: str) -> str:
    digits = text.upper().removesuffix("V").strip()
    if not re.fullmatch("[0-9]{2,3}", digits):
        raise BadCell(_("not a number of volts: {value}", value=short(text)))
    return digits


def truth(text: str) -> bool:
    if text.lower() not in {"0", "1", "false", "true"}:
        raise BadCell(_("neither 1 nor 0: {value}", value=short(text)))
    return text.lower() in {"1", "true"}


def shown_truth(value: bool) -> str:
    return "1" if value else "0"


def _season(text: str) -> str:
    found = re.fullmatch(r"([0-9]{2}-[0-9]{2})\s*/\s*([0-9]{2}-[0-9]{2})", text)
    try:
        if found:
            # A leap year, so that 02-29 is a day.
            first, last = (date.fromisoformat(f"2024-{part}") for part in found.groups())
            return f"{first:%m-%d}/{last:%m-%d}"
    except ValueError:
        pass
    raise BadCell(_("not a season such as 11-15/03-15: {value}", value=short(text)))


def _prices(text: str) -> list[dict[str, Any]]:
    return [_price(item, value.replace("／", "/")) for item, value in map(_pair, parts(text))]


def _price(item: str, value: str) -> dict[str, Any]:
    yuan, _slash, unit = (part.strip() for part in value.partition("/"))
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,2})?", yuan):
        raise BadCell(_("not a price such as 25/person: {value}", value=short(value)))
    return {"item": item, "fen": int(Decimal(yuan) * 100), "unit": unit}


def _shown_prices(prices: list[dict[str, Any]]) -> str:
    return "; ".join(
        f"{price['item']}={_yuan(price['fen'])}" + (f"/{price['unit']}" if price["unit"] else "") for price in prices
    )


def _yuan(fen: int) -> str:
    yuan, rest = divmod(fen, 100)
    return f"{yuan}.{rest:02}" if rest else str(yuan)
