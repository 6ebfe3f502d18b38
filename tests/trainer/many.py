"""Several train jobs in one worker process, one after the other: libraries are imported once.

python -m tests.trainer.many JOB_FOLDER ...
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs.directory import JobDirectory, State
from jobs.workspace import Workspace

PROJECT = Path(__file__).resolve().parents[2]


def run_many(workspace: Workspace, specs: Sequence[dict[str, Any]], seconds: float = 900.0) -> list[JobDirectory]:
    """Train by each spec for real; all have to succeed."""
    jobs = [
        JobDirectory.create(workspace.new_job_path("train"), kind="train", title="many", spec=spec, resource=None)
        for spec in specs
    ]
    command = [sys.executable, "-m", "tests.trainer.many", *(str(job.path) for job in jobs)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=seconds)
    for job in jobs:
        status = job.status()
        output = f"{done.stdout[-6000:]}{done.stderr[-6000:]}"
        assert status.state is State.SUCCEEDED, f"{job.header['spec']}\n{status.error}\n{output}"
    return jobs


if __name__ == "__main__":
    from jobs.worker import main

    for folder in sys.argv[1:]:
        main(Path(folder))
