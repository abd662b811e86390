"""The chat page in a real browser, as a phone shows it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from bot.database import Database
from bot.messages import Address, Button, Outgoing
from tests.browser import PATIENCE, Serving, Watched, serious_faults
from tests.web.scripted import NOON, Bot, Map, app_for, channel_for

# The smallest picture there is.
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
HERE = {"latitude": 35.0215, "longitude": 110.9985}


class Phone:
    """A rider's phone and the site that it looks at."""

    def __init__(self, browser: Browser, stack: AsyncExitStack) -> None:
        self.browser = browser
        self.stack = stack
        self.bot = Bot()
        self.known = True
        self.channel = channel_for(knows=self.knows)
        self.database = Database("sqlite:///:memory:")
        self.serving = Serving(app_for(self.channel, self.bot, self.database))
        self.watched: list[Watched] = []
        self.page: Page

    async def knows(self, _address: Address) -> bool:
        return self.known

    async def opens(self, path: str = "/", *, width: int = 390, height: int = 780, **options: Any) -> Page:
        context = await self.browser.new_context(
            viewport={"width": width, "height": height},
            locale=options.pop("locale", "zh-CN"),
            has_touch=True,
            **options,
        )
        self.stack.push_async_callback(context.close)
        self.page = await context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.watched.append(Watched(self.page, context, self.serving.origin))
        await self.page.goto(self.serving.origin + path)
        return self.page

    async def has_started(self, **options: Any) -> Page:
        page = await self.opens(**options)
        await expect(page.locator(".bot").first).to_contain_text("您好，我是暖新")
        return page

    async def restarts(self, **site: Any) -> None:
        """The program goes away and comes back on the same port, remembering nothing."""
        await self.serving.__aexit__()
        await self.comes_back(**site)

    async def comes_back(self, **site: Any) -> None:
        self.channel = channel_for(now=lambda: NOON + timedelta(minutes=1))
        self.serving = Serving(app_for(self.channel, self.bot, self.database, **site), self.serving.port)
        await self.serving.__aenter__()


@pytest.fixture
async def phone(browser: Browser) -> AsyncIterator[Phone]:
    async with AsyncExitStack() as stack:
        phone = Phone(browser, stack)
        await phone.serving.__aenter__()
        yield phone
        faults = [fault for watched in phone.watched for fault in watched.faults]
        await stack.aclose()
        await phone.serving.__aexit__()
        await phone.database.close()
        assert not faults


async def says(page: Page, text: str) -> None:
    await page.locator("#words").fill(text)
    await page.locator("#words").press("Enter")


@pytest.mark.parametrize("width", [320, 390])
async def test_a_first_visit_is_greeted_and_a_text_is_answered(phone: Phone, width: int) -> None:
    page = await phone.has_started(width=width)
    await says(page, "哪儿有热水")
    await expect(page.locator(".own .bubble")).to_have_text("哪儿有热水")
    await expect(page.locator(".bot").last).to_contain_text("You said: 哪儿有热水")
    await expect(page.locator(".waiting")).to_have_count(0)
    assert phone.bot.texts == ["/start", "哪儿有热水"]
    assert await page.evaluate("document.documentElement.scrollWidth") == width


async def test_a_button_is_tapped(phone: Phone) -> None:
    page = await phone.has_started()
    await page.get_by_role("button", name="货车").tap()
    await expect(page.locator(".own .bubble")).to_contain_text("货车")
    await expect(page.locator(".bot").last).to_contain_text("You said: v.truck")
    assert phone.bot.heard[-1].pressed == "v.truck"


