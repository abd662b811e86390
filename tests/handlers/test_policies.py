"""Cards about policies: listed, found by words, opened by buttons, and gone when nobody has checked them again."""

from dataclasses import fields
from datetime import date

import pytest

from bot.i18n import LOCALES
from bot.services.policies import CardWords, load_policies
from bot.services.vocabulary import AMENITIES
from tests.chat import CITY, RiderInTest, World
from tests.handlers.conftest import LAT, LNG

POLICIES = load_policies(CITY.folder)
TODAY = date(2026, 11, 23)


def test_every_card_says_all_that_a_card_has_to() -> None:
    for card in POLICIES.current(TODAY):
        assert card.source
        assert card.reviewed <= TODAY < card.review_by
        assert set(card.texts) == set(LOCALES), card.code
        for locale, words in card.texts.items():
            values = {field.name: getattr(words, field.name) for field in fields(CardWords)}
            assert all(values.values()), (card.code, locale)
            assert sum(map(len, values.values())) <= (600 if locale == "en" else 260), (card.code, locale)
        for kind, _colon, target in (button.partition(":") for button in card.buttons):
            assert kind in ("lawyer", "near") or (kind == "call" and target.isdecimal()) or target in AMENITIES


def test_what_is_not_settled_is_left_to_who_settles_it() -> None:
    for card in POLICIES.current(TODAY):
        assert "为准" in card.texts["zh_CN"].note, card.code
    said = POLICIES.page("injury", TODAY)
    assert said
    assert said.texts["zh_CN"].note.startswith("山西是否已启动，以省人社厅、12333的答复为准")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("新国标怎么规定", "ebike-standard"),
        ("請問新國標", "ebike-standard"),
        ("平台要给我交保险吗", "injury"),
        ("职业伤害保障山西开始了吗", "injury"),
        ("楼道充电罚款吗", "charging"),
        ("can I charge my ebike in the corridor", "charging"),
        ("平台必须跟我签合同吗", "labour"),
        ("一天最多能跑几个小时", "rest"),
        ("法律援助怎么申请", "legal-aid"),
        ("工会热线多少", "hotlines"),
        ("最低工资多少", ""),
        ("今天天气怎么样", ""),
        ("哪里有厕所", ""),
        ("怎么规定", ""),
        ("", ""),
    ],
)
def test_words_find_their_card_or_none(words: str, code: str) -> None:
    found = POLICIES.find(words, TODAY)
    assert [card.code for card in found[:1]] == ([code] if code else [])


def test_a_card_is_good_on_its_last_day_and_gone_on_the_next() -> None:
    card = POLICIES.current(TODAY)[0]
    assert POLICIES.page(card.code, card.review_by) is card
    after = date.fromordinal(card.review_by.toordinal() + 1)
    assert POLICIES.page(card.code, after) is None
    assert card not in POLICIES.current(after)
    title = card.texts["zh_CN"].title
    assert card in POLICIES.find(title, card.review_by)
    assert card not in POLICIES.find(title, after)
    assert card.code in POLICIES.codes


async def test_reading_about_policies(rider: RiderInTest) -> None:
    await rider.says("政策")
    rider.sees_choices("The new e-bike standard", "Which number to call")
    await rider.taps("What you are to your platform")
    rider.sees(
        "Who: ", "Since when: 2021", "Source: 人社部发〔2021〕56号", "Checked 2026-11-20", "is for 12333 or a lawyer"
    )
    rider.sees_choices("Book a lawyer")
    await rider.says("新国标怎么规定")
    rider.sees("63 kg", "GB 17761-2024")
    await rider.says("平台要给我交保险吗")
    rider.sees("Whether it has begun in Shanxi is for the province and 12333 to say")
    await rider.taps("Rights and rules")
    rider.sees("Which one?")


async def test_where_one_may_charge_is_one_tap_from_the_rule(rider: RiderInTest, town: None) -> None:
    await rider.says("电动车上楼充电违法吗")
    rider.sees("500 to 1,000 yuan", "119")
    await rider.says("電動車上樓充電違法嗎")
    rider.sees("500 to 1,000 yuan")
    await rider.taps("Find the nearest")
    rider.sees("Where are you?")
    await rider.shares(LAT, LNG)
    rider.sees("E-bike charging", "西街充电点")
    await rider.presses("find.x")
    rider.sees("Where are you?")


async def test_a_card_that_nobody_checked_again_is_not_shown(world: World, rider: RiderInTest) -> None:
    await rider.presses("page.ebike-standard")
    rider.sees("63 kg")
    await world.passes(days=400)
    for press in ("page.ebike-standard", "wages", "policies", "page.nonsense"):
        await rider.presses(press)
        rider.sees("12333", "is being checked again")
        rider.does_not_see("63 kg")
