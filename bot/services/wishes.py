"""What a rider's own words ask for: kinds of places, what they offer, when, where."""

import re
from dataclasses import dataclass, replace

from bot.services import sounds
from bot.services.lexicon import Found, lexicon
from bot.services.whereabouts import Counties, Whereabouts, county_names, whereabouts
from bot.words import normal

LONGEST = 200  # characters; a wish that is longer is a letter
_TRUCK_FROM_M = 6.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody looks for; an empty wish is for whatever is near.

    `kinds` are any of, `amenities` all of, with the names of the places file: battery swapping and charging
    are amenities here, whatever the kind of the place that offers them. `county` is a GB/T 2260 code, `near`
    the words of a landmark, road or estate to start from, `named` a place's own name. `voltage` is in volts,
    `at` a local time such as `22:00`, `always` hours that never end. `charging` and `parking` mean that nobody
    said what is charged or parked: `settled` asks the rider's vehicle.
    """

    kinds: frozenset[str] = frozenset()
    amenities: frozenset[str] = frozenset()
    open_now: bool = False
    county: str = ""
    near: str = ""
    named: str = ""
    voltage: str = ""
    brand: str = ""
    length_m: float | None = None
    hazmat: bool = False
    at: str = ""
    charging: bool = False
    parking: bool = False
    always: bool = False


def read(text: str, *, counties: Counties) -> Wish | None:
    """What `text` asks for, or None if it asks for no place; `counties` are the city's, by GB/T 2260 code.

    Rules come first. Only where they find nothing to look for are words tried by their sound.
    """
    said = normal(text[: 2 * LONGEST])[:LONGEST]
    if _only_tells(said):
        return None
    wish = _ruled(said, counties)
    if wish and _has_aim(wish):
        return wish
    for other_said in (_closed_up(said), _heard(said, counties)):
        other = _ruled(other_said, counties) if other_said != said else None
        if other and (_has_aim(other) or not wish):
            return other
    return wish


def settled(wish: Wish, vehicle: str) -> Wish:
    """`wish` with the charging and parking that `vehicle` needs; as it is where the vehicle does not tell."""
    amenities = set(wish.amenities)
    if wish.charging and (charging := _CHARGING.get(vehicle)):
        amenities.add(charging)
    if wish.parking and (parking := _PARKING.get(vehicle)):
        amenities.add(parking)
    return replace(
        wish,
        amenities=frozenset(amenities),
        charging=wish.charging and vehicle not in _CHARGING,
        parking=wish.parking and vehicle not in _PARKING,
    )


_CHARGING = {
    "courier": "ebike_charging",
    "parcel": "ebike_charging",
    "ridehail": "car_charging",
    "truck": "car_charging",
    "ebike": "ebike_charging",
    "car": "car_charging",
    "phone": "phone_charging",
}
_CHARGES = {"phone_charging", "ebike_charging", "car_charging", "battery_swap"}
_PARKING = {
    "courier": "bike_parking",
    "parcel": "bike_parking",
    "ridehail": "car_parking",
    "truck": "truck_parking",
    "ebike": "bike_parking",
    "car": "car_parking",
}
_PARKS = {"bike_parking", "car_parking", "truck_parking"}


def _only_tells(said: str) -> bool:
    """A complaint, news or thanks about a place, with no question where another is."""
    around = lexicon().around
    return around["telling"].within(said) and not around["asking_where"].within(said)


def _has_aim(wish: Wish) -> bool:
    return bool(wish.kinds or wish.amenities or wish.charging or wish.parking or wish.named or wish.hazmat)


def _closed_up(said: str) -> str:
    """`said` without the blanks between Chinese characters: 厕 所."""
    return re.sub("(?<=[一-鿿]) (?=[一-鿿])", "", said)


def _heard(said: str, counties: Counties) -> str:
    """`said` with the words that it only sounds like."""
    words = lexicon()
    names = county_names(counties)
    if said.isascii():
        return sounds.typed(said, (*words.sounds, *words.typed, *names))
    full = tuple(name for name in names if len(name) > 2 and not name.isascii())
    return sounds.respelt(_closed_up(said), (*words.sounds, *full))


def _ruled(said: str, counties: Counties) -> Wish | None:
    found = _wanted(said)
    meant = [lexicon().meanings[word.word] for word in found]
    where = whereabouts(said, [word for word in found if _meaning(word) != "apart"], _details(said), counties)
    at, voltage, length = _time(said), _voltage(said), _length(said)
    wish = Wish(
        kinds=frozenset(name for group, name in meant if group == "kinds"),
        amenities=frozenset(name for group, name in meant if group == "amenities"),
        open_now=("signs", "open_now") in meant and not at,
        county=where.county,
        near=where.near,
        named=where.named,
        voltage=voltage,
        brand=_brand(said) if voltage or ("amenities", "battery_swap") in meant else "",
        length_m=length,
        hazmat=("signs", "hazmat") in meant,
        at=at,
        charging=("unsettled", "charging") in meant,
        parking=("unsettled", "parking") in meant,
        always=("signs", "always") in meant and not at,
    )
    wish = _with_context(wish, said)
    return wish if _has_aim(wish) or _asks_thinly(wish, said, where) else None


def _wanted(said: str) -> list[Found]:
    """The words of wishing in `said`, without those that it says it does not want."""
    around = lexicon().around
    wanted = []
    for found in lexicon().spoken.find(said):
        before = said[max(0, found.start - 4) : found.start]
        refused = any(before.endswith(word) for word in around["unwanted"].all)
        if not refused or any(before.endswith(word) for word in around["wanted_or_not"].all):
            wanted.append(found)
    return wanted


def _meaning(found: Found) -> str:
    return lexicon().meanings[found.word][1]


def _with_context(wish: Wish, said: str) -> Wish:
    """What the vehicle that `said` mentions, a voltage or a length says about charging and parking."""
    mentioned = [lexicon().vehicles_by_word[found.word] for found in _vehicles(said)]
    device = "phone" if "phone" in mentioned else next(iter(mentioned), "")
    wheels = next((vehicle for vehicle in mentioned if vehicle != "phone"), "")
    if wish.length_m or wish.hazmat:
        wheels = "truck" if wish.hazmat or (wish.length_m or 0) >= _TRUCK_FROM_M else wheels
        wish = replace(wish, parking=wish.parking or not wish.charging)
    if wish.voltage and not _has_aim(wish):
        wish = replace(wish, amenities=frozenset({"battery_swap"}))
    charging = wish.charging and not wish.amenities & _CHARGES
    parking = wish.parking and not wish.amenities & _PARKS
    parked = settled(replace(wish, charging=False, parking=parking), wheels)
    charged = settled(replace(parked, charging=charging, parking=False), device)
    return replace(charged, parking=parked.parking)


def _vehicles(said: str) -> list[Found]:
    """The vehicles and devices in `said`; the 汽车 of 汽车站 is none."""
    places = lexicon().around["locality"].find(said)
    return [
        found
        for found in lexicon().vehicles.find(said)
        if not any(place.start <= found.start and found.end <= place.end for place in places)
    ]


def _details(said: str) -> list[Found]:
    """Everything in `said` that says more about a wish and is no name: vehicles, brands, volts, metres, times."""
    matches = [match for pattern in (_VOLTAGE, _METRES, _CLOCK) for match in pattern.finditer(said)]
    brands = [found for words in lexicon().brands.values() for found in words.find(said)]
    return [*_vehicles(said), *brands, *(Found(match.start(), match.end(), match[0]) for match in matches)]


def _asks_thinly(wish: Wish, said: str, where: Whereabouts) -> bool:
    """Whether a text without an aim is still a wish: a county, a road, "open now", or "what is near"."""
    if where.rest > 2 or len(said) > 24:
        return False
    if wish.county or wish.near or wish.open_now or wish.always or wish.length_m or (wish.at and "开" in said):
        return True
    return lexicon().around["anything"].within(said) and where.rest == 0


_VOLTAGE = re.compile(r"(?<!\d)(48|60|64|72|84)\s*(?:v(?![a-z])|伏|福)|(四十八|六十四?|七十二|八十四)伏")
_METRES = re.compile(
    r"(?<![\d.])(\d{1,2}(?:\.\d{1,2})?|十?[一二三四五六七八九十])\s*(?:米|m(?![a-z]))"
    r"(?!\s*(?:以?[内外]|之[内外]|范围|左右|开外|远))([\d一二三四五六七八九])?"
)
_DIGITS = {char: n for n, char in enumerate("零一二三四五六七八九十")} | {"两": 2}
_LONG_THINGS = re.compile("车|停|挂|进|长|truck|lorry|trailer|park|long")


def _voltage(said: str) -> str:
    match = _VOLTAGE.search(said)
    if not match:
        return ""
    return match[1] or f"{_number(match[2]):g}"


def _length(said: str) -> float | None:
    """A vehicle's length in metres: 17.5米, 17米5, 十七米五."""
    match = _METRES.search(said)
    if not match or not _LONG_THINGS.search(said):
        return None
    metres = _number(match[1])
    if match[2] and "." not in match[1]:
        metres += _number(match[2]) / 10
    return metres if 3 <= metres <= 30 else None


