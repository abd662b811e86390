"""People of the stories on WeChat: what they say crosses the real callback, what is pushed a stand-in of the API."""

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, ClassVar

from aiohttp import web

from bot.channels import Answer
from bot.channels.wechat import PATH
from bot.channels.wechat.crowds import Crowds
from bot.database import Database
from bot.geo import convert
from bot.messages import Address, Incoming, Outgoing
from bot.official_account import OfficialAccount, official_account
from bot.seals import Seals
from bot.services.tokens import Tokens
from bot.settings import load
from bot.web.front import Front
from tests.channels.wechat.phone import AES_KEY, APP_ID, TOKEN, Phone, Reply
from tests.chat import CITY, PretendChannel, RiderInTest, World, _options
from tests.standins.wechat import WeChatStandIn

SECRET = "5ecr37"


class AccountInTest(PretendChannel):
    """The channel as a world sees it: the real one, and what everybody saw of it."""

    def __init__(self, account: OfficialAccount) -> None:
        super().__init__(account.channel.name, account.channel.can)
        self.real = account.channel
        if hasattr(self.real, "present"):
            self.present = self.real.present

    async def send(self, to: Address, message: Outgoing) -> str:
        return await self.real.send(to, message)


class CallbackWorld(World):
    """The whole bot behind one account. Riders speak English unless they are made otherwise."""

    wechat: WeChatStandIn
    phone: Phone
    crowds: Crowds | None
    languages: dict[str, str]
    looked_at: Counter[str]
    taps_made: "count[int]"

    def rider(self, user: str, locale: str = "en") -> "RiderOnWeChat":
        self.languages[user] = locale
        self.wechat.follower(user)
        return RiderOnWeChat(self, Address(self.channel.name, user), locale)

    async def hear(self, heard: Incoming) -> Answer:
        said = await self.engine.hear(self._in_their_language(heard), self.channel.can)
        return Answer(said.direct, said.sent)

    async def read(self, heard: Incoming) -> Answer | None:
        await asyncio.sleep(0)
        said = await self.engine.read(self._in_their_language(heard), self.channel.can)
        return Answer(said.direct) if said else None

    def _in_their_language(self, heard: Incoming) -> Incoming:
        """WeChat tells nobody's language; the stories are told in English."""
        return heard._replace(locale=self.languages[heard.sender.user])


@asynccontextmanager
async def behind_an_account(
    database: Database, kind: str, *, aes: bool = False, restarting: bool = False, patience: float = 4.5
) -> AsyncIterator[CallbackWorld]:
    """A world whose riders are on an account of this kind, in plain or in AES mode."""
    async with WeChatStandIn(kind, app_id=APP_ID, secret=SECRET) as wechat:
        settings = load(
            wechat_app_id=APP_ID,
            wechat_token=TOKEN,
            wechat_app_secret=SECRET,
            wechat_aes_key=AES_KEY if aes else "",
            wechat_account=kind,
            wechat_api_url=wechat.url,
            secret_key="for tests only " * 3,
        )
        seals = Seals("for tests")
        tokens = Tokens(database, seals, lambda: world.now)
        account = official_account(
            settings,
            database,
            tokens,
            seals,
            now=lambda: world.now,
            zone=CITY.zone,
            read=lambda heard: world.read(heard),
            writes=lambda heard: world.engine.must_write(heard),
            arrived=lambda person: world.courier.bring(person),
            patience=patience,
        )
        world = CallbackWorld(database, AccountInTest(account), restarting=restarting)
        world.wechat, world.crowds, world.languages = wechat, account.crowds, {}
        world.looked_at, world.taps_made = Counter(), count(1)
        wechat.now = lambda: world.now
        app = web.Application()
        front = Front(app, [account.channel.callback(lambda heard: world.hear(heard))], seconds_to_close=0.1)
        url = f"http://127.0.0.1:{await front.listen('127.0.0.1', 0)}{PATH}"
        world.phone = Phone(url, lambda: world.now, AES_KEY if aes else "", patience=patience * 10 / 9)
        await world.open()
        try:
            yield world
        finally:
            await world.close()
            await account.channel.close()
            await account.close()
            await front.close()


