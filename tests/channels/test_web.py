"""The frames of `/chat/ws`, over a real server."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientWebSocketResponse, ClientWSTimeout, WSMsgType, WSServerHandshakeError, web
from hypothesis import given
from hypothesis import strategies as st

from bot.channels import Absent
from bot.channels.web import ERRORS, WebChannel, frames
from bot.channels.web.sessions import REMEMBERED_FOR, Numbers, Pace, origin_fits
from bot.messages import Address, Button, Outgoing, Photo
from bot.web.pages import FRAME_ERRORS
from tests.browser import Serving
from tests.web.scripted import NEAREST, NOON, Bot, channel_for


class Tab:
    """One open page, as the wire sees it."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket
        self.token = ""

    async def sends(self, **frame: Any) -> None:
        await self.socket.send_json(frame)

    async def gets(self) -> Any:
        return await self.socket.receive_json(timeout=5)

    async def gets_until_done(self, key: str) -> list[Any]:
        got = []
        while (frame := await self.gets()) != {"done": key}:
            got.append(frame)
        return got

    async def gets_session(self) -> str:
        frame = await self.gets()
        assert set(frame) == {"session"}
        self.token = frame["session"]
        return self.token


class Room:
    """A channel that is served, and the tabs that are open on it."""

    def __init__(self, channel: WebChannel, bot: Bot, arrivals: list[Address]) -> None:
        self.channel, self.bot, self.arrivals = channel, bot, arrivals
        self.client = aiohttp.ClientSession()
        app = web.Application()
        app.add_routes(channel.routes(bot.hear))

        async def close(_app: web.Application) -> None:
            await channel.close()

        app.on_shutdown.append(close)
        self.serving = Serving(app)

    async def socket(self, query: str = "", **headers: str) -> Tab:
        url = f"{self.serving.origin}/chat/ws{query}"
        # Who closes while an answer is made does not wait for the farewell, which comes after it.
        farewell = ClientWSTimeout(ws_close=0.1)
        return Tab(await self.client.ws_connect(url, headers=headers, max_msg_size=0, timeout=farewell))

    async def tab(self) -> Tab:
        tab = await self.socket()
        await tab.gets_session()
        return tab

    async def empties(self) -> None:
        """Until the server has seen that every tab is gone."""
        async with asyncio.timeout(30):  # the program itself ends it within five seconds
            while self.channel.present():  # noqa: ASYNC110  (nothing tells when a close was seen)
                await asyncio.sleep(0)

    async def resumes(self, token: str, after: int | None = None) -> Tab:
        tab = await self.socket("?resume=1")
        await tab.sends(resume=token, **({} if after is None else {"after": after}))
        await tab.gets_session()
        return tab


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    arrivals: list[Address] = []

    async def arrived(address: Address) -> None:
        arrivals.append(address)

    room = Room(channel_for(arrived=arrived, grace=0.01, public_url="https://nuanxin.example"), Bot(), arrivals)
    async with room.client, room.serving:
        yield room


async def test_a_text_gets_a_message_and_then_done(room: Room) -> None:
    tab = await room.tab()
    await tab.sends(text="热水", key="k1")
    message, done = await tab.gets(), await tab.gets()
    assert message["text"] == "You said: 热水"
    assert done == {"done": "k1"}
    [heard] = room.bot.heard
    assert heard.sender.channel == "web"
    assert heard.key == f"{heard.sender.user}:k1"


async def test_the_session_comes_before_the_answer_to_a_hasty_first_frame(room: Room) -> None:
    tab = await room.socket("?resume=1")
    await tab.sends(text="hello")
    await tab.gets_session()
    assert (await tab.gets())["text"] == "You said: hello"


async def test_a_list_carries_its_buttons_and_places(room: Room) -> None:
    tab = await room.tab()
    await tab.sends(location={"lat": 35.02, "lng": 110.99})
    message = await tab.gets()
    assert message["buttons"][0][0] == {"label": "1 东城街道爱心驿站", "press": "p.1.x"}
    place = message["places"][0]
    assert place["navigate"].startswith("https://uri.amap.com/marker?position=111.0037")
    del place["navigate"]
    assert place == {
        "code": "S-1",
        "name": "东城街道爱心驿站",
        "lat": 35.021,
        "lng": 110.998,
        "distance_m": 352,
        "open": "yes",
    }


