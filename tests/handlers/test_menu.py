"""The first words, the menu, and small talk."""

import pytest

from tests.chat import RiderInTest


async def test_the_greeting_is_short_and_asks_for_the_vehicle(rider: RiderInTest) -> None:
    await rider.says("/start")
    rider.sees("Hello, I am Nuanxin", "Send your location to begin")
    rider.sees_choices("Menu", "🛵", "📦", "🚗", "🚚", "Skip")
    await rider.taps("🛵")
    rider.sees("Now send your location")
    await rider.says("开始")
    assert not any("Skip" in label for label, _token in rider.options)


async def test_the_menu_opens_every_feature(rider: RiderInTest) -> None:
    for label, seen in (
        ("Nearby", "Where are you?"),
        ("Settings", "Vehicle:"),
        ("Language", "Which language"),
        ("Privacy", "used for the answer"),
        ("Help", "In danger call"),
        ("Report", "What happened?"),
        ("Book something", "nothing to book just now"),
        ("My bookings", "You have no bookings"),
        ("Rights and rules", "Which one?"),
    ):
        await rider.says("菜单")
        rider.catches_up()
        await rider.taps(label)
        rider.sees(seen)


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        ("/nearest", "Where are you?"),
        ("附近", "Where are you?"),
        ("/help", "In danger call 110"),
        ("帮助", "In danger call 110"),
        ("/cancel", "nothing to cancel"),
        ("你好", "Hello!"),
        ("谢谢", "You are welcome"),
        ("/book", "nothing to book just now"),
        ("我的预约", "You have no bookings"),
        ("通知", "Shall I tell you"),
    ],
)
async def test_words_that_open_something(rider: RiderInTest, words: str, seen: str) -> None:
    await rider.says(words)
    rider.sees(seen)


async def test_pictures_and_stickers_get_a_kind_word(rider: RiderInTest) -> None:
    await rider.sends("photo")
    rider.sees("do not keep")
    await rider.sends("sticker")
    rider.sees(rider.sticker)


async def test_a_button_that_nobody_knows_shows_the_menu(rider: RiderInTest) -> None:
    await rider.says("/start")
    await rider.presses("never-heard-of.1")
    rider.sees("earlier list")
    rider.sees_choices("Settings")
