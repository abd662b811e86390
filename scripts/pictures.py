"""Makes the pictures of the README and of the staff handbook, with the whole program, as its users see it.

`.venv/bin/python -m scripts.pictures` writes them to docs/pictures: a rider's real exchange on a phone, and a day of a
city at a desk.
"""

import asyncio
import tempfile
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, Page, expect

from tests.browser import browsing
from tests.day import SETTINGS, Day
from tests.program import NOON, free_port, serving

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"
HANDBOOK = FOLDER.parent / "staff-handbook.md"
HERE = {"latitude": 35.016, "longitude": 110.993}
PHONE = {"width": 390, "height": 844}
PATIENCE = 20_000
DESK_WIDTH = 1280
COLOURS = 128

# (what the names of the pictures end with, language, colours)
PICTURES = (("", "zh-CN", "light"), ("-dark", "zh-CN", "dark"), ("-en", "en-GB", "light"))


async def main() -> None:
    """What riders see, then what staff see."""
    await _riders()
    await _staff()


async def _riders() -> None:
    """Start, share a location, see the list, open a card: once for each language and colours."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        async with serving(Path(folder), CLOCK=NOON) as program, browsing(Path(folder) / "chromium") as browser:
            for ending, language, colours in PICTURES:
                page = await _open(browser, program.address, language, colours)
                await _exchange(page, ending)
                await page.context.close()


async def _staff() -> None:
    """A day of a city: each page that the handbook shows, as it is when its work is done."""
    pictures = FOLDER / "staff"
    pictures.mkdir(parents=True, exist_ok=True)
    handbook = HANDBOOK.read_text("utf-8")

    async def keep(page: Page, name: str) -> None:
        file = pictures / f"{name}.png"
        if f"staff/{file.name}" not in handbook:
            return
        await page.screenshot(path=file)
        # Few colours are enough for a page, and take a third of the space.
        Image.open(file).convert("RGB").quantize(COLOURS).save(file, optimize=True)

    with tempfile.TemporaryDirectory() as folder:
        program = serving(Path(folder), PORT=str(free_port()), **SETTINGS)
        async with program as served, browsing(Path(folder) / "chromium") as browser:
            await Day(browser, served, Path(folder), DESK_WIDTH, keep).passes()


async def _open(browser: Browser, address: str, language: str, colours: str) -> Page:
    context = await browser.new_context(
        viewport=PHONE,  # type: ignore[arg-type]  # a plain dict is what it takes
        device_scale_factor=1.5,
        locale=language,
        color_scheme=colours,  # type: ignore[arg-type]  # "light" or "dark"
        geolocation=HERE,  # type: ignore[arg-type]  # a plain dict is what it takes
        permissions=["geolocation"],
        has_touch=True,
        reduced_motion="reduce",
    )
    page = await context.new_page()
    page.set_default_timeout(PATIENCE)
    await page.goto(address)
    return page


async def _exchange(page: Page, ending: str) -> None:
    await expect(page.locator(".bot")).to_have_count(1, timeout=PATIENCE)
    await _settled(page)
    await page.screenshot(path=FOLDER / f"start{ending}.png")
    await page.locator("#locate").tap()
    await expect(page.locator(".card")).to_have_count(5, timeout=PATIENCE)
    await _settled(page)
    await page.screenshot(path=FOLDER / f"list{ending}.png")
    await page.locator(".card").first.get_by_role("button").first.tap()
    await expect(page.locator(".bot")).to_have_count(3, timeout=PATIENCE)
    await _settled(page)
    await page.screenshot(path=FOLDER / f"card{ending}.png")


async def _settled(page: Page) -> None:
    """Nothing is waited for, and nothing moves any more."""
    await expect(page.locator(".waiting")).to_have_count(0, timeout=PATIENCE)
    await expect(page.locator("#banner")).to_be_hidden()
    await page.evaluate("document.fonts.ready")


if __name__ == "__main__":
    asyncio.run(main())
