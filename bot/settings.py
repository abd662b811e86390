"""Every setting once: name, type, default and help; read from the environment and `.env`."""

from datetime import datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

EMBEDDED = "sqlite:///var/nuanxin.db"
AES_KEY = r"^([A-Za-z0-9]{43})?$"


class Misconfigured(Exception):
    """Says everything that is wrong with the settings, one line each, without their values."""


class Settings(BaseSettings):
    """What differs between installations."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", hide_input_in_errors=True, env_ignore_empty=True)

    database_url: str = Field(EMBEDDED, description="sqlite:///path or postgresql://user:password@host/db")
    host: str = Field("127.0.0.1", description="where the web server listens")
    port: int = Field(8080, ge=0, le=65535, description="where the web server listens")
    public_url: str = Field("", description="https address that platforms and links use")
    secret_key: str = Field("", description="signs sessions and links, encrypts personal fields")
    city: str = Field("yuncheng", pattern=r"^[a-z0-9_-]+$", description="the city profile: a folder under data/")
    demo: bool = Field(False, description="load and show sample data")
    staff_password: str = Field("", description="first password of the login admin")
    require_totp: bool = Field(False, description="admins set up a second factor before anything else")
    telegram_token: str = Field(
        "", pattern=r"^([0-9]+:[A-Za-z0-9_-]+)?$", description="bot token; empty leaves Telegram out"
    )
    telegram_api_url: str = Field("https://api.telegram.org", description="Bot API server")
    telegram_secret: str = Field("", pattern=r"^[A-Za-z0-9_-]{0,256}$", description="secret token of the webhook")
    telegram_mode: Literal["auto", "webhook", "polling"] = Field(
        "auto", description="webhook, polling, or by PUBLIC_URL"
    )
    telegram_rate: float = Field(29, gt=0, description="messages a second outside webhook responses")
    wechat_app_id: str = Field(
        "", pattern=r"^[A-Za-z0-9_-]{0,64}$", description="Official Account; empty leaves WeChat out"
    )
    wechat_app_secret: str = Field("", description="secret of the account, needed where it may push")
    wechat_token: str = Field("", pattern=r"^[A-Za-z0-9_-]{0,64}$", description="token of the callback")
    wechat_aes_key: str = Field("", pattern=AES_KEY, description="EncodingAESKey; empty means plain mode")
    wechat_aes_key_previous: str = Field("", pattern=AES_KEY, description="the key before, during a change of keys")
    wechat_account: Literal["subscription", "subscription-verified", "service", "service-verified"] = Field(
        "subscription", description="what the account may do: subscription or service, each also -verified"
    )
    wechat_event_datum: Literal["wgs84", "gcj02", "bd09"] = Field("wgs84", description="datum of LOCATION events")
    wechat_api_url: str = Field("https://api.weixin.qq.com", description="WeChat's API server")
    tiles_url: str = Field("", description="raster map tiles, with {z}, {x} and {y}")
    tiles_attribution: str = Field("", description="whom the map tiles are from")
    tiles_datum: Literal["wgs84", "gcj02", "bd09"] = Field("wgs84", description="datum of the map tiles")
    weather_url: str = Field("", description="forecast feed in Open-Meteo's format; it proposes warnings to the staff")
    trusted_proxies: str = Field("", description="addresses or networks whose forwarded addresses count")
    metrics_token: str = Field("", description="opens /metrics beyond loopback")
    clock: datetime | None = Field(None, description="a time at which the clock starts; only with DEMO=1")

    @field_validator("public_url", "telegram_api_url", "wechat_api_url", "weather_url")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and not (parts.scheme == "https" or (parts.scheme == "http" and _loopback(parts.hostname or ""))):
            raise ValueError("must be an https address (http only for loopback)")
        return value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: str) -> str:
        if not value.startswith(("sqlite:///", "postgresql://", "postgres://")):
            raise ValueError("must start with sqlite:/// or postgresql://")
        return value

    @field_validator("clock")
    @classmethod
    def _aware(cls, value: datetime | None) -> datetime | None:
        if value and value.tzinfo is None:
            raise ValueError("must say its offset, such as 2026-01-15T08:00+08:00")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        for part in value.split(","):
            if part.strip():
                ip_network(part.strip(), strict=False)
        return value

    @model_validator(mode="after")
    def _together(self) -> "Settings":
        wrong = []
        if self.clock and not self.demo:
            wrong.append("CLOCK is refused unless DEMO=1")
        if not self.secret_key and not self.is_embedded:
            wrong.append("SECRET_KEY is missing: it signs sessions and links, encrypts personal fields")
        if self.telegram_mode == "webhook" and not self.public_url:
            wrong.append("PUBLIC_URL is missing: TELEGRAM_MODE=webhook needs it")
        wrong += self._wrong_with_wechat()
        if not (DATA / self.city / "city.toml").exists():
            wrong.append("CITY: there is no such city profile under data/")
        if wrong:
            raise ValueError("\n".join(wrong))
        return self

    def _wrong_with_wechat(self) -> list[str]:
        given = {
            "WECHAT_APP_ID": self.wechat_app_id,
            "WECHAT_TOKEN": self.wechat_token,
            "WECHAT_APP_SECRET": self.wechat_app_secret,
        }
        needed = list(given) if self.wechat_account.endswith("-verified") else list(given)[:2]
        keys = self.wechat_aes_key or self.wechat_aes_key_previous
        is_on = any((*given.values(), keys))
        wrong = [f"{name} is missing: WeChat needs it" for name in needed if is_on and not given[name]]
        if self.wechat_aes_key_previous and not self.wechat_aes_key:
            wrong.append("WECHAT_AES_KEY is missing: there is only the one before it")
        return wrong

    @property
    def is_embedded(self) -> bool:
        """Whether the database is the embedded default, which needs no setting up."""
        return self.database_url.startswith("sqlite")

    @property
    def telegram_webhook(self) -> bool:
        """Whether Telegram calls us, rather than we it."""
        return self.telegram_mode == "webhook" or (self.telegram_mode == "auto" and bool(self.public_url))

    @property
    def city_folder(self) -> Path:
        return DATA / self.city


DATA = Path(__file__).parent.parent / "data"


def load(**overrides: Any) -> Settings:
    """The settings of this process; raises Misconfigured with one line for each that is wrong or missing."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            name = "_".join(str(part) for part in problem["loc"]).upper()
            message = problem["msg"].removeprefix("Value error, ")
            lines += [f"{name}: {line}" if name else line for line in message.splitlines()]
        raise Misconfigured("\n".join(lines)) from None


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