def test_every_kind_of_button_says_what_it_does() -> None:
    row = (Button("a", "p.1"), Button("b", url="tel:120"), Button("c", asks_location=True))
    written = frames.message(7, Outgoing("text", (row,), photo="QUJD"))
    assert written == {
        "id": 7,
        "text": "text",
        "buttons": [
            [
                {"label": "a", "press": "p.1"},
                {"label": "b", "url": "tel:120"},
                {"label": "c", "ask": "location"},
            ]
        ],
        "places": [],
        "photo": "data:image/png;base64,QUJD",
    }
    jpeg = base64.b64encode(b"\xff\xd8\xff\xe0 a photo").decode()
    assert frames.message(8, Outgoing("text", photo=jpeg))["photo"] == f"data:image/jpeg;base64,{jpeg}"


@pytest.mark.parametrize(
    ("datum", "lat", "lng"),
    [
        ("wgs84", 35.015895, 110.992528),
        ("gcj02", 35.015101, 110.998272),
        ("bd09", 35.021427, 111.004649),
    ],
)
async def test_a_location_is_heard_in_wgs84(room: Room, datum: str, lat: float, lng: float) -> None:
    tab = await room.tab()
    await tab.sends(location={"lat": lat, "lng": lng, "datum": datum}, key="k")
    await tab.gets_until_done("k")
    location = room.bot.heard[0].location
    assert location
    assert (location.lat, location.lng) == pytest.approx((35.015895, 110.992528), abs=2e-6)


JPEG = "data:image/jpeg;base64," + base64.b64encode(b"\xff\xd8\xff\xe0 a photo").decode()


@pytest.mark.parametrize(
    "url",
    [
        JPEG,
        "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\nrest").decode(),
        "data:image/webp;base64," + base64.b64encode(b"RIFF....WEBPrest").decode(),
    ],
)
async def test_a_photo_is_an_event_with_its_bytes(room: Room, url: str) -> None:
    tab = await room.tab()
    await tab.sends(photo=url)
    await tab.gets()
    [heard] = room.bot.heard
    assert heard.event == "photo"
    assert heard.photo == Photo(file=base64.b64decode(url.partition(",")[2]))


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("not json", "bad_frame"),
        ('"text"', "bad_frame"),
        ("[]", "bad_frame"),
        ("{}", "bad_frame"),
        ("\0", "bad_frame"),
        ('{"text": "\\ud800"}', "bad_frame"),
        ('{"text": 5}', "bad_frame"),
        ('{"text": "a", "press": "b"}', "bad_frame"),
        ('{"text": "a", "key": 5}', "bad_frame"),
        ('{"text": "a", "key": "with space"}', "bad_frame"),
        ('{"key": "k"}', "bad_frame"),
        ('{"press": ""}', "bad_frame"),
        ('{"press": "' + "长" * 22 + '"}', "bad_frame"),
        ('{"press": "a\\u0000"}', "bad_frame"),
        ('{"resume": 5}', "bad_frame"),
        ('{"resume": "x", "after": -1}', "bad_frame"),
        ('{"resume": "x", "after": true}', "bad_frame"),
        ('{"resume": "x", "after": 1.5}', "bad_frame"),
        ('{"resume": "x", "text": "a"}', "unknown_field"),
        ('{"text": "a", "colour": "red"}', "unknown_field"),
        ('{"location": {"lat": 35, "lng": 111, "alt": 1}}', "unknown_field"),
        ('{"location": "here"}', "bad_location"),
        ('{"location": {"lat": 35}}', "bad_location"),
        ('{"location": {"lat": "35", "lng": 111}}', "bad_location"),
        ('{"location": {"lat": true, "lng": 111}}', "bad_location"),
        ('{"location": {"lat": 91, "lng": 111}}', "bad_location"),
        ('{"location": {"lat": 35, "lng": -180.1}}', "bad_location"),
        ('{"location": {"lat": 1e400, "lng": 0}}', "bad_frame"),
        ('{"location": {"lat": 35, "lng": 111, "datum": "mars"}}', "bad_location"),
        ('{"location": {"lat": 35, "lng": 111, "datum": []}}', "bad_location"),
        ('{"text": "' + "a" * 12_001 + '"}', "too_long"),
        ('{"photo": "data:image/gif;base64,R0lGODlh"}', "bad_photo"),
        ('{"photo": "data:image/png;base64,/9j/4AAQ"}', "bad_photo"),
        ('{"photo": "data:image/png;base64,!"}', "bad_photo"),
        ('{"photo": "https://example.com/a.png"}', "bad_photo"),
        ("[" * 5000, "bad_frame"),
    ],
)
async def test_a_bad_frame_gets_a_reason_and_the_socket_lives(room: Room, raw: str, code: str) -> None:
    tab = await room.tab()
    await tab.socket.send_str(raw)
    error = (await tab.gets())["error"]
    assert error["code"] == code
    assert error["message"]
    assert not room.bot.heard
    await tab.sends(text="still here")
    assert (await tab.gets())["text"] == "You said: still here"


