from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.services.directory import Directory, Listing
from bot.services.finding import TRAVEL, Findings, arrival_s, find, way_to
from bot.services.wishes import Wish

ZONE = ZoneInfo("Asia/Shanghai")
NOON = datetime(2025, 6, 4, 4, tzinfo=UTC)  # a Wednesday, 12:00 in the city
FRESH = {"verified_at": date(2025, 6, 1), "hours": "24/7"}
HOME = (35.0, 111.0)


def at(metres: float, **columns: Any) -> Listing:
    """A place so many metres to the north of home; its code says how many."""
    id = round(metres)
    columns = {"code": f"{id}", "name": f"{id} m", "kind": "rest_station"} | columns
    return Listing(id=id, lat=35 + metres / 110_941, lng=111.0, **columns)


def ask(
    *places: Listing, wish: Wish | None = None, vehicle: str = "courier", now: datetime = NOON, **page: int
) -> Findings:
    made = Directory(ZONE, demo=True)
    made.load(places)
    return find(made, wish or Wish(), *HOME, vehicle=vehicle, now=now, **page)


def codes(findings: Findings) -> list[str]:
    return [one.listing.code for one in findings.found]


def wanting(*amenities: str, **wish: Any) -> Wish:
    return Wish(amenities=frozenset(amenities), **wish)


def test_open_and_verified_lead_unknown_follow_closed_come_last() -> None:
    found = ask(
        at(200, hours="08:00-09:00"),
        at(250),
        at(300, hours="24/7"),
        at(320, **FRESH),
        at(310, doubtful_since=NOON, **FRESH),
    )
    assert codes(found) == ["320", "300", "250", "310", "200"]


def test_far_better_does_not_beat_near() -> None:
    assert codes(ask(at(50), at(3000, **FRESH))) == ["50", "3000"]
    assert codes(ask(at(50, hours="08:00-09:00"), at(3000, **FRESH))) == ["3000", "50"]


def test_the_state_is_that_at_arrival() -> None:
    # 1,500 m are 7 minutes for a courier, 5 by car: one arrives too late, the other in time.
    cafe = at(1500, hours="08:00-12:06", kind="canteen")
    late, early = ask(cafe), ask(cafe, vehicle="ridehail")
    assert late.found[0].opening.state == "closed"
    assert early.found[0].opening.state == "open"
    assert (late.found[0].arrives_at - NOON).total_seconds() == pytest.approx(1500 * 1.4 / 5, abs=0.1)


@settings(deadline=None)
@given(st.sampled_from([*TRAVEL, "", "none"]), st.floats(0, 100_000), st.floats(0, 100_000))
def test_farther_takes_longer(vehicle: str, one: float, other: float) -> None:
    near, far = sorted((one, other))
    assert 0 <= arrival_s(near, vehicle) <= arrival_s(far, vehicle)


def test_a_car_is_faster_out_of_town() -> None:
    assert arrival_s(20_000, "truck") < arrival_s(20_000, "courier")


@pytest.mark.parametrize(
    ("vehicle", "first"),
    [("courier", "ebike_charging"), ("ridehail", "taxi_stop"), ("truck", "truckers_home")],
)
def test_the_vehicle_decides_what_comes_first(vehicle: str, first: str) -> None:
    kinds = ("service_point", "ebike_charging", "taxi_stop", "truckers_home", "community")
    places = [at(500 + n, kind=kind, **FRESH) for n, kind in enumerate(kinds)]
    found = ask(*places, vehicle=vehicle)
    assert found.found[0].listing.kind == first
    assert "community" not in {one.listing.kind for one in found.found}


def test_whoever_drives_something_untold_sees_every_kind_of_stop() -> None:
    kinds = ("rest_station", "taxi_stop", "truckers_home", "charging", "ebike_charging")
    assert len(ask(*(at(500 + n, kind=kind) for n, kind in enumerate(kinds)), vehicle="").found) == 5


def test_where_there_is_nothing_of_the_usual_kinds_others_are_shown() -> None:
    assert codes(ask(at(100, kind="community"))) == ["100"]


