"""What stands in the forms, kept on disk as it is typed, so that neither a refresh nor a restart loses it."""

from __future__ import annotations

from threading import Lock
from typing import Any

from jobs.files import read_json, write_json
from jobs.workspace import Workspace

# A click comes while what was typed just before is still being kept: neither may write what the other has not read.
_SAVING = Lock()


def read_draft(workspace: Workspace, tab: str) -> dict[str, Any]:
    """Everything kept for a tab; empty at first, and when the file was spoilt."""
    try:
        draft = read_json(workspace.drafts / f"{tab}.json")
    except ValueError:
        return {}  # cut or edited by hand: an empty form is better than a page that doesn't open
    return draft if isinstance(draft, dict) else {}


def save_draft(workspace: Workspace, tab: str, /, **changes: Any) -> None:
    """Keep these values beside what is kept already; None forgets one."""
    with _SAVING:
        draft = read_draft(workspace, tab)
        changed = {key: value for key, value in {**draft, **changes}.items() if value is not None}
        if changed != draft:
            write_json(workspace.drafts / f"{tab}.json", changed)
