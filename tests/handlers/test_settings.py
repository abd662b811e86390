"""Vehicle, county and language, told and changed."""

from tests.chat import RiderInTest
from tests.handlers.conftest import LAT, LNG


async def test_the_vehicle_is_changed_by_buttons(rider: RiderInTest) -> None:
    await rider.says("/settings")
    rider.sees("Vehicle: not given")
    await rider.taps("Vehicle")
    await rider.taps("Truck")
    rider.sees("Vehicle: 🚚 Truck")
    await rider.says("设置")
    rider.sees("Vehicle: 🚚 Truck")


async def test_the_county_is_chosen_from_the_list(rider: RiderInTest) -> None:
    await rider.says("/settings")
    await rider.taps("County")
    await rider.taps("Yongji")
    rider.sees("County: Yongji")


async def test_the_county_is_proposed_from_where_somebody_is(rider: RiderInTest) -> None:
    await rider.says("/settings")
    await rider.taps("County")
    await rider.taps("Where I am")
    await rider.shares(LAT, LNG)
    rider.sees("That looks like Yanhu")
    await rider.taps("Yes")
    rider.sees("County: Yanhu")


async def test_a_county_can_be_forgotten(rider: RiderInTest) -> None:
    for choice in ("Yanhu", "No county"):
        await rider.says("/settings")
        await rider.taps("County")
        await rider.taps(choice)
    rider.sees("County: not given")


async def test_the_language_changes_at_once(rider: RiderInTest) -> None:
    await rider.says("/language")
    await rider.taps("繁體中文")
    rider.sees("以後用繁體中文")
    rider.sees_choices("設定")
    await rider.says("菜单")
    rider.sees("需要什麼")
    await rider.says("语言")
    await rider.taps("简体中文")
    rider.sees("以后用简体中文")


async def test_a_question_for_the_location_shows_the_ways_out(rider: RiderInTest) -> None:
    await rider.says("/settings")
    await rider.taps("County")
    await rider.taps("Where I am")
    rider.sees_choices("Back", "Cancel")
    await rider.taps("Cancel")
    rider.sees("Cancelled. Nothing was changed.")
    await rider.taps("Menu")
    rider.sees("What do you need?")


async def test_forged_settings_change_nothing(rider: RiderInTest) -> None:
    await rider.says("/settings")
    for token in ("drive.tank", "speak.xx", "speak.", "drive."):
        await rider.presses(token)
        rider.does_not_see("went wrong")
    await rider.says("/settings")
    rider.sees("Vehicle: not given", "Language: English")
