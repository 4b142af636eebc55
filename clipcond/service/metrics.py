"""Count what the service does, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The counters of one service, in a registry of their own."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "clipcond_requests", "Requests answered.", ("route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "clipcond_request_seconds",
            "Seconds from a request's headers to the end of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._rejected = Counter(
            "clipcond_rejected",
            "Requests refused before their work began, by the error's code.",
            ("code",),
            registry=registry,
        )
        self._batches = Histogram(
            "clipcond_batch_texts",
            "Prompts and negatives encoded at once.",
            buckets=_SIZES,
            registry=registry,
        )
        self._tower = Counter(
            "clipcond_tower_seconds", "Seconds spent in the text towers.", registry=registry
        )
        self._issues = Counter(
            "clipcond_issues", "Answers with an issue, by its code.", ("code",), registry=registry
        )

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Show a value as it is when it is asked for."""
        Gauge(f"clipcond_{name}", text, registry=self._registry).set_function(value)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count an answer; status 499 = the client did not wait for it."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def rejected(self, code: str) -> None:
        """Count a request that was refused before its work began."""
        self._rejected.labels(code).inc()

    def batch(self, n_texts: int) -> None:
        """Count a batch."""
        self._batches.observe(n_texts)

    def in_tower(self, seconds: float) -> None:
        """Count time in a text tower."""
        self._tower.inc(seconds)

    def issues(self, codes: tuple[str, ...]) -> None:
        """Count an answer's issues, each code once."""
        for code in codes:
            self._issues.labels(code or "other").inc()

    def text(self) -> bytes:
        """Write all of them in Prometheus' format."""
        written: bytes = generate_latest(self._registry)
        return written
