"""What the server has done, as Prometheus reads it."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 256, 1024, 4096, 16384)

disable_created_metrics()  # a second series for each, with the time of its first value


class Counts:
    """Counters of one server; `text` is what it answers to Prometheus."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)  # memory, processor, open files

        of = {"registry": self.registry, "namespace": "serve"}
        self.requests = Counter("requests", "Requests, by route and status.", ["route", "status"], **of)
        self.seconds = Histogram("seconds", "From a request to its answer.", ["route"], buckets=SECONDS, **of)
        self.rows = Counter("rows", "Rows that were answered.", **of)
        self.batches = Histogram("batch_rows", "Rows in one call of the model.", buckets=BATCHES, **of)
        self.waiting = Gauge("waiting", "Requests that wait for an answer.", **of)
        self.takeovers = Counter("takeovers", "Models that were to take over, by result.", ["result"], **of)
        self.model = Gauge("model", "1 for the model that answers.", ["name", "version"], **of)

    def text(self) -> bytes:
        return generate_latest(self.registry)
