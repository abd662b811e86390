"""Staff look after places: find them, edit them, close and verify them, and change back what went wrong."""

import json
import re
from datetime import date, timedelta
from typing import Any

import pytest
from aiohttp import DummyCookieJar
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import select, update

from bot.geo import distance_m
from bot.models import Place, PlaceReport, Rider
from bot.services import place_desk, places
from bot.web.server import build_app
from bot.web.site import Map, Site
from tests.web.admin.conftest import COUNTY, Browser, Desk
from tests.web.admin.test_figures import counted
from tests.web.scripted import CITY, voice

ELSEWHERE = "140881"
HERE = "/admin/places/S-1"
NASTY = '"><script>alert(1)</script>'


async def stands(desk: Desk, code: str = "S-1", **fields: Any) -> int:
    """A place is in the directory; returns its number."""
    given: dict[str, Any] = {"name": "东城驿站", "kind": "rest_station", "county": COUNTY, "updated_at": desk.now}
    async with desk.database.writing() as db:
        place = Place(code=code, **given | fields)
        db.add(place)
        await db.flush()
        return place.id


async def read(desk: Desk, code: str = "S-1") -> Place:
    async with desk.database.reading() as db:
        place = await db.scalar(select(Place).where(Place.code == code))
    assert place
    return place


async def version(desk: Desk) -> int:
    async with desk.database.reading() as db:
        return await places.version(db)


async def form(desk: Desk, **typed: Any) -> dict[str, Any]:
    """The form of the place as a browser sends it, with what somebody typed into it."""
    place = await read(desk)
    cells: dict[str, Any] = dict(place_desk.cells_of(place)) | {"amenities": place.amenities}
    return cells | {"version": place_desk.version(place)} | typed


async def saves(desk: Desk, browser: Browser, **typed: Any) -> int:
    desk.now += timedelta(minutes=1)
    return (await browser.post(HERE, await form(desk, **typed))).status


async def undoes(desk: Desk, browser: Browser, code: str = "S-1") -> int:
    desk.now += timedelta(minutes=1)
    seen = place_desk.version(await read(desk, code))
    return (await browser.post(f"/admin/places/{code}/undo", {"version": seen})).status


async def test_places_are_found_by_what_is_wrong_with_them(desk: Desk) -> None:
    today = desk.now.date()
    await stands(desk, "S-1", verified_at=today)
    await stands(desk, "S-2", name="50%_店", kind="merchant", verified_at=today - timedelta(days=91))
    await stands(desk, "S-3", name="示例", county=ELSEWHERE, verified_at=today, doubtful_since=desk.now)
    await stands(desk, "S-4", name="关", county="", state="hidden", verified_at=today - timedelta(days=90))
    editor, county = desk.as_role("editor"), desk.as_role("county")

    async def codes(browser: Browser, query: str) -> list[str]:
        return re.findall(r'<td class="spare">([SX]-\d+)</td>', await browser.reads(f"/admin/places?{query}"))

    for query, wanted in (
        ("", ["S-1", "S-2", "S-3", "S-4"]),
        ("text=s-2", ["S-2"]),
        ("text=%25_", ["S-2"]),
        ("text=%00%ff", []),
        ("kind=merchant", ["S-2"]),
        (f"county={ELSEWHERE}", ["S-3"]),
        ("state=hidden", ["S-4"]),
        ("doubtful=1", ["S-3"]),
        ("unverified=1", ["S-2"]),
        ("kind=x&page=x", ["S-1", "S-2", "S-3", "S-4"]),
        ("page=1", []),
    ):
        assert await codes(editor, query) == wanted, query
    assert await codes(county, "") == ["S-1", "S-2"]
    assert await codes(county, f"county={ELSEWHERE}") == ["S-1", "S-2"]
    assert "/admin/places?doubtful=1" in await editor.reads("/admin/")

    with counted(desk.database) as few:
        await codes(editor, "")
    for n in range(100, 150):
        await stands(desk, f"X-{n}")
    with counted(desk.database) as many:
        first = await codes(editor, f"kind=rest_station&county={COUNTY}")
    assert len(few) == len(many)
    assert len(first) == 50
    page = await editor.reads(f"/admin/places?kind=rest_station&county={COUNTY}")
    assert f"kind=rest_station&amp;county={COUNTY}&amp;page=1" in page
    assert await codes(editor, f"kind=rest_station&county={COUNTY}&page=1") == ["X-149"]


