"""What goes to WeChat's API of our own accord, over real HTTP to a server that keeps WeChat's rules."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from bot.channels import Absent, Throttled, Undelivered, Unreachable
from bot.channels.wechat import menu, templates
from bot.channels.wechat.api import Api, signature
from bot.channels.wechat.decode import CHANNEL
from bot.channels.wechat.encode import LONGEST
from bot.channels.wechat.errors import MEANINGS, ApiError, Unclear, undelivered
from bot.channels.wechat.push import Pusher, parts
from bot.database import Database
from bot.messages import Button, Outgoing, numbered
from bot.seals import Seals
from bot.services.tokens import Tokens
from bot.services.windows import ReplyWindows
from tests.channels.wechat.conftest import NOW, WORDS
from tests.channels.wechat.test_memory import in_table, left, meets
from tests.standins.wechat import Follower, WeChatStandIn

PNG = b"\x89PNG\r\n\x1a\n a picture"
SEALS = Seals("for tests")


class Account:
    """One account and a follower called mei, whose window is open on both sides."""

    def __init__(self, wechat: WeChatStandIn, database: Database) -> None:
        self.wechat = wechat
        self.database = database
        self.now = NOW
        self.glances = 0
        wechat.now = lambda: self.now
        self.apis: list[Api] = []
        self.pusher = self.starts()

    @property
    def mei(self) -> Follower:
        return self.wechat.follower("mei")

    def starts(self, secret: str = "") -> Pusher:
        """Another process."""
        tokens = Tokens(self.database, SEALS, lambda: self.now, self._glance)
        self.apis.append(Api(self.wechat.app_id, secret or self.wechat.secret, self.wechat.url, tokens))
        return Pusher(self.apis[-1], ReplyWindows(self.database, CHANNEL), WORDS, lambda: self.now)

    async def hears(self, key: str) -> None:
        """mei says something."""
        await in_table(self.database).begin(key, "mei", opens="message", now=self.now, until=self.now)
        self.wechat.heard("mei", "message")

    async def left(self) -> tuple[int, int]:
        """What is left of the window by our count and by WeChat's."""
        return (await left(self.database))[0][1], self.wechat.left("mei")

    async def _glance(self, _seconds: float) -> None:
        self.glances += 1
        await asyncio.sleep(0.01)


