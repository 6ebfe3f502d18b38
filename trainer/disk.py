"""A full disk pauses a run: it says how much is missing, keeps what it has, and goes on once there is room."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from jobs.context import RESERVE, JobContext
from jobs.errors import OutOfRoom, Stopped, disk_full
from trainer.checkpoints import checkpoints_in, size_of

LOOK_SECONDS = 1.0
# Until a first checkpoint shows how large one is.
AT_LEAST = 16_000_000


def wait_for_room(context: JobContext, folder: Path, full: OutOfRoom) -> None:
    """Return once `folder`'s disk has room for another checkpoint. Raises Stopped when asked to stop meanwhile."""
    saved = checkpoints_in(folder)
    needed = max(AT_LEAST, size_of(saved[-1][1])) if saved else AT_LEAST
    before = context.status
    reserve = context.path / RESERVE
    held = reserve.stat().st_size if reserve.exists() else 0
    context.release_reserve()  # room to say it
    while (missing := needed - shutil.disk_usage(existing(folder)).free) > 0:
        _say(
            context,
            before.progress,
            f"Paused: the disk is full, about {missing / 1e6:,.0f} MB more are needed for a checkpoint. Free some "
            "space and it goes on by itself",
        )
        if context.should_stop():
            raise Stopped
        time.sleep(LOOK_SECONDS)
    reserve.write_bytes(os.urandom(held))
    context.change("Went on after a pause", full.what)


def _say(context: JobContext, progress: float | None, message: str) -> None:
    """Where others have taken even the last bytes, nothing can be said until there are some again."""
    try:
        context.progress(progress, message)
    except OSError as error:
        if disk_full(error, str(context.path)) is None:
            raise


def existing(folder: Path) -> Path:
    """The nearest folder above that is there."""
    return next(each for each in [folder, *folder.parents] if each.is_dir())
