"""A places file that is sent from the console: looked at row by row, then taken in by a click."""

import io
import re
import zipfile
from datetime import timedelta
from typing import Any

import openpyxl
import pytest
from aiohttp import ClientConnectionError, ClientResponse, FormData, MultipartWriter
from sqlalchemy import func, select

from bot.models import AuditEntry, Place, StaffFile
from bot.services import place_uploads
from tests.web.admin.conftest import COUNTY, Browser, Desk
from tests.web.admin.test_places import ELSEWHERE, read, stands, undoes

HERE = "/admin/import/places"
HEADER = "code,name,kind,county,amenities\n"
GOOD = HEADER + f"A-1,东门驿站,rest_station,{COUNTY},wifi;aed\nA-2,西门小站,drivers_hub,{ELSEWHERE},\n"


def sent(content: bytes | str, name: str = "places.csv", content_type: str = "text/csv") -> FormData:
    form = FormData()
    data = content.encode() if isinstance(content, str) else content
    form.add_field("file", io.BytesIO(data), filename=name, content_type=content_type)
    return form


async def looks(browser: Browser, content: bytes | str, name: str = "places.csv") -> str:
    response = await browser.post(HERE, sent(content, name))
    page = await response.text()
    assert response.status == 200, page
    return page


async def takes(browser: Browser, page: str, **buttons: str) -> ClientResponse:
    digest = re.search(r'name="digest" value="([0-9a-f]{64})"', page)
    assert digest, page
    return await browser.post(f"{HERE}/take", {"digest": digest[1]} | buttons)


async def count(desk: Desk, table: Any = Place) -> int:
    async with desk.database.reading() as db:
        return await db.scalar(select(func.count()).select_from(table)) or 0


def facts(page: str) -> list[str]:
    return re.findall(r'<span class="fact(?: bad)?">([^<]+: \d+)<', page)


async def test_a_file_is_looked_at_and_then_taken_in(desk: Desk) -> None:
    editor = desk.as_role("editor")
    page = await looks(editor, GOOD)
    assert facts(page) == ["New: 2", "Changed: 0", "Unchanged: 0", "Wrong: 0", "Warnings: 0"]
    assert (await count(desk), await count(desk, AuditEntry)) == (0, 0)
    # The file is theirs: nobody else can take it in.
    assert (await takes(desk.as_role("admin"), page)).status == 422
    done = await takes(editor, page)
    assert (done.status, "The file is taken in" in await done.text()) == (200, True)
    place = await read(desk, "A-1")
    assert (place.name, place.amenities) == ("东门驿站", ["wifi", "aed"])
    assert (await count(desk), await count(desk, StaffFile)) == (2, 0)
    async with desk.database.reading() as db:
        entry, *each = (await db.scalars(select(AuditEntry).order_by(AuditEntry.id))).all()
    assert (entry.login, entry.action, entry.subject) == ("editor", "place.import", "places")
    assert (entry.after["file"], entry.after["added"], entry.after["changed"]) == ("places.csv", 2, 0)
    assert [(one.login, one.subject, one.before, one.after["name"]) for one in each] == [
        ("editor", "place:A-1", {}, "东门驿站"),
        ("editor", "place:A-2", {}, "西门小站"),
    ]
    assert (await takes(editor, page)).status == 422
    again = await looks(editor, GOOD.replace("西门小站", "西门新站"))
    assert facts(again)[:3] == ["New: 0", "Changed: 1", "Unchanged: 1"]


async def test_what_a_file_changed_stands_in_the_history_and_is_undone_place_by_place(desk: Desk) -> None:
    editor = desk.as_role("editor")
    await takes(editor, await looks(editor, GOOD))
    assert await undoes(desk, editor, "A-1") == 422  # It was made by the file.
    await takes(editor, await looks(editor, GOOD.replace("东门驿站", "东门新站").replace("wifi;aed", "wifi")))
    page = await editor.reads("/admin/places/A-1")
    assert ("imported from a file" in page, "东门驿站" in page, "东门新站" in page) == (True, True, True)
    assert await undoes(desk, editor, "A-1") == 303
    place = await read(desk, "A-1")
    assert (place.name, place.amenities) == ("东门驿站", ["wifi", "aed"])
    moved = "code,lat,lng,datum\nA-1,35.02,110.99,wgs84\n"
    await takes(editor, await looks(editor, moved))
    assert await undoes(desk, editor, "A-1") == 422  # Where it stands is not changed back by a click.
    async with desk.database.reading() as db:
        last = (await db.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1))).one()
    assert (last.before, last.after) == (
        {"lat": "", "lng": "", "datum": ""},
        {"lat": "35.02", "lng": "110.99", "datum": "wgs84"},
    )


