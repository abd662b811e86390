"""Messages over real HTTP, and the one answer that each gets."""

import asyncio
import gzip
from urllib.parse import urlencode, urlsplit

import pytest
from structlog.testing import capture_logs

from bot.channels import Absent, Answer
from bot.channels.wechat.exchanges import LEASE
from bot.channels.wechat.memory import Kept
from bot.messages import Address, Incoming, Outgoing
from tests.channels.wechat.conftest import LONG, NOW, SHORT, WORDS, Process, World
from tests.channels.wechat.phone import AES_KEY, OTHER_KEY, Phone, Response
from tests.program import until

in_both_modes = pytest.mark.parametrize("mode", ["plain", "aes"])
in_aes_mode = pytest.mark.parametrize("mode", ["aes"])

MANY = "\n".join(
    f"{n} 爱心驿站第{n}号 · 营业到 22:00\n直线约 {n} 公里，东北 · 热水、厕所 · 昨天核实" for n in range(1, 46)
)


class Gate:
    """An answer that is not ready before the test says so."""

    def __init__(self, world: World) -> None:
        self.opens = asyncio.Event()
        self.began = asyncio.Event()
        self._answer = world.mind.answer
        world.mind.answer = self

    async def __call__(self, heard: Incoming) -> Answer:
        self.began.set()
        await self.opens.wait()
        return await self._answer(heard)


@in_both_modes
async def test_the_address_is_verified(phone: Phone) -> None:
    assert await phone.verifies("5463") == Response(200, b"5463")


@in_both_modes
async def test_a_direct_answer_rides_in_the_response(world: World, phone: Phone) -> None:
    reply = await phone.says("附近 ]]><Content>注入</Content> <b>&</b>")
    assert reply
    assert reply.text == "附近 ]]>＜Content>注入＜/Content> ＜b>&＜/b>"
    assert reply.at == int(NOW.timestamp())
    assert world.mind.heard[0].sender == Address("wechat", phone.openid)
    assert world.memory.opened == ["message"]


@in_both_modes
async def test_what_is_sent_after_the_commit_rides_too(world: World, process: Process, phone: Phone) -> None:
    world.mind.answer = world.sends(process, Outgoing("谢谢，已记下。"), Outgoing("离你最近的：\n1 一号站"))
    reply = await phone.says("门锁着")
    assert reply
    assert reply.text == "谢谢，已记下。\n\n离你最近的：\n1 一号站"
    assert world.mind.texts == ["门锁着"]
    world.mind.answer = world.mind.echo
    after = await phone.says("好的")
    assert after
    assert after.text == "好的"


@in_both_modes
async def test_what_does_not_fit_is_fetched_by_more(world: World, process: Process, phone: Phone) -> None:
    world.mind.answer = world.sends(process, Outgoing(MANY))
    pages = [await phone.says("全部"), await phone.says("更多"), await phone.says(" more ")]
    texts = [page.text for page in pages if page]
    assert [text.endswith(WORDS["zh_CN"].more) for text in texts] == [True, True, False]
    assert all(text[0].isdigit() for text in texts)  # an option is not torn from its second line
    whole = "\n".join(text.removesuffix(WORDS["zh_CN"].more).rstrip() for text in texts)
    assert whole == MANY
    assert world.mind.texts == ["全部"]
    world.mind.answer = world.mind.echo
    nothing_left = await phone.says("更多")
    assert nothing_left
    assert (nothing_left.text, world.mind.texts) == ("更多", ["全部", "更多"])


