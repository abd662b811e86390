"""The load: many riders who share their location over kept-open connections, as Telegram delivers it."""

import asyncio
import random
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.webhook.places import positions
from bench.webhook.standin import FIRST_USER
from bench.webhook.wire import Wire

PATIENCE = 10.0
"""Seconds after which a turn without an answer counts as lost."""


@dataclass(slots=True, eq=False)
class Rider:
    """One chat; its next update is only delivered when the last was confirmed and answered."""

    id: int
    head: bytes
    due: float = 0.0
    turns: int = 0
    answered: bool = True
    confirmed: bool = True


@dataclass(slots=True)
class Tally:
    """What happened between two moments. `latencies` are seconds from when a turn was due to its answer."""

    seconds: float = 0.0
    turns: int = 0
    direct: int = 0
    extra: int = 0
    refused: int = 0
    busy: float = 0.0
    latencies: list[float] = field(default_factory=list)


class Load:
    """Drives one server: `hold` keeps turns in flight (closed loop), `offer` starts some a second (open)."""

    def __init__(self, port: int, path: str, secret: str, *, connections: int, riders: int) -> None:
        self.tally = Tally()
        self.last_answer: dict[int, bytes] = {}
        self.keep_answers = False
        self._port, self._connections = port, connections
        ids = range(FIRST_USER, FIRST_USER + riders)
        self._riders = {user: Rider(user, _head(user, port, path, secret)) for user in ids}
        self._idle = deque(self._riders.values())
        self._all: list[_Connection] = []
        self._free: list[_Connection] = []
        self._backlog: deque[float] = deque()
        self._positions = positions(4096)
        self._tails = [b'"location":{"latitude":%.6f,"longitude":%.6f}}}' % place for place in self._positions]
        self._target = 0
        self._in_flight = 0
        self._update = 100_000_000
        self._is_closing = False

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(self._connections):
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._port)

    def close(self) -> None:
        self._is_closing = True
        for connection in self._all:
            connection.transport.abort()

    def position_of(self, update: int) -> tuple[float, float]:
        """Where the rider of that update stood."""
        return self._positions[update % len(self._positions)]

    async def everybody_once(self, in_flight: int, seconds: float) -> Tally:
        """Turns until every rider was answered once more, but no longer than `seconds`."""
        for rider in self._riders.values():
            rider.turns = 0
        self._target = in_flight
        began = self._fresh()
        self._go_on()
        await self._until(lambda: all(rider.turns for rider in self._riders.values()), seconds)
        tally = self._taken(began)
        await self.drain()
        return tally

    def unanswered(self) -> int:
        """How many riders were not answered since `everybody_once` began."""
        return sum(not rider.turns for rider in self._riders.values())

    async def one(self) -> tuple[int, bytes]:
        """A single turn: the number of its update and what was answered."""
        self.keep_answers = True
        rider = self._idle[0]
        self.last_answer.pop(rider.id, None)
        self._deliver(time.perf_counter())
        update = self._update
        await self._until(lambda: rider.answered and rider.confirmed, PATIENCE)
        self.keep_answers = False
        return update, self.last_answer.get(rider.id, b"")

    async def hold(self, in_flight: int, seconds: float) -> Tally:
        """Closed loop: as many turns as the server can do with `in_flight` at any time."""
        self._target = in_flight
        began = self._fresh()
        self._go_on()
        await asyncio.sleep(seconds)
        return self._taken(began)

    async def offer(self, rate: float, seconds: float) -> Tally:
        """Open loop: turns fall due at random moments, `rate` a second on average, whatever the server does."""
        self._target = 0
        began = self._fresh()
        # The event loop's own timers are whole milliseconds, and spinning would slow a core that shares
        # its machinery with this one: so a thread sleeps until the next turn is due.
        loop, interval = asyncio.get_running_loop(), sys.getswitchinterval()
        sys.setswitchinterval(0.0001)
        try:
            await asyncio.to_thread(self._fall_due, loop, rate, began[0] + seconds)
        finally:
            sys.setswitchinterval(interval)
        return self._taken(began)

    async def drain(self) -> int:
        """Stops, waits for what is in flight, and returns how many turns were lost."""
        self._target = 0
        self._backlog.clear()
        await self._until(lambda: not self._in_flight, PATIENCE)
        lost = self._in_flight
        for rider in self._riders.values():
            if not (rider.answered and rider.confirmed):
                rider.answered = rider.confirmed = True
                self._idle.append(rider)
        self._in_flight = 0
        return lost

    def answered(self, user: int, body: bytes, *, direct: bool = False) -> None:
        """A message for that rider arrived, in a webhook's response or at the stand-in."""
        rider = self._riders.get(user)
        if rider is None or rider.answered:
            self.tally.extra += 1
            return
        rider.answered = True
        rider.turns += 1
        self.tally.turns += 1
        self.tally.direct += direct
        self.tally.latencies.append(time.perf_counter() - rider.due)
        if self.keep_answers:
            self.last_answer[user] = body
        if rider.confirmed:
            self._over(rider)

    def confirmed(self, connection: "_Connection", rider: Rider, head: bytes, body: bytes) -> None:
        """The server responded to an update."""
        if not head.startswith(b"HTTP/1.1 200"):
            self.tally.refused += 1
            rider.answered = True
        rider.confirmed = True
        self._free.append(connection)
        if b"sendMessage" in body and not rider.answered:
            self.answered(rider.id, body, direct=True)
        elif rider.answered:
            self._over(rider)
        else:
            self._go_on()

    def opened(self, connection: "_Connection") -> None:
        self._all.append(connection)
        self._free.append(connection)

    def cut_off(self) -> None:
        """The server closed a connection; what it carried is lost."""
        if not self._is_closing:
            self.tally.refused += 1

    async def _until(self, is_so: Callable[[], bool], seconds: float) -> None:
        deadline = time.perf_counter() + seconds
        # An event for each of these would cost every turn of the measured phases a check.
        while not is_so() and time.perf_counter() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    def _fall_due(self, loop: asyncio.AbstractEventLoop, rate: float, end: float) -> None:
        chance = random.Random(11)
        due = time.perf_counter() + chance.expovariate(rate)
        while due < end:
            time.sleep(max(due - time.perf_counter(), 0.0))
            loop.call_soon_threadsafe(self._deliver, due)
            due += chance.expovariate(rate)

    def _deliver(self, due: float) -> None:
        self._backlog.append(due)
        self._go_on()

    def _over(self, rider: Rider) -> None:
        self._in_flight -= 1
        self._idle.append(rider)
        self._go_on()

    def _go_on(self) -> None:
        """Start what is due, and what closed loops ask for, as far as connections and riders are free."""
        while self._free and self._idle:
            if self._backlog:
                self._start(self._backlog.popleft())
            elif self._in_flight < self._target:
                self._start(time.perf_counter())
            else:
                return

    def _start(self, due: float) -> None:
        rider, connection = self._idle.popleft(), self._free.pop()
        self._in_flight += 1
        self._update += 1
        rider.due, rider.answered, rider.confirmed = due, False, False
        connection.rider = rider
        update = self._update
        connection.transport.write(rider.head % (update, update) + self._tails[update % len(self._tails)])

    def _fresh(self) -> tuple[float, float]:
        self.tally = Tally()
        return time.perf_counter(), time.process_time()

    def _taken(self, began: tuple[float, float]) -> Tally:
        tally, self.tally = self.tally, Tally()
        tally.seconds = time.perf_counter() - began[0]
        tally.busy = (time.process_time() - began[1]) / tally.seconds
        return tally


class _Connection(Wire):
    """One of Telegram's connections to the webhook; one update at a time."""

    rider: Rider

    def __init__(self, load: Load) -> None:
        super().__init__()
        self._load = load

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._load.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.cut_off()

    def message(self, head: bytes, body: bytes) -> None:
        self._load.confirmed(self, self.rider, head, body)


def _head(user: int, port: int, path: str, secret: str) -> bytes:
    """The request up to the location, with two gaps for numbers of nine digits."""
    start = (
        '{"update_id":%d,"message":{"message_id":%d,'
        f'"from":{{"id":{user},"is_bot":false,"first_name":"Rider","language_code":"zh-hans"}},'
        f'"chat":{{"id":{user},"first_name":"Rider","type":"private"}},"date":{int(time.time())},'
    )
    location = '"location":{"latitude":35.000000,"longitude":111.000000}}}'
    length = len(start) - 2 * len("%d") + 2 * 9 + len(location)
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Accept-Encoding: gzip, deflate\r\nX-Telegram-Bot-Api-Secret-Token: {secret}\r\n"
        f"Content-Length: {length}\r\n\r\n{start}"
    ).encode()
