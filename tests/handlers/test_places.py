"""The card of one place."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.services import deep_links
from tests.chat import RiderInTest, World
from tests.handlers.conftest import LAT, LNG, Settle

pytestmark = pytest.mark.usefixtures("town")


async def test_a_card_says_everything_known(rider: RiderInTest) -> None:
    await rider.shares(LAT, LNG)
    await rider.taps("南郊司机之家")
    rider.sees(
        "南郊司机之家 (Truckers' home)",
        "Shower (closed 11-15 to 03-15)",
        "Meals (checked 10 days ago)",
        "Prices of 2026-01-09: 自助餐 25 yuan/人",
        "up to 17.5 m long",
        "No dangerous goods",
        "On G209, direction 北",
        "2.2 km in a straight line, to the south",
    )
    assert rider.pins == ["SJ-1"]
    assert rider.latest.card == bool(rider.latest.places)


async def test_a_card_leads_to_three_maps_and_back(rider: RiderInTest, world: World) -> None:
    await rider.shares(LAT, LNG)
    await rider.taps("东街爱心驿站")
    shown = repr(rider.latest)
    for program in (*rider.maps, "0359-2000001"):
        assert program in shown
    await rider.taps("Back to the list")
    rider.sees("Nearest to you:")


async def test_piles_and_plugs_are_told_apart_and_samples_marked(rider: RiderInTest) -> None:
    await rider.says("/p CD-1")
    rider.sees("[sample]", "19 charging posts, 38 plugs", "round the clock")


async def test_a_place_without_coordinates_offers_no_navigation(rider: RiderInTest) -> None:
    await rider.says("/p ST-1")
    rider.sees("府东街社区爱心食堂", "Nobody has surveyed", "Source: 运城日报; not checked yet")
    assert "amap" not in repr(rider.latest)
    assert rider.latest.places == ()
    rider.does_not_see("yuan", "☎", "🕘")


async def test_limits_of_parking_are_for_those_whom_they_concern(rider: RiderInTest) -> None:
    await rider.shares(LAT, LNG)
    await rider.taps("🛵")
    await rider.says("/p SJ-1")
    rider.sees("Truckers' home")
    rider.does_not_see("17.5 m", "dangerous goods")


async def test_a_place_closed_for_a_time_says_why_and_until_when(rider: RiderInTest, settle: Settle) -> None:
    await settle(
        {
            "code": "X-1",
            "name": "装修驿站",
            "kind": "rest_station",
            "lat": LAT,
            "lng": LNG,
            "hours": "24/7",
            "state": "closed",
            "closed_until": date(2026, 12, 31),
            "closed_reason": "装修",
        }
    )
    await rider.says("/p X-1")
    rider.sees("Closed until 2026-12-31: 装修")
    rider.does_not_see("Now: open")


async def test_a_poster_with_an_unknown_code(rider: RiderInTest) -> None:
    await rider.says("/p NOPE")
    rider.sees("no place with that code")


async def test_a_card_of_a_place_that_is_gone(rider: RiderInTest) -> None:
    await rider.says("/menu")
    await rider.presses("p.zzz")
    rider.sees("no longer on the list")


async def test_a_link_from_a_poster_leads_into_the_chat_to_its_place(rider: RiderInTest) -> None:
    await rider.says(f"/start {deep_links.to_place('SJ-1')}")
    rider.sees("南郊司机之家 (Truckers' home)")
    assert rider.pins == ["SJ-1"]


@pytest.mark.parametrize("payload", ["p-", "p-____", deep_links.to_place("NO-SUCH"), "p-" + "A" * 80, "campaign"])
async def test_a_link_to_nowhere_is_a_first_contact_like_any_other(rider: RiderInTest, payload: str) -> None:
    await rider.says(f"/start {payload}")
    rider.sees("Hello, I am Nuanxin")


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_what_a_link_carries_comes_back(code: str) -> None:
    payload = deep_links.to_place(code)
    assert deep_links.place_of(payload) == (code if payload else "")
