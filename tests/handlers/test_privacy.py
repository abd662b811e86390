"""What is kept of a person is shown and erased when they ask."""

import pytest

from tests.chat import RiderInTest, World
from tests.handlers.conftest import LAT, LNG, everything_kept

pytestmark = pytest.mark.usefixtures("town")


async def test_everything_kept_is_shown(rider: RiderInTest) -> None:
    await rider.shares(LAT, LNG)
    await rider.taps("🚚")
    await rider.says("/p YZ-1")
    await rider.taps("Door locked")
    await rider.says("/privacy")
    rider.sees("used for the answer, then forgotten")
    await rider.taps("Show what is kept")
    rider.sees("Vehicle: 🚚 Truck", "Language: English", "Reports of places: 1", "东街爱心驿站")


async def test_an_erased_person_leaves_nothing_but_nobodys_reports(rider: RiderInTest, world: World) -> None:
    await rider.shares(LAT, LNG)
    await rider.taps("🚚")
    await rider.says("/p YZ-1")
    await rider.taps("Door locked")
    await rider.says("/privacy")
    await rider.taps("Erase me")
    rider.sees("This cannot be undone")
    await rider.taps("Yes, erase me")
    rider.sees("is erased. Goodbye")
    kept = await everything_kept(world)
    for table in ("riders", "contacts", "talks", "outbox"):
        assert kept[table] == [], table
    assert len(kept["place_reports"]) == 1
    await rider.says("/settings")
    rider.sees("Vehicle: not given")


async def test_erasing_ends_an_open_question_too(rider: RiderInTest, world: World) -> None:
    await rider.says("/report")
    await rider.presses(f"forget.{int(world.now.timestamp()) // 60}")
    rider.sees("is erased. Goodbye")
    assert (await everything_kept(world))["talks"] == []


async def test_an_old_button_erases_nobody(rider: RiderInTest, world: World) -> None:
    await rider.says("/privacy")
    await rider.taps("Erase me")
    token = next((token for label, token in rider.options if "Yes" in label), "forget.1")
    await world.passes(minutes=11)
    await rider.presses(token)
    rider.sees("This cannot be undone")
    assert (await everything_kept(world))["contacts"]


@pytest.mark.parametrize("forged", ["forget", "forget.", "forget.x", "forget.-1", "forget.99999999999999", "forget.９"])
async def test_a_forged_button_erases_nobody(rider: RiderInTest, world: World, forged: str) -> None:
    await rider.says("/menu")
    await rider.presses(forged)
    assert (await everything_kept(world))["contacts"]


async def test_reports_survive_the_erasure_for_the_count_of_others(world: World) -> None:
    for name in ("mei", "wang", "li"):
        person = world.rider(name)
        await person.says("/p YZ-1")
        await person.taps("Facts wrong")
    await person.says("/privacy")
    await person.taps("Erase me")
    await person.taps("Yes, erase me")
    assert len((await everything_kept(world))["place_reports"]) == 3


async def test_a_code_for_the_staff_is_no_code_for_another_chat(rider: RiderInTest, world: World) -> None:
    await rider.says("/privacy")
    await rider.taps("A code for the staff")
    rider.sees("Show the staff this code", "once, for ten minutes")
    [row] = (await everything_kept(world))["link_codes"]
    code = rider.latest.text.partition("code: ")[2][:8]
    assert code not in str(row)
    twin = world.rider("another")
    await twin.says(f"/link {code}")
    twin.sees("wrong or too old")
