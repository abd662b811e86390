"""Staff write, approve and steer notices from their chats, and press weather levels."""

import io
from base64 import b64decode
from datetime import timedelta

from PIL import Image
from sqlalchemy import select, update

from bot.models import Contact, MutedTopic, Notice, Offering, Session
from bot.services import linking, staff, weather
from tests.chat import CITY, DESK, RiderInTest, World
from tests.handlers.test_notices import agrees


async def joins(world: World, login: str, role: str, counties: tuple[str, ...] = ()) -> RiderInTest:
    """A member of the staff who linked their chat."""
    async with world.database.writing() as db:
        await staff.add(db, login, role, counties=counties, password_hash="x", now=world.now)
        code = await linking.issue_for_staff(db, login, now=world.now, desk=DESK)
    member = world.rider(login)
    await member.says(f"/staff {code}")
    member.sees("linked")
    return member


async def writes(author: RiderInTest, title: str = "明天有雪", *, whom: tuple[str, ...] = ("Everybody",)) -> None:
    await author.says("/broadcast")
    await author.taps("New notice")
    for choice in (*whom, "The whole city", "Winter safety", "Important"):
        await author.taps(choice)
    await author.says(title)
    await author.says("慢行，轻刹，早收工。")
    await author.taps("Without a picture")


async def test_a_notice_by_two_people_reaches_the_rider(world: World, rider: RiderInTest) -> None:
    author = await joins(world, "li", "editor")
    approver = await joins(world, "wang", "approver")
    await agrees(rider)
    await writes(author)
    await author.taps("Once approved")
    author.sees("明天有雪", "Now: 1")
    author.does_not_see("preview")
    await author.taps("Hand in")
    author.sees("Handed in")
    await author.presses("bcok.1.1")
    author.sees("from an earlier list")
    rider.catches_up()
    approver.looks_at_the_phone()
    approver.sees("To approve", "明天有雪")
    await approver.taps("Approve")
    approver.sees("Approved")
    author.sees("Approved by wang")
    await world.passes(seconds=1)
    rider.sees("明天有雪", "轻刹")
    await approver.taps("How it stands")
    approver.sees("Sent 1")
    await author.says("群发")
    await author.taps("明天有雪")
    await author.taps("Withdraw it")
    author.sees("Your colleagues read this")
    await author.says("cancel")
    await approver.says("群发")
    await approver.taps("明天有雪")
    await approver.taps("Withdraw it")
    approver.sees("Everybody who got it reads this")
    await approver.says("预报变了")
    approver.sees("Withdrawn")
    await world.passes(seconds=1)
    rider.sees("预报变了")


def picture(size: int = 900) -> bytes:
    """A JPEG with a place in it, as a phone takes it."""
    drawn, exif = io.BytesIO(), Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"
    Image.linear_gradient("L").resize((size, size)).save(drawn, "JPEG", exif=exif)
    assert b"Exif" in drawn.getvalue()
    return drawn.getvalue()


async def test_a_picture_goes_with_it(world: World, rider: RiderInTest) -> None:
    author = await joins(world, "li", "editor")
    approver = await joins(world, "wang", "approver")
    await agrees(rider)
    await author.says("/broadcast")
    await author.taps("New notice")
    for choice in ("Everybody", "The whole city", "Winter safety", "Important"):
        await author.taps(choice)
    await author.says("明天有雪")
    await author.says("慢行，轻刹，早收工。")
    author.catches_up()
    for no_picture in (b"", b"\xff\xd8\xff no picture"):
        await author.shows(no_picture)
        author.sees("I cannot take that picture here", "Send a picture")
    await author.sends("sticker")
    author.sees("Send a picture")
    await author.shows(picture())
    if not author.can_show:
        author.sees("I cannot take that picture here")
        await author.taps("Without a picture")
        author.sees("When?")
        return
    author.sees("When?")
    await author.says("back")
    author.sees("Send a picture")
    await author.shows(picture(700))
    await author.taps("Once approved")
    preview = author.inbox[-2].photo
    await author.taps("Hand in")
    approver.looks_at_the_phone()
    await approver.taps("Approve")
    rider.catches_up()
    await world.passes(seconds=1)
    rider.sees("明天有雪")
    assert preview == rider.latest.photo != ""
    sent = b64decode(rider.latest.photo)
    assert b"Exif" not in sent
    assert Image.open(io.BytesIO(sent)).size == (700, 700)
    async with world.database.reading() as db:
        assert len(list(await db.scalars(select(Notice.id)))) == 1, "going back changes the draft"


