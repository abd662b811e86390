"""Places taken in from files, and given out again."""

import csv
import io
import json
import math
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, update

from bot.database import Database
from bot.geo import EARTH_RADIUS_M, distance_m
from bot.i18n import Voice, voice
from bot.models import Place, PlaceReport
from bot.services import places
from bot.services.city import load_city
from bot.services.place_files import (
    ImportReport,
    Remark,
    UnknownFormat,
    export_places,
    import_places,
    load_samples,
)
from bot.services.place_files.cells import decimal, header
from bot.services.place_files.index import Index
from bot.services.vocabulary import AMENITIES, ENTRIES, KINDS, STATES
from scripts import make_samples

YUNCHENG = Path(__file__).resolve().parents[2] / "data" / "yuncheng"
CITY = load_city(YUNCHENG)
NOW = datetime(2026, 1, 12, 1, 0, tzinfo=UTC)
FULL = {
    "code": "A1",
    "name": "工农街驿站",
    "kind": "rest_station",
    "county": "140802",
    "address": "工农街1号",
    "lat": "35.015101",
    "lng": "110.998272",
    "datum": "gcj02",
    "phone": "+86 359 0000001",
    "hours": "Mo-Fr 08:00-12:00,14:30-18:00; PH off",
    "amenities": "hot_water;shower",
    "entry": "scan",
    "prices": "自助餐=25/人; 住宿=80/晚·间; 面=9.9",
    "piles": "19",
    "connectors": "38",
    "swap_brands": "甲;乙",
    "voltages": "48;60V;72",
    "parking_spaces": "70",
    "max_vehicle_m": "17.5",
    "operator": "总工会",
    "source": "名单",
    "verified_at": "2026-01-09",
    "demo": "1",
    "note": "两行\n字",
    "state": "closed",
    "closed_until": "2026-03-01",
    "closed_reason": "装修",
    "amenity_verified": "hot_water=2026-01-09; shower=2025-12-01",
    "amenity_closed": "shower=11-15/03-15",
    "prices_at": "2026-01-01",
    "road": "G209",
    "direction": "上行",
    "max_vehicle_h_m": "4.5",
    "max_vehicle_t": "49",
    "hazmat": "0",
}
SMALL = {"code": "A1", "name": "驿站", "kind": "rest_station"}


def sheet(path: Path, *rows: Mapping[str, str], encoding: str = "utf-8") -> Path:
    """A CSV of these rows; its columns are the first row's."""
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


async def take(
    database: Database, path: Path, *, dry_run: bool = False, skip_bad: bool = False, now: datetime = NOW
) -> ImportReport:
    return await import_places(database, path, dry_run=dry_run, skip_bad=skip_bad, now=now, counties=CITY.counties)


async def place(database: Database, code: str = "A1") -> Place:
    async with database.reading() as db:
        return (await db.scalars(select(Place).where(Place.code == code))).one()


async def count(database: Database) -> int:
    async with database.reading() as db:
        return await db.scalar(select(func.count()).select_from(Place)) or 0


async def version(database: Database) -> int:
    async with database.reading() as db:
        return await places.version(db)


def where(remarks: Sequence[Remark]) -> list[tuple[int, str]]:
    return [(remark.row, remark.column) for remark in remarks]


