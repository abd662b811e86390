from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from bot.database import Database, migrate
from bot.services import deep_links
from bot.services.directory import Directory, Listing
from bot.services.maps import landmarks
from bot.web.assets import Assets
from bot.web.pages import place_page
from bot.web.server import build_app
from bot.web.site import Map, Site
from tests.web.scripted import CITY, NOON, ZONE, voice

Client = TestClient[web.Request, web.Application]

STATION = Listing(
    1,
    "S-1",
    "东城街道爱心驿站",
    "rest_station",
    lat=35.021,
    lng=110.998,
    phone="0359-200 0000",
    hours="Mo-Su 08:00-22:00",
    amenities=frozenset({"hot_water", "toilet"}),
    verified_at=date(2026, 1, 12),
    demo=True,
)
GONE = Listing(2, "S-2", "旧驿站", "rest_station", state="removed")
ODD = Listing(3, "S 3/<b>", "<script>alert(1)</script>", "canteen", phone="call javascript:alert(1)")


def site(database: Database, **options: object) -> Site:
    return Site(CITY, database, lambda: NOON, voice, **options)  # type: ignore[arg-type]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    directory = Directory(ZONE, demo=True)
    directory.load([STATION, GONE, ODD])
    database = Database("sqlite:///:memory:")
    await migrate(database)
    app = build_app(
        site(
            database,
            is_demo=True,
            telegram=lambda: "nuanxin_bot",
            is_on_wechat=True,
            map=Map("https://{s}.tiles.example/{z}/{x}/{y}.png", "©", "gcj02"),
        ),
        places=place_page(directory),
    )
    async with TestClient(TestServer(app)) as client:
        yield client
    await database.close()


async def text_of(response: ClientResponse) -> str:
    return await response.text()


async def test_a_place_says_what_is_known(client: Client) -> None:
    response = await client.get("/p/S-1", headers={"Accept-Language": "zh-CN"})
    page = await text_of(response)
    assert response.status == 200
    for part in ("东城街道爱心驿站", "示例", "22:00", "uri.amap.com", "apis.map.qq.com", "api.map.baidu.com"):
        assert part in page
    assert 'href="/?place=S-1"' in page
    assert 'href="tel:03592000000"' in page


async def test_a_place_is_offered_in_every_chat_that_there_is(client: Client) -> None:
    page = await text_of(await client.get("/p/S-1", headers={"Accept-Language": "en"}))
    payload = deep_links.to_place("S-1")
    assert f'href="https://t.me/nuanxin_bot?start={payload}"' in page
    assert "In WeChat: send our official account “东城街道爱心驿站”." in page


async def test_a_removed_place_leaves_a_tombstone(client: Client) -> None:
    response = await client.get("/p/S-2", headers={"Accept-Language": "en"})
    assert response.status == 410
    page = await text_of(response)
    assert "旧驿站" in page
    assert "taken off the list" in page


@pytest.mark.parametrize("code", ["nowhere", "%00", "..%2f..%2fetc", "x" * 3000])
async def test_an_unknown_place_gets_a_kind_page(client: Client, code: str) -> None:
    response = await client.get(f"/p/{code}", headers={"Accept": "text/html", "Accept-Language": "zh-CN"})
    assert response.status == 404
    assert "这个页面不存在" in await text_of(response)


async def test_what_a_file_says_is_never_markup(client: Client) -> None:
    page = await text_of(await client.get("/p/S%203%2F%3Cb%3E"))
    assert "<script>alert" not in page
    assert "tel:" not in page
    assert 'href="/?place=S%203/%3Cb%3E"' in page


async def test_programs_get_no_page_for_a_failure(client: Client) -> None:
    response = await client.get("/nowhere", headers={"Accept": "application/json"})
    assert response.status == 404
    assert response.content_type == "text/plain"


@pytest.mark.parametrize(
    ("asked", "query", "tag"),
    [
        ("zh-CN,zh;q=0.9", "", "zh-CN"),
        ("zh-Hant-HK", "", "zh-TW"),
        ("en-GB,en;q=0.8", "", "en"),
        ("fr-FR, en;q=0.5", "", "en"),
        ("fr", "", "zh-CN"),
        ("", "", "zh-CN"),
        ("en", "?lang=zh_TW", "zh-TW"),
        ("en", "?lang=../../etc", "en"),
    ],
)
async def test_the_page_speaks_the_readers_language(client: Client, asked: str, query: str, tag: str) -> None:
    response = await client.get(f"/{query}", headers={"Accept-Language": asked})
    assert f'<html lang="{tag}">' in await text_of(response)


async def test_a_chosen_language_is_remembered(client: Client) -> None:
    await client.get("/?lang=zh_TW", headers={"Accept-Language": "en"})
    again = await client.get("/", headers={"Accept-Language": "en"})
    assert '<html lang="zh-TW">' in await text_of(again)


@pytest.mark.parametrize("path", ["/", "/p/S-1", "/p/S-2", "/nowhere", "/admin/login"])
async def test_every_page_is_locked_down(client: Client, path: str) -> None:
    headers = (await client.get(path, headers={"Accept": "text/html"})).headers
    policy = headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "img-src 'self' data: blob: https://*.tiles.example;" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


async def test_no_page_runs_a_script_of_its_own(client: Client) -> None:
    page = await text_of(await client.get("/"))
    assert page.count("<script") == 2
    assert '<script type="application/json" id="page">' in page
    for inline in ("onclick", "onload", "style=", "http://", "https://unpkg"):
        assert inline not in page


async def test_static_files_may_be_kept_for_ever_under_their_version(client: Client) -> None:
    address = Assets().address("chat/page.js")
    current = await client.get(address)
    assert current.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert current.content_type == "text/javascript"
    older = await client.get("/static/000000000000/chat/page.js")
    assert older.headers["Cache-Control"] == "no-cache"
    assert await older.text() == await current.text()


@pytest.mark.parametrize("name", ["../server.py", "%2e%2e/server.py", "chat/../../server.py", "chat", "", "nothing.js"])
async def test_only_static_files_are_served(client: Client, name: str) -> None:
    assert (await client.get(f"/static/x/{name}")).status == 404


def test_the_version_follows_the_content(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("a {}")
    before = Assets(tmp_path).version
    (tmp_path / "a.css").write_text("b {}")
    assert Assets(tmp_path).version != before
    with pytest.raises(KeyError):
        Assets(tmp_path).address("b.css")


def test_landmarks_are_drawn_in_the_datum_of_the_map() -> None:
    plain = {mark.name: mark for mark in landmarks(CITY, "wgs84", "zh_CN")}
    shifted = {mark.name: mark for mark in landmarks(CITY, "gcj02", "en")}
    assert len(plain) == 14
    assert next(iter(shifted)) == "Yuncheng"
    assert abs(plain["盐湖区"].lng - shifted["Yanhu District"].lng) > 0.004


def test_tiles_come_from_one_origin() -> None:
    assert Map().tiles_source == ""
    assert Map("https://tiles.example:8443/a/{z}").tiles_source == "https://tiles.example:8443"