def test_kinds_and_amenities_are_kept_to() -> None:
    places = (
        at(100, kind="rest_station", amenities=frozenset({"toilet"}), **FRESH),
        at(200, kind="canteen", amenities=frozenset({"toilet", "meals"}), **FRESH),
        at(300, kind="canteen", **FRESH),
    )
    assert codes(ask(*places, wish=Wish(kinds=frozenset({"canteen"})))) == ["200", "300"]
    assert codes(ask(*places, wish=wanting("toilet"))) == ["100", "200"]
    assert codes(ask(*places, wish=wanting("toilet", "meals"))) == ["200"]
    assert not ask(*places, wish=wanting("shower")).found


def test_a_charging_station_need_not_say_that_one_can_charge() -> None:
    places = (
        at(100, kind="charging", **FRESH),
        at(200, kind="ebike_charging", **FRESH),
        at(300, amenities=frozenset({"ebike_charging"}), **FRESH),
        at(400, kind="ebike_charging", amenities=frozenset({"ebike_charging"}), **FRESH),
    )
    assert codes(ask(*places, wish=Wish(charging=True))) == ["200", "300", "400"]
    assert codes(ask(*places, wish=Wish(charging=True), vehicle="ridehail")) == ["100"]
    assert codes(ask(*places, wish=Wish(charging=True), vehicle="")) == ["100", "200", "300", "400"]


def test_a_shower_that_is_shut_for_the_winter_is_no_shower() -> None:
    places = (
        at(100, amenities=frozenset({"shower"}), amenity_closed={"shower": "11-15/03-15"}, **FRESH),
        at(900, amenities=frozenset({"shower"}), **FRESH),
    )
    assert codes(ask(*places, wish=wanting("shower"))) == ["100", "900"]
    winter = datetime(2026, 1, 8, 4, tzinfo=UTC)
    assert codes(ask(*places, wish=wanting("shower"), now=winter)) == ["900"]


def test_open_now_means_open() -> None:
    places = (at(100), at(200, hours="08:00-09:00"), at(300, **FRESH))
    found = ask(*places, wish=Wish(open_now=True))
    assert codes(found) == ["300"]
    assert not found.relaxed
    none = ask(*places[:2], wish=Wish(open_now=True))
    assert codes(none) == ["100", "200"]
    assert none.relaxed


def test_round_the_clock_means_that_it_never_closes() -> None:
    places = (at(100, hours="06:00-23:00"), at(200, hours="Mo-Fr 00:00-24:00"), at(300, hours="24/7"), at(400))
    found = ask(*places, wish=Wish(always=True))
    assert codes(found) == ["300"]
    assert not found.relaxed
    none = ask(*places[:2], wish=Wish(always=True))
    assert codes(none) == ["100", "200"]
    assert none.relaxed


def test_open_at_a_time_of_day() -> None:
    places = (at(100, hours="08:00-20:00"), at(300, hours="20:00-24:00"))
    found = ask(*places, wish=Wish(at="22:00"))
    assert codes(found) == ["300"]
    assert found.found[0].arrives_at == datetime(2025, 6, 4, 22, tzinfo=ZONE)
    tomorrow = ask(*places, wish=Wish(at="09:00"))
    assert codes(tomorrow) == ["100"]
    assert tomorrow.found[0].arrives_at == datetime(2025, 6, 5, 9, tzinfo=ZONE)


def test_a_county_is_kept_to_unless_it_has_none() -> None:
    places = (at(100, county="140825", **FRESH), at(20_000, county="140826", **FRESH))
    assert codes(ask(*places, wish=Wish(county="140826"))) == ["20000"]
    other = ask(*places, wish=Wish(county="140827"))
    assert codes(other) == ["100", "20000"]
    assert other.relaxed


