"""A broadcast until it may go out: whom it concerns, who writes and approves it, and what holds it back."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from bot.errors import Problem
from bot.models import (
    AuditEntry,
    Booking,
    Broadcast,
    Contact,
    Notice,
    NoticeResponse,
    Offering,
    Place,
    ReplyWindow,
    Schedule,
)
from bot.services.authority import NotAllowed
from bot.services.broadcasts import composing, states, steering
from bot.services.broadcasts.audience import Audience, Forecast, concerned, forecast
from bot.services.broadcasts.findings import Blocked
from bot.services.notices import BadNotice, NoticeButton, Words
from tests.services.newsdesk import COAL_GAS, NEWSROOM, REACH, Newsdesk, draft

SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


# Who gets it


async def test_whom_it_concerns(desk: Newsdesk) -> None:
    clinic = desk.clinic
    courier, trucker = await desk.rider(county="140823", locale="zh_CN"), await desk.rider(vehicle="truck")
    muter = await desk.rider(mutes="winter_safety")
    await desk.rider(off=True)
    await clinic.rider()  # never agreed
    offering = await clinic.offering()
    await clinic.books(trucker, await clinic.session(offering))
    left = await clinic.books(courier, await clinic.session(offering))
    author, approver = await desk.people()
    earlier = await desk.sending(author, approver, {courier: "sent", trucker: "sent", muter: "waiting"})
    async with desk.database.writing() as db:
        await db.execute(update(Booking).where(Booking.id == left.id).values(state="cancelled"))
        code = (await db.scalars(select(Offering.code))).one()
        db.add(NoticeResponse(earlier, rider_id=courier, reply="received"))
        db.add(NoticeResponse(earlier, rider_id=trucker))

    async def meets(audience: Audience, category: str = "winter_safety", urgency: str = "normal") -> set[int]:
        async with desk.database.reading() as db:
            return set(await db.scalars(concerned(audience, category=category, urgency=urgency)))

    assert await meets(Audience()) == {courier, trucker}
    assert await meets(Audience(), urgency="red") == {courier, trucker, muter}
    assert await meets(Audience(), category="weather") == {courier, trucker, muter}
    assert await meets(Audience(vehicles=("truck", "ridehail"))) == {trucker}
    assert await meets(Audience(counties=("140823",))) == {courier}
    assert await meets(Audience(locales=("en",)), urgency="red") == {trucker, muter}
    assert await meets(Audience(topic="winter_safety"), category="weather") == {courier, trucker}
    assert await meets(Audience(booked=code)) == {trucker}
    assert await meets(Audience(got=earlier), urgency="red") == {courier, trucker}
    assert await meets(Audience(unanswered=earlier)) == {trucker}
    assert await meets(Audience(vehicles=("truck",), counties=("140823",))) == set()


async def test_a_forecast_counts_each_person_once_where_they_are_reached_best(desk: Newsdesk) -> None:
    pushed, writing, silent, gone = [await desk.rider() for _n in range(4)]
    await desk.rider(mutes="winter_safety")
    now = desk.clinic.now
    async with desk.database.writing() as db:
        of_two = Contact.rider_id.in_((writing, silent))
        await db.execute(update(Contact).where(of_two).values(channel="letters"))
        await db.execute(update(Contact).where(Contact.rider_id == gone).values(stopped_at=now))
        db.add(Contact(pushed, channel="letters", user="both", locale="en", created_at=now))
        db.add(Contact(silent, channel="nowhere", user="x", locale="en", created_at=now))
        for rider, remaining in ((writing, 1), (silent, 0)):
            contact_id = (await db.scalars(select(Contact.id).where(Contact.rider_id == rider).limit(1))).one()
            db.add(ReplyWindow(contact_id, until=now + timedelta(hours=1), remaining=remaining))
    kind: dict[str, Any] = {"category": "winter_safety", "reach": REACH, "now": now}
    async with desk.database.reading() as db:
        normal = await forecast(db, Audience(), urgency="normal", **kind)
        red = await forecast(db, Audience(), urgency="red", **kind)
    assert normal == Forecast({"buttons": 1, "letters": 1}, {"letters": 1}, muted=1, unreachable=1)
    assert normal.concerned == 4
    assert (red.pushable, red.muted) == ({"buttons": 2, "letters": 1}, 0)


def test_an_audience_is_kept_as_json() -> None:
    some = Audience(vehicles=("truck",), got=3)
    assert some.to_json() == {"vehicles": ["truck"], "got": 3}
    assert Audience.from_json(some.to_json()) == some
    assert Audience.from_json({}).everyone
    assert not some.everyone


# From the draft to the approval


async def test_two_people_and_a_time(desk: Newsdesk) -> None:
    await desk.rider()
    author, approver = await desk.people()
    number = await desk.does(composing.compose, author, draft(starts_at=desk.clinic.now + timedelta(hours=3)))
    with pytest.raises(states.Overtaken, match="not possible now"):
        await desk.does(composing.approve, approver, number)
    await desk.does(composing.submit, author, number)
    await desk.does(composing.send_back, approver, number, "哪个县?")
    assert await desk.state(number) == "draft"
    await desk.does(composing.submit, author, number)
    await desk.does(composing.edit, author, number, draft(urgency="important"))
    assert await desk.state(number) == "draft", "editing in review is a draft again"
    await desk.does(composing.submit, author, number)
    with pytest.raises(states.Overtaken):
        await desk.does(composing.approve, approver, number, version=1)
    await desk.does(composing.approve, approver, number, version=2)
    assert await desk.state(number) == "approved", "it has no time any more"
    with pytest.raises(states.Overtaken):
        await desk.does(composing.edit, author, number, draft())
    later = await desk.approved(author, approver, starts_at=desk.clinic.now + timedelta(hours=3))
    assert await desk.state(later) == "scheduled"
    async with desk.database.reading() as db:
        actions = list(await db.scalars(select(AuditEntry.action).where(AuditEntry.subject == f"broadcast:{number}")))
        notice = (await db.scalars(select(Notice).order_by(Notice.id))).first()
    steps = ["compose", "submit", "send_back", "submit", "edit", "submit", "approve"]
    assert actions == [f"broadcast.{step}" for step in steps]
    assert notice
    assert (notice.version, notice.reviewed_version) == (2, 2)
    assert notice.valid_until == desk.clinic.now + timedelta(hours=3) + timedelta(days=30)


@SQLITE
async def test_a_time_that_went_by_in_review_is_not_late(desk: Newsdesk) -> None:
    await desk.rider()
    author, approver = await desk.people()
    number = await desk.does(composing.compose, author, draft(starts_at=desk.clinic.now + timedelta(hours=1)))
    await desk.does(composing.submit, author, number)
    desk.clinic.passes(hours=5)
    await desk.does(composing.approve, approver, number)
    async with desk.database.reading() as db:
        broadcast = (await db.scalars(select(Broadcast))).one()
    assert (broadcast.state, broadcast.starts_at) == ("approved", desk.clinic.now)


async def test_one_person_approves_only_weather_that_was_reviewed(desk: Newsdesk) -> None:
    await desk.rider()
    admin, approver = await desk.member("admin"), await desk.member("approver")
    for category in ("winter_safety", "weather"):
        number = await desk.does(composing.compose, admin, draft(category=category))
        await desk.does(composing.submit, admin, number)
        with pytest.raises(composing.SamePerson):
            await desk.does(composing.approve, admin, number)
        assert await desk.state(number) == "in_review"
        found = await desk.does(composing.findings, number, approver=admin)
        assert composing.SamePerson.text in found.blockers
    await desk.does(composing.send_back, approver, number, "")
    async with desk.database.writing() as db:
        await db.execute(update(Notice).where(Notice.category == "weather").values(reviewed_version=1))
    await desk.does(composing.edit, admin, number, draft(category="weather", audience=Audience(vehicles=("courier",))))
    await desk.does(composing.submit, admin, number)
    await desk.does(composing.approve, admin, number)
    async with desk.database.reading() as db:
        last = (await db.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1))).one()
    assert (last.action, last.after["alone"], last.after["reviewed_version"]) == ("broadcast.approve", True, 1)
    other = await desk.does(composing.compose, admin, draft(category="weather", source="别处"))
    async with desk.database.writing() as db:
        await db.execute(update(Notice).values(reviewed_version=1, version=2))
    await desk.does(composing.submit, admin, other)
    with pytest.raises(composing.SamePerson):
        await desk.does(composing.approve, admin, other)


async def test_roles_and_counties(desk: Newsdesk) -> None:
    await desk.rider()
    author, approver = await desk.people()
    county, viewer = await desk.member("county", ["140802"]), await desk.member("viewer")
    inside, outside = Audience(counties=("140802",)), Audience(counties=("140802", "140823"))
    mine = await desk.does(composing.compose, county, draft(audience=inside))
    for member, audience in ((county, outside), (county, Audience()), (viewer, inside), (approver, inside)):
        with pytest.raises(NotAllowed):
            await desk.does(composing.compose, member, draft(audience=audience))
    with pytest.raises(NotAllowed):
        await desk.does(composing.edit, county, mine, draft(audience=outside))
    theirs = await desk.sending(author, approver, {}, audience=outside)
    for refused in (
        desk.does(composing.submit, county, theirs),
        desk.does(composing.approve, author, theirs),
        desk.does(steering.pause, county, theirs, "?"),
        desk.does(steering.cancel, viewer, mine),
        desk.does(steering.withdraw, county, theirs, why="?"),
    ):
        with pytest.raises(NotAllowed):
            await refused
    await desk.does(steering.cancel, county, mine)
    mine = await desk.sending(county, approver, {}, audience=inside)
    correction = await desk.does(steering.correct, county, mine, COAL_GAS)
    await desk.does(steering.cancel, county, correction)
    assert await desk.state(correction) == "cancelled"


async def test_what_blocks_and_what_warns(desk: Newsdesk) -> None:
    author, _approver = await desk.people()
    buttons = [NoticeButton("place", "p1"), NoticeButton("page", "nowhere"), NoticeButton("link", "http://a.example")]
    bad = draft(
        texts={"en": Words("Title", "body " * 200)},
        buttons=buttons,
        valid_until=desk.clinic.now,
        source="",
    )
    number = await desk.does(composing.compose, author, bad)
    say = NEWSROOM.voice("en").word

    async def said() -> tuple[list[str], list[str]]:
        found = await desk.does(composing.findings, number)
        return [say(one) for one in found.blockers], [say(one) for one in found.warnings]

    blockers, warnings = await said()
    for words in ("in Chinese are missing", "Nobody would get it", "out of date", ": http://a.", ": nowhere", ": p1"):
        assert any(words in blocker for blocker in blockers), words
    assert any("source" in warning for warning in warnings)
    with pytest.raises(Blocked) as refused:
        await desk.does(composing.submit, author, number)
    assert say(refused.value.text).splitlines() == blockers
    assert await desk.state(number) == "draft"

    rider = await desk.rider()
    async with desk.database.writing() as db:
        db.add(Place("p1", name="驿站", kind="rest_station", updated_at=desk.clinic.now))
        await db.execute(update(Contact).where(Contact.rider_id == rider).values(channel="letters"))
    buttons = [NoticeButton("place", "p1"), NoticeButton("page", "sleeping-in-the-cab")]
    long = {"zh_CN": Words("雪", "雪" * 560), "zh_TW": Words("雪", "")}
    until = desk.clinic.now + timedelta(days=1)
    await desk.does(composing.edit, author, number, draft(texts=long, buttons=buttons, valid_until=until))
    blockers, warnings = await said()
    assert blockers == [
        "Title or text in traditional Chinese is missing.",
        next(one for one in blockers if "letters takes 600" in one),
    ], "that of the other channel is long enough"
    for words in ("no words in English", "preview", "120 characters", "next contact"):
        assert any(words in warning for warning in warnings), words

    later = desk.clinic.now + timedelta(hours=1)
    whom = Audience(booked="nothing")
    await desk.does(composing.edit, author, number, draft(audience=whom, starts_at=later, valid_until=until))
    assert (await said())[0] == ["There is no offering nothing."]
    await desk.does(composing.edit, author, number, draft(buttons=buttons))
    (contact,) = [one for one in await _contacts(desk) if one.rider_id == rider]
    await desk.does(composing.preview, author, number, contact_id=contact.id)
    assert (await desk.clinic.messages())[-1].startswith("Beware of coal gas\n")
    assert await said() == ([], ["Nobody can be reached now: everybody gets it at their next contact."])


@SQLITE
async def test_nobody_yet_is_only_a_warning_where_time_is_left(desk: Newsdesk) -> None:
    author, _approver = await desk.people()
    number = await desk.does(composing.compose, author, draft(starts_at=desk.clinic.now + timedelta(hours=1)))
    found = await desk.does(composing.findings, number)
    assert not found.blockers
    assert "Nobody meets the conditions yet." in [one.msgid for one in found.warnings]


@SQLITE
@pytest.mark.parametrize(
    "wrong",
    [
        {"category": "spam"},
        {"urgency": "urgent"},
        {"late": "never"},
        {"audience": Audience(vehicles=("taxi",))},
        {"audience": Audience(counties=("盐湖区",))},
        {"audience": Audience(locales=("fr",))},
        {"audience": Audience(topic="spam")},
    ],
)
async def test_drafts_that_cannot_be(desk: Newsdesk, wrong: dict[str, Any]) -> None:
    with pytest.raises(BadNotice):
        await desk.does(composing.compose, await desk.member(), draft(**wrong))


async def test_of_two_at_once_one_wins(desk: Newsdesk) -> None:
    await desk.rider()
    author, approver = await desk.people()
    number = await desk.does(composing.compose, author, draft())
    await desk.does(composing.submit, author, number)
    tries: list[Callable[[], Any]] = [
        lambda: desk.does(composing.approve, approver, number),
        lambda: desk.does(composing.edit, author, number, draft(source="改了")),
        lambda: desk.does(composing.approve, approver, number),
    ]
    outcomes = await asyncio.gather(*(one() for one in tries), return_exceptions=True)
    assert sorted(isinstance(outcome, Problem) for outcome in outcomes) == [False, True, True]
    async with desk.database.reading() as db:
        notice = (await db.scalars(select(Notice))).one()
    expected = ("approved", 1, 1) if notice.source == "市应急管理局" else ("draft", 2, None)
    assert (await desk.state(number), notice.version, notice.reviewed_version) == expected


async def test_a_fire_of_a_schedule_is_announced_once(desk: Newsdesk) -> None:
    author, approver = await desk.people()
    await desk.rider()
    await desk.approved(author, approver)
    async with desk.database.reading() as db:
        notice = (await db.scalars(select(Notice))).one()
    fire: dict[str, Any] = {"author_id": author.id, "approver_id": approver.id, "fire_at": desk.clinic.now}
    async with desk.database.writing() as db:
        schedule = Schedule("daily", notice_id=notice.id, rule={}, created_at=desk.clinic.now)
        db.add(schedule)
    fire |= {"schedule_id": schedule.id, "starts_at": desk.clinic.now}
    made = await asyncio.gather(*(desk.does(composing.announce, notice.id, Audience(), **fire) for _n in range(3)))
    assert sorted(number is None for number in made) == [False, True, True]
    assert await desk.state(next(number for number in made if number)) == "approved"
    by_hand = fire | {"schedule_id": None, "fire_at": None, "starts_at": desk.clinic.now + timedelta(hours=1)}
    second = await desk.does(composing.announce, notice.id, Audience(), **by_hand)
    assert second
    assert await desk.state(second) == "scheduled"
    async with desk.database.writing() as db:
        await db.execute(update(Notice).values(version=2))
    with pytest.raises(composing.NotReviewed):
        await desk.does(composing.announce, notice.id, Audience(), **by_hand)


async def _contacts(desk: Newsdesk) -> list[Contact]:
    async with desk.database.reading() as db:
        return list(await db.scalars(select(Contact)))
