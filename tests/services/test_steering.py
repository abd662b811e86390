"""A broadcast under way: held, ended, put right, counted; from a file, and from a backup."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from bot.models import (
    AuditEntry,
    Broadcast,
    Heartbeat,
    NoticeResponse,
    Outbound,
    Pause,
)
from bot.services.authority import NotAllowed
from bot.services.broadcasts import clearing, composing, corrections, files, resolving, restored, states, steering
from bot.services.broadcasts.audience import Audience, concerned
from bot.services.broadcasts.report import listed, report
from bot.services.notices import BadNotice, Words
from tests.services.clinic import ZONE
from tests.services.newsdesk import NEWSROOM, Newsdesk, draft

SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


async def test_pausing_cancelling_and_trying_again(desk: Newsdesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clearing, "_SLICE", 2)
    riders = [await desk.rider() for _n in range(8)]
    author, approver = await desk.people()
    row_states = ["sent", "failed", "queued", "waiting", "digest", "queued", "stopped", "queued"]
    number = await desk.sending(author, approver, dict(zip(riders, row_states, strict=True)))
    await desk.does(steering.pause, None, number, "too many errors")
    async with desk.database.reading() as db:
        said = await report(db, number)
    assert (said.state, said.pause_reason) == ("paused", "too many errors")
    with pytest.raises(states.Overtaken):
        await desk.does(steering.pause, author, number, "again")
    assert await desk.does(steering.retry_failed, author, number) == 1
    assert await desk.state(number) == "paused", "trying again waits for the pause like the rest"
    assert (await desk.rows(number))[1] == "queued"
    await desk.does(steering.resume, author, number)
    assert await desk.state(number) == "sending"
    await desk.does(steering.pause, author, number, "a look")
    await desk.does(steering.cancel, approver, number)
    async with desk.database.reading() as db:
        assert (await report(db, number)).pause_reason == "", "it is not held any more"
    assert (await desk.rows(number)).count("cancelled") == 2, "one slice with the change of state"
    await desk.tick()
    assert await desk.rows(number) == ["sent", *["cancelled"] * 5, "stopped", "cancelled"]
    for step in (steering.resume, steering.cancel, steering.retry_failed):
        with pytest.raises(states.Overtaken):
            await desk.does(step, author, number)


async def test_what_failed_in_a_finished_one_is_sent_while_it_is_valid(desk: Newsdesk) -> None:
    author, approver = await desk.people()
    number = await desk.sending(
        author, approver, {await desk.rider(): "failed"}, valid_until=desk.clinic.now + timedelta(1)
    )
    async with desk.database.writing() as db:
        await db.execute(update(Broadcast).values(state="finished", finished_at=desk.clinic.now))
        await db.execute(update(Outbound).values(tries=8))
    await desk.does(steering.retry_failed, author, number)
    async with desk.database.reading() as db:
        row = (await db.scalars(select(Outbound))).one()
        said = await report(db, number)
    assert (said.state, said.finished_at, row.state, row.tries, row.error) == ("sending", None, "queued", 0, "")
    desk.clinic.passes(days=2)
    with pytest.raises(steering.OutOfDate):
        await desk.does(steering.retry_failed, author, number)


async def test_a_withdrawal_reaches_those_who_got_it(desk: Newsdesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corrections, "_WINDOW", 2)
    got, english, waits, flying = [await desk.rider(locale=locale) for locale in ("zh_CN", "en", "en", "en")]
    author, approver = await desk.people()
    row_states = {got: "sent", english: "sent", waits: "waiting", flying: "queued"}
    number = await desk.sending(author, approver, row_states)
    telling = await desk.does(steering.withdraw, approver, number, why="时间写错了")
    assert await desk.state(number) == "withdrawn"
    assert await desk.rows(number) == ["sent", "sent", "cancelled", "cancelled"]
    assert await desk.state(telling) == "approved", "it goes at once"
    async with desk.database.reading() as db:
        broadcast, notice = await states.found(db, telling)
        audience = Audience.from_json(broadcast.audience)
        told = set(await db.scalars(concerned(audience, category=notice.category, urgency=notice.urgency)))
    assert told == {got, english}
    assert (broadcast.corrects_id, notice.urgency) == (number, "important")
    assert "Beware of coal gas" in notice.texts["en"]["title"]
    assert "时间写错了" in notice.texts["zh_CN"]["body"]
    await desk.tick()
    assert await _edits(desk) == [("m1", "personal"), ("m2", "personal")]
    async with desk.database.writing() as db:
        # It was on its way when the broadcast was withdrawn.
        sent = update(Outbound).where(Outbound.key == f"b{number}:{flying}")
        await db.execute(sent.values(state="sent", provider_id="m4"))
    await desk.tick(minutes=2)
    assert await _edits(desk) == [("m1", "personal"), ("m2", "personal"), ("m4", "personal")]
    async with desk.database.reading() as db:
        changed = await db.scalars(select(Outbound.message).where(Outbound.key.startswith("edit:")))
        texts = {message["replaces"]: message["text"] for message in changed}
    assert texts["m2"].startswith("Withdrawn: Beware of coal gas\n")
    assert texts["m2"] != texts["m1"], "each in their language"
    assert all("时间写错了" in text for text in texts.values())
    with pytest.raises(states.Overtaken):
        await desk.does(steering.withdraw, approver, number, why="again")


async def test_an_author_withdraws_alone_in_set_words(desk: Newsdesk) -> None:
    author, approver = await desk.people()
    number = await desk.sending(author, approver, {await desk.rider(): "sent"})
    telling = await desk.does(steering.withdraw, author, number, why="时间写错了")
    await desk.tick()
    async with desk.database.reading() as db:
        _broadcast, notice = await states.found(db, telling)
        changed = [*await db.scalars(select(Outbound.message).where(Outbound.key.startswith("edit:")))]
        kept = await db.scalar(select(AuditEntry.after).where(AuditEntry.action == "broadcast.withdraw"))
    assert changed
    assert "时间写错了" not in str([notice.texts, *changed])
    assert "时间写错了" in str(kept)
    broadcast = Broadcast(notice_id=1, created_at=desk.clinic.now, author_id=approver.id)
    assert steering.asks_why(author, broadcast) == steering.asks_why(approver, broadcast)


async def test_a_correction_needs_two_people_too(desk: Newsdesk) -> None:
    author, approver = await desk.people()
    rider = await desk.rider()
    number = await desk.sending(author, approver, {rider: "sent", await desk.rider(): "queued"}, urgency="red")
    right = {"zh_CN": Words("留窗缝", "留一条手掌宽的缝。"), "en": Words("Ajar", "A hand's breadth.")}
    correction = await desk.does(steering.correct, author, number, right)
    assert (await desk.state(number), await desk.state(correction)) == ("withdrawn", "in_review")
    assert await desk.rows(number) == ["sent", "cancelled"]
    await desk.tick(minutes=2)
    assert await _edits(desk) == []
    with pytest.raises(NotAllowed):
        await desk.does(composing.approve, author, correction)
    await desk.does(composing.approve, approver, correction)
    await desk.tick(minutes=2)
    assert await _edits(desk) == [("m1", "personal")]
    async with desk.database.reading() as db:
        _broadcast, notice = await states.found(db, correction)
        edit = (await db.scalars(select(Outbound).where(Outbound.key.startswith("edit:")))).one()
    assert notice.urgency == "red"
    assert "Correction: Ajar" in edit.message["text"]
    assert edit.message["buttons"][-1][0]["press"] == "mute.winter_safety"
    assert edit.rank > 2, "no reminder waits for it"
    with pytest.raises(states.Overtaken):
        await desk.does(steering.correct, author, await desk.approved(author, approver), right)


async def test_a_correction_is_put_before_those_who_may_approve_it(desk: Newsdesk) -> None:
    author, approver = await desk.people()
    county = await desk.member("county", ["140802"])
    for member in (author, approver, county):
        await desk.in_chat(member)
    number = await desk.sending(author, approver, {await desk.rider(): "sent"}, audience=Audience(counties=("140802",)))
    await desk.hears_nothing_more()
    long = {"zh_CN": Words("字" * 58, "正文"), "en": Words("", "")}
    correction = await desk.does(steering.correct, author, number, long)
    assert await desk.told() == [(approver.login, "To approve")]
    async with desk.database.reading() as db:
        _broadcast, notice = await states.found(db, correction)
        found = await composing.findings(db, correction, newsroom=NEWSROOM, now=desk.clinic.now)
    assert list(notice.texts) == ["zh_CN"], "a language without words is left out"
    assert found.blockers == ()
    with pytest.raises(BadNotice):
        await desk.does(steering.correct, author, number, {"en": Words("Ajar", "A hand's breadth.")})


async def test_a_late_one_that_asks_is_put_before_those_who_steer(desk: Newsdesk) -> None:
    author, approver = await desk.people()
    operator = await desk.member("operator")
    for member in (author, approver, operator):
        await desk.in_chat(member)
    await desk.rider()
    starts_at = desk.clinic.now + timedelta(hours=1)
    number = await desk.approved(author, approver, late="ask", starts_at=starts_at)
    await desk.hears_nothing_more()
    await resolving.begin_due(desk.database, starts_at + timedelta(hours=2), NEWSROOM)
    assert await desk.state(number) == "paused"
    assert [login for login, _said in await desk.told()] == [author.login, approver.login]
    await desk.does(steering.resume, author, number)
    assert await desk.state(number) == "sending"


async def test_a_report_counts_and_names_nobody(desk: Newsdesk) -> None:
    author, approver = await desk.people()
    row_states = ["sent", "sent", "failed", "waiting", "digest", "stopped", "muted", "expired", "queued"]
    riders = {await desk.rider(): state for state in row_states}
    number = await desk.sending(author, approver, riders)
    first, second = list(riders)[:2]
    now = desk.clinic.now
    async with desk.database.writing() as db:
        db.add(NoticeResponse(number, rider_id=first, read_at=now, tapped_at=now, reply="help", replied_at=now))
        db.add(NoticeResponse(number, rider_id=second, read_at=now, reply="received", replied_at=now))
    async with desk.database.reading() as db:
        said = (await report(db, number)).as_json()
        (line,) = await listed(db, limit=5)
        assert await listed(db, limit=5, in_states=["draft"]) == []
        with pytest.raises(states.NoSuchBroadcast):
            await report(db, number + 1)
    counted = {name: value for name, value in said.items() if isinstance(value, int) and value > 0}
    once = dict.fromkeys(("waiting", "digest", "stopped", "muted", "expired", "queued", "failed"), 1)
    answers = {"read": 2, "tapped": 1, "received": 1, "help": 1}
    assert counted == {"number": number, "sent": 2} | once | answers
    assert said["failures"] == {"HTTP 400": 1}
    assert (line.title, line.author, line.approver) == ("谨防煤气中毒", author.login, approver.login)


# From a file, and from a backup


@SQLITE
async def test_a_file(desk: Newsdesk, tmp_path: Path) -> None:
    path = tmp_path / "notice.toml"
    path.write_text(
        """
        category = "weather"
        urgency = "red"
        source = "运城市气象台"
        late = "send"
        valid_until = 2026-11-25
        starts_at = "2026-11-24T08:00"
        [texts.zh_CN]
        title = "暴雪"
        body = "请就近停靠。"
        [audience]
        vehicles = ["truck"]
        [[buttons]]
        kind = "received"
        """,
        "utf-8",
    )
    read = await files.read(path, ZONE)
    assert replace(read, buttons=()) == draft(
        category="weather",
        urgency="red",
        source="运城市气象台",
        late="send",
        texts={"zh_CN": Words("暴雪", "请就近停靠。")},
        audience=Audience(vehicles=("truck",)),
        valid_until=files.moment("2026-11-25T00:00+08:00", ZONE),
        starts_at=files.moment("2026-11-24T00:00Z", ZONE),
    )
    for wrong in ("", "category = ", 'categroy = "x"', "[texts]\nzh_CN = 1", "texts = {}\ncategory = 'x'\nowner = 1"):
        path.write_text(wrong)
        with pytest.raises(BadNotice):
            await files.read(path, ZONE)
    with pytest.raises(BadNotice):
        files.moment("tomorrow", ZONE)


async def test_a_restored_database_holds_bulk_sending(desk: Newsdesk) -> None:
    async def held() -> bool:
        return await desk.does(restored.hold_if_restored)

    author, approver = await desk.people()
    await desk.rider()
    assert not await held(), "it never ran before"
    async with desk.database.writing() as db:
        db.add(Heartbeat("delivery", at=desk.clinic.now))
    desk.clinic.passes(hours=2)
    assert not await held(), "nothing is to be sent"
    await desk.sending(author, approver, {})
    assert await held()
    assert await held(), "twice is once"
    async with desk.database.reading() as db:
        assert (await db.scalars(select(Pause.channel))).all() == ["*"]
        count = await db.scalar(select(func.count()).where(AuditEntry.action == "bulk.hold"))
    assert count == 1
    assert await desk.does(restored.lift)
    assert not await desk.does(restored.lift)
    async with desk.database.writing() as db:
        await db.execute(update(Heartbeat).values(at=desk.clinic.now - timedelta(minutes=59)))
    assert not await held(), "it was only restarted"


async def _edits(desk: Newsdesk) -> list[tuple[str, str]]:
    """The messages that are to be replaced, and the lane of each change."""
    async with desk.database.reading() as db:
        rows = await db.scalars(select(Outbound).where(Outbound.key.startswith("edit:")))
        return sorted((row.message["replaces"], row.lane) for row in rows)