@pytest.fixture
def database_kind(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture
async def account(database: Database) -> AsyncIterator[Account]:
    async with WeChatStandIn() as wechat:
        account = Account(wechat, database)
        await meets(database)
        await account.hears("a")
        yield account
        for api in account.apis:
            await api.close()


async def test_words_pages_choices_and_pictures(account: Account) -> None:
    push = account.pusher.push
    assert await push("mei", Outgoing("明天 09:00 体检\n别忘了身份证"))
    await push("mei", Outgoing("打开网页版\n在那里你是同一个人。\n打开 https://bot.example.cn/s/8Kq"))
    choices = ((Button("看预约", "bk.7"), Button("☎ 打电话", url="tel:0359-2288111")), (Button("取消", "bkcancel.7"),))
    message, _tokens = numbered(Outgoing("提醒：体检", choices, photo=base64.b64encode(PNG).decode()), first=3)
    await push("mei", message)
    text, news, image, menu_ = account.mei.posts
    assert text["text"]["content"] == "明天 09:00 体检\n别忘了身份证"
    assert news["news"]["articles"][0]["url"] == "https://bot.example.cn/s/8Kq"
    assert (image["msgtype"], account.mei.pictures) == ("image", [PNG])
    assert menu_["msgmenu"]["head_content"] == "提醒：体检\n☎ 打电话 0359-2288111"
    assert menu_["msgmenu"]["list"] == [
        {"id": "bk.7", "content": "3 看预约"},
        {"id": "bkcancel.7", "content": "4 取消"},
    ]
    assert await account.left() == (1, 1)
    many = numbered(Outgoing("选", ((*(Button(f"第{n}个", f"x.{n}") for n in range(11)),),)))[0]
    await push("mei", many)
    assert account.mei.posts[-1]["msgtype"] == "text"
    assert "11 第10个" in account.mei.sees[-1]


async def test_a_long_text_is_cut_between_lines_or_characters(account: Account) -> None:
    lines = [f"第{n}行：{'驿' * 30}" for n in range(40)]
    await account.pusher.push("mei", Outgoing("\n".join(lines)))
    assert "\n".join(account.mei.sees).split("\n") == lines
    assert await account.left() == (3, 3)
    whole = parts("站" * 3_000)
    assert [len(part.encode()) for part in whole] == [2046, 2046, 2046]
    assert whole[-1].endswith("…")
    assert "".join(parts("a" * LONGEST)) == "a" * LONGEST


async def test_the_window_is_a_budget_on_both_sides(account: Account) -> None:
    pushers = [account.pusher, account.starts(), account.starts()]
    tried = await asyncio.gather(
        *(pusher.push("mei", Outgoing(f"{n}")) for n, pusher in enumerate(pushers * 3)), return_exceptions=True
    )
    assert [type(one) for one in tried].count(Absent) == 4
    assert (len(account.mei.sees), account.wechat.refused) == (5, []), "nothing was tried that would be refused"
    assert "stable_token" in account.wechat.calls
    assert account.wechat.calls.count("stable_token") == 1, "one token for all processes"
    account.now += timedelta(hours=1)
    await account.hears("b")
    assert await account.left() == (5, 5)
    account.mei.windows.clear()
    with pytest.raises(Absent):
        await account.pusher.push("mei", Outgoing("weg"))
    assert (await account.left(), account.wechat.refused) == ((0, 0), [45015])


async def test_what_was_refused_before_it_counted_is_given_back(account: Account) -> None:
    long = Outgoing("\n".join("驿" * 300 for _n in range(4)))
    account.wechat.fail("message/custom/send", -1)
    with pytest.raises(Undelivered):
        await account.pusher.push("mei", long)
    assert await account.left() == (5, 5)
    account.wechat.fail("message/custom/send", None)
    with pytest.raises(Undelivered):
        await account.pusher.push("mei", long)
    assert (await account.left())[0] == 4, "nobody knows what became of the first"
    await account.pusher.push("mei", long)
    assert await account.left() == (2, 3)


async def test_a_picture_is_uploaded_once_and_anew_when_it_is_gone(account: Account) -> None:
    picture = Outgoing("", photo=base64.b64encode(PNG).decode())
    for _time in range(2):
        await account.pusher.push("mei", picture)
    assert account.wechat.calls.count("media/upload") == 1
    account.wechat.media.clear()
    await account.pusher.push("mei", picture)
    account.now += timedelta(days=1, hours=23)
    await account.pusher.push("mei", picture)
    account.now += timedelta(minutes=30)
    await account.pusher.push("mei", picture)
    assert account.wechat.calls.count("media/upload") == 2
    assert account.mei.pictures == [PNG] * 5


async def test_a_refused_token_is_renewed_once_and_shared(account: Account) -> None:
    other = account.starts()
    await account.pusher.push("mei", Outgoing("1"))
    await other.push("mei", Outgoing("2"))
    account.wechat.forget_tokens()
    await account.pusher.push("mei", Outgoing("3"))
    await other.push("mei", Outgoing("4"))
    assert account.wechat.calls.count("stable_token") == 2
    assert account.wechat.refused == [40001, 40001]
    # WeChat takes its token for a good one, and yet refuses it: only a new one helps.
    account.wechat.fail("message/custom/send", 42001)
    await account.pusher.push("mei", Outgoing("5"))
    assert account.mei.sees == ["1", "2", "3", "4", "5"]
    assert account.wechat.calls.count("stable_token") == 4
    account.wechat.fail("message/custom/send", 40001, 40001)
    await account.hears("b")
    with pytest.raises(Throttled, match="token"):
        await account.pusher.push("mei", Outgoing("6"))
    assert await account.left() == (5, 5)


async def test_a_token_is_renewed_before_its_end(account: Account) -> None:
    await account.pusher.push("mei", Outgoing("1"))
    account.now += timedelta(hours=1, minutes=54)
    await account.pusher.push("mei", Outgoing("2"))
    account.now += timedelta(minutes=2)
    await account.pusher.push("mei", Outgoing("3"))
    assert (account.wechat.calls.count("stable_token"), account.wechat.refused) == (2, [])


@pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"], indirect=True)
async def test_one_process_fetches_and_the_others_wait_or_take_over(account: Account) -> None:
    def tokens() -> Tokens:
        return Tokens(account.database, SEALS, lambda: account.now, account._glance)

    fetched: list[int] = []

    async def fetch() -> tuple[str, timedelta]:
        fetched.append(1)
        await asyncio.sleep(0.05)
        return f"token{len(fetched)}", timedelta(hours=2)

    processes = [tokens() for _process in range(5)]

    async def all_get(**refused: str) -> set[str]:
        return set(await asyncio.gather(*(process.get("t", fetch, **refused) for process in processes * 2)))

    assert await all_get() == {"token1"}
    assert await all_get(refused="token1") == {"token2"}
    account.now += timedelta(hours=1, minutes=56)
    assert await all_get() <= {"token2", "token3"}, "the old one holds until the new one is there"
    assert await all_get() == {"token3"}
    assert (len(fetched), account.glances > 0) == (3, True)

    async def dies() -> tuple[str, timedelta]:
        raise Unclear("HTTP 502")

    with pytest.raises(Unclear):
        await processes[0].get("t", dies, refused="token3")
    assert await tokens().get("t", fetch, refused="token3") == "token4", "who failed lets go"
    assert await Tokens(account.database, Seals("another key"), lambda: account.now).get("t", fetch) == "token5"


ask: dict[str, Callable[[Api], Awaitable[object]]] = {
    "message/custom/send": lambda api: api.send("mei", {"msgtype": "text", "text": {"content": "x"}}),
    "stable_token": lambda api: api.check(),
    "media/upload": lambda api: api.upload(PNG),
}


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"errcode": "0"}', None])
@pytest.mark.parametrize("path", ask)
async def test_what_is_no_answer_is_never_counted_as_sent(account: Account, path: str, body: bytes | None) -> None:
    account.wechat.fail(path, body)
    with pytest.raises(Unclear) as caught:
        await ask[path](account.apis[0])
    failure = undelivered(caught.value, NOW)
    assert (type(failure), failure.retry_in) == (Undelivered, timedelta(seconds=5))
    assert account.wechat.secret not in str(failure)


