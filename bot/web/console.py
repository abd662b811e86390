"""What the staff's pages know of the installation that serves them, beside its site."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bot.services.broadcasts.newsroom import Newsroom
from bot.services.desk import Desk
from bot.services.directory import Directory
from bot.services.weather import Prepared


def _nobody_remembers(_address: str) -> None:
    """A process in which nobody chats has nothing to forget."""


@dataclass(frozen=True, slots=True)
class Console:
    """`prepared` are the words of weather warnings, and `ready` is what `/readyz` says.

    With `requires_totp` an admin sets up a second factor before anything else. `person_changed` hears the address
    (`channel:user`) of whoever is no longer as this process remembers them.
    """

    desk: Desk
    directory: Directory
    newsroom: Newsroom
    prepared: Prepared
    ready: Callable[[], Awaitable[Mapping[str, Any]]]
    requires_totp: bool = False
    person_changed: Callable[[str], None] = _nobody_remembers


CONSOLE = web.AppKey("console", Console)
