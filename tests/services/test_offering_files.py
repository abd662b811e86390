"""Offerings and sessions out of files."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from openpyxl import Workbook
from sqlalchemy import select

from bot.i18n import Text
from bot.models import Offering, Session
from bot.services import offerings
from bot.services.offering_files import import_offerings, import_sessions, load_samples
from bot.services.place_files import ImportReport
from bot.settings import DATA
from tests.chat import CITY
from tests.services.clinic import DESK, Clinic


async def take(clinic: Clinic, path: Path, text: str, *, dry_run: bool = False, skip_bad: bool = False) -> ImportReport:
    await asyncio.to_thread(path.write_text, text, "utf-8")
    if text.startswith("code,category"):
        return await import_offerings(
            clinic.database, path, dry_run=dry_run, skip_bad=skip_bad, now=clinic.now, counties=CITY.counties
        )
    return await import_sessions(clinic.database, path, dry_run=dry_run, skip_bad=skip_bad, now=clinic.now, desk=DESK)


def counts(report: ImportReport) -> tuple[int, int, int, int]:
    return report.added, report.changed, report.unchanged, len(report.rejected)


def reasons(report: ImportReport) -> list[tuple[int, str]]:
    return [(remark.row, remark.column) for remark in report.rejected]


OFFERINGS = """code,category,title,title_en,limit,limit_days,questions,reminders,waitlist
checkup,health,体检,Health check,1,365,name;phone;size:choice:尺码|尺碼|Size:小|小|small,1d@19:00;2h,1
legal,legal,法律咨询,Legal advice,,,topic;way;note,,0
"""


async def test_offerings_are_taken_in_once(clinic: Clinic, tmp_path: Path) -> None:
    file = tmp_path / "offerings.csv"
    assert counts(await take(clinic, file, OFFERINGS, dry_run=True)) == (2, 0, 0, 0)
    async with clinic.database.reading() as db:
        assert (await db.scalars(select(Offering))).all() == []
    assert counts(await take(clinic, file, OFFERINGS)) == (2, 0, 0, 0)
    assert counts(await take(clinic, file, OFFERINGS)) == (0, 0, 2, 0)
    assert counts(await take(clinic, file, "code,category,title\nlegal,legal,律师\n")) == (0, 1, 0, 0)
    async with clinic.database.reading() as db:
        legal = await offerings.one(db, desk=DESK, code="legal")
        checkup = await offerings.one(db, desk=DESK, code="checkup")
    assert (legal.title, legal.title_en, legal.waitlist) == ("律师", "Legal advice", False)
    assert (checkup.limit_count, checkup.limit_days, checkup.waitlist) == (1, 365, True)
    name, _phone, size = checkup.questions
    assert isinstance(name.label("zh_CN"), Text)
    assert (size.label("zh_TW"), size.options("en")) == ("尺碼", {"小": "small"})


@pytest.mark.parametrize(
    ("column", "row"),
    [
        ("category", "x,feast,宴,,,,,,"),
        ("title", "x,event,,,,,,,"),
        ("limit", "x,event,宴,,many,,,,"),
        ("questions", "x,event,宴,,,,id_card,,"),
        ("questions", "x,event,宴,,,,name;name,,"),
        ("questions", "x,event,宴,,,,size:choice:尺码,,"),
        ("reminders", "x,event,宴,,,,,tomorrow,"),
        ("waitlist", "x,event,宴,,,,,,maybe"),
    ],
)
async def test_a_bad_cell_keeps_the_file_out(clinic: Clinic, tmp_path: Path, column: str, row: str) -> None:
    text = OFFERINGS + row + "\n"
    report = await take(clinic, tmp_path / "offerings.csv", text)
    assert (counts(report), reasons(report)) == ((0, 0, 0, 1), [(4, column)])
    assert counts(await take(clinic, tmp_path / "offerings.csv", text, skip_bad=True)) == (2, 0, 0, 1)


async def test_sessions_in_local_time_and_their_mistakes(clinic: Clinic, tmp_path: Path) -> None:
    file = tmp_path / "sessions.csv"
    await take(clinic, tmp_path / "offerings.csv", OFFERINGS)
    head = "code,offering,place,address,starts_at,ends_at,capacity,state\n"
    good = "s1,checkup,,王茅镇,2026-12-01 09:00,2026-12-01T11:00+08:00,80,\n"
    assert counts(await take(clinic, file, head + good)) == (1, 0, 0, 0)
    assert counts(await take(clinic, file, head + good)) == (0, 0, 1, 0)
    async with clinic.database.reading() as db:
        session = (await db.scalars(select(Session))).one()
    assert (session.starts_at, session.state) == (datetime(2026, 12, 1, 1, tzinfo=UTC), "open")
    bad = (
        "s2,unknown,,,2026-12-01 09:00,2026-12-01 11:00,80,\n"
        "s3,checkup,nowhere,,2026-12-01 09:00,2026-12-01 11:00,80,\n"
        "s4,checkup,,,2026-12-01 11:00,2026-12-01 09:00,80,\n"
        "s5,checkup,,,2025-12-01 09:00,2025-12-01 11:00,80,\n"
        "s6,checkup,,,soon,2026-12-01 11:00,80,\n"
        "s7,checkup,,,2026-12-01 09:00,2026-12-01 11:00,,\n"
    )
    report = await take(clinic, file, head + bad)
    wrong = ["offering", "place", "starts_at", "starts_at", "starts_at", "capacity"]
    assert reasons(report) == [(n, column) for n, column in enumerate(wrong, 2)]


async def test_a_file_that_moves_a_session_tells_the_people(clinic: Clinic, tmp_path: Path) -> None:
    mei = await clinic.rider()
    session = await clinic.session(await clinic.offering(), capacity=2)
    booked = await clinic.books(mei, session)
    code = (await clinic.row(session)).code
    file = tmp_path / "sessions.csv"
    moved = f"code,starts_at,ends_at\n{code},2026-12-05 09:00,2026-12-05 10:00\n"
    assert counts(await take(clinic, file, moved)) == (0, 1, 0, 0)
    assert "is now" in (await clinic.messages())[-1]
    assert reasons(await take(clinic, file, f"code,capacity\n{code},0\n")) == [(2, "capacity")]
    assert counts(await take(clinic, file, f"code,state\n{code},cancelled\n")) == (0, 1, 0, 0)
    assert await clinic.state(booked.id) == "cancelled"


async def test_a_spreadsheet(clinic: Clinic, tmp_path: Path) -> None:
    await take(clinic, tmp_path / "offerings.csv", OFFERINGS)
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["code", "offering", "starts_at", "ends_at", "capacity"])
    sheet.append(["s1", "legal", datetime(2026, 12, 1, 14, 0), datetime(2026, 12, 1, 14, 30), 1])  # noqa: DTZ001  # as a spreadsheet has it
    book.save(tmp_path / "sessions.xlsx")
    report = await import_sessions(
        clinic.database, tmp_path / "sessions.xlsx", dry_run=False, skip_bad=False, now=clinic.now, desk=DESK
    )
    assert counts(report) == (1, 0, 0, 0)
    async with clinic.database.reading() as db:
        assert (await db.scalars(select(Session.starts_at))).one() == datetime(2026, 12, 1, 6, tzinfo=UTC)


async def test_samples_have_something_to_book_whenever_they_are_loaded(clinic: Clinic) -> None:
    for _twice in range(2):
        report = await load_samples(clinic.database, DATA / "yuncheng", clinic.now)
        assert report is None if _twice else (report and counts(report) == (7, 0, 0, 0)), report
    async with clinic.database.reading() as db:
        found = await offerings.published(db, desk=DESK, now=clinic.now)
        seats = {one.offering.code: (await _first(clinic, one.offering.id)).capacity for one in found}
    assert seats == {
        "demo-checkup": 80,
        "demo-eyes": 40,
        "demo-live": 130,
        "demo-first-aid": 40,
        "demo-dumplings": 200,
        "demo-gifts": 100,
        "demo-legal": 1,
    }
    assert all(one.offering.demo and one.next_at and one.next_at > clinic.now + timedelta(days=1) for one in found)
    assert all(one.offering.called("zh_CN").startswith("示例") for one in found)
    assert all(one.offering.called("en").startswith("Sample") for one in found)


async def _first(clinic: Clinic, offering_id: int) -> Session:
    async with clinic.database.reading() as db:
        return (await db.scalars(select(Session).where(Session.offering_id == offering_id).limit(1))).one()
