"""What every channel offers, and how sending can fail."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import timedelta
from typing import NamedTuple, Protocol, runtime_checkable

from aiohttp import web

from bot.callbacks import Callback
from bot.messages import Address, Capabilities, Incoming, Outgoing


class Undelivered(Exception):
    """A message did not go out, for `reason`. `retry_in` says when to try again; None means never."""

    def __init__(self, reason: str, *, retry_in: timedelta | None = None) -> None:
        super().__init__(reason)
        self.retry_in = retry_in


class Throttled(Undelivered):
    """The platform asks the whole channel to wait for `retry_in`; no attempt is counted."""


class Unreachable(Undelivered):
    """The person blocked or left us; nothing more is sent there until they write again."""


class Absent(Undelivered):
    """The person is not there now and the channel cannot push: the message waits for their next contact."""


class Unheard(Exception):
    """Nobody can be heard at present, as without a database: nothing happened, and whoever raises it has said so."""


class Answer(NamedTuple):
    """What came of hearing one message.

    `direct` is for the channel itself to carry to the person: nothing was written, so nothing is recorded.
    `sent` is done when everything else that was said has been tried once; waiting for it is optional.
    """

    direct: tuple[Outgoing, ...] = ()
    sent: Awaitable[None] | None = None


# Raises Unheard, or whatever a bug raises.
Hear = Callable[[Incoming], Awaitable[Answer]]
# The same of what nothing but reading comes of; of anything else nothing happens, and the answer is None.
Read = Callable[[Incoming], Awaitable[Answer | None]]


# What `Hear` would answer directly, where that is known without waiting; None where it is not, and nothing happened.
AtOnce = Callable[[Incoming], Answer | None]


def unsure(_heard: Incoming) -> None:
    """Knows no answer at once."""


class Channel(Protocol):
    """A way to people. Decoding and encoding are pure functions beside it; these two only do I/O."""

    name: str
    can: Capabilities

    def routes(self, hear: Hear) -> Sequence[web.AbstractRouteDef]:
        """Where the platform, or the person's browser, calls us."""

    async def listen(self, hear: Hear) -> None:
        """Pass everything that comes in by itself to `hear` until cancelled."""

    async def send(self, to: Address, message: Outgoing) -> str:
        """Send now and return the platform's id for it; raises Undelivered or a kind of it."""

    async def close(self) -> None:
        """Let go of every connection."""


@runtime_checkable
class Listener(Protocol):
    """A channel whose platform is asked for what is new, or else is kept posting it to us."""

    by_webhook: bool

    async def start(self) -> None:
        """Make ready for sending; asks nothing of the platform yet."""

    async def listen(self, hear: Hear) -> None:
        """Until cancelled, keep the platform posting, or ask it for what is new."""


@runtime_checkable
class Called(Protocol):
    """A channel whose platform posts what people say to an address of ours."""

    def callback(self, hear: Hear, at_once: AtOnce = unsure) -> Callback:
        """What answers there; what it brings goes to `hear` unless `at_once` knows the answer."""


@runtime_checkable
class Linked(Protocol):
    """A channel with a name that links on other pages lead to; empty until the platform has told it."""

    username: str


@runtime_checkable
class Polyglot(Protocol):
    """A channel that shows words of its own beside the conversation, such as a menu of commands."""

    def speaks(self, to: Address, locale: str) -> None:
        """This person chose `locale`: from now on show them those words in it. Goes on in the background."""


@runtime_checkable
class Photographer(Protocol):
    """A channel that names the pictures which people send, and fetches one on demand."""

    async def fetch(self, name: str) -> bytes | None:
        """The picture of that name; None where it cannot be had, or is larger than a picture needs to be."""


@runtime_checkable
class Presence(Protocol):
    """A channel that cannot push: it reaches only those who are there now, in this process."""

    def present(self) -> Collection[str]:
        """The users who can be reached at this moment."""
