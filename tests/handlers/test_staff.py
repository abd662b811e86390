"""Staff run a day from their chat, and riders never learn that they could."""

from sqlalchemy import select

from bot.models import StaffChat, StaffMember
from bot.services import linking
from tests.chat import DESK, RiderInTest, World
from tests.handlers.fair import Fair


async def books(rider: RiderInTest) -> None:
    await rider.says("/book")
    await rider.taps("Wed 25 Nov")
    await rider.taps("I agree")
    await rider.says("王小明")
    await rider.says("13800001234")
    await rider.taps("Yes, book it")


async def clinic_day(rider: RiderInTest, fair: Fair, world: World) -> tuple[RiderInTest, str]:
    """Somebody of the staff, on the day for which `rider` has a booking; the code of it."""
    await fair.opens("health")
    await books(rider)
    [code] = await fair.codes()
    boss = world.rider("boss")
    await fair.employs(boss)
    await world.passes(days=2)
    return boss, code


async def test_a_chat_is_linked_by_a_code(world: World) -> None:
    boss = world.rider("boss")
    await boss.says("/menu")
    async with world.database.writing() as db:
        db.add(StaffMember(login="li", password_hash="", role="operator", created_at=world.now))
        await db.flush()
        code = await linking.issue_for_staff(db, "li", now=world.now, desk=DESK)
    await boss.says("/staff WRONGCODE")
    boss.sees("Sorry, I did not get that")
    await boss.says(f"/staff {code.lower()}")
    boss.sees("linked to li (Operator: offerings, bookings, check-in)")
    await boss.says("/language")
    await boss.taps("简体中文")
    await boss.says("/staff")
    boss.sees("已绑定 li（运营：服务、预约、签到）")
    await boss.says("/language")
    await boss.taps("English")
    await boss.says(f"/staff {code}")
    await boss.says("今日")
    boss.sees("There is no session today.")
    await boss.says("/staff out")
    boss.sees("no longer linked")
    await boss.says("今日")
    boss.sees("Sorry, I did not get that")


async def test_the_day_shows_who_comes_masked(rider: RiderInTest, fair: Fair, world: World) -> None:
    boss, code = await clinic_day(rider, fair, world)
    await boss.says("/today")
    boss.sees("Riders' health check", "0 of 1 here", "4 free", f"{code} 王** 138****1234", "expected", "王茅镇")
    boss.does_not_see("王小明")
    await boss.taps("✓ 王**")
    boss.sees("王** is checked in: Riders' health check")
    await boss.taps("Who comes")
    boss.sees("1 of 1 here", "✓ here")
    await rider.says("我的预约")
    await rider.taps("Wed 25 Nov 10:00 · Riders' health check · you were there")
    await world.passes(days=1)
    await rider.says("我的预约")
    rider.sees("You have no bookings.")


async def test_two_sessions_are_chosen_from(rider: RiderInTest, fair: Fair, world: World) -> None:
    boss, _code = await clinic_day(rider, fair, world)
    await fair.session(1, world.now)
    await boss.says("今日")
    boss.sees("Today:")
    await boss.taps("0 of 1 here")
    boss.sees("王**")
    for forged in ("roll.999.0", "roll.x", "roll", "roll.1.x"):
        await boss.presses(forged)
        boss.does_not_see("went wrong")


async def test_a_typed_code_checks_in_once_and_can_be_undone(rider: RiderInTest, fair: Fair, world: World) -> None:
    boss, code = await clinic_day(rider, fair, world)
    await boss.says(f" {code.lower()} ")
    boss.sees("王** is checked in: ")
    await boss.says(f"/checkin {code}")
    boss.sees("is checked in already")
    assert await fair.states() == ["attended"]
    await boss.taps("Undo")
    boss.sees("Undone")
    assert await fair.states() == ["booked"]
    await boss.taps("Check in again")
    assert await fair.states() == ["attended"]
    await boss.says("AAAAAA")
    boss.sees("No booking has that code")
    await fair.is_sound()


async def test_a_code_of_another_day(rider: RiderInTest, fair: Fair, world: World) -> None:
    await fair.opens("health")
    await books(rider)
    boss = world.rider("boss")
    await fair.employs(boss)
    [code] = await fair.codes()
    await boss.says(code)
    boss.sees("for another time: Wed 25 Nov")
    assert await fair.states() == ["booked"]


async def test_riders_cannot_tell_that_any_of_it_exists(rider: RiderInTest, fair: Fair, world: World) -> None:
    await clinic_day(rider, fair, world)
    [code] = await fair.codes()
    await rider.comes_back()
    await rider.says("/nothing-of-the-kind")
    unknown = rider.latest
    rider.catches_up()
    for said in ("/today", "今日", "/staff", f"/staff {code}", f"/checkin {code}", code, "/staff out"):
        await rider.says(said)
        assert rider.latest == unknown, said
    await rider.presses("never-heard-of.1")
    stale = rider.latest
    for token in ("today", "roll.1.0", f"ci.{code}", "ciundo.1"):
        await rider.presses(token)
        assert rider.latest == stale, token
    assert await fair.states() == ["booked"]


async def test_guessing_staff_codes_tells_nothing(rider: RiderInTest, world: World) -> None:
    for n in range(8):
        await rider.says(f"/staff GUESS{n}")
        rider.sees("Sorry, I did not get that")
    async with world.database.reading() as db:
        assert list(await db.scalars(select(StaffChat))) == []


async def test_a_lawyer_sees_their_own_sessions_only(rider: RiderInTest, fair: Fair, world: World) -> None:
    await clinic_day(rider, fair, world)
    lawyer = world.rider("lawyer")
    await fair.employs(lawyer, "lawyer")
    await lawyer.says("/today")
    lawyer.sees("There is no session today.")
    [code] = await fair.codes()
    await lawyer.says(code)
    lawyer.sees("No booking has that code")
