"""Settings: right ones are read, wrong ones are said all at once and without their values."""

import pytest

from bot.settings import Misconfigured, Settings, load


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(str(tmp_path))


def test_nothing_needs_to_be_set() -> None:
    settings = load()
    assert settings.database_url == "sqlite:///var/nuanxin.db"
    assert (settings.host, settings.port, settings.demo) == ("127.0.0.1", 8080, False)
    assert not settings.telegram_webhook


def test_everything_wrong_is_said_at_once_and_without_values(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "PORT": "eighty",
        "PUBLIC_URL": "http://example.com",
        "DATABASE_URL": "mysql://root:hunter2@db/x",
        "TELEGRAM_TOKEN": "hunter2",
        "TELEGRAM_RATE": "0",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Misconfigured) as caught:
        load()
    lines = str(caught.value).splitlines()
    assert {line.split(":")[0] for line in lines} == wrong.keys()
    assert "hunter2" not in str(caught.value)


def test_a_server_database_needs_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nuanxin@127.0.0.1/nuanxin")
    with pytest.raises(Misconfigured, match="SECRET_KEY is missing"):
        load()
    monkeypatch.setenv("SECRET_KEY", "long and random")
    assert not load().is_embedded


def test_the_clock_starts_elsewhere_only_for_a_demonstration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOCK", "2026-01-15T08:00:00+08:00")
    with pytest.raises(Misconfigured, match="DEMO=1"):
        load()
    monkeypatch.setenv("DEMO", "1")
    assert load().clock is not None


@pytest.mark.parametrize(
    "address", ["https://bot.example.cn", "http://127.0.0.1:9000", "http://localhost", "http://[::1]:1"]
)
def test_http_is_fine_on_this_machine_only(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("PUBLIC_URL", address)
    assert load().telegram_webhook


@pytest.mark.parametrize("city", ["nowhere", "../yuncheng", "/etc"])
def test_a_city_is_a_folder_of_ours(monkeypatch: pytest.MonkeyPatch, city: str) -> None:
    monkeypatch.setenv("CITY", city)
    with pytest.raises(Misconfigured, match="CITY"):
        load()


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"WECHAT_APP_ID": "wx5823bf96d3bd56c7"}, ["WECHAT_TOKEN"]),
        ({"WECHAT_AES_KEY_PREVIOUS": "a" * 43}, ["WECHAT_APP_ID", "WECHAT_TOKEN", "WECHAT_AES_KEY"]),
        (
            {"WECHAT_TOKEN": "t0ken", "WECHAT_ACCOUNT": "service-verified"},
            ["WECHAT_APP_ID", "WECHAT_APP_SECRET"],
        ),
        ({"WECHAT_AES_KEY": "a" * 42, "WECHAT_TOKEN": "密", "WECHAT_ACCOUNT": "personal"}, None),
    ],
)
def test_wechat_is_set_up_as_a_whole(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], wrong: list[str] | None
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Misconfigured) as caught:
        load()
    named = [line.replace(":", " ").split()[0] for line in str(caught.value).splitlines()]
    assert sorted(named) == sorted(wrong or given)


def test_wechat_without_a_key_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WECHAT_APP_ID", "wx5823bf96d3bd56c7")
    monkeypatch.setenv("WECHAT_TOKEN", "QDG6eK")
    settings = load()
    assert (settings.wechat_aes_key, settings.wechat_account) == ("", "subscription")
    assert (settings.wechat_event_datum, settings.wechat_api_url) == ("wgs84", "https://api.weixin.qq.com")


def test_every_setting_is_explained() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
