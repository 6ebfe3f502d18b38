"""Makes docs/app.png: the Training tab of a real run on the embedded model, in headless Chromium.

python -m docs.screenshots        (a few minutes: builds the Snake dataset and trains on it meanwhile)
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from jobs import launcher
from jobs.directory import JobDirectory
from jobs.workspace import Workspace
from models.hardware import probe

PROJECT = Path(__file__).resolve().parent.parent
PORT = 7899
STEPS_TO_SHOW = 45


def prepare(workspace: Workspace) -> JobDirectory:
    """The Snake dataset, and a training job that is some way along."""
    from datasets_src.build import build
    from recipes.snake import pipeline

    build(pipeline.write_rows(workspace), workspace)
    spec = pipeline.train_spec().model_dump(mode="json")
    job = launcher.start(workspace, "train", spec, title="Snake player", resource=probe().resource)
    while job.status().state.active and len(job.metrics()) < STEPS_TO_SHOW:
        time.sleep(1)
    return job


def take(workspace: Workspace, out: Path) -> None:
    """Serve the page and photograph the Training tab."""
    from playwright.sync_api import sync_playwright

    command = [sys.executable, "app.py", "--port", str(PORT), "--workspace", str(workspace.root)]
    server = subprocess.Popen(command, cwd=PROJECT)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 1000}, color_scheme="light")
            _open_when_served(page)
            page.get_by_role("tab", name="Training").click()
            page.wait_for_timeout(6000)
            page.screenshot(path=out)
            browser.close()
    finally:
        server.terminate()
        server.wait()


def _open_when_served(page) -> None:  # type: ignore[no-untyped-def]
    import socket

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe_socket:
            if probe_socket.connect_ex(("127.0.0.1", PORT)) == 0:
                break
        time.sleep(0.2)
    page.goto(f"http://127.0.0.1:{PORT}")
    page.get_by_role("tab", name="Training").wait_for()


def main() -> None:
    """See the top of this file."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder) / "workspace")
        job = prepare(workspace)
        take(workspace, PROJECT / "docs" / "app.png")
        launcher.stop(job, wait_seconds=30)


if __name__ == "__main__":
    main()
