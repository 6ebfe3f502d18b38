"""Whether a database of the workspace changed since it was last shown: two looks at the disk, no query."""

from __future__ import annotations

from pathlib import Path

from jobs.workspace import Workspace
from ui.drafts import read_draft
from ui.serving_choice import TAB


def stamp(path: Path) -> str:
    """Changes with every write to an SQLite file, which first goes to the log beside it."""
    looks = []
    for each in (path, path.with_name(f"{path.name}-wal")):
        try:
            status = each.stat()
        except FileNotFoundError:
            continue
        looks.append(f"{status.st_size} {status.st_mtime_ns}")
    return "|".join(looks)


def is_open(workspace: Workspace, part: str) -> bool:
    """Whether that part of the Serving tab is the one that was opened last."""
    return bool(read_draft(workspace, TAB).get("part") == part)
