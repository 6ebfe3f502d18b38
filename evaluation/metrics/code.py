"""Code that runs: an answer's program is run with the item's tests in a process of its own, under limits.

What holds it back (Linux on x86-64 and ARM64; elsewhere nothing is run): a processor-time, memory and file-size limit,
a wall-clock limit after which its whole process group is killed, an empty environment, an empty folder to start in,
Python without site-packages, and a filter of system calls that leaves it no network, no other process, no signal and
no change to any file.

What it does not protect against: the program can read every file that Hearth's own user can read (it can't send them
anywhere); it uses a core for as long as it may; a hole in the kernel or in Python; and an answer that sets out to
cheat its tests, which run in the same interpreter. Code that is hostile on purpose belongs in a virtual machine.
"""

from __future__ import annotations

import math
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.metrics.structured import FENCE, needed
from jobs.errors import Missing

if TYPE_CHECKING:
    from evaluation.tasks import TaskItem

CHILD = Path(__file__).with_name("sandbox_child.py")
NO_SANDBOX = 97


@dataclass(frozen=True)
class Limits:
    """Of one program: wall-clock seconds (as many of processor time), and bytes of address space."""

    seconds: float = 10.0
    memory_bytes: int = 1 << 30


def code(answer: str, item: TaskItem) -> float:
    """1 when the answer's program, followed by the tests `extra["tests"]`, runs to its end without an error.

    The program is the answer's first code fence, else the whole answer; `extra["before"]`, if given, stands before it
    (for answers that complete a function). Only Python's standard library can be imported.
    """
    fenced = FENCE.search(answer)
    parts = [item.extra.get("before", ""), fenced.group(1) if fenced else answer, tests_of(item)]
    return float(runs("\n\n".join(parts), Limits()))


def tests_of(item: TaskItem) -> str:
    """The item's tests. Raises BadInput where it has none."""
    return str(needed(item, "tests", "code", "Python tests (assert …)"))


def runs(program: str, limits: Limits) -> bool:
    """Whether a Python program runs to its end without an error, within the limits. Raises Missing where this system
    offers no way to hold it back."""
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="hearth-code-") as folder:
        path = Path(folder) / "answer.py"
        path.write_text(program, encoding="utf-8", errors="replace")
        limit = [str(math.ceil(limits.seconds)), str(limits.memory_bytes)]
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", str(CHILD), str(path), *limit, token],
            cwd=folder,
            env={},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            status = process.wait(limits.seconds)
        except subprocess.TimeoutExpired:
            return False
        finally:
            _end(process)
        # The pipe holds little: who writes more than it holds waits until the time is up.
        assert process.stdout is not None
        said = process.stdout.read(len(token) + 1)
        process.stdout.close()
    if status == NO_SANDBOX:
        raise Missing(
            "The answers' code can't be run on this system.",
            "Hearth runs code from models only where it can keep it from the network, other processes and your files "
            "(Linux with seccomp).",
            "Evaluate on Linux (WSL2 on Windows), or leave out the metric code.",
        )
    return said == token.encode()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole group, whatever is left of it."""
    with suppress(ProcessLookupError):  # it ended by itself
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
