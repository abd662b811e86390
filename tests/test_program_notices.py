"""Notices by command: sent from a file, looked at, and held in a restored database."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import AsyncMock

import pytest
from sqlalchemy import select

from bot import commands
from bot.database import Database
from bot.errors import Problem
from bot.models import Broadcast, Heartbeat, NoticeWish, Pause, Rider
from bot.services import offering_files, place_files
from bot.services.notices import BadNotice
from bot.settings import Settings, load

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
    said = await commands.broadcast(settings, file, "ed", "ap", "")
    assert (said["state"], said["reach"]["unreachable"]) == ("approved", 1)
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