@pytest.fixture
async def sqlite(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """For what does not depend on the kind of database."""
    shutil.copy(sqlite_template, tmp_path / "test.db")
    database = Database(f"sqlite:///{tmp_path}/test.db")
    yield database
    await database.close()


@pytest.fixture
def english() -> Voice:
    return voice("en", CITY.zone)


async def test_every_column_becomes_a_typed_value(database: Database, tmp_path: Path) -> None:
    report = await take(database, sheet(tmp_path / "a.csv", FULL))
    assert (report.added, report.rejected, report.warnings, report.written) == (1, (), (), True)
    found = await place(database)
    assert found.name == "工农街驿站"
    assert (found.source_lat, found.source_lng, found.datum) == (35.015101, 110.998272, "gcj02")
    assert found.lat is not None
    assert found.lng is not None
    assert distance_m(found.lat, found.lng, 35.015895, 110.992528) < 1
    assert found.amenities == ["hot_water", "shower"]
    assert found.amenity_verified == {"hot_water": "2026-01-09", "shower": "2025-12-01"}
    assert found.amenity_closed == {"shower": "11-15/03-15"}
    assert found.prices == [
        {"item": "自助餐", "fen": 2500, "unit": "人"},
        {"item": "住宿", "fen": 8000, "unit": "晚·间"},
        {"item": "面", "fen": 990, "unit": ""},
    ]
    assert (found.piles, found.connectors, found.parking_spaces) == (19, 38, 70)
    assert (found.voltages, found.swap_brands) == (["48", "60", "72"], ["甲", "乙"])
    assert (found.max_vehicle_m, found.max_vehicle_h_m, found.max_vehicle_t) == (17.5, 4.5, 49)
    assert (found.demo, found.hazmat, found.state) == (True, False, "closed")
    assert (found.closed_until, found.prices_at) == (date(2026, 3, 1), date(2026, 1, 1))
    assert (found.verified_at, found.updated_at) == (date(2026, 1, 9), NOW)


async def test_what_is_not_said_stays_unknown(database: Database, tmp_path: Path) -> None:
    await take(database, sheet(tmp_path / "a.csv", SMALL))
    found = await place(database)
    assert (found.lat, found.piles, found.hazmat, found.hours, found.entry) == (None, None, None, "", "")
    assert (found.state, found.demo, found.amenities) == ("published", False, [])


async def test_twice_changes_nothing(database: Database, tmp_path: Path) -> None:
    file = sheet(tmp_path / "a.csv", FULL)
    await take(database, file)
    before = await version(database)
    again = await take(database, file, now=NOW + timedelta(days=1))
    assert (again.added, again.changed, again.unchanged) == (0, 0, 1)
    assert await version(database) == before
    assert (await place(database)).updated_at == NOW


async def test_an_absent_column_stays_and_an_empty_cell_clears(database: Database, tmp_path: Path) -> None:
    await take(database, sheet(tmp_path / "a.csv", FULL, FULL | {"code": "A2", "lat": "35.1"}))
    before = await version(database)
    report = await take(database, sheet(tmp_path / "b.csv", {"code": "A1", "phone": "", "piles": "", "note": "新"}))
    assert (report.added, report.changed, report.unchanged) == (0, 1, 0)
    assert await version(database) == before + 1
    found = await place(database)
    assert (found.phone, found.piles, found.note) == ("", None, "新")
    assert (found.name, found.hours, found.connectors) == (FULL["name"], FULL["hours"], 38)
    assert (await place(database, "A2")).phone == FULL["phone"]
    await take(database, sheet(tmp_path / "c.csv", {"code": "A1", "lat": "", "lng": "", "state": "", "demo": ""}))
    found = await place(database)
    assert (found.lat, found.source_lng, found.datum) == (None, None, "")
    assert (found.state, found.demo) == ("published", False)


async def test_editing_one_field_checks_nothing_else(database: Database, tmp_path: Path) -> None:
    await take(database, sheet(tmp_path / "a.csv", FULL))
    await take(database, sheet(tmp_path / "b.csv", {"code": "A1", "phone": "0359-0000002"}))
    found = await place(database)
    assert found.phone == "0359-0000002"
    assert found.verified_at == date(2026, 1, 9)
    assert found.amenity_verified == {"hot_water": "2026-01-09", "shower": "2025-12-01"}
    await take(database, sheet(tmp_path / "c.csv", {"code": "A1", "verified_at": "2026-01-11"}))
    found = await place(database)
    assert found.verified_at == date(2026, 1, 11)
    assert found.amenity_verified == {"hot_water": "2026-01-09", "shower": "2025-12-01"}


async def test_an_amenity_that_left_does_not_come_back_as_checked(database: Database, tmp_path: Path) -> None:
    await take(database, sheet(tmp_path / "a.csv", FULL))
    await take(database, sheet(tmp_path / "b.csv", {"code": "A1", "amenities": "hot_water"}))
    await take(database, sheet(tmp_path / "c.csv", {"code": "A1", "amenities": "hot_water;shower"}))
    assert (await place(database)).amenity_verified == {"hot_water": "2026-01-09"}


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("code", ""),
        ("code", "a b"),
        ("name", ""),
        ("name", "长" * 121),
        ("kind", "hotel"),
        ("kind", ""),
        ("county", "120000"),
        ("lat", "135"),
        ("lat", "nan"),
        ("lat", "北纬35"),
        ("lng", ""),
        ("lng", "180.1"),
        ("datum", ""),
        ("datum", "cgcs2000"),
        ("phone", "没有"),
        ("hours", "早八点到晚十点"),
        ("amenities", "hot_water;sauna"),
        ("entry", "key"),
        ("prices", "免费"),
        ("prices", "餐=-1/人"),
        ("prices", "餐=1.234/人"),
        ("piles", "-1"),
        ("piles", "1.5"),
        ("connectors", "1e9"),
        ("voltages", "六十"),
        ("parking_spaces", "70余"),
        ("max_vehicle_m", "0"),
        ("max_vehicle_t", "49t"),
        ("verified_at", "2026-02-30"),
        ("verified_at", "9/1/2026"),
        ("demo", "yes"),
        ("state", "open"),
        ("closed_until", "soon"),
        ("amenity_verified", "hot_water"),
        ("amenity_verified", "sauna=2026-01-01"),
        ("amenity_verified", "shower=2026-13-01"),
        ("amenity_closed", "shower=11-31/03-15"),
        ("hazmat", "2"),
        ("note", "bell\x07"),
    ],
)
async def test_a_bad_cell_is_named(sqlite: Database, tmp_path: Path, english: Voice, column: str, cell: str) -> None:
    good = FULL | {"code": "A2", "lat": "35.2"}
    report = await take(sqlite, sheet(tmp_path / "a.csv", good, FULL | {column: cell}))
    assert where(report.rejected) == [(3, column)]
    assert not report.written
    assert (report.added, report.changed, report.unchanged) == (0, 0, 0)
    assert await count(sqlite) == 0
    plain = json.loads(json.dumps(report.as_json(english)))
    assert list(plain["rejected"][0]) == ["row", "column", "reason"]
    assert plain["rejected"][0]["reason"]


