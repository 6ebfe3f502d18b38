"""Checkpoints that are either whole or absent, known to be undamaged, and as many as are worth keeping.

Written under a temporary name, synced to the disk, then renamed; each holds the hashes of its files, so that one that
was damaged later is noticed and the one before it is taken.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xxhash

from jobs.files import read_json, write_json
from trainer.rows import HELD_OUT

SAVING = ".saving"
HASHES = "hashes.json"
PIECE_BYTES = 1 << 22


@dataclass(frozen=True)
class Found:
    """Where to go on from, and the checkpoints after it that are damaged."""

    checkpoint: Path | None
    damaged: list[Path]


def checkpoints_in(folder: Path) -> list[tuple[int, Path]]:
    """(step, folder) of every whole checkpoint, oldest first."""
    found = [(re.fullmatch(r"checkpoint-(\d+)", path.name), path) for path in folder.glob("checkpoint-*")]
    return sorted((int(match.group(1)), path) for match, path in found if match)


def find_checkpoint(folder: Path) -> Found:
    """The newest checkpoint that is as it was written; None when there is none."""
    damaged: list[Path] = []
    for _, path in reversed(checkpoints_in(folder)):
        if is_intact(path):
            return Found(path, damaged)
        damaged.append(path)
    return Found(None, damaged)


def set_aside(damaged: list[Path]) -> None:
    """Keep damaged checkpoints under another name, out of the way."""
    for path in damaged:
        target = path.with_name(f"damaged-{path.name}")
        shutil.rmtree(target, ignore_errors=True)
        path.rename(target)


def write_hashes(folder: Path) -> None:
    """Note what every file in `folder` holds."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    write_json(folder / HASHES, {str(path.relative_to(folder)): _hash(path) for path in files})


def is_intact(folder: Path) -> bool:
    """Whether every file still holds what was noted. A file that can't be read is damaged as well."""
    try:
        noted = read_json(folder / HASHES) or {}
        return bool(noted) and all(_hash(folder / name) == value for name, value in noted.items())
    except (OSError, ValueError):
        return False


def _hash(path: Path) -> str:
    """xxh3 of a file's content: no defence against forgery, but as quick as the disk."""
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def prune(folder: Path, keep: int, best_step: int | None) -> None:
    """Delete all but the newest `keep` checkpoints and the best."""
    for step, path in checkpoints_in(folder)[:-keep]:
        if step != best_step:
            shutil.rmtree(path)


def size_of(folder: Path) -> int:
    """Bytes of everything in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def result_weights(checkpoint: Path) -> list[Path]:
    """The files of a checkpoint that hold the weights: an adapter's, or a whole model's."""
    adapter = checkpoint / "adapter_model.safetensors"
    return [adapter] if adapter.exists() else sorted(checkpoint.glob("model*.safetensors*"))


def best_step(state: Any) -> int | None:
    """The step with the lowest held-out loss so far, of a transformers TrainerState."""
    step = getattr(state, "best_global_step", None)
    return int(step) if step else None


def rises_since_best(state: Any) -> int:
    """How many measurements on held-out rows came after the best one of a transformers TrainerState."""
    best = best_step(state) or 0
    return sum(1 for entry in state.log_history if f"eval_{HELD_OUT}_loss" in entry and entry["step"] > best)