def _number(digits: str) -> float:
    if digits[0].isdecimal():
        return float(digits)
    if len(digits) == 1:
        return _DIGITS[digits]
    tens = 10 if digits[0] == "十" else 10 * _DIGITS[digits[0]]
    return tens + (_DIGITS[digits[-1]] if digits[-1] != "十" else 0)


_DAY_PART = "凌晨|清早|明早|早上|早晨|上午|中午|下午|傍晚|今晚|晚上|夜里|半夜|夜间"
_CLOCK = re.compile(
    rf"({_DAY_PART})?\s*(?<![\d.:])(\d{{1,2}})\s*(?:点钟?|时(?!间)|:(\d\d)(?!\d))\s*(半|\d{{1,2}}(?=分))?"
    rf"|({_DAY_PART})\s*([一二两三四五六七八九十]{{1,3}})点(半)?"
)
_ENGLISH_CLOCK = re.compile(r"\b(?:at|until|till|after) (\d{1,2})(?::(\d\d))? ?(am|pm)?\b")
_LATE = ("下午", "傍晚", "今晚", "晚上")
_NIGHT = ("夜里", "半夜", "夜间")


def _time(said: str) -> str:
    """A time of day as `HH:MM`: 晚上11点, 明早6点半, 22:00, at 10pm."""
    if match := _ENGLISH_CLOCK.search(said):
        part = {"am": "早上", "pm": "下午"}.get(match[3] or "", "")
        return _clock(part, int(match[1]), int(match[2] or 0))
    match = _CLOCK.search(said)
    if not match:
        return ""
    part = match[1] or match[5] or ""
    hour = int(match[2]) if match[2] else int(_number(match[6]))
    half = match[4] or match[7] or ""
    minute = 30 if half == "半" else int(match[3] or half or 0)
    return _clock(part, hour, minute)


def _clock(part: str, hour: int, minute: int) -> str:
    if (part in _LATE and hour < 12) or (part in _NIGHT and 6 < hour < 12):
        hour += 12
    elif hour == 12 and part in ("晚上", "今晚", "凌晨", "早上", *_NIGHT):
        hour = 24
    return f"{hour % 24:02}:{minute:02}" if hour <= 24 and minute < 60 else ""


def _brand(said: str) -> str:
    return next((name for name, words in lexicon().brands.items() if words.within(said)), "")
