"""What a start makes ready, in this process."""

from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import delete, select

from bot.app import Program
from bot.commands import prepare
from bot.models import Due
from bot.settings import Settings

NOON = datetime.fromisoformat("2026-11-20T12:00:00+08:00")
NIGHT = datetime.fromisoformat("2026-11-21T03:00:00+08:00")


def settings(folder: Path, **more: Any) -> Settings:
    return Settings(database_url=f"sqlite:///{folder}/nuanxin.db", demo=True, clock=NOON, port=0, **more)


async def nights(program: Program) -> list[datetime]:
    async with program.database.reading() as db:
        return list(await db.scalars(select(Due.at).where(Due.job == "nightly")))


async def test_the_night_s_work_is_put_down_in_a_new_database_and_in_an_old_one(tmp_path: Path) -> None:
    program = await prepare(settings(tmp_path), talks=False, works=False)
    assert await nights(program) == [NIGHT]
    async with program.database.writing() as db:
        await db.execute(delete(Due))
    await program.stop()
    for _start in range(2):
        program = await prepare(settings(tmp_path), talks=False, works=False)
        assert await nights(program) == [NIGHT]
        await program.stop()


async def test_links_name_the_port_that_is_listened_on(tmp_path: Path) -> None:
    program = await prepare(settings(tmp_path), talks=True, works=False)
    port = await program.start()
    assert program.desk.public_url == f"http://127.0.0.1:{port}"
    async with aiohttp.ClientSession() as client, client.get(f"{program.desk.public_url}/healthz") as answer:
        assert answer.status == 200
    await program.stop()


async def test_a_start_says_whose_holidays_are_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = await prepare(settings(tmp_path), talks=False, works=False)
    await program.stop()
    assert "holidays are not known" in "".join(capsys.readouterr())
