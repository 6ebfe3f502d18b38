"""What only trying tells: importing the libraries, each in a process of its own, asking the Hub, taking a lock."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace

from models.doctor.facts import Facts, Tried
from models.doctor.finding import PROJECT
from models.doctor.reading.place import locks_hold
from models.doctor.reading.sleep import read_sleep
from models.download import hub_reachable

Progress = Callable[[float, str], None]
# Unsloth takes half a minute on a slow disk; what takes this long hangs.
IMPORT_SECONDS = 180
SHOWN_CHARACTERS = 300
# As a worker imports it, so that its compiled code goes into the cache.
PROGRAMS = {
    "torch": "import torch; print(torch.cuda.is_available())",
    "unsloth": "from models.backends.unsloth import import_unsloth; import_unsloth()",
    "bitsandbytes": "import bitsandbytes",
}


def try_everything(facts: Facts, progress: Progress) -> Facts:
    """The facts with what trying tells; `progress` gets the share that is done and what comes next."""
    libraries = [name for name in PROGRAMS if name in facts.libraries.versions]
    steps = len(libraries) + 2
    problems: dict[str, str | None] = {}
    sees_card = None
    for number, name in enumerate(libraries):
        progress(number / steps, f"Importing {name}, as a training would")
        printed, problems[name] = run_program(PROGRAMS[name], IMPORT_SECONDS)
        if name == "torch" and problems[name] is None and facts.cards.first is not None:
            sees_card = printed.strip().endswith("True")
    progress(len(libraries) / steps, "Asking the Hugging Face Hub")
    hub = hub_reachable()
    progress((len(libraries) + 1) / steps, "Looking at disk and sleep settings")
    tried = Tried(
        problems=problems,
        sees_card=sees_card,
        hub=hub,
        offline_wanted=bool(os.environ.get("HF_HUB_OFFLINE")),
        locks=locks_hold(facts.place.path),
        sleep=read_sleep(facts.system),
    )
    return replace(facts, tried=tried)


def run_program(code: str, seconds: float) -> tuple[str, str | None]:
    """What a piece of Python printed, and the last line of its complaint; None when it ended well."""
    with tempfile.TemporaryDirectory() as elsewhere:
        try:
            done = subprocess.run(
                [sys.executable, "-c", code],
                cwd=elsewhere,
                env={**os.environ, "PYTHONPATH": str(PROJECT)},
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "", f"it didn't end within {seconds:.0f} seconds"
    if done.returncode == 0:
        return done.stdout, None
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    said = lines[-1] if lines else f"it ended with status {done.returncode}"
    return done.stdout, said[:SHOWN_CHARACTERS]
