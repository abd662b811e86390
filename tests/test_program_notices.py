"""Notices by command: sent from a file, looked at, and held in a restored database."""

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest
from sqlalchemy import func, select

from bot import commands
from bot.app import Program
from bot.database import Database
from bot.errors import Problem
from bot.messages import Address, Capabilities, Incoming, Photo
from bot.models import (
    Broadcast,
    Contact,
    Heartbeat,
    Notice,
    NoticeWish,
    Outbound,
    Pause,
    Rider,
    StaffChat,
    WeatherWarning,
)
from bot.pictures import qr
from bot.services import authority, offering_files, place_files, staff
from bot.services.notices import BadNotice
from bot.settings import Settings, load
from tests.chat import PretendChannel
from tests.program import NOON, serving, until
from tests.standins.forecast import feed as forecast
from tests.standins.forecast import forecasting

NOTICE = """
category = "winter_safety"
[texts.zh_CN]
title = "谨防煤气中毒"
body = "睡前熄火，留一条窗缝。"
"""
NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


@pytest.fixture
async def settings(database: Database, database_url: str) -> Settings:
    settings = load(database_url=database_url, demo=True, clock=NOW, secret_key="for tests only " * 3)
    for login, role in (("ed", "editor"), ("ap", "approver")):
        await commands.add_staff(settings, login, role, [])
    return settings


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_broadcast_from_a_file(
    settings: Settings, database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "notice.toml"
    file.write_text(NOTICE, "utf-8")
    with pytest.raises(Problem, match="Nobody would get it"):
        await commands.broadcast(settings, file, "ed", "ap", "")
    async with database.writing() as db:
        rider = Rider(created_at=NOW)
        db.add(rider)
        await db.flush()
        db.add(NoticeWish(rider.id, agreed_at=NOW))
        others = Contact(rider.id, channel="buttons", user="wang", locale="en", created_at=NOW)
        db.add(others)
        await db.flush()
        await staff.add(db, "wang", "approver", password_hash="x", now=NOW)
        member = await authority.member_called(db, "wang")
        db.add(StaffChat(others.id, staff_id=member.id, linked_at=NOW))
    said = await commands.broadcast(settings, file, "ed", "ap", "")
    assert (said["state"], said["reach"]["unreachable"]) == ("approved", 1)
    async with database.reading() as db:
        assert await db.scalar(select(func.count()).select_from(Outbound)) == 0, "nobody is asked for what was decided"
    assert "来源" in capsys.readouterr().err, "a warning: it names no source"
    later = await commands.broadcast(settings, file, "ed", "ap", "2026-12-01T08:00")
    status = await commands.broadcast_status(settings, later["number"])
    assert (status["number"], status["state"], status["sent"]) == (said["number"] + 1, "scheduled", 0)
    async with database.reading() as db:
        starts_at = await db.scalar(select(Broadcast.starts_at).where(Broadcast.id == later["number"]))
    assert starts_at == datetime(2026, 12, 1, 0, 0, tzinfo=UTC)
    for author, approver, at in (("ed", "ed", ""), ("ed", "nobody", ""), ("ap", "ed", ""), ("ed", "ap", "soon")):
        with pytest.raises(Problem):
            await commands.broadcast(settings, file, author, approver, at)
    file.write_text("title = ", "utf-8")
    with pytest.raises(BadNotice):
        await commands.broadcast(settings, file, "ed", "ap", "")


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_restored_database_is_held_at_start(
    settings: Settings, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for samples in (place_files, offering_files):
        monkeypatch.setattr(samples, "load_samples", AsyncMock())
    file = tmp_path / "notice.toml"
    file.write_text(NOTICE, "utf-8")
    sent = await commands.broadcast(settings, file, "ed", "ap", "2026-12-01T08:00")
    async with database.writing() as db:
        db.add(Heartbeat("delivery", at=NOW - timedelta(hours=2)))
        (await db.get_one(Broadcast, sent["number"])).state = "sending"
    program = await commands.prepare(settings, talks=False, works=True)
    await program.stop()
    async with database.reading() as db:
        assert list(await db.scalars(select(Pause.channel))) == ["*"]
    assert await commands.resume(settings)
    assert not await commands.resume(settings)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_picture_is_fetched_only_from_whom_it_was_asked(settings: Settings, database: Database) -> None:
    program = Program(settings, settings.secret_key, talks=False, works=False)
    channel = Album()
    hear = program.ears.hear_on(channel)
    staff_code = await commands.link_staff(settings, "ed")
    keys = itertools.count()

    async def says(text: str = "", *, user: str = "ed", **what: Any) -> None:
        at = Address("album", user)
        answer = await hear(Incoming(at, f"{user}{next(keys)}", program.clock(), text, locale="en", **what))
        if answer.sent:
            await answer.sent

    await says(f"/staff {staff_code}")
    sends: dict[str, Any] = {"event": "photo", "photo": Photo("a.jpg")}
    await says(user="rider", **sends)
    await says(**sends)
    await says(pressed="bcnew")
    for words in ("Everybody", "The whole city", "Weather", "Normal"):
        await says(words)
    await says("明天有雪")
    await says(**sends)
    assert channel.fetched == [], "a text is asked for"
    await says("慢行。")
    await says(user="rider", **sends)
    await says(**sends)
    assert channel.fetched == ["a.jpg"]
    await program.stop()
    async with database.reading() as db:
        kept = (await db.scalars(select(Notice.picture))).one()
    assert kept
    assert kept.startswith(b"\x89PNG")


async def test_a_forecast_becomes_a_proposal_for_the_staff(tmp_path: Path) -> None:
    """A storm is coming; nobody but the staff hears of it."""
    async with forecasting() as feed:
        feed.says = forecast(("wind_gusts_10m", 0, 5, 40.0), now=datetime.fromisoformat(NOON))
        async with serving(tmp_path, WEATHER_URL=feed.url, CLOCK=NOON) as program:

            async def has_looked() -> bool:
                _status, numbers = await program.get("/metrics")
                return 'nuanxin_forecasts_total{result="ok"} 1.0' in numbers

            await until(has_looked)
            assert await program.stops() == 0
            assert program.errors() == []
        database = Database(f"sqlite:///{tmp_path}/nuanxin.db")
        async with database.reading() as db:
            found = (await db.scalars(select(WeatherWarning))).one()
            assert (found.kind, found.level, found.state, found.origin) == ("gale", "red", "proposed", "forecast")
            assert await db.scalar(select(func.count(Outbound.id))) == 0
        await database.close()


class Album(PretendChannel):
    """A channel whose pictures have to be fetched."""

    def __init__(self) -> None:
        super().__init__("album", Capabilities())
        self.fetched: list[str] = []

    async def fetch(self, name: str) -> bytes | None:
        self.fetched.append(name)
        return qr("a picture")
