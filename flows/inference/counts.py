"""What the server has done, as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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

        self.requests = self._add(
            Counter, "requests", "Requests by route and status", "route status"
        )
        self.seconds = self._add(Histogram, "seconds", "From request to answer", "route", SECONDS)
        self.rows = self._add(Counter, "rows", "Rows that were answered")
        self.batches = self._add(
            Histogram, "batch_rows", "Rows in a call of the model", "", BATCHES
        )
        self.waiting = self._add(Gauge, "waiting", "Requests that wait for an answer")
        self.takeovers = self._add(Counter, "takeovers", "Models loaded later, by result", "result")
        self.model = self._add(Gauge, "model", "1 for the model that answers", "name version")

    def _add(
        self, kind: Any, name: str, says: str, labels: str = "", buckets: Sequence[float] = ()
    ) -> Any:
        more = {"buckets": buckets} if buckets else {}
        return kind(name, says, labels.split(), registry=self.registry, namespace="serve", **more)

    def text(self) -> bytes:
        return generate_latest(self.registry)