async def test_an_edit_is_checked_saved_shown_in_the_history_and_undone(desk: Desk) -> None:
    await stands(desk, amenities=["wifi", "aed"], amenity_verified={"wifi": "2026-01-01", "aed": "2026-01-02"})
    editor = desk.as_role("editor")
    before = await version(desk)
    assert await saves(desk, editor, hours="Mo-Sa 08:00-20:00; Su off", amenities=["aed", "meals"], phone="12") == 422
    assert (await read(desk)).hours == ""
    typed = {"hours": "Mo-Sa 08:00-20:00; Su off", "amenities": ["aed", "meals"], "name": NASTY}
    assert await saves(desk, editor, **typed) == 303
    place = await read(desk)
    assert (place.hours, place.amenities, place.name) == (typed["hours"], ["aed", "meals"], NASTY)
    assert (place.amenity_verified, place.updated_at) == ({"aed": "2026-01-02"}, desk.now)
    assert await version(desk) == before + 1

    page = await editor.reads(HERE)
    assert NASTY not in page
    assert "Now: open until 20:00. Hours: Monday to Saturday 08:00–20:00; Sunday closed" in page
    for line in ("Wi-Fi, AED → AED, Meals", "Undo the last change (edited)", "东城驿站 → "):
        assert line in page, line
    assert "Phone: " not in page
    assert await saves(desk, editor) == 303
    assert await version(desk) == before + 1

    assert await undoes(desk, editor) == 303
    place = await read(desk)
    assert (place.hours, place.amenities, place.name) == ("", ["wifi", "aed"], "东城驿站")
    assert place.amenity_verified == {"wifi": "2026-01-01", "aed": "2026-01-02"}
    assert await version(desk) == before + 2
    assert await undoes(desk, editor) == 303
    assert (await read(desk)).name == NASTY
    # An import, which leaves no row here, changed what would be undone.
    async with desk.database.writing() as db:
        overwritten = await db.get_one(Place, place.id)
        overwritten.name = "新名"
    assert await undoes(desk, editor) == 422
    assert (await read(desk)).name == "新名"


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_wrong_field_says_so_and_keeps_what_was_typed(desk: Desk) -> None:
    await stands(desk, weather_hours="24/7", weather_until=desk.now + timedelta(days=1))
    editor = desk.as_role("editor")
    for field, typed, said in (
        ("name", "", "must not be empty"),
        ("kind", "castle", "not known: castle"),
        ("county", "999999", "not known: 999999"),
        ("phone", NASTY, "not a telephone number"),
        ("hours", "always", "not opening hours"),
        ("weather_hours", "always", "not opening hours"),
        ("amenities", ["wifi", "sauna"], "not known: sauna"),
        ("entry", "magic", "not known: magic"),
        ("note", "a\x07b", "control characters"),
        ("state", "gone", "not known: gone"),
        ("closed_until", "2026-02-30", "not a day"),
        ("closed_until", "2026-02-20", "goes with the state"),
        ("closed_reason", "长" * 201, "longer than 200"),
    ):
        response = await editor.post(HERE, await form(desk, address="typed before", **{field: typed}))
        page = await response.text()
        assert response.status == 422, field
        fault = re.search(rf'id="{field}-fault"[^>]*>([^<]*)<', page)
        assert fault, field
        assert said in fault[1]
        assert 'value="typed before"' in page
        assert NASTY not in page
    assert (await read(desk)).address == ""
    looked = await editor.post(HERE, await form(desk, hours="Mo-Su 13:00-14:00", look="1"))
    page = await looked.text()
    assert (looked.status, "Now: opens 13:00. Hours: every day 13:00–14:00" in page) == (200, True)
    assert (await read(desk)).hours == ""
    # Somebody else was quicker: what was typed is not lost, and saving once more is a decision.
    stale = await form(desk, address="mine")
    assert await saves(desk, desk.as_role("admin"), address="theirs") == 303
    refused = await editor.post(HERE, stale)
    page = await refused.text()
    assert (refused.status, 'value="mine"' in page, "changed this place meanwhile" in page) == (422, True, True)
    assert (await read(desk)).address == "theirs"
    newest = re.search(r'name="version" value="([^"]+)"', page)
    assert newest
    assert newest[1].replace("&#43;", "+") == place_desk.version(await read(desk))
    assert await saves(desk, editor, weather_hours="") == 303
    assert (await read(desk)).weather_until is None