async def test_an_error_names_the_frame_that_was_refused(room: Room) -> None:
    tab = await room.tab()
    await tab.sends(location={"lat": 95, "lng": 0}, key="k9")
    assert (await tab.gets())["key"] == "k9"


async def test_a_long_text_is_left_to_the_bot(room: Room) -> None:
    tab = await room.tab()
    await tab.sends(text="长" * 12_000)
    await tab.gets()
    assert len(room.bot.heard[0].text) == 12_000


async def test_a_frame_beyond_six_mebibytes_ends_the_socket_only(room: Room) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", room.serving.port)
    writer.write(
        b"GET /chat/ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    assert b"101" in await reader.readuntil(b"\r\n\r\n")
    text = b'{"text": "' + b"a" * (6 * 2**20) + b'"}'
    with suppress(ConnectionError):  # the server may be gone before it has read all of that
        writer.write(b"\x81\xff" + len(text).to_bytes(8, "big") + bytes(4) + text)
        await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert not room.bot.heard
    other = await room.tab()
    await other.sends(text="another")
    assert (await other.gets())["text"] == "You said: another"


async def test_a_photo_may_fill_a_frame(room: Room) -> None:
    tab = await room.tab()
    await tab.sends(photo=JPEG + "A" * (5 * 2**20))
    assert (await tab.gets())["text"] == "event photo"


def test_every_error_has_words() -> None:
    assert set(FRAME_ERRORS) == set(ERRORS)


@given(st.text() | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_reading_never_fails_in_another_way(raw: str) -> None:
    with pytest.raises(frames.BadFrame):
        frames.read(raw)


VALUES = st.none() | st.integers() | st.text() | st.dictionaries(st.text(max_size=3), st.floats() | st.text())
FIELDS = ("text", "press", "location", "photo", "key", "resume", "after")


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, VALUES)))
def test_a_frame_of_any_shape_is_a_value_or_refused(frame: dict[str, Any]) -> None:
    try:
        said: object = frames.read(json.dumps(frame))
    except frames.BadFrame as bad:
        said = bad
    assert isinstance(said, frames.Said | frames.Resume) or getattr(said, "code", "") in ERRORS


async def test_a_repeated_key_has_its_effect_once(room: Room) -> None:
    tab = await room.tab()
    await tab.sends(text="once", key="k")
    await tab.gets_until_done("k")
    await tab.sends(text="once", key="k")
    assert await tab.gets() == {"done": "k"}
    assert room.bot.texts == ["once"]


async def test_a_key_repeated_by_another_socket_waits_for_the_first_turn(room: Room) -> None:
    first = await room.tab()
    room.bot.go.clear()
    await first.sends(text="once", key="k")
    await room.bot.called.wait()
    second = await room.resumes(first.token, 0)
    await second.sends(text="once", key="k")
    await first.socket.close()
    room.bot.go.set()
    assert [frame["text"] for frame in await second.gets_until_done("k")] == ["You said: once"]
    assert room.bot.texts == ["once"]


