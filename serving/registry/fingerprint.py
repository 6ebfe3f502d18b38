"""What a version's files are and whether they are still the same: hashes of weights, settings and tokenizer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from jobs.bin import bin_folder
from jobs.files import sha256
from jobs.workspace import Workspace
from models.folder import TOKENIZER_FILES
from serving.registry.records import Version

# What decides on a model's answers; a README may be edited, and optimiser states be thinned out.
_SETTINGS = {"adapter_config.json", "config.json", "generation_config.json", "hearth.json", *TOKENIZER_FILES}
State = Literal["unchanged", "changed", "gone", "not checked"]


@dataclass(frozen=True)
class Check:
    """How a version's files stand against what was registered, with a sentence for people."""

    state: State
    sentence: str

    @property
    def usable(self) -> bool:
        """Whether nothing speaks against serving it."""
        return self.state in ("unchanged", "not checked")


def files_of(ref: str, workspace: Workspace) -> Path | None:
    """The file or folder that a reference, in full, stands for; None where the weights are in another program's hands
    or come from the Hub."""
    if Path(ref).is_absolute():
        return Path(ref)
    kind, _, target = ref.partition(":")
    if kind == "adapter":
        return Path(target)
    if kind != "job":
        return None
    job, _, step = target.partition("@")
    place = workspace.jobs / job
    if step:
        return place / "checkpoints" / f"checkpoint-{step}"
    return place / "adapter" if (place / "adapter").is_dir() else place / "model"


def fingerprint(path: Path) -> str:
    """SHA-256 of a file; of a folder, over the names and hashes of the files that decide on a model's answers."""
    if path.is_file():
        return _hash(path)
    kept = [file for file in sorted(path.iterdir()) if file.suffix == ".safetensors" or file.name in _SETTINGS]
    lines = "".join(f"{file.name}\0{_hash(file)}\n" for file in kept if file.is_file())
    return hashlib.sha256(lines.encode()).hexdigest()


def check(version: Version, workspace: Workspace) -> Check:
    """Whether what the version stands for is there and as it was registered."""
    path = files_of(version.ref, workspace) if version.sha256 else None
    if path is None:
        return Check("not checked", f"{version.ref} is kept elsewhere, so nothing can be compared.")
    if not path.exists():
        return Check("gone", _where_it_went(version, path, workspace))
    if fingerprint(path) != version.sha256:
        return Check("changed", f"{path} no longer holds what was registered as {version.label}.")
    return Check("unchanged", f"{path} holds what was registered.")


def _where_it_went(version: Version, path: Path, workspace: Workspace) -> str:
    job = version.lineage.export or version.lineage.job
    if job is not None and (bin_folder(workspace) / job).is_dir():
        return f"{path} is gone: job {job} was deleted and lies in the bin (`python cli.py jobs restore {job}`)."
    return f"{path} is gone."


def _hash(path: Path) -> str:
    """Large files are hashed once as long as they are not written to."""
    status = path.stat()
    return _hash_again(path, status.st_mtime_ns, status.st_size, status.st_ino)


@lru_cache(maxsize=1024)
def _hash_again(path: Path, _modified_ns: int, _size: int, _inode: int) -> str:
    return sha256(path)
