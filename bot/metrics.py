"""What we count, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.turns = Counter("nuanxin_turns", "messages acted on", ["channel"], registry=self.registry)
        self.turn_seconds = Histogram(
            "nuanxin_turn_seconds",
            "from hearing a message to its answer",
            buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
            registry=self.registry,
        )
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
