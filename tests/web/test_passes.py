"""The addresses behind a booking: the calendar, the QR picture, and the door that only staff can open."""

import io
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import icalendar
import pytest
import zxingcpp
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from PIL import Image
from sqlalchemy import select

from bot.database import Database
from bot.models import Booking, BookingChange, Offering, Rider, Session
from bot.seals import Seals
from bot.services import bookings, consents, passes, staff
from bot.services.bookings import Details
from bot.services.desk import Desk
from bot.web import passes as pages
from bot.web.server import build_app
from bot.web.site import Site
from tests.web.scripted import CITY, NOON, ZONE, voice

ENGLISH = {"Accept-Language": "en", "Accept": "text/html"}
DESK = Desk(Seals("a secret for tests"), ZONE, public_url="https://nuanxin.example")


@dataclass
class Door:
    """A browser before a site with one booking, made by 王小明."""

    database: Database
    browser: "TestClient[web.Request, web.Application]"
    booking: bookings.Booking

    @property
    def path(self) -> str:
        return passes.check_in_url(self.booking.code, DESK).removeprefix(DESK.public_url)

    async def logs_in(self, role: str = "operator") -> str:
        """Log somebody in; returns the token of their forms."""
        async with self.database.writing() as db:
            member = await staff.add(db, role, role, password_hash="x", now=NOON)
            opened = await staff.open_session(db, member.id, NOON)
        self.browser.session.cookie_jar.update_cookies({"nuanxin_staff": opened.token})
        return opened.csrf

    async def page(self, path: str = "") -> str:
        answer = await self.browser.get(path or self.path, headers=ENGLISH)
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "no-store"
        return await answer.text()

    async def posts(self, path: str, **form: str) -> tuple[int, str]:
        answer = await self.browser.post(path, data=form, headers=ENGLISH)
        return answer.status, await answer.text()

    async def state(self) -> str:
        async with self.database.reading() as db:
            return (await db.scalars(select(Booking.state))).one()


@pytest.fixture
async def door(database: Database) -> AsyncIterator[Door]:
    async with database.writing() as db:
        rider = Rider(created_at=NOON)
        offering = Offering(
            "o1", category="health", title="体检", title_en="Health check", updated_at=NOON, questions=[NAME]
        )
        db.add_all([rider, offering])
        await db.flush()
        starts_at = NOON + timedelta(hours=1)
        session = Session(
            "s1",
            offering_id=offering.id,
            starts_at=starts_at,
            ends_at=starts_at + timedelta(hours=1),
            capacity=2,
            address="王茅镇",
        )
        db.add(session)
        await db.flush()
        await consents.give(db, rider.id, consents.BOOKING, now=NOON)
        held = await bookings.hold(db, rider.id, session_id=session.id, now=NOON, desk=DESK)
        details = Details(name="王小明")
        made = await bookings.confirm(db, rider.id, booking_id=held.id, details=details, now=NOON, desk=DESK)
    app = build_app(Site(CITY, database, lambda: NOON, voice), extra=pages.routes(DESK))
    async with TestClient(TestServer(app)) as browser:
        yield Door(database, browser, made)


NAME = {"key": "name", "kind": "name"}


async def test_the_calendar_file_is_read_by_a_calendar(door: Door) -> None:
    address = passes.calendar_url(door.booking.id, DESK).removeprefix(DESK.public_url)
    answer = await door.browser.get(address, headers={"Accept-Language": "en"})
    assert answer.content_type == "text/calendar"
    [event] = icalendar.Calendar.from_ical(await answer.read()).walk("VEVENT")
    assert event["SUMMARY"] == "Health check"
    assert event.decoded("DTSTART") == NOON + timedelta(hours=1)
    assert event["LOCATION"] == "王茅镇"
    assert "王小明" not in await answer.text()


async def test_the_picture_leads_to_the_check_in(door: Door) -> None:
    answer = await door.browser.get(door.path.replace("/c/", "/qr/") + ".png")
    assert answer.content_type == "image/png"
    [found] = zxingcpp.read_barcodes(Image.open(io.BytesIO(await answer.read())).convert("L"))
    assert found.text == passes.check_in_url(door.booking.code, DESK)


async def test_strangers_learn_nothing(door: Door) -> None:
    page = await door.page()
    for secret in (door.booking.code, "王", "Health check", "体检", "csrf"):
        assert secret not in page.replace(door.path, "")
    status, _page = await door.posts(door.path, csrf="x")
    assert status == 403
    assert await door.state() == "booked"


