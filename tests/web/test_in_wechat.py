"""The page inside WeChat: who comes by a link from their chat is the same person, and WeChat says where they are."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from playwright.async_api import Browser, expect
from sqlalchemy import select
from wechatpy.client.api.jsapi import WeChatJSAPI

from bot.channels.wechat import js_sdk
from bot.channels.wechat.api import Api
from bot.database import Database
from bot.geo import convert
from bot.models import Contact, Rider
from bot.seals import Seals
from bot.services import linking, sign_in
from bot.services.desk import Desk
from bot.services.tokens import Tokens
from bot.web import sign_in as pages
from bot.web.server import build_app
from bot.web.site import Site
from tests.browser import PATIENCE, Serving
from tests.standins.wechat import WeChatStandIn
from tests.web.scripted import CITY, NOON, ZONE, Bot, channel_for, voice

SEALS = Seals("a secret for tests")
DESK = Desk(SEALS, ZONE, public_url="https://nuanxin.example")
PHONE = "Mozilla/5.0 (Linux; Android 12) Chrome/107 Mobile Safari/537.36 MicroMessenger/8.0.40"
# What WeChat's script would do, for a reader on the square.
THEIR_SCRIPT = """
window.opened = [];
window.jWeixin = {
  config(given) { window.signed = given; },
  ready(then) { if (window.signed.signature.length === 40) then(); },
  error() {},
  getLocation({ type, success, cancel }) {
    if (window.refuses) return cancel({});
    success({ latitude: type === "gcj02" ? "35.0207" : 0, longitude: "111.0043" });
  },
  openLocation(place) { window.opened.push(place); place.success(); },
};
"""


class House:
    """The site of one installation. `sessions` are the users whose tokens were given out."""

    def __init__(self, database: Database, wechat: WeChatStandIn) -> None:
        self.database = database
        self.wechat = wechat
        self.bot = Bot()
        self.now = NOON
        self.channel = channel_for()
        self.api = Api(wechat.app_id, wechat.secret, wechat.url, Tokens(database, SEALS, lambda: self.now))

    def app(self, public_url: str) -> web.Application:
        site = Site(CITY, self.database, lambda: self.now, voice, public_url=public_url, signs_for_wechat=True)
        routes = [
            *self.channel.routes(self.bot.hear),
            *pages.routes(DESK, "web", lambda user: SEALS.sign("web-session", user)),
            *js_sdk.routes(self.api, public_url, lambda: self.now),
        ]
        return build_app(site, extra=routes)

    async def knows(self) -> int:
        async with self.database.writing() as db:
            rider = Rider(created_at=NOON, vehicle="truck")
            db.add(rider)
            await db.flush()
            db.add(Contact(rider.id, "wechat", "oMei", "zh_TW", NOON))
            return rider.id

    async def link(self, rider_id: int) -> str:
        async with self.database.writing() as db:
            url = await sign_in.issue(db, rider_id, now=self.now, desk=DESK)
        return url.removeprefix(DESK.public_url)


@pytest.fixture
async def house(database: Database) -> AsyncIterator[House]:
    async with WeChatStandIn(now=lambda: NOON) as wechat:
        house = House(database, wechat)
        yield house
        await house.channel.close()
        await house.api.close()


async def test_a_link_signs_in_once_and_for_ten_minutes(house: House) -> None:
    mei = await house.knows()
    path, late, other = [await house.link(mei) for _link in range(3)]
    async with TestClient(TestServer(house.app("http://127.0.0.1"))) as browser:
        for _look in range(2):
            answer = await browser.get(path)
            assert (answer.status, "data-token" in await answer.text()) == (200, False), "previews use nothing up"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Cache-Control"] == "no-store"
        answer = await browser.post(path)
        token = re.search(r'data-token="([^"]+)"', await answer.text())
        assert answer.status == 200
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert token
        user = SEALS.signed("web-session", token[1])
        async with house.database.reading() as db:
            contact = (await db.scalars(select(Contact).where(Contact.user == user))).one()
        assert (contact.rider_id, contact.channel, contact.locale) == (mei, "web", "zh_TW")
        assert (await browser.post(path)).status == 410
        house.now += timedelta(minutes=10)
        assert (await browser.post(late)).status == 410
        assert (await browser.post(f"{other}x")).status == 410
        async with house.database.writing() as db:
            await linking.forget_old(db, now=house.now)
            assert await linking.redeem(db, 99, contact_id=contact.id, code=other[3:], now=NOON, desk=DESK) is None


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_only_our_own_pages_are_signed(house: House) -> None:
    async with TestClient(TestServer(house.app("https://nuanxin.example"))) as browser:
        url = "https://nuanxin.example/?place=S-1"
        answer = await (await browser.get(js_sdk.PATH, params={"url": f"{url}#top"})).json()
        ticket = await house.api.ticket()
        signed = WeChatJSAPI(None).get_jsapi_signature(answer["nonceStr"], ticket, answer["timestamp"], url)
        assert (answer["signature"], answer["appId"]) == (signed, house.wechat.app_id)
        for foreign in ("https://evil.example/", "http://nuanxin.example/", "", f"{url}{'x' * 1024}"):
            assert (await browser.get(js_sdk.PATH, params={"url": foreign})).status == 400
        assert house.wechat.calls.count("ticket/getticket") == 1
        house.now += timedelta(hours=3)
        house.wechat.allows_address = False
        assert (await browser.get(js_sdk.PATH, params={"url": url})).status == 503
        inside, outside = [
            (await browser.get("/", headers={"User-Agent": agent})).headers["Content-Security-Policy"]
            for agent in (PHONE, "Mozilla/5.0")
        ]
        assert "script-src 'self' https://res.wx.qq.com;" in inside
        assert "res.wx.qq.com" not in outside


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_in_a_real_browser(house: House, browser: Browser) -> None:
    mei = await house.knows()
    serving = Serving(web.Application())
    await serving.__aenter__()
    origin, port = serving.origin, serving.port
    await serving.__aexit__()
    serving = Serving(house.app(origin), port)
    await serving.__aenter__()
    context = await browser.new_context(user_agent=PHONE, locale="zh-CN", has_touch=True)
    await context.route("https://res.wx.qq.com/**", lambda route: route.fulfill(body=THEIR_SCRIPT))
    page = await context.new_page()
    page.set_default_timeout(PATIENCE)
    faults: list[str] = []
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    await page.goto(f"{origin}/")
    await expect(page.locator(".bot").first).to_contain_text("您好")
    await page.goto(origin + await house.link(mei))
    await page.locator("form button").tap()
    await expect(page.locator(".bot").last).to_contain_text("You said: /menu")
    async with house.database.reading() as db:
        users = list(await db.scalars(select(Contact.user).where(Contact.rider_id == mei)))
    assert house.bot.heard[-1].sender.user in users
    assert house.bot.heard[0].sender.user not in users
    await expect(page.locator(".bot")).to_have_count(1)

    await page.locator("#locate").tap()
    await expect(page.locator(".card")).to_have_count(3)
    heard = house.bot.heard[-1].location
    assert heard
    lat, lng = convert(heard.lat, heard.lng, "wgs84", "gcj02")
    assert (round(lat, 4), round(lng, 4)) == (35.0207, 111.0043)
    await page.locator(".card a").first.tap()
    await page.wait_for_function("window.opened.length === 1")
    opened = await page.evaluate("window.opened[0]")
    assert (opened["latitude"], opened["longitude"]) == tuple(
        float(f"{degrees:.6f}") for degrees in convert(35.021, 110.998, "wgs84", "gcj02")
    )
    await page.evaluate("window.refuses = true")
    await page.locator("#locate").tap()
    await expect(page.locator("#map-denied")).to_be_visible()
    assert faults == []
    await context.close()
    await serving.__aexit__()
