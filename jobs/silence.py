"""A running job that says nothing for long may have stalled: it hangs, or the machine is busy with other things."""

from __future__ import annotations

import time

from jobs.directory import JobDirectory, State, Status
from jobs.kinds import KINDS

# Loading a large model from a slow disk takes a minute or two without a word.
QUIET_MINUTES = 3


def silent_minutes(job: JobDirectory, status: Status) -> int:
    """Whole minutes since a running job last spoke; 0 while that is usual, and for one that waits for people."""
    kind = KINDS.get(job.header["kind"])
    if status.state is not State.RUNNING or status.updated is None or (kind is not None and kind.answers):
        return 0
    minutes = int((time.time() - status.updated) // 60)
    return minutes if minutes >= QUIET_MINUTES else 0


def silence_words(job: JobDirectory, status: Status) -> str:
    """`no news for 4 min`; empty while nothing is unusual."""
    minutes = silent_minutes(job, status)
    return f"no news for {minutes} min" if minutes else ""
