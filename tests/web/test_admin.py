from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import select

from bot.database import Database
from bot.models.staff import StaffMember, StaffSession
from bot.seals import Seals
from bot.services import staff
from bot.services.directory import Directory
from bot.web.server import build_app
from bot.web.site import Site
from bot.web.staff import TRIES
from tests.web.admin.conftest import console_for
from tests.web.scripted import CITY, NOON, ZONE, voice

PASSWORD = "correct horse battery"


class Desk:
    """A console with one account, a browser, and a clock that can be moved."""

    def __init__(self, database: Database, public_url: str = "") -> None:
        self.now: datetime = NOON
        self.database = database
        site = Site(CITY, database, lambda: self.now, voice, public_url=public_url)
        console = console_for(Seals("a secret for tests"), Directory(ZONE, demo=False))
        app = build_app(site, console=console)
        self.browser: TestClient[web.Request, web.Application] = TestClient(TestServer(app))

    async def form_token(self) -> str:
        page = await (await self.browser.get("/admin/login", headers={"Accept-Language": "en"})).text()
        return hidden(page)

    async def logs_in(self, password: str = PASSWORD, login: str = "admin", **headers: str) -> ClientResponse:
        form = {"login": login, "password": password, "csrf": await self.form_token()}
        return await self.browser.post("/admin/login", data=form, headers=headers, allow_redirects=False)

    def cookie(self, name: str = "nuanxin_staff") -> str:
        return next((c.value for c in self.browser.session.cookie_jar if c.key == name), "")

    async def is_in(self) -> bool:
        return (await self.browser.get("/admin/", allow_redirects=False)).status == 200


def hidden(page: str) -> str:
    return page.split('name="csrf" value="')[1].split('"')[0]


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    async with database.writing() as db:
        assert await staff.first_admin(db, PASSWORD, NOON)
    desk = Desk(database)
    async with desk.browser:
        yield desk


async def test_the_first_admin_is_made_once(database: Database) -> None:
    for expected in (True, False):
        async with database.writing() as db:
            assert await staff.first_admin(db, PASSWORD, NOON) is expected
    async with database.reading() as db:
        [member] = (await db.scalars(select(StaffMember))).all()
    assert member.role == "admin"
    assert member.password_hash.startswith("$argon2id$")


async def test_an_account_needs_a_free_login_and_a_known_role(database: Database) -> None:
    async with database.writing() as db:
        made = await staff.add(db, " Li.Na ", "county", counties=["140802"], password_hash="x", now=NOON)
    assert (made.login, made.counties) == ("li.na", ["140802"])
    for login, role, problem in (("LI.NA", "viewer", staff.LoginTaken), ("other", "king", staff.UnknownRole)):
        with pytest.raises(problem):
            async with database.writing() as db:
                await staff.add(db, login, role, password_hash="x", now=NOON)


def test_one_time_passwords_differ() -> None:
    made = {staff.one_time_password() for _n in range(100)}
    assert len(made) == 100
    assert all(len(password) == 17 for password in made)


async def test_logging_in_opens_the_console_and_logging_out_closes_it(desk: Desk) -> None:
    assert not await desk.is_in()
    response = await desk.logs_in()
    assert (response.status, response.headers["Location"]) == (303, "/admin/")
    page = await (await desk.browser.get("/admin/", headers={"Accept-Language": "en"})).text()
    assert '<a href="/admin/account">admin</a>' in page
    assert PASSWORD not in page
    token = desk.cookie()
    await desk.browser.post("/admin/logout", data={"csrf": hidden(page)})
    assert not await desk.is_in()
    desk.browser.session.cookie_jar.update_cookies({"nuanxin_staff": token}, desk.browser.make_url("/"))
    assert not await desk.is_in()


async def test_the_cookie_is_kept_from_scripts_and_other_sites(desk: Desk) -> None:
    cookie = (await desk.logs_in()).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Secure" not in cookie


async def test_behind_https_the_cookie_is_secure(desk: Desk) -> None:
    desk = Desk(desk.database, "https://nuanxin.example")
    async with desk.browser:
        response = await desk.browser.get("/admin/login")
        assert "Secure" in response.headers["Set-Cookie"]
        assert "Strict-Transport-Security" in response.headers


async def test_the_database_keeps_only_a_hash_of_the_cookie(desk: Desk) -> None:
    await desk.logs_in()
    async with desk.database.reading() as db:
        [session] = (await db.scalars(select(StaffSession))).all()
    assert desk.cookie()
    assert desk.cookie() not in (session.token_hash, session.csrf)


async def test_every_login_gets_a_new_session_and_ends_the_old(desk: Desk) -> None:
    planted = {"nuanxin_staff": "planted"}
    desk.browser.session.cookie_jar.update_cookies(planted, desk.browser.make_url("/"))
    await desk.logs_in()
    first = desk.cookie()
    assert first != "planted"
    desk.browser.session.cookie_jar.clear(lambda cookie: cookie.key == "nuanxin_staff")
    await desk.logs_in()
    assert desk.cookie() not in ("", first)