async def test_nothing_is_written_beside_a_bad_row_unless_it_is_skipped(database: Database, tmp_path: Path) -> None:
    file = sheet(tmp_path / "a.csv", SMALL, SMALL | {"code": "A2", "kind": "?"}, SMALL | {"code": "A3"})
    refused = await take(database, file)
    assert (refused.added, refused.written, where(refused.rejected)) == (0, False, [(3, "kind")])
    assert (await count(database), await version(database)) == (0, 0)
    skipped = await take(database, file, skip_bad=True)
    assert (skipped.added, skipped.written, where(skipped.rejected)) == (2, True, [(3, "kind")])
    assert (await count(database), await version(database)) == (2, 1)


async def test_a_new_place_without_a_name_undoes_the_rest(database: Database, tmp_path: Path) -> None:
    await take(database, sheet(tmp_path / "a.csv", SMALL))
    file = sheet(tmp_path / "b.csv", {"code": "A1", "note": "新"}, {"code": "B1", "note": "新"})
    report = await take(database, file)
    assert where(report.rejected) == [(3, "name"), (3, "kind")]
    assert (report.written, report.changed) == (False, 0)
    assert ((await place(database)).note, await version(database)) == ("", 1)
    assert (await take(database, file, skip_bad=True)).changed == 1
    assert (await place(database)).note == "新"


async def test_a_dry_run_tells_but_does_nothing(database: Database, tmp_path: Path) -> None:
    rows = [SMALL | {"piles": "1"}, SMALL | {"code": "A2"}, SMALL | {"code": "A3", "piles": "x"}]
    report = await take(database, sheet(tmp_path / "a.csv", *rows), dry_run=True)
    assert (report.added, report.written, where(report.rejected)) == (2, False, [(4, "piles")])
    assert (await count(database), await version(database)) == (0, 0)


