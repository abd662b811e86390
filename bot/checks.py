"""What is configured, what answers, and what would not work, setting by setting."""

import errno
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import aiohttp
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from bot import weather_feed
from bot.database import DATABASE_TROUBLE, Database, is_migrated
from bot.models import Place
from bot.official_account import looked_at
from bot.services import forecasts, holidays
from bot.services.city import City, load_city
from bot.settings import Settings

Weight = Literal["ok", "note", "BAD"]
# What is said of one setting.
Said = list[tuple[Weight, str]]

PATIENCE = aiohttp.ClientTimeout(total=10)
SHORT_SECRET = 16
TOO_FAST = 30
_SECRET_PARTS = ("secret", "token", "password", "key")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about a setting: what is `BAD` would not work; with a `note` it works, and somebody should know."""

    name: str
    weight: Weight
    what: str


async def findings(settings: Settings, now: datetime) -> AsyncIterator[Finding]:
    """All that there is to say, in the order of the settings. Looking changes nothing, and no secret is said."""
    async with aiohttp.ClientSession(timeout=PATIENCE) as http:
        looking = _Looking(settings, now, http)
        looks = looking.by_setting()
        for name in type(settings).model_fields:
            for weight, what in await looks[name]() if name in looks else _plain(settings, name):
                yield Finding(name.upper(), weight, what)


class _Looking:
    def __init__(self, settings: Settings, now: datetime, http: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._now = now
        self._http = http
        self._is_served = False

    def by_setting(self) -> dict[str, Callable[[], Awaitable[Said]]]:
        """The settings of which more can be said than their value."""
        return {
            "database_url": self.database,
            "port": self.port,
            "public_url": self.public_url,
            "secret_key": self.secret_key,
            "city": self.city,
            "demo": self.demo,
            "staff_password": self.staff_password,
            "telegram_token": self.telegram_token,
            "telegram_secret": self.telegram_secret,
            "telegram_mode": self.telegram_mode,
            "telegram_rate": self.telegram_rate,
            "wechat_app_id": self.wechat_app_id,
            "wechat_app_secret": self.wechat_app_secret,
            "tiles_url": self.tiles_url,
            "weather_url": self.weather_url,
            "trusted_proxies": self.trusted_proxies,
        }

    async def database(self) -> Said:
        database = Database(self._settings.database_url)
        file = database.url.database if database.embedded else None
        try:
            if file and file != ":memory:" and not os.path.exists(file):  # noqa: ASYNC240 (one look)
                return [_new_file(Path(file))]
            if not await is_migrated(database):
                if database.embedded:
                    return [("ok", "reachable; the next start brings it to this release's schema")]
                return [("BAD", "reachable, but not at this release's schema: run `nuanxin migrate`")]
            async with database.reading() as db:
                count = await db.scalar(select(func.count()).select_from(Place))
            if not count:
                return [("ok", "reachable"), ("note", "there are no places yet: `nuanxin import places FILE`")]
            return [("ok", f"reachable, {count} places")]
        except DATABASE_TROUBLE as trouble:
            return [("BAD", f"not reachable ({_kind_of(trouble)})")]
        finally:
            await database.close()

    async def port(self) -> Said:
        settings = self._settings
        if not settings.port:
            return [("ok", "any that is free")]
        address = f"http://{settings.host}:{settings.port}"
        try:
            with socket.create_server((settings.host, settings.port), family=_family(settings.host)):
                return [("ok", f"{settings.port}, free")]
        except OSError as trouble:
            if trouble.errno != errno.EADDRINUSE:
                return [("BAD", f"nobody can listen on {settings.host}:{settings.port} ({trouble.strerror})")]
        self._is_served, _answer = await self._answers(f"{address}/healthz")
        if self._is_served:
            return [("ok", f"{settings.port}, a program of ours answers there")]
        return [("BAD", f"{settings.port} is taken by another program")]

    async def public_url(self) -> Said:
        address = self._settings.public_url
        if not address:
            return [("note", "none: links lead to this machine only")]
        answers, how = await self._answers(f"{address}/healthz")
        if answers:
            return [("ok", f"{address} answers")]
        if self._is_served or how in _MISDIRECTED:
            return [("BAD", f"{address} does not lead here ({how})")]
        return [("note", f"{address} does not answer ({how}): look again when the program runs")]

    async def secret_key(self) -> Said:
        secret = self._settings.secret_key
        if not secret:
            return [("ok", "made once, kept beside the embedded database")]
        return [("note", "set, but short: 32 random characters are better") if len(secret) < SHORT_SECRET else _SET]

    async def city(self) -> Said:
        folder = self._settings.city_folder
        try:
            city = load_city(folder)
        except (OSError, KeyError, ValueError) as trouble:
            return [("BAD", f"the profile in {folder} cannot be read ({trouble})")]
        return [("ok", f"{city.name}, {len(city.counties)} counties"), *self._holidays(city)]

    def _holidays(self, city: City) -> Said:
        table = self._settings.city_folder / holidays.FILE
        try:
            calendar = holidays.known_in(self._settings.city_folder)
        except holidays.BadTable as bad:
            return [("BAD", f"row {bad.row} of {table} cannot be read")]
        year = calendar.missing_year(self._now.astimezone(city.zone).date())
        return [("note", f"nobody has entered the holidays of {year} in {table}")] if year else []

    async def demo(self) -> Said:
        if not self._settings.demo:
            return [("ok", "no sample data")]
        return [("note" if self._settings.public_url else "ok", "sample data is shown, marked as such")]

    async def staff_password(self) -> Said:
        return [_SET if self._settings.staff_password else ("ok", "made and printed at the first start")]

    async def telegram_token(self) -> Said:
        if not self._settings.telegram_token:
            return [("ok", "none: Telegram is off")]
        answer = await self._telegram("getMe")
        return [("BAD", answer) if isinstance(answer, str) else ("ok", f"accepted, the bot is @{answer['username']}")]

    async def telegram_secret(self) -> Said:
        return [_SET if self._settings.telegram_secret else ("ok", "derived from SECRET_KEY")]

    async def telegram_rate(self) -> Said:
        rate = self._settings.telegram_rate
        if rate < TOO_FAST:
            return [("ok", f"{rate:g} a second")]
        return [("note", f"{rate:g} a second: Telegram refuses what is beyond {TOO_FAST}")]

    async def telegram_mode(self) -> Said:
        settings = self._settings
        mode = "webhook" if settings.telegram_webhook else "long polling"
        if not settings.telegram_token:
            return [("ok", f"{settings.telegram_mode}: {mode}")]
        hook = await self._telegram("getWebhookInfo")
        if isinstance(hook, str):
            return [("ok", mode)]
        from bot.channels.telegram.webhook import PATH

        ours = f"{settings.public_url}{PATH}" if settings.telegram_webhook else ""
        said: Said = [("ok", mode)]
        if hook["url"] != ours:
            is_set = "another webhook is set" if hook["url"] else "the webhook is not set yet"
            said.append(("note", f"{is_set}: the next start changes that"))
        elif last := hook.get("last_error_message"):
            said.append(("note", f"{hook.get('pending_update_count', 0)} updates wait; Telegram last met: {last}"))
        return said

    async def wechat_app_id(self) -> Said:
        settings = self._settings
        if not settings.wechat_app_id:
            return [("ok", "none: WeChat is off")]
        mode = "encrypted" if settings.wechat_aes_key else "plain"
        said: Said = [("ok", f"{settings.wechat_app_id}, a {settings.wechat_account} account, {mode} messages")]
        if not settings.public_url:
            said.append(("note", "without PUBLIC_URL the links in its messages lead nowhere"))
        return said

    async def wechat_app_secret(self) -> Said:
        settings = self._settings
        if not settings.wechat_app_secret:
            return [("ok", "none: we answer and never push" if settings.wechat_app_id else "none")]
        return [("ok" if good else "BAD", what) for good, what in await looked_at(settings)]

    async def weather_url(self) -> Said:
        if not self._settings.weather_url:
            return [("ok", "none: staff press weather levels by themselves")]
        city = load_city(self._settings.city_folder)
        said = await weather_feed.fetch(self._settings.weather_url, city.lat, city.lng, tuple(forecasts.UNITS))
        if said is None:
            return [("BAD", "the forecast does not answer")]
        try:
            hours = forecasts.read(said)
        except forecasts.Unreadable as trouble:
            return [("BAD", f"the forecast cannot be read ({trouble})")]
        rules = forecasts.rules_of(self._settings.city_folder)
        return [("ok", f"the forecast tells {len(hours.times)} hours, {len(rules)} thresholds propose warnings")]

    async def tiles_url(self) -> Said:
        address = self._settings.tiles_url
        if not address:
            return [("ok", "none: the map has no tiles")]
        try:
            tile = address.replace("{s}", "a").format(z=10, x=827, y=405)
        except (KeyError, IndexError, ValueError):
            return [("BAD", "it must hold {z}, {x} and {y}, and no other braces")]
        answers, how = await self._answers(tile)
        said: Said = [("ok", "a tile came") if answers else ("BAD", f"no tile came ({how})")]
        if not self._settings.tiles_attribution:
            said.append(("note", "TILES_ATTRIBUTION should name where they come from"))
        return said

    async def trusted_proxies(self) -> Said:
        proxies = self._settings.trusted_proxies
        if self._settings.public_url and not proxies:
            return [("note", "none: behind a proxy everybody seems to come from its address")]
        return [("ok", proxies or "none")]

    async def _telegram(self, method: str) -> dict[str, Any] | str:
        """What a method of the Bot API returns, or why it does not."""
        settings = self._settings
        answer = await self._fetched(f"{settings.telegram_api_url}/bot{settings.telegram_token}/{method}", {})
        if isinstance(answer, str):
            return answer
        return answer["result"] if answer.get("ok") else f"refused ({answer.get('error_code')})"

    async def _fetched(self, address: str, wish: dict[str, Any]) -> dict[str, Any] | str:
        """The JSON object that answers `wish`, or why there is none; the address, perhaps secret, is not named."""
        try:
            async with self._http.post(address, json=wish) as answer:
                found = await answer.json(content_type=None)
                return found if isinstance(found, dict) else "no answer that could be understood"
        except ValueError:
            return "no answer that could be understood"
        except (aiohttp.ClientError, OSError) as trouble:
            return f"the server does not answer ({_kind_of(trouble)})"

    async def _answers(self, address: str) -> tuple[bool, str]:
        """Whether something is found at an address, and how that went."""
        try:
            async with self._http.get(address) as answer:
                return answer.status == 200, str(answer.status)
        except (aiohttp.ClientError, OSError, ValueError) as trouble:
            return False, _kind_of(trouble)


_SET: tuple[Weight, str] = "ok", "set"
# However the program runs, an address with these troubles is wrong.
_MISDIRECTED = {"name not found", "certificate refused"}


def _plain(settings: Settings, name: str) -> Said:
    """A setting by its value, or a secret by whether it is there."""
    value = getattr(settings, name)
    if any(part in name for part in _SECRET_PARTS):
        return [_SET if value else ("ok", "none")]
    match value:
        case bool():
            return [("ok", "yes" if value else "no")]
        case None | "":
            return [("ok", "none")]
    return [("ok", str(value))]


def _new_file(file: Path) -> tuple[Weight, str]:
    folder = next(parent for parent in file.absolute().parents if parent.exists())
    if os.access(folder, os.W_OK):
        return "ok", "made at the first start"
    return "BAD", f"nothing can be written in {folder}"


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _kind_of(trouble: BaseException) -> str:
    match trouble:
        case DBAPIError(orig=BaseException() as told):
            return type(told.__cause__ or told).__name__
        case aiohttp.ClientConnectorDNSError():
            return "name not found"
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLError():
            return "certificate refused"
        case TimeoutError():
            return "no answer in time"
    return type(trouble).__name__
