"""A stand-in of WeChat's API server on loopback that accepts what WeChat would accept, and nothing else."""

import asyncio
import hashlib
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Self

import orjson
from aiohttp import web

LIVES = timedelta(hours=2)
# Within this time before its end a stable token is replaced by the next one, and both hold.
OVERLAP = timedelta(minutes=5)
WINDOWS = {"message": (timedelta(hours=48), 5), "tap": (timedelta(minutes=1), 3)}
# Interfaces that only verified accounts have; of the others, an unverified subscription account has no menu.
VERIFIED = ("message/", "media/upload", "tags/")
CHINA = timezone(timedelta(hours=8))
NO_MENU_FOR = "subscription"
THINGS = {"thing": 20, "name": 10, "phrase": 5, "character_string": 32}


class Refusal(Exception):
    def __init__(self, code: int, message: str = "", **more: int) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.more = more


@dataclass
class Follower:
    """`sees` is what reached them, as words; `pictures` what they were shown, `told` what many were told at once."""

    sees: list[str] = field(default_factory=list)
    posts: list[dict[str, Any]] = field(default_factory=list)
    pictures: list[bytes] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    follows: bool = True
    windows: list[list[Any]] = field(default_factory=list)


@dataclass
class Mass:
    """A message to many: what it says and to whom, by its `number`."""

    number: int
    text: str
    to: set[str]
    at: datetime