async def test_the_same_code_twice_is_refused(database: Database, tmp_path: Path) -> None:
    report = await take(database, sheet(tmp_path / "a.csv", SMALL, SMALL))
    assert where(report.rejected) == [(3, "code")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
async def test_chinese_is_read_in_the_usual_encodings(sqlite: Database, tmp_path: Path, encoding: str) -> None:
    await take(sqlite, sheet(tmp_path / "a.csv", FULL, encoding=encoding))
    assert (await place(sqlite)).name == "工农街驿站"


@pytest.mark.parametrize(
    ("content", "row", "column"),
    [
        ("name,kind\n驿站,rest_station\n", 1, "code"),
        ("code,code\nA1,A2\n", 1, "code"),
        ("code,lat\nA1,35\n", 1, "lng"),
        ("", 1, "code"),
        ('code,name\nA1,"x" y\n', 1, ""),
        ('code,name\nA1,x\nA2,"never closed\n', 2, ""),
    ],
)
async def test_a_broken_file_is_refused_even_when_skipping(
    sqlite: Database, tmp_path: Path, content: str, row: int, column: str
) -> None:
    file = tmp_path / "a.csv"
    file.write_text(content, "utf-8")
    report = await take(sqlite, file, skip_bad=True)
    assert (row, column) in where(report.rejected)
    assert not report.written
    assert await count(sqlite) == 0


async def test_bytes_that_are_no_text_are_refused(sqlite: Database, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"code,name\nA1,\xff\xff\xff\n")
    assert where((await take(sqlite, file)).rejected) == [(1, "")]


async def test_rows_of_another_length_are_refused_and_blank_ones_skipped(sqlite: Database, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("code,name,kind\n\nA1,驿站,rest_station\n,,\nA2,驿站\nA3,驿站,rest_station,更多\n", "utf-8")
    report = await take(sqlite, file, skip_bad=True)
    assert where(report.rejected) == [(5, "kind"), (6, "")]
    assert report.added == 1


async def test_an_unknown_column_is_warned_of(sqlite: Database, tmp_path: Path) -> None:
    report = await take(sqlite, sheet(tmp_path / "a.csv", SMALL | {"colour": "red"}))
    assert where(report.warnings) == [(1, "colour")]
    assert report.added == 1


async def test_another_kind_of_file_is_a_problem(sqlite: Database, tmp_path: Path) -> None:
    file = tmp_path / "a.pdf"
    file.touch()
    with pytest.raises(UnknownFormat):
        await take(sqlite, file)
    with pytest.raises(UnknownFormat):
        await export_places(sqlite, file)


async def test_a_spreadsheet_is_read_as_people_see_it(database: Database, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    page.append(["Code ", "name", "kind", "county", "lat", "lng", "datum", "piles", "verified_at", "demo", "note"])
    page.append(["A1", " 驿站 ", "rest_station", 140802, 35.02, 110.99, "wgs84", 19.0, date(2026, 1, 9), True, "'=1+1"])
    book.save(tmp_path / "a.xlsx")
    report = await take(database, tmp_path / "a.xlsx")
    assert report.rejected == ()
    found = await place(database)
    assert (found.name, found.county, found.piles, found.demo) == ("驿站", "140802", 19, True)
    assert (found.lat, found.verified_at, found.note) == (35.02, date(2026, 1, 9), "=1+1")


async def test_what_is_no_spreadsheet_is_refused(sqlite: Database, tmp_path: Path) -> None:
    file = tmp_path / "a.xlsx"
    file.write_bytes(b"PK\x03\x04 not really")
    assert where((await take(sqlite, file)).rejected) == [(1, "")]


def feature(properties: dict[str, Any], point: Sequence[float] | None = None) -> dict[str, Any]:
    geometry = {"type": "Point", "coordinates": list(point)} if point else None
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def geojson(path: Path, *features: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"type": "FeatureCollection", "name": "x", "features": features}), "utf-8")
    return path


async def test_geojson_points_name_their_datum(database: Database, tmp_path: Path) -> None:
    here = SMALL | {"datum": "gcj02", "piles": 19, "amenities": ["hot_water", "rest"], "hazmat": False}
    file = geojson(tmp_path / "a.geojson", feature(here, (110.998272, 35.015101)))
    assert (await take(database, file)).rejected == ()
    found = await place(database)
    assert found.lat == pytest.approx(35.015895, abs=1e-6)
    assert (found.piles, found.amenities, found.hazmat) == (19, ["hot_water", "rest"], False)
    nowhere = geojson(tmp_path / "b.geojson", feature(SMALL, (110.99, 35.01)))
    assert where((await take(database, nowhere)).rejected) == [(2, "datum")]


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        "[]",
        "",
        '{"features": [',
        '{"features": [1]}',
        '{"features": [{"type": "Feature", "properties": {"code": "A1"',
        '{"features": [{"type": "Feature", "properties": {}, "geometry": {"type": "LineString"}}]}',
        '{"features": ' + "[" * 100_000,
    ],
)
async def test_broken_geojson_is_refused(sqlite: Database, tmp_path: Path, content: str) -> None:
    file = tmp_path / "a.geojson"
    file.write_text(content, "utf-8")
    report = await take(sqlite, file, skip_bad=True)
    assert len(report.rejected) == 1
    assert not report.written


