"""The audit: who changed what and when, to be read and never written."""

import json
from typing import Any

from aiohttp import web

from bot.services import audit, staff
from bot.services.audit import Entry, Wanted
from bot.web.admin.gate import SITE, Pages, show

pages = Pages()


@pages.get("/admin/audit", "audit.read")
async def entries(request: web.Request) -> web.StreamResponse:
    site, asked = request.app[SITE], request.query
    wanted = Wanted(staff.spelled(asked.get("login", "")), _plain(asked.get("action")), _plain(asked.get("subject")))
    before = asked.get("before", "")
    start = int(before) if before.isascii() and before.isdecimal() and len(before) <= 18 else None
    async with site.database.reading() as db:
        rows = await audit.page(db, wanted, before=start, limit=audit.PAGE + 1)
    shown = rows[: audit.PAGE]
    values = {
        "wanted": wanted,
        "rows": [
            {
                "at": f"{row.entry.at.astimezone(site.city.zone):%Y-%m-%d %H:%M:%S}",
                "login": row.entry.login,
                "action": row.entry.action,
                "subject": row.subject,
                "changes": _changes(row.entry),
            }
            for row in shown
        ],
        "older": shown[-1].id if len(rows) > audit.PAGE else None,
    }
    return show(request, "admin/audit.html", values)


def _changes(entry: Entry) -> list[tuple[str, str, str]]:
    """What changed, each with how it was and how it is; empty where there was nothing."""
    keys = dict.fromkeys((*entry.before, *entry.after))
    return [(key, _said(entry.before.get(key)), _said(entry.after.get(key))) for key in keys]


def _said(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _plain(text: str | None) -> str:
    return (text or "").replace("\0", "").strip()[:100]
