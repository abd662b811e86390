"""Makes data/yuncheng/places.sample.csv: invented places, marked as samples, and the few real ones reported.

The same run makes the same file. Nothing invented has a real place's name, nothing real an invented fact.
"""

import csv
import math
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from io import StringIO
from pathlib import Path

from bot.geo import distance_m
from bot.services.city import City, County, load_city
from bot.services.place_files.cells import decimal, header
from scripts.reported_places import REPORTED

FOLDER = Path(__file__).parent.parent / "data" / "yuncheng"
FILE = FOLDER / "places.sample.csv"
SEED = 140800
TODAY = date(2026, 11, 16)

# How many of a hundred places a county gets: a guess at a likely spread, not a statistic.
SHARES = {
    "140802": 30,
    "140821": 8,
    "140822": 6,
    "140823": 7,
    "140824": 6,
    "140825": 6,
    "140826": 4,
    "140827": 4,
    "140828": 5,
    "140829": 4,
    "140830": 5,
    "140881": 7,
    "140882": 8,
}

ALWAYS = "24/7"
LONG = "Mo-Su 07:00-22:00"
LUNCH_BREAK = "Mo-Fr 08:00-12:00,14:30-18:00; PH off"
SHORT_HOLIDAYS = "Mo-Sa 08:30-12:00,14:00-19:00; Su,PH 09:00-17:00"
LATE = "Mo-Su 10:00-02:00"
NIGHT = "Mo-Su 18:00-06:00"
SEASONS = "Nov-Mar Mo-Su 08:00-18:00; Apr-Oct Mo-Su 07:00-21:00"
MEALTIMES = "Mo-Su 06:30-08:30,11:00-13:30,17:30-19:30"
UNKNOWN = ""

Cells = dict[str, str]
Random = random.Random


@dataclass(frozen=True)
class Sort:
    """How places of one kind are invented: what all have, what some have, and when they are open."""

    kind: str
    short: str
    word: str
    count: int
    all_have: tuple[str, ...]
    some_have: tuple[str, ...] = ()
    hours: tuple[str, ...] = (ALWAYS, LONG, LUNCH_BREAK, UNKNOWN)
    entries: tuple[str, ...] = ("free", "free", "attendant", "")
    more: Callable[[Random, int], Cells] = field(default=lambda _chance, _number: {})


def _parking(chance: Random, number: int) -> Cells:
    return {
        "parking_spaces": str(chance.randint(8, 60)),
        "max_vehicle_m": chance.choice(["9.6", "13.75", "17.5", "17.5"]),
        "max_vehicle_h_m": chance.choice(["4.2", "4.5", ""]),
        "max_vehicle_t": chance.choice(["31", "49", "49", ""]),
        "hazmat": chance.choice(["0", "0", "1", ""]),
        "road": "示例公路",
        "direction": chance.choice(["上行", "下行", ""]),
        "prices": chance.choice(["自助餐=20/人; 住宿=60/晚·间", "自助餐=18/人", "淋浴=5/次", ""]),
    }


