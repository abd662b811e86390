"""Telegram: private chats with a bot, by webhook or by long polling."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import structlog
from aiohttp import web
from telegram.error import TelegramError

from bot.channels import AtOnce, Hear, Undelivered, Unreachable, unsure
from bot.channels.telegram.api import Api
from bot.channels.telegram.carrier import Carrier, Pace, Sleep
from bot.channels.telegram.decode import ALLOWED_UPDATES
from bot.channels.telegram.encode import CAPABILITIES, encode_edits
from bot.channels.telegram.errors import TooManyRequests, trace, undelivered
from bot.channels.telegram.plates import Plates
from bot.channels.telegram.polling import Polling, Report, backoff
from bot.channels.telegram.webhook import PATH, Webhook
from bot.messages import Address, Outgoing

Commands = Sequence[tuple[str, str]]  # (command without slash, description)

CONNECTIONS_TO_US = 100
SECONDS_BETWEEN_BEATS = 60.0
SECONDS_TO_CLOSE = 2.0
LARGEST_PHOTO = 8 * 2**20

_PATH = re.compile(r"[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+")
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")

log = structlog.get_logger()


class TelegramChannel:
    """One bot.

    `mode` is `webhook`, `polling` or `auto`: by webhook if there is a `public_url`. `commands` are worded per
    locale, with `zh_CN` among them. `pace` is awaited before each message outside a webhook's response.
    `beat` is told whether Telegram can be heard, and why not. Raises ValueError for a secret that Telegram
    refuses.
    """

    name = "telegram"
    can = CAPABILITIES

    def __init__(
        self,
        token: str,
        *,
        api_url: str,
        secret: str,
        mode: Literal["auto", "webhook", "polling"] = "auto",
        public_url: str = "",
        commands: Mapping[str, Commands],
        pace: Pace,
        beat: Report,
        sleep: Sleep,
        now: Callable[[], datetime],
    ) -> None:
        if not _SECRET.fullmatch(secret):
            raise ValueError("the webhook's secret must be 1 to 256 letters, digits, _ or -")
        self.by_webhook = mode == "webhook" or (mode == "auto" and bool(public_url))
        if self.by_webhook and not public_url:
            raise ValueError("a webhook needs a public address")
        self._api = Api(token, api_url)
        self._carrier = Carrier(self._api, pace, sleep)
        self._plates = Plates()
        self._secret = secret
        self._public_url = public_url.rstrip("/")
        self._commands = commands
        self._beat = beat
        self._sleep = sleep
        self._now = now
        self._health = (False, "not started")
        self.username = ""

    def routes(self, _hear: Hear) -> list[web.RouteDef]:
        """Nothing is asked of us beside the webhook."""
        return []

    def callback(self, hear: Hear, at_once: AtOnce = unsure) -> Webhook:
        """The webhook; there in both modes, since late deliveries still come after a change."""
        return Webhook(self._secret, hear, at_once, self._carrier, self._now)

    async def start(self) -> None:
        """Make ready for sending; asks nothing of Telegram yet."""
        await self._api.open()

    async def listen(self, hear: Hear) -> None:
        """Introduce the bot and, without a webhook, fetch what comes in for `hear`; until cancelled."""
        if self.by_webhook:
            await self._keep_webhook()
        polling = Polling(
            self._api,
            self._carrier,
            prepare=self._prepare_polling,
            report=self._report,
            sleep=self._sleep,
            now=self._now,
        )
        await polling.run(hear)

    async def send(self, to: Address, message: Outgoing) -> str:
        """Send now; the id is of the message that has the buttons, empty if there was nothing to say.

        What replaces an earlier message is put in its place, or said anew where Telegram does not allow that. After
        a failure between two parts of a message, other than a short throttle, a retry repeats the first part.
        """
        try:
            if message.replaces and await self._replaced(to, message):
                return message.replaces
            calls = self._plates.print(to, message)
        except ValueError as error:  # Unsayable, or no number of Telegram's
            raise Undelivered(str(error)) from error
        sent = await self._carrier.carry_all(to, calls)
        ids = [_message_id(result) for call, result in zip(calls, sent, strict=True) if call.main]
        return ids[-1] if ids else ""

    async def fetch(self, name: str) -> bytes | None:
        """The picture of that file id, at most LARGEST_PHOTO bytes; None, said in the log, if it cannot be had."""
        try:
            file = await self._carrier.call("getFile", {"file_id": name})
            path, size = (file.get("file_path"), file.get("file_size", 0)) if isinstance(file, dict) else (None, 0)
            # A server of one's own may name files of its machine, which are not to be had by HTTP.
            if not isinstance(path, str) or not _PATH.fullmatch(path) or type(size) is not int or size > LARGEST_PHOTO:
                log.warning("picture not fetched", channel=self.name, reason="too large, or no path")
                return None
            return await self._api.download(path, LARGEST_PHOTO)
        except TelegramError as error:
            log.warning("picture not fetched", channel=self.name, reason=str(undelivered(error)))
            return None

    async def _replaced(self, to: Address, message: Outgoing) -> bool:
        """Whether an earlier message says this now; one with a picture keeps it, with other words below."""
        for call in encode_edits(to, int(message.replaces), message):
            try:
                await self._carrier.carry(to, call)
            except Undelivered as error:
                if "not modified" in str(error):
                    return True
                if error.retry_in is not None or isinstance(error, Unreachable):
                    raise
            else:
                return True
        return False

    async def set_commands(self, to: Address, locale: str) -> None:
        """Show one person the commands in `locale`, whatever their app's language; raises Undelivered."""
        scope = {"type": "chat", "chat_id": int(to.user)}
        try:
            await self._set_commands(locale, scope=scope)
        except TelegramError as error:
            raise undelivered(error) from None

    def speaks(self, to: Address, locale: str) -> None:
        """Set the commands of this person in the background; one failure is left at that."""
        self._carrier.start(self._try_commands(to, locale))

    def health(self) -> tuple[bool, str]:
        """Whether Telegram was heard or reached at the last try, and what is wrong if not."""
        return self._health

    async def close(self) -> None:
        """Let acknowledgements in flight end within 2 seconds and close all connections."""
        await self._carrier.close(SECONDS_TO_CLOSE)
        await self._api.close_connections()

    async def _keep_webhook(self) -> None:
        """Register the webhook as soon as Telegram can be reached, then beat on."""
        failures = 0
        while True:
            try:
                await self._register()
            except TelegramError as error:
                failures += 1
                await self._report(False, f"{undelivered(error)} (try {failures})")
                asked = error.wait.total_seconds() if isinstance(error, TooManyRequests) else 0.0
                await self._sleep(max(asked, backoff(failures)))
            else:
                break
        while True:
            await self._report(True, "webhook")
            await self._sleep(SECONDS_BETWEEN_BEATS)

    async def _register(self) -> None:
        params = {
            "url": self._public_url + PATH,
            "secret_token": self._secret,
            "allowed_updates": list(ALLOWED_UPDATES),
            "max_connections": CONNECTIONS_TO_US,
        }
        await self._api.call("setWebhook", params)
        await self._introduce()

    async def _prepare_polling(self) -> None:
        await self._api.call("deleteWebhook", {})
        await self._introduce()

    async def _introduce(self) -> None:
        """Learn the bot's name and set its menu of commands: simplified Chinese unless the app speaks English."""
        me = await self._api.call("getMe", {})
        self.username = str(me.get("username", "")) if isinstance(me, dict) else ""
        await self._set_commands("zh_CN")
        await self._set_commands("zh_CN", language_code="zh")
        if "en" in self._commands:
            await self._set_commands("en", language_code="en")

    async def _set_commands(self, locale: str, **where: Any) -> None:
        commands = [
            {"command": command, "description": description}
            for command, description in self._commands.get(locale, self._commands["zh_CN"])
        ]
        await self._carrier.call("setMyCommands", {"commands": commands, **where})

    async def _try_commands(self, to: Address, locale: str) -> None:
        try:
            await self.set_commands(to, locale)
        except Undelivered as error:
            log.warning("commands not set", channel=self.name, reason=str(error))

    async def _report(self, ok: bool, detail: str) -> None:
        self._health = (ok, detail)
        try:
            await self._beat(ok, detail)
        except Exception as error:  # noqa: BLE001 (the edge: whoever listens must not stop the listening)
            log.error("beat failed", channel=self.name, error=type(error).__name__, trace=trace(error))


def _message_id(sent: Any) -> str:
    id = sent.get("message_id") if isinstance(sent, dict) else None
    return str(id) if type(id) is int else ""


__all__ = ["Commands", "TelegramChannel"]
