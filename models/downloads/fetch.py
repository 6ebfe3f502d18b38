"""A whole model from the Hub into its cache: what is there already is checked and kept, the rest is fetched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from jobs.errors import OutOfRoom
from jobs.files import read_json, write_text
from models.downloads.files import INDEX, HubFile, Repository
from models.downloads.transfer import Patience, Watch, fetch_blob, part_of

if TYPE_CHECKING:
    from collections.abc import Iterator

GB = 1e9
LOCK_SECONDS = 1.0
# Left free beside a download: a full disk stops everything else.
SPARE_BYTES = 500_000_000


class FetchWatch(Watch, Protocol):
    """Also told how much there is in all."""

    def expects(self, total: int, here: int) -> None:
        """`total` bytes make the model, of which `here` lie on the disk already."""


@dataclass(frozen=True)
class Fetched:
    """A model that is whole: its `folder`, the commit, how many files, and their bytes."""

    folder: Path
    commit: str
    files: int
    size: int


def fetch_model(
    repository: Repository, storage: Path, watch: FetchWatch, *, patience: Patience | None = None
) -> Fetched:
    """Have all that a model needs in `storage`, its folder in the Hub's cache. Raises UserError, or Stopped."""
    patience = patience or Patience()
    small = repository.beside_weights()
    watch.says(f"Looking at {repository.hub_id}")
    _have_blobs(repository, small, storage, watch, patience)
    index = repository.named(INDEX)
    weights = repository.weights(read_json(storage / "blobs" / index.blob) if index else None)
    files = [*small, *weights]
    total = sum(file.size for file in files)
    here = sum(_bytes_here(file, storage / "blobs") for file in files)
    watch.expects(total, here)
    require_room(repository, total - here, storage)
    _have_blobs(repository, weights, storage, watch, patience)
    return _laid_out(repository, files, storage)


def fetch_tokenizer(repository: Repository, storage: Path, watch: FetchWatch) -> Fetched:
    """Its tokenizer and chat template alone."""
    files = repository.tokenizer()
    _have_blobs(repository, files, storage, watch, Patience())
    return _laid_out(repository, files, storage)


def require_room(repository: Repository, missing: int, storage: Path) -> None:
    """Raises OutOfRoom where `missing` bytes don't fit on the disk."""
    existing = next(folder for folder in (storage, *storage.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if missing and missing + SPARE_BYTES > free:
        raise OutOfRoom(
            f"'{repository.hub_id}' doesn't fit on the disk.",
            f"{missing / GB:.1f} GB are to come, and {free / GB:.1f} GB are free where models are kept ({existing}).",
            "Delete models that you don't need, or keep them on another disk: both on the Models tab.",
        )


def _bytes_here(file: HubFile, blobs: Path) -> int:
    for path in (blobs / file.blob, part_of(blobs, file)):
        if path.exists():
            return min(path.stat().st_size, file.size)
    return 0


def _have_blobs(
    repository: Repository, files: Sequence[HubFile], storage: Path, watch: FetchWatch, patience: Patience
) -> None:
    blobs = storage / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    for file in files:
        watch.check_stop()
        with _alone(file, storage, watch):
            if (blobs / file.blob).exists() and not _is_right(file, blobs, watch):
                (blobs / file.blob).unlink()
                watch.came(-file.size)
            if not (blobs / file.blob).exists():
                watch.says(f"Fetching {file.path}")
                fetch_blob(repository, file, blobs, watch, patience)


def _is_right(file: HubFile, blobs: Path, watch: FetchWatch) -> bool:
    """Whether a file that is here already is what the Hub says."""
    path = blobs / file.blob
    watch.says(f"Checking {file.path}")
    if path.stat().st_size == file.size and file.checksum_of(path) == file.blob:
        return True
    watch.says(f"Damaged on the disk, fetched anew: {file.path}")
    return False


@contextmanager
def _alone(file: HubFile, storage: Path, watch: FetchWatch) -> Iterator[None]:
    """Nobody else fetches this file meanwhile; the lock is the one that huggingface_hub takes."""
    from filelock import FileLock, Timeout

    path = storage.parent / ".locks" / storage.name / f"{file.blob}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    while True:
        try:
            lock.acquire(timeout=LOCK_SECONDS)
            break
        except Timeout:
            watch.says(f"Waiting: another program fetches {file.path}")
            watch.check_stop()
    try:
        yield
    finally:
        lock.release()


def _laid_out(repository: Repository, files: Sequence[HubFile], storage: Path) -> Fetched:
    """The files under their names, where huggingface_hub and transformers look for them."""
    folder = storage / "snapshots" / repository.commit
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        _name(storage / "blobs" / file.blob, folder / file.path)
    write_text(storage / "refs" / "main", repository.commit)
    return Fetched(folder, repository.commit, len(files), sum(file.size for file in files))


def _name(blob: Path, path: Path) -> None:
    """Have `path` show the content of `blob`: by a link, as the Hub's cache does, or where none can be made, a copy."""
    path.unlink(missing_ok=True)
    try:
        path.symlink_to(os.path.relpath(blob, path.parent))
    except OSError:  # Windows lets only some people make these; a second name for the same file everybody may make
        try:
            path.hardlink_to(blob)
        except OSError:
            shutil.copyfile(blob, path)
