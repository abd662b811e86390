"""An admin looks after the accounts, and the audit tells what was done."""

import asyncio
import re
from typing import Any

import pytest
from sqlalchemy import event, select

from bot.errors import Problem
from bot.models import Contact, Rider, StaffChat, StaffMember
from bot.services import accounts, authority, linking
from bot.services.accounts import LastAdmin
from tests.web.admin.conftest import COUNTY, Desk
from tests.web.admin.test_account import logs_in


async def test_an_account_is_made_with_a_password_or_a_link(desk: Desk) -> None:
    admin = desk.as_role("admin")
    made = await admin.post(
        "/admin/staff", {"login": " Li.Na ", "role": "county", "counties": [COUNTY, "1"], "how": "password"}
    )
    page = await made.text()
    password = re.search(r"<code>([a-z2-9-]{17})</code>", page)
    assert (made.status, made.headers["Cache-Control"]) == (200, "no-store")
    assert password
    entered = await logs_in(desk, "li.na", password[1])
    assert entered.status == 303
    async with desk.database.reading() as db:
        account = await accounts.called(db, "LI.NA")
    assert (account.role, account.counties, account.must_change) == ("county", (COUNTY,), True)
    made = await admin.post("/admin/staff", {"login": "wang", "role": "viewer", "counties": [COUNTY], "how": "link"})
    link = re.search(r"https://nuanxin\.example(/admin/reset/[\w-]+)", await made.text())
    assert link
    assert "wang" in await desk.stranger.reads(link[1])
    listed = await admin.reads("/admin/staff")
    assert re.search(r"li\.na</a></td>\s*<td>County[^<]*</td>\s*<td>Yanhu District</td>", listed)
    audited = await admin.reads("/admin/audit?subject=staff:li.na")
    assert "staff.add" in audited
    assert COUNTY in audited
    assert password[1] not in audited


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_what_is_wrong_with_an_account_is_said_at_its_field(desk: Desk) -> None:
    admin = desk.as_role("admin")
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"login": "EDITOR", "role": "viewer"}, "login", "already an account"),
        ({"login": " ", "role": "viewer"}, "login", "needs a login"),
        ({"login": "kept", "role": "king"}, "role", "no such role"),
        ({"login": "kept", "role": "county"}, "counties", "at least one county"),
        ({"login": "kept", "role": "county", "counties": ["999999"]}, "counties", "at least one county"),
    ]
    for fields, field, said in cases:
        response = await admin.post("/admin/staff", fields)
        page = await response.text()
        fault = re.search(f'id="{field}-fault"[^>]*>([^<]*)<', page)
        assert response.status == 422
        assert fault
        assert said in fault[1]
        assert field == "login" or 'value="kept"' in page
    assert (await admin.get("/admin/staff/999")).status == 422
    for odd in ("x", "1e3", "9" * 30, "%00"):
        assert (await admin.get(f"/admin/staff/{odd}")).status == 404


async def test_who_is_kept_out_is_out_at_once_and_may_come_back(desk: Desk) -> None:
    admin, editor = desk.as_role("admin"), desk.as_role("editor")
    one = f"/admin/staff/{editor.member.id}"
    async with desk.database.writing() as db:
        rider = Rider(created_at=desk.now)
        db.add(rider)
        await db.flush()
        contact = Contact(rider_id=rider.id, channel="buttons", user="u", locale="en", created_at=desk.now)
        db.add(contact)
        await db.flush()
        db.add(StaffChat(contact.id, editor.member.id, linked_at=desk.now))
        code = await linking.issue_for_staff(db, "editor", now=desk.now, desk=desk.console.desk)
    assert (await admin.post(f"{one}/disable")).status == 303
    assert (await editor.get("/admin/")).status == 303
    assert (await logs_in(desk, "editor")).status == 401
    async with desk.database.writing() as db:
        assert await linking.staff_at(db, contact.id) is None
        assert await linking.link_staff(db, contact.id, code=code, now=desk.now, desk=desk.console.desk) is None
        for refused in (
            authority.member_called(db, "editor"),
            linking.issue_for_staff(db, "editor", now=desk.now, desk=desk.console.desk),
        ):
            with pytest.raises(Problem):
                await refused
    assert (await admin.post(f"{one}/enable")).status == 303
    assert (await logs_in(desk, "editor")).status == 303
    async with desk.database.reading() as db:
        assert await linking.staff_at(db, contact.id) is None
    again = await desk.logged_in("editor")
    assert (await admin.post(f"{one}/sessions")).status == 303
    assert (await again.get("/admin/account")).status == 303
    audited = await admin.reads("/admin/audit?subject=staff:editor")
    done = re.findall(r"<td>(staff\.[a-z.]+)</td>", audited)
    assert done == ["staff.sessions.end", "staff.enable", "staff.disable"]


