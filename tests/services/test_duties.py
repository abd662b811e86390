"""What happens by night, on a clock that only the tests move."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta

from sqlalchemy import func, select

from bot.models import Due, Session
from bot.schedule import Jobs, Ticker
from bot.services import duties, patterns
from bot.services.patterns import Rhythm
from tests.services.clinic import DESK, ZONE, Clinic

# Fridays, nine to eleven; the clinic's clock begins on Monday, 23 November 2026.
FRIDAYS = Rhythm(
    weekdays=frozenset({4}),
    opens=time(9),
    closes=time(11),
    slot=timedelta(hours=1),
    capacity=2,
    first_day=date(2026, 1, 1),
)


async def ticks(clinic: Clinic) -> int:
    jobs = Jobs()
    duties.register(jobs, DESK)
    return await Ticker(clinic.database, jobs, lambda: clinic.now).tick()


async def days(clinic: Clinic) -> list[date]:
    async with clinic.database.reading() as db:
        starts = await db.scalars(select(Session.starts_at).order_by(Session.starts_at))
        return sorted({at.astimezone(ZONE).date() for at in starts})


async def due(clinic: Clinic) -> list[datetime]:
    async with clinic.database.reading() as db:
        return list(await db.scalars(select(Due.at)))


async def test_every_night_brings_in_another_day_of_each_pattern(clinic: Clinic) -> None:
    offering = await clinic.offering()
    await clinic.does(patterns.save, None, code="desk", offering_id=offering, rhythm=FRIDAYS)
    ended = replace(FRIDAYS, last_day=date(2026, 11, 20))
    await clinic.does(patterns.save, None, code="old", offering_id=offering, rhythm=ended)
    for _start in range(2):
        await clinic.does(duties.plan_night)
    assert await due(clinic) == [datetime(2026, 11, 24, 3, tzinfo=ZONE)]
    assert await ticks(clinic) == 0

    clinic.passes(hours=18)
    assert await ticks(clinic) == 3
    six_weeks = [date(2026, 11, 27) + timedelta(weeks=n) for n in range(6)]
    assert await days(clinic) == six_weeks
    assert await due(clinic) == [datetime(2026, 11, 25, 3, tzinfo=ZONE)]
    assert await ticks(clinic) == 0

    for _night in range(3):
        clinic.passes(days=1)
        assert await ticks(clinic) == 3
    assert await days(clinic) == [*six_weeks, date(2027, 1, 8)]


async def test_nights_missed_are_made_up_once(clinic: Clinic) -> None:
    offering = await clinic.offering()
    await clinic.does(patterns.save, None, code="desk", offering_id=offering, rhythm=FRIDAYS)
    await clinic.does(duties.plan_night)
    clinic.passes(days=20, hours=3)
    await clinic.does(duties.plan_night)
    assert await ticks(clinic) == 3
    assert await due(clinic) == [datetime(2026, 12, 14, 3, tzinfo=ZONE)]
    assert (await days(clinic))[-1] == date(2027, 1, 22)
    async with clinic.database.reading() as db:
        assert await db.scalar(select(func.count()).select_from(Session)) == 2 * 6