async def test_a_shared_location_brings_cards_to_navigate_by(phone: Phone) -> None:
    page = await phone.has_started(width=320, geolocation=HERE, permissions=["geolocation"])
    await page.locator("#locate").tap()
    cards = page.locator(".card")
    await expect(cards).to_have_count(3)
    first = cards.first
    await expect(first.locator("h3")).to_contain_text("东城街道爱心驿站")
    assert (await first.inner_text()).count("350") == 1
    await expect(first.locator(".way")).to_have_text("直线约 350 米，东北方向")
    await expect(first.locator(".open-yes")).to_have_text("营业到 22:00")
    await expect(first.locator(".lines")).to_have_text("热水、厕所、休息 · 3 天前核实")
    await expect(cards.nth(1).locator(".open-unknown")).to_contain_text("时间不详")
    link = first.locator("a.button")
    assert (await link.get_attribute("href") or "").startswith("https://uri.amap.com/marker")
    assert await link.get_attribute("target") == "_blank"
    location = phone.bot.heard[-1].location
    assert location
    assert (location.lat, location.lng) == pytest.approx((35.0215, 110.9985), abs=1e-6)
    await first.get_by_role("button").tap()
    card = page.locator(".bot").last
    await expect(card).to_contain_text("盐湖区东城街道")
    assert (await card.inner_text()).count("营业") == 1
    await expect(card.get_by_role("link", name="高德导航")).to_have_class("button strong")
    assert await page.evaluate("document.documentElement.scrollWidth") == 320


async def test_what_is_tapped_is_large_enough(phone: Phone) -> None:
    page = await phone.has_started(width=320, geolocation=HERE, permissions=["geolocation"])
    await page.locator("#locate").tap()
    await expect(page.locator(".card")).to_have_count(3)
    small = await page.evaluate(
        """() => [...document.querySelectorAll("button, a.button, summary")]
        .filter((e) => e.checkVisibility()).map((e) => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])
        .filter(([, box]) => box.width < 44 || box.height < 44).map(([html]) => html)"""
    )
    assert small == []


async def test_without_a_location_a_pin_is_put_on_a_map_without_tiles(phone: Phone) -> None:
    page = await phone.has_started(width=320)
    await page.locator("#locate").tap()
    await expect(page.locator("#map")).to_be_visible()
    await expect(page.locator("#map")).to_contain_text("没有允许定位也没关系")
    await expect(page.locator(".seat").first).to_be_attached()
    box = await page.locator("#map-canvas").bounding_box()
    assert box
    await page.touchscreen.tap(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.4)
    await page.locator("#map-use").tap()
    await expect(page.locator(".card")).to_have_count(3)
    location = phone.bot.heard[-1].location
    assert location
    assert 35.03 < location.lat < 35.2
    assert 111.01 < location.lng < 111.2


async def test_the_pin_is_dragged(phone: Phone) -> None:
    page = await phone.has_started()
    await page.locator("#locate").tap()
    pin = await page.locator(".pin").bounding_box()
    assert pin
    x, y = pin["x"] + 22, pin["y"] + 25
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x + 60, y + 10, steps=5)
    await page.mouse.move(x + 80, y, steps=5)
    await page.mouse.up()
    await page.locator("#map-use").click()
    await expect(page.locator(".card")).to_have_count(3)
    location = phone.bot.heard[-1].location
    assert location
    assert location.lng == pytest.approx(111.002 + 80 * 360 / 256 / 2**11, abs=0.003)


async def test_a_pin_on_shifted_tiles_is_heard_in_wgs84(phone: Phone) -> None:
    await phone.restarts(map=Map("/static/x/icon.svg?{z}/{x}/{y}", "© nobody", "gcj02"))
    page = await phone.has_started()
    await page.locator("#locate").tap()
    await expect(page.locator(".leaflet-tile-loaded").first).to_be_attached()
    await page.locator("#map-use").tap()
    await expect(page.locator(".card")).to_have_count(3)
    location = phone.bot.heard[-1].location
    assert location
    assert (location.lat, location.lng) == pytest.approx((35.027, 111.002), abs=1e-5)


async def test_a_reload_shows_the_same_conversation(phone: Phone) -> None:
    page = await phone.has_started()
    await says(page, "first words")
    await expect(page.locator(".bot").last).to_contain_text("You said: first words")
    before = await page.locator("#log").inner_text()
    await page.reload()
    await expect(page.locator(".own .bubble")).to_have_text("first words")
    assert await page.locator("#log").inner_text() == before
    await says(page, "second words")
    await expect(page.locator(".bot").last).to_contain_text("You said: second words")
    assert phone.bot.texts == ["/start", "first words", "second words"]
    assert len({heard.sender for heard in phone.bot.heard}) == 1


