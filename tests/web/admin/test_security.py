"""The console keeps out who must not come in, and what must not come through."""

import ast
import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import ClientConnectionError, FormData
from yarl import URL

from bot.services import authority
from bot.services.staff import ROLES
from bot.web.admin import PAGES, figures
from bot.web.admin.gate import Page
from bot.web.server import LARGEST_BODY
from bot.web.staff import SESSION_COOKIE, TRIES
from tests.web.admin.conftest import Browser, Desk
from tests.web.admin.furnished import BOOKING, FILLED, furnish
from tests.web.admin.hostile import PAYLOAD, rampage
from tests.web.admin.test_account import OWN, logs_in, sends
from tests.web.admin.test_people import opens as opens_with_code

BOT = Path(__file__).parents[3] / "bot"
# Their rows have limits of their own, which an address alone does not show.
SCOPED = ("county", "lawyer")


def filled(path: str) -> str:
    """The address of something that is not there, such as the pattern takes it."""

    def fill(found: re.Match[str]) -> str:
        pattern = found[1] or "[^/]+"
        plausible = ("999999", "2026-01-15", "zz", "zz-999", *pattern.strip("()").split("|"))
        fitting = [value for value in plausible if re.fullmatch(pattern, value)]
        assert fitting, f"no example for {pattern}"
        return str(fitting[0])

    return re.sub(r"\{\w+(?::((?:[^{}]|\{[^{}]*\})*))?\}", fill, path)


def stands_for(path: str, known: Mapping[str, str]) -> str:
    """The address of something that is there, such as the pattern takes it."""

    def fill(found: re.Match[str]) -> str:
        value = known.get(found[1], "")
        return value if re.fullmatch(found[2] or "[^/]+", value) else filled(found[0])

    return re.sub(r"\{(\w+)(?::((?:[^{}]|\{[^{}]*\})*))?\}", fill, path)


async def opens(browser: Browser, page: Page) -> int:
    path = filled(page.path)
    return (await (browser.get(path) if page.method == "GET" else browser.post(path))).status


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_each_role_opens_what_the_table_says_and_nothing_else(desk: Desk) -> None:
    wrong = []
    for page in PAGES:
        for role in ROLES:
            browser = desk.as_role(role)
            status = await opens(browser, page)
            is_allowed = role in authority.TABLE[page.action]
            may_be_refused = role in SCOPED and ("{" in page.path or page.method == "POST")
            fits = (status != 403 or may_be_refused) and status < 500 if is_allowed else status == 403
            if not fits:
                wrong.append((page.method, page.path, role, status))
    assert wrong == []


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_who_is_not_logged_in_is_sent_to_the_login(desk: Desk) -> None:
    assert len(PAGES) > 10
    for page in PAGES:
        path = filled(page.path)
        if page.method == "GET":
            response = await desk.stranger.get(f"{path}?a=b")
            there = URL(response.headers["Location"])
            assert (response.status, there.path, there.query["next"]) == (303, "/admin/login", f"{path}?a=b")
        else:
            assert (await desk.stranger.post(path)).status == 403


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_no_form_is_taken_without_the_token_of_its_session_or_from_elsewhere(desk: Desk) -> None:
    admin, other = desk.as_role("admin"), await desk.logged_in("admin")
    own = str(desk.client.make_url("/")).rstrip("/")
    pages = [page for page in PAGES if page.method == "POST"]
    assert pages
    for page in pages:
        path = filled(page.path)
        for csrf in ("", "forged", other.csrf):
            forger = Browser(desk.client, admin.cookie, csrf, admin.member)
            assert (await forger.post(path)).status == 403, (path, csrf)
        for origin in ("https://evil.example", "null", "http://127.0.0.1", own.replace("http:", "ftp:")):
            assert (await admin.post(path, Origin=origin)).status == 403, (path, origin)
        silent = {"Cookie": f"{SESSION_COOKIE}={admin.cookie}", "Content-Type": "text/plain"}
        assert (await desk.client.post(path, data=f"csrf={admin.csrf}", headers=silent)).status == 403, path
    assert (await admin.post("/admin/account/chat", Origin=own)).status == 200


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_every_page_carries_headers_that_keep_foreign_code_out(desk: Desk) -> None:
    admin = desk.as_role("admin")
    for page in PAGES:
        if page.method != "GET":
            continue
        response = await admin.get(filled(page.path))
        headers = response.headers
        policy = dict(part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";"))
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert (policy["default-src"], policy["script-src"], policy["style-src"]) == ("'none'", "'self'", "'self'")
        assert (policy["frame-ancestors"], policy["form-action"], policy["base-uri"]) == ("'none'", "'self'", "'none'")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert response.status != 200 or headers["Cache-Control"] == "no-store", page.path


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_markup_that_somebody_types_stays_text(desk: Desk) -> None:
    faults, actions = await rampage(desk.as_role("admin"))
    assert faults == []
    assert {"/admin/staff", "/admin/audit", "/admin/account/password"} <= actions
    # It did come in, and is shown as what it is.
    assert "&lt;hostile a=1&gt;" in await desk.as_role("admin").reads("/admin/staff")
    refused = await logs_in(desk, PAYLOAD, "x", next=PAYLOAD)
    assert "<hostile" not in await refused.text()


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("onward", "there"),
    [
        ("/admin/places?kind=rest&q=%E7%83%AD", "/admin/places?kind=rest&q=%E7%83%AD"),
        ("/c/K7-x.abc", "/c/K7-x.abc"),
        *(
            (bad, "/admin/")
            for bad in (
                "https://evil.example/admin/",
                "//evil.example/admin/",
                "/\\evil.example/admin/",
                "/admin/\\..\\..",
                "/admin/\r\nSet-Cookie: a=b",
                "javascript:alert(1)",
                "/adminevil",
                "/p/S-1",
                " /admin/",
                "/admin@evil.example/",
                "",
            )
        ),
    ],
)
async def test_a_login_leads_to_pages_of_staff_only(desk: Desk, onward: str, there: str) -> None:
    shown = await desk.stranger.get(f"/admin/login?next={quote(onward, safe='')}")
    assert f'name="next" value="{there.replace("&", "&amp;")}"' in await shown.text()
    response = await logs_in(desk, "editor", next=onward)
    assert (response.status, response.headers["Location"]) == (303, there)
    again = await desk.as_role("editor").get(f"/admin/login?next={quote(onward, safe='')}")
    assert (again.status, again.headers["Location"]) == (303, there)


