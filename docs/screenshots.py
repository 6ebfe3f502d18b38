"""Makes the pictures of README and docs, in headless Chromium: every tab as it stands after `python cli.py demo`.

python -m docs.screenshots [--workspace DIR]     a workspace in which the demo ran; without one it runs first
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.page import free_port
from benchmarks.watching import wait_until_served

PROJECT = Path(__file__).resolve().parent.parent
PICTURES = PROJECT / "docs" / "pictures"
TABS = ("start", "datasets", "models", "training", "evaluation", "export", "serving")
SIZE = {"width": 1280, "height": 1000}
SETTLE_MILLISECONDS = 4_000


@contextmanager
def served(workspace: Path) -> Iterator[str]:
    """The page over a workspace; its address."""
    port = free_port()
    command = [sys.executable, "app.py", "--port", str(port), "--workspace", str(workspace)]
    server = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL)
    try:
        wait_until_served(port)
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait()


def take(address: str, folder: Path) -> None:
    """A picture of every tab."""
    from playwright.sync_api import sync_playwright

    folder.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, color_scheme="light", locale="en-GB")
        page.goto(address)
        page.wait_for_selector("html.hearth-filled", state="attached", timeout=60_000)
        for tab in TABS:
            photograph(page, tab, folder / f"{tab}.png")
        browser.close()


def photograph(page: Any, tab: str, path: Path) -> None:
    """What the top of a tab shows, in 256 colours: a quarter of the bytes, and nobody sees it."""
    from PIL import Image

    page.locator(f"#tab-{tab}-button").click()
    page.wait_for_timeout(SETTLE_MILLISECONDS)
    page.screenshot(path=path)
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(256).save(path, optimize=True)


def main() -> None:
    """The command line: see the top of this file."""
    parser = argparse.ArgumentParser(description="Makes the pictures of README and docs.")
    parser.add_argument("--workspace", type=Path, help="a workspace in which the demo ran")
    with tempfile.TemporaryDirectory() as folder:
        workspace = parser.parse_args().workspace
        if workspace is None:
            workspace = Path(folder) / "workspace"
            subprocess.run([sys.executable, "cli.py", "demo", "--workspace", str(workspace)], cwd=PROJECT, check=True)
        with served(workspace.resolve()) as address:
            take(address, PICTURES)


if __name__ == "__main__":
    main()
