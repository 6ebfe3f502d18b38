"""A worker for rounds whose steps run for real, but in this same process: libraries are imported once.

python -m tests.serving.loop.inline_worker JOB_FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from jobs import launcher, worker
from jobs.directory import JobDirectory


def launch_here(job: JobDirectory) -> None:
    """Run the job to its end before the round looks at it."""
    worker.main(job.path)


if __name__ == "__main__":
    launcher._launch = launch_here
    sys.exit(worker.main(Path(sys.argv[1])))