class TestWhatIsOnlyRead:
    @in_both_modes
    async def test_nothing_is_begun_and_a_repeated_delivery_gets_the_same(self, world: World, phone: Phone) -> None:
        world.mind.knows["附近"] = Outgoing("一号站")
        xml = phone.text("附近")
        answers = [await phone.delivers_once(xml) for _ in range(2)]
        assert len({phone.opened(answer) for answer in answers}) == 1
        assert phone.opened(answers[0]).count("一号站") == 1
        assert (world.mind.was_read, world.mind.heard, world.memory.opened) == (["附近"], [], [])

    @in_both_modes
    async def test_it_is_read_once_by_all_processes(self, world: World, process: Process) -> None:
        world.mind.knows["附近"] = Outgoing("一号站")
        phone, other = process.phone, (await world.starts()).phone
        xml = phone.text("附近")
        first = phone.opened(await phone.delivers_once(xml))
        world.mind.knows["附近"] = Outgoing("二号站")
        world.passes(seconds=5)
        assert other.opened(await other.delivers_once(xml)) == first
        assert (world.mind.was_read, world.mind.heard) == (["附近"], [])

    async def test_what_surely_writes_is_begun_without_a_look(self, world: World, phone: Phone) -> None:
        world.mind.writes = {"预约"}
        assert await phone.says("预约")
        assert (world.mind.was_read, world.mind.texts) == ([], ["预约"])

    async def test_it_opens_the_window_of_who_may_be_written_to(self, world: World) -> None:
        world.mind.knows["附近"] = Outgoing("一号站", photo="一张图")
        process = await world.starts("service-verified")
        phone = process.phone
        assert await phone.says("附近")
        assert world.memory.opened == ["message"]
        assert [message.photo for _user, message in world.pushed] == ["一张图"]

    async def test_what_was_answered_otherwise_stays_so_in_every_process(self, world: World, process: Process) -> None:
        other = (await world.starts()).phone
        xml = process.phone.text("好")
        first = process.phone.opened(await process.phone.delivers_once(xml))
        world.mind.knows["好"] = Outgoing("什么好？")
        assert other.opened(await other.delivers_once(xml)) == first
        assert world.mind.texts == ["好"]

    async def test_what_is_owed_and_what_waits_comes_first(self, world: World, process: Process, phone: Phone) -> None:
        world.mind.knows["附近"] = Outgoing("一号站")
        await world.memory.keep("k", phone.openid, Kept(0, ("约好了",)).packed(), told=False, now=NOW)
        owed = await phone.says("附近")
        world.waiting = [Outgoing("提醒：明天体检")]
        waited = await phone.says("附近")
        after = await phone.says("附近")
        texts = [reply.text if reply else "" for reply in (owed, waited, after)]
        assert [text.split("\n\n") for text in texts[::2]] == [["约好了", "一号站"], ["一号站"]]
        assert sorted(texts[1].split("\n\n")) == ["一号站", "提醒：明天体检"]

    async def test_the_rest_of_it_is_had_in_every_process(self, world: World, process: Process) -> None:
        other = (await world.starts()).phone
        other.numbers = process.phone.numbers
        world.mind.knows["附近"] = Outgoing(MANY)
        first = await process.phone.says("附近")
        rest = await other.says("更多")
        assert first
        assert rest
        assert first.text.endswith(WORDS["zh_CN"].more)
        assert rest.text.splitlines()[0] in MANY.splitlines()
        assert world.mind.heard == []