async def test_what_is_wrong_is_said_row_by_row_and_can_be_left_out(desk: Desk) -> None:
    editor = desk.as_role("editor")
    bad = GOOD + f"A-3,<b>x</b>,castle,{COUNTY},\nA-1,twice,venue,,\n,nameless,venue,,\n"
    page = await looks(editor, bad)
    assert facts(page) == ["New: 2", "Changed: 0", "Unchanged: 0", "Wrong: 3", "Warnings: 0"]
    rows = re.findall(r'<tr><th scope="row">(\d+)</th><td>(\w+)</td><td>([^<]+)</td></tr>', page)
    assert rows == [
        ("4", "kind", "not known: castle"),
        ("5", "code", "row 2 has the same code"),
        ("6", "code", "this must not be empty"),
    ]
    refused = await takes(editor, page)
    assert (refused.status, await count(desk)) == (422, 0)
    done = await takes(editor, page, skip="1")
    assert (done.status, await count(desk)) == (200, 2)


async def test_a_file_waits_for_an_hour_and_only_the_last_one(desk: Desk) -> None:
    editor = desk.as_role("editor")
    first = await looks(editor, GOOD)
    second = await looks(editor, GOOD.replace("东门", "南门"))
    assert (await takes(editor, first)).status == 422
    desk.now += timedelta(minutes=20)
    assert (await editor.get(HERE)).status == 200
    desk.now += timedelta(minutes=25)
    assert (await editor.get(HERE)).status == 200
    desk.now += timedelta(minutes=15)
    assert (await takes(editor, second)).status == 422
    assert await count(desk) == 0


async def test_those_of_a_county_change_what_is_theirs_only(desk: Desk) -> None:
    await stands(desk, "M-1", county=COUNTY)
    await stands(desk, "E-1", county=ELSEWHERE)
    county = desk.as_role("county")
    head = "code,name,kind,county\n"
    theirs = "N-1,新站,venue," + COUNTY + "\n"
    for row in (
        f"N-2,新站,venue,{ELSEWHERE}\n",
        "N-2,新站,venue,\n",
        f"N-2,新站,venue,{COUNTY[:4]}00\n",
        f"E-1,改名,venue,{ELSEWHERE}\n",
        f"E-1,抢走,venue,{COUNTY}\n",
        f"M-1,送走,venue,{ELSEWHERE}\n",
    ):
        page = await looks(county, head + theirs + row)
        assert "not in a county that you look after" in page, row
        assert facts(page)[0] == "New: 1", row
    # A column that the file lacks says nothing of a place's county.
    assert "not in a county" in await looks(county, "code,name\nE-1,改名\n")
    assert "not in a county" not in await looks(county, "code,name\nM-1,改名\n")
    page = await looks(county, head + theirs + f"E-1,改名,venue,{ELSEWHERE}\n")
    assert (await takes(county, page, skip="1")).status == 200
    assert ((await read(desk, "N-1")).county, (await read(desk, "E-1")).name) == (COUNTY, "东城驿站")


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_of_a_name_only_the_end_counts(desk: Desk) -> None:
    editor = desk.as_role("editor")
    for name in (
        "../../etc/passwd.csv",
        "..\\..\\boot.CSV",
        "/etc/cron.d/x.csv",
        "a\u2028b\u202e<i>.csv",
        "长" * 300 + ".csv",
    ):
        page = await looks(editor, GOOD, name)
        shown = re.search(r"<h2>([^<]*)</h2>", page)
        assert shown, page
        assert not re.search(r"[/\\\u2028\u202e]|<i>", shown[1]), name
        assert len(shown[1]) <= 120
    for name in ("places.csv/", "places", ".csv", "places.csv.exe", "places.xls", "places.zip"):
        response = await editor.post(HERE, sent(GOOD, name))
        assert (response.status, "neither a CSV" in await response.text()) == (422, True), name
    assert (await editor.post(HERE, {"file": "places.csv"})).status == 422
    assert (await editor.post(HERE, sent(b""))).status == 422


def workbook(*sheet: str, padding: bytes = b"") -> bytes:
    """A spreadsheet whose sheet is this XML."""
    book = openpyxl.Workbook()
    first = io.BytesIO()
    book.save(first)
    out = io.BytesIO()
    with zipfile.ZipFile(first) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for part in source.infolist():
            if part.filename != "xl/worksheets/sheet1.xml":
                target.writestr(part.filename, source.read(part))
        with target.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as file:
            space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
            file.write(f"<worksheet {space}><sheetData>{''.join(sheet)}".encode())
            for _piece in range(20 if padding else 0):
                file.write(padding)
            file.write(b"</sheetData></worksheet>")
    return out.getvalue()