async def test_a_session_that_was_planted_is_not_the_one_that_is_opened(desk: Desk) -> None:
    viewer = desk.as_role("viewer")
    shown = await desk.stranger.get("/admin/login")
    token = shown.cookies["nuanxin_form"].value
    planted = {"Cookie": f"nuanxin_form={token}; {SESSION_COOKIE}={viewer.cookie}"}
    form = {"csrf": token, "login": "admin", "password": "correct horse battery"}
    entered = await desk.client.post("/admin/login", data=form, headers=planted, allow_redirects=False)
    fresh = entered.cookies[SESSION_COOKIE]
    assert (fresh["httponly"], fresh["samesite"], fresh["path"]) == (True, "Strict", "/")
    assert fresh.value != viewer.cookie
    assert (await viewer.get("/admin/account")).status == 303


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_behind_https_cookies_never_go_out_in_the_clear(desk: Desk) -> None:
    public = Desk(desk.database, public_url="https://nuanxin.example")
    async with public.client:
        entered = await logs_in(public, "editor")
        shown = await public.stranger.get("/admin/login")
        for cookie in (entered.cookies[SESSION_COOKIE], shown.cookies["nuanxin_form"]):
            assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Strict")
        assert "max-age" in entered.headers["Strict-Transport-Security"]


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_links_to_new_passwords_cannot_be_guessed(desk: Desk) -> None:
    statuses = [
        (await sends(desk, "/admin/login", f"/admin/reset/{n}", {"new": OWN, "again": OWN})).status
        for n in range(TRIES + 1)
    ]
    assert (set(statuses[:-1]), statuses[-1]) == ({404}, 429)


def test_nothing_alters_or_deletes_what_is_audited() -> None:
    assert [page for page in PAGES if page.method != "GET" and page.path.startswith("/admin/audit")] == []
    writers = []
    for path in sorted(BOT.rglob("*.py")):
        source = path.read_text("utf-8")
        if "audit" not in source.lower():
            continue
        tree = ast.parse(source)
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        name = str(path.relative_to(BOT))
        if name != "services/audit.py" and any(map(_could_write_audit, ast.walk(tree))):
            writers.append(name)
        if name == "services/audit.py":
            # The one module that knows the rows can only add and read them.
            assert names & {"update", "delete", "text"} == set()
            called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
            overwriting = {"on_conflict_do_update", "delete", "merge", "connection", "exec_driver_sql"}
            assert called & overwriting == set()
        raw = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        assert not [text for text in raw if re.search(r"(?i)\b(update|delete from|truncate)\s+\"?audit\b", text)], name
    assert writers == []


def _could_write_audit(node: ast.AST) -> bool:
    """Whether a call makes a row of the audit, changes one, or takes whole rows, which could then be changed."""
    if not isinstance(node, ast.Call):
        return False
    called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    handed = [argument.id for argument in node.args if isinstance(argument, ast.Name)]
    is_taken = "AuditEntry" in handed and called in {"insert", "update", "delete", "select", "get", "get_one", "merge"}
    return called == "AuditEntry" or is_taken