async def test_a_rider_who_sends_a_picture_is_thanked(rider: RiderInTest) -> None:
    await rider.says("/start")
    await rider.shows(picture())
    rider.sees("I have your picture")


async def test_a_wrong_notice_is_put_right_by_two_people(world: World, rider: RiderInTest) -> None:
    author = await joins(world, "li", "editor")
    approver = await joins(world, "wang", "approver")
    await agrees(rider)
    await writes(author, "明天25时停水")
    await author.taps("Once approved")
    await author.taps("Hand in")
    approver.looks_at_the_phone()
    await approver.taps("Approve")
    await world.passes(seconds=1)
    rider.sees("25时")
    await author.says("群发")
    await author.taps("25时")
    await author.taps("Put it right")
    await author.says("明天15时停水")
    await author.says("早点接水。")
    author.sees("明天15时停水", "stops at once")
    approver.catches_up()
    await author.taps("Hand in")
    author.sees("Handed in")
    await author.presses("bcok.2.1")
    author.sees("from an earlier list")
    approver.looks_at_the_phone()
    approver.sees("To approve", "15时")
    rider.catches_up()
    await world.passes(minutes=2)
    rider.sees()
    await approver.taps("Approve")
    await world.passes(seconds=1)
    rider.sees("更正：明天15时停水")


async def test_a_notice_is_returned_with_a_word_and_written_anew(world: World) -> None:
    author = await joins(world, "li", "editor")
    approver = await joins(world, "wang", "approver")
    await agrees(world.rider("mei"))
    await writes(author)
    await author.says("gibberish")
    author.sees("When is that?")
    await author.says("周五 7:30")
    await author.taps("Hand in")
    approver.looks_at_the_phone()
    await approver.taps("Return with a word")
    await approver.says("请写明哪条路")
    approver.sees("Returned")
    author.sees("请写明哪条路")


async def test_a_notice_for_who_reads_english(world: World) -> None:
    author = await joins(world, "li", "editor")
    for name, locale in (("mei", "en"), ("wang", "zh_CN")):
        await agrees(world.rider(name))
        async with world.database.writing() as db:
            await db.execute(update(Contact).where(Contact.user == name).values(locale=locale))
    await writes(author, whom=("Who reads English",))
    await author.taps("Once approved")
    author.sees("Now: 1")


async def test_buttons_and_a_narrower_audience_that_the_approver_sees(world: World) -> None:
    author = await joins(world, "li", "editor")
    approver = await joins(world, "wang", "approver")
    for name in ("mei", "chen"):
        await agrees(world.rider(name))
    async with world.database.writing() as db:
        riders = await db.scalars(select(Contact.rider_id).where(Contact.user == "chen"))
        db.add(MutedTopic(riders.one(), "health"))
    await writes(author, whom=("Who wants to hear of one kind", "Health"))
    await author.taps("Once approved")
    author.sees("Now: 1", "To: who wants to hear of “Health”", "Begins once approved")
    await author.taps("A button below it")
    await author.taps("Received")
    author.sees("Buttons: ✓ Received")
    await author.taps("A button below it")
    await author.taps("Open the link")
    await author.says("http://a.example")
    author.sees("A button leads nowhere", "http://a.example")
    await author.says("https://a.example/x")
    await author.taps("Other words")
    await author.says("后天有雪")
    await author.says("慢行。")
    await author.taps("Without a picture")
    await author.taps("Once approved")
    author.sees("后天有雪", "Buttons: ✓ Received · 🔗 Open the link")
    await author.taps("Hand in")
    approver.looks_at_the_phone()
    approver.sees("To: who wants to hear of “Health”", "Begins once approved", "Buttons: ✓ Received · 🔗 Open the link")


async def test_a_notice_for_who_booked_an_offering(world: World) -> None:
    author = await joins(world, "li", "editor")
    await author.says("/broadcast")
    await author.taps("New notice")
    await author.taps("Who booked one offering")
    author.sees("nothing that can be booked", "Whom does it concern?")
    async with world.database.writing() as db:
        offering = Offering("eyes", "health", "眼科义诊", world.now)
        db.add(offering)
        await db.flush()
        starts_at = world.now + timedelta(days=2)
        db.add(Session("eyes-1", offering.id, starts_at, starts_at + timedelta(hours=1), capacity=5))
    await writes(author, "义诊改时间", whom=("Who booked one offering", "眼科义诊"))
    await author.taps("Once approved")
    author.sees("To: who booked “眼科义诊”", "Nobody would get it")


