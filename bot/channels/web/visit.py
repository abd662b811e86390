"""One socket of the chat page, from its opening to its end."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from aiohttp import WSMsgType, web

from bot.channels import Answer, Hear, Unheard
from bot.channels.web import frames
from bot.channels.web.sessions import Pace, Session, Sessions, show, write
from bot.messages import Address, Incoming, Photo

log = logging.getLogger(__name__)

PATIENCE = 5.0  # seconds that a turn's other messages may take before it counts as done
FIRST_FRAME = 15.0  # seconds that a page which said it will resume may take to do so
CHANNEL = "web"
RATE, BURST = 10.0, 20  # frames a second, and at once


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the channel is given by the program; see WebChannel."""

    sign: Callable[[str], str]
    verify: Callable[[str], str | None]
    now: Callable[[], datetime]
    say: Callable[[str, str], str]
    arrived: Callable[[Address], Awaitable[None]]
    knows: Callable[[Address], Awaitable[bool]]
    is_urgent: Callable[[str], bool]
    grace: float


class Visit:
    """One socket from its opening to its end; its frames are handled in order."""

    def __init__(
        self,
        wiring: Wiring,
        sessions: Sessions,
        socket: web.WebSocketResponse,
        *,
        hear: Hear,
        language: str,
        network: str,
    ) -> None:
        self._wiring = wiring
        self._sessions = sessions
        self._socket = socket
        self._hear = hear
        self._language = language
        self._network = network
        self._session: Session | None = None
        self._pace = Pace(RATE, BURST, asyncio.get_running_loop().time)
        self._has_spoken = False

    async def run(self, will_resume: bool) -> None:
        try:
            await self._greet(will_resume)
            async for message in self._socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    await self._receive(message.data)
        finally:
            if self._session:
                self._sessions.leave(self._session, self._socket)

    async def _greet(self, will_resume: bool) -> None:
        try:
            first = await self._socket.receive(timeout=FIRST_FRAME if will_resume else self._wiring.grace)
        except TimeoutError:
            await self._begin(_new_user())
            return
        if first.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            await self._receive(first.data)

    async def _receive(self, raw: str | bytes) -> None:
        if self._sessions.closing:
            return
        is_first, self._has_spoken = not self._has_spoken, True
        try:
            said = frames.read(raw)
            if isinstance(said, frames.Resume):
                if not is_first:
                    raise frames.BadFrame("late_resume")
                await self._resume(said)
                return
            if not (self._pace.allows() or self._wiring.is_urgent(said.text)):
                raise frames.BadFrame("slow_down", said.key)
        except frames.BadFrame as bad:
            await self._begin_if_new()
            await self._refuse(bad.code, bad.key)
            return
        await self._take(said, await self._begin_if_new())

    async def _begin_if_new(self) -> Session:
        return self._session or await self._begin(_new_user())

    async def _begin(self, user: str, after: int | None = None) -> Session:
        """Enter the session of `user`: its token goes out first, then what came `after`, then new things."""
        if self._session:
            self._sessions.leave(self._session, self._socket)
        session = self._session = self._sessions.enter(user)
        await self._write(frames.written(frames.session(self._wiring.sign(user))))
        seen = session.newest() if after is None else after
        # Nothing is awaited between the last look and the entry: no message is missed or overtaken.
        while later := session.after(seen):
            for number, frame in later:
                await self._write(frame)
                seen = number
        session.sockets.add(self._socket)
        return session

    async def _resume(self, wish: frames.Resume) -> None:
        user = self._wiring.verify(wish.token)
        if user is None:
            await self._begin(_new_user())
            return
        # Who has seen messages and is known no more was erased, perhaps from another chat of theirs.
        if wish.after and not await self._knows(user):
            self._sessions.erase(user)
            await self._begin(_new_user())
            return
        await self._begin(user, wish.after)
        try:
            await self._wiring.arrived(Address(CHANNEL, user))
        except Exception:
            log.exception("what waited was not sent")

    async def _knows(self, user: str) -> bool:
        try:
            return await self._wiring.knows(Address(CHANNEL, user))
        except Exception:
            log.exception("nobody could be asked who comes back")
            return True

    async def _take(self, said: frames.Said, session: Session) -> None:
        key = said.key or secrets.token_urlsafe(12)
        async with session.lock:
            # A key may come again by another socket while its first turn runs: the lock made it wait.
            if key not in session.done:
                try:
                    answer = await self._hear(self._incoming(said, session.user, key))
                except Exception as error:
                    if not isinstance(error, Unheard):
                        log.exception("turn failed")
                    await self._refuse("failed", said.key)
                    return
                await self._tell(session, answer)
                session.done.append(key)
        if said.key:
            await self._write(frames.written(frames.done(said.key)))

    def _incoming(self, said: frames.Said, user: str, key: str) -> Incoming:
        return Incoming(
            sender=Address(CHANNEL, user),
            key=f"{user}:{key}",
            at=self._wiring.now(),
            text=said.text,
            pressed=said.pressed,
            location=said.location,
            locale=self._language,
            event=said.event,
            network=self._network,
            photo=Photo(file=said.photo) if said.photo else None,
        )

    async def _tell(self, session: Session, answer: Answer) -> None:
        """Carry the direct answers, remembered first: a tab that is gone finds them when it resumes."""
        for message in answer.direct:
            if message.erased:
                self._sessions.erase(session.user)
            number, frame = self._sessions.numbered(message)
            session.messages.append((number, frame))
            await show(session, frame)
        if answer.sent is not None:
            await asyncio.wait([asyncio.ensure_future(answer.sent)], timeout=PATIENCE)

    async def _refuse(self, code: str, key: str) -> None:
        words = self._wiring.say(code, self._language)
        await self._write(frames.written(frames.error(code, words, key)))

    async def _write(self, frame: str) -> None:
        await write(self._socket, frame)


def _new_user() -> str:
    return secrets.token_urlsafe(16)
