"""A whole day of a city in real browsers: the staff at their desks and at the door, a rider with a phone.

Places are taken in, a clinic week is made, a notice is written by one person and approved by another, a rider reads it
and books, is checked in at the door, and the figures know of it.
"""

import csv
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.browser import PATIENCE, Watched, serious_faults
from tests.program import NOON, Running

PASSWORD = "a first password for the day"
OWN = "a password of her own"
TODAY, WEEK_LATER = "2026-11-20", "2026-11-27"
FRIDAY = "4"
CLINIC = "盐湖体检中心"
CHECKUP = "骑手冬季免费体检"
NOTICE = "大雪降温，骑车慢一点"

Picture = Callable[[Page, str], Awaitable[None]]


async def no_picture(_page: Page, _name: str) -> None:
    return


@dataclass
class Day:
    """The program that runs, and a browser of `width` for the staff. `picture` sees each page when it is done."""

    browser: Browser
    program: Running
    folder: Path
    width: int
    picture: Picture = no_picture

    def __post_init__(self) -> None:
        self.watched: list[Watched] = []
        self._desks: list[BrowserContext] = []

    async def passes(self) -> None:
        """From the morning to the evening."""
        async with self._desk() as admin, self._desk() as other, self._phone() as rider:
            await self._logs_in(admin, "admin", PASSWORD)
            await self._rider_agrees_to_notices(rider)
            await self._takes_in_places(admin)
            await self._makes_a_clinic_week(admin)
            await self._lets_a_second_person_in(admin, other)
            await self._writes_a_notice(admin)
            await self._approves_it(other)
            code = await self._rider_reads_and_books(rider)
            await self._checks_in_at_the_door(admin, code)
            await self._looks_at_the_figures(admin)

    def faults(self) -> list[str]:
        """What went wrong in any page: script errors, requests that leave the site."""
        return [fault for watched in self.watched for fault in watched.faults]

    @asynccontextmanager
    async def _desk(self) -> AsyncIterator[Page]:
        async with self._window(self.width, 844 if self.width < 800 else 900) as page:
            yield page

    @asynccontextmanager
    async def _phone(self) -> AsyncIterator[Page]:
        async with self._window(390, 844) as page:
            yield page

    @asynccontextmanager
    async def _window(self, width: int, height: int) -> AsyncIterator[Page]:
        context = await self.browser.new_context(
            viewport={"width": width, "height": height}, locale="zh-CN", reduced_motion="reduce"
        )
        page = await context.new_page()
        page.set_default_timeout(PATIENCE)
        self.watched.append(Watched(page, context, self.program.address))
        yield page
        await context.close()

    async def _opens(self, page: Page, path: str) -> None:
        await page.goto(self.program.address + path)

    async def _looks_fine(self, page: Page, name: str) -> None:
        """Nothing keeps people out, and nothing is wider than the window."""
        assert await serious_faults(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url
        await self.picture(page, name)

    async def _logs_in(self, page: Page, login: str, password: str) -> None:
        await self._opens(page, "/admin/")
        await page.locator("#login").fill(login)
        await page.locator("#password").fill(password)
        await page.get_by_role("button", name="登录").click()

    async def _takes_in_places(self, page: Page) -> None:
        file = self.folder / "places.csv"
        with file.open("w", encoding="utf-8-sig", newline="") as out:
            rows = csv.writer(out)
            rows.writerow(("code", "name", "kind", "county", "lat", "lng", "datum", "hours", "amenities", "source"))
            where = ("35.0228", "110.9975", "wgs84", "Mo-Su 08:00-20:00", "toilet;hot_water", "市总工会")
            rows.writerow(("CLINIC", CLINIC, "venue", "140802", *where))
        await page.get_by_role("link", name="地方", exact=True).click()
        await page.get_by_role("link", name="导入").first.click()
        await page.locator("#file").set_input_files(file)
        await page.locator("form[enctype] button[type=submit]").click()
        await expect(page.get_by_text("新增：1")).to_be_visible()
        await self._looks_fine(page, "import")
        await page.locator("form[action$=take] button.strong").click()
        await expect(page.get_by_role("status")).to_contain_text("文件已导入")
        await self._opens(page, "/admin/places/CLINIC")
        await self._looks_fine(page, "place")

    async def _makes_a_clinic_week(self, page: Page) -> None:
        await self._opens(page, "/admin/offerings/new")
        await page.locator("#category").select_option("health")
        await page.locator("#title").fill(CHECKUP)
        await page.locator("#description").fill("量血压、查血糖、听心肺，约二十分钟。")
        await page.locator("#organiser").fill("市总工会")
        await page.locator("#bring").fill("空腹，带一件外套。")
        await self._looks_fine(page, "offering-new")
        await page.locator("form.card button.strong").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text(CHECKUP)
        offering = page.url.partition("?")[0]
        await page.locator("a[href$='/patterns/new']").click()
        for day in ("0", "1", "2", "3", FRIDAY):
            await page.locator(f"input[name=weekdays][value='{day}']").check()
        values = {"opens": "14:00", "closes": "17:00", "minutes": "60", "capacity": "20"}
        dates = {"first_day": TODAY, "last_day": WEEK_LATER}
        for name, value in (values | dates | {"place": "CLINIC"}).items():
            await page.locator(f"#{name}").fill(value)
        await page.locator("button[name=look]").click()
        await expect(page.get_by_text("新增：18")).to_be_visible()
        await self._looks_fine(page, "pattern")
        await page.locator("form.card button.strong").click()
        await page.goto(offering)
        await page.get_by_role("button", name="向骑手公布").click()
        await self._looks_fine(page, "offering")
        await self._opens(page, "/admin/sessions")
        await self._looks_fine(page, "calendar")

    async def _lets_a_second_person_in(self, page: Page, other: Page) -> None:
        await self._opens(page, "/admin/staff")
        await page.locator("#login").fill("wang")
        await page.locator("#role").select_option("approver")
        await page.locator("form:has(#login) button.strong").click()
        link = (await page.locator("code").inner_text()).strip()
        await other.goto(link)
        for field in await other.locator("input[type=password]").all():
            await field.fill(OWN)
        await other.locator("button.strong").click()
        await self._logs_in(other, "wang", OWN)
        await expect(other.get_by_role("link", name="wang")).to_be_visible()

    async def _writes_a_notice(self, page: Page) -> None:
        await self._opens(page, "/admin/notices/new")
        await page.locator("#title_zh_CN").fill(NOTICE)
        await page.locator("#body_zh_CN").fill("今夜有雪，桥面和路口先结冰。提早减速，轻刹车，累了就去驿站歇一歇。")
        await page.locator("#source").fill("市应急管理局")
        await self._looks_fine(page, "notice-new")
        await page.locator("form.card button.strong").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text(NOTICE)
        await self._looks_fine(page, "notice")
        await page.get_by_role("button", name="✓ 提交审核").click()
        await expect(page.get_by_role("status")).to_be_visible()

    async def _approves_it(self, page: Page) -> None:
        await self._opens(page, "/admin/")
        await self._looks_fine(page, "overview-approver")
        await self._opens(page, "/admin/notices")
        await page.get_by_role("link", name=NOTICE).first.click()
        await self._looks_fine(page, "notice-approve")
        await page.get_by_role("button", name="✓ 通过").click()
        await expect(page.get_by_role("status")).to_be_visible()

    async def _rider_agrees_to_notices(self, page: Page) -> None:
        await self._opens(page, "/")
        last = page.locator(".bot").last
        await expect(last).to_contain_text("暖新")
        await self._says(page, "通知")
        await last.get_by_role("button").first.click()
        await self._answered(page)

    async def _rider_reads_and_books(self, page: Page) -> str:
        last = page.locator(".bot").last
        await self._says(page, "通知")
        await expect(page.locator("#log")).to_contain_text(NOTICE)
        await self.picture(page, "rider-notice")
        await self._says(page, "我要预约体检")
        await last.get_by_role("button", name=CHECKUP).click()
        await self._answered(page)
        await last.get_by_role("button", name="14:00").first.click()
        await self._answered(page)
        await last.get_by_role("button", name="确认预约").click()
        await expect(last).to_contain_text("约好了")
        await self.picture(page, "rider-booked")
        words = await last.inner_text()
        return words.partition("预约码：")[2][:6]

    async def _says(self, page: Page, text: str) -> None:
        await page.locator("#words").fill(text)
        await page.locator("#words").press("Enter")
        await self._answered(page)

    async def _answered(self, page: Page) -> None:
        await expect(page.locator(".waiting")).to_have_count(0)

    async def _checks_in_at_the_door(self, page: Page, code: str) -> None:
        await self._opens(page, "/admin/bookings")
        await page.locator("#code").fill(code.lower())
        await page.locator("form[action$=check-in] button").click()
        await expect(page.get_by_role("status")).to_contain_text("签到成功")
        await self._looks_fine(page, "door")
        await page.locator("#code").fill(code)
        await page.locator("form[action$=check-in] button").click()
        await expect(page.get_by_role("status")).to_contain_text("之前已签到")
        await self._opens(page, f"/admin/bookings/day/{TODAY}")
        await expect(page.get_by_text(code)).to_be_visible()
        await self._looks_fine(page, "day-sheet")

    async def _looks_at_the_figures(self, page: Page) -> None:
        await self._opens(page, "/admin/figures")
        await expect(page.locator("#bookings")).to_contain_text(CHECKUP)
        await expect(page.locator("#notices")).to_contain_text(NOTICE)
        await self._looks_fine(page, "figures")
        await self._opens(page, "/admin/")
        await self._looks_fine(page, "overview")


SETTINGS = {"CLOCK": NOON, "STAFF_PASSWORD": PASSWORD}
