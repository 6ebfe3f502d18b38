"""A worker with one more kind: `toy`, which counts steps, so that jobs can be tested without machine learning."""

from __future__ import annotations

import errno
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from jobs import kinds, worker
from jobs.context import JobContext
from jobs.errors import BadInput, Stopped


def run(context: JobContext) -> dict[str, Any]:
    """Count to `steps`; saves the count after each, and goes on from it."""
    spec = context.spec
    saved = context.path / "count.txt"
    count = int(saved.read_text()) if saved.exists() else 0
    context.resolve("start_time", time.time(), "clock")
    if spec.get("child"):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    while count < spec["steps"]:
        if context.should_stop():
            raise Stopped
        count += 1
        context.metric(count, loss=1.0 / count)
        context.progress(count / spec["steps"], f"step {count}")
        if count % 2 == 0:
            saved.write_text(str(count))
        time.sleep(spec.get("seconds", 0.0))
    match spec.get("end"):
        case "bad_input":
            raise BadInput("The rows are wrong.", "Row 3 is empty.", "Fill it.")
        case "disk_full":
            raise OSError(errno.ENOSPC, "No space left on device", "model.bin")
        case "defect":
            raise ZeroDivisionError("a defect")
    result = context.path / "result.txt"
    result.write_text("done")
    context.artifact(result)
    return {"count": count}


if __name__ == "__main__":
    kinds.KINDS["toy"] = kinds.Kind("tests.jobs.toy_worker:run", heavy=True, label="Toy")
    sys.exit(worker.main(Path(sys.argv[1])))