async def test_frames_of_one_socket_are_taken_in_order(room: Room) -> None:
    tab = await room.tab()
    for n in range(15):
        await tab.sends(text=str(n))
    assert [(await tab.gets())["text"] for _n in range(15)] == [f"You said: {n}" for n in range(15)]


async def test_resuming_replays_what_came_later(room: Room) -> None:
    tab = await room.tab()
    await tab.sends(text="a")
    first = await tab.gets()
    await tab.sends(text="b")
    second = await tab.gets()
    assert second["id"] > first["id"]
    again = await room.resumes(tab.token, first["id"])
    assert again.token == tab.token
    assert await again.gets() == second
    assert room.arrivals == [room.bot.heard[0].sender]


async def test_resuming_without_after_replays_nothing(room: Room) -> None:
    tab = await room.tab()
    await tab.sends(text="a")
    await tab.gets()
    again = await room.resumes(tab.token)
    await again.sends(text="b")
    assert (await again.gets())["text"] == "You said: b"


@pytest.mark.parametrize("token", ["", "x", "x.y", "üü.ü"])
async def test_a_bad_token_opens_a_new_session(room: Room, token: str) -> None:
    tab = await room.tab()
    other = await room.resumes(token, 0)
    assert other.token != tab.token
    assert room.arrivals == []
    await other.sends(text="hello")
    assert (await other.gets())["text"] == "You said: hello"


async def test_a_session_outlives_a_restart_of_the_program(room: Room) -> None:
    tab = await room.tab()
    await tab.sends(text="a")
    last = (await tab.gets())["id"]
    restarted = Room(channel_for(grace=0.01, now=lambda: NOON + timedelta(seconds=1)), Bot(), [])
    async with restarted.serving:
        again = await restarted.resumes(tab.token, last)
        assert again.token == tab.token
        await again.sends(text="b")
        assert (await again.gets())["id"] > last
        assert restarted.bot.heard[0].sender == room.bot.heard[0].sender
        await restarted.client.close()


async def test_resuming_later_than_first_is_refused(room: Room) -> None:
    tab = await room.tab()
    await tab.sends(text="a")
    await tab.gets()
    await tab.sends(resume=tab.token)
    assert (await tab.gets())["error"]["code"] == "late_resume"


async def test_a_resume_that_comes_slowly_still_counts(room: Room) -> None:
    tab = await room.tab()
    await tab.sends(text="a")
    message = await tab.gets()
    slow = await room.tab()
    await slow.sends(resume=tab.token, after=0)
    assert await slow.gets() == {"session": tab.token}
    assert await slow.gets() == message


async def test_what_is_sent_shows_in_every_tab_and_is_replayed(room: Room) -> None:
    tab = await room.tab()
    await tab.sends(text="a")
    await tab.gets()
    user = room.bot.heard[0].sender
    twin = await room.resumes(tab.token)
    number = await room.channel.send(user, Outgoing("a reminder"))
    for each in (tab, twin):
        assert (await each.gets())["text"] == "a reminder"
    third = await room.resumes(tab.token, int(number) - 1)
    assert (await third.gets())["text"] == "a reminder"


async def test_what_was_said_is_remembered_for_an_hour() -> None:
    now = NOON
    room = Room(channel_for(grace=0.01, now=lambda: now), Bot(), [])
    async with room.serving, room.client:
        tab = await room.tab()
        await tab.sends(text="early")
        first = (await tab.gets())["id"]
        now += REMEMBERED_FOR / 2
        await tab.sends(text="late")
        await tab.gets()
        now += REMEMBERED_FOR / 2 + timedelta(seconds=1)
        await room.channel.forget_old()
        again = await room.resumes(tab.token, first - 1)
        assert (await again.gets())["text"] == "You said: late"
        await tab.socket.close()
        await again.socket.close()
        await room.empties()
        now += REMEMBERED_FOR
        await room.channel.forget_old()
        assert not room.channel._sessions._all


