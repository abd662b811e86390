"""A chat in the terminal, for developers: buttons are numbered, `@35.02,110.99` shares a location."""

import asyncio
import itertools
import re
from collections.abc import Callable
from datetime import datetime

from aiohttp import web

from bot.channels import Absent, Hear
from bot.geo import in_range
from bot.messages import Address, Capabilities, Incoming, Location, Outgoing

_LOCATION = re.compile(r"@\s*(-?\d+(?:\.\d+)?)\s*[,，]\s*(-?\d+(?:\.\d+)?)")


class Terminal:
    """One person at a keyboard."""

    name = "terminal"
    can = Capabilities(buttons=False, asks_location=False, photo=False, pushes=False)

    def __init__(self, now: Callable[[], datetime], locale: str) -> None:
        self._now = now
        self._locale = locale
        self._write: Callable[[str], object] = lambda _text: None
        self._started = now().isoformat()

    async def listen(
        self, hear: Hear, read: Callable[[], str] = str, write: Callable[[str], object] = lambda _text: None
    ) -> None:
        """Hear line after line from `read` until it gives nothing, answering by `write`."""
        self._write = write
        me = Address(self.name, "you")
        for n in itertools.count():
            write("> ")
            line = await asyncio.to_thread(read)
            if not line:
                return
            answer = await hear(decode(line, me, f"{self._started}:{n}", self._now(), self._locale))
            for message in answer.direct:
                write(f"{message.text}\n")
            if answer.sent:
                await answer.sent

    async def send(self, to: Address, message: Outgoing) -> str:
        if to.user != "you":
            raise Absent("another terminal")
        self._write(f"{message.text}\n")
        return ""

    def routes(self, hear: Hear) -> list[web.AbstractRouteDef]:
        """Nothing comes in by the web server."""
        return []

    async def close(self) -> None:
        """There is nothing to close."""

    def present(self) -> set[str]:
        return {"you"}


def decode(line: str, sender: Address, key: str, at: datetime, locale: str) -> Incoming:
    """One typed line; `@lat,lng` is a location, WGS-84."""
    match = _LOCATION.fullmatch(line.strip())
    if match and in_range(float(match[1]), float(match[2])):
        place = Location(float(match[1]), float(match[2]))
        return Incoming(sender, key, at, location=place, locale=locale)
    return Incoming(sender, key, at, text=line.strip(), locale=locale)
