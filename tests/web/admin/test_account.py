"""One's own account: the password, the second factor, the link that replaces a lost password, and the chat."""

import re
from collections.abc import Mapping
from datetime import timedelta

import pytest
from aiohttp import ClientResponse
from sqlalchemy import select, update

from bot.models import StaffMember, StaffReset
from bot.services import audit, credentials, totp
from bot.services.staff import FREE_TRIES
from bot.web.staff import SESSION_COOKIE
from tests.web.admin.conftest import PASSWORD, Browser, Desk

OWN = "a password of my own"


def hidden(page: str, name: str) -> str:
    found = re.search(f'name="{name}" value="([^"]*)"', page)
    assert found, page
    return found[1]


async def sends(desk: Desk, form: str, to: str, fields: Mapping[str, str]) -> ClientResponse:
    """Somebody who is not logged in opens `form`, fills it and sends it."""
    shown = await desk.stranger.get(form)
    token = shown.cookies["nuanxin_form"].value
    data = {"csrf": token, **fields}
    headers = {"Cookie": f"nuanxin_form={token}", "Accept-Language": "en", "Accept": "text/html"}
    return await desk.client.post(to, data=data, headers=headers, allow_redirects=False)


async def logs_in(desk: Desk, login: str, password: str = PASSWORD, **fields: str) -> ClientResponse:
    return await sends(desk, "/admin/login", "/admin/login", {"login": login, "password": password} | fields)


async def types(desk: Desk, waiting: str, code: str, **fields: str) -> ClientResponse:
    return await sends(desk, "/admin/login", "/admin/login/code", {"waiting": waiting, "code": code} | fields)


async def changes(browser: Browser, old: str = PASSWORD, new: str = OWN, again: str = "") -> ClientResponse:
    return await browser.post("/admin/account/password", {"old": old, "new": new, "again": again or new})


async def enrols(desk: Desk, browser: Browser) -> tuple[str, ClientResponse]:
    """The secret, and what the form for it answered."""
    page = await browser.reads("/admin/account/totp")
    shown = re.search(r"<code>([A-Z2-7 ]+)</code>", page)
    assert shown
    secret = shown[1].replace(" ", "")
    fields = {"offer": hidden(page, "offer"), "code": code_of(desk, secret), "password": PASSWORD}
    return secret, await browser.post("/admin/account/totp", fields)


def code_of(desk: Desk, secret: str) -> str:
    return totp.code(secret, totp.step_at(desk.now))


async def is_in(desk: Desk, cookie: str) -> bool:
    return (await Browser(desk.client, cookie, "", desk.as_role("admin").member).get("/admin/account")).status == 200


async def test_a_new_password_logs_out_every_other_browser(desk: Desk) -> None:
    here, elsewhere, lawyer = desk.as_role("editor"), await desk.logged_in("editor"), desk.as_role("lawyer")
    response = await changes(here)
    assert (response.status, response.headers["Location"]) == (303, "/admin/account?done=saved")
    fresh = response.cookies[SESSION_COOKIE]
    assert fresh["httponly"]
    assert fresh["samesite"] == "Strict"
    assert [await is_in(desk, cookie) for cookie in (fresh.value, here.cookie, elsewhere.cookie, lawyer.cookie)] == [
        True,
        False,
        False,
        True,
    ]
    assert (await logs_in(desk, "editor")).status == 401
    assert (await logs_in(desk, "editor", OWN)).status == 303
    async with desk.database.reading() as db:
        [entry] = await audit.of(db, "staff:editor")
    assert (entry.login, entry.action, entry.before, entry.after) == ("editor", "account.password", {}, {})


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_what_is_wrong_with_a_password_is_said_at_its_field(desk: Desk) -> None:
    editor = desk.as_role("editor")
    cases = [
        ({"old": "wrong"}, "old", "does not fit"),
        ({"new": "short"}, "new", "at least 10"),
        ({"new": "13800001234567"}, "new", "not digits alone"),
        ({"new": "aaaaaaaaaaaaaa"}, "new", "at least 10"),
        ({"new": "Editor-Editor"}, "new", "not your login"),
        ({"new": "x1y2" * 51}, "new", "at least 10"),
        ({"again": "something else"}, "again", "not the same"),
        ({"new": PASSWORD}, "new", "the old one"),
    ]
    for given, field, said in cases:
        response = await changes(editor, **given)
        page = await response.text()
        assert response.status == 422
        fault = re.search(f'id="{field}-fault"[^>]*>([^<]*)<', page)
        assert fault, (given, page)
        assert said in fault[1]
        assert PASSWORD not in page
    assert (await logs_in(desk, "editor")).status == 303


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_guessing_the_old_password_locks_as_at_the_login(desk: Desk) -> None:
    editor = desk.as_role("editor")
    for _n in range(FREE_TRIES):
        assert (await changes(editor, old="wrong")).status == 422
    assert (await changes(editor)).status == 422
    desk.now += timedelta(minutes=1)
    assert (await changes(editor)).status == 303


