"""`nuanxin check` names every setting, and says of each whether it would work."""

import os
import shutil
import socket
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from bot import settings as configuration
from bot.checks import findings
from bot.services import holidays
from bot.settings import Settings
from tests.program import free_port
from tests.standins.forecast import feed as forecast
from tests.standins.forecast import forecasting
from tests.standins.telegram import TelegramStandIn
from tests.standins.wechat import WeChatStandIn

NOVEMBER = datetime.fromisoformat("2026-11-20T12:00:00+08:00")


async def found(**given: Any) -> dict[str, list[tuple[str, str]]]:
    """What is said of each setting: how grave, and what."""
    said: dict[str, list[tuple[str, str]]] = {}
    values: dict[str, Any] = {"_env_file": None, "port": 0} | given
    async for finding in findings(Settings(**values), NOVEMBER):
        said.setdefault(finding.name, []).append((finding.weight, finding.what))
    return said


def weights(said: dict[str, list[tuple[str, str]]], name: str) -> list[str]:
    return [weight for weight, _what in said[name]]


@pytest.fixture
def new_file(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/new/nuanxin.db"


async def test_every_setting_is_named_and_no_secret_is_said(new_file: str, tmp_path: Path) -> None:
    async with TelegramStandIn() as telegram:
        said = await found(
            database_url=new_file,
            secret_key="hunter2-hunter2-hunter2",
            staff_password="hunter2",
            metrics_token="hunter2",
            telegram_secret="hunter2",
            telegram_token=telegram.token,
            telegram_api_url=telegram.url,
        )
    assert list(said) == [name.upper() for name in Settings.model_fields]
    assert "BAD" not in {weight for name in said for weight in weights(said, name)}
    assert "hunter2" not in str(said)
    assert telegram.token not in str(said)
    assert not os.listdir(tmp_path)


async def test_a_database_is_looked_at(database_url: str, tmp_path: Path) -> None:
    assert weights(await found(database_url=database_url, secret_key="x" * 32), "DATABASE_URL")[0] == "ok"
    away = {"database_url": f"postgresql://u:hunter2@127.0.0.1:{free_port()}/x", "secret_key": "short"}
    said = await found(**away)
    assert said["DATABASE_URL"] == [("BAD", "not reachable (ConnectionRefusedError)")]
    assert weights(said, "SECRET_KEY") == ["note"]
    (tmp_path / "no.db").write_text("this is no database, whatever its name may say")
    assert weights(await found(database_url=f"sqlite:///{tmp_path}/no.db"), "DATABASE_URL") == ["BAD"]


async def test_a_port_that_another_program_has_is_bad(new_file: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.listen()
        port = other.getsockname()[1]
        other.close()
        assert weights(await found(database_url=new_file, port=port), "PORT") == ["ok"]
    async with TelegramStandIn() as other_program:
        taken = int(other_program.url.rpartition(":")[2])
        said = await found(database_url=new_file, port=taken, public_url=other_program.url)
        assert weights(said, "PORT") == ["BAD"]
        assert weights(said, "PUBLIC_URL") == ["note"]
        assert weights(said, "TRUSTED_PROXIES") == ["note"]


async def test_the_platforms_are_asked(new_file: str) -> None:
    async with TelegramStandIn() as telegram, WeChatStandIn() as wechat:
        good = {
            "database_url": new_file,
            "telegram_token": telegram.token,
            "telegram_api_url": telegram.url,
            "wechat_app_id": wechat.app_id,
            "wechat_app_secret": wechat.secret,
            "wechat_token": "t",
            "wechat_api_url": wechat.url,
            "public_url": "http://127.0.0.1:1",
        }
        said = await found(**good)
        assert said["TELEGRAM_TOKEN"] == [("ok", "accepted, the bot is @nuanxin_bot")]
        assert said["TELEGRAM_MODE"][1][1].startswith("the webhook is not set yet")
        assert said["WECHAT_APP_SECRET"] == [("ok", "accepted")]
        said = await found(**good | {"telegram_token": "1:wrong", "wechat_app_secret": "wrong", "telegram_rate": 60})
        assert weights(said, "TELEGRAM_TOKEN") == weights(said, "WECHAT_APP_SECRET") == ["BAD"]
        assert weights(said, "TELEGRAM_RATE") == ["note"]
        wechat.kind = "service"
        said = await found(**good | {"wechat_account": "service-verified"})
        assert [weight for weight, _what in said["WECHAT_APP_SECRET"]] == ["ok", "ok", "BAD"]
        assert "48001" in said["WECHAT_APP_SECRET"][2][1]
        wechat.kind = "service-verified"
        said = await found(**good | {"wechat_account": "service-verified"})
        assert said["WECHAT_APP_SECRET"][-1] == ("ok", "forms for nothing, while nobody may be written to")
        wechat.allows_address = False
        assert "40164" in (await found(**good))["WECHAT_APP_SECRET"][0][1]
    said = await found(**good)
    assert weights(said, "TELEGRAM_TOKEN") == weights(said, "WECHAT_APP_SECRET") == ["BAD"]


async def test_the_forecast_is_asked(new_file: str) -> None:
    async with forecasting() as feed:
        feed.says = forecast()
        said = (await found(database_url=new_file, weather_url=feed.url))["WEATHER_URL"]
        assert said == [("ok", "the forecast tells 144 hours, 16 thresholds propose warnings")]
        feed.says = b"{}"
        assert weights(await found(database_url=new_file, weather_url=feed.url), "WEATHER_URL") == ["BAD"]
    assert weights(await found(database_url=new_file, weather_url=feed.url), "WEATHER_URL") == ["BAD"]


@pytest.mark.parametrize("address", ["https://tiles.example/{z}/{x}/{row}", "http://127.0.0.1:1/{z}/{x}/{y}.png"])
async def test_tiles_that_do_not_come_are_bad(new_file: str, address: str) -> None:
    assert weights(await found(database_url=new_file, tiles_url=address), "TILES_URL")[0] == "BAD"


@pytest.mark.parametrize(
    ("file", "account", "weight", "why"),
    [
        ("", "service-verified", "ok", "forms for moved, reminder"),
        ("", "subscription-verified", "BAD", "only a service account"),
        ("[[form", "service-verified", "BAD", "wechat.toml"),
    ],
)
async def test_the_forms_of_an_account_are_looked_at(
    new_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, account: str, weight: str, why: str
) -> None:
    shutil.copytree(configuration.DATA / "yuncheng", tmp_path / "data" / "yuncheng")
    monkeypatch.setattr(configuration, "DATA", tmp_path / "data")
    form = '[[form]]\nfor = ["reminder", "moved"]\nid = "T1"\nway = "template"\nfields = { thing1 = "title" }\n'
    (tmp_path / "data" / "yuncheng" / "wechat.toml").write_text(file or form, "utf-8")
    async with WeChatStandIn(account) as wechat:
        settings = {"wechat_app_id": wechat.app_id, "wechat_app_secret": wechat.secret, "wechat_token": "t"}
        settings |= {"wechat_api_url": wechat.url, "wechat_account": account}
        last = (await found(database_url=new_file, **settings))["WECHAT_APP_SECRET"][-1]
        assert last[0] == weight
        assert why in last[1]


async def test_the_city_s_holidays_are_looked_at(
    new_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(configuration.DATA / "yuncheng", tmp_path / "data" / "yuncheng")
    monkeypatch.setattr(configuration, "DATA", tmp_path / "data")
    table = tmp_path / "data" / "yuncheng" / holidays.FILE
    table.write_text("date,kind,name\n")
    said = await found(database_url=new_file)
    assert weights(said, "CITY") == ["ok", "note"]
    assert "2027" in said["CITY"][1][1]
    table.write_text("date,kind,name\n2027-01-01,holiday,元旦\n")
    assert weights(await found(database_url=new_file), "CITY") == ["ok"]
    table.write_text("date,kind,name\n2027-01-01,rest,元旦\n")
    assert weights(await found(database_url=new_file), "CITY") == ["ok", "BAD"]
