"""What the staff's pages know of the installation that serves them, beside its site."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bot.services.broadcasts.newsroom import Newsroom
from bot.services.desk import Desk
from bot.services.directory import Directory
from bot.services.weather import Prepared


@dataclass(frozen=True, slots=True)
class Console:
    """`prepared` are the words of weather warnings, and `ready` is what `/readyz` says.

    With `requires_totp` an admin sets up a second factor before anything else.
    """

    desk: Desk
    directory: Directory
    newsroom: Newsroom
    prepared: Prepared
    ready: Callable[[], Awaitable[Mapping[str, Any]]]
    requires_totp: bool = False


CONSOLE = web.AppKey("console", Console)