class TestRepeatedDeliveries:
    @in_both_modes
    async def test_wait_for_the_same_answer(self, world: World, phone: Phone) -> None:
        gate = Gate(world)
        xml = phone.text("预约")
        first = asyncio.create_task(phone.delivers_once(xml))
        await gate.began.wait()
        second = asyncio.create_task(phone.delivers_once(xml))
        await asyncio.sleep(0.02)
        assert not any(one.done() for one in (first, second))
        gate.opens.set()
        answers = [await first, await second]
        world.passes(minutes=5)
        answers.append(await phone.delivers_once(xml))
        assert len({phone.opened(answer) for answer in answers}) == 1
        assert world.mind.texts == ["预约"]

    @in_both_modes
    async def test_get_the_stored_answer_in_any_order_and_process(self, world: World, process: Process) -> None:
        phone, other = process.phone, (await world.starts()).phone
        said = [phone.text(text) for text in ("附近", "1", "1")]
        answers = [phone.opened(await phone.delivers_once(xml)) for xml in said]
        await process.channel.close()  # a restart
        for n in (2, 0, 1):
            assert other.opened(await other.delivers_once(said[n])) == answers[n]
        assert world.mind.texts == ["附近", "1", "1"]

    async def test_wait_for_another_process(self, world: World, process: Process) -> None:
        phone, other = process.phone, (await world.starts()).phone
        phone.patience = SHORT
        gate = Gate(world)
        xml = phone.text("预约")
        assert (await phone.delivers_once(xml)).status == 0
        second = asyncio.create_task(other.delivers_once(xml))
        await asyncio.sleep(0.05)
        gate.opens.set()
        reply = other.read(await second)
        assert reply
        assert reply.text == "预约"
        assert world.mind.texts == ["预约"]

    async def test_take_over_from_a_process_that_died(self, world: World, process: Process) -> None:
        phone, other = process.phone, (await world.starts()).phone
        phone.patience = other.patience = SHORT
        gate = Gate(world)
        xml = phone.text("预约")
        assert (await phone.delivers_once(xml)).status == 0
        closing = asyncio.create_task(process.channel.close())
        world.passes(seconds=5)
        assert (await other.delivers_once(xml)).status == 0
        assert world.mind.texts == ["预约"]
        world.passes(seconds=5)
        world.mind.answer = world.mind.echo
        other.patience = LONG
        reply = other.read(await other.delivers_once(xml))
        assert reply
        assert reply.text == "预约"
        assert world.mind.texts == ["预约", "预约"]
        gate.opens.set()
        await closing

    async def test_do_not_answer_for_a_process_that_died_after_its_commit(self, world: World, phone: Phone) -> None:
        xml = phone.text("预约")
        key = f"{phone.openid}:23254187265982341"
        await world.memory.begin(key, phone.openid, opens="message", now=NOW, until=NOW + LEASE)
        world.passes(seconds=10)

        async def was_heard_before(heard: Incoming) -> Answer:
            return Answer()

        world.mind.answer = was_heard_before
        third = phone.read(await phone.delivers_once(xml))
        assert third
        assert third.text == WORDS["zh_CN"].working
        not_yet = await phone.says("0")
        world.waiting = [Outgoing("约好了")]  # its row has become free
        fetched = await phone.says("0")
        assert not_yet
        assert fetched
        assert [not_yet.text, fetched.text] == [WORDS["zh_CN"].working, "约好了"]
        assert world.mind.texts == ["预约"]