async def test_who_has_not_answered_is_written_to_again(world: World) -> None:
    author = await joins(world, "li", "editor")
    approver = await joins(world, "wang", "approver")
    answers, silent = world.rider("mei"), world.rider("chen")
    for one in (answers, silent):
        await agrees(one)
    await author.says("天气预警")
    for choice in ("Snow", "Red", "24 hours", "The whole city"):
        await author.taps(choice)
    approver.looks_at_the_phone()
    await approver.taps("Approve both")
    await world.passes(seconds=1)
    answers.looks_at_the_phone()
    await answers.taps("Received")
    await author.says("群发")
    await author.presses("bc.1")
    await author.taps("who has not answered")
    for choice in ("Everybody", "The whole city", "Weather", "Important"):
        await author.taps(choice)
    await author.says("请报平安")
    await author.says("看到请回复。")
    await author.taps("Without a picture")
    await author.taps("Once approved")
    author.sees("Now: 1")


async def test_a_rider_never_learns_that_there_is_such_a_thing(world: World, rider: RiderInTest) -> None:
    for words in ("/broadcast", "群发", "天气预警"):
        await rider.says(words)
        rider.sees("I did not get that")
    for token in ("bc.1", "bcok.1.1", "bcdo.1.cancel", "wxok.1", "wx", "bcnew", "bcfix.1", "helpdone.1"):
        await rider.presses(token)
        rider.sees("from an earlier list")


async def test_one_approval_tells_riders_and_keeps_places_open_longer(world: World, rider: RiderInTest) -> None:
    author = await joins(world, "li", "operator")
    approver = await joins(world, "wang", "approver")
    await agrees(rider)
    await author.says("天气预警")
    for choice in ("Snow", "Red", "24 hours", "The whole city"):
        await author.taps(choice)
    author.sees("Proposed: Snow, Red")
    rider.catches_up()
    approver.looks_at_the_phone()
    await approver.taps("Approve both")
    approver.sees("In force: Snow, Red")
    await world.passes(seconds=1)
    rider.sees("Snow: red warning", "rest at the nearest station")
    async with world.database.writing() as db:
        [warning] = await weather.current(db, now=world.now)
        assert warning.state == "in_force"
    await world.passes(hours=25)
    async with world.database.writing() as db:
        assert await weather.current(db, now=world.now) == []
    # The words were reviewed by two: the next time one person will do.
    await approver.says("/weather")
    for choice in ("Snow", "Red", "6 hours", "The whole city"):
        await approver.taps(choice)
    await approver.taps("Approve both")
    approver.sees("In force")


async def test_those_of_a_county_see_their_own_notices_only(world: World, rider: RiderInTest) -> None:
    author = await joins(world, "li", "editor")
    county = await joins(world, "zhao", "county", ("140802",))
    await agrees(rider)
    await writes(author)
    await author.taps("Once approved")
    await author.taps("Hand in")
    for member, is_theirs in ((author, True), (county, False)):
        await member.says("/broadcast")
        assert ("明天有雪 ·" in str(member.latest)) == is_theirs


async def test_hours_are_longer_even_where_nobody_agreed_to_notices(world: World) -> None:
    author = await joins(world, "li", "operator")
    approver = await joins(world, "wang", "approver")
    await author.says("天气预警")
    for choice in ("Snow", "Red", "24 hours", "The whole city"):
        await author.taps(choice)
    approver.looks_at_the_phone()
    await approver.taps("Approve both")
    approver.sees("In force: Snow, Red", "goes to nobody")
    await author.presses("bc.1")
    author.sees("cancelled")
    async with world.database.writing() as db:
        [warning] = await weather.current(db, now=world.now)
        assert (warning.state, warning.is_told) == ("in_force", False)


def test_every_kind_of_weather_has_words_that_fit_on_a_screen() -> None:
    words = weather.prepared(CITY.folder)
    for kind in weather.KINDS:
        for level in weather.LEVELS:
            for locale, text in words.texts(kind, level).items():
                assert 0 < len(text["title"]) <= 40
                assert len(text["body"]) <= (160 if locale.startswith("zh") else 400), (kind, locale)