async def test_places_within_25_metres_are_warned_of(database: Database, tmp_path: Path, english: Voice) -> None:
    here = SMALL | {"lat": "35.02", "lng": "110.99", "datum": "wgs84"}
    await take(database, sheet(tmp_path / "a.csv", here))
    file = sheet(
        tmp_path / "b.csv",
        here | {"code": "B1", "lat": "35.02020"},
        here | {"code": "B2", "lat": "35.02030"},
        here | {"code": "B3", "lat": "35.02100"},
    )
    report = await take(database, file)
    assert report.added == 3
    assert where(report.warnings) == [(2, "lat"), (3, "lat")]
    reasons = [remark["reason"] for remark in report.as_json(english)["warnings"]]
    assert "A1" in reasons[0]
    assert "B1" in reasons[1]


async def test_a_place_is_no_neighbour_of_itself_nor_of_a_removed_one(database: Database, tmp_path: Path) -> None:
    here = SMALL | {"lat": "35.02", "lng": "110.99", "datum": "wgs84", "state": "removed"}
    await take(database, sheet(tmp_path / "a.csv", here))
    report = await take(database, sheet(tmp_path / "b.csv", here, here | {"code": "B1", "state": "published"}))
    assert report.warnings == ()


async def test_a_place_far_from_the_city_and_a_day_to_come_are_warned_of(sqlite: Database, tmp_path: Path) -> None:
    tianjin = SMALL | {"lat": "39.1", "lng": "117.2", "datum": "wgs84", "verified_at": "2027-01-01"}
    report = await take(sqlite, sheet(tmp_path / "a.csv", tianjin))
    assert where(report.warnings) == [(2, "verified_at"), (2, "lat")]
    assert report.added == 1


async def _doubted(database: Database, path: Path) -> Place:
    await take(database, sheet(path, SMALL | {"verified_at": "2026-01-05"}))
    async with database.writing() as db:
        await db.execute(update(Place).values(doubtful_since=NOW))
        found = (await db.scalars(select(Place))).one()
        db.add(PlaceReport(place_id=found.id, rider_id=None, what="locked", at=NOW))
    return found


