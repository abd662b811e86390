"""How offers and bookings are worded, and what free text about rights is answered with."""

import pytest

from bot.services.subjects import category_asked_for, category_in
from tests.chat import RiderInTest, World
from tests.handlers.fair import Fair


@pytest.mark.parametrize(
    ("words", "category"),
    [
        ("我要预约体检", "health"),
        ("預約體檢", "health"),
        ("想找律师", "legal"),
        ("有没有培训", "training"),
        ("想学直播", "training"),
        ("饺子宴报名", "event"),
        ("当志愿者", "volunteer"),
        ("领大礼包", "gift"),
        ("预约场馆", "venue"),
        ("see a lawyer", "legal"),
        ("预约", ""),
        ("", ""),
    ],
)
def test_what_words_are_about(words: str, category: str) -> None:
    assert category_in(words) == category


@pytest.mark.parametrize(
    ("words", "category"),
    [
        ("有没有志愿", "volunteer"),
        ("最近有没有什么活动？", "event"),
        ("还有礼包吗", "gift"),
        ("有沒有課", "training"),
        ("Is there any volunteering?", "volunteer"),
        ("有没有人", ""),
        ("any news", ""),
        ("我当过志愿者", ""),
    ],
)
def test_what_is_asked_for(words: str, category: str) -> None:
    assert category_asked_for(words) == category


async def test_a_long_description_is_cut(rider: RiderInTest, fair: Fair) -> None:
    await fair.offers("gift", description="好" * 500, organiser="市总工会")
    await rider.says("/book")
    rider.sees("好" * 159 + "…", "By: 市总工会")
    rider.does_not_see("好" * 160)


async def test_samples_say_so_everywhere(rider: RiderInTest, fair: Fair) -> None:
    await fair.opens("gift")
    await rider.says("/book")
    rider.sees("[sample] Winter gift pack")
    await rider.taps("Wed 25 Nov")
    rider.sees("[sample] Winter gift pack")
    await rider.taps("Yes, book it")
    rider.sees("[sample] Winter gift pack")
    await rider.says("/bookings")
    assert any("[sample]" in label for label, _token in rider.options)


async def test_what_there_is_not_is_said_and_the_rest_offered(rider: RiderInTest, fair: Fair) -> None:
    await fair.opens("health", "gift")
    await rider.says("想找律师")
    rider.sees("Of that there is nothing just now")
    rider.sees_choices("Health check", "Gift")


async def test_several_offers_of_one_kind(rider: RiderInTest, fair: Fair) -> None:
    await fair.offers("training")
    await fair.offers("training", title_en="First aid", title="急救培训")
    await rider.says("有没有培训")
    rider.sees("Which one?")
    await rider.taps("First aid")
    rider.sees("First aid", "When does it suit you?")


@pytest.mark.parametrize("words", ["老板不发工资", "我被欠钱了", "欠薪", "they owe me money"])
async def test_unpaid_wages_lead_to_the_official_channel(rider: RiderInTest, words: str) -> None:
    await rider.says(words)
    rider.sees("国务院客户端", "欠薪线索", "12333", "12345", "never ask for your ID number or bank card")


@pytest.mark.parametrize("words", ["工伤怎么办", "职业伤害保障", "work injury"])
async def test_an_injury_leads_to_12333_and_what_to_keep(rider: RiderInTest, words: str) -> None:
    await rider.says(words)
    rider.sees("12333", "medical records", "is for the province and 12333 to say")


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        ("怎么用", "In danger call"),
        ("我换车了", "Vehicle:"),
        ("换成英文", "Which language"),
        ("删掉我的信息", "used for the answer"),
        ("门没开", "What happened?"),
        ("有什么通知", "Shall I tell you"),
        ("太谢谢了", "You are welcome"),
        ("下午好", "Hello!"),
    ],
)
async def test_features_are_reached_by_words(rider: RiderInTest, words: str, seen: str) -> None:
    await rider.says(words)
    rider.sees(seen)


async def test_words_that_may_mean_two_things_are_asked_about(rider: RiderInTest) -> None:
    await rider.says("我要投诉，老板拖欠工资")
    rider.sees("What do you mean?")
    await rider.taps("Unpaid wages")
    rider.sees("国务院客户端")


async def test_every_message_fits_a_channel_of_few_characters(world: World, fair: Fair) -> None:
    rider = world.rider("wang", "zh-hans")
    await fair.opens("health", description="好" * 500, organiser="市委社会工作部、市卫健委")
    await rider.says("预约")
    for tap in (0, 0):
        await rider.presses(rider.options[tap][1]) if world.channel.can.buttons else await rider.says("1")
    assert max(len(message.text) for message in rider.inbox) <= 600
