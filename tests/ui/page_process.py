"""Starting the page as a process of its own."""

from __future__ import annotations

import socket
import time
import urllib.request


def free_port() -> int:
    """A port that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_page(port: int, seconds: float = 60) -> float:
    """Seconds until the page answered."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                assert answer.status == 200
                return time.monotonic() - started
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"no page within {seconds} s")