async def test_erasing_forgets_everything_but_the_goodbye(room: Room) -> None:
    tab = await room.tab()
    await tab.sends(text="my secret", key="a")
    first = (await tab.gets_until_done("a"))[0]["id"]
    await tab.sends(text="erase me", key="b")
    [goodbye] = await tab.gets_until_done("b")
    assert goodbye["erased"] is True
    again = await room.resumes(tab.token, first - 1)
    assert await again.gets() == goodbye
    await again.sends(text="erase me", key="b")
    assert await again.gets() == {"done": "b"}
    [session] = room.channel._sessions._all.values()
    assert "my secret" not in repr(session.messages)
    assert list(session.done) == ["b"]


async def test_who_was_erased_elsewhere_begins_anew() -> None:
    known = True

    async def knows(_address: Address) -> bool:
        return known

    room = Room(channel_for(grace=0.01, knows=knows), Bot(), [])
    async with room.serving, room.client:
        tab = await room.tab()
        await tab.sends(text="my secret")
        seen = (await tab.gets())["id"]
        known = False
        assert (await room.resumes(tab.token)).token == tab.token  # saw nothing, so there is nothing to forget
        again = await room.resumes(tab.token, seen - 1)
        assert again.token != tab.token
        await again.sends(text="hello")
        assert (await again.gets())["text"] == "You said: hello"


async def test_while_nobody_can_be_asked_a_conversation_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async def knows(_address: Address) -> bool:
        raise OSError("the disk is gone")

    room = Room(channel_for(grace=0.01, knows=knows), Bot(), [])
    async with room.serving, room.client:
        tab = await room.tab()
        await tab.sends(text="a")
        seen = (await tab.gets())["id"]
        assert (await room.resumes(tab.token, seen)).token == tab.token
    assert [record.getMessage() for record in caplog.records] == ["nobody could be asked who comes back"]
    caplog.clear()


async def test_nobody_there_is_absent(room: Room) -> None:
    tab = await room.tab()
    await tab.sends(text="a")
    await tab.gets()
    user = room.bot.heard[0].sender
    assert room.channel.present() == {user.user}
    await tab.socket.close()
    await room.empties()
    with pytest.raises(Absent):
        await room.channel.send(user, Outgoing("a reminder"))
    with pytest.raises(Absent):
        await room.channel.send(Address("web", "nobody"), Outgoing("a reminder"))
    back = await room.resumes(tab.token, 0)
    assert (await back.gets())["text"] == "You said: a"  # and no reminder, which delivery tries again


async def test_done_waits_until_the_rest_was_sent(room: Room) -> None:
    tab = await room.tab()
    room.bot.sent = asyncio.get_running_loop().create_future()
    await tab.sends(text="book", key="k")
    assert (await tab.gets())["text"] == "You said: book"
    await room.channel.send(room.bot.heard[0].sender, Outgoing("from the outbox"))
    room.bot.sent.set_result(None)
    assert [frame["text"] for frame in await tab.gets_until_done("k")] == ["from the outbox"]


async def test_a_failing_turn_is_logged_once_and_may_be_tried_again(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    tab = await room.tab()
    room.bot.fails = True
    await tab.sends(text="my secret words", key="k")
    frame = await tab.gets()
    assert (frame["error"]["code"], frame["key"]) == ("failed", "k")
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert [record.getMessage() for record in errors] == ["turn failed"]
    assert "my secret words" not in caplog.text
    caplog.clear()
    room.bot.fails = False
    await tab.sends(text="my secret words", key="k")
    assert (await tab.gets())["text"] == "You said: my secret words"


async def test_too_much_at_once_is_slowed_down(room: Room) -> None:
    tab = await room.tab()
    for n in range(40):
        await tab.sends(text=str(n), key=f"k{n}")
    got = [await tab.gets() for _n in range(60)]
    codes = [frame["error"]["code"] for frame in got if "error" in frame]
    assert codes
    assert set(codes) == {"slow_down"}
    assert len(room.bot.heard) < 40


async def test_what_is_urgent_is_heard_at_any_pace(room: Room) -> None:
    tab = await room.tab()
    for n in range(40):
        await tab.sends(text=str(n), key=f"k{n}")
    await tab.sends(text="fire", key="urgent")
    got = await tab.gets_until_done("urgent")
    assert any("error" in frame for frame in got)
    assert got[-1]["text"] == "You said: fire"


def test_pace_lets_a_burst_pass_and_then_a_rate() -> None:
    now = 100.0
    pace = Pace(10, 20, lambda: now)
    assert [pace.allows() for _n in range(21)] == [True] * 20 + [False]
    now += 0.5
    assert [pace.allows() for _n in range(6)] == [True] * 5 + [False]


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1", "file://", "https://nuanxin.example.evil"]
)
async def test_a_foreign_origin_gets_403(room: Room, origin: str) -> None:
    with pytest.raises(WSServerHandshakeError) as refused:
        await room.socket(Origin=origin)
    assert refused.value.status == 403


