"""WeChat's API over HTTP: JSON there and back, one token for all processes, renewed once where it is refused."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, FormData, TCPConnector

from bot.channels.wechat.budget import Tokens
from bot.channels.wechat.errors import NO_MENU, SENT_BEFORE, STALE_TOKEN, TAG_IS_THERE, ApiError, Unclear

TIMEOUT = ClientTimeout(total=10)
CONNECTIONS = 50

Fields = Mapping[str, Any]

_JSON = {"Content-Type": "application/json; charset=utf-8"}


class Api:
    """One account. Every call raises ApiError unless WeChat did what was asked."""

    def __init__(self, app_id: str, secret: str, api_url: str, tokens: Tokens) -> None:
        self.app_id = app_id
        self._secret = secret
        self._url = f"{api_url.rstrip('/')}/cgi-bin/"
        self._tokens = tokens
        self._session: ClientSession | None = None

    async def close(self) -> None:
        session, self._session = self._session, None
        if session:
            await session.close()

    async def send(self, user: str, message: Fields) -> None:
        """A customer-service message; `message` is all of it but the person."""
        await self._call("message/custom/send", {"touser": user, **message})

    async def send_template(self, user: str, template_id: str, data: Fields, url: str = "") -> None:
        """A template message; `data` is what `templates.filled` makes."""
        link = {"url": url} if url else {}
        await self._call("message/template/send", {"touser": user, "template_id": template_id, "data": data, **link})

    async def send_subscribed(self, user: str, template_id: str, data: Fields, page: str = "") -> None:
        """A subscription notice; `data` is what `templates.filled` makes."""
        link = {"page": page} if page else {}
        await self._call(
            "message/subscribe/bizsend", {"touser": user, "template_id": template_id, "data": data, **link}
        )

    async def send_to_tag(self, tag: int, text: str, *, key: str) -> str:
        """A text to all who have a tag; `key` (64 bytes at most) makes a second try harmless. The message's number."""
        body = {
            "filter": {"is_to_all": False, "tag_id": tag},
            "msgtype": "text",
            "text": {"content": text},
            "clientmsgid": key,
        }
        try:
            answer = await self._call("message/mass/sendall", body)
        except ApiError as error:
            if error.code != SENT_BEFORE or not error.number:
                raise
            return error.number
        return str(answer.get("msg_id", ""))

    async def make_tag(self, name: str) -> int:
        """The number of the tag called `name`, made if there is none."""
        try:
            tag = (await self._call("tags/create", {"tag": {"name": name}})).get("tag")
        except ApiError as error:
            if error.code != TAG_IS_THERE:
                raise
            tags = (await self._call("tags/get", None)).get("tags")
            tag = next((one for one in tags if one.get("name") == name), None) if isinstance(tags, list) else None
        number = tag.get("id") if isinstance(tag, dict) else None
        if type(number) is not int:
            raise Unclear("unreadable answer")
        return number

    async def tag(self, number: int, users: Sequence[str]) -> None:
        """Give a tag to followers, 50 at most."""
        await self._call("tags/members/batchtagging", {"openid_list": list(users), "tagid": number})

    async def drop_tag(self, number: int) -> None:
        """Take a tag from everybody."""
        await self._call("tags/delete", {"tag": {"id": number}})

    async def upload(self, picture: bytes) -> str:
        """The id by which a PNG or JPEG can be sent for three days."""
        is_png = picture.startswith(b"\x89PNG")
        name, kind = ("picture.png", "image/png") if is_png else ("picture.jpg", "image/jpeg")

        def form() -> FormData:
            data = FormData()
            data.add_field("media", picture, filename=name, content_type=kind)
            return data

        answer = await self._call("media/upload", form, type="image")
        if not isinstance(answer.get("media_id"), str):
            raise Unclear("unreadable answer")
        return str(answer["media_id"])

    async def create_menu(self, buttons: Sequence[Fields]) -> None:
        """Put this menu in place of the one before; `buttons` are what `menu.encode` makes."""
        await self._call("menu/create", {"button": buttons})

    async def check(self) -> None:
        """Ask for something that needs nothing but a token and an address on the allow-list."""
        await self._call("get_api_domain_ip", None)

    async def see_menu(self) -> None:
        """Look at the menu, which shows whether the account may have one."""
        try:
            await self._call("menu/get", None)
        except ApiError as error:
            if error.code != NO_MENU:
                raise

    async def see_tags(self) -> None:
        """Look at the tags of followers, which only verified accounts may."""
        await self._call("tags/get", None)

    async def ticket(self) -> str:
        """The ticket with which addresses of pages are signed."""

        async def fetch() -> tuple[str, timedelta]:
            return _lasting(await self._call("ticket/getticket", None, type="jsapi"), "ticket")

        return await self._tokens.get(f"{self.app_id}:jsapi", fetch)

    async def _call(self, path: str, body: Any, **query: str) -> dict[str, Any]:
        """`body` is fields, what makes a form, or None for a GET."""
        token = await self._token()
        try:
            return await self._ask(path, body, {"access_token": token, **query})
        except ApiError as error:
            if error.code not in STALE_TOKEN:
                raise
        # Somebody may have renewed it meanwhile; if not, it is us who do, and once.
        token = await self._token(refused=token)
        return await self._ask(path, body, {"access_token": token, **query})

    async def _token(self, refused: str = "") -> str:
        async def fetch() -> tuple[str, timedelta]:
            value, lasts = await self._stable_token(force=False)
            # The platform takes its own token for a good one, and refuses it: only another one helps.
            return (value, lasts) if value != refused else await self._stable_token(force=True)

        try:
            return await self._tokens.get(self.app_id, fetch, refused=refused)
        except TimeoutError:
            raise Unclear("no token in time") from None

    async def _stable_token(self, *, force: bool) -> tuple[str, timedelta]:
        wish = {"grant_type": "client_credential", "appid": self.app_id, "secret": self._secret}
        answer = await self._ask("stable_token", {**wish, "force_refresh": force}, {})
        return _lasting(answer, "access_token")

    async def _ask(self, path: str, body: Any, query: Mapping[str, str]) -> dict[str, Any]:
        """One request. Errors name no address: the token is part of it."""
        if self._session is None:
            connector = TCPConnector(limit=CONNECTIONS)
            self._session = ClientSession(connector=connector, cookie_jar=DummyCookieJar(), timeout=TIMEOUT)
        sent: dict[str, Any] = {}
        if callable(body):
            sent = {"data": body()}
        elif body is not None:
            sent = {"data": orjson.dumps(body), "headers": _JSON}
        method = "POST" if sent else "GET"
        try:
            async with self._session.request(
                method, self._url + path, params=query, allow_redirects=False, **sent
            ) as response:
                status, payload = response.status, await response.read()
        except TimeoutError:
            raise Unclear("no answer in time") from None
        except (ClientError, OSError) as error:
            raise Unclear(type(error).__name__) from None
        if status != 200:
            raise Unclear(f"HTTP {status}")
        return _read(payload)


def signature(ticket: str, nonce: str, timestamp: int, url: str) -> str:
    """The signature that lets the page at `url` use the JS-SDK."""
    text = f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={url.partition('#')[0]}"
    return hashlib.sha1(text.encode()).hexdigest()


def _lasting(answer: Mapping[str, Any], name: str) -> tuple[str, timedelta]:
    """What an answer gives under `name`, and for how long it holds."""
    value, seconds = answer.get(name), answer.get("expires_in")
    if not isinstance(value, str) or type(seconds) is not int:
        raise Unclear("unreadable answer")
    return value, timedelta(seconds=seconds)


def _read(payload: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(payload)
    except orjson.JSONDecodeError:
        raise Unclear("unreadable answer") from None
    code = answer.get("errcode", 0) if isinstance(answer, dict) else None
    if type(code) is not int:
        raise Unclear("unreadable answer")
    if code:
        raise ApiError(code, number=str(answer.get("msg_id", "")))
    return dict(answer)
