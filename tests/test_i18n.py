"""Words: complete in three languages, worded with their values, in local time."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from bot.i18n import LOCALES, Text, spoken, voice
from scripts.messages import check

SHANGHAI = ZoneInfo("Asia/Shanghai")


def test_every_message_is_translated_with_the_same_names() -> None:
    assert check() == []


def test_a_text_is_worded_with_its_values_in_each_language() -> None:
    text = Text("Sorry, I did not understand that.")
    said = {locale: voice(locale, SHANGHAI).word(text) for locale in LOCALES}
    assert said["en"] == text.msgid
    assert said["zh_CN"] != said["zh_TW"] != said["en"]


def test_times_are_local_with_their_weekday() -> None:
    at = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
    assert voice("zh_CN", SHANGHAI).word(Text("{at}", {"at": at})) == "11月23日 周一 19:00"
    assert voice("en", SHANGHAI).word(Text("{at}", {"at": at})) == "Mon 23 Nov 19:00"


def test_a_text_may_hold_a_text() -> None:
    inner = Text("No")
    assert voice("zh_CN", SHANGHAI).word(Text("<{what}>", {"what": inner})) == "<否>"


@pytest.mark.parametrize(
    ("hint", "locale"),
    [
        ("", "zh_CN"),
        ("zh", "zh_CN"),
        ("zh-hans", "zh_CN"),
        ("zh-TW", "zh_TW"),
        ("zh_HK", "zh_TW"),
        ("zh-Hant-CN", "zh_TW"),
        ("en-GB", "en"),
        ("de", "zh_CN"),
        ("🙂", "zh_CN"),
    ],
)
def test_a_platforms_language_tag(hint: str, locale: str) -> None:
    assert spoken(hint) == locale
