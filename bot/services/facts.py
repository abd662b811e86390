"""Everything known of one place, put into words, a fact a line; nothing is said of what nobody knows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from bot.geo import bearing, distance_m
from bot.i18n import Text, Voice, _
from bot.services.directory import Directory, Listing
from bot.services.finding import arrival_s
from bot.services.hours import Opening
from bot.services.timetables import timetable
from bot.services.wording import Phrases, phrases

_CAR_PARKING = frozenset({"ridehail", "truck", "", "none"})


def facts(place: Listing, voice: Voice, *, today: date, vehicle: str = "") -> list[str]:
    """The facts of `place` for the driver of `vehicle`, beside its name and opening; `today` is the city's."""
    words = phrases(voice.locale, voice.zone)
    told = (
        *_getting_in(place, words),
        *_offers(place, words, voice, today),
        *_energy(place, words),
        *_parking(place, vehicle),
        *_where(place),
        *_whose(place, words, today),
    )
    return [voice.word(fact) for fact in told]


@dataclass(frozen=True, slots=True)
class Way:
    """From a rider to a place: metres in a straight line, degrees from north, and how it is on arrival."""

    distance_m: float
    bearing: int
    arrives_at: datetime
    opening: Opening


def way_to(directory: Directory, place: Listing, lat: float, lng: float, *, vehicle: str, now: datetime) -> Way | None:
    """The way from a point (WGS-84) to `place`; None where nobody has surveyed it."""
    if place.lat is None or place.lng is None:
        return None
    metres = distance_m(lat, lng, place.lat, place.lng)
    arrives_at = now + timedelta(seconds=arrival_s(metres, vehicle))
    turn_to = bearing(lat, lng, place.lat, place.lng)
    return Way(metres, turn_to, arrives_at, directory.opening(place, arrives_at))


def closure(place: Listing) -> Text | None:
    """Why and until when a place is closed for a time; None where it is not."""
    if place.state != "closed":
        return None
    match bool(place.closed_reason), place.closed_until:
        case True, None:
            return _("Closed for now: {reason}", reason=place.closed_reason)
        case True, until:
            return _("Closed until {date}: {reason}", date=str(until), reason=place.closed_reason)
        case False, None:
            return _("Closed for now")
        case _, until:
            return _("Closed until {date}", date=str(until))


def _getting_in(place: Listing, words: Phrases) -> Iterator[Text]:
    if place.hours:
        yield _("🕘 Hours: {hours}", hours=timetable(place.hours, words))
    if place.weather_until:
        yield _("❄ Open longer because of the weather, until {until}", until=place.weather_until)
    if place.entry in words.entries:
        yield _("🚪 Entry: {entry}", entry=words.entries[place.entry])


def _offers(place: Listing, words: Phrases, voice: Voice, today: date) -> Iterator[Text]:
    if place.amenities:
        named = [voice.word(_amenity(place, name, words, today)) for name in words.amenities if name in place.amenities]
        yield _("✅ Offers: {amenities}", amenities=words.separator.join(named))
    if place.prices:
        prices = words.separator.join(voice.word(_price(price)) for price in place.prices)
        if place.prices_at:
            yield _("💰 Prices of {date}: {prices}", date=str(place.prices_at), prices=prices)
        else:
            yield _("💰 Prices, date unknown: {prices}", prices=prices)


def _amenity(place: Listing, amenity: str, words: Phrases, today: date) -> Text:
    name = words.amenities[amenity]
    if season := place.amenity_closed.get(amenity):
        start, _slash, end = season.partition("/")
        return _("{amenity} (closed {start} to {end})", amenity=name, start=start, end=end)
    if checked := place.amenity_verified.get(amenity):
        days = (today - date.fromisoformat(str(checked))).days
        return _("{amenity} ({checked})", amenity=name, checked=words.freshness(days))
    return _("{amenity}", amenity=name)


def _price(price: Mapping[str, Any]) -> Text:
    fen = int(str(price["fen"]))
    yuan = f"{fen // 100}" if fen % 100 == 0 else f"{fen / 100:.2f}"
    if price.get("unit"):
        return _("{item} {yuan} yuan/{unit}", item=price["item"], yuan=yuan, unit=price["unit"])
    return _("{item} {yuan} yuan", item=price["item"], yuan=yuan)


def _energy(place: Listing, words: Phrases) -> Iterator[Text]:
    if place.piles and place.connectors:
        yield _("🔌 {piles} charging posts, {connectors} plugs", piles=place.piles, connectors=place.connectors)
    elif place.piles:
        yield _("🔌 {piles} charging posts", piles=place.piles)
    elif place.connectors:
        yield _("🔌 {connectors} plugs", connectors=place.connectors)
    brands = words.separator.join(place.swap_brands)
    volts = words.separator.join(f"{voltage.rstrip('Vv')}V" for voltage in place.voltages)
    if brands and volts:
        yield _("🔋 Battery swap: {brands}, {volts}", brands=brands, volts=volts)
    elif brands or volts:
        yield _("🔋 Battery swap: {what}", what=brands or volts)


def _parking(place: Listing, vehicle: str) -> Iterator[Text]:
    if place.parking_spaces and vehicle in _CAR_PARKING:
        yield _("🅿 {spaces} parking spaces", spaces=place.parking_spaces)
    if vehicle not in ("truck", ""):
        return
    if place.max_vehicle_m:
        yield _("Vehicles up to {metres} m long", metres=f"{place.max_vehicle_m:g}")
    if place.max_vehicle_h_m:
        yield _("Vehicles up to {metres} m high", metres=f"{place.max_vehicle_h_m:g}")
    if place.max_vehicle_t:
        yield _("Vehicles up to {tonnes} t", tonnes=f"{place.max_vehicle_t:g}")
    if place.hazmat is not None:
        yield _("Dangerous goods may park here") if place.hazmat else _("No dangerous goods")


def _where(place: Listing) -> Iterator[Text]:
    if place.road and place.direction:
        yield _("🛣 On {road}, direction {direction}", road=place.road, direction=place.direction)
    elif place.road:
        yield _("🛣 On {road}", road=place.road)
    if place.address:
        yield _("📍 {address}", address=place.address)
    if place.lat is None:
        yield _("Nobody has surveyed where it is exactly, so I cannot navigate there.")


def _whose(place: Listing, words: Phrases, today: date) -> Iterator[Text]:
    if place.phone:
        yield _("☎ {phone}", phone=place.phone)
    if place.operator:
        yield _("Run by {operator}", operator=place.operator)
    if place.note:
        yield _("Note: {note}", note=place.note)
    days = (today - place.verified_at).days if place.verified_at else None
    fresh = words.freshness(days)
    if place.source:
        yield _("Source: {source}; {checked}", source=place.source, checked=fresh)
    else:
        yield _("{checked}", checked=fresh)
    if place.doubtful:
        yield _("⚠ To be checked: several people found it closed or different.")
