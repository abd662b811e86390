"""What WeChat delivers, one payload file a situation, and what is heard of it."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wechatpy.parser import parse_message

from bot.channels.wechat import xml
from bot.channels.wechat.decode import Letter, MassReport, decode
from bot.channels.wechat.xml import Malformed
from bot.messages import Address, Incoming, Location
from tests.channels.wechat.conftest import NOW

PAYLOADS = Path(__file__).parent / "payloads"
NAMES = sorted(path.stem for path in PAYLOADS.glob("*.xml"))

ACCOUNT, USER = "gh_7f083739789a", "oia2TjuEGTNoeX76QEjQNrcURxG8"
STATION = (35.015895, 110.992528)  # WGS-84, of which 35.015101, 110.998272 is GCJ-02
SILENT: dict[str, Any] = {}

HEARD: dict[str, dict[str, Any]] = {
    "text": {"text": "附近哪有热水 <b>&</b>？😀"},
    "text_from_msgmenu": {"text": "2", "opens": "tap"},
    "text_for_a_sticker": {"event": "media"},
    "voice": {"event": "media"},
    "voice_recognised": {"text": "菜单"},
    "voice_recognised_as_nothing": {"event": "media"},
    "image": {"event": "photo"},
    "video": {"event": "media"},
    "shortvideo": {"event": "media"},
    "link": {"event": "media"},
    "file": {"event": "media"},
    "location": {"location": STATION},
    "subscribe": {"text": "/start", "opens": "tap"},
    "subscribe_with_scene": {"text": "/p yc-0001", "opens": "tap"},
    "subscribe_with_unknown_scene": {"text": "/start", "opens": "tap"},
    "unsubscribe": {"event": "stopped", "opens": ""},
    "scan": {"text": "/p yc-0001", "opens": "tap"},
    "scan_of_a_number": {"text": "/menu", "opens": "tap"},
    "click_word": {"text": "我的预约", "opens": "tap"},
    "click_command": {"text": "/nearest 热水", "opens": "tap"},
    "click_token": {"pressed": "near", "opens": "tap"},
    "view": SILENT,
    "location_event": {"location": STATION, "opens": "", "is_silent": True},
    "location_select": {"location": STATION, "opens": "tap", "is_picked": True},
    "template_sent": SILENT,
    "mass_finished": SILENT,
    "subscription_popup": SILENT,
    "subscription_sent": SILENT,
    "unknown_event": SILENT,
}


def payload(name: str) -> bytes:
    return (PAYLOADS / f"{name}.xml").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_payloads_mean_the_same_to_another_library(name: str) -> None:
    read = parse_message(payload(name))
    assert (read.target, read.source) == (ACCOUNT, USER)
    letter = decode(xml.read(payload(name)), NOW)
    is_message = read.type != "event" and getattr(read, "event", None) is None
    assert letter.key == (f"{USER}:{read.id}" if is_message else letter.key)
    if name == "location":
        assert read.location == ("35.015101", "110.998272")  # latitude first


@pytest.mark.parametrize("name", NAMES)
def test_what_is_heard(name: str) -> None:
    letter = decode(xml.read(payload(name)), NOW)
    wish = dict(HEARD[name])
    assert (letter.account, letter.user) == (ACCOUNT, USER)
    assert letter.opens == wish.pop("opens", "message" if wish else "")
    assert letter.is_silent == wish.pop("is_silent", False)
    assert letter.is_picked == wish.pop("is_picked", False)
    if not wish:
        assert letter.heard is None
        return
    assert letter.heard
    if point := wish.pop("location", None):
        assert letter.heard.location
        assert (letter.heard.location.lat, letter.heard.location.lng) == pytest.approx(point, abs=1e-6)
        wish["location"] = letter.heard.location
    assert letter.heard == Incoming(Address("wechat", USER), letter.key, NOW, **wish)


@pytest.mark.parametrize(
    ("status", "sent", "went", "everybody"),
    [
        ("send success", "75", True, False),
        ("send success", "100", True, True),
        ("sendsuccess", "100", True, True),
        ("send fail", "100", False, False),
        ("err(20004)", "0", False, False),
        ("", "100", False, False),
    ],
)
def test_how_a_mass_message_ended(status: str, sent: str, went: bool, everybody: bool) -> None:
    fields = xml.read(payload("mass_finished")) | {"Status": status, "SentCount": sent}
    assert decode(fields, NOW).report == MassReport("1000001625", went, everybody)
    with pytest.raises(Malformed):
        decode(fields | {"MsgID": "x"}, NOW)


def test_two_events_of_one_second_are_two() -> None:
    keys = {decode(xml.read(payload(name)), NOW).key for name in NAMES if "click" in name or "scan" in name}
    assert len(keys) == 5
    assert f"{USER}:1767931200:CLICK:near" in keys


def test_a_key_is_never_too_long_for_a_table() -> None:
    fields = xml.read(payload("click_token"))
    letters = [decode(fields | {"EventKey": "预" * n}, NOW) for n in (50, 1000, 1001)]
    assert len({letter.key for letter in letters}) == 3
    assert max(len(letter.key.encode()) for letter in letters) < 300


def test_the_datum_of_location_events_is_a_setting() -> None:
    fields = xml.read(payload("location_event")) | {"Latitude": "35.015101", "Longitude": "110.998272"}
    heard = decode(fields, NOW, "gcj02").heard
    assert heard
    assert heard.location
    assert (heard.location.lat, heard.location.lng) == pytest.approx(STATION, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("text", "FromUserName", None),
        ("text", "FromUserName", ""),
        ("text", "FromUserName", "o 1"),
        ("text", "FromUserName", "o" * 65),
        ("text", "ToUserName", "<gh>"),
        ("text", "MsgType", None),
        ("text", "MsgId", "-1"),
        ("text", "MsgId", "1e9"),
        ("text", "MsgId", "٣"),
        ("text", "Content", None),
        ("location", "Location_X", "35,1"),
        ("location", "Location_X", "nan"),
        ("location", "Location_X", "91"),
        ("location", "Location_Y", "-180.5"),
        ("location_event", "Latitude", ""),
        ("subscribe", "CreateTime", "yesterday"),
    ],
)
def test_impossible_values_are_malformed(name: str, field: str, value: str | None) -> None:
    fields = xml.read(payload(name))
    del fields[field]
    if value is not None:
        fields[field] = value
    with pytest.raises(Malformed):
        decode(fields, NOW)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a busy machine, everything is
@given(st.sampled_from(NAMES), st.data())
def test_any_field_may_be_missing_or_be_anything(name: str, data: st.DataObject) -> None:
    fields = xml.read(payload(name))
    field = data.draw(st.sampled_from(sorted(fields)))
    if data.draw(st.booleans()):
        fields[field] = data.draw(st.text(max_size=30) | st.sampled_from(["1e400", "0", "-0", "999"]))
    else:
        del fields[field]
    try:
        letter = decode(fields, NOW)
    except Malformed:
        return
    assert isinstance(letter, Letter)
    if letter.heard and letter.heard.location:
        assert isinstance(letter.heard.location, Location)
        assert abs(letter.heard.location.lat) < 91


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: f"<xml><a>{text}</a></xml>".encode()))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        fields = xml.read(body)
    except Malformed:
        return
    assert all(isinstance(value, str) for value in fields.values())