class TestSlowAnswers:
    @pytest.fixture
    def patience(self) -> float:
        return SHORT

    @in_both_modes
    async def test_the_third_delivery_names_the_digit_that_fetches_it(
        self, world: World, process: Process, phone: Phone
    ) -> None:
        world.mind.answer = world.sends(process, Outgoing("约好了，号码 7K2M。"))
        gate = Gate(world)
        xml = phone.text("预约")
        assert [(await phone.delivers_once(xml)).status for _ in range(2)] == [0, 0]
        third = phone.read(await phone.delivers_once(xml))
        assert third
        assert third.text == WORDS["zh_CN"].working
        gate.opens.set()
        fetched = await phone.says("０")
        assert fetched
        assert fetched.text == "约好了，号码 7K2M。"
        assert world.mind.texts == ["预约"]

    async def test_the_next_answer_brings_it_otherwise(self, world: World, process: Process, phone: Phone) -> None:
        gate = Gate(world)
        xml = phone.text("预约")
        for _ in range(3):
            await phone.delivers_once(xml)
        next_one = asyncio.create_task(phone.says("附近"))  # in line behind the slow one
        await asyncio.sleep(0.02)
        gate.opens.set()
        reply = await next_one
        assert reply
        assert reply.text == "预约\n\n附近"
        again = await phone.says("附近")
        assert again
        assert again.text == "附近"

    async def test_another_process_brings_it_too(self, world: World, process: Process, phone: Phone) -> None:
        other = (await world.starts()).phone
        other.numbers = phone.numbers
        gate = Gate(world)
        xml = phone.text("预约")
        for _ in range(3):
            await phone.delivers_once(xml)
        asked = await other.says("0")
        assert asked
        assert asked.text == WORDS["zh_CN"].working
        gate.opens.set()
        await process.channel.close()
        fetched = await other.says("0")
        assert fetched
        assert fetched.text == "预约"
        assert world.mind.texts == ["预约"]
        nothing_left = await other.says("0")
        assert nothing_left
        assert (nothing_left.text, world.mind.texts) == ("0", ["预约", "0"])

    async def test_a_late_answer_is_told_to_the_next_delivery_only(self, world: World, phone: Phone) -> None:
        gate = Gate(world)
        xml = phone.text("预约")
        assert (await phone.delivers_once(xml)).status == 0
        gate.opens.set()
        reply = phone.read(await phone.delivers_once(xml))
        after = await phone.says("附近")
        assert reply
        assert after
        assert (reply.text, after.text) == ("预约", "附近")

    async def test_an_answer_that_came_with_another_is_not_told_again(self, world: World, phone: Phone) -> None:
        gate = Gate(world)
        xml = phone.text("预约")
        assert (await phone.delivers_once(xml)).status == 0
        gate.opens.set()
        reply = await phone.says("附近")
        assert reply
        assert reply.text == "预约\n\n附近"
        assert (await phone.delivers_once(xml)).is_nothing

    async def test_whoever_gives_up_while_the_answer_is_remembered_is_owed_it(self, world: World, phone: Phone) -> None:
        world.memory.keeps.clear()
        assert (await phone.delivers_once(phone.text("预约"))).status == 0
        world.memory.keeps.set()
        reply = await phone.says("附近")
        assert reply
        assert reply.text == "预约\n\n附近"

    async def test_nothing_is_never_owed(self, world: World, process: Process, phone: Phone) -> None:
        world.mind.answer = world.sends(process)
        gate = Gate(world)
        assert (await phone.delivers_once(phone.event("unsubscribe", EventKey=""))).status == 0
        gate.opens.set()
        await process.channel.close()
        assert [row.told for row in world.memory.rows.values()] == [True]

    async def test_an_answer_to_a_cut_connection_is_owed(self, world: World, process: Process, phone: Phone) -> None:
        gate = Gate(world)
        xml = phone.text("预约")
        phone.patience = 0.05
        await phone.delivers_once(xml)
        gate.opens.set()
        await until(lambda: all(row.answer is not None for row in world.memory.rows.values()))
        reply = await phone.says("附近")
        assert reply
        assert reply.text == "预约\n\n附近"