async def test_words_written_while_the_program_restarts_are_sent_once(phone: Phone) -> None:
    page = await phone.has_started()
    phone.bot.go.clear()
    await says(page, "in the gap")
    await expect(page.locator(".own.waiting")).to_have_count(1)
    await phone.bot.called.wait()
    phone.bot.go.set()
    await phone.restarts()
    await says(page, "after it")
    await expect(page.locator(".bot").last).to_contain_text("You said: after it")
    await expect(page.locator(".waiting")).to_have_count(0)
    keys = {heard.key for heard in phone.bot.heard if heard.text == "in the gap"}
    assert len(keys) == 1
    assert len({heard.sender for heard in phone.bot.heard}) == 1


async def test_a_lost_network_is_said_and_mended(phone: Phone) -> None:
    page = await phone.has_started()
    await phone.serving.__aexit__()
    await expect(page.locator("#banner")).to_be_visible()
    await says(page, "kept")
    await expect(page.locator(".own.waiting")).to_have_count(1)
    await phone.comes_back()
    await expect(page.locator(".bot").last).to_contain_text("You said: kept")
    await expect(page.locator("#banner")).to_be_hidden()


async def test_what_is_sent_later_appears_by_itself(phone: Phone) -> None:
    page = await phone.has_started()
    [user] = phone.channel.present()
    await phone.channel.send(Address("web", user), Outgoing("提醒：明天体检"))
    await expect(page.locator(".bot").last).to_contain_text("提醒：明天体检")


async def test_two_tabs_are_one_conversation(phone: Phone) -> None:
    page = await phone.has_started()
    twin = await page.context.new_page()
    await twin.goto(phone.serving.origin)
    await expect(twin.locator(".bot").first).to_contain_text("您好，我是暖新")
    await says(page, "to both")
    await expect(twin.locator(".own .bubble")).to_have_text("to both")
    await expect(twin.locator(".bot").last).to_contain_text("You said: to both")
    await expect(twin.locator(".bot")).to_have_count(2)


async def test_a_poster_opens_its_place_once(phone: Phone) -> None:
    page = await phone.opens("/?place=S-1")
    await expect(page.locator(".bot").last).to_contain_text("盐湖区东城街道")
    await page.reload()
    await expect(page.locator(".bot").last).to_contain_text("盐湖区东城街道")
    assert phone.bot.texts == ["/start", "/p S-1"]


async def test_what_is_said_is_never_markup(phone: Phone) -> None:
    page = await phone.has_started()
    await says(page, "<img src=x onerror=document.title='broken'>")
    await expect(page.locator(".bot").last).to_contain_text("<img src=x")
    assert await page.locator("#log img").count() == 0
    [user] = phone.channel.present()
    link = Button("tap", url="javascript:document.title='broken'")
    await phone.channel.send(Address("web", user), Outgoing("a link", ((link,),)))
    await expect(page.locator(".bot").last).to_contain_text("a link")
    assert await page.get_by_text("tap").count() == 0


async def test_an_input_method_keeps_its_enter(phone: Phone) -> None:
    page = await phone.has_started()
    await page.locator("#words").fill("reshui")
    await page.evaluate(
        """() => document.getElementById("words").dispatchEvent(
            new KeyboardEvent("keydown", {key: "Enter", isComposing: true, bubbles: true, cancelable: true}))"""
    )
    assert await page.locator("#words").input_value() == "reshui"
    assert await page.locator(".own").count() == 0


@pytest.mark.parametrize("is_large", [False, True])
async def test_the_first_words_are_not_cut_off(phone: Phone, is_large: bool) -> None:
    for locale in ("zh-CN", "zh-TW", "en-GB"):
        page = await phone.opens(width=320, locale=locale)
        if is_large:
            await page.locator("#large").tap()
        cut = await page.evaluate(
            """() => {
                const field = document.getElementById("words"), pen = document.createElement("canvas").getContext("2d");
                const style = getComputedStyle(field), room = field.clientWidth - 2 * parseFloat(style.paddingLeft);
                pen.font = style.font;
                const clipped = [...document.querySelectorAll(".top *")].filter((e) => e.scrollWidth > e.clientWidth);
                return [...clipped.map((e) => e.className), pen.measureText(field.placeholder).width > room];
            }"""
        )
        assert cut == [False], locale


