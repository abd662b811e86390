"""The console in tests: one account for each role, logged in, and a clock that can be moved."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import pytest
from aiohttp import ClientResponse, DummyCookieJar, FormData, web
from aiohttp.test_utils import TestClient, TestServer
from argon2 import PasswordHasher
from sqlalchemy.ext.asyncio import AsyncSession

from bot.database import Database
from bot.messages import Capabilities
from bot.seals import Seals
from bot.services import authority, staff, weather
from bot.services.authority import Member
from bot.services.broadcasts.audience import Reach
from bot.services.broadcasts.newsroom import Newsroom
from bot.services.desk import Desk as BookingDesk
from bot.services.directory import Directory
from bot.services.staff import ROLES
from bot.web.console import Console
from bot.web.server import build_app
from bot.web.site import Site
from bot.web.staff import SESSION_COOKIE
from tests.web.scripted import CITY, NOON, ZONE, voice

PASSWORD = "correct horse battery"
COUNTY = "140802"
REACH = Reach(
    pushing=frozenset({"buttons"}),
    windowed=frozenset(),
    present=frozenset({"web"}),
    editing=frozenset({"buttons"}),
    limits={"buttons": Capabilities().text_limit, "web": Capabilities().text_limit},
)


@dataclass
class Browser:
    """Somebody who is logged in; `cookie` and `csrf` are those of their session."""

    client: TestClient[web.Request, web.Application]
    cookie: str
    csrf: str
    member: Member

    async def get(self, path: str, **headers: str) -> ClientResponse:
        """What an address answers, in English; redirects are not followed."""
        return await self.client.get(path, headers=self._headers(headers), allow_redirects=False)

    async def reads(self, path: str, **headers: str) -> str:
        """The page at an address, which must be there."""
        response = await self.get(path, **headers)
        page = await response.text()
        assert response.status == 200, (path, response.status, page)
        return page

    async def post(
        self, path: str, fields: Mapping[str, Any] | FormData | None = None, **headers: str
    ) -> ClientResponse:
        """Send a form with the session's token; redirects are not followed.

        A field of several values is a list; a file comes in a FormData of one's own, and the token in a header.
        """
        sent = self._headers(headers)
        data: FormData | list[tuple[str, str]]
        if isinstance(fields, FormData):
            data, sent = fields, {"X-CSRF": self.csrf} | sent
        else:
            data = [("csrf", self.csrf)]
            for name, value in (fields or {}).items():
                data += [(name, str(each)) for each in (value if isinstance(value, list | tuple) else [value])]
        return await self.client.post(path, data=data, headers=sent, allow_redirects=False)

    def _headers(self, more: Mapping[str, str]) -> dict[str, str]:
        own = {"Accept": "text/html", "Accept-Language": "en"}
        return own | ({"Cookie": f"{SESSION_COOKIE}={self.cookie}"} if self.cookie else {}) | dict(more)


class Desk:
    """A console with one account for each role (its login is the role) and `now`, which a test may move."""

    def __init__(self, database: Database, *, public_url: str = "", requires_totp: bool = False) -> None:
        self.now: datetime = NOON
        self.database = database
        self.seals = Seals("a secret for tests")
        self.directory = Directory(ZONE, demo=False)
        self.console = console_for(self.seals, self.directory, requires_totp=requires_totp)
        site = Site(CITY, database, lambda: self.now, voice, public_url=public_url)
        app = build_app(site, console=self.console)
        self.client: TestClient[web.Request, web.Application] = TestClient(TestServer(app), cookie_jar=DummyCookieJar())
        self._browsers: dict[str, Browser] = {}

    async def opens(self) -> None:
        """Make the accounts, and log each of them in."""
        async with self.database.writing() as db:
            for role in ROLES:
                counties = [COUNTY] if role == "county" else []
                await staff.add(db, role, role, counties=counties, password_hash=password_hash(), now=self.now)
            for role in ROLES:
                self._browsers[role] = await self._opened(db, role)

    async def logged_in(self, login: str) -> Browser:
        """One more browser in which somebody is logged in."""
        async with self.database.writing() as db:
            return await self._opened(db, login)

    def as_role(self, role: str) -> Browser:
        """The browser of the account with that role."""
        return self._browsers[role]

    @property
    def stranger(self) -> Browser:
        """Somebody who is not logged in."""
        return Browser(self.client, "", "", Member(0, "", "viewer", ()))

    async def _opened(self, db: AsyncSession, login: str) -> Browser:
        member = await authority.member_called(db, login)
        opened = await staff.open_session(db, member.id, self.now)
        return Browser(self.client, opened.token, opened.csrf, member)

    async def refresh(self) -> None:
        """Load the places into the directory, as the program's loop does."""
        async with self.database.reading() as db:
            await self.directory.refresh(db)


def console_for(seals: Seals, directory: Directory, *, requires_totp: bool = False) -> Console:
    """What the pages work with, of an installation where all is well."""
    return Console(
        desk=BookingDesk(seals, ZONE, public_url="https://nuanxin.example"),
        directory=directory,
        newsroom=Newsroom(REACH, ZONE),
        prepared=weather.prepared(CITY.folder),
        ready=_ready,
        requires_totp=requires_totp,
    )


async def _ready() -> Mapping[str, Any]:
    return {"ready": True, "database": True, "migrations": True, "directory": True, "loops": {}, "paused": {}}


@cache
def password_hash() -> str:
    """The hash of PASSWORD, made once and with cheap parameters."""
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    desk = Desk(database)
    await desk.opens()
    async with desk.client:
        yield desk


@pytest.fixture
def as_role(desk: Desk) -> Callable[[str], Browser]:
    """The browser in which the account of a role is logged in: `as_role("editor")`."""
    return desk.as_role