async def test_ticked_places_close_for_a_time_all_or_none(desk: Desk) -> None:
    await stands(desk)
    await stands(desk, "S-2", closed_reason="old")
    await stands(desk, "H-1", state="hidden")
    operator = desk.as_role("operator")
    closing = {"closed_until": "2026-02-20", "closed_reason": "春节"}
    for fields, said in (
        (closing, "Tick the places"),
        (closing | {"codes": ["S-1", "H-1"]}, "H-1 is not"),
        (closing | {"codes": ["S-1"], "closed_until": "soon"}, "not a day"),
    ):
        response = await operator.post("/admin/places?kind=rest_station", fields)
        page = await response.text()
        assert (response.status, said in page, 'value="春节"' in page) == (422, True, True), said
    assert (await operator.post("/admin/places", closing | {"codes": ["S-1", "gone"]})).status == 422
    assert (await read(desk)).state == "published"
    before = await version(desk)
    desk.now += timedelta(minutes=1)
    done = await operator.post("/admin/places?kind=rest_station", closing | {"codes": ["S-1", "S-2"]})
    assert (done.status, done.headers["Location"]) == (303, "/admin/places?done=saved&kind=rest_station")
    assert await version(desk) == before + 1
    for code in ("S-1", "S-2"):
        place = await read(desk, code)
        assert (place.state, place.closed_until, place.closed_reason) == ("closed", date(2026, 2, 20), "春节")
    assert "closed for a time" in await operator.reads(HERE)
    assert await undoes(desk, operator) == 403
    assert await undoes(desk, desk.as_role("editor")) == 303
    place = await read(desk)
    assert (place.state, place.closed_until, place.closed_reason) == ("published", None, "")


async def test_verified_today_ends_the_doubt(desk: Desk) -> None:
    desk.now = desk.now.replace(hour=17)  # past midnight in the city
    place_id = await stands(desk, doubtful_since=desk.now, amenities=["wifi"])
    async with desk.database.writing() as db:
        rider = Rider(created_at=desk.now)
        db.add(rider)
        await db.flush()
        db.add(PlaceReport(place_id=place_id, rider_id=rider.id, what="locked", at=desk.now))
    operator, editor = await desk.logged_in("operator"), await desk.logged_in("editor")
    assert "Riders doubt it since" in await operator.reads(HERE)
    assert (await operator.post(f"{HERE}/verify")).status == 303
    place = await read(desk)
    assert (place.verified_at, place.doubtful_since, place.amenity_verified) == (date(2026, 1, 16), None, {})
    page = await operator.reads(HERE)
    assert "Verified on: – → 2026-01-16" in page
    # Seeing a place is no change that somebody could take back.
    assert "Undo" not in await editor.reads(HERE)
    assert await undoes(desk, editor) == 422


