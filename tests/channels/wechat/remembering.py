"""A memory that the processes of a test share."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.channels.wechat import Begun
from bot.channels.wechat.decode import Opens


@dataclass
class Row:
    user: str
    since: datetime
    until: datetime
    answer: bytes | None = None
    told: bool = True


class SharedMemory:
    """What a table would keep. `fails_with` is raised by everything; `opened` are the windows, in order.

    Whoever keeps something has to wait for `keeps`.
    """

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.opened: list[Opens] = []
        self.fails_with: Exception | None = None
        self.keeping_fails_with: Exception | None = None
        self.keeps = asyncio.Event()
        self.keeps.set()

    async def begin(self, key: str, user: str, *, opens: Opens, now: datetime, until: datetime) -> Begun:
        self._may_fail()
        row = self.rows.get(key)
        is_mine = row is None or (row.answer is None and row.until <= now)
        if row is None:
            row = self.rows[key] = Row(user, now, until)
            self.opened.append(opens)
        if is_mine:
            row.until = until
        return self._known(key, user, is_mine=is_mine, since=row.since, now=now)

    def _known(self, key: str, user: str, *, is_mine: bool, since: datetime, now: datetime) -> Begun:
        row = self.rows.get(key)
        others = [(other, one) for other, one in self.rows.items() if one.user == user and other != key]
        told = [one.answer for _key, one in others if one.answer is not None and one.told]
        return Begun(
            is_mine,
            since,
            row.answer if row else None,
            row.told if row else True,
            last=told[-1] if told else None,
            owed={other: one.answer for other, one in others if one.answer is not None and not one.told},
            is_busy=any(one.answer is None and one.since > now - timedelta(minutes=2) for _key, one in others),
        )

    async def look(self, key: str, user: str, *, now: datetime) -> Begun:
        self._may_fail()
        row = self.rows.get(key)
        return self._known(key, user, is_mine=row is None, since=row.since if row else now, now=now)

    def open(self, user: str, *, opens: Opens, at: datetime) -> None:
        self.opened.append(opens)

    def note(self, key: str, user: str, answer: bytes, *, now: datetime) -> None:
        self.rows.setdefault(key, Row(user, now, now, answer))

    async def settle(self) -> None:
        """Everything is written down at once."""

    async def keep(
        self,
        key: str,
        user: str,
        answer: bytes,
        *,
        told: bool,
        also: Collection[str] = (),
        shelf: Collection[str] = (),
        now: datetime,
    ) -> None:
        self._may_fail()
        if self.keeping_fails_with:
            raise self.keeping_fails_with
        await self.keeps.wait()
        row = self.rows.setdefault(key, Row(user, now, now))
        row.answer, row.told = answer, told
        for other in also:
            self.rows[other].told = True
        for other in shelf:
            self.rows.pop(other, None)

    async def forget(self, user: str) -> None:
        self._may_fail()
        self.rows = {key: row for key, row in self.rows.items() if row.user != user}

    def _may_fail(self) -> None:
        if self.fails_with:
            raise self.fails_with
