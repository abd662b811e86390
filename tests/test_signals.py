"""What one process changes, the others hear of."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import Any

import pytest
from sqlalchemy import select

from bot.app import Program
from bot.conversation.turn import Person
from bot.messages import Address, Incoming
from bot.models import Contact
from bot.services import linking
from bot.settings import Settings
from tests.program import NOON, until

NOW = datetime.fromisoformat(NOON)
MEI, ELSEWHERE, STRANGER = (Address("web", user) for user in ("mei", "mei-elsewhere", "stranger"))
KEYS = count()


@pytest.fixture
async def programs(database_url: str, database: Any) -> AsyncIterator[tuple[Program, Program]]:
    """Two processes of one installation."""
    given: dict[str, Any] = {"database_url": database_url, "secret_key": "a key that all processes have"}
    settings = Settings(demo=True, clock=NOW, **given)
    async with AsyncExitStack() as stack:
        here, there = (Program(settings, settings.secret_key, talks=False, works=False) for _n in range(2))
        for program in (here, there):
            stack.push_async_callback(program.stop)
            program.engine.people.keep(Person(0, 0, STRANGER, "en"))
            await program.start()
            # Every copy is dropped once the process listens.
            await until(lambda: program.engine.people.get(STRANGER) is None)  # noqa: B023 (waited for)
        yield here, there


async def hears(program: Program, who: Address, **what: Any) -> str:
    """Let `who` say something to a process; returns what it answers directly."""
    heard = Incoming(who, f"k{next(KEYS)}", NOW, locale="en", **what)
    answer = await program.ears.hear_on(program.channels["web"])(heard)
    if answer.sent:
        await answer.sent
    return "\n".join(message.text for message in answer.direct)


async def code_for(program: Program, who: Address) -> str:
    async with program.database.writing() as db:
        query = select(Contact.rider_id).where(Contact.channel == who.channel, Contact.user == who.user)
        rider_id = (await db.scalars(query)).one()
        return await linking.issue(db, rider_id, now=NOW, desk=program.desk)


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_who_was_linked_at_one_process_is_known_anew_at_the_other(programs: tuple[Program, Program]) -> None:
    here, there = programs
    await hears(here, MEI, pressed="drive.truck")
    for _time in range(2):
        assert "Vehicle: not given" in await hears(there, ELSEWHERE, text="/settings")
    assert there.engine.people.get(ELSEWHERE)
    await hears(here, MEI, text=f"/link {await code_for(here, ELSEWHERE)}")
    await until(lambda: there.engine.people.get(ELSEWHERE) is None)
    assert "Truck" in await hears(there, ELSEWHERE, text="/settings")


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_who_erased_themselves_at_one_process_is_a_stranger_at_the_other(
    programs: tuple[Program, Program],
) -> None:
    here, there = programs
    await hears(here, MEI, pressed="drive.truck")
    await hears(here, ELSEWHERE, text=f"/link {await code_for(here, MEI)}")
    for who in (MEI, ELSEWHERE):
        assert "Truck" in await hears(there, who, text="/settings")
    await hears(here, MEI, pressed=f"forget.{int(NOW.timestamp()) // 60}")
    for who in (MEI, ELSEWHERE):
        await until(lambda: there.engine.people.get(who) is None)  # noqa: B023 (waited for)
        assert here.engine.people.get(who) is None
        assert "Vehicle: not given" in await hears(there, who, text="/settings")


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_a_dialog_that_begins_at_one_process_may_end_at_the_other(programs: tuple[Program, Program]) -> None:
    here, there = programs
    for _time in range(2):
        await hears(there, MEI, text="/settings")
    await hears(here, MEI, text="/report")
    await until(lambda: there.engine.people.get(MEI) is None)
    await hears(there, MEI, text="/cancel")
    known = there.engine.people.get(MEI)
    assert known
    assert not known.dialog
    # Nobody tells that it is over: who still believes in it finds that out by looking.
    here.engine.people.keep(replace(known, dialog=True))
    assert "Vehicle: not given" in await hears(here, MEI, text="/settings")


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_who_erased_themselves_is_a_stranger_at_their_other_address(database_url: str, database: Any) -> None:
    given: dict[str, Any] = {"database_url": database_url, "secret_key": "a key that all processes have"}
    settings = Settings(demo=True, clock=NOW, **given)
    program = Program(settings, settings.secret_key, talks=False, works=False)
    await hears(program, MEI, pressed="drive.truck")
    await hears(program, ELSEWHERE, text=f"/link {await code_for(program, MEI)}")
    assert "Truck" in await hears(program, ELSEWHERE, text="/settings")
    await hears(program, MEI, pressed=f"forget.{int(NOW.timestamp()) // 60}")
    assert "Vehicle: not given" in await hears(program, ELSEWHERE, text="/settings")
    await program.stop()
