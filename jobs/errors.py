"""The few kinds of error that are the user's to mend: each says what was given, why it can't work and what to do.

They are formatted at the boundary only (command line, page, HTTP). Any other exception is a defect: it keeps its
traceback in the job's log and shows as an internal error.
"""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import ClassVar

NOTHING_LEFT_BYTES = 1_000_000


class UserError(Exception):
    """Something the user can mend. `what` was given, `why` it can't work, `fix`: what to do about it."""

    kind: ClassVar[str] = "user_error"

    def __init__(self, what: str, why: str, fix: str) -> None:
        super().__init__(what, why, fix)
        self.what = what
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.what}\n  why: {self.why}\n  do:  {self.fix}"


class BadInput(UserError):
    """A file, row, spec or option that can't be used as it is."""

    kind = "bad_input"


class Missing(UserError):
    """Something that has to be there first: a model, a tool, a connection, another job's result."""

    kind = "missing"


class OutOfRoom(UserError):
    """Not enough disk or memory."""

    kind = "out_of_room"


class Stopped(Exception):
    """Raised inside a worker when the user asked it to stop and it has saved what it had. Not a failure."""


def disk_full(error: Exception, place: str) -> OutOfRoom | None:
    """The message for a full disk, or None when `error` is something else.

    Libraries that write files report one in errors of their own, some with the system's words, some with neither.
    """
    said = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if not said and "No space left on device" not in str(error) and not _nothing_left(place):
        return None
    name = getattr(error, "filename", None) or place
    return OutOfRoom(
        f"The disk is full: writing {name} failed.",
        "No space is left on the device that holds the workspace.",
        "Free some space (old jobs and exports are under the workspace's jobs folder), then press Resume.",
    )


def _nothing_left(place: str) -> bool:
    existing = next((folder for folder in [Path(place), *Path(place).parents] if folder.exists()), None)
    return existing is not None and shutil.disk_usage(existing).free < NOTHING_LEFT_BYTES
