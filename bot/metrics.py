"""What we count, for Prometheus."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector


class Turns(Collector):
    """How many messages were acted on, on each channel, and how long each took from hearing it to its answer.

    Kept as plain numbers, thousands a second, and put in Prometheus' form when somebody looks.
    """

    _EDGES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10)

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._within = [0] * (len(self._EDGES) + 1)
        self._seconds = 0.0

    def add(self, channel: str, seconds: float) -> None:
        self._counts[channel] = self._counts.get(channel, 0) + 1
        self._within[bisect_left(self._EDGES, seconds)] += 1
        self._seconds += seconds

    def collect(self) -> Iterator[Metric]:
        turns = CounterMetricFamily("nuanxin_turns", "messages acted on", labels=["channel"])
        for channel, count in self._counts.items():
            turns.add_metric([channel], count)
        edges = [*(str(float(edge)) for edge in self._EDGES), "+Inf"]
        buckets = list(zip(edges, accumulate(self._within), strict=True))
        seconds = HistogramMetricFamily("nuanxin_turn_seconds", "from hearing a message to its answer")
        seconds.add_metric([], buckets, self._seconds)
        yield turns
        yield seconds


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.turns = Turns()
        self.registry.register(self.turns)
        self.errors = Counter("nuanxin_errors", "turns that failed", ["channel"], registry=self.registry)
        self.deliveries = Counter("nuanxin_deliveries", "messages tried", ["channel", "result"], registry=self.registry)
        self.rows = Gauge("nuanxin_outbox_rows", "messages waiting", ["lane"], registry=self.registry)
        self.oldest = Gauge(
            "nuanxin_outbox_oldest_seconds", "age of the oldest due message", ["lane"], registry=self.registry
        )
        self.forecasts = Counter(
            "nuanxin_forecasts", "looks at the weather forecast", ["result"], registry=self.registry
        )
        self.paused = Gauge(
            "nuanxin_paused_seconds",
            "for how long nothing but answers goes out; * is bulk on all channels",
            ["channel"],
            registry=self.registry,
        )

    def delivered(self, channel: str, result: str) -> None:
        self.deliveries.labels(channel, result).inc()

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)
