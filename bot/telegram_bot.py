"""Builds the Telegram channel from the settings: its secret, its commands in each language, its pace."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from bot import i18n
from bot.channels import Channel
from bot.clock import monotonic
from bot.database import Database
from bot.handlers.commands import COMMANDS
from bot.i18n import LOCALES
from bot.messages import Address
from bot.pacing import OwnSteps, Pacer, SharedSteps, Steps
from bot.seals import Seals
from bot.settings import Settings

Beat = Callable[[bool, str], None]


def telegram_pacer(settings: Settings, database: Database) -> Pacer:
    """Even steps of the token: this process's own on SQLite, shared by all on PostgreSQL."""
    rate = settings.telegram_rate
    own = database.embedded
    steps: Steps = OwnSteps(rate, monotonic) if own else SharedSteps(database, "telegram", rate)
    return Pacer(steps, monotonic)


def telegram_channel(
    settings: Settings, seals: Seals, pacer: Pacer, *, zone: ZoneInfo, beat: Beat, now: Callable[[], datetime]
) -> Channel:
    """The channel of the bot whose token is set; `beat` is told whether Telegram was heard or reached."""
    # Its library takes a quarter of a second and 20 MB, which only those who have a bot there need to spend.
    from bot.channels.telegram import TelegramChannel

    async def report(ok: bool, detail: str) -> None:
        beat(ok, detail)

    async def pace(to: Address) -> Callable[[], None]:
        return await pacer.step(to.user)

    words = {
        locale: [(command, i18n.voice(locale, zone).word(what)) for command, what in COMMANDS.items()]
        for locale in LOCALES
    }
    return TelegramChannel(
        settings.telegram_token,
        api_url=settings.telegram_api_url,
        secret=settings.telegram_secret or seals.signature("telegram-webhook", settings.telegram_token, 32),
        mode="webhook" if settings.telegram_webhook else "polling",
        public_url=settings.public_url,
        commands=words,
        pace=pace,
        beat=report,
        sleep=asyncio.sleep,
        now=now,
    )