async def test_our_own_origins_are_let_in(room: Room) -> None:
    for origin in (room.serving.origin, "https://nuanxin.example"):
        await (await room.socket(Origin=origin)).gets_session()


def test_without_a_public_address_no_other_origin_fits() -> None:
    assert not origin_fits("http://", "a:1", "")
    assert not origin_fits("://", "a:1", "")
    assert origin_fits("http://a:1", "a:1", "")


async def test_the_language_comes_from_the_page_or_the_browser(room: Room) -> None:
    for query, header, expected in (
        ("?lang=zh_TW", "en", "zh_TW"),
        ("", "en-GB;q=0.9,zh", "en-GB"),
        ("", "", ""),
    ):
        tab = await room.socket(query, **{"Accept-Language": header})
        await tab.gets_session()
        await tab.sends(text="a")
        await tab.gets()
        assert room.bot.heard[-1].locale == expected


async def test_the_page_is_told_of_a_language_chosen_in_the_chat(room: Room) -> None:
    tab = await room.tab()
    await tab.sends(text="a")
    await tab.gets()
    room.channel.speaks(room.bot.heard[0].sender, "zh_TW")
    room.channel.speaks(Address("web", "nobody"), "zh_TW")
    assert await tab.gets() == {"language": "zh_TW"}


async def test_closing_says_goodbye_at_once(room: Room) -> None:
    tab = await room.tab()
    started = asyncio.get_running_loop().time()
    closing = asyncio.create_task(room.channel.close())
    message = await tab.socket.receive(timeout=5)
    await closing
    assert (message.type, tab.socket.close_code) == (WSMsgType.CLOSE, 1001)
    assert asyncio.get_running_loop().time() - started < 3
    assert room.channel.present() == set()
    with pytest.raises(WSServerHandshakeError) as refused:
        await room.socket()
    assert refused.value.status == 503


async def test_a_turn_in_hand_is_finished_while_closing(room: Room) -> None:
    tab = await room.tab()
    room.bot.go.clear()
    await tab.sends(text="the last", key="k")
    await room.bot.called.wait()
    closing = asyncio.create_task(room.channel.close())
    await asyncio.sleep(0)
    room.bot.go.set()
    await closing
    assert room.bot.texts == ["the last"]


def test_ids_rise_over_restarts_and_fit_a_browsers_number() -> None:
    now = NOON
    before = Numbers(lambda: now)
    ids = [before.next() for _n in range(1000)]
    now += timedelta(seconds=1)
    ids += [Numbers(lambda: now).next()]
    assert ids == sorted(set(ids))
    assert ids[-1] < 2**53


async def test_memory_is_bounded() -> None:
    room = Room(channel_for(grace=0.01, most_sessions=3), Bot(), [])
    async with room.serving:
        tokens = []
        for _n in range(6):
            tab = await room.tab()
            await tab.sends(text="a")
            await tab.gets()
            tokens.append(tab.token)
            await tab.socket.close()
            await room.empties()
        assert len(room.channel._sessions._all) == 3
        tab = await room.resumes(tokens[-1], 0)
        assert (await tab.gets())["text"] == "You said: a"
        for n in range(60):
            await room.channel.send(room.bot.heard[-1].sender, Outgoing(str(n)))
        again = await room.resumes(tokens[-1], 0)
        assert (await again.gets())["text"] == "10"
        await room.client.close()


def test_a_list_for_the_page_is_small() -> None:
    assert len(frames.written(frames.message(1, NEAREST))) < 4096
