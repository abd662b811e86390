"""A stand-in of Telegram's Bot API on loopback that accepts what Telegram would accept, and nothing else."""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal, Self

import orjson
from aiohttp import ClientSession, web

from bot.clock import monotonic
from tests.standins import telegram_rules as rules
from tests.standins.telegram_calls import REFUSALS, Call, answer, message, read, refusal
from tests.standins.telegram_updates import Update

Failure = Literal[
    "blocked",
    "deactivated",
    "chat not found",
    "bad request",
    "throttled",
    "throttled without a time",
    "unauthorized",
    "conflict",
    "error",
    "bad gateway",
    "slow",
    "drop",
    "sent but dropped",
    "garbage",
    "late",
]
# How long a late answer takes, in seconds.
LATE = 1.5


@dataclass(frozen=True, slots=True)
class Pushed:
    """What the bot answered to a pushed update: the HTTP status, and the call in the response if any."""

    status: int
    call: Call | None = None


@dataclass(slots=True)
class _Trap:
    failure: Failure
    times: int
    method: str
    chat: int | None
    retry_after: int


class TelegramStandIn:
    """`async with TelegramStandIn() as telegram`: a Bot API at `telegram.url` for the bot `telegram.token`.

    `calls` are all requests; `sent` are the accepted ones that put a message into a chat, in order, with those
    that rode in a webhook's response; `refused` broke a rule of the Bot API, `throttled` came too fast. `clock` is
    for `limit` and the times of calls.
    """

    def __init__(self, token: str = "42:STAND-IN", *, clock: Callable[[], float] = monotonic) -> None:
        self.token = token
        self.url = ""
        self.calls: list[Call] = []
        self.sent: list[Call] = []
        self.refused: list[Call] = []
        self.commands: dict[tuple[str, str], list[dict[str, str]]] = {}
        self.webhook: dict[str, Any] = {}
        self.acknowledged: list[str] = []
        self.released = asyncio.Event()
        self._clock = clock
        self._pending: dict[int, Update] = {}
        self._files: set[str] = set()
        self._photos: dict[str, bytes] = {}
        self._presses: set[str] = set()
        self._traps: list[_Trap] = []
        self._limits: tuple[int, int] | None = None
        self._misbehave: Callable[[Call], Failure | None] = lambda _call: None
        self.throttled: list[Call] = []
        self._times: dict[int | None, deque[float]] = {}
        self._poll: asyncio.Future[bool] | None = None
        self._closing = False
        self._client: ClientSession | None = None
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.add_routes(
            [
                web.post("/bot{token}/{method}", self._serve),
                web.get("/file/bot{token}/photos/{name}", self._serve_file),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._client = ClientSession()
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._client
        assert self._runner
        self._closing = True
        self.released.set()
        self._wake(True)
        await self._client.close()
        await self._runner.cleanup()

    # What tests say to it

    def limit(self, *, per_second: int = 30, per_chat: int = 1) -> None:
        """From now on answer 429 to more messages a second than these."""
        self._limits = (per_second, per_chat)

    def fail(
        self,
        failure: Failure,
        *,
        times: int = 1,
        method: str = "",
        chat: int | None = None,
        retry_after: int = 3,
    ) -> None:
        """Let the next `times` requests fail (of `method`, to `chat`, where given).

        `slow` waits for `released` and then goes on; `late` takes LATE seconds; `sent but dropped` is done, but
        nobody is told.
        """
        self._traps.append(_Trap(failure, times, method, chat, retry_after))

    def misbehave(self, choose: Callable[[Call], Failure | None]) -> None:
        """From now on let `choose` say how each message fails, None for not at all."""
        self._misbehave = choose

    def forget_files(self) -> None:
        """From now on the pictures that were uploaded are not known by their names any more."""
        self._files.clear()

    def keep_photo(self, file_id: str, picture: bytes) -> None:
        """Have a picture that somebody sent, for getFile."""
        self._photos[file_id] = picture

    def recover(self) -> None:
        """Let nothing fail any more."""
        self._traps.clear()
        self.released.set()

    def queue(self, *updates: Update) -> None:
        """Keep updates for getUpdates, until a higher offset confirms them."""
        for update in updates:
            self._expect(update)
            self._pending[update["update_id"]] = update
        self._wake(True)

    @property
    def unconfirmed(self) -> list[int]:
        """The numbers of the updates that getUpdates would still give."""
        return sorted(self._pending)

    async def push(self, update: Update, *, secret: str | None = None) -> Pushed:
        """Post an update to the webhook that was set, and accept the call in its response if it is right."""
        self._expect(update)
        return await self.post(orjson.dumps(update), secret=secret)

    async def post(self, body: bytes, *, secret: str | None = None) -> Pushed:
        """The same with any body."""
        assert self._client
        token = self.webhook.get("secret_token", "") if secret is None else secret
        headers = {"Content-Type": "application/json", "X-Telegram-Bot-Api-Secret-Token": token}
        async with self._client.post(self.webhook["url"], data=BytesIO(body), headers=headers) as response:
            body = await response.read()
            if response.status != 200 or not body:
                return Pushed(response.status)
            is_json = response.content_type == "application/json"
        params = orjson.loads(body) if is_json else {}
        call = Call(params.pop("method", ""), params, at=self._clock(), direct=True)
        self.calls.append(call)
        with suppress(rules.Refused):
            self._accept(call)
        return Pushed(200, call)

    def messages_to(self, chat: int) -> list[Call]:
        """What `chat` was shown, in order."""
        return [call for call in self.sent if call.chat == chat]

    def made(self, method: str) -> list[Call]:
        """All requests of one method, in order."""
        return [call for call in self.calls if call.method == method]

    # What the bot says to it

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["token"] != self.token:
            return refusal(401, "Unauthorized")
        method = request.match_info["method"]
        if told := self._told(method):
            return answer({"ok": True, "result": told})
        if not rules.knows(method):
            self.refused.append(Call(method, {}, problem="Not Found"))
            return refusal(404, "Not Found")
        call = await read(method, request)
        call.at = self._clock()
        self.calls.append(call)
        if wait := self._over_limit(call):
            self.throttled.append(call)
            return refusal(429, f"Too Many Requests: retry after {wait}", {"retry_after": wait})
        if trap := self._trapped(call):
            failed = await self._failed(trap, call, request)
            if failed is not None:
                return failed
        try:
            return answer({"ok": True, "result": await self._result(call)})
        except rules.Refused as refused:
            return refusal(409 if str(refused).startswith("Conflict") else 400, str(refused))

    async def _serve_file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"].removesuffix(".jpg")
        if request.match_info["token"] != self.token or name not in self._photos:
            return web.Response(status=404)
        return web.Response(body=self._photos[name], content_type="application/octet-stream")

    def _told(self, method: str) -> dict[str, Any] | None:
        """What it says of the bot when asked, which takes no parameters."""
        match method:
            case "getMe":
                return {"id": 42, "is_bot": True, "first_name": "暖心", "username": "nuanxin_bot"}
            case "getWebhookInfo":
                url = self.webhook.get("url", "")
                return {"url": url, "has_custom_certificate": False, "pending_update_count": 0}
        return None

    async def _result(self, call: Call) -> Any:
        if call.method == "getUpdates":
            self._check(call)
            return await self._updates(call)
        return self._accept(call)

    def _check(self, call: Call) -> None:
        try:
            rules.check(call.method, call.params, call.files)
        except rules.Refused as refused:
            call.problem = str(refused)
            self.refused.append(call)
            raise

    def _accept(self, call: Call) -> Any:
        """Do what a right call says; refuse a wrong one."""
        self._check(call)
        match call.method:
            case "answerCallbackQuery":
                if call.params["callback_query_id"] not in self._presses:
                    raise rules.Refused("Bad Request: query is too old or query ID is invalid")
                self.acknowledged.append(call.params["callback_query_id"])
            case "getFile":
                if (id := call.params["file_id"]) not in self._photos:
                    raise rules.Refused("Bad Request: wrong file_id or the file is temporarily unavailable")
                sizes = {"file_size": len(self._photos[id])}
                return {"file_id": id, "file_unique_id": id[-6:], "file_path": f"photos/{id}.jpg", **sizes}
            case "setWebhook":
                self.webhook = call.params
            case "deleteWebhook":
                self.webhook = {}
            case "setMyCommands" | "deleteMyCommands":
                scope = call.params.get("scope", {"type": "default"})
                key = str(scope.get("chat_id", scope["type"])), call.params.get("language_code", "")
                self.commands[key] = call.params.get("commands", [])
            case "editMessageText" | "editMessageCaption":
                return self._edited(call)
            case _:
                if call.method == "sendPhoto":
                    self._keep_photo(call)
                call.message_id = len(self.sent) + 1
                self.sent.append(call)
                return message(call)
        return True

    def _keep_photo(self, call: Call) -> None:
        if not call.files and call.photo not in self._files:
            raise rules.Refused("Bad Request: wrong file identifier/HTTP URL specified")
        self._files.add(call.photo)

    def _edited(self, call: Call) -> Any:
        number = call.params.get("message_id")
        for old in self.messages_to(call.chat):
            if old.message_id == number:
                if (call.method == "editMessageText") != (old.method == "sendMessage"):
                    kind = "text" if call.method == "editMessageText" else "caption"
                    raise rules.Refused(f"Bad Request: there is no {kind} in the message to edit")
                if (old.text, old.buttons) == (call.text, call.buttons):
                    raise rules.Refused("Bad Request: message is not modified")
                kept = {name: value for name, value in old.params.items() if name != "reply_markup"}
                old.params = kept | call.params
                return message(old)
        raise rules.Refused("Bad Request: message to edit not found")

    async def _updates(self, call: Call) -> list[Update]:
        if self.webhook.get("url"):
            raise rules.Refused("Conflict: can't use getUpdates method while webhook is active")
        self._wake(False)
        offset, limit = call.params.get("offset", 0), call.params.get("limit", 100)
        numbers = self.unconfirmed
        first = offset if offset >= 0 else (numbers[offset:] or [0])[0]
        self._pending = {number: update for number, update in self._pending.items() if number >= first}
        if not self._pending and (seconds := call.params.get("timeout", 0)) and not self._closing:
            await self._something(seconds)
        allowed = call.params.get("allowed_updates") or []
        found = [self._pending[number] for number in self.unconfirmed]
        return [update for update in found if not allowed or any(kind in update for kind in allowed)][:limit]

    async def _something(self, seconds: float) -> None:
        """Wait for an update; another poll ends this one."""
        poll = self._poll = asyncio.get_running_loop().create_future()
        with suppress(TimeoutError):
            if not await asyncio.wait_for(poll, seconds):
                raise rules.Refused("Conflict: terminated by other getUpdates request")

    def _wake(self, found: bool) -> None:
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(found)
        self._poll = None

    def _expect(self, update: Update) -> None:
        if isinstance(press := update.get("callback_query"), dict):
            self._presses.add(str(press.get("id")))

    def _trapped(self, call: Call) -> _Trap | None:
        for trap in self._traps:
            if trap.method in ("", call.method) and trap.chat in (None, call.chat):
                trap.times -= 1
                if trap.times == 0:
                    self._traps.remove(trap)
                return trap
        if call.method.startswith("send") and (failure := self._misbehave(call)):
            return _Trap(failure, 1, "", None, 3)
        return None

    async def _failed(self, trap: _Trap, call: Call, request: web.Request) -> web.StreamResponse | None:
        match trap.failure:
            case "slow":
                await self.released.wait()
                return None
            case "late":
                await asyncio.sleep(LATE)
                return None
            case "drop" | "sent but dropped":
                if trap.failure == "sent but dropped":
                    self._accept(call)
                assert request.transport
                request.transport.abort()
                return web.Response()
            case "garbage":
                return web.Response(body=b'{"ok": true, "resu', content_type="application/json")
            case "bad gateway":
                return web.Response(status=502, text="<html>502 Bad Gateway</html>", content_type="text/html")
            case "throttled":
                words = f"Too Many Requests: retry after {trap.retry_after}"
                return refusal(429, words, {"retry_after": trap.retry_after})
        return refusal(*REFUSALS[trap.failure])

    def _over_limit(self, call: Call) -> int:
        """Seconds to wait if this message is one too many; 0 if not."""
        if self._limits is None or not call.method.startswith(("send", "edit")):
            return 0
        now = self._clock()
        lanes = ((None, self._limits[0]), (call.chat, self._limits[1]))
        times = [(self._times.setdefault(lane, deque()), most) for lane, most in lanes]
        for past, most in times:
            while past and past[0] <= now - 1:
                past.popleft()
            if len(past) >= most:
                return math.ceil(past[0] + 1 - now) or 1
        for past, _most in times:
            past.append(now)
        return 0
