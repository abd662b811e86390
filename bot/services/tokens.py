"""Tokens of platforms, one for all processes: whoever needs a new one first fetches it, the others wait for that."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from sqlalchemy import or_, update

from bot.database import Database, insert, rows_changed
from bot.models import AccessToken
from bot.seals import BrokenSeal, Seals

# A token is renewed so long before its end; until then the old one is used by everybody else.
EARLY = timedelta(minutes=5)
# How long fetching may take before somebody else tries.
LEASE = timedelta(seconds=15)
GLANCE = 0.2  # seconds between two looks at what another process is fetching
MOST_GLANCES = 50

PURPOSE = "access-token"

Fetch = Callable[[], Awaitable[tuple[str, timedelta]]]


class NoToken(TimeoutError):
    """Another process was to fetch the token, and did not."""


class Tokens:
    """Tokens by name, encrypted in the database; each process keeps a copy for as long as it holds."""

    def __init__(
        self,
        database: Database,
        seals: Seals,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._database = database
        self._seals = seals
        self._now = now
        self._sleep = sleep
        self._known: dict[str, tuple[str, datetime]] = {}
        self._fetching: dict[str, asyncio.Lock] = {}

    async def get(self, name: str, fetch: Fetch, *, refused: str = "") -> str:
        """The token `name`; `fetch` asks the platform for the next one and for how long it holds.

        One that the platform has `refused` is not given again. Raises what `fetch` raises, and NoToken.
        """
        if token := self._fresh(name, refused):
            return token
        async with self._fetching.setdefault(name, asyncio.Lock()):
            for _glance in range(MOST_GLANCES):
                value, until, is_mine = await self._look(name, refused)
                if is_mine:
                    return await self._fetch(name, fetch)
                if value and until and until > self._now():
                    self._known[name] = value, until
                    return value
                await self._sleep(GLANCE)
        raise NoToken(name)

    def _fresh(self, name: str, refused: str) -> str:
        value, until = self._known.get(name, ("", None))
        return value if until and value != refused and until - EARLY > self._now() else ""

    async def _look(self, name: str, refused: str) -> tuple[str, datetime | None, bool]:
        """The token as it is kept, empty if it is of no use; and whether it is ours to fetch the next one."""
        async with self._database.reading() as db:
            row = await db.get(AccessToken, name)
        value, now = self._opened(row), self._now()
        if value == refused:
            value = ""
        if row and value and row.until and row.until - EARLY > now:
            return value, row.until, False
        if row and row.renewing_until and row.renewing_until > now:
            return value, row.until, False
        return value, row.until if row else None, await self._claim(name, row.sealed if row else None)

    async def _claim(self, name: str, seen: bytes | None) -> bool:
        """Whether nobody else fetches the token that follows `seen`: one statement under the row's lock."""
        now = self._now()
        same = AccessToken.sealed.is_(None) if seen is None else AccessToken.sealed == seen
        free = or_(AccessToken.renewing_until.is_(None), AccessToken.renewing_until <= now)
        async with self._database.writing() as db:
            await db.execute(insert(db, AccessToken).values(name=name).on_conflict_do_nothing())
            mine = update(AccessToken).where(AccessToken.name == name, same, free).values(renewing_until=now + LEASE)
            return bool(await rows_changed(db, mine))

    async def _fetch(self, name: str, fetch: Fetch) -> str:
        """Fetch outside of any transaction, and keep what came."""
        kept: dict[str, object] = {"renewing_until": None}
        try:
            value, lasts = await fetch()
            until = self._now() + lasts
            kept |= {"sealed": self._seals.encrypt(value, PURPOSE), "until": until}
            self._known[name] = value, until
            return value
        finally:
            async with self._database.writing() as db:
                await db.execute(update(AccessToken).where(AccessToken.name == name).values(kept))

    def _opened(self, row: AccessToken | None) -> str:
        try:
            return self._seals.decrypt(row.sealed, PURPOSE) if row and row.sealed else ""
        except BrokenSeal:  # kept under another key
            return ""
