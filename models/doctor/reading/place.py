"""The disk that holds the workspace: its file system and its room."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePath

import psutil
from filelock import FileLock, Timeout

from models.doctor.facts import Place


def read_place(folder: Path) -> Place:
    """The disk of `folder`, or of the nearest folder above that is there."""
    existing = _existing(folder)
    usage = shutil.disk_usage(existing)
    mounts = [(mount.mountpoint, mount.fstype) for mount in psutil.disk_partitions(all=True)]
    return Place(folder, file_system_of(existing, mounts), usage.total, usage.free)


def _existing(folder: Path) -> Path:
    return next(each for each in [folder.resolve(), *folder.resolve().parents] if each.is_dir())


def file_system_of(folder: PurePath, mounts: Sequence[tuple[str, str]]) -> str:
    """The kind of the innermost mount that holds `folder`; of two at one place, the later lies on top."""
    holding = [(len(PurePath(point).parts), kind) for point, kind in mounts if folder.is_relative_to(point)]
    deepest = max((depth for depth, _ in holding), default=0)
    return next((kind for depth, kind in reversed(holding) if depth == deepest), "unknown")


def locks_hold(folder: Path) -> bool:
    """Whether a second lock on one file is refused on that disk. Leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix=".hearth-", dir=_existing(folder)) as place:
        path = str(Path(place) / "lock")
        first, second = FileLock(path), FileLock(path)
        try:
            first.acquire(blocking=False)
        except (OSError, NotImplementedError):  # the disk has no locks
            return False
        try:
            second.acquire(blocking=False)
        except Timeout:
            return True
        finally:
            second.release()
            first.release()
        return False