async def test_who_logs_in_from_a_scanned_code_comes_back_to_it(door: Door) -> None:
    async with door.database.writing() as db:
        await staff.add(db, "li", "operator", password_hash=await staff.hashed("correct horse"), now=NOON)
    scanned = await door.page()
    [link] = re.findall(r'href="(/admin/login[^"]+)"', scanned)
    form = await (await door.browser.get(link)).text()
    fields = dict(re.findall(r'name="(csrf|next)" value="([^"]*)"', form))
    answer = await door.browser.post(
        "/admin/login", data=fields | {"login": "li", "password": "correct horse"}, headers=ENGLISH
    )
    assert answer.url.path == door.path
    assert door.booking.code in await answer.text()


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/c/x",
        "//evil.example/c/x",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/c//evil.example",
        "/c/..//evil.example",
        "/c/%2e%2E/%2fevil.example",
        "/c/%5c..%5c%5cevil.example",
        "/admin\t//evil.example",
        "/c/x\nLocation: https://evil.example",
        "/c/x\r\n",
        "/b/x.ics",
        "/",
        "javascript:alert(1)",
        " /c/x",
        "",
    ],
)
async def test_a_login_leads_to_no_other_place(door: Door, elsewhere: str) -> None:
    csrf = await door.logs_in()
    assert csrf
    answer = await door.browser.get("/admin/login", params={"next": elsewhere}, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/admin/")


@pytest.mark.parametrize("path", ["/c/ABCDEF.xxxxxxxxxxxxxxxxxxxxxx", "/c/x", "/b/1.x.ics", "/b/x.ics", "/qr/x.png"])
async def test_forged_links_lead_nowhere(door: Door, path: str) -> None:
    assert (await door.browser.get(path)).status == 404


async def test_a_link_of_one_kind_is_no_link_of_another(door: Door) -> None:
    token = DESK.seals.sign("calendar", door.booking.code)
    assert (await door.browser.get(f"/c/{token}")).status == 404


async def test_staff_check_in_once_and_undo(door: Door) -> None:
    csrf = await door.logs_in()
    assert door.booking.code in await door.page()
    assert await door.state() == "booked"
    status, page = await door.posts(door.path, csrf=csrf)
    assert status == 200
    assert "Checked in" in page
    assert "王**" in page
    assert "王小明" not in page
    assert await door.state() == "attended"
    status, page = await door.posts(door.path, csrf=csrf)
    assert "Checked in already" in page
    async with door.database.reading() as db:
        steps = list(await db.scalars(select(BookingChange.to_state).order_by(BookingChange.id)))
    assert steps.count("attended") == 1
    status, page = await door.posts(f"{door.path}/undo", csrf=csrf, booking=str(door.booking.id))
    assert "Undone" in page
    assert await door.state() == "booked"
    status, page = await door.posts(f"{door.path}/undo", csrf=csrf, booking=str(door.booking.id))
    assert status == 409


async def test_a_scanned_code_says_who_it_is_and_the_next_is_at_hand(door: Door) -> None:
    await door.logs_in()
    page = await door.page()
    for part in ("王**", "Health check", "王茅镇", 'action="/admin/bookings/check-in"', 'href="/admin/bookings"'):
        assert part in page, part
    assert "王小明" not in page
    assert await door.state() == "booked"


@pytest.mark.parametrize("csrf", ["", "wrong"])
async def test_a_form_of_another_site_does_nothing(door: Door, csrf: str) -> None:
    good = await door.logs_in()
    for path in (door.path, f"{door.path}/undo"):
        status, _page = await door.posts(path, csrf=csrf, booking="1")
        assert status == 403
        answer = await door.browser.post(
            path, data={"csrf": good, "booking": "1"}, headers={"Origin": "https://evil.example"}
        )
        assert answer.status == 403
    assert await door.state() == "booked"


async def test_the_undo_takes_numbers_only(door: Door) -> None:
    csrf = await door.logs_in()
    for forged in ("", "x", "-1", "９", "9" * 30):
        status, _page = await door.posts(f"{door.path}/undo", csrf=csrf, booking=forged)
        assert status == 400


async def test_staff_of_other_sessions_cannot_check_in(door: Door) -> None:
    csrf = await door.logs_in("lawyer")
    status, page = await door.posts(door.path, csrf=csrf)
    assert status == 409
    assert "No booking has that code" in page
    assert await door.state() == "booked"
