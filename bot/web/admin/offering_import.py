"""Offerings and sessions from a file: what it would do is shown row by row, then it is taken in by a click."""

import re
from typing import Any

from aiohttp import web

from bot.services import offering_uploads, place_uploads
from bot.services.offering_files.cells import offering_columns, session_columns
from bot.services.offering_uploads import IMPORTED, KINDS
from bot.services.place_files import ImportReport
from bot.services.place_uploads import LARGEST, MOST_REMARKS, NoFile, Upload
from bot.web.admin.forms import typed
from bot.web.admin.gate import CONSOLE, MEMBER, SITE, Pages, show

pages = Pages()


@pages.get("/admin/import/{kind:offerings|sessions}", IMPORTED)
async def form(request: web.Request) -> web.StreamResponse:
    return _shown(request, None, None)


@pages.post("/admin/import/{kind:offerings|sessions}", IMPORTED, largest=LARGEST)
async def look(request: web.Request) -> web.StreamResponse:
    """Say what the file would do; it is kept for the next step."""
    site, member, kind = request.app[SITE], request[MEMBER], request.match_info["kind"]
    sent, desk = (await request.post()).get("file"), request.app[CONSOLE].desk
    if not isinstance(sent, web.FileField):
        raise NoFile
    upload = await offering_uploads.receive(kind, sent.filename, sent.file)
    report = await offering_uploads.look(site.database, member, kind, upload, city=site.city, desk=desk, now=site.now())
    async with site.database.writing() as db:
        await place_uploads.keep(db, member, upload, now=site.now(), action=IMPORTED)
    return _shown(request, upload, report)


@pages.post("/admin/import/{kind:offerings|sessions}/take", IMPORTED)
async def take(request: web.Request) -> web.StreamResponse:
    """Take in the file that was looked at; with the button `skip` without its bad rows."""
    site, member, kind = request.app[SITE], request[MEMBER], request.match_info["kind"]
    asked, desk = await request.post(), request.app[CONSOLE].desk
    digest = typed(asked, "digest")
    if not re.fullmatch(f"{kind}-[0-9a-f]{{64}}", digest):
        raise place_uploads.OtherFile
    async with site.database.reading() as db:
        upload = await place_uploads.kept(db, member, digest, now=site.now())
    report = await offering_uploads.take(
        site.database, member, kind, upload, skip_bad="skip" in asked, city=site.city, desk=desk, now=site.now()
    )
    return _shown(request, upload, report, status=200 if report.written else 422)


def _shown(
    request: web.Request, upload: Upload | None, report: ImportReport | None, *, status: int = 200
) -> web.Response:
    kind, city = request.match_info["kind"], request.app[SITE].city
    columns = offering_columns(city.counties) if kind == "offerings" else session_columns(city.zone)
    values: dict[str, Any] = {
        "kind": kind,
        "kinds": KINDS,
        "upload": upload,
        "report": report,
        "most": LARGEST // 2**20,
        "most_remarks": MOST_REMARKS,
        "columns": ", ".join(columns),
    }
    return show(request, "admin/offering_import.html", values, status=status)
