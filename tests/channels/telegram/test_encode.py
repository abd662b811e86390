import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.telegram.encode import Unsayable, encode, encode_edits, length, split
from bot.messages import Address, Button, Outgoing, Place
from tests.standins import telegram_rules as rules

WANG = Address("telegram", "511")
STATION = Place("yc-1", "盐湖区<工会>爱心驿站", 35.026412, 111.00746, "红旗东街 & 府东街")
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode()
ASK = Button("📍 发送位置", asks_location=True)


def said(message: Outgoing) -> list[tuple[str, dict[str, Any]]]:
    """The calls, each of them one that the Bot API accepts."""
    calls = encode(WANG, message)
    for call in calls:
        rules.check(call.method, call.params, {"photo": call.photo} if call.photo else {})
    return [(call.method, call.params) for call in calls]


def test_plain_text_is_escaped() -> None:
    ((method, params),) = said(Outgoing("a < b & <b>c</b>"))
    assert (method, params["chat_id"]) == ("sendMessage", 511)
    assert params["text"] == "a &lt; b &amp; &lt;b&gt;c&lt;/b&gt;"
    assert rules.text_of(params) == "a < b & <b>c</b>"


def test_a_list_of_places_has_its_title_in_bold() -> None:
    ((_method, params),) = said(Outgoing("最近的 <5> 个\n1 驿站 <甲>", places=(STATION,)))
    assert params["text"] == "<b>最近的 &lt;5&gt; 个</b>\n1 驿站 &lt;甲&gt;"


def test_buttons_in_rows() -> None:
    rows = (
        (Button("充电", press="near.charging"), Button("网页", url="https://example.com/p")),
        (Button("更多", "m"),),
    )
    ((_method, params),) = said(Outgoing("?", rows))
    assert params["reply_markup"]["inline_keyboard"] == [
        [
            {"text": "充电", "callback_data": "near.charging"},
            {"text": "网页", "url": "https://example.com/p"},
        ],
        [{"text": "更多", "callback_data": "m"}],
    ]


def test_a_number_to_call_is_in_the_text_and_not_a_button() -> None:
    ((_method, params),) = said(Outgoing("电话 0359-2020000", ((Button("打电话", url="tel:03592020000"),),)))
    assert "reply_markup" not in params


@pytest.mark.parametrize(("token", "fits"), [("位" * 21 + "x", True), ("位" * 22, False), ("x" * 64, True)])
def test_a_token_is_measured_in_bytes(token: str, fits: bool) -> None:
    message = Outgoing("?", ((Button("选", press=token),),))
    if fits:
        assert said(message)
    else:
        with pytest.raises(Unsayable):
            encode(WANG, message)


@pytest.mark.parametrize(
    "message",
    [
        Outgoing("?", ((Button("什么也不做"),),)),
        Outgoing("?", ((Button(" ", press="x"),),)),
        Outgoing(" ", ((Button("选", press="x"),),)),
        Outgoing("", ((ASK,),)),
        Outgoing("?", photo="no base64"),
    ],
)
def test_what_cannot_be_said(message: Outgoing) -> None:
    with pytest.raises(Unsayable):
        encode(WANG, message)


def test_an_address_that_is_no_chat() -> None:
    with pytest.raises(Unsayable):
        encode(Address("telegram", "wang"), Outgoing("x"))


def test_a_location_is_asked_with_a_keyboard() -> None:
    ((_method, params),) = said(Outgoing("您在哪儿？", ((ASK,),)))
    assert params["reply_markup"] == {
        "keyboard": [[{"text": "📍 发送位置", "request_location": True}]],
        "resize_keyboard": True,
        "one_time_keyboard": True,
    }