class TestFailures:
    @pytest.fixture
    def patience(self) -> float:
        return SHORT

    async def test_the_next_delivery_tries_again(self, world: World, phone: Phone) -> None:
        async def broken(heard: Incoming) -> Answer:
            world.mind.answer = world.mind.echo
            raise OSError(f"private words: {heard.text}")

        world.mind.answer = broken
        xml = phone.text("我的电话 13800000000")
        with capture_logs() as logs:
            assert (await phone.delivers_once(xml)).status == 0
        assert [(entry["log_level"], entry["error"]) for entry in logs] == [("error", "OSError")]
        assert "13800000000" not in repr(logs)
        reply = phone.read(await phone.delivers_once(xml))
        assert reply
        assert reply.text == "我的电话 13800000000"

    async def test_the_third_one_says_sorry(self, world: World, phone: Phone) -> None:
        world.memory.fails_with = OSError("no database")
        with capture_logs() as logs:
            reply = await phone.says("menu")
        assert reply
        assert reply.text == WORDS["en"].failed
        assert world.mind.heard == []
        assert len(logs) == 3

    async def test_danger_is_answered_without_a_database(self, world: World, phone: Phone) -> None:
        world.memory.fails_with = OSError("no database")
        reply = await phone.says("有人晕倒了")
        assert reply
        assert reply.text == "有人晕倒了"

    async def test_an_answer_that_cannot_be_remembered_is_still_said(self, world: World, phone: Phone) -> None:
        world.memory.keeping_fails_with = OSError("disk full")
        with capture_logs() as logs:
            reply = await phone.says("附近")
        assert reply
        assert [entry["log_level"] for entry in logs] == ["warning"]

    async def test_a_row_that_cannot_be_put_on_the_shelf_stays_where_it_is(
        self, world: World, process: Process, phone: Phone
    ) -> None:
        world.memory.keeping_fails_with = OSError("disk full")
        failures = []

        async def answer(heard: Incoming) -> Answer:
            try:
                await process.channel.send(heard.sender, Outgoing("x"))
            except Exception as error:  # noqa: BLE001 (what is raised is what is tested)
                failures.append((type(error).__name__, str(error)))
            return Answer()

        world.mind.answer = answer
        with capture_logs():
            assert await phone.says("预约") is None
        assert failures == [("Undelivered", "not remembered")]


class TestSending:
    async def test_waits_where_nobody_is_there_and_nothing_may_be_pushed(self, process: Process) -> None:
        with pytest.raises(Absent):
            await process.channel.send(Address("wechat", process.phone.openid), Outgoing("提醒"))

    async def test_pushes_where_the_account_may(self, world: World) -> None:
        process = await world.starts("service-verified")
        assert not hasattr(process.channel, "present")
        assert await process.channel.send(Address("wechat", "o1"), Outgoing("提醒")) == "pushed"
        assert world.pushed == [("o1", Outgoing("提醒"))]

    async def test_what_waited_comes_with_the_next_answer(self, world: World, phone: Phone) -> None:
        world.waiting = [Outgoing("提醒：明天体检"), Outgoing("通知：大雪")]
        reply = await phone.says("附近")
        assert reply
        assert reply.text == "附近\n\n提醒：明天体检\n\n通知：大雪"
        after = await phone.says("好的")
        assert after
        assert after.text == "好的"

    async def test_only_those_with_an_open_request_are_present(
        self, world: World, process: Process, phone: Phone
    ) -> None:
        present = getattr(process.channel, "present")  # noqa: B009 (only a passive account has it)
        gate = Gate(world)
        asking = asyncio.create_task(phone.says("附近"))
        await gate.began.wait()
        assert present() == {phone.openid}
        gate.opens.set()
        await asking
        assert present() == set()

    async def test_a_picture_is_pushed_beside_the_reply(self, world: World) -> None:
        process = await world.starts("subscription-verified")
        world.mind.answer = world.sends(process, Outgoing("码 7K2M", photo="aGk="))
        reply = await process.phone.says("预约")
        assert reply
        assert reply.text == "码 7K2M"
        assert world.pushed == [(process.phone.openid, Outgoing("", photo="aGk="))]

    async def test_whoever_asks_to_be_forgotten_is(self, world: World, process: Process, phone: Phone) -> None:
        await phone.says("附近")
        await process.follower("o2").says("附近")

        async def erase(heard: Incoming) -> Answer:
            return Answer((Outgoing("都删了。", erased=True),))

        world.mind.answer = erase
        xml = phone.text("删除")
        for _ in range(2):
            reply = phone.read(await phone.delivers_once(xml))
            assert reply
            assert reply.text == "都删了。"
        assert {row.user for row in world.memory.rows.values()} == {"o2"}
        assert world.mind.texts == ["附近", "附近", "删除"]