async def test_a_county_looks_after_its_own_places_only(desk: Desk) -> None:
    await stands(desk)
    await stands(desk, "S-2", county=ELSEWHERE)
    await stands(desk, "S-3", county="140800")
    await stands(desk, "S-4", county="")
    county = desk.as_role("county")
    for code in ("S-2", "S-3", "S-4"):
        there = f"/admin/places/{code}"
        assert (await county.get(there)).status == 403
        assert (await county.get(f"{there}/poster")).status == 403
        for path in (there, f"{there}/verify", f"{there}/undo"):
            assert (await county.post(path, await form(desk))).status == 403, path
        both = {"codes": ["S-1", code], "closed_until": "", "closed_reason": ""}
        assert (await county.post("/admin/places", both)).status == 403
    for given_away in (ELSEWHERE, "140800", ""):
        assert await saves(desk, county, county=given_away) == 403
    assert await saves(desk, county, note="我们的") == 303
    # What was theirs is not brought back by an undo.
    assert await saves(desk, desk.as_role("editor"), county=ELSEWHERE) == 303
    assert await undoes(desk, county) == 403
    assert await undoes(desk, desk.as_role("editor")) == 303
    assert (await read(desk)).county == COUNTY
    assert await saves(desk, desk.as_role("approver"), note="x") == 403
    rows = (await (await county.get("/admin/places.csv")).text()).splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ["S-1"]


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_the_directory_as_a_file_and_a_poster_for_the_door(desk: Desk) -> None:
    await stands(desk, name="=1+1")
    await stands(desk, "店:2", county="")
    editor = desk.as_role("editor")
    response = await editor.get("/admin/places.csv")
    body = await response.read()
    assert response.headers["Content-Disposition"] == 'attachment; filename="places.csv"'
    assert body.startswith(b"\xef\xbb\xbfcode,name")
    assert b"S-1,'=1+1," in body
    assert "店:2," in body.decode("utf-8-sig")
    page = await editor.reads("/admin/places/%E5%BA%97%3A2/poster")
    assert "https://nuanxin.example/p/%E5%BA%97%3A2" in page
    assert 'src="data:image/svg+xml' in page
    assert (await editor.get("/admin/places/gone/poster")).status == 422


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_the_map_beside_the_table_is_drawn_in_the_datum_of_its_tiles(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stands(desk, lat=35.02, lng=110.99, doubtful_since=desk.now)
    await stands(desk, "S-2", name=NASTY)
    page = await desk.as_role("editor").reads("/admin/places")
    data = json.loads(re.findall(r'id="map-data">(.*?)</script>', page)[0])
    place = {"code": "S-1", "name": "东城驿站", "href": HERE, "state": "doubtful", "lat": 35.02, "lng": 110.99}
    assert (data["points"], data["datum"]) == ([place], "WGS-84")
    assert json.loads(await desk.as_role("editor").reads(data["more"])) == {"points": [place], "note": ""}
    for who, asked, count in (("editor", "state=closed", 0), ("editor", "doubtful=1", 1), ("county", "", 1)):
        found = json.loads(await desk.as_role(who).reads(f"/admin/places.json?{asked}"))
        assert len(found["points"]) == count, (who, asked)
    async with desk.database.writing() as db:
        await db.execute(update(Place).values(county="140881"))
    assert json.loads(await desk.as_role("county").reads("/admin/places.json"))["points"] == []
    monkeypatch.setattr("bot.web.admin.places.MOST_SPOTS", 0)
    assert "first 0 places" in json.loads(await desk.as_role("editor").reads(data["more"]))["note"]
    tiles = Map("https://tiles.example/{z}/{x}/{y}.png", "©", "gcj02")
    site = Site(CITY, desk.database, lambda: desk.now, voice, map=tiles)
    async with TestClient(TestServer(build_app(site, console=desk.console)), cookie_jar=DummyCookieJar()) as client:
        editor = desk.as_role("editor")
        page = await Browser(client, editor.cookie, editor.csrf, editor.member).reads("/admin/places")
    data = json.loads(re.findall(r'id="map-data">(.*?)</script>', page)[0])
    there = data["points"][0]
    assert (data["datum"], data["tiles"]) == ("GCJ-02", tiles.tiles_url)
    assert 300 < distance_m(35.02, 110.99, there["lat"], there["lng"]) < 900
