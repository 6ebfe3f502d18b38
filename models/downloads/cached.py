"""The models that lie in the Hub's cache: how large each is, whether it is whole, and deleting one."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from models.download import cached_snapshot
from models.downloads.place import models_place

PREFIX = "models--"


@dataclass(frozen=True)
class CachedModel:
    """A model in the cache. `size`: its bytes on the disk, unfinished files included; `complete`: it can be used."""

    hub_id: str
    size: int
    complete: bool
    folder: Path


def cached_models() -> list[CachedModel]:
    """All of them, the largest first. No network."""
    root = models_place().folder
    folders = [path for path in root.glob(f"{PREFIX}*") if path.is_dir()] if root.is_dir() else []
    found = [_look_at(path) for path in folders if _hub_id(path).count("/") < 2]
    return sorted((each for each in found if each.size), key=lambda each: (-each.size, each.hub_id))


def folder_of(hub_id: str) -> Path:
    """Where the cache keeps a model, there or not."""
    return models_place().folder / f"{PREFIX}{hub_id.replace('/', '--')}"


def remove_cached(workspace: Workspace, hub_id: str) -> int:
    """Delete a model from the cache; the bytes that frees. Raises Missing or BadInput, while a job uses it."""
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", hub_id) or ".." in hub_id:
        raise BadInput(f"'{hub_id}' is no Hub id.", "Models in the cache are named by one.", "Write owner/name.")
    folder = folder_of(hub_id)
    if not folder.is_dir():
        raise Missing(
            f"The model '{hub_id}' isn't in {folder.parent}.",
            "Only what was downloaded can be deleted.",
            "`python cli.py models list --here` shows what is there.",
        )
    using = next(
        (job for job in workspace.list_jobs() if job.status().state.active and _names(job.header, hub_id)), None
    )
    if using is not None:
        raise BadInput(
            f"'{hub_id}' is in use.", f"The job “{using.header['title']}” needs it.", "Wait for its end, or stop it."
        )
    freed = _look_at(folder).size
    shutil.rmtree(folder)
    return freed


def _look_at(folder: Path) -> CachedModel:
    hub_id = _hub_id(folder)
    blobs = folder / "blobs"
    files = [path for path in blobs.iterdir() if not path.is_symlink()] if blobs.is_dir() else []
    if not files:  # where links can't be made, the files lie in the snapshots themselves
        files = [path for path in folder.glob("snapshots/*/*") if path.is_file()]
    return CachedModel(hub_id, sum(_size(path) for path in files), cached_snapshot(hub_id) is not None, folder)


def _hub_id(folder: Path) -> str:
    return folder.name.removeprefix(PREFIX).replace("--", "/")


def _size(path: Path) -> int:
    """0 for a file that was just renamed: a download goes on meanwhile."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _names(header: dict[str, Any], hub_id: str) -> bool:
    return hub_id in _texts(header.get("spec"))


def _texts(value: Any) -> Iterator[str]:
    """All texts in a spec, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)