class TestNothingToSay:
    @pytest.mark.parametrize(
        ("name", "more"),
        [
            ("LOCATION", {"Latitude": 35.0, "Longitude": 111.0, "Precision": 65}),
            ("VIEW", {"EventKey": "https://bot.example.cn/"}),
            ("TEMPLATESENDJOBFINISH", {"MsgID": 200163836, "Status": "success"}),
            ("never_heard_of", {}),
        ],
    )
    async def test_confirmed_and_not_heard(
        self, world: World, phone: Phone, name: str, more: dict[str, object]
    ) -> None:
        assert (await phone.delivers_once(phone.event(name, **more))).is_nothing
        assert world.mind.heard == []
        assert world.memory.rows == {}

    async def test_unfollowing_is_heard_and_confirmed(self, world: World, phone: Phone) -> None:
        async def silent(heard: Incoming) -> Answer:
            return Answer()

        world.mind.answer = silent
        assert (await phone.delivers_once(phone.event("unsubscribe", EventKey=""))).is_nothing
        assert [heard.event for heard in world.mind.heard] == ["stopped"]

    async def test_where_somebody_opened_the_account_is_used_once_for_what_is_near(
        self, world: World, phone: Phone, process: Process
    ) -> None:
        there = phone.event("LOCATION", Latitude=35.016, Longitude=110.993, Precision=65)
        lin = process.follower("lin")

        async def asks(who: Phone, *said: str) -> list[tuple[str, bool]]:
            world.mind.heard.clear()
            for text in said:
                assert await who.says(text)
            return [(heard.text, heard.location is not None) for heard in world.mind.heard]

        assert (await phone.delivers_once(there)).is_nothing
        assert await asks(lin, "附近") == [("附近", False)], "a place of somebody else is none"
        assert await asks(phone, "你好", "附近", "附近") == [("你好", False), ("", True), ("附近", False)]
        assert (await phone.delivers_once(there)).is_nothing
        world.passes(minutes=3)
        assert await asks(phone, "附近") == [("附近", False)], "they may have gone on since"
        assert not any("35.0" in str(row) for row in world.memory.rows.values())

    async def test_a_place_from_the_menu_is_answered_once(self, world: World, phone: Phone) -> None:
        place = {"Location_X": 35.015101, "Location_Y": 110.998272, "Scale": 15, "Label": "", "Poiname": ""}
        picked = phone.event("location_select", EventKey="here", SendLocationInfo=place)
        message = phone.location(35.0151, 110.9983)
        assert await phone.delivers(picked)
        assert (await phone.delivers_once(message)).is_nothing
        assert await phone.delivers(picked)
        assert len(world.mind.heard) == 1
        assert await phone.delivers(phone.location(35.2, 110.9983))
        world.passes(minutes=1)
        assert await phone.delivers(phone.location(35.0151, 110.9983))


