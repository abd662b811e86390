"""Every page of the console in a real browser, in the office and on a phone, and what only a script does."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect
from sqlalchemy import select

from bot.models import Place
from bot.web.admin import PAGES
from bot.web.staff import SESSION_COOKIE
from tests.browser import Watched, serious_faults
from tests.web.admin.conftest import Desk
from tests.web.admin.furnished import BOOKING, CODE, FILLED, furnish
from tests.web.admin.test_security import stands_for

SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
WORDS = "东城街道爱心驿站（含充电）"


async def context_of(desk: Desk, browser: Browser, *, role: str = "admin", scripts: bool = True) -> BrowserContext:
    """A window in which somebody of that role is logged in."""
    context = await browser.new_context(
        viewport={"width": 1280, "height": 844}, locale="en-GB", java_script_enabled=scripts
    )
    address = str(desk.client.make_url("/"))
    await context.add_cookies([{"name": SESSION_COOKIE, "value": desk.as_role(role).cookie, "url": address}])
    return context


def origin(desk: Desk) -> str:
    return str(desk.client.make_url("/")).rstrip("/")


@pytest.fixture
async def page(desk: Desk, browser: Browser) -> AsyncIterator[Page]:
    """A page of an administrator in a furnished city; what goes wrong in it fails the test."""
    await furnish(desk, WORDS)
    context = await context_of(desk, browser)
    page = await context.new_page()
    watched = Watched(page, context, origin(desk))
    yield page
    assert watched.faults == []
    await context.close()


@SQLITE
async def test_no_page_keeps_anybody_out(desk: Desk, page: Page) -> None:
    shown = 0
    # Some pages also ask what they are for.
    for address in dict.fromkeys(
        f"{stands_for(one.path, FILLED)}?offering=1&code={BOOKING}" for one in PAGES if one.method == "GET"
    ):
        response = await desk.as_role("admin").get(address)
        if response.content_type != "text/html" or response.status == 303:
            continue
        assert response.status == 200, address
        await page.goto(f"{origin(desk)}{address}")
        for width in (1280, 390):
            await page.set_viewport_size({"width": width, "height": 844})
            assert await serious_faults(page) == [], (address, width)
            is_narrow = await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert is_narrow, (address, width)
        shown += 1
    assert shown > 20


@SQLITE
async def test_places_stand_on_the_map_beside_their_table(desk: Desk, page: Page) -> None:
    await page.goto(f"{origin(desk)}/admin/places")
    marker = page.locator("#map .leaflet-marker-icon.spot")
    await expect(marker).to_have_count(1)
    await page.locator(f'tr[data-code="{CODE}"]').hover()
    await expect(marker).to_have_class(re.compile("here"))
    await marker.click()
    await page.locator(".leaflet-popup").get_by_role("link", name=WORDS).click()
    await expect(page).to_have_url(f"{origin(desk)}/admin/places/{CODE}")


@SQLITE
async def test_squares_are_drawn_and_say_what_was_missing(desk: Desk, page: Page) -> None:
    await page.goto(f"{origin(desk)}/admin/figures")
    await expect(page.locator("#map path.square")).to_have_count(1)
    await page.locator("#map path.square").click()
    await expect(page.locator(".leaflet-popup")).to_contain_text("72 searches, at least 8 people")


@SQLITE
@pytest.mark.parametrize("width", [1280, 390])
async def test_a_file_is_imported_and_a_picture_given(desk: Desk, page: Page, tmp_path: Path, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 844})
    file = tmp_path / "places.csv"
    file.write_text("code,name,kind\nN-1,新站,venue\nN-2,坏站,castle\n", "utf-8-sig")
    await page.goto(f"{origin(desk)}/admin/places")
    await page.get_by_role("link", name="Import a file").click()
    await page.get_by_label("A CSV, XLSX or GeoJSON file").set_input_files(file)
    await page.get_by_role("button", name="Look at it first").click()
    await expect(page.get_by_role("row", name="3 kind not known: castle")).to_be_visible()
    await page.get_by_role("button", name="Import without the wrong rows").click()
    await expect(page.get_by_role("status")).to_have_text("The file is taken in.")
    async with desk.database.reading() as db:
        assert await db.scalar(select(Place.name).where(Place.code == "N-1")) == "新站"
    await page.goto(f"{origin(desk)}/admin/places/{CODE}")
    picture = page.get_by_role("img", name="Picture of")
    assert await picture.evaluate("image => image.naturalWidth") == 40
    await page.get_by_role("button", name="Remove the picture").click()
    await expect(page.get_by_text("There is no picture.")).to_be_visible()


@SQLITE
async def test_a_notice_is_shown_while_it_is_typed(desk: Desk, page: Page) -> None:
    await page.goto(f"{origin(desk)}/admin/notices/new")
    preview = page.locator("#preview")
    await expect(preview).to_contain_text("to see it here")
    await page.locator("#title_zh_CN").fill("明天有雪")
    await page.locator("#body_zh_CN").fill("慢行")
    await expect(preview).to_contain_text("明天有雪")
    await expect(preview).to_contain_text("慢行")
    await page.locator("#body_zh_CN").fill("轻刹")
    await expect(preview).to_contain_text("轻刹")
    await expect(preview).to_contain_text("bytes; at most 4096")


@SQLITE
async def test_hours_are_told_while_they_are_typed(desk: Desk, page: Page) -> None:
    await page.goto(f"{origin(desk)}/admin/places/{CODE}")
    hours, meaning = page.get_by_label("Opening hours, such as"), page.locator("#hours-meaning")
    await hours.fill("Mo-Sa 08:00-20:00; Su off")
    await expect(meaning).to_contain_text("Now: open until 20:00")
    await expect(meaning).to_contain_text("Sunday closed")
    await hours.fill("whenever")
    await expect(meaning).to_have_text("These hours are not understood.")
    async with desk.database.reading() as db:
        assert await db.scalar(select(Place.hours).where(Place.code == CODE)) == ""


@SQLITE
async def test_everything_but_maps_works_without_a_script(desk: Desk, browser: Browser) -> None:
    await furnish(desk, WORDS)
    context = await context_of(desk, browser, scripts=False)
    page = await context.new_page()
    await page.goto(f"{origin(desk)}/admin/places")
    await expect(page.locator("#map")).to_be_hidden()
    await expect(page.get_by_role("cell", name=WORDS, exact=True)).to_be_visible()
    await page.goto(f"{origin(desk)}/admin/people")
    await page.get_by_label("The code that the person gives you").fill(BOOKING)
    await page.get_by_role("button", name="Look up").click()
    await page.get_by_role("button", name="Show 138****1234").click()
    await expect(page.get_by_text("13800001234")).to_be_visible()
    await page.goto(f"{origin(desk)}/admin/notices/new")
    await page.locator("#title_zh_CN").fill("明天有雪")
    await page.locator("#body_zh_CN").fill("慢行")
    await page.get_by_role("button", name="Only show how it reads").click()
    await expect(page.locator("#preview")).to_contain_text("慢行")
    await page.goto(f"{origin(desk)}/admin/places/{CODE}")
    await page.get_by_label("Opening hours, such as").fill("Mo-Sa 08:00-20:00; Su off")
    await page.get_by_role("button", name="What do these hours mean?").click()
    await expect(page.get_by_text("Sunday closed")).to_be_visible()
    await context.close()