@pytest.mark.parametrize(("locale", "width"), [("zh-CN", 320), ("zh-TW", 320), ("zh-CN", 390)])
@pytest.mark.parametrize("is_large", [False, True])
async def test_the_notice_of_samples_breaks_between_its_parts(
    phone: Phone, locale: str, width: int, is_large: bool
) -> None:
    await phone.restarts(is_demo=True)
    page = await phone.opens(width=width, locale=locale)
    if is_large:
        await page.locator("#large").tap()
    lines = await page.evaluate(
        """() => {
            const words = document.querySelector(".notice").firstChild, place = document.createRange(), lines = {};
            [...words.data].forEach((letter, at) => {
                place.setStart(words, at); place.setEnd(words, at + 1);
                const top = Math.round(place.getBoundingClientRect().top);
                lines[top] = (lines[top] ?? "") + letter;
            });
            return Object.values(lines);
        }"""
    )
    assert "".join(lines).endswith("。")
    assert all(line[-1] in "：，。" for line in lines), lines


async def test_words_without_buttons_fit_a_narrow_page(phone: Phone) -> None:
    page = await phone.has_started(width=320)
    [user] = phone.channel.present()
    address = "https://uri.amap.com/marker?position=111.0037,35.0209&name=" + "a" * 200
    spelled = f"离您最近的：\n1 东城街道爱心驿站\n2 {'没有空格的很长的名字' * 8}\n高德导航 {address}\n{'x' * 300}"
    many = tuple((Button(f"{n} · {'很长的名字' * 6}", f"p.{n}"), Button("短", f"q.{n}")) for n in range(30))
    await phone.channel.send(Address("web", user), Outgoing(spelled))
    await phone.channel.send(Address("web", user), Outgoing("标题\n" * 3, many, photo=DOT))
    await expect(page.get_by_role("link", name=address)).to_have_attribute("target", "_blank")
    await expect(page.locator(".bot").last.get_by_role("button")).to_have_count(60)
    wide = await page.evaluate(
        """() => [...document.querySelectorAll("#log *")].filter((e) => e.getBoundingClientRect().right > innerWidth)
        .map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert wide == []
    assert await page.evaluate("document.documentElement.scrollWidth") == 320


async def test_a_number_to_call_is_shown_once(phone: Phone) -> None:
    page = await phone.has_started()
    [user] = phone.channel.present()
    call = Button("120 急救", url="tel:120")
    await phone.channel.send(Address("web", user), Outgoing("现在就打 120。\n120 急救", ((call,),)))
    await expect(page.locator(".bot").last.locator(".bubble")).to_have_text("现在就打 120。")
    await expect(page.get_by_role("link", name="120 急救")).to_have_class("button strong")


async def test_a_code_to_show_at_the_door_outlives_a_reload(phone: Phone) -> None:
    page = await phone.has_started()
    [user] = phone.channel.present()
    await phone.channel.send(Address("web", user), Outgoing("约好了", photo=DOT))
    await expect(page.get_by_role("img", name="这条消息的图片")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("img", name="这条消息的图片")).to_be_visible()


async def test_a_photo_is_made_small_and_sent(phone: Phone) -> None:
    page = await phone.has_started()
    picture = await page.screenshot()
    await page.locator("#photo").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": picture})
    await expect(page.locator(".bot").last).to_contain_text("event photo")
    await page.locator("#photo").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"no"})
    await expect(page.locator(".notice").last).to_contain_text("打不开")


async def test_large_print_is_remembered(phone: Phone) -> None:
    page = await phone.has_started(width=320)
    await page.locator("#large").tap()
    await page.reload()
    assert await page.locator("#large").get_attribute("aria-pressed") == "true"
    assert await page.evaluate("getComputedStyle(document.body).fontSize") == "22px"
    assert await page.evaluate("document.documentElement.scrollWidth") == 320


async def test_the_conversation_can_be_cleared(phone: Phone) -> None:
    page = await phone.has_started()
    page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
    await page.locator("#more summary").tap()
    await page.locator("#clear").tap()
    await expect(page.locator(".turn")).to_have_count(0)
    await page.reload()
    await expect(page.locator("#words")).to_be_visible()
    assert await page.locator(".turn").count() == 0


async def test_erasing_leaves_nothing_on_the_device(phone: Phone) -> None:
    page = await phone.has_started()
    twin = await page.context.new_page()
    await twin.goto(phone.serving.origin)
    await says(page, "my secret")
    await expect(twin.locator(".bot").last).to_contain_text("You said: my secret")
    await says(page, "erase me")
    for tab in (page, twin):
        await expect(tab.locator(".turn")).to_have_count(1)
        await expect(tab.locator(".bot")).to_contain_text("Everything is erased.")
    kept = await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert "secret" not in kept
    assert "erased" not in kept
    assert json.loads(json.loads(kept)[0]["nuanxin.session"]) is None
    assert phone.channel.present() == set()
    assert phone.bot.texts == ["/start", "my secret", "erase me"]
    await says(twin, "somebody else")
    await expect(twin.locator(".bot").last).to_contain_text("You said: somebody else")
    assert phone.bot.texts[3:] == ["/start", "somebody else"]
    assert phone.bot.heard[-1].sender != phone.bot.heard[0].sender


async def test_after_erasing_a_reload_shows_nothing_old(phone: Phone) -> None:
    page = await phone.has_started()
    await says(page, "my secret")
    await expect(page.locator(".bot").last).to_contain_text("You said: my secret")
    await says(page, "erase me")
    await expect(page.locator(".bot")).to_contain_text("Everything is erased.")
    await page.reload()
    await expect(page.locator(".bot")).to_contain_text("您好，我是暖新")
    await expect(page.locator(".turn")).to_have_count(1)


async def test_who_was_erased_in_another_chat_sees_nothing_old(phone: Phone) -> None:
    page = await phone.has_started()
    await says(page, "my secret")
    await expect(page.locator(".bot").last).to_contain_text("You said: my secret")
    phone.known = False
    await page.reload()
    await expect(page.locator(".bot")).to_contain_text("您好，我是暖新")
    await expect(page.locator(".turn")).to_have_count(1)
    assert "secret" not in await page.evaluate("JSON.stringify({...localStorage})")


async def test_it_keeps_no_position(phone: Phone) -> None:
    page = await phone.has_started(geolocation=HERE, permissions=["geolocation"])
    await page.locator("#locate").tap()
    await expect(page.locator(".card")).to_have_count(3)
    await expect(page.locator(".waiting")).to_have_count(0)
    kept = await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert "35.0215" not in kept
    assert "110.9985" not in kept
    await phone.serving.__aexit__()
    await page.locator("#locate").tap()
    await expect(page.locator(".own.waiting")).to_have_count(1)
    assert "35.0215" not in await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    await phone.serving.__aenter__()


async def test_the_keyboard_is_enough(phone: Phone) -> None:
    page = await phone.has_started(width=320)
    await page.keyboard.press("Tab")
    await expect(page.locator(".skip")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#words")).to_be_focused()
    await page.keyboard.type("热水")
    await page.keyboard.press("Enter")
    await expect(page.locator(".bot").last).to_contain_text("You said: 热水")
    await page.keyboard.type("充电")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("#words")).to_be_focused()
    while not await page.locator("#locate").evaluate("(e) => e === document.activeElement"):
        await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator(".pin")).to_be_focused()
    for _n in range(3):
        await page.keyboard.press("Shift+ArrowUp")
    await expect(page.locator("#map-near")).not_to_be_empty()
    await page.keyboard.press("Tab")
    while not await page.locator("#map-use").evaluate("(e) => e === document.activeElement"):
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator(".card")).to_have_count(3)
    location = phone.bot.heard[-1].location
    assert location
    assert location.lat > 35.1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390])
async def test_nobody_is_kept_out(phone: Phone, scheme: str, width: int) -> None:
    page = await phone.has_started(width=width, color_scheme=scheme)
    await page.get_by_role("button", name="附近").tap()
    await expect(page.locator(".seat").first).to_be_attached()
    assert await serious_faults(page) == []
    await page.locator("#map-use").tap()
    await expect(page.locator(".card")).to_have_count(3)
    await page.locator("#more summary").tap()
    assert await serious_faults(page) == []
    await page.goto(phone.serving.origin + "/admin/login")
    assert await serious_faults(page) == []
