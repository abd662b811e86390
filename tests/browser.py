"""A real browser on a phone-sized window, and a small site for it to open."""

import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

AXE = Path(__file__).parent / "vendor" / "axe" / "axe.min.js"
# How long a page may take on a busy machine, in milliseconds; what is there at once is not waited for.
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--hide-scrollbars",
    "--mute-audio",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one Chromium for all tests of a process; where there is none they are skipped, but not in CI."""
    if CHROMIUM is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must have chromium")
        pytest.skip("chromium is not installed")
    with started(CHROMIUM, tmp_path_factory.mktemp("chromium")) as address:
        yield address


@asynccontextmanager
async def browsing(folder: Path) -> AsyncIterator[Browser]:
    """A Chromium for the block, which keeps its files in `folder`."""
    assert CHROMIUM, "chromium is not installed"
    with started(CHROMIUM, folder) as address:
        async with async_playwright() as playwright:
            yield await playwright.chromium.connect_over_cdp(address)


@contextmanager
def started(chromium: str, folder: Path) -> Iterator[str]:
    """The address of the program `chromium`, which runs as long as the block and keeps its files in `folder`."""
    command = [chromium, *ARGUMENTS, "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        yield f"http://127.0.0.1:{_port_in(folder / 'DevToolsActivePort', process)}"
        process.terminate()


@pytest.fixture
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """Chromium as the system has it, of which a test has its contexts for itself."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect_over_cdp(chromium)
        yield browser
        await browser.close()


def _port_in(file: Path, process: "subprocess.Popen[bytes]") -> int:
    """The port that a browser which has just been started writes down as soon as it listens."""
    while not file.exists() or "\n" not in file.read_text():
        assert process.poll() is None, "Chromium ended at once"
        time.sleep(0.05)
    return int(file.read_text().split("\n")[0])


class Watched:
    """A page that keeps what went wrong in it: script errors, and requests that leave the site."""

    def __init__(self, page: Page, context: BrowserContext, origin: str) -> None:
        self.page = page
        self.context = context
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda said: self.faults.append(said.text) if _is_fault(said.text, said.type) else None)
        page.on("request", lambda sent: None if _is_ours(sent.url, origin) else self.faults.append(sent.url))


def _is_fault(text: str, kind: str) -> bool:
    # A browser reports every socket that a restart cuts; the page is there to mend that.
    return kind == "error" and "WebSocket" not in text and "ERR_CONNECTION_REFUSED" not in text


def _is_ours(url: str, origin: str) -> bool:
    return url.startswith((origin, origin.replace("http", "ws"), "data:", "blob:"))


async def serious_faults(page: Page, ignored: Iterable[str] = ()) -> list[str]:
    """What axe finds that keeps people out, `serious` or `critical`, as one line each."""
    await page.evaluate(AXE.read_text())
    found = await page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{fault['id']}: {fault['nodes'][0]['html'][:200]}"
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical") and fault["id"] not in ignored
    ]


class Serving:
    """A site that listens on one port, and can go away and come back there."""

    def __init__(self, app: web.Application, port: int = 0) -> None:
        self._app = app
        self._runner: web.AppRunner | None = None
        self.port = port

    async def __aenter__(self) -> "Serving":
        self._runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        assert site._server is not None
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"