@pytest.mark.parametrize(("seen", "stays"), [("2026-01-05", True), ("2026-01-08", True), ("2026-01-12", False)])
async def test_only_a_look_since_then_ends_the_doubt(
    database: Database, tmp_path: Path, seen: str, stays: bool
) -> None:
    await _doubted(database, tmp_path / "a.csv")
    await take(database, sheet(tmp_path / "b.csv", SMALL | {"verified_at": seen, "note": "看过"}))
    assert ((await place(database)).doubtful_since is not None) is stays
    async with database.reading() as db:
        assert ((await db.scalars(select(PlaceReport))).one().settled_at is None) is stays


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".geojson"])
async def test_out_and_in_again_changes_nothing(database: Database, tmp_path: Path, suffix: str) -> None:
    await take(database, sheet(tmp_path / "a.csv", FULL, dict.fromkeys(FULL, "") | SMALL | {"code": "A2"}))
    file = tmp_path / f"out{suffix}"
    assert await export_places(database, file) == 2
    report = await take(database, file)
    assert (report.unchanged, report.changed, report.added, report.rejected) == (2, 0, 0, ())
    assert not [name for name in os.listdir(tmp_path) if "part" in name]
    async with database.writing() as db:
        await db.execute(delete(Place))
    await take(database, file)
    found = await place(database)
    assert (found.source_lat, found.datum, found.note) == (35.015101, "gcj02", "两行\n字")
    assert found.prices[2] == {"item": "面", "fen": 990, "unit": ""}


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".geojson"])
async def test_an_empty_directory_can_be_given_out(sqlite: Database, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"out{suffix}"
    assert await export_places(sqlite, file) == 0
    assert (await take(sqlite, file)).rejected == ()


async def test_formulas_are_neutralised_and_excel_sees_utf_8(database: Database, tmp_path: Path) -> None:
    risky = SMALL | {
        "name": '=HYPERLINK("x")',
        "note": "@SUM(A1)",
        "phone": "+86 0359",
        "road": "-1",
        "source": "'=x",
        "operator": "#N/A",
    }
    await take(database, geojson(tmp_path / "a.geojson", feature(risky)))
    file = tmp_path / "out.csv"
    await export_places(database, file)
    assert file.read_bytes().startswith(b"\xef\xbb\xbf")
    row = next(csv.DictReader(io.StringIO(file.read_text("utf-8-sig"), newline="")))
    assert row["name"] == '\'=HYPERLINK("x")'
    assert [row[name][:2] for name in ("note", "phone", "road", "source")] == ["'@", "'+", "'-", "''"]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row.values())
    book = tmp_path / "out.xlsx"
    await export_places(database, book)
    page = openpyxl.load_workbook(book).active
    assert page is not None
    assert not [cell for line in page.iter_rows() for cell in line if cell.data_type == "f"]
    for path in (file, book):
        assert (await take(database, path)).unchanged == 1
    assert (await place(database)).source == "'=x"


async def test_the_columns_are_the_contract_s(sqlite: Database, tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    await export_places(sqlite, file)
    assert file.read_text("utf-8-sig").strip() == ",".join(FULL)
    assert header() == tuple(FULL)


WORDS = st.text(
    st.one_of(
        st.sampled_from("=+-@#N/A'\"_x0041,;\n驿站暖新 🚚\u2028\x85"),
        st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]),
    ),
    max_size=20,
).map(str.strip)
SOME_WORDS = WORDS.filter(bool)
PART = SOME_WORDS.map(lambda word: word.translate(dict.fromkeys(map(ord, ";；=＝/／")))).map(str.strip).filter(bool)
DAY = st.dates(date(2020, 1, 1), date(2026, 1, 12)).map(date.isoformat)
MAYBE = st.just("")
NUMBER = st.integers(0, 99_999).map(str)
MEASURE = st.integers(1, 99_999).map(lambda number: decimal(number / 100))


def a_few(values: st.SearchStrategy[str], between: str = ";") -> st.SearchStrategy[str]:
    return st.lists(values, max_size=4, unique=True).map(between.join)


