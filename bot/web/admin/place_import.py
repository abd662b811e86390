"""Places from a file: what it would do is shown row by row, then it is taken in by a click."""

from typing import Any

from aiohttp import web

from bot.services import place_uploads
from bot.services.place_files import ImportReport
from bot.services.place_uploads import LARGEST, MOST_REMARKS, NoFile, Upload
from bot.web.admin.gate import MEMBER, SITE, Pages, show

pages = Pages()


@pages.get("/admin/import/places", "place.import")
async def form(request: web.Request) -> web.StreamResponse:
    return _shown(request, None, None)


@pages.post("/admin/import/places", "place.import", largest=LARGEST)
async def look(request: web.Request) -> web.StreamResponse:
    """Say what the file would do; it is kept for the next step."""
    site, member, sent = request.app[SITE], request[MEMBER], (await request.post()).get("file")
    if not isinstance(sent, web.FileField):
        raise NoFile
    upload = await place_uploads.receive(sent.filename, sent.file)
    report = await place_uploads.look(site.database, member, upload, city=site.city, now=site.now())
    async with site.database.writing() as db:
        await place_uploads.keep(db, member, upload, now=site.now())
    return _shown(request, upload, report)


@pages.post("/admin/import/places/take", "place.import")
async def take(request: web.Request) -> web.StreamResponse:
    """Take in the file that was looked at; with the button `skip` without its bad rows."""
    site, member, asked = request.app[SITE], request[MEMBER], await request.post()
    async with site.database.reading() as db:
        upload = await place_uploads.kept(db, member, str(asked.get("digest", "")), now=site.now())
    report = await place_uploads.take(
        site.database, member, upload, skip_bad="skip" in asked, city=site.city, now=site.now()
    )
    return _shown(request, upload, report, status=200 if report.written else 422)


def _shown(
    request: web.Request, upload: Upload | None, report: ImportReport | None, *, status: int = 200
) -> web.Response:
    values: dict[str, Any] = {
        "upload": upload,
        "report": report,
        "most": LARGEST // 2**20,
        "most_remarks": MOST_REMARKS,
    }
    return show(request, "admin/place_import.html", values, status=status)
