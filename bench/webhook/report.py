"""The tables and the goals."""

from collections.abc import Sequence

from bench.webhook.contenders import FLOOR_RESPONSE, GRAMMY, OURS, PYTHON_PEERS
from bench.webhook.measure import Figures, Result


def show(results: Sequence[Result], capacity: tuple[float, float]) -> None:
    """Prints one table for each delay, what is doubtful, and whether the goals are met."""
    rate, busy = capacity
    print(f"\nThe load generator alone, against a fixed response: {rate:,.0f} turns/s ({busy:.0%} of its core).")
    for delay in sorted({delay for result in results for delay in result.figures}):
        _table(results, delay)
    for result in results:
        for remark in _remarks(result):
            print(f"  ! {result.name}: {remark}")
    _goals(results)


def line(result: Result) -> str:
    """One contender's figures in short, for following a run."""
    parts = [f"{figures.rate:,.0f}/s at {delay * 1000:.0f} ms" for delay, figures in sorted(result.figures.items())]
    return ", ".join(parts) + (f" ({result.problem})" if result.problem else "")


def _table(results: Sequence[Result], delay: float) -> None:
    where = f"Bot API {delay * 1000:.0f} ms away" if delay else "Bot API answers at once"
    ours = next((r.figures.get(delay) for r in results if r.name == OURS), None)
    print(f"\nLocation webhook, one core, {where}")
    titles = ("turns/s", "CPU/turn", "p50", "p99", "core", "load", "direct", "ours is")
    print(f"{'':28}" + "".join(f"{title:>10}" for title in titles))
    for result in results:
        figures = result.figures.get(delay)
        cells = _cells(figures, ours) if figures else [f"  {result.problem[:90]}"]
        print(f"{result.name:28}" + "".join(f"{cell:>10}" for cell in cells))


def _cells(figures: Figures, ours: Figures | None) -> list[str]:
    return [
        f"{figures.rate:,.0f}",
        f"{figures.cpu_per_turn * 1e6:.0f} µs",
        f"{figures.p50 * 1e3:.1f} ms",
        f"{figures.p99 * 1e3:.1f} ms",
        f"{figures.core:.0%}",
        f"{figures.load_core:.0%}",
        f"{figures.direct:.0%}",
        f"{ours.rate / figures.rate:.2f}x" if ours and figures.rate else "",
    ]


def _remarks(result: Result) -> list[str]:
    remarks = [result.problem] if result.problem and result.figures else []
    for delay, figures in sorted(result.figures.items()):
        at = f"at {delay * 1000:.0f} ms"
        if figures.lost:
            remarks.append(f"{figures.lost} turns were never answered {at}")
        if figures.refused:
            remarks.append(f"{figures.refused} updates were refused {at}")
        if figures.extra:
            remarks.append(f"{figures.extra} messages more than turns {at}")
        if figures.others > 0.1:
            remarks.append(f"held up by other programs for {figures.others:.0%} of the time {at}; not counted")
        if figures.load_core > 0.9 and figures.core < 0.9:
            remarks.append(f"the load generator was the limit {at}, not the server")
    return remarks


def _goals(results: Sequence[Result]) -> None:
    figures = {result.name: result.figures for result in results}
    ours = figures.get(OURS, {})
    if 0.0 not in ours:
        return
    print("\nGoals")
    mine = ours[0.0].rate
    peers = [peer[0.0].rate for name, peer in figures.items() if name.startswith(PYTHON_PEERS) and 0.0 in peer]
    if peers:
        _goal("times the fastest Python peer", mine / max(peers), 3.0)
    others = [(name, peer[0.0]) for name, peer in figures.items() if name.startswith(GRAMMY) and 0.0 in peer]
    for name, peer in others:
        _goal(f"times {name}", mine / peer.rate, 1.2)
    if floor := figures.get(FLOOR_RESPONSE, {}).get(0.0):
        _goal("of the floor that answers in the response", mine / floor.rate, 0.45)
    if far := _farthest(ours):
        _goal("of its own rate when the Bot API is far away", far.rate / mine, 0.95)


def _farthest(figures: dict[float, Figures]) -> Figures | None:
    delay = max(figures)
    return figures[delay] if delay else None


def _goal(what: str, is_now: float, wanted: float) -> None:
    print(f"  {'met   ' if is_now >= wanted else 'MISSED'}  {is_now:6.2f} {what} (goal {wanted:g})")
