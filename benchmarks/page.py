"""Seconds from starting the page to its first answer, beside the smallest Gradio app on the same machine.

python -m benchmarks.page            (three rounds of both, in turn; prints medians and their ratio)
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

PROJECT = Path(__file__).resolve().parent.parent
SMALLEST = "import gradio; gradio.Interface(str, 'text', 'text').launch(server_port={port}, quiet=True, ssr_mode=False)"


def free_port() -> int:
    """A port that nothing listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def time_to_first_page(command: list[str], port: int) -> tuple[float, float]:
    """Seconds until `command` answers at `port`, and the megabytes of memory that it then holds."""
    started = time.monotonic()
    environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False"}
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL, env=environment)
    try:
        while not _answers(port):
            if process.poll() is not None:
                raise RuntimeError(f"{command} ended with {process.returncode}")
            time.sleep(0.02)
        return time.monotonic() - started, psutil.Process(process.pid).memory_info().rss / 1e6
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
            return bool(answer.status == 200 and answer.read())
    except (urllib.error.URLError, ConnectionError):
        return False


def main() -> None:
    """The command line: see the top of this file."""
    parser = argparse.ArgumentParser(description="Seconds to the first page.")
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    seconds: dict[str, list[float]] = {"hearth": [], "smallest gradio app": []}
    memory: dict[str, list[float]] = {"hearth": [], "smallest gradio app": []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for name in seconds:
                port = free_port()
                ours = [sys.executable, "app.py", "--port", str(port), "--workspace", folder]
                command = ours if name == "hearth" else [sys.executable, "-c", SMALLEST.format(port=port)]
                took, megabytes = time_to_first_page(command, port)
                seconds[name].append(took)
                memory[name].append(megabytes)
    medians = {name: round(statistics.median(values), 2) for name, values in seconds.items()}
    ratio = round(medians["hearth"] / medians["smallest gradio app"], 2)
    held = {name: round(statistics.median(values)) for name, values in memory.items()}
    print(json.dumps({"seconds": medians, "ratio": ratio, "memory_mb": held}, indent=1))


if __name__ == "__main__":
    main()
