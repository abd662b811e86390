"""The winter series as it ships, and seasons that are switched on, off and on again."""

import json
import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path

import pytest
from sqlalchemy import select, update

from bot.database import Database
from bot.i18n import LOCALES, voice
from bot.models import AuditEntry, Broadcast, Notice, Schedule, StaffMember
from bot.services import authority, notices
from bot.services.authority import Member, NotAllowed
from bot.services.policies import load_policies
from bot.services.riders import VEHICLE_NAMES
from bot.services.schedules import planning, rules, seasons, tick
from bot.services.schedules.seasons import Report
from tests.chat import CITY
from tests.services.newsdesk import NEWSROOM

ZONE = CITY.zone
WINTER = seasons.load(CITY.folder, "winter")
CODES = [entry.code for entry in WINTER]
# 1 November, before the winter.
NOVEMBER = datetime(2026, 11, 1, 1, 0, tzinfo=UTC)
ONE_KIND = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


def test_the_winter_is_complete() -> None:
    assert len(WINTER) >= 12
    assert len(set(CODES)) == len(CODES)
    pages = load_policies(CITY.folder).codes
    for entry in WINTER:
        content = entry.content
        assert set(content["texts"]) == set(LOCALES), entry.code
        for locale, words in content["texts"].items():
            length = len(words["title"]) + len(words["body"])
            assert words["title"]
            assert words["body"]
            assert length <= (300 if locale == "en" else notices.FIRST_SCREEN), (entry.code, locale, length)
        assert "2026-11-20 核对" in content["source"]
        assert content["review_by"].isoformat() == "2027-10-31"
        assert set(entry.audience.vehicles) <= set(VEHICLE_NAMES)
        assert {button["kind"] for button in content["buttons"]} <= {"page"}
        assert {button["target"] for button in content["buttons"]} <= pages


def test_what_only_some_drive_goes_to_them() -> None:
    told = {entry.code: set(entry.audience.vehicles) for entry in WINTER}
    assert told["winter-04"] == {"courier", "parcel"}  # riding on ice
    assert told["winter-05"] == {"ridehail", "truck"}  # driving on ice
    assert told["winter-01"] == set()  # coal gas concerns everybody


@pytest.mark.parametrize("year", [2026, 2027, 2028, 2031])
def test_nobody_gets_two_on_a_day_or_at_a_bad_hour(year: int) -> None:
    first = datetime(year, 11, 1, tzinfo=ZONE)
    summer = datetime(year + 1, 7, 1, tzinfo=ZONE)
    for vehicle in VEHICLE_NAMES:
        fires = []
        for entry in WINTER:
            if vehicle in (entry.audience.vehicles or VEHICLE_NAMES):
                mine = list(takewhile(lambda at: at < summer, rules.fires(entry.rule, first, ZONE)))
                assert mine, entry.code
                fires += [at.astimezone(ZONE) for at in mine]
        assert max(Counter(at.date() for at in fires).values()) == 1, (vehicle, year)
        assert max(Counter(at.isocalendar()[:2] for at in fires).values()) <= 5
        assert {f"{at:%H:%M}" for at in fires} == {"07:30", "20:30"}
        assert all((at.month, at.day) >= (11, 15) or (at.month, at.day) <= (3, 15) for at in fires)


def test_a_letter_names_source_and_check() -> None:
    notice = Notice(code="winter-01", created_at=NOVEMBER, **WINTER[0].content)
    letter = notices.letter(notice, voice("zh_TW", ZONE), 7)
    assert "生爐取暖" in letter.text
    assert "光明网 2021-01-13（2026-11-20 核对）" in letter.text
    assert letter.buttons[0][0].press == "notice.7.0"


async def on(database: Database, folder: Path = CITY.folder, now: datetime = NOVEMBER) -> Report:
    async with database.writing() as db:
        return await seasons.switch_on(db, folder, "winter", member=None, now=now, zone=ZONE)


async def off(database: Database) -> bool:
    async with database.writing() as db:
        return await seasons.switch_off(db, "winter", member=None, now=NOVEMBER)


async def awake(database: Database) -> set[str]:
    async with database.reading() as db:
        return set(await db.scalars(select(Schedule.code).where(Schedule.next_at.is_not(None))))


async def test_on_twice_is_on_once(database: Database) -> None:
    assert await on(database) == Report(made=CODES)
    assert await on(database) == Report()
    assert await awake(database) == set(CODES)
    assert await off(database)
    assert not await off(database)
    assert await awake(database) == set()
    assert await on(database) == Report()
    assert await awake(database) == set(CODES)
    async with database.reading() as db:
        actions = list(await db.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))
    assert actions == ["season.on", "season.off", "season.on"]


