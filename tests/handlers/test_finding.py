"""A rider says in their own words what they look for."""

import pytest

from tests.chat import RiderInTest, World
from tests.handlers.conftest import LAT, LNG, Settle
from tests.handlers.fair import Fair

pytestmark = pytest.mark.usefixtures("town")


async def test_a_wish_waits_for_the_location(rider: RiderInTest) -> None:
    await rider.says("哪儿有热水")
    rider.sees("Where are you?")
    await rider.shares(LAT, LNG)
    rider.sees("Nearest to you, Hot water", "东街爱心驿站")
    rider.does_not_see("西街充电点")


@pytest.mark.parametrize("typed", [f"{LAT},{LNG}", f"{LNG}， {LAT}", f"北纬{LAT} 东经{LNG}", f"{LAT}°N {LNG}°E"])
async def test_a_typed_position_is_a_location_and_says_how_it_was_read(rider: RiderInTest, typed: str) -> None:
    await rider.says(typed)
    rider.sees("From 35.016, 110.993 (taken as WGS-84)", "东街爱心驿站", "西街充电点")
    await rider.says("哪儿有热水")
    await rider.says(typed)
    rider.sees("From 35.016, 110.993 (taken as WGS-84), Hot water", "东街爱心驿站")
    rider.does_not_see("西街充电点")


async def test_a_typed_position_that_is_nowhere(rider: RiderInTest) -> None:
    await rider.says("200.5, 300.5")
    rider.sees("That is no point on the earth")


async def test_the_first_list_after_a_wish_asks_for_the_vehicle(rider: RiderInTest) -> None:
    await rider.says("哪儿有热水")
    await rider.shares(LAT, LNG)
    rider.sees_choices("Skip")


async def test_a_wish_takes_a_county_instead_of_a_location(rider: RiderInTest) -> None:
    await rider.says("厕所")
    await rider.says("河津")
    rider.sees("From the centre of Hejin", "河津快充站", "about")
    await rider.says("谢谢")
    rider.sees("You are welcome")


async def test_a_wish_takes_the_name_of_a_place_instead_of_a_location(rider: RiderInTest) -> None:
    await rider.says("哪里能充电")
    await rider.says("东街爱心驿站")
    rider.sees("西街充电点")


async def test_another_wish_takes_the_place_of_the_first(rider: RiderInTest) -> None:
    await rider.says("哪儿有热水")
    await rider.says("能停大货车、能洗澡的")
    await rider.shares(LAT, LNG)
    rider.does_not_see("Hot water:")


async def test_a_county_needs_no_location(rider: RiderInTest) -> None:
    await rider.says("河津市 充电站")
    rider.sees("From the centre of Hejin", "河津快充站")


async def test_a_name_leads_to_its_card(rider: RiderInTest) -> None:
    await rider.says("府东街食堂")
    rider.sees("府东街社区爱心食堂", "Nobody has surveyed")


async def test_names_alike_are_for_the_rider_to_choose(rider: RiderInTest, settle: Settle) -> None:
    names = ("红旗路北爱心驿站", "红旗路南爱心驿站", "红旗路东爱心驿站")
    await settle(
        *(
            {"code": f"H-{n}", "name": name, "kind": "rest_station", "lat": LAT, "lng": LNG + n / 100}
            for n, name in enumerate(names)
        )
    )
    await rider.says("红旗路附近的厕所")
    rider.sees("Which one do you mean?")
    await rider.taps("红旗路南")
    rider.sees("From 红旗路南爱心驿站", "Toilet")


async def test_a_place_that_nobody_knows_is_asked_for_again(rider: RiderInTest) -> None:
    await rider.says("火星广场附近的厕所")
    rider.sees("I know no place called", "火星广场")
    await rider.shares(LAT, LNG)
    rider.sees("Nearest to you, Toilet")


async def test_what_nobody_knows_is_said_once(rider: RiderInTest) -> None:
    await rider.says("火星广场附近的厕所")
    await rider.says("木星大厦")
    rider.sees("I know no place called “木星大厦”")
    await rider.says("谢谢")
    rider.sees("You are welcome", "Where are you?")
    rider.does_not_see("no place called")
    await rider.shares(LAT, LNG)
    rider.sees("Nearest to you, Toilet")


