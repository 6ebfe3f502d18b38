"""What Prometheus reads at /metrics: requests, times, tokens, queue, memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)


class Metrics:
    """The server's own registry, so that several servers of one process (tests) don't share counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        kept = self.registry
        self.requests = Counter("hearth_requests", "Requests that ended", ("model", "status"), registry=kept)
        self.seconds = Histogram(
            "hearth_request_seconds",
            "Seconds from request to end of answer",
            ("model",),
            buckets=SECONDS,
            registry=kept,
        )
        self.first_token = Histogram(
            "hearth_first_token_seconds", "Seconds to the first text", ("model",), buckets=SECONDS, registry=kept
        )
        self.tokens = Counter(
            "hearth_tokens", "Tokens read (prompt) and written (answer)", ("model", "kind"), registry=kept
        )
        self.queue_wait = Histogram(
            "hearth_queue_wait_seconds", "Seconds that requests waited for a place", buckets=SECONDS, registry=kept
        )
        self.rejected = Counter("hearth_rejected", "Requests refused, by reason", ("reason",), registry=kept)
        self.unkept = Counter(
            "hearth_unkept", "Figures of requests that could not be stored and were given up", registry=kept
        )
        self.circuit_open = Gauge(
            "hearth_circuit_open", "1 while a failing model is left alone", ("model",), registry=kept
        )
        memory = Gauge(
            "hearth_resident_memory_bytes", "Memory of the server and of its llama.cpp processes", registry=kept
        )
        memory.set_function(_resident_memory)
        gpu = Gauge("hearth_gpu_memory_bytes", "Memory that the server holds on the GPU", registry=kept)
        gpu.set_function(_gpu_memory)

    def watch_queue(self, running: Callable[[], int], waiting: Callable[[], int]) -> None:
        """Show how many are answered and how many wait, as they are when asked."""
        Gauge("hearth_running", "Requests that are answered now", registry=self.registry).set_function(running)
        Gauge("hearth_queue_waiting", "Requests that wait", registry=self.registry).set_function(waiting)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self.registry)


def _resident_memory() -> float:
    own = psutil.Process()
    total = float(own.memory_info().rss)
    for child in own.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # ended since it was listed
            total += child.memory_info().rss
    return total


def _gpu_memory() -> float:
    """Of this process alone, and only where PyTorch was loaded for a model."""
    import sys

    torch = sys.modules.get("torch")
    return float(torch.cuda.memory_allocated()) if torch is not None and torch.cuda.is_available() else 0.0
