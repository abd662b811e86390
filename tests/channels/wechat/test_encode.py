"""What is said, as the one reply that a request can carry."""

import pytest
import xmltodict
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.wechat import ACCOUNTS, xml
from bot.channels.wechat.encode import LONGEST, Article, encode, locale_of, page, reply
from bot.geo import navigation_links
from bot.messages import Button, Outgoing, numbered
from tests.channels.wechat.conftest import WORDS

LINK = "https://bot.example.cn/s/8Kq?x=1&y=2"


def said(text: str, *rows: tuple[Button, ...]) -> str:
    return encode(numbered(Outgoing(text, rows))[0])


def test_links_can_be_tapped_and_numbers_stay_readable() -> None:
    rows = ((Button("日历", url=LINK), Button("☎ 打电话", url="tel:0359-2288111")), (Button("菜单", "menu"),))
    assert said("约好了", *rows) == f'约好了\n<a href="{LINK}">日历</a>\n☎ 打电话 0359-2288111\n1 菜单'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('<a href="https://evil.example">抽奖</a>', '＜a href="https://evil.example">抽奖＜/a>'),
        ("a < b <3 </c> <!--", "a < b <3 ＜/c> ＜!--"),
        ('名<a href=x>字 https://a.example/"x', '名＜a href=x>字 https://a.example/"x'),
        ("https://a.example", "https://a.example"),
        ("看 https://a.example/1 再说", "看 https://a.example/1 再说"),
        ("地址：https://a.example/1", '<a href="https://a.example/1">地址</a>'),
    ],
)
def test_what_is_only_quoted_becomes_no_link(text: str, shown: str) -> None:
    assert encode(Outgoing(text)) == shown


def test_a_card_has_the_map_that_opens_inside_wechat() -> None:
    links = navigation_links(35.015895, 110.992528, "府东街社区爱心食堂", "盐湖区东城街道党群服务中心院内")
    card = said("府东街社区爱心食堂\n营业到 22:00", tuple(Button(f"{n}地图", url=url) for n, url in links.items()))
    assert links["tencent"] in card
    assert links["amap"] not in card
    assert links["baidu"] not in card
    assert len(card.encode()) < 1000


def test_a_page_is_shown_as_a_tile() -> None:
    text = said("打开网页版\n在那里你是同一个人。", (Button("打开", url=LINK),))
    tile, rest = page([text], WORDS)
    assert (tile, rest) == (Article("打开网页版", "在那里你是同一个人。", LINK), "")
    fields = xmltodict.parse(reply("o1", "gh_1", 7, tile))["xml"]
    assert fields["ArticleCount"] == "1"
    assert fields["Articles"]["item"]["Url"] == LINK


@pytest.mark.parametrize(
    "text",
    [
        said("打开网页版", (Button("打开", url=LINK),), (Button("菜单", "menu"),)),
        said("两个", (Button("一", url=LINK), Button("二", url=LINK))),
        said("题" * 65, (Button("打开", url=LINK),)),
        said("说明\n" + "很长" * 61, (Button("打开", url=LINK),)),
        said("", (Button("打开", url=LINK),)),
        "没有链接",
    ],
)
def test_choices_and_longer_texts_stay_texts(text: str) -> None:
    assert page([text], WORDS)[0] == text


def test_several_messages_make_one_text() -> None:
    assert page(["一", "", "二\n三"], WORDS) == ("一\n\n二\n三", "")
    assert page([], WORDS) == ("", "")
    assert reply("o1", "gh_1", 7, "") == b"success"


@pytest.mark.parametrize("text", ["长" * 3000, "x" * 5000, "😀" * 2000, "\n".join("行" * 300 for _ in range(9))])
def test_nothing_is_lost_between_pages(text: str) -> None:
    shown, pages = "", 0
    rest = text
    while rest:
        said_now, rest = page([rest], WORDS)
        assert isinstance(said_now, str)
        assert len(said_now.encode()) <= LONGEST
        for words in WORDS.values():
            said_now = said_now.removesuffix(f"\n\n{words.more}")
        shown, pages = shown + said_now, pages + 1
        assert pages < 20
    assert shown.replace("\n", "") == text.replace("\n", "")


@given(st.text())
def test_no_text_leaves_its_character_data(text: str) -> None:
    written = xml.text_reply("o1", "gh_1", 7, text)
    fields = xmltodict.parse(written, strip_whitespace=False)["xml"]
    names = [name for name in fields if name != "#text"]
    assert names == ["ToUserName", "FromUserName", "CreateTime", "MsgType", "Content"]
    assert xml.read(written)["Content"] == (fields["Content"] or "")


@pytest.mark.parametrize(
    ("sample", "locale"),
    [("附近", "zh_CN"), ("離你最近的，營業到 22:00", "zh_TW"), ("Nearest to you", "en"), ("2", "zh_CN"), ("", "zh_CN")],
)
def test_the_channels_own_words_follow_the_language(sample: str, locale: str) -> None:
    assert locale_of(sample) == locale


def test_what_each_kind_of_account_can_do() -> None:
    assert [can.pushes for can in ACCOUNTS.values()] == [False, True, False, True]
    assert not any(can.buttons for can in ACCOUNTS.values())
    assert [kind for kind, can in ACCOUNTS.items() if can.photo] == ["subscription-verified", "service-verified"]
