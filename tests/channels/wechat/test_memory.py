"""What is remembered of messages: the same by the tests' own memory and by a table, on each kind of database."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from structlog.testing import capture_logs

from bot.channels.wechat import Begun, Memory
from bot.channels.wechat.decode import CHANNEL, Opens
from bot.database import Database
from bot.models import Contact, Exchange, ReplyWindow, Rider
from bot.seals import Seals
from bot.services import exchanges, riders, windows
from bot.services.exchanges import Exchanges
from bot.services.windows import Grant, ReplyWindows
from tests.channels.wechat.conftest import NOW
from tests.channels.wechat.remembering import SharedMemory
from tests.program import until

LEASE = timedelta(seconds=9)
GRANTS = {"message": Grant(timedelta(hours=48), 5), "tap": Grant(timedelta(minutes=1), 3)}


def in_table(database: Database, secret: str = "for tests") -> Exchanges[Begun]:
    return Exchanges(database, CHANNEL, Seals(secret), Begun, GRANTS)


@pytest.fixture(params=["table", "tests' own"])
def memory(request: pytest.FixtureRequest, database: Database) -> Memory:
    return in_table(database) if request.param == "table" else SharedMemory()


async def begin(memory: Memory, key: str, user: str = "mei", opens: Opens = "", **later: float) -> Begun:
    now = NOW + timedelta(**later)
    return await memory.begin(key, user, opens=opens, now=now, until=now + LEASE)


async def keep(
    memory: Memory, key: str, answer: bytes, user: str = "mei", *, told: bool = True, **more: object
) -> None:
    await memory.keep(key, user, answer, told=told, now=NOW, **more)  # type: ignore[arg-type]  # which answers it tells


async def test_one_works_on_a_message_and_all_get_its_answer(memory: Memory) -> None:
    first = await begin(memory, "a")
    assert first == Begun(is_mine=True, since=NOW)
    second = await begin(memory, "a", seconds=5)
    assert (second.is_mine, second.since, second.answer) == (False, NOW, None)
    third = await begin(memory, "a", seconds=10)
    assert (third.is_mine, third.since) == (True, NOW), "whoever began it has taken too long"
    assert not (await begin(memory, "a", seconds=11)).is_mine
    await keep(memory, "a", b"yes")
    told = await begin(memory, "a", seconds=60)
    assert (told.is_mine, told.answer, told.told) == (False, b"yes", True)
    await keep(memory, "a", b"yes", told=False)
    assert not (await begin(memory, "a", seconds=61)).told


async def test_the_others_of_a_person_are_known_in_their_order(memory: Memory) -> None:
    for key in ("a", "b", "c", "d", "e"):
        await begin(memory, key)
    await begin(memory, "x", "lin")
    await keep(memory, "x", b"not hers", "lin", told=False)
    await keep(memory, "c", b"third")
    await keep(memory, "a", b"first")
    await keep(memory, "d", b"fourth", told=False)
    await keep(memory, "b", b"second", told=False)
    await keep(memory, "d#1", b"shelved", told=False)
    now = await begin(memory, "f")
    assert (now.last, list(now.owed.items()), now.is_busy) == (
        b"third",
        [("b", b"second"), ("d", b"fourth"), ("d#1", b"shelved")],
        True,
    )
    await keep(memory, "f", b"all", also=["b", "d"], shelf=["d#1", "gone"])
    later = await begin(memory, "g", minutes=3)
    assert (later.last, dict(later.owed), later.is_busy) == (b"all", {}, False)
    assert (await begin(memory, "d#1")).is_mine, "what was on the shelf is dropped"


async def test_looking_begins_nothing(memory: Memory) -> None:
    for _look in range(2):
        assert await memory.look("a", "mei", now=NOW) == Begun(is_mine=True, since=NOW)
    await begin(memory, "a")
    seen = await memory.look("a", "mei", now=NOW + timedelta(seconds=10))
    assert (seen.is_mine, seen.since, seen.answer) == (False, NOW, None), "somebody has begun it"
    await keep(memory, "a", b"yes")
    await keep(memory, "b", b"later", told=False)
    seen = await memory.look("a", "mei", now=NOW)
    assert (seen.is_mine, seen.answer, dict(seen.owed), seen.last) == (False, b"yes", {"b": b"later"}, None)
    await begin(memory, "d")
    seen = await memory.look("c", "mei", now=NOW)
    assert (seen.is_mine, seen.last, dict(seen.owed), seen.is_busy) == (True, b"yes", {"b": b"later"}, True)
    assert await memory.look("c", "lin", now=NOW) == Begun(is_mine=True, since=NOW)


async def test_what_was_told_and_not_begun_is_noted(memory: Memory) -> None:
    await keep(memory, "b", b"kept")
    for key, answer in (("b", b"else"), ("a", b"yes"), ("a", b"no")):
        memory.note(key, "mei", answer, now=NOW)
    await memory.settle()
    for key, answer in (("a", b"yes"), ("b", b"kept")):
        seen = await memory.look(key, "mei", now=NOW + timedelta(seconds=5))
        assert (seen.is_mine, seen.since, seen.answer, seen.told) == (False, NOW, answer, True)


async def test_what_is_noted_is_gathered_and_written_soon(database: Database) -> None:
    memory, other = in_table(database), in_table(database)
    for n in range(50):
        memory.note(f"k{n}", "mei", b"yes", now=NOW)
    assert (await other.look("k49", "mei", now=NOW)).answer is None, "nobody writes once for each"

    async def is_written() -> bool:
        return (await other.look("k49", "mei", now=NOW)).answer is not None

    await until(is_written)
    assert [(await other.look(f"k{n}", "mei", now=NOW)).answer for n in range(50)] == [b"yes"] * 50


async def test_what_is_noted_of_somebody_who_is_forgotten_is_dropped(database: Database) -> None:
    memory = in_table(database)
    memory.note("a", "mei", b"secret", now=NOW)
    await memory.forget("mei")
    await memory.settle()
    assert (await memory.look("a", "mei", now=NOW)).answer is None


async def test_nobody_reads_an_answer_without_the_secret(database: Database) -> None:
    memory, other = in_table(database), in_table(database, "another secret")
    memory.note("a", "mei", "直线约 830 米".encode(), now=NOW)
    await memory.settle()
    await keep(memory, "b", "直线约 830 米".encode(), told=False)
    async with database.reading() as db:
        kept = list(await db.scalars(select(Exchange.answer)))
    assert len(kept) == 2
    assert not any(b"830" in (answer or b"") for answer in kept)
    seen = await other.look("c", "mei", now=NOW)
    assert (seen.is_mine, seen.last, dict(seen.owed), seen.is_busy) == (True, None, {}, False)


async def test_somebody_is_forgotten_alone(memory: Memory) -> None:
    for user in ("mei", "lin"):
        await begin(memory, f"{user}1", user)
        await keep(memory, f"{user}1", b"secret", user)
    await memory.forget("mei")
    assert (await begin(memory, "mei2")).last is None
    assert (await begin(memory, "lin2", "lin")).last == b"secret"


async def test_many_processes_begin_a_message_once(database: Database) -> None:
    begun = await asyncio.gather(*(begin(in_table(database), "a") for _process in range(8)))
    assert sorted(one.is_mine for one in begun) == [False] * 7 + [True]
    later = await asyncio.gather(*(begin(in_table(database), "a", seconds=10) for _process in range(8)))
    assert sorted(one.is_mine for one in later) == [False] * 7 + [True]


async def meets(database: Database, user: str = "mei") -> int:
    async with database.writing() as db:
        rider = Rider(created_at=NOW)
        db.add(rider)
        await db.flush()
        contact = Contact(rider.id, CHANNEL, user, "zh_CN", NOW)
        db.add(contact)
        await db.flush()
        return contact.id


async def left(database: Database) -> list[tuple[timedelta, int]]:
    async with database.reading() as db:
        rows = await db.execute(select(ReplyWindow.until, ReplyWindow.remaining))
        return [(until - NOW, remaining) for until, remaining in rows]


async def test_a_message_opens_the_window_once_and_a_tap_only_what_is_closed(database: Database) -> None:
    memory, budget = in_table(database), ReplyWindows(database, CHANNEL)
    two_days, minute = GRANTS["message"].lasts, GRANTS["tap"].lasts
    await begin(memory, "a", opens="tap")
    assert await left(database) == [], "nobody knows them yet"
    await meets(database)
    await keep(memory, "a", b"hello")
    assert await left(database) == [(minute, 3)]
    await begin(memory, "b", opens="message")
    assert await left(database) == [(two_days, 5)]
    assert await budget.take("mei", 2, now=NOW)
    for late in ("b", "a"):
        await begin(memory, late, opens="message", seconds=20)
    await keep(memory, "b", b"welcome")
    await begin(memory, "c", opens="tap", seconds=1)
    assert await left(database) == [(two_days, 3)], "a retry opens nothing, and a tap does not shorten it"
    assert await budget.take("mei", 3, now=NOW)
    await begin(memory, "d", opens="tap", seconds=1)
    assert await left(database) == [(minute + timedelta(seconds=1), 3)]
    await begin(memory, "e", opens="")
    async with database.writing() as db:
        await windows.forget_old(db, now=NOW + two_days)
    assert await left(database) == []


async def test_windows_are_opened_together_by_the_same_rules(database: Database) -> None:
    memory, budget = in_table(database), ReplyWindows(database, CHANNEL)
    for user in ("mei", "lin"):
        await meets(database, user)
    memory.open("nobody", opens="message", at=NOW)
    memory.open("mei", opens="message", at=NOW)
    memory.open("mei", opens="tap", at=NOW)
    memory.open("lin", opens="tap", at=NOW)
    memory.open("lin", opens="", at=NOW)
    await memory.settle()
    two_days, minute = GRANTS["message"].lasts, GRANTS["tap"].lasts
    assert sorted(await left(database)) == [(minute, 3), (two_days, 5)]
    assert await budget.take("mei", 2, now=NOW)
    memory.open("mei", opens="message", at=NOW)
    await memory.settle()
    assert (two_days, 3) in await left(database), "a repeated delivery opens nothing"
    memory.open("mei", opens="message", at=NOW + timedelta(seconds=1))
    await memory.settle()
    assert (two_days + timedelta(seconds=1), 5) in await left(database)


async def test_windows_that_cannot_be_written_stop_nobody(database: Database) -> None:
    memory = in_table(database)
    await meets(database)
    async with database.engine.execution_options(writes=True).begin() as connection:
        await connection.execute(text("ALTER TABLE reply_windows RENAME TO away"))
    with capture_logs() as logs:
        memory.open("mei", opens="message", at=NOW)
        await memory.settle()
    assert [(one["event"], one["log_level"]) for one in logs] == [("windows not opened", "warning")]
    async with database.engine.execution_options(writes=True).begin() as connection:
        await connection.execute(text("ALTER TABLE away RENAME TO reply_windows"))
    memory.open("mei", opens="message", at=NOW)
    await memory.settle()
    assert len(await left(database)) == 1


async def test_the_budget_is_kept_by_any_number_of_processes(database: Database) -> None:
    contact = await meets(database)
    await begin(in_table(database), "a", opens="message")
    budget = ReplyWindows(database, CHANNEL)
    taken = await asyncio.gather(*(budget.take("mei", 1, now=NOW) for _process in range(9)))
    until = NOW + timedelta(hours=48)
    assert sorted(map(str, taken)) == [str(until)] * 5 + ["None"] * 4
    await budget.give_back("mei", 2, until=until)
    await budget.give_back("mei", 2, until=until - timedelta(hours=1))
    assert await left(database) == [(timedelta(hours=48), 2)], "of a window that is over nothing comes back"
    assert await budget.take("mei", 3, now=NOW) is None
    assert await budget.take("mei", 2, now=until) is None
    assert await budget.take("lin", 1, now=NOW) is None
    await budget.close("mei", until=until)
    assert await left(database) == [(timedelta(hours=48), 0)]
    await begin(in_table(database), "b", opens="message", seconds=1)
    async with database.writing() as db:
        (await db.get_one(Contact, contact)).stopped_at = NOW
    assert await budget.take("mei", 1, now=NOW) is None, "who left is not written to"


async def test_what_is_old_is_dropped_and_who_is_erased_leaves_nothing(database: Database) -> None:
    memory = in_table(database)
    contact = await meets(database)
    for key, user, told in (("told", "mei", True), ("owed", "mei", False), ("theirs", "lin", True)):
        await begin(memory, key, user)
        await keep(memory, key, b"answer", user, told=told)
    await begin(memory, "unanswered")

    async def keys() -> list[str]:
        async with database.reading() as db:
            return sorted(await db.scalars(select(Exchange.key)))

    for days, there in ((0, ["owed", "theirs", "told", "unanswered"]), (2, ["owed"]), (31, list[str]())):
        async with database.writing() as db:
            await exchanges.forget_old(db, now=NOW + timedelta(days=days))
        assert await keys() == there
    await begin(memory, "again", opens="message")
    await begin(memory, "theirs", "lin")
    async with database.writing() as db:
        await riders.erase(db, (await db.get_one(Contact, contact)).rider_id)
    assert await keys() == ["theirs"]
    assert await left(database) == []
