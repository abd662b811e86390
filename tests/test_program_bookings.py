"""Booking in the program as operators run it, killed between two steps."""

import asyncio
import base64
import io
from pathlib import Path
from typing import Any

import aiohttp
import icalendar
import zxingcpp
from PIL import Image

from tests.program import NOON, Running, run, serving

Answer = dict[str, Any]


class Page:
    """The chat page of one person, who comes back to the same conversation."""

    def __init__(self) -> None:
        self.token = ""
        self.sent = 0
        self.labels: dict[str, Answer] = {}

    async def says(self, program: Running, **frame: str) -> list[Answer]:
        async with aiohttp.ClientSession() as client, client.ws_connect(f"{program.address}/chat/ws") as socket:
            if self.token:
                await socket.send_json({"resume": self.token})
            else:
                self.token = (await socket.receive_json())["session"]
            self.sent += 1
            key = f"k{self.sent}"
            await socket.send_json(frame | {"key": key})
            answers: list[Answer] = []
            async with asyncio.timeout(30):
                while not answers or answers[-1].get("done") != key:
                    answers.append(await socket.receive_json())
        self.labels = {b["label"]: b for a in answers for row in a.get("buttons", ()) for b in row}
        return [answer for answer in answers if "text" in answer]

    async def taps(self, program: Running, part: str) -> list[Answer]:
        button = next(button for label, button in self.labels.items() if part in label)
        return await self.says(program, press=button["press"])


async def test_a_booking_survives_a_kill_between_every_two_steps(tmp_path: Path) -> None:
    page = Page()
    settings = {"CLOCK": NOON, "SECRET_KEY": "a secret for tests that is long enough"}
    said: list[Answer] = []
    async with serving(tmp_path, **settings) as program:
        await page.says(program, text="/book")
        category = next(label for label in page.labels if "礼" in label or "Gift" in label)
    for n in range(8):
        async with serving(tmp_path, **settings) as program:
            if n == 0:
                said = await page.taps(program, category)
            else:
                said = await page.says(program, press=next(iter(page.labels.values()))["press"])
            await program.is_killed()
        if said[-1].get("photo"):
            break
    picture = said[-1]["photo"].partition("base64,")[2]
    [code] = zxingcpp.read_barcodes(Image.open(io.BytesIO(base64.b64decode(picture))).convert("L"))
    assert "/c/" in code.text
    async with serving(tmp_path, **settings) as program:
        calendar = next(button["url"] for button in page.labels.values() if button.get("url", "").endswith(".ics"))
        path = "/" + calendar.split("/", 3)[3]
        status, body = await program.get(path)
        assert status == 200
        assert len(icalendar.Calendar.from_ical(body).walk("VEVENT")) == 1
        status, shown = await program.get("/" + code.text.split("/", 3)[3], Accept="text/html")
        assert status == 200
        assert "csrf" not in shown


async def test_the_commands_of_bookings(tmp_path: Path) -> None:
    offers, dates = tmp_path / "offers.csv", tmp_path / "dates.csv"
    offers.write_text("code,category,title\ntea,event,喝茶\n,event,x\n", encoding="utf-8")
    status, out, err = await run(tmp_path, "import", "offerings", str(offers), DEMO="0")
    assert (status, '"added": 0' in out) == (1, True), err
    status, out, err = await run(tmp_path, "import", "offerings", str(offers), "--skip-bad", DEMO="0")
    assert (status, '"added": 1' in out) == (0, True), err
    dates.write_text(
        "code,offering,address,starts_at,ends_at,capacity\nt1,tea,茶馆,2099-01-05 14:00,2099-01-05 15:00,5\n",
        encoding="utf-8",
    )
    status, out, err = await run(tmp_path, "import", "sessions", str(dates), DEMO="0")
    assert (status, '"added": 1' in out) == (0, True), err
    status, out, _err = await run(tmp_path, "staff", "add", "li", "--role", "operator", DEMO="0")
    assert status == 0
    status, out, _err = await run(tmp_path, "staff", "link", "li", DEMO="0")
    assert (status, len(out.strip())) == (0, 8)
    status, out, err = await run(tmp_path, "staff", "link", "nobody", DEMO="0")
    assert (status, out) == (1, "")
    assert "no account" in err or "没有" in err
