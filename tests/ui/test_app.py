"""Starting the page: what is refused, how fast it opens, and what it never loads."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ui.page_process import free_port, wait_for_page

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "transformers", "trl", "unsloth", "peft", "bitsandbytes", "datasets")
# Runs the page in a thread and, when a line comes on stdin, says which of the heavy libraries were loaded.
WATCHED = f"""
import sys, threading
import app
threading.Thread(target=app.main, daemon=True).start()
sys.stdin.readline()
print("LOADED", [name for name in {HEAVY!r} if name in sys.modules], flush=True)
"""


def run_app(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HEARTH_A")}
    return subprocess.run(
        [sys.executable, "app.py", *arguments],
        cwd=ROOT,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def serving(workspace: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """The page as a process of its own, watched for what it loads."""
    command = [sys.executable, "-c", WATCHED, "--port", str(port), "--workspace", str(workspace)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_port_in_use_is_one_clear_message(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run_app("--port", str(port), "--workspace", str(tmp_path / "new"))
    assert result.returncode == 2
    assert f"Port {port} on 127.0.0.1 can't be used." in result.stderr
    assert "why:" in result.stderr and f"--port {port + 1}" in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("arguments", [["--host", "0.0.0.0"], ["--share"]])
def test_others_are_not_let_in_without_a_login(arguments: list[str], tmp_path: Path) -> None:
    result = run_app(*arguments, "--workspace", str(tmp_path / "new"))
    assert result.returncode == 2
    assert "there is no login" in result.stderr and "HEARTH_AUTH" in result.stderr
    assert not (tmp_path / "new").exists()


def test_a_login_without_a_password_is_refused(tmp_path: Path) -> None:
    result = run_app("--workspace", str(tmp_path), HEARTH_AUTH="me")
    assert result.returncode == 2 and "user:password" in result.stderr


def test_a_port_that_cannot_exist_is_refused(tmp_path: Path) -> None:
    result = run_app("--port", "70000", "--workspace", str(tmp_path))
    assert result.returncode == 2 and "70000" in result.stderr and "Traceback" not in result.stderr


def test_the_page_opens_at_once_and_loads_no_heavy_library(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path / "workspace", port) as process:
        seconds = wait_for_page(port)
        maps = Path(f"/proc/{process.pid}/maps")
        libraries = maps.read_text() if maps.exists() else ""
        said, _ = process.communicate("\n", timeout=30)
    assert "LOADED []" in said
    assert "libtorch" not in libraries and "libcuda" not in libraries
    assert seconds < 20, "4 s on two idle cores; tests share theirs"