def _piles(chance: Random, number: int) -> Cells:
    piles = 19 if number == 1 else chance.randint(3, 24)
    connectors = 38 if number == 1 else piles + chance.choice([0, 0, piles // 2, piles])
    price = f"服务费=0.{chance.randint(25, 60)}/度"
    return {"piles": str(piles), "connectors": str(connectors), "prices": price}


def _sockets(chance: Random, number: int) -> Cells:
    sockets = str(chance.randint(6, 30))
    price = chance.choice(["充电=1/次", "充电=0.5/小时", ""])
    return {"connectors": sockets, "piles": chance.choice([sockets, "2", ""]), "prices": price}


def _swaps(chance: Random, number: int) -> Cells:
    return {
        "swap_brands": chance.choice(["示例品牌甲", "示例品牌乙", "示例品牌甲;示例品牌乙"]),
        "voltages": chance.choice(["48;60", "60;72", "48;60;72", "60"]),
        "prices": chance.choice(["换电月租=199/月", "单次换电=4/次", ""]),
    }


def _meals(chance: Random, number: int) -> Cells:
    return {"prices": f"午餐={chance.choice(['8', '10', '12', '13.5'])}/位"}


SORTS = (
    Sort(
        "rest_station",
        "rest",
        "爱心驿站",
        201,
        ("hot_water", "rest"),
        (
            *("microwave", "phone_charging", "toilet", "wifi", "first_aid", "medicine", "heating"),
            *("umbrella", "air_conditioning", "reading", "women_room", "tyre_pump", "aed"),
            *("ebike_charging", "legal_desk"),
        ),
        (ALWAYS, LONG, LONG, LUNCH_BREAK, LUNCH_BREAK, SHORT_HOLIDAYS, LATE, NIGHT, SEASONS, UNKNOWN),
        ("free", "free", "free", "scan", "password", "face", "attendant", ""),
    ),
    Sort(
        "truckers_home",
        "truck",
        "货车司机之家",
        20,
        ("truck_parking", "rest", "hot_water", "toilet"),
        ("shower", "shower", "meals", "bed", "laundry", "microwave", "first_aid", "shop", "repair", "wifi"),
        (ALWAYS, ALWAYS, LONG, LATE),
        more=_parking,
    ),
    Sort(
        "taxi_stop",
        "taxi",
        "出租汽车司机小站",
        11,
        ("rest", "hot_water", "car_parking"),
        ("toilet", "meals", "microwave", "phone_charging", "car_wash"),
        (ALWAYS, LONG, SHORT_HOLIDAYS),
    ),
    Sort(
        "ridehail_station",
        "ridehail",
        "网约车司机安康站",
        7,
        ("rest", "hot_water"),
        ("toilet", "first_aid", "legal_desk", "car_charging", "car_parking"),
        (LONG, LUNCH_BREAK, SHORT_HOLIDAYS),
    ),
    Sort(
        "drivers_hub",
        "hub",
        "司机小站",
        3,
        ("car_parking", "car_charging", "rest", "toilet"),
        ("meals", "shower", "reading", "phone_charging", "car_wash"),
        (ALWAYS, LONG),
        more=_piles,
    ),
    Sort(
        "charging",
        "charge",
        "汽车充电站",
        36,
        ("car_charging",),
        ("car_parking", "toilet", "rest", "shop", "shelter"),
        (ALWAYS, ALWAYS, ALWAYS, LONG, UNKNOWN),
        ("scan", "free", ""),
        _piles,
    ),
    Sort(
        "ebike_charging",
        "ebike",
        "两轮车充电点",
        40,
        ("ebike_charging",),
        ("shelter", "bike_parking", "tyre_pump"),
        (ALWAYS, ALWAYS, LONG, UNKNOWN),
        ("scan", "free"),
        _sockets,
    ),
    Sort(
        "battery_swap",
        "swap",
        "换电柜",
        32,
        ("battery_swap",),
        ("shelter",),
        (ALWAYS, ALWAYS, LONG),
        ("scan",),
        _swaps,
    ),
    Sort(
        "canteen",
        "canteen",
        "爱心食堂",
        15,
        ("meals",),
        ("rest", "hot_water", "toilet", "heating"),
        (MEALTIMES, MEALTIMES, "Mo-Sa 11:00-13:30; PH off", UNKNOWN),
        more=_meals,
    ),
    Sort(
        "community",
        "community",
        "友好小区",
        40,
        (),
        ("guide_map", "bike_parking", "trolley", "loan_bike", "ebike_charging", "toilet"),
        (ALWAYS, UNKNOWN),
        ("free", "scan", "attendant", ""),
    ),
    Sort(
        "friendly_place",
        "friendly",
        "友好场景",
        26,
        (),
        ("bike_parking", "hot_water", "rest", "toilet", "phone_charging", "medicine", "shelter"),
        (LONG, SHORT_HOLIDAYS, LATE, UNKNOWN),
    ),
    Sort(
        "merchant",
        "merchant",
        "爱心商家",
        26,
        ("shelter",),
        ("hot_water", "phone_charging", "first_aid", "rest", "shop"),
        (LONG, LATE, SEASONS, UNKNOWN),
        ("free",),
    ),
    Sort("vending", "vending", "智能购物柜", 15, ("shop",), (), (ALWAYS,), ("scan",)),
    Sort(
        "workshop",
        "workshop",
        "社区工坊",
        13,
        ("repair",),
        ("tyre_pump", "rest"),
        (LUNCH_BREAK, SHORT_HOLIDAYS, UNKNOWN),
        ("free",),
    ),
    Sort(
        "service_point",
        "service",
        "服务站",
        15,
        (),
        ("legal_desk", "reading", "hot_water", "toilet", "wheelchair", "haircut", "rest"),
        (LUNCH_BREAK, SHORT_HOLIDAYS),
    ),
    Sort(
        "venue",
        "venue",
        "活动场馆",
        5,
        ("reading", "toilet"),
        ("wifi", "wheelchair", "aed"),
        (LONG, SHORT_HOLIDAYS),
    ),
)

FROZEN_IN_WINTER = ("shower", "car_wash", "toilet")
CLOSED = {
    "demo-charge-005": ("配电设备检修（示例）", "2027-03-31"),
    "demo-ebike-012": ("雨棚改造（示例）", "2027-06-30"),
    "demo-canteen-004": ("后厨装修（示例）", ""),
    "demo-merchant-009": ("店主外出（示例）", "2026-02-28"),
    "demo-vending-003": ("设备更换（示例）", ""),
}


def samples(city: City) -> Iterator[Cells]:
    """The cells of every row: invented places kind by kind, then the reported ones."""
    chance = Random(SEED)
    taken: list[tuple[float, float]] = []
    for sort in SORTS:
        in_county = dict.fromkeys(city.counties, 0)
        for number, county in enumerate(_spread(sort.count, city.counties), 1):
            in_county[county.code] += 1
            name = f"示例·{county.name}{sort.word}{in_county[county.code]:02}"
            yield _invented(sort, number, county, chance, taken) | {"name": name}
    yield from ({"demo": "0", "state": "published"} | place for place in REPORTED)


def text(city: City) -> str:
    """The whole file, with the mark that makes Excel read it as UTF-8."""
    file = StringIO()
    writer = csv.DictWriter(file, header(), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(samples(city))
    return f"\ufeff{file.getvalue()}"


def _spread(count: int, counties: Mapping[str, County]) -> list[County]:
    """The counties of `count` places in fair shares, the largest remainders first."""
    quotas = {code: count * share / sum(SHARES.values()) for code, share in SHARES.items()}
    whole = {code: math.floor(quota) for code, quota in quotas.items()}
    left = count - sum(whole.values())
    for code in sorted(quotas, key=lambda code: (whole[code] - quotas[code], code))[:left]:
        whole[code] += 1
    return [counties[code] for code, places in whole.items() for _place in range(places)]


def _invented(sort: Sort, number: int, county: County, chance: Random, taken: list[tuple[float, float]]) -> Cells:
    code = f"demo-{sort.short}-{number:03}"
    lat, lng = _spot(county, chance, taken)
    amenities = [*sort.all_have, *dict.fromkeys(one for one in sort.some_have if chance.random() < 0.45)]
    seen = TODAY - timedelta(days=chance.randint(0, 150))
    cells = {
        "code": code,
        "kind": sort.kind,
        "county": county.code,
        "address": f"{county.name}示例路{chance.randint(1, 199)}号",
        "lat": decimal(lat),
        "lng": decimal(lng),
        "datum": "wgs84",
        "phone": f"0359-000{number:04}" if chance.random() < 0.4 else "",
        "hours": chance.choice(sort.hours),
        "amenities": ";".join(amenities),
        "entry": chance.choice(sort.entries),
        "operator": "示例单位",
        "source": "示例数据",
        "verified_at": seen.isoformat(),
        "demo": "1",
        "note": "示例数据，不是真实地点",
        "state": "published",
        "amenity_verified": _dates(amenities, seen, chance),
        "amenity_closed": _winter(amenities, chance),
    }
    cells |= sort.more(chance, number)
    if cells.get("prices"):
        cells["prices_at"] = seen.isoformat()
    if code in CLOSED:
        reason, until = CLOSED[code]
        cells |= {"state": "closed", "closed_reason": reason, "closed_until": until}
    return cells


def _spot(county: County, chance: Random, taken: list[tuple[float, float]]) -> tuple[float, float]:
    """A point 0.8 to 6 km from the county's seat and at least 60 m from every other, WGS-84."""
    while True:
        metres, angle = 800 + 5200 * chance.random(), math.tau * chance.random()
        lat = round(county.lat + metres * math.cos(angle) / 111_195, 5)
        lng = round(county.lng + metres * math.sin(angle) / (111_195 * math.cos(math.radians(county.lat))), 5)
        if all(distance_m(lat, lng, *other) > 60 for other in taken):
            taken.append((lat, lng))
            return lat, lng


def _dates(amenities: list[str], seen: date, chance: Random) -> str:
    """Most amenities were checked when the place was, some longer ago, a few never."""
    days = {one: seen - timedelta(days=chance.choice([0, 0, 0, 30, 200])) for one in amenities}
    return "; ".join(f"{one}={day.isoformat()}" for one, day in days.items() if chance.random() < 0.85)


def _winter(amenities: list[str], chance: Random) -> str:
    frozen = [one for one in FROZEN_IN_WINTER if one in amenities and chance.random() < 0.2]
    return "; ".join(f"{one}=11-15/03-15" for one in frozen)


def main() -> int:
    FILE.write_text(text(load_city(FOLDER)), "utf-8", newline="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