async def test_a_role_counts_from_the_next_request_on(desk: Desk) -> None:
    admin, editor = desk.as_role("admin"), desk.as_role("editor")
    one = f"/admin/staff/{editor.member.id}"
    assert (await editor.get("/admin/audit")).status == 403
    assert (await admin.post(one, {"role": "admin"})).status == 303
    assert (await editor.get("/admin/audit")).status == 200
    assert (await admin.post(one, {"role": "county", "counties": [COUNTY]})).status == 303
    assert (await editor.get("/admin/audit")).status == 403
    assert f"[&#34;{COUNTY}&#34;]" in await admin.reads("/admin/audit?action=staff.role")


async def test_there_is_always_an_admin_who_can_log_in(desk: Desk) -> None:
    admin = desk.as_role("admin")
    one = f"/admin/staff/{admin.member.id}"
    for path, fields in ((f"{one}/disable", {}), (one, {"role": "viewer"})):
        response = await admin.post(path, fields)
        assert response.status == 422
        assert "last admin" in await response.text()
    editor = desk.as_role("editor").member
    async with desk.database.writing() as db:
        await accounts.assign(db, admin.member, editor.id, "admin", counties=(), now=desk.now)
        await accounts.disable(db, admin.member, editor.id, now=desk.now)
    assert (await admin.post(f"{one}/disable")).status == 422


async def test_of_two_admins_who_disable_each_other_one_stays(desk: Desk) -> None:
    admin, editor = desk.as_role("admin").member, desk.as_role("editor").member
    async with desk.database.writing() as db:
        await accounts.assign(db, admin, editor.id, "admin", counties=(), now=desk.now)

    async def disables(staff_id: int) -> None:
        async with desk.database.writing() as db:
            await accounts.disable(db, None, staff_id, now=desk.now)

    done = await asyncio.gather(disables(admin.id), disables(editor.id), return_exceptions=True)
    assert sorted(map(type, done), key=str) == sorted([type(None), LastAdmin], key=str)
    async with desk.database.reading() as db:
        able = select(StaffMember.id).where(StaffMember.role == "admin", StaffMember.disabled_at.is_(None))
        assert len((await db.scalars(able)).all()) == 1


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_the_lists_are_paged_and_ask_as_much_for_many_as_for_few(desk: Desk) -> None:
    admin = desk.as_role("admin")
    asked: list[str] = []
    event.listen(desk.database.engine.sync_engine, "before_cursor_execute", lambda *call: asked.append(call[2]))

    async def queries(path: str) -> int:
        asked.clear()
        await admin.reads(path)
        return len(asked)

    few = await queries("/admin/staff"), await queries("/admin/audit")
    async with desk.database.writing() as db:
        for n in range(60):
            await accounts.create(db, None, f"many{n:02}", "viewer", counties=(), password_hash="x", now=desk.now)
    assert (await queries("/admin/staff"), await queries("/admin/audit")) == few
    first, second = await admin.reads("/admin/staff"), await admin.reads("/admin/staff?page=1")
    assert [page.count('href="/admin/staff/') for page in (first, second)] == [50, 17]
    audited = await admin.reads("/admin/audit")
    older = re.search(r'href="(/admin/audit\?[^"]*)"', audited.split("</table>")[1])
    assert older
    rest = await admin.reads(older[1].replace("&amp;", "&"))
    assert [page.count("staff.add") for page in (audited, rest)] == [50, 10]
    assert "Older" not in rest
    assert (await admin.reads("/admin/audit?login=nobody")).count("staff.add") == 0
    assert (await admin.reads("/admin/audit?login=SYSTEM&action=staff&subject=staff:many5")).count("staff.add") == 10
    assert (await admin.reads("/admin/audit?subject=staff%25&before=x")).count("staff.add") == 0
