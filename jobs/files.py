"""Writing so that a reader never sees a half-written file, and reading what another process is still appending to."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jobs.errors import OutOfRoom


def write_text(path: Path, text: str) -> None:
    """Replace `path` with `text` in one step: readers see the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Replace `path` with `value` as JSON in one step."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n")


def read_json(path: Path) -> Any | None:
    """The JSON in `path`, or None when there is no such file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


_READ: dict[Path, tuple[tuple[int, int, int], Any]] = {}
KEPT_FILES = 4096


def read_json_again(path: Path) -> Any | None:
    """As `read_json`, for what is asked for again and again: the file is only opened when it was replaced since.

    What is returned is shared; whoever changes it copies it first.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    signature = (status.st_mtime_ns, status.st_size, status.st_ino)
    known = _READ.get(path)
    if known is None or known[0] != signature:
        value = read_json(path)
        if len(_READ) >= KEPT_FILES:
            _READ.clear()
        _READ[path] = known = (signature, value)
    return known[1]


def append_json_line(path: Path, value: Any) -> None:
    """Append `value` as one line. A line cut short by a kill is ended first, so that it can't swallow this one."""
    line = (json.dumps(value, ensure_ascii=False, default=str) + "\n").encode()
    with path.open("ab+") as file:
        if file.tell() > 0:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                line = b"\n" + line
        file.write(line)


def read_json_lines(path: Path) -> Iterator[Any]:
    """The values of a file of JSON lines; lines cut short by a kill (or still being written) are passed over."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    for line in content.split(b"\n"):
        try:
            yield json.loads(line)
        except ValueError:
            continue


def sha256(path: Path) -> str:
    """The hexadecimal SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_tree(folder: Path) -> None:
    """Flush every file below `folder`, and the folders' own entries, to the disk."""
    for path in [*folder.rglob("*"), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def publish_folder(temporary: Path, final: Path) -> None:
    """Make a finished folder appear under its final name in one step, replacing an earlier one."""
    sync_tree(temporary)
    if final.exists():
        shutil.rmtree(final)
    os.replace(temporary, final)


def require_free_space(place: Path, needed_bytes: int, purpose: str) -> None:
    """Raise OutOfRoom when the disk that holds `place` has less than `needed_bytes` free."""
    existing = next(folder for folder in [place, *place.resolve().parents] if folder.exists())
    free = shutil.disk_usage(existing).free
    if free < needed_bytes:
        raise OutOfRoom(
            f"{purpose} needs {needed_bytes / 1e9:.2f} GB, but {existing} has {free / 1e9:.2f} GB free.",
            "It would fill the disk before it is done.",
            f"Free {(needed_bytes - free) / 1e9:.2f} GB, or choose a workspace on another disk (--workspace).",
        )
