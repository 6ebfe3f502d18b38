"""Driving the page in a browser: a served page that can be killed, and small steps that several tests take."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.workspace import Workspace
from tests.ui.page_process import wait_for_page
from ui.drafts import read_draft, save_draft

ROOT = Path(__file__).resolve().parents[2]
OPENING_MILLISECONDS = 30_000


@dataclass
class Served:
    """A page over a workspace of its own, as a process that can be killed and started again."""

    workspace: Workspace
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        command = [sys.executable, "app.py", "--port", str(self.port), "--workspace", str(self.workspace.root)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        wait_for_page(self.port)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


def is_fault(message: str, served: Served) -> bool:
    """A page that is left, or whose server is killed, while it still fetches a script complains of that: we did it."""
    return served.running and not message.startswith("Failed to fetch dynamically imported module")


def is_foreign(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1", "data:", "blob:"))


@contextmanager
def watched_page(chromium: Any, served: Served) -> Iterator[Any]:
    """A page; at the end it may have asked nothing of other machines, and its scripts complained of nothing."""
    page = chromium.new_page(viewport={"width": 1280, "height": 1000})
    foreign: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: foreign.append(request.url) if is_foreign(request.url) else None)
    page.on("pageerror", lambda error: faults.append(str(error)) if is_fault(str(error), served) else None)
    yield page
    page.close()
    assert not foreign
    assert not faults


def open_page(page: Any, served: Served, first: str = "datasets") -> None:
    """Open the page, on the tab that was open last; where none was yet, on `first`."""
    if not read_draft(served.workspace, "page"):
        save_draft(served.workspace, "page", tab=first)
    page.goto(served.url)
    page.locator("#machine").get_by_text("disk free").wait_for(timeout=OPENING_MILLISECONDS)
    page.wait_for_selector("html.hearth-filled", state="attached", timeout=OPENING_MILLISECONDS)


def leave(page: Any) -> None:
    """Close the page before its server is killed: Gradio's page reloads itself when the server is back, and that would
    end a navigation that has just begun."""
    page.goto("about:blank")


def open_tab(page: Any, name: str) -> None:
    page.get_by_role("tab", name=re.compile(name)).click()


def field_of(page: Any, name: str) -> Any:
    """Where one types the value of an option: its tab, then its dotted name."""
    return page.locator(f"#{name}").locator("input, textarea").first