async def test_a_name_is_told_as_it_was_typed_with_its_city(rider: RiderInTest) -> None:
    await rider.says("哪儿有热水")
    await rider.says("运城东站")
    rider.sees("I know no place called “运城东站”")
    await rider.says("运城青丰司机之家")
    rider.sees("I know no place called “运城青丰司机之家”")


@pytest.mark.parametrize("name", ["运城东站", "东站", "运城市东站广场"])
@pytest.mark.parametrize("typed", ["运城东站", "运城市东站"])
async def test_a_place_is_found_with_its_city_before_it_or_not(
    rider: RiderInTest, settle: Settle, name: str, typed: str
) -> None:
    await settle({"code": "E-1", "name": name, "kind": "service_point", "lat": LAT, "lng": LNG})
    await rider.says("哪儿有热水")
    await rider.says(typed)
    rider.sees(f"From {name}, Hot water", "东街爱心驿站")


async def test_the_north_station_is_not_the_east_station(rider: RiderInTest, settle: Settle) -> None:
    await settle({"code": "N-1", "name": "运城北站", "kind": "service_point", "lat": LAT, "lng": LNG})
    await rider.says("运城东站附近的厕所")
    rider.sees("I know no place called “运城东站”")


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("法律援助", "📜"),
        ("欠薪", "12333"),
        ("工伤", "12333"),
        ("设置", "Your settings"),
        ("我的预约", "You have no bookings"),
    ],
)
async def test_a_feature_is_no_place(rider: RiderInTest, words: str, answer: str) -> None:
    await rider.says("哪儿有热水")
    await rider.says(words)
    rider.sees(answer, "Where are you?")
    rider.does_not_see("no place called")
    await rider.shares(LAT, LNG)
    rider.sees("Nearest to you, Hot water")


async def test_what_can_be_booked_is_no_place_either(rider: RiderInTest, fair: Fair) -> None:
    await fair.opens("health")
    await rider.says("哪儿有热水")
    await rider.says("体检")
    rider.sees("Riders' health check")


async def test_a_place_of_a_features_name_is_a_place(rider: RiderInTest, settle: Settle) -> None:
    await settle({"code": "F-1", "name": "法律援助中心", "kind": "service_point", "lat": LAT, "lng": LNG})
    await rider.says("哪儿有热水")
    await rider.says("法律援助")
    rider.sees("From 法律援助中心, Hot water")


@pytest.mark.parametrize("words", ["天津", "我在天津", "天津市", "天津附近的厕所", "山東"])
async def test_another_city_is_too_far(rider: RiderInTest, words: str) -> None:
    await rider.says(words)
    rider.sees("is too far for me: I know places in Yuncheng only. Send your location")
    await rider.says("河津")
    rider.sees("From the centre of Hejin")


@pytest.mark.parametrize("words", ["99", "？？"])
async def test_what_has_no_letter_is_no_place(rider: RiderInTest, words: str) -> None:
    await rider.says("哪儿有热水")
    await rider.says(words)
    rider.sees("Sorry, I did not understand that", "Where are you?")
    rider.does_not_see("no place called")


async def test_other_things_can_be_said_while_the_location_is_awaited(rider: RiderInTest) -> None:
    await rider.says("哪儿有热水")
    await rider.says("/help")
    rider.sees("In danger call 110")
    await rider.shares(LAT, LNG)
    rider.sees("Hot water")


async def test_the_wait_can_be_cancelled(rider: RiderInTest) -> None:
    await rider.says("哪儿有热水")
    await rider.says("取消")
    await rider.shares(LAT, LNG)
    rider.sees("Nearest to you:")


@pytest.mark.parametrize("words", ["asdf qwerty", "😀😀", "\u202e\u202d", "x" * 10_000, "？？？"])
async def test_what_nobody_understands_gets_a_way_on(rider: RiderInTest, words: str) -> None:
    await rider.says(words)
    rider.sees("Send your location")


async def test_words_near_a_name_are_met_with_a_suggestion(rider: RiderInTest) -> None:
    await rider.says("西街充电点好慢啊昨天")
    await rider.taps("西街充电点")
    rider.sees("E-bike charging")


async def test_traditional_characters_and_typos(world: World) -> None:
    rider = world.rider("lin", locale="zh-hant")
    await rider.says("熱睡")
    await rider.shares(LAT, LNG)
    rider.sees("離您最近的，熱水：", "东街爱心驿站")
