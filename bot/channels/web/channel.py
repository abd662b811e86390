"""The WebSocket at `/chat/ws`: who is there, and what they are told."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from aiohttp import WSCloseCode, web

from bot.channels import Absent, Hear
from bot.channels.web import frames
from bot.channels.web.sessions import Sessions, language_hint, origin_fits, show
from bot.channels.web.visit import CHANNEL, Visit, Wiring
from bot.messages import Address, Capabilities, Outgoing

HEARTBEAT = 25.0  # seconds between pings; an answer must come within half of that
GOODBYE = 0.5  # seconds that a tab has to confirm that the socket closes


class WebChannel:
    """The chat page, as one of the channels.

    `sign` makes a token of a session's id and `verify` gives the id back, or None for a token that is not
    ours. `say(code, language)` words an error of `frames.ERRORS`. `network` hides a request's
    network address. `arrived` is awaited whenever somebody
    comes back, so that what waited for them is sent. `knows` says whether anything is kept of somebody: the
    conversation of who was erased is not resumed, a new one begins. What `is_urgent` is heard at any pace. A socket
    that says nothing within `grace` seconds is told its new session; one opened with `?resume` has a frame to say
    first.
    """

    name = CHANNEL
    can = Capabilities(pushes=False)

    def __init__(
        self,
        sign: Callable[[str], str],
        verify: Callable[[str], str | None],
        *,
        now: Callable[[], datetime],
        say: Callable[[str, str], str],
        arrived: Callable[[Address], Awaitable[None]],
        knows: Callable[[Address], Awaitable[bool]],
        is_urgent: Callable[[str], bool],
        public_url: str = "",
        network: Callable[[web.Request], str] = lambda _request: "",
        grace: float = 0.25,
        most_sessions: int = 5_000,
    ) -> None:
        self._wiring = Wiring(sign, verify, now, say, arrived, knows, is_urgent, grace)
        self._public_url = public_url
        self._network = network
        self._sessions = Sessions(most_sessions, now)
        self._telling: set[asyncio.Task[bool]] = set()

    def routes(self, hear: Hear) -> list[web.AbstractRouteDef]:
        """Where the page connects; what it says goes to `hear`."""

        async def connect(request: web.Request) -> web.StreamResponse:
            return await self._connect(request, hear)

        return [web.get("/chat/ws", connect)]

    async def listen(self, hear: Hear) -> None:
        """Everything comes in by the route, so there is nothing to fetch."""
        await asyncio.Event().wait()

    async def send(self, to: Address, message: Outgoing) -> str:
        """Show `message` in every open tab and return its id; raises Absent where there is none."""
        session = self._sessions.find(to.user)
        if session is None or not session.sockets:
            raise Absent("no page is open")
        number, frame = self._sessions.numbered(message)
        if not await show(session, frame):
            raise Absent("the page went away")
        session.messages.append((number, frame))
        return str(number)

    def speaks(self, to: Address, locale: str) -> None:
        """Show the page itself in `locale` too, in every open tab."""
        if session := self._sessions.find(to.user):
            task = asyncio.create_task(show(session, frames.written(frames.language(locale))))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    def present(self) -> set[str]:
        """The users who have the page open now."""
        return self._sessions.present()

    async def forget_old(self) -> None:
        """Let go of what is remembered no longer; meant to be called every minute or so."""
        self._sessions.forget_old()

    async def close(self) -> None:
        """Take no more frames and close every socket; turns in hand are finished first."""
        self._sessions.closing = True
        await asyncio.gather(*(socket.close(code=WSCloseCode.GOING_AWAY) for socket in self._sessions.sockets()))

    async def _connect(self, request: web.Request, hear: Hear) -> web.StreamResponse:
        if not origin_fits(request.headers.get("Origin"), request.host, self._public_url):
            raise web.HTTPForbidden(text="foreign origin")
        if self._sessions.closing:
            raise web.HTTPServiceUnavailable
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT, timeout=GOODBYE, max_msg_size=frames.LARGEST_FRAME + 1)
        await socket.prepare(request)
        visit = Visit(
            self._wiring,
            self._sessions,
            socket,
            hear=hear,
            language=language_hint(request),
            network=self._network(request),
        )
        await visit.run("resume" in request.query)
        return socket