async def test_an_answer_without_what_was_asked_for_is_none(account: Account) -> None:
    (api,) = account.apis
    for path in ("stable_token", "media/upload"):
        account.wechat.fail(path, b"{}")
        with pytest.raises(Unclear):
            await ask[path](api)
    account.wechat.fail("ticket/getticket", b"{}")
    with pytest.raises(Unclear):
        await api.ticket()


@pytest.mark.parametrize(
    ("codes", "kind", "retry_in"),
    [
        ((45015, 45047, 43101), Absent, None),
        ((43004, 40003, 43019), Unreachable, None),
        # Noon in China: twelve hours and a minute.
        ((45009, 45028), Throttled, timedelta(hours=12, minutes=1)),
        ((45011,), Throttled, timedelta(minutes=1)),
        ((48001, 40164, 40013, 40125, 50002, 40001, 42001), Throttled, timedelta(minutes=5)),
        ((45002, 47003, 40007, 87014), Undelivered, None),
        ((-1, 61234), Undelivered, timedelta(seconds=5)),
    ],
)
async def test_every_errcode_means_something(
    account: Account, codes: tuple[int, ...], kind: type[Undelivered], retry_in: timedelta | None
) -> None:
    for code in codes:
        failure = undelivered(ApiError(code), NOW)
        assert (type(failure), failure.retry_in) == (kind, retry_in), code
        assert str(failure).startswith(f"{code} {MEANINGS.get(code, 'refused')}")


async def test_an_account_says_what_is_wrong_with_it(account: Account) -> None:
    account.wechat.allows_address = False
    with pytest.raises(Throttled, match="allow-list"):
        await account.pusher.push("mei", Outgoing("x"))
    account.wechat.allows_address = True
    wrong = account.starts("another secret")
    with pytest.raises(Throttled, match="secret is wrong"):
        await wrong.push("mei", Outgoing("x"))
    account.wechat.kind = "service"
    with pytest.raises(Throttled, match="no permission"):
        await account.pusher.push("mei", Outgoing("x"))
    assert await account.left() == (5, 5)


async def test_a_menu_keeps_to_its_limits(account: Account) -> None:
    (api,) = account.apis
    await api.see_menu()
    await api.create_menu(menu.encode([("找驿站", [("附近", ""), ("厕所", "/find 厕所"), ("网页", "https://a.cn/")])]))
    await api.see_menu()
    (button,) = account.wechat.menu
    assert [entry["type"] for entry in button["sub_button"]] == ["location_select", "click", "view"]
    shapes: tuple[Any, ...] = (
        [],
        [("a", [("b", "c")])] * 4,
        [("a", [("b", "c")] * 6)],
        [("a", [])],
        [("一二三四五六", [("b", "c")])],
        [("a", [("字" * 21, "c")])],
        [("a", [("b", "字" * 43)])],
    )
    for wrong in shapes:
        with pytest.raises(ValueError, match=r"buttons|entries|bytes"):
            menu.encode(wrong)


async def test_fields_of_templates_fit_before_they_are_sent(account: Account) -> None:
    (api,) = account.apis
    data = templates.filled(
        {
            "thing1": "骑手健康体检（含心电图、血常规、尿常规、肝功能）",
            "time2": "2026年1月10日 09:00",
            "phrase3": "已预约成功了",
            "character_string4": "K7M2",
        }
    )
    assert data["thing1"]["value"] == "骑手健康体检（含心电图、血常规、尿常规、肝功能）"[:19] + "…"
    assert data["phrase3"]["value"] == "已预约成功"
    await api.send_template("mei", "T1", data)
    await api.send_subscribed("mei", "S1", data)
    assert [template for _openid, template, _data in account.wechat.templates] == ["T1", "S1"]
    for field, value in (("time1", "明天"), ("number1", "三"), ("thing1", ""), ("letter1", "字"), ("mood1", "好")):
        with pytest.raises(ValueError, match=field):
            templates.filled({field: value})
    account.mei.follows = False
    with pytest.raises(ApiError, match="43004"):
        await api.send_template("mei", "T1", data)


async def test_the_signature_of_the_platforms_own_example(account: Account) -> None:
    ticket = "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg"
    signed = signature(ticket, "Wm3WZYTPz0wzccnW", 1414587457, "http://mp.weixin.qq.com?params=value#part")
    assert signed == "0f9de62fce790f9a083d5c99e95740ceb90c27ed"
    (api,) = account.apis
    assert await api.ticket() == await api.ticket()