class TestStrangers:
    @in_both_modes
    async def test_a_wrong_signature(self, world: World, phone: Phone) -> None:
        xml = phone.text("附近")
        for wrong in ("", "x", "密码", "0" * 40, "\udcff"):
            name = "msg_signature" if world.mode == "aes" else "signature"
            assert (await phone.delivers_once(xml, **{name: wrong.encode("utf-8", "replace").decode()})).status == 403
            assert (await phone.verifies("5463", signature="0" * 40)).status == 403
        assert (await phone.delivers_once(xml, nonce="another")).status == 403
        assert (await phone.posts(xml.encode(), {})).status == 403
        assert world.mind.heard == []

    @pytest.mark.parametrize("minutes", [-11, 11])
    @in_both_modes
    async def test_an_old_or_early_request(self, world: World, phone: Phone, minutes: int) -> None:
        sealed = phone.sealed(phone.text("附近"))
        signed = phone.signed()
        world.passes(minutes=minutes)
        assert (await phone.posts(*sealed)).status == 403
        assert (await phone.verifies("5463", **signed)).status == 403
        world.passes(minutes=-minutes / 2)
        assert (await phone.posts(*sealed)).status == 200

    @in_both_modes
    async def test_the_other_mode(self, phone: Phone) -> None:
        other = Phone(phone.url, phone.now, "" if phone.aes_key else AES_KEY)
        assert (await other.delivers_once(other.text("附近"))).status == 403

    @in_aes_mode
    async def test_another_app_or_key(self, phone: Phone) -> None:
        elsewhere = Phone(phone.url, phone.now, AES_KEY, app_id="wx0000000000000000")
        assert (await elsewhere.delivers_once(elsewhere.text("附近"))).status == 403
        with_wrong_key = Phone(phone.url, phone.now, OTHER_KEY)
        assert (await with_wrong_key.delivers_once(with_wrong_key.text("附近"))).status == 400

    @in_aes_mode
    async def test_the_key_before_is_good_and_answered_with(self, world: World) -> None:
        process = await world.starts(aes_keys=(AES_KEY, OTHER_KEY))
        for key in (AES_KEY, OTHER_KEY):
            phone = Phone(process.phone.url, process.phone.now, key, openid=f"o{key[0]}")
            reply = await phone.says("附近")
            assert reply
            assert reply.text == "附近"

    @in_both_modes
    async def test_nonsense(self, phone: Phone) -> None:
        bomb = '<!DOCTYPE xml [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
        file = '<!DOCTYPE xml [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
        text = phone.text("附近")
        for xml in (
            "",
            "x",
            "{}",
            "<xml/>",
            "<html/>",
            text[:-5],
            text.replace("FromUserName", "From"),
            text.replace("MsgId", "Id"),
            text.replace(phone.openid, "o' OR 1=1"),
            bomb + text.replace("附近", "&b;"),
            file + text.replace("附近", "&a;"),
            text.replace("附近", "&unknown;"),
            "<xml>" + "<a>" * 9 + "</a>" * 9 + "</xml>",
            phone.message("location", Location_X="NaN", Location_Y=111),
            phone.message("location", Location_X=95, Location_Y=111),
            phone.text("长" * 30_000),
        ):
            assert (await phone.delivers_once(xml)).status == 400, xml[:80]
        assert (await phone.verifies("")).status == 400
        assert (await phone.verifies("x" * 300)).status == 400


@in_both_modes
async def test_bodies_that_are_not_what_they_say(world: World, phone: Phone, caplog: pytest.LogCaptureFixture) -> None:
    query = phone.signed() | ({"encrypt_type": "aes"} if phone.aes_key else {})
    address = urlsplit(phone.url)
    start = f"POST {address.path}?{urlencode(query)} HTTP/1.1\r\nHost: x\r\n"
    bomb = gzip.compress(b"a" * 3_000_000)

    async def posts(headers: str, body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(f"{start}{headers}\r\n\r\n".encode() + body)
        if headers.endswith("100"):
            writer.write_eof()  # in the middle of it
        status = await reader.readline()
        writer.close()
        return status

    for headers, body in (
        ("Content-Encoding: gzip\r\nContent-Length: 5", b"<xml>"),
        (f"Content-Encoding: gzip\r\nContent-Length: {len(bomb)}", bomb),
        ("Content-Length: 3000000", b"a" * 3_000_000),
    ):
        assert b" 400 " in await posts(headers, body)
    assert await posts("Content-Length: 100", b"<xml>") == b""
    assert caplog.records == []
    assert world.mind.heard == []


async def test_closing_lets_what_is_in_hand_end(world: World, process: Process, phone: Phone) -> None:
    gate = Gate(world)
    asking = asyncio.create_task(phone.says("预约"))
    await gate.began.wait()
    closing = asyncio.create_task(process.channel.close())
    await asyncio.sleep(0)
    assert (await phone.delivers_once(phone.text("附近"))).status == 0
    gate.opens.set()
    await closing
    reply = await asking
    assert reply
    assert reply.text == "预约"
    assert world.mind.texts == ["预约"]