async def test_a_first_password_is_changed_before_anything_else(desk: Desk) -> None:
    async with desk.database.writing() as db:
        await db.execute(update(StaffMember).where(StaffMember.login == "admin").values(must_change=True))
    admin = desk.as_role("admin")
    for path in ("/admin/", "/admin/staff", "/admin/audit", "/admin/account/totp"):
        response = await admin.get(path)
        assert (response.status, response.headers["Location"]) == (303, "/admin/account"), path
    assert (await admin.post("/admin/staff", {"login": "x", "role": "viewer"})).status == 403
    assert (await admin.post("/admin/account/chat")).status == 403
    assert "for one login only" in await admin.reads("/admin/account")
    assert (await admin.get("/admin/login")).headers["Location"] == "/admin/account"
    fresh = (await changes(admin)).cookies[SESSION_COOKIE].value
    assert (await Browser(desk.client, fresh, "", admin.member).get("/admin/staff")).status == 200


async def test_a_second_factor_is_asked_for_and_no_code_counts_twice(desk: Desk) -> None:
    secret, response = await enrols(desk, desk.as_role("lawyer"))
    assert response.status == 303
    assert not await is_in(desk, desk.as_role("lawyer").cookie)
    assert await is_in(desk, response.cookies[SESSION_COOKIE].value)
    async with desk.database.reading() as db:
        kept = await db.scalar(select(StaffMember.totp_secret).where(StaffMember.login == "lawyer"))
    assert kept
    assert secret.encode() not in kept

    asked = await logs_in(desk, "lawyer", next="/admin/bookings")
    page = await asked.text()
    assert (asked.status, SESSION_COOKIE in asked.cookies) == (200, False)
    waiting = hidden(page, "waiting")
    assert hidden(page, "next") == "/admin/bookings"
    # The code with which it was set up is used already; the one before it, too.
    for late in (0, -1):
        used = totp.code(secret, totp.step_at(desk.now) + late)
        assert (await types(desk, waiting, used)).status == 401
    desk.now += timedelta(seconds=30)
    entered = await types(desk, waiting, code_of(desk, secret), next="/admin/bookings")
    assert (entered.status, entered.headers["Location"]) == (303, "/admin/bookings")
    assert await is_in(desk, entered.cookies[SESSION_COOKIE].value)
    assert (await types(desk, waiting, code_of(desk, secret))).status == 401

    lawyer = await desk.logged_in("lawyer")
    assert (await lawyer.post("/admin/account/totp/off", {"password": "wrong"})).status == 422
    assert (await lawyer.post("/admin/account/totp/off", {"password": PASSWORD})).status == 303
    assert (await logs_in(desk, "lawyer")).status == 303


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_codes_cannot_be_guessed(desk: Desk) -> None:
    secret, _response = await enrols(desk, desk.as_role("lawyer"))
    desk.now += timedelta(minutes=2)
    waiting = hidden(await (await logs_in(desk, "lawyer")).text(), "waiting")
    for _n in range(FREE_TRIES):
        assert (await types(desk, waiting, "no code")).status == 401
    # Locked now: neither the right code nor the right password, typed again, gets anybody further.
    assert (await types(desk, waiting, code_of(desk, secret))).status == 401
    assert (await logs_in(desk, "lawyer")).status == 401
    assert (await types(desk, waiting, code_of(desk, secret))).status == 401
    desk.now += timedelta(minutes=1)
    assert (await types(desk, waiting, code_of(desk, secret))).status == 303


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_what_waits_for_a_code_ends_soon_and_with_its_password(desk: Desk) -> None:
    secret, _response = await enrols(desk, desk.as_role("lawyer"))
    desk.now += timedelta(minutes=2)
    waiting = hidden(await (await logs_in(desk, "lawyer")).text(), "waiting")
    forged = waiting.replace(":lawyer", ":admin")
    assert forged != waiting
    assert (await types(desk, forged, code_of(desk, secret))).status == 403
    async with desk.database.writing() as db:
        member = desk.as_role("lawyer").member
        await credentials.choose_password(db, member, password_hash="other", now=desk.now)
    assert (await types(desk, waiting, code_of(desk, secret))).status == 401
    desk.now += timedelta(minutes=5)
    assert (await types(desk, waiting, code_of(desk, secret))).status == 403


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_second_factor_is_set_up_with_password_and_code(desk: Desk) -> None:
    editor, lawyer = desk.as_role("editor"), desk.as_role("lawyer")
    page = await editor.reads("/admin/account/totp")
    assert 'src="data:image/svg+xml' in page
    secret = re.search(r"<code>([A-Z2-7 ]+)</code>", page)
    assert secret
    right = {"offer": hidden(page, "offer"), "code": code_of(desk, secret[1].replace(" ", "")), "password": PASSWORD}
    for wrong in ({"code": "000000"}, {"password": "wrong"}, {"offer": "forged.x"}, {"offer": ""}):
        assert (await editor.post("/admin/account/totp", right | wrong)).status == 422
    assert (await lawyer.post("/admin/account/totp", right)).status == 422
    assert (await editor.post("/admin/account/totp", right)).status == 303


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_where_it_is_required_an_admin_sets_it_up_first(desk: Desk) -> None:
    strict = Desk(desk.database, requires_totp=True)
    async with strict.client:
        admin, editor = await strict.logged_in("admin"), await strict.logged_in("editor")
        assert (await editor.get("/admin/account")).status == 200
        assert (await editor.get("/admin/login")).headers["Location"] == "/admin/"
        for path in ("/admin/", "/admin/staff"):
            assert (await admin.get(path)).headers["Location"] == "/admin/account"
        assert (await admin.post("/admin/staff", {"login": "x", "role": "viewer"})).status == 403
        assert "need a second factor" in await admin.reads("/admin/account")
        _secret, response = await enrols(strict, admin)
        admin = await strict.logged_in("admin")
        assert (response.status, (await admin.get("/admin/staff")).status) == (303, 200)
        assert (await admin.post("/admin/account/totp/off", {"password": PASSWORD})).status == 403


