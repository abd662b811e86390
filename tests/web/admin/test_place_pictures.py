"""The picture of a place: what staff send is drawn anew, and riders see it."""

import io
import struct
import zlib
from base64 import b64encode

import pytest
from aiohttp import FormData
from aiohttp.test_utils import TestClient, TestServer
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sqlalchemy import func, select

from bot.models import AuditEntry, PlacePicture
from bot.services import place_pictures
from bot.web.pages import place_page
from bot.web.server import build_app
from bot.web.site import Site
from tests.web.admin.conftest import Browser, Desk
from tests.web.admin.test_places import ELSEWHERE, stands
from tests.web.scripted import CITY, voice

HERE = "/admin/places/S-1"
SECRET = b"lat 35.02, lng 110.99"


def jpeg(width: int = 60, height: int = 40, **more: object) -> bytes:
    """A photo as a telephone takes it: lying on its side, with where and by whom."""
    picture = Image.new("RGB", (width, height), "red")
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x013B] = SECRET.decode()
    exif.get_ifd(0x8825)[2] = (35.0, 1.0, 2.0)
    out = io.BytesIO()
    picture.save(out, "JPEG", exif=exif, comment=SECRET, xmp=SECRET, icc_profile=SECRET, **more)
    return out.getvalue() + b"<script>" + SECRET


def png(mode: str = "RGBA") -> bytes:
    words = PngInfo()
    words.add_text("Where", SECRET.decode())
    words.add_itxt("XML:com.adobe.xmp", SECRET.decode())
    out = io.BytesIO()
    Image.new(mode, (30, 30)).save(out, "PNG", pnginfo=words)
    return out.getvalue()


def bomb() -> bytes:
    """A small PNG of a great many pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 9000, 9000, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(27_001) * 9000, 9))
    return b"\x89PNG\r\n\x1a\n" + head + pixels + chunk(b"IEND", b"")


def sent(picture: bytes, name: str = "IMG_1.jpg", content_type: str = "image/jpeg") -> FormData:
    form = FormData()
    form.add_field("file", io.BytesIO(picture), filename=name, content_type=content_type)
    return form


async def gives(browser: Browser, picture: bytes, to: str = HERE) -> int:
    return (await browser.post(f"{to}/picture", sent(picture))).status


async def test_a_picture_is_shown_changed_and_taken_away(desk: Desk) -> None:
    await stands(desk)
    editor = desk.as_role("editor")
    assert "There is no picture" in await editor.reads(HERE)
    assert (await editor.get(f"{HERE}/picture")).status == 404
    assert await gives(editor, jpeg()) == 303
    page = await editor.reads(HERE)
    assert f'src="{HERE}/picture?' in page
    response = await editor.get(f"{HERE}/picture")
    shown = Image.open(io.BytesIO(await response.read()))
    # It stands upright, as its EXIF said.
    assert (response.content_type, shown.size) == ("image/jpeg", (40, 60))
    assert await gives(editor, png()) == 303
    public = await desk.stranger.get("/p/S-1/picture")
    assert (public.status, public.headers["X-Content-Type-Options"]) == (200, "nosniff")
    assert Image.open(io.BytesIO(await public.read())).size == (30, 30)
    assert "picture changed" in await editor.reads(HERE)
    assert (await editor.post(f"{HERE}/picture/remove")).status == 303
    assert (await editor.post(f"{HERE}/picture/remove")).status == 422
    assert (await desk.stranger.get("/p/S-1/picture")).status == 404
    async with desk.database.reading() as db:
        rows = list(await db.scalars(select(AuditEntry).order_by(AuditEntry.id)))
        assert await db.scalar(select(func.count()).select_from(PlacePicture)) == 0
    assert [row.action for row in rows] == ["place.picture", "place.picture", "place.picture.remove"]
    assert rows[0].after == rows[1].before
    assert rows[1].after == rows[2].before


async def test_riders_see_it_on_the_page_of_the_place(desk: Desk) -> None:
    await stands(desk)
    await stands(desk, "H-1", state="hidden")
    editor = desk.as_role("editor")
    for code in ("S-1", "H-1"):
        assert await gives(editor, jpeg(), f"/admin/places/{code}") == 303
    assert (await desk.stranger.get("/p/H-1/picture")).status == 404
    assert (await editor.get("/admin/places/H-1/picture")).status == 200
    await desk.refresh()
    site = Site(CITY, desk.database, lambda: desk.now, voice)
    app = build_app(site, places=place_page(desk.directory))
    async with TestClient(TestServer(app)) as client:
        assert 'src="/p/S-1/picture?' in await (await client.get("/p/S-1")).text()


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_whose_place_it_is_not_gives_it_no_picture(desk: Desk) -> None:
    await stands(desk, county=ELSEWHERE)
    county, operator = desk.as_role("county"), desk.as_role("operator")
    for browser in (county, operator):
        assert await gives(browser, jpeg()) == 403
        assert (await browser.post(f"{HERE}/picture/remove")).status == 403
    assert (await county.get(f"{HERE}/picture")).status == 403
    assert await gives(desk.as_role("editor"), jpeg(), "/admin/places/gone") == 422


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_what_is_no_picture_is_refused(desk: Desk) -> None:
    await stands(desk)
    editor = desk.as_role("editor")
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    for bad in (b"", b"GIF89a" + bytes(100), drawing, jpeg()[:200], png()[:60], b"\xff\xd8\xff" + bytes(50), bomb()):
        assert await gives(editor, bad) == 422, bad[:20]
    assert (await editor.post(f"{HERE}/picture", {"file": "x"})).status == 422
    over = await editor.post(f"{HERE}/picture", sent(jpeg() + bytes(place_pictures.LARGEST)))
    assert (over.status in (413, 422), "10 MB" in await over.text()) == (True, True)
    assert (await editor.get(f"{HERE}/picture")).status == 404


async def test_nothing_but_its_pixels_is_left() -> None:
    for picture in (jpeg(), jpeg(progressive=True), *map(png, ("RGBA", "LA", "P", "1", "I;16"))):
        bare = await place_pictures.redrawn(picture)
        assert SECRET not in bare
        assert b64encode(SECRET) not in bare
        assert b"<script>" not in bare
        with Image.open(io.BytesIO(bare)) as read:
            assert (read.format, read.mode, dict(read.getexif())) == ("JPEG", "RGB", {})
            assert read.info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    big = await place_pictures.redrawn(jpeg(4000, 3000))
    with Image.open(io.BytesIO(big)) as read:
        assert read.size == (960, 1280)
    assert len(big) < 2**20


async def test_what_is_transparent_is_white() -> None:
    bare = await place_pictures.redrawn(png())
    with Image.open(io.BytesIO(bare)) as read:
        assert read.getpixel((5, 5)) == (255, 255, 255)
