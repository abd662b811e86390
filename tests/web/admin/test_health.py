"""How the program does, seen by staff, and a message to oneself as a test of the way."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bot.models import AuditEntry, Outbound, Pause
from bot.services.broadcasts.restored import EVERYWHERE
from tests.web.admin.conftest import Desk
from tests.web.admin.test_notices import rider

HERE = "/admin/health"


def says(desk: Desk, **more: Any) -> None:
    """What the program says of itself."""

    async def ready() -> dict[str, Any]:
        known = {"ready": True, "database": True, "migrations": True, "directory": True, "loops": {}, "paused": {}}
        return known | more

    object.__setattr__(desk.console, "ready", ready)


async def test_a_test_message_goes_to_ones_own_chats(desk: Desk) -> None:
    operator = desk.as_role("operator")
    await rider(desk)
    await rider(desk, staff="editor")
    refused = await operator.post(f"{HERE}/test")
    assert (refused.status, "No chat of yours" in await refused.text()) == (422, True)
    mine = {await rider(desk, staff="operator"), await rider(desk, staff="operator")}
    assert (await operator.post(f"{HERE}/test")).status == 303
    again = await operator.post(f"{HERE}/test")
    assert (again.status, "on its way already" in await again.text()) == (422, True)
    async with desk.database.writing() as db:
        rows = list(await db.scalars(select(Outbound)))
        assert {row.contact_id for row in rows} == mine
        assert {(row.lane, row.at) for row in rows} == {("personal", desk.now)}
        assert "sent by operator" in rows[0].message["text"]
        rows[0].state, rows[0].sent_at = "sent", desk.now + timedelta(seconds=2)
        rows[1].state, rows[1].error = "failed", "chat not found <b>"
    page = await operator.reads(HERE)
    for part in ("sent · after 2.0 s", "failed · chat not found &lt;b&gt;"):
        assert part in page, part
    assert "after 2.0 s" not in await desk.as_role("editor").reads(HERE)
    desk.now += timedelta(minutes=1)
    assert (await operator.post(f"{HERE}/test")).status == 303
    async with desk.database.reading() as db:
        actions = list(await db.scalars(select(AuditEntry.action)))
    assert actions == ["health.test"] * 2


async def test_notices_that_a_backup_held_go_on_by_a_click(desk: Desk) -> None:
    until = "9999-01-01T00:00:00+00:00"
    says(desk, paused={EVERYWHERE: {"until": until, "reason": "restored?"}})
    async with desk.database.writing() as db:
        db.add(Pause(EVERYWHERE, until=desk.now + timedelta(days=9), reason="restored?"))
    assert "let notices go on" not in await desk.as_role("operator").reads(HERE)
    assert (await desk.as_role("operator").post(f"{HERE}/resume")).status == 403
    admin = desk.as_role("admin")
    assert "let notices go on" in await admin.reads(HERE)
    assert (await admin.post(f"{HERE}/resume")).status == 303
    async with desk.database.reading() as db:
        assert await db.scalar(select(Pause)) is None
        entry = (await db.scalars(select(AuditEntry))).one()
    assert (entry.login, entry.action) == ("admin", "bulk.resume")


async def test_what_runs_and_what_does_not_is_said_in_words(desk: Desk) -> None:
    last = desk.now.isoformat()
    loops = {
        "web": {"ok": True, "last": last, "detail": "webhook"},
        "buttons": {"ok": False, "last": last, "detail": "<i>connection refused"},
    }
    says(desk, loops=loops, paused={"web": {"until": last, "reason": "429"}})
    page = await desk.as_role("operator").reads(HERE)
    for part in ("Telegram calls us (webhook)", "✗ does not run", "&lt;i&gt;connection refused", "web until", "429"):
        assert part in page, part
    assert ("one file" in page) == desk.database.embedded
    assert " MB</li>" in page


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_viewer_sees_no_inner_works(desk: Desk) -> None:
    for path in (HERE, f"{HERE}/test", f"{HERE}/resume"):
        viewer = desk.as_role("viewer")
        response = await (viewer.get(path) if path == HERE else viewer.post(path))
        assert response.status == 403, path
