"""The whole promise at once: many riders, a platform that counts, workers killed with -9, riders who ask meanwhile."""

import tempfile
from pathlib import Path

from bot.clock import monotonic
from tests import crowd
from tests.blizzard import BLOCKED, Blizzard, blowing

RATE, PER_SECOND = 29.0, 30
SETTLED = 5.0
GOAL_RATE, GOAL_TAKEOVER, GOAL_ANSWER = 0.96, 5.0, 0.3
IN_HAND = round(RATE / 2)


async def measure(recipients: int, kills: int) -> tuple[Blizzard, float]:
    """What was seen, and when the last message had gone out but for those that wait for a lease."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            crowd.scratch("blizzard") as url,
            blowing(Path(folder), url, recipients=recipients, rate=RATE, per_second=PER_SECOND) as (storm, seen),
        ):
            await storm.starts()
            await storm.has_sent(1)
            storm.riders_ask(every=0.5)
            for n in range(1, kills + 1):
                await storm.has_sent(recipients * n // (kills + 2))
                await storm.is_killed_and_followed()
                print(f"  kill {n}: followed after {seen.takeovers[-1]:.1f} s", flush=True)
            await storm.has_left((kills + 2) * IN_HAND)
            ends = monotonic()
            await storm.has_finished()
    return seen, ends


def show(seen: Blizzard, ends: float) -> bool:
    """Print what came of it; whether every promise was kept."""
    stretches = seen.steady(SETTLED, ends)
    rates = seen.rates(SETTLED, ends)
    steady = sum(any(begins <= at < end for begins, end in stretches) for at in seen.throttled)
    answers = sorted(seen.answers)
    p99 = answers[int(len(answers) * 0.99)]
    twice = sum(seen.sent.values()) - len(seen.sent)
    slowest = min(rates) / PER_SECOND
    late = max(seen.takeovers, default=0.0)
    print(f"  {len(seen.sent):,} of {seen.recipients:,} told, {seen.recipients // BLOCKED:,} blocked us: {seen.states}")
    print(f"  requests a second in each stretch: {', '.join(f'{rate:.2f}' for rate in rates)}")
    print(f"  {len(answers)} answers, p50 {answers[len(answers) // 2] * 1e3:.0f} ms; 429 in all: {len(seen.throttled)}")
    checks = (
        (set(seen.sent) == seen.reachable, "each reachable person was told"),
        (twice <= len(seen.kills) * IN_HAND, f"{twice} were told twice (at most {len(seen.kills) * IN_HAND})"),
        (steady == 0, f"{steady} times 429 in steady state (goal 0)"),
        (slowest >= GOAL_RATE, f"{slowest:.1%} of 30 a second in the slowest stretch (goal {GOAL_RATE:.0%})"),
        (late <= GOAL_TAKEOVER, f"{late:.1f} s until a new sender took over (goal {GOAL_TAKEOVER:g})"),
        (p99 <= GOAL_ANSWER, f"{p99 * 1e3:.0f} ms p99 of a rider's answer (goal {GOAL_ANSWER * 1e3:.0f})"),
    )
    for is_met, what in checks:
        print(f"  {'met   ' if is_met else 'MISSED'}  {what}")
    return all(is_met for is_met, _what in checks)
