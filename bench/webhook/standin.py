"""A stand-in for Telegram's Bot API: it says yes to everything, at once or after a while."""

import asyncio
import re
from collections.abc import Callable

from bench.webhook.wire import Wire

FIRST_USER = 7_000_000_001

_USER = re.compile(rb"70\d{8}")
_MESSAGE = (
    b'{"ok":true,"result":{"message_id":4711,"from":{"id":123456,"is_bot":true,"first_name":"Bench",'
    b'"username":"bench_bot"},"chat":{"id":%b,"first_name":"Rider","type":"private"},"date":1767225600,'
    b'"text":"ok"}}'
)
_ME = (
    b'{"ok":true,"result":{"id":123456,"is_bot":true,"first_name":"Bench","username":"bench_bot",'
    b'"can_join_groups":true,"can_read_all_group_messages":false,"supports_inline_queries":false,'
    b'"can_connect_to_business":false,"has_main_web_app":false}}'
)
_WEBHOOK = b'{"ok":true,"result":{"url":"","has_custom_certificate":false,"pending_update_count":0}}'
_YES = b'{"ok":true,"result":true}'
_RESULTS = {b"getme": _ME, b"getwebhookinfo": _WEBHOOK, b"getmycommands": b'{"ok":true,"result":[]}'}


class StandIn:
    """Serves on a loopback port; `delay` seconds pass before each response, `sent` hears of each message."""

    def __init__(self, sent: Callable[[int, bytes], None]) -> None:
        self.delay = 0.0
        self.sent = sent
        self.calls: dict[str, int] = {}

    async def start(self) -> str:
        """Its address, as TELEGRAM_API_URL has it."""
        self._server = await asyncio.get_running_loop().create_server(lambda: _Call(self), "127.0.0.1", 0, backlog=1024)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        self._server.close()


class _Call(Wire):
    def __init__(self, standin: StandIn) -> None:
        super().__init__()
        self._standin = standin

    def message(self, head: bytes, body: bytes) -> None:
        path = head[: head.find(b" ", 5)].split(b"?", 1)[0]
        method = path[path.rfind(b"/") + 1 :].lower()
        if method == b"sendmessage":
            reply = self._sent(body)
        else:
            name = method.decode("ascii", "replace")
            self._standin.calls[name] = self._standin.calls.get(name, 0) + 1
            reply = _RESULTS.get(method, _YES)
        response = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
            len(reply),
            reply,
        )
        if self._standin.delay:
            asyncio.get_running_loop().call_later(self._standin.delay, self._answer, response)
        else:
            self.transport.write(response)

    def _sent(self, body: bytes) -> bytes:
        found = _USER.search(body, max(body.find(b"chat_id"), 0))
        if found is None:
            return _YES
        self._standin.sent(int(found.group()), body)
        return _MESSAGE % found.group()

    def _answer(self, response: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(response)