@pytest.mark.parametrize(("login", "password"), [("admin", "wrong"), ("nobody", PASSWORD), ("", ""), ("admin", "")])
async def test_a_wrong_login_reads_like_a_wrong_password(desk: Desk, login: str, password: str) -> None:
    response = await desk.logs_in(password, login, **{"Accept-Language": "en"})
    assert response.status == 401
    assert "do not fit, or there were too many tries" in await response.text()
    assert not await desk.is_in()


async def test_five_failures_lock_the_account_longer_each_time(desk: Desk) -> None:
    for _n in range(5):
        assert (await desk.logs_in("wrong")).status == 401
    assert (await desk.logs_in()).status == 401
    desk.now += timedelta(minutes=1)
    assert (await desk.logs_in("wrong")).status == 401
    desk.now += timedelta(minutes=1)
    assert (await desk.logs_in()).status == 401
    desk.now += timedelta(minutes=1)
    assert (await desk.logs_in()).status == 303


async def test_a_login_forgets_the_failures_before_it(desk: Desk) -> None:
    for _n in range(3):
        for _m in range(4):
            await desk.logs_in("wrong")
        assert (await desk.logs_in()).status == 303
        desk.browser.session.cookie_jar.clear()
        desk.now += timedelta(minutes=6)


async def test_the_longest_lock_is_half_an_hour(database: Database) -> None:
    async with database.writing() as db:
        await staff.add(db, "a", "viewer", password_hash="x", now=NOON)
    now = NOON
    for _n in range(20):
        async with database.writing() as db:
            await staff.count_try(db, "a", now)
        now += timedelta(hours=1)
        async with database.reading() as db:
            locked = await db.scalar(select(StaffMember.locked_until))
        assert locked is None or locked <= now - timedelta(hours=1) + staff.LONGEST_LOCK


async def test_one_address_has_a_bounded_number_of_tries(desk: Desk) -> None:
    for n in range(TRIES):
        assert (await desk.logs_in("wrong", f"person{n}")).status == 401
    response = await desk.logs_in("wrong", "another")
    assert response.status == 429
    assert response.headers["Retry-After"] == "300"
    desk.now += timedelta(minutes=5)
    assert (await desk.logs_in()).status == 303


@pytest.mark.parametrize("csrf", ["", "forged"])
async def test_a_form_without_our_token_is_refused(desk: Desk, csrf: str) -> None:
    await desk.form_token()
    form = {"login": "admin", "password": PASSWORD, "csrf": csrf}
    assert (await desk.browser.post("/admin/login", data=form, allow_redirects=False)).status == 403
    await desk.logs_in()
    assert (await desk.browser.post("/admin/logout", data={"csrf": csrf})).status == 403
    assert await desk.is_in()


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1"])
async def test_a_form_from_elsewhere_is_refused(desk: Desk, origin: str) -> None:
    assert (await desk.logs_in(Origin=origin)).status == 403
    assert not await desk.is_in()


async def test_a_form_from_our_own_page_is_taken(desk: Desk) -> None:
    assert (await desk.logs_in(Origin=str(desk.browser.make_url("/")).rstrip("/"))).status == 303


async def test_a_session_ends_when_idle(desk: Desk) -> None:
    await desk.logs_in()
    for _n in range(3):
        desk.now += timedelta(minutes=29)
        assert await desk.is_in()
    desk.now += timedelta(minutes=30)
    assert not await desk.is_in()


async def test_a_session_ends_after_twelve_hours_even_in_use(desk: Desk) -> None:
    await desk.logs_in()
    for _n in range(35):
        desk.now += timedelta(minutes=20)
        assert await desk.is_in()
    desk.now += timedelta(minutes=20)
    assert not await desk.is_in()


async def test_ended_sessions_are_swept_at_the_next_login(desk: Desk) -> None:
    await desk.logs_in()
    desk.browser.session.cookie_jar.clear()
    desk.now += timedelta(hours=13)
    await desk.logs_in()
    async with desk.database.reading() as db:
        assert len((await db.scalars(select(StaffSession))).all()) == 1


async def test_nothing_personal_is_logged(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    await desk.logs_in("my-secret-try", "zhang.san")
    await desk.logs_in()
    for secret in ("my-secret-try", "zhang.san", PASSWORD, desk.cookie()):
        assert secret not in caplog.text


async def test_what_looks_odd_is_no_failure_of_ours(desk: Desk) -> None:
    desk.browser.session.cookie_jar.update_cookies({"nuanxin_staff": "%ff\\ud800"}, desk.browser.make_url("/"))
    assert not await desk.is_in()
    odd = await desk.logs_in("\0" * 10, "admin\0")
    assert odd.status == 401
    assert (await desk.browser.post("/admin/login", data=b"\xff\xfe", allow_redirects=False)).status == 403