def cell(reference: str, text: str) -> str:
    return f'<c r="{reference}" t="str"><v>{text}</v></c>'


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize("kind", ["far", "wide", "deep", "lies"])
async def test_a_small_spreadsheet_cannot_take_all_memory(desk: Desk, kind: str) -> None:
    first = f'<row r="1">{cell("A1", "code")}</row>'
    match kind:
        case "far":  # two cells, and everything between them
            bomb = workbook(first, f'<row r="1048576">{cell("XFD1048576", "x")}</row>')
        case "wide":  # few gigabytes of nothing between two cells
            bomb = workbook(first, f'<row r="200000">{cell("ABC200000", "x")}</row>')
        case "deep":  # rows that go on for ever
            piece = b"<row>" + b'<c t="str"><v>x</v></c>' * 20_000 + b"</row>"
            bomb = workbook(first, padding=piece)
        case _:  # not what it says
            bomb = workbook(first).replace(b"PK\x01\x02", b"PK\x01\x03")
    page = await looks(desk.as_role("editor"), bomb, "a.xlsx")
    assert ("not a spreadsheet that can be read" if kind == "lies" else "the spreadsheet is too big") in page
    assert await count(desk) == 0


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_file_in_another_format_than_its_name_says(desk: Desk) -> None:
    editor = desk.as_role("editor")
    picture = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
    for name in ("a.csv", "a.xlsx", "a.geojson"):
        page = await looks(editor, picture, name)
        assert "Nothing is written yet: 1 things" in page, name
        assert "Import these places" not in page
        assert "Import without" not in page
    # What the browser says of the content is not believed, in either direction.
    odd = await editor.post(HERE, sent(GOOD, "a.csv", "image/png"))
    assert "New: 2" in await odd.text()


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_remarks_on_a_long_file_are_counted_and_few_are_shown(desk: Desk) -> None:
    page = await looks(desk.as_role("editor"), "code,name,kind\n" + "x\n" * 30_000)
    assert "Wrong: 30000" in page
    assert page.count('<th scope="row">') == place_uploads.MOST_REMARKS
    assert "The first 500 of 30000 are shown." in page


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_only_this_page_takes_large_files_and_none_larger_than_it_says(desk: Desk) -> None:
    editor = desk.as_role("editor")
    row = f"C-{{n}},站,venue,{COUNTY},{'wifi;' * 1000}\n"
    two = HEADER + "".join(row.format(n=n) for n in range(400))
    assert 2**20 < len(two) < place_uploads.LARGEST
    assert "New: 400" in await looks(editor, two)
    elsewhere = await editor.post("/admin/places", sent(b"x" * 2**21))
    assert (elsewhere.status, "too long" in await elsewhere.text()) == (413, True)
    fifty = sent(b"x" * 50 * 2**20)
    try:
        refused = await editor.post(HERE, fifty)
    except ClientConnectionError:
        # The rest of what nobody reads may find the connection closed.
        pass
    else:
        assert (refused.status, "at most 20 MB" in await refused.text()) == (413, True)
    just_over = await editor.post(HERE, sent(b"x" * (place_uploads.LARGEST + 1)))
    assert (just_over.status in (413, 422), "20 MB" in await just_over.text()) == (True, True)
    assert (await editor.get(HERE)).status == 200
    # Who may not import is refused before anything is read.
    assert (await desk.as_role("operator").post(HERE, sent(two))).status == 403


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_bodies_that_are_no_form_are_refused(desk: Desk) -> None:
    editor = desk.as_role("editor")
    token = {"X-CSRF": editor.csrf}
    for kind in ("text/plain", "application/json", "application/xml", "image/png", "multipart/mixed; boundary=x"):
        response = await editor.client.post(
            HERE, data=b"csrf=x", headers=editor._headers({"Content-Type": kind}), allow_redirects=False
        )
        assert response.status == 403, kind
    for kind, body in (
        ("multipart/form-data", b"--x--"),
        ("multipart/form-data; boundary=x", b"no boundary at all"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nnameless\r\n--x--\r\n"),
        ("application/x-www-form-urlencoded; charset=klingon", b"csrf=x"),
        ("application/x-www-form-urlencoded; charset=utf-8", b"csrf=\xff\xfe"),
    ):
        response = await editor.client.post(
            HERE, data=body, headers=editor._headers({"Content-Type": kind}), allow_redirects=False
        )
        assert response.status in (400, 403), (kind, body)
    nested = MultipartWriter("form-data")
    nested.append(MultipartWriter("mixed")).set_content_disposition("form-data", name="file")
    response = await editor.client.post(HERE, data=nested, headers=editor._headers(token), allow_redirects=False)
    assert 400 <= response.status < 500
