"""One person in two chats becomes one person."""

import re

from sqlalchemy import select

from bot.models import Contact
from tests.chat import RiderInTest, World
from tests.handlers.fair import Fair


async def shown_code(rider: RiderInTest) -> str:
    await rider.says("/settings")
    await rider.taps("My other chat")
    await rider.taps("Show me a code")
    found = re.search(r"Your code: (\S+)", rider.latest.text)
    assert found
    return found[1]


async def test_two_chats_become_one_person(rider: RiderInTest, fair: Fair, world: World) -> None:
    await fair.opens("gift")
    await rider.says("/book")
    await rider.taps("Wed 25 Nov")
    await rider.taps("Yes, book it")
    code = await shown_code(rider)
    other = world.rider("mei-elsewhere")
    await other.says("/settings")
    await other.says("/link")
    await other.taps("I have a code")
    await other.says(f"{code[:4]} {code[4:].lower()}")
    other.sees("Linked.")
    await other.taps("My bookings")
    other.sees_choices("Winter gift pack")
    await other.says("/book")
    await other.taps("Thu 26 Nov")
    other.sees("One person may book this 1 time(s)")
    async with world.database.reading() as db:
        assert len(set(await db.scalars(select(Contact.rider_id)))) == 1


async def test_the_younger_chat_that_showed_the_code_is_known_anew(rider: RiderInTest, world: World) -> None:
    """Its copy in memory names somebody who is no more."""
    await rider.presses("drive.truck")
    other = world.rider("mei-elsewhere")
    code = await shown_code(other)
    await other.says("/settings")
    other.sees("Vehicle: not given")
    await rider.says(f"/link {code}")
    rider.sees("Linked.")
    await other.says("/settings")
    other.sees("Vehicle: 🚚 Truck")
    await other.presses("county")
    await other.taps("Yongji")
    await rider.says("/settings")
    rider.sees("County: Yongji")


async def test_a_code_is_good_once_for_ten_minutes_and_elsewhere(rider: RiderInTest, world: World) -> None:
    code = await shown_code(rider)
    await rider.says(f"/link {code}")
    rider.sees("at your other address")
    code = await shown_code(rider)
    await world.passes(minutes=11)
    other = world.rider("wang")
    await other.says(f"/link {code}")
    other.sees("wrong or too old", "Type the code")
    async with world.database.reading() as db:
        assert len(set(await db.scalars(select(Contact.rider_id)))) == 2


async def test_guessing_ends_after_five_tries(rider: RiderInTest, world: World) -> None:
    await rider.says("/link")
    await rider.taps("I have a code")
    for n in range(5):
        await rider.says(f"GUESS{n}")
        rider.sees("wrong or too old", "Type the code")
    await rider.says("GUESS9")
    rider.sees("Too many codes were tried")
    other = world.rider("wang")
    code = await shown_code(other)
    await rider.says(f"/link {code}")
    rider.sees("Too many codes were tried")


async def test_the_younger_chat_that_typed_the_code_is_known_anew(rider: RiderInTest, world: World) -> None:
    await rider.presses("drive.truck")
    code = await shown_code(rider)
    other = world.rider("mei-elsewhere")
    await other.says("/settings")
    await other.says(f"/link {code}")
    other.sees("Linked.")
    await other.says("/settings")
    other.sees("Vehicle: 🚚 Truck")
