"""The way into the console in a real browser, on a phone and in the office: login, password, second factor."""

import re

import pytest
from playwright.async_api import Browser, Page, expect

from bot.services import accounts, totp
from tests.browser import Watched, serious_faults
from tests.web.admin.conftest import PASSWORD, Desk, password_hash

OWN = "a password of my own"


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize("width", [390, 1280])
async def test_a_first_login_leads_to_a_second_factor(desk: Desk, browser: Browser, width: int) -> None:
    async with desk.database.writing() as db:
        await accounts.create(
            db, None, "zhao", "county", counties=["140802"], password_hash=password_hash(), now=desk.now
        )
    origin = str(desk.client.make_url("/")).rstrip("/")
    context = await browser.new_context(viewport={"width": width, "height": 844}, locale="en-GB")
    page = await context.new_page()
    watched = Watched(page, context, origin)

    await page.goto(f"{origin}/admin/staff?page=0")
    await logs_in(page, PASSWORD)
    await expect(page).to_have_url(f"{origin}/admin/account")
    await expect(page.get_by_role("alert")).to_have_text(re.compile("for one login only"))
    await is_fine(page)
    await page.get_by_label("The password so far").fill(PASSWORD)
    await page.get_by_label("New password, at least 10 characters").fill(OWN)
    await page.get_by_label("The new password once more").fill(OWN)
    await page.get_by_role("button", name="Change the password").click()
    await expect(page.get_by_role("status")).to_have_text("Saved.")
    await is_fine(page)

    await page.get_by_role("link", name="Set it up").click()
    picture = page.get_by_role("img", name="QR code for the authenticator app")
    assert await picture.evaluate("image => image.naturalWidth") > 0
    await is_fine(page)
    secret = "".join((await page.locator("code").inner_text()).split())
    await page.get_by_label("The six digits").fill(totp.code(secret, totp.step_at(desk.now)))
    await page.get_by_label("Password").fill(OWN)
    await page.get_by_role("button", name="Switch it on").click()
    await expect(page.get_by_role("status")).to_have_text("Saved.")

    await page.get_by_role("button", name="Log out").click()
    await logs_in(page, OWN)
    await is_fine(page)
    await page.get_by_label("The six digits").fill(totp.code(secret, totp.step_at(desk.now) + 1))
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("link", name="zhao")).to_be_visible()
    assert watched.faults == []
    await context.close()


async def logs_in(page: Page, password: str) -> None:
    await page.get_by_label("Login").fill("zhao")
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Log in").click()


async def is_fine(page: Page) -> None:
    """Nothing keeps people out, and nothing is wider than the window."""
    assert await serious_faults(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