async def test_what_staff_switched_off_stays_off(database: Database) -> None:
    await on(database)
    async with database.writing() as db:
        db.add(StaffMember(login="qian", password_hash="", role="approver", created_at=NOVEMBER))
        await db.flush()
        staff = await authority.member_called(db, "qian")
        number = await db.scalar(select(Schedule.id).where(Schedule.code == "winter-04"))
        assert number
        await planning.pause(db, staff, number, now=NOVEMBER)
    await off(database)
    assert (await on(database)).off == ["winter-04"]
    assert await awake(database) == set(CODES) - {"winter-04"}
    await off(database)
    async with database.writing() as db:
        # Resumed in a season that is off, it waits for the season.
        await planning.resume(db, staff, number, now=NOVEMBER, zone=ZONE)
    assert await awake(database) == set()
    async with database.writing() as db:
        await seasons.switch_on(db, CITY.folder, "winter", member=staff, now=NOVEMBER, zone=ZONE)
    assert await awake(database) == set(CODES)


@ONE_KIND
async def test_not_everybody_switches_a_season(database: Database) -> None:
    editor = Member(1, "li", "editor", ())
    async with database.writing() as db:
        with pytest.raises(NotAllowed):
            await seasons.switch_on(db, CITY.folder, "winter", member=editor, now=NOVEMBER, zone=ZONE)
        with pytest.raises(NotAllowed):
            await seasons.switch_off(db, "winter", member=editor, now=NOVEMBER)


async def test_a_new_file_changes_what_staff_left_alone(database: Database, tmp_path: Path) -> None:
    (tmp_path / "seasons").mkdir()
    file = tmp_path / "seasons" / "winter.toml"
    shutil.copy(CITY.folder / "seasons" / "winter.toml", file)
    await on(database, tmp_path)
    async with database.writing() as db:
        theirs = {"zh_CN": {"title": "我们自己写的", "body": "慢骑"}}
        db.add(StaffMember(login="zhao", password_hash="", role="editor", created_at=NOVEMBER))
        await db.flush()
        author = (await authority.member_called(db, "zhao")).id
        await db.execute(
            update(Notice).where(Notice.code == "winter-04").values(texts=theirs, version=2, author_id=author)
        )
    text = file.read_text("utf-8").replace('at = "07:30"', 'at = "07:45"')
    file.write_text(text.replace("烟筒接牢", "烟筒一定接牢"), "utf-8")
    report = await on(database, tmp_path)
    assert report.edited == ["winter-04"]
    assert "winter-01" in report.changed
    assert "winter-03" not in report.changed
    async with database.reading() as db:
        first = (await db.scalars(select(Notice).where(Notice.code == "winter-01"))).one()
        fourth = (await db.scalars(select(Notice).where(Notice.code == "winter-04"))).one()
        schedule = (await db.scalars(select(Schedule).where(Schedule.code == "winter-04"))).one()
    assert "烟筒一定接牢" in first.texts["zh_CN"]["body"]
    assert (first.version, first.reviewed_version) == (2, 2)
    assert fourth.texts["zh_CN"]["title"] == "我们自己写的"
    assert schedule.rule["at"] == "07:45"
    assert schedule.next_at == datetime(2026, 12, 2, 7, 45, tzinfo=ZONE)
    file.write_text("[[notice]]".join(file.read_text("utf-8").split("[[notice]]")[:-1]), "utf-8")
    assert (await on(database, tmp_path)).gone == [CODES[-1]]
    assert await awake(database) == set(CODES[:-1])


@ONE_KIND
async def test_a_season_that_nobody_reviewed_again_warns_and_is_silent(database: Database) -> None:
    november = datetime(2027, 11, 16, 12, tzinfo=UTC)
    report = await on(database, now=november)
    assert report.unreviewed == CODES
    while await tick(database, november + timedelta(days=20), NEWSROOM):
        pass
    async with database.reading() as db:
        assert (await db.scalars(select(Broadcast))).all() == []


@ONE_KIND
async def test_a_notice_of_the_winter_is_good_until_spring(database: Database) -> None:
    await on(database)
    assert await tick(database, datetime(2026, 11, 22, 20, 31, tzinfo=ZONE), NEWSROOM) == 4
    async with database.reading() as db:
        fired = list(await db.scalars(select(Broadcast)))
        coal = (await db.scalars(select(Notice).where(Notice.code == "winter-01"))).one()
    # Three whose hour went by days ago are left out: their late rule says so.
    assert [(one.notice_id, one.state) for one in fired] == [(coal.id, "approved")]
    assert coal.valid_until == datetime(2027, 3, 16, tzinfo=ZONE)


@ONE_KIND
async def test_only_seasons_that_there_are(database: Database) -> None:
    for name in ("summer", "../seasons/winter", "", "WINTER"):
        async with database.writing() as db:
            with pytest.raises(seasons.NoSuchSeason) as wrong:
                await seasons.switch_on(db, CITY.folder, name, member=None, now=NOVEMBER, zone=ZONE)
        assert "winter" in voice("en", ZONE).word(wrong.value.text)


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from bot import __main__ as program

    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/test.db")
    said = []
    for command in (["season", "on", "winter"], ["season", "on", "winter"], ["season", "off", "winter"]):
        with pytest.raises(SystemExit) as ended:
            program.app(command)
        assert not ended.value.code
        said.append(json.loads(capsys.readouterr().out))
    assert said[0]["made"] == CODES
    assert said[1]["made"] == []
    assert said[2] == {"was_on": True}
