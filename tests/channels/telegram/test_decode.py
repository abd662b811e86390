import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.telegram.decode import Malformed, decode, press_id
from bot.messages import Address, Incoming, Location, Photo
from tests.channels.telegram.conftest import NOW
from tests.standins.telegram_rules import Refused, check_update

PAYLOADS = Path(__file__).parent / "payloads"
NAMES = sorted(path.stem for path in PAYLOADS.glob("*.json"))

Wish = dict[str, Any]
STATION = Location(35.026412, 111.00746)

HEARD: dict[str, Wish] = {
    "text": {"text": "附近哪有热水 <b>&</b>？😀"},
    "command": {"text": "/menu"},
    "command_with_bot_name": {"text": "/nearest@nuanxin_bot 热水"},
    "no_language": {"text": "你好", "locale": ""},
    "location": {"location": STATION},
    "location_in_whole_degrees": {"location": Location(35.0, 111.0)},
    "live_location_starts": {"location": STATION},
    "venue": {"location": STATION},
    "photo": {"event": "photo", "photo": Photo("AgACAgUAAxkBAAIp2")},
    "photo_with_caption": {"event": "photo", "text": "门没开", "photo": Photo("AgACAgUAAxkBAAIp3")},
    "sticker": {"event": "sticker"},
    "voice": {"event": "media"},
    "document": {"event": "media"},
    "contact": {"event": "media"},
    "press": {"pressed": "near.charging"},
    "press_on_inaccessible_message": {"pressed": "q.7.1"},
    "blocked": {"event": "stopped"},
    "unblocked": {"event": "resumed"},
}


def payload(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_text())


@pytest.mark.parametrize("name", NAMES)
def test_payloads_follow_the_documented_types(name: str) -> None:
    check_update(payload(name))


def test_a_payload_of_a_wrong_type_would_be_noticed() -> None:
    with pytest.raises(Refused):
        check_update(payload("text") | {"update_id": "880001"})


@pytest.mark.parametrize("name", NAMES)
def test_what_is_heard(name: str) -> None:
    update = payload(name)
    wish = HEARD.get(name)
    expected = wish and Incoming(
        Address("telegram", "511"), str(update["update_id"]), NOW, **{"locale": "zh-hans", **wish}
    )
    assert decode(update, NOW) == expected


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("press")])
def test_every_press_can_be_acknowledged(name: str) -> None:
    assert press_id(payload(name)) == "4382bfdwdsb323b2d9"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("chat", []),
        ("chat", {"type": "private"}),
        ("chat", {"type": "private", "id": "511"}),
        ("chat", {"type": "private", "id": True}),
        ("text", 5),
        ("text", {}),
        ("location", {"latitude": "35", "longitude": 111}),
        ("location", {"latitude": 95, "longitude": 111}),
        ("location", {"latitude": 35, "longitude": -180.5}),
        ("location", {"latitude": float("nan"), "longitude": 111}),
        ("location", {"latitude": True, "longitude": 111}),
        ("location", {"latitude": 35}),
        ("location", "here"),
        ("venue", 1),
    ],
)
def test_impossible_values_are_malformed(field: str, value: Any) -> None:
    update = payload("text")
    if field != "text":
        del update["message"]["text"]
    update["message"][field] = value
    with pytest.raises(Malformed):
        decode(update, NOW)


@pytest.mark.parametrize("update", [None, [], "x", 1, {}, {"update_id": "1"}, {"update_id": True}, {"update_id": None}])
def test_no_update_at_all(update: object) -> None:
    with pytest.raises(Malformed):
        decode(update, NOW)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += leaves(inner, (*path, key))
    return found


@given(
    anything,
    st.sampled_from(["message", "callback_query", "my_chat_member", "edited_message", "x"]),
    anything,
)
def test_garbage_is_heard_as_nothing_or_malformed(update: Any, kind: str, content: Any) -> None:
    for hostile in (update, {"update_id": 1, kind: content}):
        press_id(hostile)
        try:
            heard = decode(hostile, NOW)
        except Malformed:
            continue
        assert heard is None or isinstance(heard, Incoming)


@given(st.sampled_from(sorted(HEARD)), st.data())
def test_any_field_may_be_missing_or_of_any_type(name: str, data: st.DataObject) -> None:
    update = payload(name)
    *way, last = data.draw(st.sampled_from(leaves(update)))
    holder = update
    for key in way:
        holder = holder[key]
    if data.draw(st.booleans()):
        holder[last] = data.draw(anything)
    else:
        del holder[last]
    press_id(update)
    try:
        heard = decode(update, NOW)
    except Malformed:
        return
    if heard is not None:
        assert isinstance(heard.text, str)
        assert isinstance(heard.pressed, str)
        assert isinstance(heard.locale, str)
        assert int(heard.sender.user)
        assert heard.location is None or -90 <= heard.location.lat <= 90
