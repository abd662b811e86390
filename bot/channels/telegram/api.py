"""The Bot API over HTTP: python-telegram-bot's `Bot` on an aiohttp client, and on a bare wire for what is said."""

import logging
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import quote

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, FormData, TCPConnector
from telegram import Bot
from telegram.error import NetworkError, TelegramError, TimedOut
from telegram.request import BaseRequest, RequestData

from bot.channels.telegram.encode import Call
from bot.channels.telegram.errors import too_many_requests
from bot.channels.telegram.wire import Wire

TIMEOUT = 15.0
CONNECTIONS = 100

_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Written:
    """A call whose JSON is made already; it takes the place of PTB's parameters."""

    method: str
    body: bytes


class AiohttpRequest(BaseRequest):
    """Carries PTB's requests as JSON, or as multipart where there are files; what is `Written` goes by a wire."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._session: ClientSession | None = None

    @property
    def read_timeout(self) -> float:
        return TIMEOUT

    async def initialize(self) -> None:
        if self._session is None:
            self._session = ClientSession(connector=TCPConnector(limit=CONNECTIONS), cookie_jar=DummyCookieJar())

    async def shutdown(self) -> None:
        self._wire.close()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def do_request(  # the other timeouts belong to PTB's interface: one, over all, serves them
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        write_timeout: Any = BaseRequest.DEFAULT_NONE,
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        if self._session is None:
            raise NetworkError("the connection is closed")
        seconds = TIMEOUT if read_timeout is BaseRequest.DEFAULT_NONE else read_timeout
        try:
            if isinstance(request_data, Written):
                status, payload = await self._wire.post(request_data.method, request_data.body, seconds)
            else:
                body = _body(request_data) if request_data else {}
                status, payload = await self._requested(method, url, timeout=ClientTimeout(seconds), **body)
        except TimeoutError:
            raise TimedOut from None  # aiohttp's own words name the address, and the token is part of it
        except (ClientError, OSError) as error:
            raise NetworkError(type(error).__name__) from None
        if status == 429:
            raise too_many_requests(_parsed(payload))
        return status, payload

    async def _requested(self, method: str, url: str, **how: Any) -> tuple[int, bytes]:
        assert self._session
        async with self._session.request(method, url, allow_redirects=False, **how) as response:
            return response.status, await response.read()

    async def download(self, url: str, most: int) -> bytes | None:
        """What is at `url`, read no further than `most` bytes, None if it is more; raises TelegramError."""
        if self._session is None:
            raise NetworkError("the connection is closed")
        body = bytearray()
        try:
            async with self._session.get(url, timeout=ClientTimeout(TIMEOUT), allow_redirects=False) as response:
                if response.status != 200:
                    raise NetworkError(f"HTTP {response.status}")
                async for part in response.content.iter_any():
                    body += part
                    if len(body) > most:
                        return None
        except TimeoutError:
            raise TimedOut from None
        except (ClientError, OSError) as error:
            raise NetworkError(type(error).__name__) from None
        return bytes(body)

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        answer = _parsed(payload)
        if not isinstance(answer, dict):
            raise TelegramError("unreadable answer")
        return answer


class Api(Bot):
    """PTB's Bot with a lean way to call a method: no objects are built from the answer."""

    # PTB writes addresses, texts and numbers of people into its debug log; this logger goes nowhere.
    _LOGGER = logging.Logger("silent", logging.CRITICAL + 1)

    def __init__(self, token: str, api_url: str) -> None:
        root = api_url.rstrip("/")
        request = AiohttpRequest(Wire(f"{root}/bot{token}", CONNECTIONS))
        super().__init__(
            token, f"{root}/bot", base_file_url=f"{root}/file/bot", request=request, get_updates_request=request
        )
        self._carrier = request

    async def open(self) -> None:
        """Make the pool of connections; nothing is asked of Telegram yet."""
        await self.request.initialize()

    async def close_connections(self) -> None:
        await self.request.shutdown()

    async def call(self, method: str, params: dict[str, Any], *, seconds: float | None = None) -> Any:
        """The call's `result` as plain JSON values; raises TelegramError."""
        try:
            return await self._post(method, params, read_timeout=TIMEOUT if seconds is None else seconds)
        except (AttributeError, KeyError, TypeError):
            raise TelegramError("unreadable answer") from None

    async def download(self, path: str, most: int) -> bytes | None:
        """The file that Telegram keeps under `path`, None for one of more than `most` bytes; raises TelegramError."""
        return await self._carrier.download(f"{self.base_file_url}/{quote(path)}", most)

    async def carry(self, call: Call) -> Any:
        """The same for a `Call` without a photo."""
        written: Any = Written(call.method, call.body or orjson.dumps(call.params))  # PTB only hands it on to us
        try:
            return await self.request.post(f"{self.base_url}/{call.method}", written)
        except (AttributeError, KeyError, TypeError):
            raise TelegramError("unreadable answer") from None


def _body(request_data: RequestData) -> dict[str, Any]:
    if not request_data.contains_files:
        return {
            "data": orjson.dumps(request_data.parameters),
            "headers": _JSON,
        }
    form = FormData()
    for name, value in request_data.json_parameters.items():
        form.add_field(name, value)
    for name, (filename, content, kind) in request_data.multipart_data.items():
        file = BytesIO(content) if isinstance(content, bytes) else content
        form.add_field(name, file, filename=filename, content_type=kind)
    return {"data": form}


def _parsed(payload: bytes) -> object:
    try:
        parsed: object = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    return parsed