def test_no_truck_is_sent_where_it_does_not_fit() -> None:
    parking = frozenset({"truck_parking"})
    places = (
        at(100, amenities=parking, max_vehicle_m=12.0, **FRESH),
        at(150, amenities=parking, max_vehicle_m=5.0, **FRESH),
        at(300, amenities=parking, **FRESH),
        at(350, amenities=parking, max_vehicle_m=18.0, **FRESH),
    )
    assert codes(ask(*places, wish=wanting("truck_parking", length_m=17.5), vehicle="truck")) == ["350", "300"]
    assert codes(ask(*places, wish=Wish(parking=True), vehicle="truck")) == ["100", "350", "300"]
    nothing = ask(*places[:2], wish=wanting("truck_parking", length_m=17.5, county="140826"), vehicle="truck")
    assert not nothing.found


def test_dangerous_goods_are_not_sent_where_they_are_forbidden() -> None:
    places = (at(100, hazmat=False, **FRESH), at(200, **FRESH), at(300, hazmat=True, **FRESH))
    found = ask(*places, wish=Wish(hazmat=True, kinds=frozenset({"rest_station"})), vehicle="truck")
    assert codes(found) == ["300", "200"]


def test_batteries_of_the_right_voltage_and_brand() -> None:
    def cabinet(metres: int, voltages: tuple[str, ...], brands: tuple[str, ...] = ()) -> Listing:
        return at(metres, kind="battery_swap", voltages=voltages, swap_brands=brands, **FRESH)

    places = (
        cabinet(100, ("48",)),
        cabinet(200, ("48V", "60V"), ("铁塔换电",)),
        cabinet(300, ("60",)),
        cabinet(400, ()),
    )
    assert codes(ask(*places, wish=wanting("battery_swap", voltage="60"))) == ["200", "300"]
    assert codes(ask(*places, wish=wanting("battery_swap", voltage="60", brand="铁塔"))) == ["200"]
    other = ask(*places, wish=wanting("battery_swap", voltage="72"))
    assert other.relaxed
    assert codes(other) == ["100", "200", "300", "400"]


def test_at_night_the_open_place_farther_off_is_found_past_the_closed_ones() -> None:
    closed = [at(100 + n, hours="08:00-18:00") for n in range(60)]
    found = ask(*closed, at(4000, **FRESH), at(60_000, **FRESH), now=NOON + timedelta(hours=12))
    assert codes(found) == ["4000", "100", "101", "102", "103"]


def test_pages_hold_every_place_once() -> None:
    hours = ("24/7", "", "08:00-09:00", "11:00-12:30")
    places = [at(100 + 37 * n, hours=hours[n % 4]) for n in range(83)]
    pages = [ask(*places, offset=offset) for offset in range(0, 90, 5)]
    shown = [code for page in pages for code in codes(page)]
    assert sorted(shown) == sorted(place.code for place in places)
    assert [page.more for page in pages[:17]] == [True] * 16 + [False]
    assert not pages[17].found


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 9000), st.sampled_from(["24/7", "", "08:00-09:00"])),
        unique_by=lambda p: p[0],
        max_size=40,
    )
)
def test_a_page_is_the_head_of_a_longer_one(drawn: list[tuple[int, str]]) -> None:
    """Ranking stops early where no later place can change the page; it must not show."""
    places = [at(metres, hours=hours) for metres, hours in drawn]
    whole = codes(ask(*places, limit=50))
    assert codes(ask(*places, limit=5)) == whole[:5]
    assert codes(ask(*places, limit=5, offset=5)) == whole[5:10]


def test_how_fresh_the_facts_are() -> None:
    found = ask(at(100, verified_at=date(2025, 6, 1)), at(200), at(300, verified_at=date(2025, 6, 9)))
    assert {one.listing.code: one.fresh_days for one in found.found} == {"100": 3, "200": None, "300": 0}


def test_the_way_to_one_place() -> None:
    made = Directory(ZONE, demo=True)
    made.load([at(1000, **FRESH)])
    place = made.by_id(1000)
    assert place is not None
    way = way_to(made, place, *HOME, vehicle="courier", now=NOON)
    assert way.distance_m == 1000
    assert way.bearing == 0
    assert way.opening.state == "open"
    assert (way.arrives_at - NOON).total_seconds() == pytest.approx(280, abs=0.1)


def test_where_nothing_is_nothing_is_found() -> None:
    assert ask() == Findings()
