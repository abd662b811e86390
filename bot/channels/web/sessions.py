"""Who is on the page now, and the last words of each conversation, kept in memory: not many, and not long."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from aiohttp import ClientConnectionResetError, WSCloseCode, web

from bot.channels.web import frames
from bot.messages import Outgoing

REMEMBERED = 50
REMEMBERED_FOR = timedelta(hours=1)
PATIENCE = 5.0  # seconds that one tab may take to accept a frame


@dataclass(slots=True, eq=False)
class Session:
    """One conversation; `lock` keeps its turns in order over all its tabs."""

    user: str
    visits: int = 0
    sockets: set[web.WebSocketResponse] = field(default_factory=set)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    messages: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    done: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def after(self, number: int) -> list[tuple[int, str]]:
        """The remembered messages later than `number`: ids and frames."""
        return [message for message in self.messages if message[0] > number]

    def newest(self) -> int:
        return self.messages[-1][0] if self.messages else 0

    def forget(self, before: int) -> None:
        """Drop the messages with ids below `before`."""
        while self.messages and self.messages[0][0] < before:
            self.messages.popleft()


class Sessions:
    """All conversations of this process. Those without an open tab are forgotten, longest unused first."""

    def __init__(self, most: int, now: Callable[[], datetime]) -> None:
        self.closing = False
        self._most = most
        self._now = now
        self._numbers = Numbers(now)
        self._all: OrderedDict[str, Session] = OrderedDict()

    def enter(self, user: str) -> Session:
        """A visit to the session of `user` begins; it is made if it is not known here."""
        session = self._all.get(user) or Session(user)
        session.visits += 1
        self._all[user] = session
        self._all.move_to_end(user)
        self._forget()
        return session

    def present(self) -> set[str]:
        return {session.user for session in self._all.values() if session.sockets}

    def find(self, user: str) -> Session | None:
        return self._all.get(user)

    def sockets(self) -> list[web.WebSocketResponse]:
        return [socket for session in self._all.values() for socket in session.sockets]

    def leave(self, session: Session, socket: web.WebSocketResponse) -> None:
        """A visit ends; a conversation in which nothing was said is forgotten with its last one."""
        session.visits -= 1
        session.sockets.discard(socket)
        if not (session.visits or session.messages or session.done):
            self._all.pop(session.user, None)

    def numbered(self, message: Outgoing) -> tuple[int, str]:
        """A new id, and `message` written as the frame that carries it."""
        number = self._numbers.next()
        return number, frames.written(frames.message(number, message))

    def erase(self, user: str) -> None:
        """Forget what was said to `user`; open tabs stay in the conversation."""
        if session := self._all.get(user):
            session.messages.clear()
            session.done.clear()

    def forget_old(self) -> None:
        """Drop messages older than REMEMBERED_FOR, and the conversations in which nobody is and nothing is left."""
        oldest = microseconds(self._now() - REMEMBERED_FOR)
        for session in list(self._all.values()):
            session.forget(oldest)
            if not (session.visits or session.messages):
                del self._all[session.user]

    def _forget(self) -> None:
        spare = len(self._all) - self._most
        if spare <= 0:
            return
        idle = [s.user for s in self._all.values() if not s.visits]
        for user in idle[:spare]:
            del self._all[user]


class Numbers:
    """Message ids: rising integers, also over a restart because they start at the clock's microseconds."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._last = 0

    def next(self) -> int:
        self._last = max(self._last + 1, microseconds(self._now()))
        return self._last


def microseconds(at: datetime) -> int:
    """The id that a message of this moment has."""
    return int(at.timestamp() * 1_000_000)


class Pace:
    """A bucket of tokens: `burst` at once, then `rate` a second."""

    def __init__(self, rate: float, burst: int, seconds: Callable[[], float]) -> None:
        self._rate, self._burst, self._seconds = rate, burst, seconds
        self._left, self._at = float(burst), seconds()

    def allows(self) -> bool:
        now = self._seconds()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


async def show(session: Session, frame: str) -> bool:
    """Write to every open tab at once; whether any took it."""
    took = await asyncio.gather(*(write(socket, frame) for socket in session.sockets))
    return any(took)


async def write(socket: web.WebSocketResponse, frame: str) -> bool:
    """Whether the tab took the frame; one that takes too long is cut off, and comes back by itself."""
    try:
        async with asyncio.timeout(PATIENCE):
            await socket.send_str(frame)
    except TimeoutError:
        await socket.close(code=WSCloseCode.TRY_AGAIN_LATER)
        return False
    except (ClientConnectionResetError, RuntimeError):  # RuntimeError: the socket was closed on our side
        return False
    return True


def origin_fits(origin: str | None, host: str, public_url: str) -> bool:
    """Whether `origin` may open a socket: no page at all, one of this host, or of the public address."""
    if origin is None:
        return True
    scheme, _separator, rest = origin.partition("://")
    if scheme not in ("http", "https"):
        return False
    public = urlsplit(public_url)
    return rest == host or (scheme, rest) == (public.scheme, public.netloc)


def language_hint(request: web.Request) -> str:
    """The language that the page names, else the browser's first."""
    first = request.headers.get("Accept-Language", "").partition(",")[0].partition(";")[0]
    return request.query.get("lang", first).strip()[:20]