def test_an_ask_button_beside_others_is_a_message_of_its_own() -> None:
    (first, second) = said(Outgoing("您在哪儿？", ((ASK, Button("取消", press="cancel")),)))
    assert first[1]["text"] == "您在哪儿？"
    assert first[1]["reply_markup"] == {"inline_keyboard": [[{"text": "取消", "callback_data": "cancel"}]]}
    assert second[1]["text"] == "📍 发送位置"
    assert second[1]["reply_markup"]["keyboard"]


def test_a_card_is_a_venue_before_the_text() -> None:
    venue, text = said(Outgoing("驿站\n免费", ((Button("导航", url="https://uri.amap.com/"),),), (STATION,), card=True))
    assert venue == (
        "sendVenue",
        {
            "chat_id": 511,
            "latitude": 35.026412,
            "longitude": 111.00746,
            "title": "盐湖区<工会>爱心驿站",
            "address": "红旗东街 & 府东街",
        },
    )
    assert text[0] == "sendMessage"
    assert text[1]["reply_markup"]


def test_a_venue_without_an_address_has_its_name_there() -> None:
    venue, _text = said(Outgoing("驿站", places=(Place("x", "驿站", 35.0, 111.0),), card=True))
    assert venue[1]["address"] == "驿站"


def test_a_photo_has_a_short_text_as_its_caption() -> None:
    ((method, params),) = said(Outgoing("预约码 <8>", ((Button("取消", press="c"),),), photo=PNG))
    assert (method, params["caption"]) == ("sendPhoto", "预约码 &lt;8&gt;")
    assert params["reply_markup"]


def test_a_photo_goes_before_a_long_text() -> None:
    photo, text = said(Outgoing("长" * 1025, ((Button("取消", press="c"),),), photo=PNG))
    assert "caption" not in photo[1]
    assert "reply_markup" not in photo[1]
    assert text[1]["reply_markup"]


def test_a_long_text_is_cut_at_line_ends_and_buttons_come_last() -> None:
    lines = [f"{i} " + "站" * 300 for i in range(40)]
    calls = said(Outgoing("\n".join(lines), ((Button("更多", press="more"),),)))
    texts = [rules.text_of(params) for _method, params in calls]
    assert len(texts) == 4
    assert "\n".join(texts).split("\n") == lines
    assert ["reply_markup" in params for _method, params in calls] == [False, False, False, True]


def test_links_that_telegram_refuses_are_left_out() -> None:
    here = Button("日历", url="http://127.0.0.1:8080/b/x.ics")
    there = Button("日历", url="https://nuanxin.example/b/x.ics")
    [(_method, params)] = said(Outgoing("约好了", ((here,), (there,))))
    assert params["reply_markup"]["inline_keyboard"] == [[{"text": "日历", "url": there.url}]]


def test_nothing_to_say() -> None:
    assert said(Outgoing(" \n")) == []


def test_an_edit_changes_text_and_buttons() -> None:
    calls = encode_edits(WANG, 7, Outgoing("已取消", ((Button("菜单", press="menu"),),)))
    for call in calls:
        rules.check(call.method, call.params, {})
        assert call.params["message_id"] == 7
    assert [call.method for call in calls] == ["editMessageText", "editMessageCaption"]
    with pytest.raises(Unsayable):
        encode_edits(WANG, 7, Outgoing(""))


@given(st.text(st.sampled_from("a站😀\n &<"), max_size=300), st.integers(8, 60))
def test_no_part_is_too_long_and_nothing_is_lost(text: str, limit: int) -> None:
    parts = split(text, limit)
    assert all(length(part) <= limit for part in parts)
    assert all(part.strip() for part in parts)
    assert [sign for part in parts for sign in part if not sign.isspace()] == [s for s in text if not s.isspace()]


@given(st.text(st.characters(codec="utf-8"), max_size=400), st.booleans(), st.booleans())
def test_whatever_is_said_is_accepted(text: str, card: bool, photo: bool) -> None:
    message = Outgoing(text, places=(STATION,) if card else (), card=card, photo=PNG if photo else "")
    said(message)