def test_no_template_lets_markup_through() -> None:
    for path in sorted((BOT / "web" / "templates").rglob("*.html")):
        page = path.read_text("utf-8")
        assert not re.search(r"\|\s*safe\b|autoescape\s+false|\sstyle=|\son[a-z]+=", page), path.name
        assert not re.search(r"<script(?! (type=\"application/json\"|[^>]*src=\"\{\{ asset))[^>]*>", page), path.name


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_markup_that_is_kept_stays_text_wherever_it_is_shown(desk: Desk) -> None:
    await furnish(desk, PAYLOAD)
    page, _token = await opens_with_code(desk.as_role("operator"), BOOKING)
    assert "<hostile" not in page
    assert "&lt;hostile" in page
    faults, actions = await rampage(desk.as_role("admin"))
    assert faults == []
    touched = {
        *("/admin/places/S-1", "/admin/import/places", "/admin/people", "/admin/notices/1/edit", "/admin/health/test"),
        *("/admin/places/S-1/picture", "/admin/offerings/1/edit", "/admin/sessions/1"),
    }
    assert touched <= actions, touched - actions


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1"])
async def test_no_file_holds_a_cell_that_a_spreadsheet_would_run(desk: Desk, formula: str) -> None:
    await furnish(desk, formula)
    admin, seen = desk.as_role("admin"), 0
    for page in PAGES:
        if page.method != "GET" or "csv" not in page.path:
            continue
        names = figures.TABLES if "/figures/{name" in page.path else ("",)
        for name in names:
            address = stands_for(page.path, FILLED | {"name": name})
            response = await admin.get(address)
            assert (response.status, response.content_type) == (200, "text/csv"), address
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            rows = list(csv.reader(io.StringIO((await response.read()).decode("utf-8-sig"))))
            cells = [cell for row in rows for cell in row]
            seen += sum(formula.strip() in cell for cell in cells)
            assert [cell for cell in cells if cell[:1] in tuple("=+-@\t\r") and not is_number(cell)] == [], address
    assert seen > 3


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


TRICKS = ("..%2f..%2fetc%2fpasswd", "..%5c..%5cboot.ini", "a%00b", "%0d%0aSet-Cookie:%20a=b", "x" * 3000)


async def test_tricks_in_addresses_lead_nowhere(desk: Desk) -> None:
    admin = desk.as_role("admin")
    for page in PAGES:
        for trick in TRICKS if "{code}" in page.path else ():
            path = page.path.replace("{code}", trick)
            browser = await (admin.get(path) if page.method == "GET" else admin.post(path))
            assert browser.status in (400, 403, 404, 422), (page.method, path, browser.status)
            assert "Set-Cookie" not in browser.headers
    for trick in TRICKS:
        for path in (f"/admin/places?text={trick}&page={trick}", f"/admin/audit?login={trick}", f"/admin/?x={trick}"):
            assert (await admin.get(path)).status in (200, 400, 404, 414), path
        assert (await desk.stranger.get(f"/p/{trick}/picture")).status == 404
    for fields in ({"code": "a\0b"}, {"codes": ["a\0b"]}, {"name": "a\0b"}):
        for path in ("/admin/people", "/admin/places", "/admin/places/S-1", "/admin/notices/new"):
            assert (await admin.post(path, fields)).status == 400, path


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_no_page_takes_more_than_it_says(desk: Desk) -> None:
    admin = desk.as_role("admin")
    for page in PAGES:
        if page.method != "POST":
            continue
        size = (page.largest or LARGEST_BODY) + 2**18
        form = FormData()
        form.add_field("file", io.BytesIO(bytes(size)), filename="a.csv", content_type="text/csv")
        try:
            response = await admin.post(filled(page.path), form)
        except ClientConnectionError:
            continue  # the connection may be closed before all of it is sent
        assert response.status == 413, (page.path, response.status)
    assert {page.path for page in PAGES if page.largest} == {
        "/admin/import/places",
        "/admin/import/{kind:offerings|sessions}",
        "/admin/places/{code}/picture",
        "/admin/notices/new",
        "/admin/notices/{id:[0-9]{1,15}}/edit",
    }


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_what_is_no_form_changes_nothing(desk: Desk) -> None:
    admin = desk.as_role("admin")
    for page in PAGES:
        if page.method != "POST":
            continue
        for kind in ("application/json", "application/xml", "text/html", "multipart/mixed; boundary=x"):
            headers = {"Cookie": f"{SESSION_COOKIE}={admin.cookie}", "Content-Type": kind}
            body = b'{"csrf": "' + admin.csrf.encode() + b'"}'
            response = await desk.client.post(filled(page.path), data=body, headers=headers, allow_redirects=False)
            assert response.status == 403, (page.path, kind)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_forms_lead_to_pages_of_ours_only(desk: Desk) -> None:
    await furnish(desk, "x")
    evil = "https://evil.example/"
    wishes = {name: evil for name in ("next", "back", "to", "url", "return", "redirect")}
    seen = 0
    for page in PAGES:
        if page.method != "POST" or "/staff/" in page.path or "/account" in page.path:
            continue
        browser = desk.as_role("admin")
        response = await browser.post(
            f"{stands_for(page.path, FILLED)}?next={evil}", wishes, Referer=evil, **{"X-Forwarded-Host": "evil.example"}
        )
        there = response.headers.get("Location", "/")
        assert re.match(r"/(?![/\\])", there), (page.path, there)
        assert "evil" not in there
        seen += response.status == 303
    assert seen > 3
