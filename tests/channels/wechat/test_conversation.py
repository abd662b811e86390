"""The real conversation on a real database, from WeChat's request to the reply in it."""

from collections.abc import AsyncIterator
from typing import cast

import pytest
from sqlalchemy import select

from bot.channels import Answer
from bot.database import Database
from bot.messages import Incoming
from bot.models import Outbound
from tests import chat
from tests.channels.wechat.conftest import Process, World
from tests.channels.wechat.phone import Phone, Reply

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


@pytest.fixture
async def city(world: World, process: Process, database: Database) -> AsyncIterator[chat.World]:
    """The whole bot behind this account."""
    city = chat.World(database, cast(chat.PretendChannel, process.channel), restarting=False)
    world.now = city.now

    async def hear(heard: Incoming) -> Answer:
        said = await city.engine.hear(heard, process.channel.can)
        return Answer(said.direct, said.sent)

    world.mind.answer = hear
    await city.open()
    yield city
    await city.close()


async def says(phone: Phone, text: str) -> Reply:
    reply = await phone.says(text)
    assert reply
    return reply


async def outbox(database: Database) -> list[tuple[str, str]]:
    async with database.reading() as db:
        rows = await db.execute(select(Outbound.state, Outbound.error).order_by(Outbound.id))
        return [(state, error) for state, error in rows]


async def test_a_dialog_by_digits(world: World, phone: Phone, city: chat.World, database: Database) -> None:
    followed = await phone.delivers(phone.event("subscribe", EventKey=""))
    assert followed
    assert "位置" in followed.text
    asked = await says(phone, "反映")
    assert "\n1 " in asked.text
    xml = phone.text("第三个。")
    first, second = [phone.read(await phone.delivers_once(xml)) for _ in range(2)]
    assert first == second
    assert first
    assert "12345" in first.text
    assert await outbox(database) == [("sent", "")] * 2
    assert [row.told for row in world.memory.rows.values()] == [True] * len(world.mind.heard)


async def test_a_refused_answer_asks_again_in_one_reply(phone: Phone, city: chat.World) -> None:
    asked = await says(phone, "反映")
    again = await says(phone, "９")
    assert again.text.endswith(asked.text)
    assert len(again.text) > len(asked.text)


async def test_danger_comes_before_everything(phone: Phone, city: chat.World) -> None:
    assert "120" in (await says(phone, "有人晕倒了")).text
