"""What watching costs: CPU time of the page's process while five browser pages watch a job that trains.

python -m benchmarks.watching [--pages 5] [--seconds 60] [--earlier-steps 5000]

The job is a real job directory, written by a real process through the worker's own classes: it holds alive.lock and the
machine's lease, appends metrics twice a second and writes its status five times a second, with thousands of steps and
thirty earlier runs already there. It is a stand-in for training in one respect only: it computes nothing, because
training on the same cores would make the page's CPU time noisy (shared caches, lowered clocks) and the machine slow.
Needs Chromium and the Python package playwright.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock

from benchmarks.page import PROJECT, free_port
from jobs.context import JobContext
from jobs.directory import JobDirectory, State, Status
from jobs.lease import Lease
from jobs.workspace import Workspace

SETTLE_SECONDS = 15.0
OPENING_MILLISECONDS = 240_000
METRIC_SECONDS = 0.5
STATUS_SECONDS = 0.2
EARLIER_RUNS = 30
TOTAL_STEPS = 200_000


@dataclass(frozen=True)
class Cost:
    """CPU seconds that the page's process used while it was watched for `seconds`; `percent` of one core.

    `idle_percent`: before any page was open. `steps_seen`: how far the first page's chart went on meanwhile, as a sign
    that it was watched at all; `requests_per_minute` by one page.
    """

    pages: int
    seconds: float
    cpu_seconds: float
    percent: float
    idle_percent: float
    steps_seen: int
    requests_per_minute: float


def figures(step: int, noise: random.Random) -> dict[str, float]:
    """Figures of a step as a run on a GPU gives them, so that every chart has something to draw."""
    loss = 2.2 * math.exp(-step / 2000) + 0.9
    return {
        "loss": loss * noise.uniform(0.9, 1.1),
        "learning_rate": 2e-4 * (1 - step / TOTAL_STEPS),
        "grad_norm": noise.uniform(0.4, 1.6),
        "epoch": step / 10_000,
        "tokens_per_second": noise.uniform(2300, 2500),
        "gpu_memory_gb": noise.uniform(6.9, 7.1),
        "gpu_utilisation": noise.uniform(90, 99),
        "gpu_temperature": noise.uniform(66, 71),
        "gpu_power_w": noise.uniform(150, 170),
        "energy_wh": step * 0.02,
    }


def stand_in(path: Path) -> None:
    """Write a job as a worker that trains would, until it is asked to stop."""
    job, noise = JobDirectory(path), random.Random(0)
    with FileLock(job.lock_path):
        job.write_status(Status(State.QUEUED, message="Starting", pid=os.getpid(), updated=time.time()))
        with Lease(str(job.header["resource"])).held(job, str(job.header["title"]), lambda _: None):
            context, step, measured = JobContext(job, 1, time.time()), len(job.metrics()), 0.0
            while not context.should_stop():
                if time.monotonic() - measured >= METRIC_SECONDS:
                    measured, step = time.monotonic(), step + 1
                    context.metric(step, **figures(step, noise))
                    if step % 50 == 0:
                        context.metric(step, eval_loss=figures(step, noise)["loss"])
                        context.log(f"step {step} measured")
                message = f"Training step {step} of {TOTAL_STEPS} · 2,400 tokens/s"
                context.write_status(Status(State.RUNNING, step / TOTAL_STEPS, message, attempt=1, pid=os.getpid()))
                time.sleep(STATUS_SECONDS)


def prepare(workspace: Workspace, earlier_steps: int) -> JobDirectory:
    """Thirty finished runs, and the one to be watched with its earlier steps."""
    write_finished_runs(workspace, EARLIER_RUNS)
    watched = create_run(workspace, "the run that is watched")
    write_steps(watched, earlier_steps)
    workspace.drafts.mkdir(parents=True, exist_ok=True)
    (workspace.drafts / "page.json").write_text('{"tab": "training"}', encoding="utf-8")
    return watched


def write_finished_runs(workspace: Workspace, count: int) -> None:
    """That many runs, each with the curves of 500 steps."""
    for number in range(count):
        run = create_run(workspace, f"run {number + 1}")
        write_steps(run, 500)
        run.write_status(Status(State.SUCCEEDED, 1.0, "Done", started=time.time(), updated=time.time()))
        run.write_manifest({"finished": time.time(), "seconds": 250.0, "figures": {"loss": 0.9}, "artifacts": {}})


def create_run(workspace: Workspace, title: str) -> JobDirectory:
    """A training's job directory, in which nothing happened yet."""
    spec = {"model": "embedded", "data": "rows", "optimisation": {"epochs": 3}}
    place = workspace.new_job_path("train")
    from models.hardware import probe

    resource = probe(workspace.root).resource
    return JobDirectory.create(place, kind="train", title=title, spec=spec, resource=resource)


