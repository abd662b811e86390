"""Reminders to those who may not be written to: by templates and subscription notices, where the account has any."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from bot.channels.wechat import templates
from bot.channels.wechat.templates import Form
from bot.database import Database
from bot.models import Outbound
from tests.callback import CallbackWorld, RiderOnWeChat, behind_an_account
from tests.channels.wechat.test_accounts import books, moves

FIELDS = {"thing1": "title", "time2": "when", "thing3": "where", "character_string4": "code"}
FORMS = {"reminder": Form("T1", "template", FIELDS), "moved": Form("S1", "subscription", FIELDS)}


@pytest.fixture
def database_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def world(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CallbackWorld]:
    monkeypatch.setattr(templates, "forms", lambda _folder: FORMS)
    async with behind_an_account(database, "service-verified") as world:
        yield world


@pytest.fixture
async def mei(world: CallbackWorld) -> RiderOnWeChat:
    """She has booked a date five days ahead, and has been silent for three."""
    mei = world.rider("mei", "zh_CN")
    await mei.follows()
    await books(world, mei, days=5)
    await world.passes(days=3)
    mei.catches_up()
    return mei


def sent(world: CallbackWorld) -> list[tuple[str, str]]:
    return [(template, data["time2"]["value"]) for _user, template, data in world.wechat.templates]


async def states(world: CallbackWorld) -> list[str]:
    async with world.database.reading() as db:
        return list(await db.scalars(select(Outbound.state).where(Outbound.lane == "personal").order_by(Outbound.id)))


both = pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"], indirect=True)
one = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


@both
async def test_what_may_not_be_said_is_sent_as_a_form(world: CallbackWorld, mei: RiderOnWeChat) -> None:
    await moves(world, hours=3)
    await world.passes(days=1, hours=10, minutes=30)
    assert sent(world) == [("S1", "2026-11-28 12:00"), ("T1", "2026-11-28 12:00")]
    assert world.wechat.refused == []
    assert await states(world) == ["sent", "sent"]
    mei.sees()
    await mei.says("菜单")
    assert "12:00" not in mei.latest.text, "they know it already"


@both
async def test_while_they_may_be_written_to_there_are_words(world: CallbackWorld, mei: RiderOnWeChat) -> None:
    await mei.says("菜单")
    mei.catches_up()
    await moves(world, hours=3)
    mei.sees("12:00")
    assert sent(world) == []


@both
@pytest.mark.parametrize("code", [43101, 47003, 48001, 45009, -1, None])
async def test_a_form_is_tried_once_and_what_it_said_waits(
    world: CallbackWorld, mei: RiderOnWeChat, code: int | None
) -> None:
    path = "message/subscribe/bizsend"
    world.wechat.fail(path, code)
    await moves(world, hours=3)
    await world.passes(minutes=10)
    assert (world.wechat.calls.count(path), await states(world)) == (1, ["queued"])
    await mei.says("菜单")
    mei.sees("12:00")
    assert await states(world) == ["sent"]


@one
async def test_who_left_is_not_sent_forms(world: CallbackWorld, mei: RiderOnWeChat) -> None:
    world.wechat.follower("mei").follows = False
    await moves(world, hours=3)
    assert await states(world) == ["stopped"]


@one
async def test_what_waits_does_not_hold_up_a_form(world: CallbackWorld, mei: RiderOnWeChat) -> None:
    world.wechat.fail("message/subscribe/bizsend", 43101)
    await moves(world, hours=3)
    await world.passes(days=1, hours=10, minutes=30)
    assert [template for template, _at in sent(world)] == ["T1"]
    assert await states(world) == ["queued", "sent"]


def test_forms_are_described_in_a_file(tmp_path: Path) -> None:
    assert templates.forms(tmp_path) == {}
    file = tmp_path / templates.FILE
    file.write_text(
        '[[form]]\nfor = ["reminder", "moved"]\nid = "T1"\nway = "template"\nfields = { thing1 = "title" }\n', "utf-8"
    )
    assert templates.forms(tmp_path) == dict.fromkeys(
        ("reminder", "moved"), Form("T1", "template", {"thing1": "title"})
    )
    for right, wrong, why in (
        ('"template"', '"letter"', "sent by template or subscription"),
        ("thing1", "mood1", "no kind of field mood1"),
        ('"title"', '"name"', "there is no name"),
        ('id = "T1"', "", "needs for, id, way and fields"),
        ("id =", "url =", "a form has no url"),
        ('"moved"', '"reminder"', "two forms for reminder"),
        ("[[form]]", "[[form", "at line"),
    ):
        good = file.read_text("utf-8")
        file.write_text(good.replace(right, wrong), "utf-8")
        with pytest.raises(ValueError, match=why):
            templates.forms(tmp_path)
        file.write_text(good, "utf-8")


def test_a_form_holds_what_fits() -> None:
    form = FORMS["reminder"]
    facts = {"title": "体检" * 15, "when": "2026-11-28 12:00", "where": "王茅镇", "code": "K7M2"}
    assert form.filled(facts)["thing1"]["value"] == "体检" * 9 + "体…"
    for missing in facts:
        with pytest.raises(ValueError, match="cannot hold"):
            form.filled(facts | {missing: ""})
