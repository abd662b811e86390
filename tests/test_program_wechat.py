"""People on WeChat and the whole program: every request crosses real HTTP, one story for each kind of account."""

import itertools
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import aiohttp
import pytest

from bot.geo import convert
from tests.channels.wechat.phone import AES_KEY, TOKEN, Phone, Reply
from tests.program import NOON, Running, run, serving, until
from tests.standins.wechat import WeChatStandIn

YANHU = convert(35.016, 110.993, "wgs84", "gcj02")
AT_NOON = datetime.fromisoformat(NOON)
TEA = "code,category,title,reminders\ntea,event,喝茶,2h\n"
AT_TWO = "code,offering,address,starts_at,ends_at,capacity\nt1,tea,茶馆,2026-11-23 14:00,2026-11-23 15:00,5\n"
AT_FOUR = AT_TWO.replace("14:00", "16:00").replace("15:00", "17:00")
KINDS = [
    ("subscription", ""),
    ("subscription-verified", AES_KEY),
    ("service", AES_KEY),
    ("service-verified", ""),
]


class Rider:
    """A follower. What they say reaches the program and, as far as it opens windows, WeChat's own books."""

    def __init__(self, account: "Account", openid: str) -> None:
        self.wechat = account.wechat
        self.phone = Phone(f"{account.program.address}/wechat/callback", account.wechat.now, account.aes_key)
        self.phone.openid = openid
        self.phone.numbers = itertools.count(hash(openid) % 10**9)
        self.follower = account.wechat.follower(openid)
        self.last = Reply("")

    async def does(self, xml: str, opens: str = "message") -> Reply:
        self.wechat.heard(self.phone.openid, opens)
        said = await self.phone.delivers(xml)
        assert said
        self.last = said
        return said

    async def says(self, text: str) -> Reply:
        return await self.does(self.phone.text(text))

    async def taps(self, label: str) -> Reply:
        """Answer with the number of the choice that contains `label`."""
        lines = self.last.text.splitlines()
        number = next(n for n, _space, words in (line.partition(" ") for line in lines) if label in words)
        return await self.says(number)


class Account:
    def __init__(self, wechat: WeChatStandIn, program: Running, aes_key: str, folder: Path) -> None:
        self.wechat = wechat
        self.program = program
        self.aes_key = aes_key
        self._folder = folder
        self._numbers = itertools.count()

    async def imports(self, what: str, rows: str) -> None:
        file = self._folder / f"{next(self._numbers)}.csv"
        file.write_text(rows, "utf-8")
        status, _out, err = await run(self._folder, "import", what, str(file), CLOCK=NOON)
        assert status == 0, err


@pytest.fixture(params=KINDS, ids=lambda one: one[0])
async def account(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Account]:
    kind, aes_key = request.param
    async with WeChatStandIn(kind, now=lambda: AT_NOON) as wechat:
        settings = {
            "WECHAT_APP_ID": wechat.app_id,
            "WECHAT_TOKEN": TOKEN,
            "WECHAT_AES_KEY": aes_key,
            "WECHAT_ACCOUNT": kind,
            "WECHAT_API_URL": wechat.url,
            "WECHAT_APP_SECRET": wechat.secret if kind != "subscription" else "",
            "CLOCK": NOON,
        }
        async with serving(tmp_path, **settings) as program:
            account = Account(wechat, program, aes_key, tmp_path)
            await account.imports("offerings", TEA)
            await account.imports("sessions", AT_TWO)
            yield account
            assert await program.stops() == 0
            assert (wechat.refused, program.errors()) == ([], [])
            log = program.log.read_text()
            for private in ("35.01", "喝茶", wechat.secret, *wechat.tokens, *wechat.followers):
                assert private not in log


async def test_a_rider_gets_all_that_the_account_may_give(account: Account) -> None:
    wechat, program = account.wechat, account.program
    may_push, has_menu = wechat.kind.endswith("-verified"), wechat.kind != "subscription"
    mei = Rider(account, "oMei")

    greeting = await mei.does(mei.phone.event("subscribe", EventKey=""), "tap")
    assert "位置" in greeting.text
    nearest = await mei.does(mei.phone.location(*YANHU))
    assert "\n5 " in nearest.text
    await mei.says("1")
    assert "<a href=" in mei.last.text, "the way there can be tapped"
    clicked = await mei.does(mei.phone.event("CLICK", EventKey="/find 厕所"), "tap")
    assert "哪" in clicked.text

    await mei.says("/book event")
    for label in ("喝茶", "14:00", "预约"):
        await mei.taps(label)
    booked = mei.last.text

    before = len(mei.follower.sees)
    await account.imports("sessions", AT_FOUR)
    if may_push:
        assert len(mei.follower.pictures) == 1
        await until(lambda: len(mei.follower.sees) > before)
        assert "16:00" in mei.follower.sees[-1]
        assert "16:00" not in (await mei.says("菜单")).text
    else:
        assert "/qr/" in booked, "the account cannot show pictures, so there is a link to one"
        assert "16:00" in (await mei.says("菜单")).text, "it waited for the next contact"
        assert "16:00" not in (await mei.says("菜单")).text
        assert mei.follower.sees == []

    assert (await program.loop("wechat"))["ok"]
    assert bool(wechat.menu) == has_menu
    async with aiohttp.ClientSession() as client, client.get(f"{program.address}/metrics") as answer:
        assert 'nuanxin_turns_total{channel="wechat"}' in await answer.text()

    lin = Rider(account, "oLin")
    await lin.does(lin.phone.event("subscribe", EventKey=""), "tap")
    assert await mei.phone.delivers(mei.phone.event("unsubscribe")) is None
    mei.follower.follows = False
    before = len(mei.follower.sees)
    await account.imports("sessions", AT_TWO)
    assert "位置" in (await lin.says("/start")).text
    assert len(mei.follower.sees) == before, "who left gets nothing"