class WeChatStandIn:
    """`async with WeChatStandIn() as wechat`: the API at `wechat.url` for one account of a `kind`.

    `calls` are the paths that were asked for, `refused` the code of each refusal.
    """

    def __init__(
        self,
        kind: str = "service-verified",
        *,
        app_id: str = "wx5823bf96d3bd56c7",
        secret: str = "5ecr37",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.kind = kind
        self.app_id = app_id
        self.secret = secret
        self.url = ""
        self.now = now
        self.calls: list[str] = []
        self.refused: list[int] = []
        self.tokens: dict[str, datetime] = {}
        self.menu: list[dict[str, Any]] = []
        self.media: dict[str, bytes] = {}
        self.mass: dict[str, Mass] = {}
        self.tags: dict[int, tuple[str, set[str]]] = {}
        self.templates: list[tuple[str, str, dict[str, Any]]] = []
        self.allows_address = True
        self.followers: dict[str, Follower] = {}
        self._numbers = itertools.count(1)
        self._failures: list[tuple[str, int | bytes | None]] = []
        self._held: list[str] = []
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=2**23)
        app.add_routes([web.route("*", "/cgi-bin/{path:.+}", self._serve)])
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._runner
        await self._runner.cleanup()

    # What tests say to it

    def follower(self, openid: str) -> Follower:
        return self.followers.setdefault(openid, Follower())

    def heard(self, openid: str, kind: str) -> None:
        """A follower did something that opens a window: `message` or `tap`."""
        lasts, pushes = WINDOWS[kind]
        follower = self.follower(openid)
        follower.windows = [one for one in follower.windows if one[0] != kind]
        follower.windows.append([kind, self.now() + lasts, pushes])

    def left(self, openid: str) -> int:
        """How many pushes this follower allows now."""
        return sum(one[2] for one in self.follower(openid).windows if one[1] > self.now())

    def fail(self, path: str, *failures: int | bytes | None) -> None:
        """Let the next calls of `path` fail so: an errcode, a body that is no answer, or a cut connection."""
        self._failures += [(path, failure) for failure in failures]

    def hold(self, path: str) -> None:
        """Let the next call of `path` have its effect, but never its answer."""
        self._held.append(path)

    def forget_tokens(self) -> None:
        """Somebody else fetched another token: those before it are refused."""
        self.tokens.clear()

    # What it answers

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        self.calls.append(path)
        body = b"" if request.content_type.startswith("multipart/") else await request.read()
        for n, (where, failure) in enumerate(self._failures):
            if where == path:
                del self._failures[n]
                if isinstance(failure, int):
                    return self._refusal(Refusal(failure, "as the test wants"))
                if failure is None:
                    assert request.transport
                    request.transport.close()
                    return web.Response()
                return web.Response(body=failure)
        try:
            answer = await self._answer(request, path, body)
        except Refusal as refusal:
            return self._refusal(refusal)
        if path in self._held:
            self._held.remove(path)
            await asyncio.Event().wait()
        return web.json_response({"errcode": 0, "errmsg": "ok", **answer} if path != "stable_token" else answer)

    def _refusal(self, refusal: Refusal) -> web.Response:
        self.refused.append(refusal.code)
        said = {"errcode": refusal.code, "errmsg": f"{refusal.message} rid: 66f3bd4d-25a283a9"}
        return web.json_response(said | refusal.more)

    async def _answer(self, request: web.Request, path: str, body: bytes) -> dict[str, Any]:
        if path == "stable_token":
            return self._token(self._read(body))
        self._admit(path, request.query.get("access_token", ""))
        if path.startswith("message/"):
            return self._message(path, self._read(body))
        if path.startswith("tags/"):
            return self._tag(path, self._read(body) if body else {})
        match path:
            case "get_api_domain_ip":
                return {"ip_list": ["127.0.0.1"]}
            case "menu/create":
                self.menu = _checked_menu(self._read(body)["button"])
            case "menu/get" if not self.menu:
                raise Refusal(46003, "menu no exist")
            case "menu/get":
                return {}
            case "ticket/getticket" if request.query.get("type") == "jsapi":
                return {"ticket": f"ticket-{next(self._numbers)}", "expires_in": 7200}
            case "media/upload":
                return await self._upload(request)
            case _:
                raise Refusal(40066, "invalid url")
        return {}

    def _admit(self, path: str, token: str) -> None:
        if not token:
            raise Refusal(41001)
        if token not in self.tokens:
            raise Refusal(40001, "invalid credential, access_token is invalid or not latest")
        if self.tokens[token] <= self.now():
            raise Refusal(42001, "access_token expired")
        if path.startswith(VERIFIED) and not self.kind.endswith("-verified"):
            raise Refusal(48001, "api unauthorized")
        if path.startswith("menu/") and self.kind == NO_MENU_FOR:
            raise Refusal(48001, "api unauthorized")

    def _message(self, path: str, post: dict[str, Any]) -> dict[str, Any]:
        match path:
            case "message/custom/send":
                self._custom(post)
            case "message/template/send" | "message/subscribe/bizsend":
                self._template(path, post)
            case "message/mass/sendall":
                return self._mass(post)
            case _:
                raise Refusal(40066, "invalid url")
        return {}

    def _read(self, body: bytes) -> dict[str, Any]:
        if rb"\u" in body:
            raise Refusal(40033, "invalid charset: escaped characters are shown as they are")
        try:
            read: dict[str, Any] = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise Refusal(47001, "data format error") from None
        return read

    def _token(self, asked: dict[str, Any]) -> dict[str, Any]:
        if not self.allows_address:
            raise Refusal(40164, "invalid ip 127.0.0.1, not in whitelist")
        if asked.get("grant_type") != "client_credential":
            raise Refusal(40002)
        if asked.get("appid") != self.app_id:
            raise Refusal(40013, "invalid appid")
        if asked.get("secret") != self.secret:
            raise Refusal(40125, "invalid appsecret")
        now = self.now()
        current = next((token for token, until in self.tokens.items() if until - OVERLAP > now), "")
        if asked.get("force_refresh"):
            self.tokens.clear()
            current = ""
        if not current:
            current = f"{next(self._numbers)}_{hashlib.sha256(self.secret.encode()).hexdigest()}"
            self.tokens[current] = now + LIVES
        return {"access_token": current, "expires_in": int((self.tokens[current] - now).total_seconds())}

    async def _upload(self, request: web.Request) -> dict[str, Any]:
        if request.query.get("type") != "image":
            raise Refusal(40004)
        form = await request.post()
        media = form.get("media")
        if not isinstance(media, web.FileField):
            raise Refusal(41005)
        content = media.file.read()
        if not (content.startswith((b"\x89PNG", b"\xff\xd8\xff")) and media.filename.endswith((".png", ".jpg"))):
            raise Refusal(40005)
        media_id = f"media-{next(self._numbers)}"
        self.media[media_id] = content
        return {"type": "image", "media_id": media_id, "created_at": int(self.now().timestamp())}

    def _custom(self, post: dict[str, Any]) -> None:
        follower = self.followers.get(post.get("touser", ""))
        if follower is None:
            raise Refusal(40003, "invalid openid")
        kind = post.get("msgtype", "")
        if set(post) != {"touser", "msgtype", kind}:
            raise Refusal(40035)
        shown = self._shown(kind, post[kind])
        if not follower.follows:
            raise Refusal(45015, "response out of time limit or subscription is canceled")
        open_ones = [one for one in follower.windows if one[1] > self.now()]
        if not open_ones:
            raise Refusal(45015, "response out of time limit or subscription is canceled")
        window = next((one for one in open_ones if one[2] > 0), None)
        if window is None:
            raise Refusal(45047, "out of response count limit")
        window[2] -= 1
        follower.posts.append(post)
        if kind == "image":
            follower.pictures.append(self.media[post["image"]["media_id"]])
        follower.sees.append(shown)

    def _shown(self, kind: str, content: dict[str, Any]) -> str:
        match kind:
            case "text":
                _short(content["content"], 2048, 45002)
                return str(content["content"])
            case "image":
                if content["media_id"] not in self.media:
                    raise Refusal(40007, "invalid media_id")
                return "[image]"
            case "news":
                (article,) = content["articles"]
                _short(article["title"], 128, 45003)
                _short(article["url"], 1024, 45006)
                return f"{article['title']}\n{article['description']}\n{article['url']}"
            case "msgmenu":
                _short(content["head_content"], 1024, 45002)
                if not 1 <= len(content["list"]) <= 10:
                    raise Refusal(40035)
                for item in content["list"]:
                    _short(item["id"], 64, 40035)
                    _short(item["content"], 128, 40035)
                return "\n".join([content["head_content"], *(item["content"] for item in content["list"])])
        raise Refusal(40008, "invalid message type")

    def _template(self, path: str, post: dict[str, Any]) -> None:
        if path == "message/template/send" and not self.kind.startswith("service"):
            raise Refusal(48001)
        follower = self.followers.get(post["touser"])
        if follower is None or not follower.follows:
            raise Refusal(43004, "require subscribe")
        for name, given in post["data"].items():
            kind = re.sub(r"\d+$", "", name)
            value = given["value"]
            if not value or len(value) > THINGS.get(kind, 32):
                raise Refusal(47003, "argument invalid!")
        self.templates.append((post["touser"], post["template_id"], post["data"]))

    def _tag(self, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        match path:
            case "tags/get":
                return {"tags": [{"id": id, "name": name, "count": len(to)} for id, (name, to) in self.tags.items()]}
            case "tags/create":
                return {"tag": self._new_tag(asked["tag"]["name"])}
            case "tags/delete":
                if self.tags.pop(asked["tag"]["id"], None) is None:
                    raise Refusal(45159)
            case "tags/members/batchtagging":
                users = asked["openid_list"]
                if not 1 <= len(users) <= 50:
                    raise Refusal(40032)
                if asked["tagid"] not in self.tags:
                    raise Refusal(45159)
                if not set(users) <= self.followers.keys():
                    raise Refusal(40003)
                self.tags[asked["tagid"]][1].update(users)
            case _:
                raise Refusal(40066, "invalid url")
        return {}

    def _new_tag(self, name: str) -> dict[str, Any]:
        if not 0 < len(name) <= 30:
            raise Refusal(45158)
        if any(name == known for known, _to in self.tags.values()):
            raise Refusal(45157)
        if len(self.tags) >= 100:
            raise Refusal(45056)
        id = next(self._numbers)
        self.tags[id] = name, set()
        return {"id": id, "name": name}

    def _mass(self, post: dict[str, Any]) -> dict[str, Any]:
        text, key = post["text"]["content"], post.get("clientmsgid", "")
        _short(text, 2048, 45002)
        _short(key, 64, 40035)
        if key in self.mass:
            raise Refusal(45065, "clientmsgid exist", msg_id=self.mass[key].number)
        local = self.now().astimezone(CHINA)
        is_service = self.kind.startswith("service")
        since = local.replace(day=1 if is_service else local.day, hour=0, minute=0, second=0, microsecond=0)
        if sum(one.at >= since for one in self.mass.values()) >= (4 if is_service else 1):
            raise Refusal(45028, "has no masssend quota")
        filtered = post["filter"]
        if filtered["is_to_all"] or filtered["tag_id"] not in self.tags:
            raise Refusal(40050, "invalid tag")
        to = {user for user in self.tags[filtered["tag_id"]][1] if self.followers[user].follows}
        self.mass[key] = Mass(next(self._numbers), text, to, self.now())
        for user in to:
            self.followers[user].told.append(text)
        return {"msg_id": self.mass[key].number, "msg_data_id": next(self._numbers)}


def _short(text: str, most: int, code: int) -> None:
    if not 0 < len(text.encode()) <= most:
        raise Refusal(code, "size out of limit")


def _checked_menu(buttons: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if not 1 <= len(buttons) <= 3:
        raise Refusal(40016)
    for button in buttons:
        _short(button["name"], 16, 40018)
        if not 1 <= len(button["sub_button"]) <= 5:
            raise Refusal(40023)
        for entry in button["sub_button"]:
            _short(entry["name"], 60, 40025)
            if entry["type"] not in ("click", "view", "location_select"):
                raise Refusal(40024)
            if entry["type"] == "view":
                _short(entry["url"], 1024, 40027)
            else:
                _short(entry["key"], 128, 40026)
    return buttons