async def test_a_link_gives_a_new_password_once(desk: Desk) -> None:
    admin, editor = desk.as_role("admin"), desk.as_role("editor")
    made = await admin.post(f"/admin/staff/{editor.member.id}/reset")
    link = re.search(r"https://nuanxin\.example(/admin/reset/[\w-]+)", await made.text())
    assert (made.status, made.headers["Cache-Control"]) == (200, "no-store")
    assert link
    path = link[1]
    async with desk.database.reading() as db:
        kept = await db.scalar(select(StaffReset.token_hash))
    assert kept not in path
    # Looking does not use it up, neither does a bad password; without our form nothing happens.
    assert "editor" in await desk.stranger.reads(path)
    for fields in ({"new": "short", "again": "short"}, {"new": OWN, "again": "other"}):
        assert (await sends(desk, path, path, fields)).status == 422
    assert (await desk.stranger.post(path, {"new": OWN, "again": OWN})).status == 403
    assert await is_in(desk, editor.cookie)
    chosen = await sends(desk, path, path, {"new": OWN, "again": OWN})
    assert (chosen.status, chosen.headers["Location"], SESSION_COOKIE in chosen.cookies) == (303, "/admin/login", False)
    assert not await is_in(desk, editor.cookie)
    assert (await logs_in(desk, "editor", OWN)).status == 303
    assert (await sends(desk, path, path, {"new": "another password", "again": "another password"})).status == 404
    assert (await desk.stranger.get(path)).status == 404


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_link_is_void_after_a_day_after_another_and_for_who_is_kept_out(desk: Desk) -> None:
    async def link() -> str:
        async with desk.database.writing() as db:
            return f"/admin/reset/{await credentials.issue_reset(db, None, 'editor', now=desk.now)}"

    first, second = await link(), await link()
    assert [(await desk.stranger.get(path)).status for path in (first, second)] == [404, 200]
    desk.now += timedelta(hours=24)
    assert (await desk.stranger.get(second)).status == 404
    third = await link()
    async with desk.database.writing() as db:
        await db.execute(update(StaffMember).where(StaffMember.login == "editor").values(disabled_at=desk.now))
    assert (await desk.stranger.get(third)).status == 404
    assert (await desk.stranger.get("/admin/reset/%00%ff")).status == 404


async def test_a_chat_is_linked_by_a_code_that_is_shown_once(desk: Desk) -> None:
    operator = desk.as_role("operator")
    shown = await operator.post("/admin/account/chat")
    assert re.search(r"/staff [0-9A-Z]{8}<", await shown.text())
    assert "Linked chats now: 0." in await operator.reads("/admin/account")
    assert (await operator.post("/admin/account/chats/unlink")).status == 303