@dataclass
class RiderOnWeChat(RiderInTest):
    """The same person with a phone."""

    maps: ClassVar[tuple[str, ...]] = ("apis.map.qq.com",)
    sticker: ClassVar[str] = "only read text and locations"
    can_show: ClassVar[bool] = False

    letters: dict[str, str] = field(default_factory=dict)

    async def follows(self) -> None:
        await self._sends(self.phone.event("subscribe", EventKey=""), "tap")

    async def taps_menu(self, key: str) -> None:
        await self._sends(self._clicked(key), "tap")

    async def comes_back(self) -> None:
        await self.says("/menu")

    async def shows(self, picture: bytes) -> None:
        """A picture is but an address of the platform's here."""
        await self.sends("photo")

    @property
    def pins(self) -> list[str]:
        """A reply has no pins: the places that it names."""
        text = self.latest.text
        named = [(text.find(place.name), place.code) for place in self.world.directory.everything()]
        return [code for at, code in sorted(named) if at >= 0]

    @property
    def phone(self) -> Phone:
        phone = self._world.phone
        return Phone(
            phone.url,
            phone.now,
            phone.aes_key,
            openid=self.address.user,
            patience=phone.patience,
            numbers=phone.numbers,
        )

    @property
    def inbox(self) -> list[Outgoing]:
        """What they were answered, and what was pushed to them, as it came."""
        self._look()
        return self.world.channel.delivered.setdefault(self.address.user, [])

    @property
    def _world(self) -> CallbackWorld:
        assert isinstance(self.world, CallbackWorld)
        return self.world

    async def _hear(self, key: str, **what: Any) -> None:
        xml, opens = self._written(**what)
        await self._sends(self.letters.setdefault(key, xml) if key else xml, opens)

    async def _sends(self, xml: str, opens: str) -> None:
        before = len(self.inbox)
        if opens:
            self._world.wechat.heard(self.address.user, opens)
        reply = await self.phone.delivers(xml)
        if reply:
            self._read(reply)
        await self.world.settle()
        if len(self.inbox) > before:
            self.options = tuple(_options(self.inbox[before:], buttons=False))

    def _clicked(self, key: str) -> str:
        """Nobody taps twice within a second, but the clock of a story stands still."""
        at = int(self.world.now.timestamp()) + next(self._world.taps_made)
        return self.phone.event("CLICK", EventKey=key, CreateTime=at)

    def _written(self, *, text: str = "", pressed: str = "", location: Any = None, event: str = "") -> tuple[str, str]:
        """The message or event that WeChat makes of it, and the window that it opens."""
        say = self.phone
        if location:
            return say.location(*convert(location.lat, location.lng, "wgs84", "gcj02")), "message"
        if pressed:
            return self._clicked(pressed), "tap"
        match event:
            case "":
                return say.text(text), "message"
            case "stopped":
                self._world.wechat.follower(self.address.user).follows = False
                return say.event("unsubscribe"), ""
            case "photo":
                return say.message("image", PicUrl="https://mmbiz.example/1", MediaId="m"), "message"
        return say.message("shortvideo", MediaId="m"), "message"

    def _read(self, reply: Reply) -> None:
        """The reply comes after the pictures that were pushed with it, and belongs to them."""
        inbox = self.inbox
        text = f"{reply.text}\n{reply.url}" if reply.url else reply.text
        photo = inbox.pop().photo if inbox and inbox[-1].photo and not inbox[-1].text else ""
        inbox.append(Outgoing(text, photo=photo))

    def _look(self) -> None:
        follower, looked_at = self._world.wechat.follower(self.address.user), self._world.looked_at[self.address.user]
        seen = self.world.channel.delivered.setdefault(self.address.user, [])
        pictures = iter(follower.pictures[sum(p["msgtype"] == "image" for p in follower.posts[:looked_at]) :])
        for post, shown in zip(follower.posts[looked_at:], follower.sees[looked_at:], strict=True):
            is_picture = post["msgtype"] == "image"
            photo = base64.b64encode(next(pictures)).decode() if is_picture else ""
            seen.append(Outgoing("" if is_picture else shown, photo=photo))
        self._world.looked_at[self.address.user] = len(follower.posts)
