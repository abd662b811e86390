"""A forecast feed: its hours read, compared with thresholds, put before the staff, and never anything more."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import ClientTimeout
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from bot import weather_feed
from bot.models import AuditEntry, Broadcast, Lease, Outbound, WeatherWarning
from bot.services import forecasts, linking, weather
from bot.services.broadcasts.composing import SamePerson
from bot.services.forecasts import Unreadable
from tests.chat import CITY, DESK
from tests.services.clinic import MORNING
from tests.services.newsdesk import NEWSROOM, Newsdesk
from tests.standins.forecast import CALM, Feed, feed, forecasting

RULES = forecasts.rules_of(CITY.folder)
WORDS = weather.prepared(CITY.folder)
Changes = Sequence[tuple[str, int, int, float | None]]


@pytest.mark.parametrize(
    ("changes", "warnings"),
    [
        ([], {}),
        ([("snowfall", 1, 4, 0.9)], {}),
        ([("snowfall", 1, 5, 0.9)], {"snow": "blue"}),
        ([("snowfall", 7, 12, 1.0)], {"snow": "yellow"}),
        ([("snowfall", 0, 6, 1.2)], {"snow": "orange"}),
        ([("snowfall", 0, 6, 2.0)], {"snow": "red"}),
        ([("snowfall", 13, 30, 2.0)], {}),
        ([("snowfall", 0, 6, None)], {}),
        ([("visibility", 3, 4, 450.0)], {"fog": "yellow"}),
        ([("visibility", 2, 3, 40.0)], {"fog": "red"}),
        ([("visibility", 4, 5, 40.0)], {"fog": "orange"}),
        ([("visibility", -40, 0, 40.0)], {}),
        ([("wind_gusts_10m", 20, 21, 15.0)], {"gale": "blue"}),
        ([("wind_gusts_10m", 2, 3, 40.0)], {"gale": "red"}),
        ([("temperature_2m", 5, 9, -1.0)], {}),
        ([("temperature_2m", 5, 9, -1.0), ("precipitation", 1, 3, 0.3)], {"ice": "yellow"}),
        ([("temperature_2m", 30, 40, -3.0)], {"cold_wave": "blue"}),
        ([("temperature_2m", 10, 20, -11.0)], {"cold_wave": "red"}),
        ([("temperature_2m", -48, 20, -11.0)], {}),
    ],
)
def test_what_is_worth_a_warning(changes: Changes, warnings: dict[str, str]) -> None:
    found = forecasts.worth_a_warning(forecasts.read(feed(*changes)), RULES, MORNING)
    assert {one.kind: one.level for one in found} == warnings


@pytest.mark.parametrize(
    ("changes", "hours"),
    [
        ([("snowfall", 0, 5, 1.0)], 6),
        ([("snowfall", 2, 10, 1.0)], 10),
        ([("snowfall", 2, 10, 1.0), ("snowfall", 13, 15, 0.1)], 15),
        ([("snowfall", 2, 10, 1.0), ("snowfall", 20, 25, 0.1)], 10),
        ([("snowfall", 2, 90, 1.0)], 48),
    ],
)
def test_how_long_it_lasts(changes: Changes, hours: int) -> None:
    [coming] = forecasts.worth_a_warning(forecasts.read(feed(*changes)), RULES, MORNING)
    assert coming.ends_at == MORNING + timedelta(hours=hours)


def test_local_times_are_understood_too() -> None:
    hours = {name: [value] * 3 for name, value in CALM.items()}
    hourly = {"time": ["2026-11-23T09:00", "2026-11-23T10:00", "2026-11-23T11:00"], **hours}
    read = forecasts.read(feed(hourly=hourly, utc_offset_seconds=28_800))
    assert read.times[0] == datetime(2026, 11, 23, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"<html>busy</html>",
        b"[]",
        b"{}",
        b"\xff\xfe",
        feed(hourly={}),
        feed(hourly={"time": []}),
        feed(hourly_units=dict.fromkeys(forecasts.UNITS, "mph")),
        feed(hourly={"time": [1, 2], "snowfall": [0, 0]}),
        feed(hourly={"time": [0, 3600], "snowfall": [0]}),
        feed(hourly={"time": [0, 3600], "snowfall": ["much", 0]}),
        feed(hourly={"time": [0, 3600], "snowfall": [True, 0]}),
        feed(hourly={"time": [10**30], "snowfall": [0]}),
        feed(hourly={"time": [67_768_036_191_676_800], "snowfall": [0]}),
        feed(hourly={"time": ["soon"], "snowfall": [0]}),
        b'{"hourly": {"time": [0], "snowfall": [NaN]}, "hourly_units": {"snowfall": "cm"}}',
    ],
)
def test_what_cannot_be_read(payload: bytes) -> None:
    with pytest.raises(Unreadable):
        forecasts.read(payload)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda kept: st.lists(kept), max_leaves=8))
def test_whatever_stands_in_the_hours_is_read_or_refused(values: object) -> None:
    try:
        hours = forecasts.read(feed(hourly={"time": values, "snowfall": values}))
    except Unreadable:
        return
    assert len(hours.times) == len(hours.values["snowfall"]) > 0


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "rain", "level": "red", "hours": 6},
        {"kind": "snow", "level": "pink", "hours": 6, "snow_cm": 1},
        {"kind": "snow", "level": "red", "hours": 60, "snow_cm": 1},
        {"kind": "snow", "level": "red", "hours": 6, "gust_ms": 1},
        {"kind": "ice", "level": "red", "hours": 6, "frost_c": 1},
    ],
)
def test_thresholds_that_cannot_be(rule: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"warning|says"):
        forecasts._rule(dict(rule))


@pytest.fixture
async def standin() -> AsyncIterator[Feed]:
    async with forecasting() as feed:
        yield feed


async def look(desk: Newsdesk, standin: Feed) -> str | None:
    return await forecasts.look(
        desk.database,
        standin.fetch,
        RULES,
        places_in=CITY.counties,
        words=WORDS,
        newsroom=NEWSROOM,
        now=desk.clinic.now,
    )


async def proposed(desk: Newsdesk) -> list[tuple[str, str, str]]:
    query = select(WeatherWarning.kind, WeatherWarning.level, WeatherWarning.state).order_by(WeatherWarning.id)
    async with desk.database.reading() as db:
        return [(kind, level, state) for kind, level, state in await db.execute(query)]


async def told(desk: Newsdesk) -> list[str]:
    async with desk.database.reading() as db:
        kept = await db.scalars(select(Outbound.message).where(Outbound.lane == "personal").order_by(Outbound.id))
        return [message["text"] for message in kept]


async def in_chat(desk: Newsdesk, role: str) -> Any:
    """A member of the staff who linked a chat."""
    member = await desk.member(role)
    rider = await desk.clinic.rider()
    async with desk.database.writing() as db:
        code = await linking.issue_for_staff(db, member.login, now=desk.clinic.now, desk=DESK)
        await linking.link_staff(db, rider, code=code, now=desk.clinic.now, desk=DESK)
    return member


async def test_it_proposes_once_tells_those_who_decide_and_sends_nothing(desk: Newsdesk, standin: Feed) -> None:
    first, second = await in_chat(desk, "approver"), await in_chat(desk, "admin")
    await in_chat(desk, "operator")
    await desk.rider()
    standin.says = feed(("snowfall", 0, 6, 2.0))
    assert await look(desk, standin) == "ok"
    assert standin.asked[0]["hourly"].split(",") == list(forecasts.UNITS)
    assert (standin.asked[0]["wind_speed_unit"], standin.asked[0]["timezone"]) == ("ms", "GMT")
    assert await look(desk, standin) is None, "it is not time"
    said = await told(desk)
    assert [("Proposed: Snow, Red" in text, "forecast proposes" in text) for text in said] == [(True, True)] * 2
    for _n in range(3):
        desk.clinic.passes(minutes=31)
        standin.says = feed(("snowfall", -2, 6, 2.0), now=desk.clinic.now)
        assert await look(desk, standin) == "ok"
    assert await proposed(desk) == [("snow", "red", "proposed")]
    assert len(await told(desk)) == 2
    async with desk.database.reading() as db:
        assert list(await db.scalars(select(Broadcast.state))) == ["in_review"]
        assert await db.scalar(select(func.count()).where(Outbound.broadcast_id.is_not(None))) == 0
    # Nobody wrote these words and nobody reviewed them: it takes two.
    values = {"database": desk.database}
    assert not await desk.does(weather.approve, first, 1, **values)
    assert "stands for the words" in (await told(desk))[-1]
    with pytest.raises(SamePerson):
        await desk.does(weather.approve, first, 1, **values)
    assert await desk.does(weather.approve, second, 1, **values)
    assert await proposed(desk) == [("snow", "red", "in_force")]
    async with desk.database.reading() as db:
        did = list(await db.scalars(select(AuditEntry.action).where(AuditEntry.subject == "weather:1")))
    assert did == ["weather.propose", "weather.stand_for", "weather.approve"]


async def test_reviewed_words_take_one_approval(desk: Newsdesk, standin: Feed) -> None:
    await desk.rider()
    author, approver = await desk.member("operator"), await desk.member("approver")
    how = {"kind": "fog", "level": "red", "places_in": CITY.counties, "words": WORDS}
    times = {"starts_at": desk.clinic.now, "ends_at": desk.clinic.now + timedelta(hours=6)}
    pressed = await desk.does(weather.propose, author, **how, **times)
    assert await desk.does(weather.approve, approver, pressed, database=desk.database)
    desk.clinic.passes(hours=7)
    standin.says = feed(("visibility", 0, 2, 30.0), now=desk.clinic.now)
    assert await look(desk, standin) == "ok"
    assert await desk.does(weather.approve, approver, pressed + 1, database=desk.database)


async def test_a_worse_forecast_is_proposed_anew_and_a_dropped_one_is_not(desk: Newsdesk, standin: Feed) -> None:
    approver = await desk.member("approver")
    standin.says = feed(("snowfall", 0, 5, 1.0))
    await look(desk, standin)
    desk.clinic.passes(minutes=31)
    standin.says = feed(("snowfall", 0, 6, 2.0), now=desk.clinic.now)
    await look(desk, standin)
    assert await proposed(desk) == [("snow", "yellow", "proposed"), ("snow", "red", "proposed")]
    await desk.does(weather.dismiss, approver, 2)
    desk.clinic.passes(minutes=31)
    standin.says = feed(("snowfall", 0, 5, 1.9), now=desk.clinic.now)
    await look(desk, standin)
    assert len(await proposed(desk)) == 2
    desk.clinic.passes(hours=7)
    standin.says = feed(("snowfall", 0, 5, 1.9), now=desk.clinic.now)
    await look(desk, standin)
    assert len(await proposed(desk)) == 3, "it holds for a new time"


@pytest.mark.parametrize(
    ("status", "says", "result"),
    [
        (500, b"", "unreachable"),
        (302, b"", "unreachable"),
        (200, b"x" * (weather_feed.MOST_BYTES + 1), "unreachable"),
        (200, b"{]", "unreadable"),
        (200, feed(now=MORNING - timedelta(days=9)), "unreadable"),
    ],
)
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_feed_that_fails_is_asked_again_soon(
    desk: Newsdesk, standin: Feed, status: int, says: bytes, result: str
) -> None:
    standin.status, standin.says = status, says
    assert await look(desk, standin) == result
    assert await look(desk, standin) is None
    desk.clinic.passes(minutes=6)
    standin.status, standin.says = 200, feed(("visibility", 0, 2, 30.0), now=desk.clinic.now)
    assert await look(desk, standin) == "ok"
    assert await proposed(desk) == [("fog", "red", "proposed")]


async def test_nobody_there_is_no_error(standin: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weather_feed, "PATIENCE", ClientTimeout(total=0.05))
    standin.hangs = True
    for url in ("http://127.0.0.1:1/", "http://", "not an address", standin.url):
        assert await Feed(url=url).fetch() is None
    assert len(standin.asked) == 1


async def test_what_an_operator_asks_for_stays(standin: Feed) -> None:
    standin.url += "?latitude=34.9&apikey=k"
    await standin.fetch()
    assert (standin.asked[0]["latitude"], standin.asked[0]["apikey"]) == ("34.9", "k")
    assert standin.asked[0]["longitude"] == f"{CITY.lng:.4f}"


async def test_of_many_processes_one_looks(desk: Newsdesk, standin: Feed) -> None:
    standin.says = feed()
    looked = await asyncio.gather(*(look(desk, standin) for _n in range(4)))
    assert sorted(looked, key=str) == [None, None, None, "ok"]
    assert len(standin.asked) == 1
    async with desk.database.writing() as db:
        await db.execute(update(Lease).values(until=desk.clinic.now))
    assert await look(desk, standin) == "ok"


async def test_of_two_who_press_the_same_level_one_does(desk: Newsdesk) -> None:
    one, two = await desk.member("operator"), await desk.member("operator")
    how = {"kind": "ice", "level": "yellow", "places_in": CITY.counties, "words": WORDS}
    times = {"starts_at": desk.clinic.now, "ends_at": desk.clinic.now + timedelta(hours=6)}
    both = await asyncio.gather(*(desk.does(weather.propose, who, **how, **times) for who in (one, two)))
    assert both == [1, 1]
    assert await proposed(desk) == [("ice", "yellow", "proposed")]
