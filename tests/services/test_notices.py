"""What a notice may say, and how it reads."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from PIL import Image

from bot.errors import Problem
from bot.models import Notice
from bot.services import notices
from bot.services.notices import NoticeButton, Words
from tests.services.newsdesk import NEWSROOM

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


def notice(**more: Any) -> Notice:
    texts = {"zh_CN": {"title": "暴雪", "body": "请就近停靠。"}, "en": {"title": "Heavy snow", "body": "Stop nearby."}}
    values: dict[str, Any] = {"category": "weather", "texts": texts, "source": "运城市气象台"}
    return Notice(code="snow", created_at=NOW, **(values | more))


def test_a_letter() -> None:
    buttons = [
        {"kind": "place", "target": "p1", "label": "最近的驿站"},
        {"kind": "link", "target": "https://yuncheng.example/a", "label": ""},
        {"kind": "received", "target": "", "label": ""},
    ]
    said = notices.letter(notice(buttons=buttons, urgency="important"), NEWSROOM.voice("zh_CN"), 7)
    assert said.text.splitlines()[1:3] == ["请就近停靠。", "来源：运城市气象台"]
    assert "暴雪" in said.text.splitlines()[0] != "暴雪", "the urgency is marked"
    assert "TD" in said.text.splitlines()[-1]
    (place,), (link,), (received,), (mute,) = said.buttons
    assert (place.label, place.press) == ("最近的驿站", "notice.7.0")
    assert (link.press, link.url) == ("", "https://yuncheng.example/a")
    assert received.press == "notice.7.2"
    assert mute.press == "mute.weather"


def test_a_language_without_words_reads_chinese_with_a_mark() -> None:
    assert notices.words_of(notice(), "en") == ("Heavy snow", "Stop nearby.", False)
    assert notices.words_of(notice(), "zh_TW") == ("暴雪", "请就近停靠。", True)
    own, other = (notices.letter(notice(), NEWSROOM.voice(locale), 1).text.splitlines() for locale in ("en", "zh_TW"))
    assert len(other) == len(own) + 1


def test_red_says_how_to_stop_everything() -> None:
    texts = {
        urgency: notices.letter(notice(urgency=urgency), NEWSROOM.voice("en"), 1).text for urgency in notices.RANKS
    }
    assert "TD 全部" in texts["red"]
    assert "TD 全部" not in texts["normal"]
    assert texts["normal"].startswith("Heavy snow\n")


def test_a_withdrawn_letter_says_nothing_of_what_was_wrong() -> None:
    said = notices.letter(
        notice(buttons=[{"kind": "help", "target": ""}]), NEWSROOM.voice("en"), 1, correction="Wrong."
    )
    assert "Heavy snow" in said.text
    assert "Wrong." in said.text
    assert "Stop nearby" not in said.text
    assert not said.buttons


@pytest.mark.parametrize(
    "texts",
    [
        {"fr": Words("Neige", "…")},
        {"zh_CN": Words("雪" * 61, "…")},
        {"zh_CN": Words("一\n二", "…")},
        {"zh_CN": Words("雪", "雪" * 2001)},
    ],
)
def test_words_that_cannot_be(texts: dict[str, Words]) -> None:
    with pytest.raises(notices.BadNotice):
        notices.checked_texts(texts)


def test_words_are_trimmed_and_empty_languages_left_out() -> None:
    kept = notices.checked_texts({"zh_CN": Words(" 雪\0 ", "停 "), "en": Words(" ", "")})
    assert kept == {"zh_CN": {"title": "雪", "body": "停"}}


@pytest.mark.parametrize("buttons", [[NoticeButton("received")] * 4, [NoticeButton("phone", "110")]])
def test_buttons_that_cannot_be(buttons: list[NoticeButton]) -> None:
    with pytest.raises(Problem):
        notices.checked_buttons(buttons)


@pytest.mark.parametrize(
    ("link", "good"),
    [
        ("https://www.yuncheng.gov.cn/a?b=1", True),
        ("http://www.yuncheng.gov.cn/", False),
        ("javascript:alert(1)", False),
        ("https://", False),
        ("https://localhost/", False),
        ("https://www.yuncheng.gov.cn@evil.example/", False),
        ("https://www.yuncheng.gov.cn\n/", False),
        ("https://ｙuncheng.gov.cn/", False),
    ],
)
def test_links(link: str, good: bool) -> None:
    assert notices.is_https(link) is good


def drawn(kind: str, size: tuple[int, int] = (40, 20), mode: str = "RGB", **more: Any) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, kind, **more)
    return file.getvalue()


async def test_a_picture_keeps_its_pixels_and_nothing_else() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    exif.get_ifd(0x8825)[2] = (35.0, 1.0, 30.0)  # where it was taken
    exif[0x010E] = "secret"
    file = drawn("JPEG", exif=exif, comment=b"secret")
    assert b"secret" in file
    kept = (await notices.picture(file)).data
    assert b"secret" not in kept
    with Image.open(io.BytesIO(kept)) as image:
        assert (image.format, image.size) == ("JPEG", (20, 40)), "upright"
        assert not image.getexif()
    for mode in ("P", "RGBA", "L"):
        with Image.open(io.BytesIO((await notices.picture(drawn("PNG", mode=mode))).data)) as image:
            assert (image.format, image.mode) == ("PNG", mode)
    with Image.open(io.BytesIO((await notices.picture(drawn("PNG", (4000, 1000)))).data)) as image:
        assert image.size == (1600, 400)


async def test_what_is_no_picture() -> None:
    noise = io.BytesIO()
    Image.effect_noise((1500, 1500), 100).convert("RGB").save(noise, "PNG")
    for file in (
        b"",
        b"\x89PNG\r\n",
        drawn("GIF"),
        drawn("JPEG")[:200],
        drawn("PNG", (9000, 9000), "1"),
        noise.getvalue(),
    ):
        with pytest.raises(notices.BadPicture):
            await notices.picture(file)
