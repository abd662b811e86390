"""A rider shares a location and sees where to go."""

import pytest
from sqlalchemy import select

from bot.models import Choices
from tests.chat import RiderInTest, World
from tests.handlers.conftest import LAT, LNG, Settle, everything_kept

pytestmark = pytest.mark.usefixtures("town")


async def test_a_location_is_answered_with_the_nearest_places(rider: RiderInTest) -> None:
    await rider.shares(LAT, LNG)
    rider.sees(
        "东街爱心驿站",
        "about 330 m in a straight line, to the north",
        "open until 22:00",
        "Hot water",
        "checked 3 days ago",
        "[sample] 西街充电点",
        "hours unknown, ask first",
        "not checked yet",
    )
    assert len(rider.inbox) == 1
    assert rider.pins[:2] == ["YZ-1", "CD-1"]
    assert all(place.open == "yes" for place in rider.latest.places[:1])


async def test_words_are_those_of_the_riders_language(world: World) -> None:
    rider = world.rider("hong", locale="zh-hans")
    await rider.shares(LAT, LNG)
    rider.sees("离您最近的", "直线约 330 米，正北方向", "营业至 22:00", "3 天前核实", "【示例】西街充电点", "未核实")
    rider.sees_choices("充电", "热水", "厕所", "吃饭", "休息", "洗澡", "货车停车", "现在营业")


async def test_a_filter_is_switched_on_and_off(rider: RiderInTest) -> None:
    await rider.shares(LAT, LNG)
    rider.catches_up()
    await rider.taps("Toilet")
    rider.sees("Nearest to you, Toilet", "东街爱心驿站", "南郊司机之家")
    rider.does_not_see("西街充电点")
    await rider.taps("Eat")
    rider.sees("南郊司机之家")
    rider.sees_choices("✓ Toilet", "✓ Eat")
    await rider.taps("✓ Eat")
    await rider.taps("✓ Toilet")
    rider.sees("西街充电点")


async def test_charging_means_what_the_vehicle_needs(rider: RiderInTest) -> None:
    await rider.shares(LAT, LNG)
    await rider.taps("🚚")
    rider.catches_up()
    await rider.taps("Charge")
    rider.sees("河津快充站")
    rider.does_not_see("西街充电点")


async def test_the_vehicle_is_asked_once_and_sorts_the_same_list_again(rider: RiderInTest) -> None:
    await rider.shares(LAT, LNG)
    rider.sees_choices("Food or parcel", "tricycle", "Ride-hail", "Truck", "Skip")
    await rider.taps("Skip")
    rider.sees("东街爱心驿站")
    await rider.shares(LAT, LNG)
    assert not [label for label, _token in rider.options if "Skip" in label]


async def settle_a_dozen(settle: Settle) -> None:
    await settle(
        *(
            {"code": f"N-{n}", "name": f"第{n}驿站", "kind": "rest_station", "lat": LAT + n / 1000, "lng": LNG}
            for n in range(5, 12)
        )
    )


async def test_more_places_come_page_by_page(rider: RiderInTest, settle: Settle) -> None:
    await settle_a_dozen(settle)
    await rider.shares(LAT, LNG)
    first = set(rider.pins)
    await rider.taps("More")
    rider.sees("Further away")
    assert len(first) == 5
    assert rider.pins
    assert not first & set(rider.pins)


async def test_places_can_be_chosen_by_their_number_in_the_list(rider: RiderInTest, world: World) -> None:
    await rider.shares(LAT, LNG)
    await rider.says("1")
    if world.channel.can.buttons and world.restarting:
        # Where there are buttons, nothing is written for the sake of digits: a restart forgets their meaning.
        rider.sees("choose again")
    else:
        rider.sees("东街爱心驿站", "Now: open until 22:00")


async def test_far_from_the_city_the_nearest_are_still_named(rider: RiderInTest) -> None:
    await rider.shares(39.9, 116.4)
    rider.sees("Nothing is near", "Yuncheng", "km in a straight line")
    await rider.shares(48.85, 2.35)
    rider.sees("outside China", "km in a straight line")


@pytest.mark.parametrize("channel", ["digits", "wechat"], indirect=True)
@pytest.mark.parametrize("word", ["more", " 更多"])
async def test_more_places_come_for_a_word(rider: RiderInTest, settle: Settle, word: str) -> None:
    await settle_a_dozen(settle)
    await rider.says(word)
    rider.sees("did not get that")
    await rider.shares(LAT, LNG)
    first = set(rider.pins)
    await rider.says(word)
    rider.sees("Further away")
    assert not first & set(rider.pins)


@pytest.mark.parametrize("channel", ["buttons", "digits"], indirect=True)
@pytest.mark.parametrize(("lat", "lng"), [(95.0, 110.0), (35.0, 999.0), (float("nan"), 110.0)])
async def test_what_is_no_point_on_the_earth_is_said_so(world: World, lat: float, lng: float) -> None:
    rider = world.rider("tian")
    await rider.shares(lat, lng)
    rider.sees("no point on the earth")


async def test_a_button_does_not_show_where_somebody_is(rider: RiderInTest, world: World) -> None:
    await rider.shares(LAT, LNG)
    tokens = [button.press for row in rider.latest.buttons for button in row if button.press]
    if not world.channel.can.buttons:
        async with world.database.reading() as db:
            tokens = (await db.scalars(select(Choices.tokens))).one()
    assert tokens
    assert all(len(token.encode()) <= 64 and token.isascii() for token in tokens)
    assert not any("35.01" in token or "110.99" in token for token in tokens)


async def test_a_button_of_somebody_else_finds_nobody(world: World) -> None:
    mei, wang = world.rider("mei"), world.rider("wang")
    await mei.shares(LAT, LNG)
    token = next((token for _label, token in mei.options if token.startswith("n.")), "n.AA.0.AAAA")
    await wang.presses(token)
    wang.sees("no longer works")


FORGED = ("n", "n.", "n.x.y.z", "p.", "p.zzzz", "p.-1", "o.1", "v.truck.bad", "l.9", "n.A.9e9.B", "x")


@pytest.mark.parametrize("token", FORGED)
async def test_forged_buttons_get_a_clear_answer(rider: RiderInTest, token: str) -> None:
    await rider.says("/menu")
    rider.catches_up()
    await rider.presses(token)
    assert rider.latest.text
    rider.does_not_see("went wrong")


async def test_finding_writes_nothing_but_the_first_contact(rider: RiderInTest, world: World) -> None:
    await rider.shares(LAT, LNG)
    before = await everything_kept(world)
    await rider.shares(LAT, LNG)
    await rider.taps("Hot water")
    await rider.says("hot water near 东街爱心驿站")
    await rider.says("/menu")
    assert await everything_kept(world) == before