def pairs(names: st.SearchStrategy[str], values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.dictionaries(names, values, max_size=3).map(
        lambda found: "; ".join(f"{name}={value}" for name, value in found.items())
    )


POSITION = st.one_of(
    st.just({"lat": "", "lng": "", "datum": ""}),
    st.fixed_dictionaries(
        {
            "lat": st.integers(-85_000_000, 85_000_000).map(lambda number: decimal(number / 1e6)),
            "lng": st.integers(-179_000_000, 179_000_000).map(lambda number: decimal(number / 1e6)),
            "datum": st.sampled_from(["wgs84", "gcj02", "bd09"]),
        }
    ),
)
PRICE = st.builds(
    lambda item, fen, unit: f"{item}={fen // 100}.{fen % 100:02}/{unit}", PART, st.integers(0, 999_999), PART
)
ROW = st.fixed_dictionaries(
    {
        "name": SOME_WORDS,
        "kind": st.sampled_from(KINDS),
        "county": MAYBE | st.sampled_from(list(CITY.counties)),
        **dict.fromkeys(["address", "operator", "source", "note", "closed_reason", "road", "direction"], WORDS),
        "phone": MAYBE | st.sampled_from(["+86 0359", "13800000000", "-110"]),
        "hours": MAYBE | st.sampled_from(["24/7", "Mo-Su 18:00-02:00", "Mo-Fr 08:00-12:00; PH off"]),
        "amenities": a_few(st.sampled_from(AMENITIES)),
        "entry": MAYBE | st.sampled_from(ENTRIES),
        "prices": a_few(PRICE, "; "),
        **dict.fromkeys(["piles", "connectors", "parking_spaces"], MAYBE | NUMBER),
        "swap_brands": a_few(PART),
        "voltages": a_few(st.sampled_from(["48", "60", "72"])),
        **dict.fromkeys(["max_vehicle_m", "max_vehicle_h_m", "max_vehicle_t"], MAYBE | MEASURE),
        **dict.fromkeys(["verified_at", "closed_until", "prices_at"], MAYBE | DAY),
        "demo": st.sampled_from(["0", "1"]),
        "state": st.sampled_from(STATES),
        "amenity_verified": pairs(st.sampled_from(AMENITIES), DAY),
        "amenity_closed": pairs(st.sampled_from(AMENITIES), st.just("11-15/03-15")),
        "hazmat": st.sampled_from(["", "0", "1"]),
    }
)
ROWS = st.lists(st.tuples(ROW, POSITION), min_size=1, max_size=4).map(
    lambda found: [row | spot | {"code": f"P-{n}"} for n, (row, spot) in enumerate(found)]
)


@given(rows=ROWS, suffix=st.sampled_from([".csv", ".xlsx", ".geojson"]))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_directory_is_lost_on_the_way(
    sqlite: Database, tmp_path: Path, rows: list[dict[str, str]], suffix: str
) -> None:
    async with sqlite.writing() as db:
        await db.execute(delete(Place))
    taken = await take(sqlite, geojson(tmp_path / "in.geojson", *map(feature_of, rows)))
    assert (taken.added, taken.rejected) == (len(rows), ())
    async with sqlite.reading() as db:
        before = [dict(row) for row in (await db.execute(select(Place.__table__))).mappings()]
    out = tmp_path / f"out{suffix}"
    await export_places(sqlite, out)
    again = await take(sqlite, out)
    assert (again.unchanged, again.changed, again.added, again.rejected) == (len(rows), 0, 0, ())
    async with sqlite.writing() as db:
        await db.execute(delete(Place))
    await take(sqlite, out)
    async with sqlite.reading() as db:
        after = [dict(row) for row in (await db.execute(select(Place.__table__))).mappings()]
    assert _without_ids(after) == _without_ids(before)


def feature_of(row: dict[str, str]) -> dict[str, Any]:
    return {"type": "Feature", "properties": row}


def _without_ids(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(({**row, "id": 0} for row in rows), key=lambda row: row["code"])


async def test_a_long_file_says_how_far_it_is_and_stays_whole(database: Database, tmp_path: Path) -> None:
    rows = [
        SMALL | {"code": f"L{n}", "lat": decimal(34 + n / 1000), "lng": "110.9", "datum": "wgs84"} for n in range(1500)
    ]
    shares: list[float] = []
    file = sheet(tmp_path / "a.csv", *rows)
    report = await import_places(
        database, file, dry_run=False, skip_bad=False, now=NOW, counties=CITY.counties, progress=shares.append
    )
    assert (report.added, await count(database), await version(database)) == (1500, 1500, 1)
    assert shares == sorted(shares)
    assert len(shares) > 5
    assert shares[-1] == 1.0
    await take(
        database,
        sheet(tmp_path / "b.csv", *(row | {"note": "新"} for row in rows), {"code": "L9999", **SMALL} | {"code": "!"}),
    )
    async with database.reading() as db:
        assert await db.scalar(select(func.count()).where(Place.note == "新")) == 0


async def test_what_changes_while_a_file_is_compared_is_not_lost(sqlite: Database, tmp_path: Path) -> None:
    await take(sqlite, sheet(tmp_path / "a.csv", SMALL, SMALL | {"code": "A2"}))
    told: list[float] = []

    def somebody_edits(share: float) -> None:
        if share >= 0.8 and not told:
            told.append(share)
            with sqlite3.connect(str(sqlite.url.database)) as other:
                other.execute("UPDATE places SET note = '钥匙在门卫', piles = 4 WHERE code = 'A1'")
                other.execute("UPDATE place_changes SET version = version + 1")
            other.close()

    file = sheet(tmp_path / "b.csv", {"code": "A1", "piles": "4"}, {"code": "A2", "piles": "5"})
    report = await import_places(
        sqlite, file, dry_run=False, skip_bad=False, now=NOW, counties=CITY.counties, progress=somebody_edits
    )
    assert (told, report.changed, report.unchanged) == ([0.8], 1, 1)
    found = await place(sqlite)
    assert (found.note, found.piles, (await place(sqlite, "A2")).piles) == ("钥匙在门卫", 4, 5)
    assert await version(sqlite) == 3


async def test_an_import_leaves_alone_what_no_file_says(database: Database, tmp_path: Path) -> None:
    await take(database, sheet(tmp_path / "a.csv", FULL))
    async with database.writing() as db:
        await db.execute(update(Place).values(weather_hours="24/7", weather_until=NOW))
    await take(database, sheet(tmp_path / "b.csv", FULL | {"note": "新"}))
    found = await place(database)
    assert (found.note, found.weather_hours, found.weather_until) == ("新", "24/7", NOW)


def test_a_crowd_on_one_spot_costs_no_more_than_a_few() -> None:
    index = Index()
    for row in range(100):
        index.place(f"A{row}", row, 35.02, 110.99)
    assert [neighbour.row for neighbour in index.near(35.02, 110.99)] == list(range(8))
    assert [neighbour.row for neighbour in index.near(35.02022, 110.99)] == list(range(8))
    assert index.near(35.02023, 110.99) == []
    index.close()


@pytest.mark.parametrize("lat", [-35.0, 0.0, 35.02, 60.0, 80.0])
def test_whatever_stands_within_25_metres_is_found(lat: float) -> None:
    index = Index()
    index.place("A1", 2, lat, 110.99)
    for degrees in range(0, 360, 7):
        for metres, is_near in ((24.9, 1), (25.1, 0)):
            north, east = metres * math.cos(math.radians(degrees)), metres * math.sin(math.radians(degrees))
            to_lat = lat + math.degrees(north / EARTH_RADIUS_M)
            to_lng = 110.99 + math.degrees(east / EARTH_RADIUS_M / math.cos(math.radians((lat + to_lat) / 2)))
            assert len(index.near(to_lat, to_lng)) == is_near, (degrees, metres)
    index.close()


def test_the_samples_are_what_the_generator_makes() -> None:
    assert make_samples.FILE.read_bytes().decode("utf-8") == make_samples.text(CITY)


async def test_the_samples_are_taken_in_once(database: Database) -> None:
    later = datetime(2026, 11, 23, tzinfo=UTC)
    report = await load_samples(database, YUNCHENG, later)
    assert report is not None
    assert (report.rejected, report.warnings) == ((), ())
    async with database.writing() as db:
        kinds = {
            kind: number
            for kind, number in await db.execute(
                select(Place.kind, func.count()).where(Place.demo, Place.state == "published").group_by(Place.kind)
            )
        }
        await db.execute(update(Place).where(Place.code == "demo-rest-002").values(note="改过"))
    assert kinds.keys() == set(KINDS)
    assert [kinds[kind] for kind in ("rest_station", "truckers_home", "taxi_stop", "ridehail_station")] == [
        201,
        20,
        11,
        7,
    ]
    assert await load_samples(database, YUNCHENG, NOW) is None
    assert (await place(database, "demo-rest-002")).note == "改过"


async def test_samples_are_marked_and_real_places_hold_nothing_invented(sqlite: Database) -> None:
    await load_samples(sqlite, YUNCHENG, NOW)
    async with sqlite.reading() as db:
        found = (await db.scalars(select(Place))).all()
    for one in found:
        if one.demo:
            assert one.name.startswith("示例·")
            assert one.lat is not None
            assert one.lng is not None
            seat = CITY.counties[one.county]
            assert 500 < distance_m(one.lat, one.lng, seat.lat, seat.lng) < 6500
        else:
            assert (one.lat, one.lng, one.hours, one.phone, one.verified_at) == (None, None, "", "", None)
            assert one.source
            assert not one.amenity_verified
    assert {one.county for one in found if one.demo} == set(CITY.counties)
    qingfeng = next(one for one in found if "青丰" in one.name)
    assert (qingfeng.county, "待核实" in qingfeng.note) == ("140882", True)
    hub = next(one for one in found if one.code == "yc-drivers-hub")
    assert (hub.piles, hub.connectors) == (19, 38)
