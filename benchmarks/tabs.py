"""How long a tab takes to open in Chromium, with 10,000 rows and 100 runs in the workspace; and what the page fetches.

python -m benchmarks.tabs [--rows 10000] [--runs 100] [--rounds 5]

From the click to the second frame in which the tab is the open one and its content stands there. What changes on it
then follows with the next look, as on any tab. Before, a value of each form is changed, since nobody opens a page only
to look at its tabs. Then: how much of a core the open page takes in the browser while nobody does anything; the server
is measured by benchmarks.watching. Needs Chromium and the Python packages playwright and psutil.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.page import PROJECT, free_port
from benchmarks.watching import wait_until_served, write_finished_runs
from datasets_src.build import build
from datasets_src.spec import DatasetSpec
from jobs.workspace import Workspace

MILLISECONDS_ALLOWED = 200.0
SETTLE_MILLISECONDS = 6_000
IDLE_SECONDS = 20.0
CHANGED = {
    "training-optimisation-max_steps": "7",
    "evaluation-max_items": "8",
}
OPEN = """(id) => new Promise((done) => {
  const button = document.getElementById(id), began = performance.now();
  const look = () => {
    const panel = document.getElementById(button.getAttribute('aria-controls'));
    const open = button.getAttribute('aria-selected') === 'true' && panel && panel.offsetHeight > 0;
    requestAnimationFrame(open ? () => done(performance.now() - began) : look);
  };
  button.click();
  requestAnimationFrame(look);
})"""


def fill(workspace: Workspace, folder: Path, rows: int, runs: int) -> None:
    """A dataset of so many rows, and so many finished runs."""
    path = folder / "rows.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            row = {"instruction": f"What is {number} times 7?", "input": "", "output": f"It is {number * 7}."}
            file.write(json.dumps(row) + "\n")
    build(DatasetSpec.parse({"name": "many", "sources": [{"path": str(path)}]}), workspace)
    write_finished_runs(workspace, runs)


@dataclass(frozen=True)
class Measured:
    """Median `milliseconds` of each tab, what was asked of `foreign` addresses, the page's `megabytes`, and how much of
    a core the open page takes in the browser while nobody does anything (`idle_percent`)."""

    milliseconds: dict[str, float]
    foreign: list[str]
    megabytes: float
    idle_percent: float


def measure(port: int, rounds: int) -> Measured:
    """Open the page in Chromium, use it, and open each tab so many times."""
    from playwright.sync_api import sync_playwright

    foreign: list[str] = []
    sizes: list[int] = []
    with sync_playwright() as driver:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.on("request", lambda request: None if _is_here(request.url) else foreign.append(request.url))
        page.on("response", lambda response: sizes.append(int(response.headers.get("content-length", 0))))
        page.goto(f"http://127.0.0.1:{port}/")
        page.wait_for_selector("html.hearth-filled", state="attached", timeout=240_000)
        page.wait_for_timeout(SETTLE_MILLISECONDS)
        weight = sum(sizes) / 1e6
        for field, value in CHANGED.items():
            page.click(f"#tab-{field.partition('-')[0]}-button")
            page.locator(f"#{field}").locator("input, textarea").first.fill(value)
            page.wait_for_timeout(SETTLE_MILLISECONDS)
        names = [each.get_attribute("id") or "" for each in page.locator("button[role=tab][id^=tab-]").all()]
        took: dict[str, list[float]] = {name: [] for name in dict.fromkeys(names)}
        for _ in range(rounds):
            for name, own in took.items():
                own.append(float(page.evaluate(OPEN, name)))
                page.wait_for_timeout(1500)
        idle = _idle_percent(page)
        browser.close()
    return Measured({name: statistics.median(own) for name, own in took.items()}, foreign, weight, idle)


def _idle_percent(page: Any) -> float:
    """Of the one process that draws the page, among this process's children."""
    drawing = [each for each in psutil.Process().children(recursive=True) if "--type=renderer" in each.cmdline()]
    before, began = sum(map(_cpu_seconds, drawing)), time.monotonic()
    page.wait_for_timeout(IDLE_SECONDS * 1000)
    return 100 * (sum(map(_cpu_seconds, drawing)) - before) / (time.monotonic() - began)


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _is_here(url: str) -> bool:
    return url.startswith(("http://127.0.0.1", "data:", "blob:"))


def main() -> None:
    """The command line: see the top of this file."""
    parser = argparse.ArgumentParser(description="How long a tab takes to open.")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HEARTH_CACHE"] = str(Path(folder) / "cache")
        workspace = Workspace(Path(folder) / "workspace")
        fill(workspace, Path(folder), options.rows, options.runs)
        port, log = free_port(), (Path(folder) / "page.log").open("wb")
        command = [sys.executable, "app.py", "--port", str(port), "--workspace", str(workspace.root)]
        process = subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=log)
        try:
            wait_until_served(port)
            measured = measure(port, options.rounds)
        finally:
            process.terminate()
            process.wait()
    slowest = max(measured.milliseconds.values())
    figures: dict[str, Any] = {
        "median milliseconds": {name: round(value) for name, value in measured.milliseconds.items()},
        "slowest tab, milliseconds": round(slowest),
        "page, MB": round(measured.megabytes, 1),
        "fetched from elsewhere": measured.foreign,
        "browser's process while nobody does anything, % of a core": round(measured.idle_percent, 1),
    }
    print(json.dumps(figures, indent=1))
    kept = slowest <= MILLISECONDS_ALLOWED and not measured.foreign
    print("Every promise is kept" if kept else f"NOT KEPT: {MILLISECONDS_ALLOWED:.0f} ms and nothing from elsewhere")
    sys.exit(not kept)


if __name__ == "__main__":
    main()