def write_steps(job: JobDirectory, steps: int) -> None:
    """The events of that many steps."""
    noise, lines = random.Random(1), []
    for step in range(1, steps + 1):
        event: dict[str, Any] = {"type": "metric", "attempt": 1, "step": step, "time": time.time()}
        lines.append(json.dumps({**event, **figures(step, noise)}))
        if step % 50 == 0:
            lines.append(json.dumps({**event, "eval_loss": figures(step, noise)["loss"]}))
    (job.path / "events.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def measure(pages: int, seconds: float, earlier_steps: int, screenshot: Path | None = None) -> Cost:
    """Serve a workspace with a running job, watch it from `pages` browser pages, measure, clean up."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HEARTH_CACHE"] = str(Path(folder) / "cache")
        workspace = Workspace(Path(folder) / "workspace")
        job = prepare(workspace, earlier_steps)
        port, log = free_port(), (Path(folder) / "page.log").open("wb")
        page = [sys.executable, "app.py", "--port", str(port), "--workspace", str(workspace.root)]
        worker = [sys.executable, "-m", "benchmarks.watching", "--stand-in", str(job.path)]
        processes = [subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=log) for command in (worker, page)]
        try:
            return _watch(processes[1].pid, port, pages, seconds, screenshot)
        finally:
            job.request_stop()
            for process in reversed(processes):
                process.terminate()
                process.wait()


def _watch(server: int, port: int, pages: int, seconds: float, screenshot: Path | None) -> Cost:
    from playwright.sync_api import sync_playwright

    process = psutil.Process(server)
    wait_until_served(port)
    time.sleep(SETTLE_SECONDS / 3)
    idle = _percent(process, SETTLE_SECONDS / 3)
    with sync_playwright() as driver:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        opened = [browser.new_context(viewport={"width": 1280, "height": 1000}).new_page() for _ in range(pages)]
        for each in opened:
            each.goto(f"http://127.0.0.1:{port}/")
            each.locator(".hearth-chart .mark-line path").first.wait_for(timeout=OPENING_MILLISECONDS)
        opened[0].wait_for_timeout(SETTLE_SECONDS * 1000)
        requests: list[str] = []
        opened[0].on("request", lambda request: requests.append(request.url))
        step, before, started = _step_shown(opened[0]), _cpu_seconds(process), time.monotonic()
        opened[0].wait_for_timeout(seconds * 1000)
        used, took = _cpu_seconds(process) - before, time.monotonic() - started
        seen, asked = _step_shown(opened[0]) - step, 60 * len(requests) / took
        if screenshot is not None:
            opened[0].screenshot(path=screenshot, full_page=True)
        browser.close()
    return Cost(
        pages, round(took, 1), round(used, 2), round(100 * used / took, 1), round(idle, 1), seen, round(asked, 1)
    )


def _step_shown(page: Any) -> int:
    """The training step that a page shows."""
    return int(page.locator(".hearth-job .message").first.inner_text().split(" ")[2])


def _percent(process: psutil.Process, seconds: float) -> float:
    before = _cpu_seconds(process)
    time.sleep(seconds)
    return 100 * (_cpu_seconds(process) - before) / seconds


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def wait_until_served(port: int) -> None:
    """Return once the page answers."""
    from urllib.request import urlopen

    for _ in range(600):
        with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/", timeout=10):
            return
        time.sleep(0.1)
    raise RuntimeError("the page did not start")


def main() -> None:
    """The command line: see the top of this file."""
    parser = argparse.ArgumentParser(description="What watching costs the page's process.")
    parser.add_argument("--pages", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--earlier-steps", type=int, default=5000)
    parser.add_argument("--screenshot", type=Path, help="also keep what the first page shows")
    parser.add_argument("--stand-in", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stand_in is not None:
        stand_in(options.stand_in)
        return
    cost = measure(options.pages, options.seconds, options.earlier_steps, options.screenshot)
    print(json.dumps(asdict(cost), indent=1))


if __name__ == "__main__":
    main()
