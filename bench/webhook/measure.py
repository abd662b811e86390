"""One contender's figures: how many turns a second at most, and how it feels at half of that."""

import asyncio
import gc
import re
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field

import aiohttp

from bench.processes import NotStarted, Program
from bench.webhook import contenders
from bench.webhook.contenders import Contender, Running
from bench.webhook.load import Load, Tally
from bench.webhook.places import Nearest
from bench.webhook.standin import StandIn

START_PATIENCE = 30.0
WARMING_UP = 60.0
LONGEST = 180.0
_MARK = re.compile(rb"S\d{5}")


@dataclass(frozen=True, slots=True)
class Options:
    """`seconds` of each measurement; `connections` as the platform opens (Telegram: up to 100)."""

    seconds: float = 2.0
    rounds: int = 2
    connections: int = 100
    riders: int = 512
    delays: tuple[float, ...] = (0.0, 0.05)


@dataclass(frozen=True, slots=True)
class Figures:
    """Measured with one delay of the Bot API, in seconds. `core`, `others`, `load_core` are shares of a core.

    `rate` to `direct` are at saturation, what follows at half of it. `rate` and `core` count only the time of
    the server's core that `others`, programs that are not measured, left to it.
    """

    rate: float
    core: float
    others: float
    load_core: float
    direct: float
    cpu_per_turn: float
    p50: float
    p99: float
    lost: int
    refused: int
    extra: int


@dataclass(slots=True)
class Result:
    """`figures` by delay; `problem` says why there are none, or what is doubtful about them."""

    name: str
    figures: dict[float, Figures] = field(default_factory=dict)
    problem: str = ""


def better(one: Result, other: Result) -> Result:
    """For each delay the round with more turns a second: other work on the machine only slows a server."""
    figures = dict(one.figures)
    for delay, theirs in other.figures.items():
        if delay not in figures or theirs.rate > figures[delay].rate:
            figures[delay] = theirs
    return Result(one.name, figures, one.problem or other.problem)


async def measure(contender: Contender, options: Options, nearest: Nearest) -> Result:
    """Starts it, checks that it answers rightly, and measures it; never longer than a few minutes."""
    result = Result(contender.name)
    load: Load | None = None

    def sent(user: int, body: bytes) -> None:
        if load:
            load.answered(user, body)

    standin = StandIn(sent)
    api = await standin.start()
    try:
        async with asyncio.timeout(LONGEST + 20 * options.seconds):
            with contenders.running(contender, api) as server:
                await _until_it_answers(server)
                load = Load(
                    server.port,
                    contenders.PATH,
                    contenders.SECRET,
                    connections=options.connections,
                    riders=options.riders,
                )
                await load.connect()
                result.problem = await _warmed(load, contender, nearest, options)
                for delay in options.delays:
                    result.figures[delay] = await _with_delay(load, standin, server.program, delay, options)
                load.close()
    except TimeoutError:
        result.problem = "took too long"
    except (NotStarted, OSError) as error:
        result.problem = str(error)
    finally:
        await standin.stop()
    return result


async def generator_capacity(options: Options) -> tuple[float, float]:
    """Turns a second that the generator does against a fixed response, and its share of its core."""
    standin = StandIn(lambda user, body: None)
    api = await standin.start()
    with contenders.running(contenders.RESPONDER, api) as server:
        await _until_it_answers(server)
        load = Load(server.port, "/", "", connections=options.connections, riders=options.riders)
        await load.connect()
        await load.hold(options.connections, 0.3)
        tally = await load.hold(options.connections, min(options.seconds, 2.0))
        await load.drain()
        load.close()
    await standin.stop()
    return tally.turns / tally.seconds, tally.busy


async def _until_it_answers(server: Running) -> None:
    """Returns when it speaks HTTP; a program that also says when it is ready is asked that."""
    deadline = time.perf_counter() + START_PATIENCE
    async with aiohttp.ClientSession() as session:
        while time.perf_counter() < deadline:
            server.program.check()
            try:
                async with session.get(f"http://127.0.0.1:{server.port}/readyz") as response:
                    if response.status != 503:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)
    raise NotStarted(f"no answer within {START_PATIENCE:.0f} s; see {server.program.log}")


async def _warmed(load: Load, contender: Contender, nearest: Nearest, options: Options) -> str:
    """Every rider has written twice (first contact is special), and the answers are the right ones."""
    remarks = []
    for _ in range(2):
        tally = await load.everybody_once(16, WARMING_UP)
        if missing := load.unanswered():
            return f"{missing} of {options.riders} riders were never answered while warming up"
        if tally.refused:
            remarks.append(f"{tally.refused} updates were refused while warming up")
    for _ in range(5):
        update, answer = await load.one()
        found = list(dict.fromkeys(mark.decode() for mark in _MARK.findall(answer)))
        wanted = [spot.mark for spot, _ in nearest.find(*load.position_of(update))]
        if contender.exact and found != wanted:
            return f"wrong answer: {found} instead of {wanted}"
        if not contender.exact and (len(found) < len(wanted) or not set(found) & set(wanted)):
            return f"doubtful answer: {found}, nearest are {wanted}"
    return "; ".join(remarks)


async def _with_delay(load: Load, standin: StandIn, program: Program, delay: float, options: Options) -> Figures:
    # Turns in flight never limit a server that works side by side: 4,000 a second at 50 ms are 200 of them.
    in_flight = options.connections if not delay else 4 * options.connections
    standin.delay = delay
    gc.collect()
    gc.disable()
    try:
        await load.hold(in_flight, max(0.5, options.seconds / 4))
        full = await _watched(program, load.hold(in_flight, options.seconds))
        reached = full.tally.turns / full.tally.seconds
        lost = await _drained(load, standin, delay)
        await load.offer(max(reached / 2, 1.0), max(0.3, options.seconds / 8))
        half = await _watched(program, load.offer(max(reached / 2, 1.0), options.seconds))
        lost += await _drained(load, standin, delay)
    finally:
        gc.enable()
    latencies = sorted(half.tally.latencies) or [float("nan")]
    return Figures(
        rate=full.tally.turns / full.left,
        core=full.cpu / full.left,
        others=1 - full.left / full.tally.seconds,
        load_core=full.tally.busy,
        direct=full.tally.direct / max(full.tally.turns, 1),
        cpu_per_turn=half.cpu / max(half.tally.turns, 1),
        p50=latencies[len(latencies) // 2],
        p99=latencies[min(int(len(latencies) * 0.99), len(latencies) - 1)],
        lost=lost,
        refused=full.tally.refused + half.tally.refused,
        extra=full.tally.extra + half.tally.extra,
    )


@dataclass(frozen=True, slots=True)
class Watched:
    """What happened in a phase; seconds that the server computed, and seconds that others did not hold it up."""

    tally: Tally
    cpu: float
    left: float


async def _watched(program: Program, phase: Coroutine[None, None, Tally]) -> Watched:
    program.check()
    cpu, held_up = program.cpu(), program.held_up()
    tally = await phase
    cpu, held_up = program.cpu() - cpu, program.held_up() - held_up
    return Watched(tally, cpu, tally.seconds - min(max(held_up, 0.0), 0.9 * tally.seconds))


async def _drained(load: Load, standin: StandIn, delay: float) -> int:
    """What is in flight ends quickly because nothing is delayed meanwhile."""
    standin.delay = 0.0
    lost = await load.drain()
    standin.delay = delay
    return lost
