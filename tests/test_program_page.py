"""A rider with a phone and the whole program: the real chat page in a real browser."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from playwright.async_api import Browser, Page, expect

from bot.channels.web.sessions import REMEMBERED, REMEMBERED_FOR
from bot.geo import convert
from tests.browser import PATIENCE, Watched, serious_faults
from tests.program import NOON, ROOT, Running, free_port, serving

YANHU = {"latitude": 35.016, "longitude": 110.993}
MEMORY = ROOT / "bot" / "web" / "static" / "chat" / "memory.js"


class Phone:
    """A phone whose browser opens the chat page of `program`."""

    def __init__(self, browser: Browser, program: Running, stack: AsyncExitStack) -> None:
        self.browser = browser
        self.program = program
        self.stack = stack
        self.watched: list[Watched] = []

    async def opens(self, *, width: int = 390, at: dict[str, float] | None = None, **options: Any) -> Page:
        if at:
            options |= {"geolocation": at, "permissions": ["geolocation"]}
        size = {"width": width, "height": 844}
        context = await self.browser.new_context(**{"viewport": size, "locale": "zh-CN", "has_touch": True, **options})
        self.stack.push_async_callback(context.close)
        page = await context.new_page()
        page.set_default_timeout(PATIENCE)
        self.watched.append(Watched(page, context, self.program.address))
        await page.goto(self.program.address)
        await expect(page.locator(".bot").first).to_contain_text(re.compile("暖新|Nuanxin"))
        return page


@pytest.fixture
async def phone(browser: Browser, tmp_path: Path) -> AsyncIterator[Phone]:
    async with serving(tmp_path, CLOCK=NOON, PORT=str(free_port())) as program, AsyncExitStack() as stack:
        phone = Phone(browser, program, stack)
        yield phone
        assert [fault for watched in phone.watched for fault in watched.faults] == []
        assert program.errors() == []


async def says(page: Page, text: str) -> None:
    await page.locator("#words").fill(text)
    await page.locator("#words").press("Enter")


async def answered(page: Page) -> None:
    await expect(page.locator(".waiting")).to_have_count(0)


async def fits(page: Page, width: int) -> bool:
    return bool(await page.evaluate("document.documentElement.scrollWidth") == width)


@pytest.mark.parametrize("width", [320, 390])
async def test_from_the_first_load_to_the_way_there_in_two_taps(phone: Phone, width: int) -> None:
    page = await phone.opens(width=width, at=YANHU)
    await page.locator("#locate").tap()
    cards = page.locator(".card")
    await expect(cards).to_have_count(5)
    assert await fits(page, width)
    way = cards.first.locator("a.button").first
    await expect(way).to_be_visible()
    assert await way.get_attribute("target") == "_blank"
    lat, lng = await place(phone, await cards.first.locator("h3").inner_text())
    assert amap(await way.get_attribute("href")) == pytest.approx(convert(lat, lng, "wgs84", "gcj02"), abs=2e-6)


async def test_a_card_says_everything_and_goes_back(phone: Phone) -> None:
    page = await phone.opens(at=YANHU)
    await page.locator("#locate").tap()
    cards = page.locator(".card")
    await expect(cards).to_have_count(5)
    name = await cards.first.locator("h3").inner_text()
    await cards.first.get_by_role("button").first.tap()
    await answered(page)
    card = page.locator(".bot").last
    await expect(card).to_contain_text("门没开")
    lat, lng = await place(phone, name)
    links = [str(await link.get_attribute("href")) for link in await card.locator("a").all()]
    tencent = next(link for link in links if "qq.com" in link)
    baidu = next(link for link in links if "baidu.com" in link)
    marker = parse_qs(urlsplit(tencent).query)["marker"][0].removeprefix("coord:").partition(";")[0]
    assert _pair(marker) == pytest.approx(convert(lat, lng, "wgs84", "gcj02"), abs=2e-6)
    assert _pair(parse_qs(urlsplit(baidu).query)["location"][0]) == pytest.approx(
        convert(lat, lng, "wgs84", "bd09"), abs=2e-6
    )
    await card.get_by_role("button", name="回到列表").tap()
    await expect(page.locator(".bot").last.locator(".card")).to_have_count(5)


async def test_a_health_check_is_booked_with_one_thumb(phone: Phone) -> None:
    page = await phone.opens(width=320)
    await page.get_by_role("button", name="预约", exact=True).tap()
    for choice in ("健康体检", "免费健康体检", "14:00", "我同意", "跳过"):
        await answered(page)
        await page.locator(".bot").last.get_by_role("button", name=choice).first.tap()
    await expect(page.locator(".bot").last).to_contain_text("手机号")
    await says(page, "13800001234")
    await page.locator(".bot").last.get_by_role("button", name="确认预约").tap()
    booked = page.locator(".bot").last
    await expect(booked).to_contain_text("约好了")
    await expect(booked.get_by_role("img")).to_be_visible()
    await expect(booked).not_to_contain_text("时间不详")
    assert await fits(page, 320)
    await says(page, "/bookings")
    await expect(page.locator(".bot").last.get_by_role("button", name="免费健康体检")).to_be_visible()


async def test_what_is_said_of_privacy_is_true_and_erasing_erases(phone: Phone) -> None:
    page = await phone.opens()
    await page.locator("#more summary").tap()
    await page.locator(".sheet").get_by_role("button", name="隐私").tap()
    told = page.locator(".bot").last
    most = re.search(r"MOST = (\d+)", MEMORY.read_text())
    assert most
    assert timedelta(hours=1) == REMEMBERED_FOR
    await expect(told).to_contain_text(f"服务器只在内存里留最近 {REMEMBERED} 条，最多一小时")
    await expect(told).to_contain_text(f"浏览器留着最近 {most[1]} 条")
    await told.get_by_role("button", name="删除我的信息").tap()
    await page.locator(".bot").last.get_by_role("button", name="确认删除").tap()
    await expect(page.locator(".turn")).to_have_count(1)
    await expect(page.locator(".bot")).to_contain_text("已全部删除")
    await page.reload()
    await expect(page.locator(".bot")).to_contain_text("您好，我是暖新")
    await expect(page.locator(".turn")).to_have_count(1)


async def test_a_language_is_chosen_once_for_the_page_and_the_chat(phone: Phone) -> None:
    page = await phone.opens()
    await page.locator("#more summary").tap()
    await page.locator(".sheet").get_by_role("button", name="Language").tap()
    await page.locator(".bot").last.get_by_role("button", name="English").tap()
    await expect(page.locator("#words")).to_have_attribute("placeholder", "What do you need?")
    await expect(page.locator(".bot").last).to_contain_text("From now on I speak English")
    await says(page, "/menu")
    await expect(page.locator(".bot").last).to_contain_text("What do you need? Send your location")


async def test_a_reload_goes_on_with_the_same_conversation(phone: Phone) -> None:
    page = await phone.opens()
    await says(page, "附近哪能充电")
    await answered(page)
    before = await page.locator("#log").inner_text()
    await page.reload()
    await expect(page.locator(".own .bubble")).to_have_text("附近哪能充电")
    assert await page.locator("#log").inner_text() == before
    await says(page, "盐湖区 热水")
    await expect(page.locator(".card").first).to_be_visible(timeout=PATIENCE)
    assert await page.locator(".own").count() == 2


async def test_after_a_kill_the_page_comes_back_and_the_question_is_answered(phone: Phone, tmp_path: Path) -> None:
    page = await phone.opens()
    await phone.program.is_killed()
    await expect(page.locator("#banner")).to_be_visible(timeout=PATIENCE)
    await says(page, "盐湖区 热水")
    await expect(page.locator(".own.waiting")).to_have_count(1)
    port = phone.program.address.rpartition(":")[2]
    async with serving(tmp_path, CLOCK=NOON, PORT=port):
        await expect(page.locator(".card").first).to_be_visible(timeout=2 * PATIENCE)
        await answered(page)
        await expect(page.locator("#banner")).to_be_hidden()
        await expect(page.locator(".bot").first).to_contain_text("暖新")


async def test_without_a_location_a_pin_on_a_bare_map_will_do(phone: Phone) -> None:
    page = await phone.opens(width=320)
    await page.locator("#locate").tap()
    await expect(page.locator(".seat").first).to_be_attached()
    await expect(page.locator("#map")).to_contain_text("没有允许定位也没关系")
    await page.locator("#map-use").tap()
    await expect(page.locator(".card")).to_have_count(5)


async def test_a_keyboard_is_enough(phone: Phone) -> None:
    page = await phone.opens(width=320)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.keyboard.type("盐湖区 厕所")
    await page.keyboard.press("Enter")
    await expect(page.locator(".card").first).to_be_visible(timeout=PATIENCE)
    await answered(page)
    way = page.locator(".card").first.locator("a.button").first
    for _n in range(60):
        if await way.evaluate("(e) => e === document.activeElement"):
            break
        await page.keyboard.press("Shift+Tab")
    await expect(way).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nobody_is_kept_out(phone: Phone, scheme: str) -> None:
    page = await phone.opens(width=320, at=YANHU, color_scheme=scheme)
    await page.locator("#locate").tap()
    await expect(page.locator(".card")).to_have_count(5)
    await page.locator(".card").first.get_by_role("button").first.tap()
    await answered(page)
    assert await serious_faults(page) == []


async def place(phone: Phone, heading: str) -> tuple[float, float]:
    """Where the place whose name is in `heading` is, as the JSON API says it."""
    query = f"lat={YANHU['latitude']}&lng={YANHU['longitude']}&limit=50"
    address = f"{phone.program.address}/api/v1/places/nearest?{query}"
    async with aiohttp.ClientSession() as client, client.get(address) as answer:
        found = (await answer.json())["places"]
    one = next(one for one in found if one["name"] in heading)
    return one["lat"], one["lng"]


def amap(href: str | None) -> tuple[float, float]:
    assert href
    assert href.startswith("https://uri.amap.com/marker?")
    query = parse_qs(urlsplit(href).query)
    assert query["coordinate"] == ["gaode"]
    lng, lat = _pair(query["position"][0])
    return lat, lng


def _pair(text: str) -> tuple[float, float]:
    first, second = text.split(",")
    return float(first), float(second)
