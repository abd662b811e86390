"""Riders report a locked door or wrong facts."""

import pytest
from sqlalchemy import select

from bot.models import PlaceReport
from tests.chat import RiderInTest, World
from tests.handlers.conftest import LAT, LNG, refresh

pytestmark = pytest.mark.usefixtures("town")


async def test_a_locked_door_is_noted_and_others_offered(rider: RiderInTest, world: World) -> None:
    await rider.shares(LAT, LNG)
    await rider.taps("东街爱心驿站")
    rider.catches_up()
    await rider.taps("Door locked")
    rider.sees("Thank you, noted, without where you are", "Open now", "西街充电点")
    rider.does_not_see("东街爱心驿站")
    async with world.database.reading() as db:
        kept = (await db.scalars(select(PlaceReport))).one()
    assert kept.what == "locked"


async def test_three_people_mark_a_place_as_to_be_checked(world: World) -> None:
    for name in ("mei", "wang", "li"):
        rider = world.rider(name)
        await rider.says("/p YZ-1")
        await rider.taps("Door locked")
    rider.sees("now marked")
    await refresh(world)
    await rider.shares(LAT, LNG)
    rider.sees("to be checked")


async def test_one_person_counts_once(rider: RiderInTest) -> None:
    for _again in range(4):
        await rider.says("/p YZ-1")
        await rider.taps("Facts wrong")
    rider.sees("You had told me already")
    rider.does_not_see("now marked")


async def test_reporting_by_name(rider: RiderInTest) -> None:
    await rider.says("反映")
    rider.sees("What happened?")
    await rider.taps("Door locked")
    await rider.says("东街爱心驿站")
    await rider.taps("东街爱心驿站")
    rider.sees("Thank you, noted")


async def test_reporting_by_standing_there(rider: RiderInTest) -> None:
    await rider.says("/report")
    await rider.taps("Facts wrong")
    await rider.shares(LAT, LNG - 0.006)
    rider.sees("Which of these is it?")
    await rider.taps("西街充电点")
    rider.sees("Thank you, noted")


async def test_a_name_that_nobody_knows_can_be_said_again(rider: RiderInTest) -> None:
    await rider.says("/report")
    await rider.taps("Door locked")
    await rider.says("火星基地")
    rider.sees("no place of that name")
    await rider.says("东街爱心驿站")
    rider.sees("Which of these is it?")


async def test_a_feature_is_no_name_of_a_place(rider: RiderInTest) -> None:
    await rider.says("/report")
    await rider.taps("Door locked")
    await rider.says("法律援助")
    rider.sees("📜", "Which place is it?")


async def test_anything_else_goes_to_12345(rider: RiderInTest) -> None:
    await rider.says("/report")
    await rider.taps("Something else")
    rider.sees("12345")
