"""Checkpoints that are either whole or absent: written under a temporary name, synced to the disk, then renamed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.errors import disk_full
from jobs.files import publish_folder

if TYPE_CHECKING:
    from trainer.sampler import EpochSampler

SAVING = ".saving"


def checkpoints_in(folder: Path) -> list[tuple[int, Path]]:
    """(step, folder) of every whole checkpoint, oldest first."""
    found = [(re.fullmatch(r"checkpoint-(\d+)", path.name), path) for path in folder.glob("checkpoint-*")]
    return sorted((int(match.group(1)), path) for match, path in found if match)


def latest_checkpoint(folder: Path) -> Path | None:
    """Where a resumed run goes on; None when nothing was saved yet."""
    found = checkpoints_in(folder)
    return found[-1][1] if found else None


class AtomicCheckpoints:
    """Mixed into a transformers Trainer: atomic checkpoints, our own order of rows, no model card in between."""

    args: Any
    state: Any
    keep_checkpoints: int
    sampler: EpochSampler
    _saving_into: Path | None = None

    def _get_train_sampler(self, *_: Any, **__: Any) -> EpochSampler:
        return self.sampler

    def _get_output_dir(self, trial: Any) -> str:  # noqa: ARG002 - transformers' signature
        return str(self._saving_into or self.args.output_dir)

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """The job writes its own card at the end."""

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = Path(self.args.output_dir)
        name = f"checkpoint-{self.state.global_step}"
        self._saving_into = folder / SAVING
        shutil.rmtree(self._saving_into, ignore_errors=True)
        try:
            super()._save_checkpoint(model, trial)  # type: ignore[misc]
            publish_folder(self._saving_into / name, folder / name)
        except Exception as error:
            # Asked here, before what was half written goes: some writers report a full disk in no words of its own.
            full = disk_full(error, str(folder))
            if full is None:
                raise
            raise full from error
        finally:
            shutil.rmtree(self._saving_into, ignore_errors=True)
            self._saving_into = None
        for _, old in checkpoints_in(folder)[: -self.keep_checkpoints]:
            shutil.rmtree(old)
