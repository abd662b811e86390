"""A clinic in a real browser: the week is made at an office screen, the day is run from a phone at the door."""

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page, expect

from bot.database import Database
from bot.services import passes
from bot.web import passes as passes_pages
from bot.web.server import build_app
from bot.web.site import Site
from bot.web.staff import SESSION_COOKIE
from tests.browser import Serving, Watched, serious_faults
from tests.web.admin.booked import NAME_AND_PHONE, books, fair, messages, row, state
from tests.web.admin.conftest import Desk
from tests.web.scripted import CITY, voice

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
OFFICE, PHONE = (1280, 900), (390, 844)


def serving(desk: Desk) -> Serving:
    """The console with the pages behind a booking's QR, on a port of its own."""
    site = Site(CITY, desk.database, lambda: desk.now, voice)
    return Serving(build_app(site, console=desk.console, extra=passes_pages.routes(desk.console.desk)))


async def opened(chromium: Chromium, desk: Desk, origin: str, size: tuple[int, int]) -> Watched:
    """A browser of that size in which the operator is logged in; it speaks English."""
    width, height = size
    context = await chromium.new_context(viewport={"width": width, "height": height}, locale="en-GB")
    cookie = desk.as_role("operator").cookie
    await context.add_cookies([{"name": SESSION_COOKIE, "value": cookie, "url": origin}])
    return Watched(await context.new_page(), context, origin)


async def is_fine(page: Page) -> None:
    """Nothing keeps people out, and nothing sticks out at the side."""
    assert await serious_faults(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


async def test_a_week_is_made_and_a_session_moved_at_the_office(browser: Chromium, database: Database) -> None:
    desk = Desk(database)
    await desk.opens()
    made = await fair(desk)
    booked = await books(desk, made.session)
    async with serving(desk) as site:
        watched = await opened(browser, desk, site.origin, OFFICE)
        page = watched.page
        await page.goto(f"{site.origin}/admin/offerings/{made.offering}")
        await is_fine(page)
        await page.get_by_role("link", name="New weekly pattern").click()
        await page.get_by_label("Address or room").fill("社区活动室")
        await page.get_by_role("button", name="Show the sessions that it makes").click()
        await expect(page.get_by_label("Preview")).to_contain_text("New: 1")
        await is_fine(page)
        await page.get_by_role("button", name="Save and make them").click()
        await expect(page.get_by_role("status")).to_have_text("Saved.")
        await page.goto(f"{site.origin}/admin/sessions?view=month&from=2026-02-01")
        await expect(page.locator(".slot").first).to_be_visible()
        await is_fine(page)
        await page.goto(f"{site.origin}/admin/sessions/{made.session}")
        await is_fine(page)
        await page.get_by_label("Day", exact=True).fill("2026-01-17")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator("blockquote")).to_contain_text("is now Sat 17 Jan 14:00")
        await is_fine(page)
        await page.get_by_role("button", name="Move it and tell them").click()
        await expect(page.get_by_role("status")).to_contain_text("everybody concerned is told")
        assert watched.faults == []
    await desk.client.close()
    assert (await row(desk, made.session)).sequence == 1
    assert "is now Sat 17 Jan 14:00" in (await messages(desk))[-1]
    assert await state(desk, booked.id) == "booked"


async def test_a_day_is_run_from_a_phone(browser: Chromium, database: Database) -> None:
    desk = Desk(database)
    await desk.opens()
    made = await fair(desk, questions=NAME_AND_PHONE)
    first, second = [
        await books(desk, made.session, name=name, phone=f"1380000000{n}") for n, name in enumerate("王李")
    ]
    scanned = passes.check_in_url(first.code, desk.console.desk).removeprefix(desk.console.desk.public_url)
    async with serving(desk) as site:
        watched = await opened(browser, desk, site.origin, PHONE)
        page = watched.page
        await page.goto(f"{site.origin}{scanned}")
        await is_fine(page)
        await page.get_by_role("button", name="Check in").first.click()
        await expect(page.get_by_role("status")).to_have_text("✓ Checked in")
        await is_fine(page)
        await page.get_by_label("Next code").fill(second.code.lower())
        await page.get_by_role("button", name="Check in").click()
        await expect(page.get_by_role("status")).to_have_text("✓ Checked in")
        await expect(page.get_by_text("2 of 2 here")).to_be_visible()
        await is_fine(page)
        await page.get_by_role("link", name="Health check").click()
        await page.get_by_role("link", name="+ Somebody without the chat").click()
        await page.get_by_label("What shall we call you?").fill("何")
        await page.get_by_label("Which mobile number").fill("13912345678")
        await page.get_by_label("They heard that").check()
        await is_fine(page)
        await page.get_by_role("button", name="Give them a seat").click()
        await expect(page.get_by_text("without a chat")).to_be_visible()
        await is_fine(page)
        for address in ("/admin/bookings/day/2026-01-15", "/admin/sessions", "/admin/offerings/new"):
            await page.goto(f"{site.origin}{address}")
            await is_fine(page)
        assert watched.faults == []
    await desk.client.close()
    assert [await state(desk, one.id) for one in (first, second)] == ["attended", "attended"]
    assert (await row(desk, made.session)).taken == 3
