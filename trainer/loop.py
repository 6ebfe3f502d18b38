"""What Hearth adds to TRL's trainers: its own order of rows, safe checkpoints, and a loss that has to be a number."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jobs.errors import OutOfRoom, disk_full
from jobs.files import publish_folder
from trainer import together
from trainer.checkpoints import SAVING, best_step, prune, rises_since_best, write_hashes
from trainer.collate import COUNTED
from trainer.recovery import Diverged
from trainer.sampler import EpochSampler

# Loss scaling of fp16 skips steps whose gradient overflows until the scale fits; a loss that is gone stays so.
OVERFLOWS_IN_FP16 = 20
STATE = "trainer_state.json"


def is_over(state: Any, total_steps: int, patience: int | None) -> bool:
    """Whether a transformers TrainerState is one after the last step, or one where the run was stopped early."""
    return state.global_step >= total_steps or (patience is not None and rises_since_best(state) >= patience)


class SafeLoop:
    """Mixed into a transformers Trainer, before it. `wait_for_room` is called with a full disk's message and returns
    once there is room; `learning_rate` wins over the one that a checkpoint remembers. `tokens` are the rows' own that
    were trained, `computed` those that it took, padding included."""

    args: Any
    state: Any
    optimizer: Any
    lr_scheduler: Any
    keep_checkpoints: int
    sampler: EpochSampler
    wait_for_room: Callable[[OutOfRoom], None]
    _saving_into: Path | None = None
    _overflows = 0
    tokens = 0
    computed = 0

    def train_from(self, checkpoint: Path | None, patience: int | None) -> bool:
        """Train to the end, from `checkpoint` where there is one; False when nothing was left to train.

        `patience` is that of the early stop. After a kill behind the last step transformers would make one step more.
        """
        from transformers import TrainerState

        state = TrainerState.load_from_json(str(checkpoint / STATE)) if checkpoint else None
        if checkpoint is None or state is None or not is_over(state, self.args.max_steps, patience):
            self.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)  # type: ignore[attr-defined]
            return True
        self._load_from_checkpoint(str(checkpoint))  # type: ignore[attr-defined]
        self.state = state
        return False

    def _get_train_sampler(self, *_: Any, **__: Any) -> EpochSampler:
        return self.sampler

    def _get_output_dir(self, trial: Any) -> str:  # noqa: ARG002 - transformers' signature
        return str(self._saving_into or self.args.output_dir)

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """The job writes its own card at the end."""

    def training_step(self, model: Any, inputs: dict[str, Any], *arguments: Any, **options: Any) -> Any:
        tokens, computed = inputs.pop(COUNTED)
        loss = super().training_step(model, inputs, *arguments, **options)  # type: ignore[misc]
        self.tokens += tokens
        self.computed += computed
        if not math.isfinite(float(loss)):
            raise Diverged(self.state.global_step + 1, "The loss is no number")
        return loss

    def prediction_step(self, model: Any, inputs: dict[str, Any], *arguments: Any, **options: Any) -> Any:
        rest = {name: value for name, value in inputs.items() if name != COUNTED}
        return super().prediction_step(model, rest, *arguments, **options)  # type: ignore[misc]

    def _get_grad_norm(self, *arguments: Any, **options: Any) -> Any:
        """Asked for before the weights are changed, so that they stay good when it is no number."""
        norm = super()._get_grad_norm(*arguments, **options)  # type: ignore[misc]
        finite = norm is None or math.isfinite(float(norm))
        self._overflows = 0 if finite else self._overflows + 1
        if not finite and (not self.args.fp16 or self._overflows > OVERFLOWS_IN_FP16):
            raise Diverged(self.state.global_step + 1, "The gradient is no number")
        return norm

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        """As remembered, but for the learning rate, which may have been lowered since."""
        super()._load_optimizer_and_scheduler(checkpoint)  # type: ignore[misc]
        if checkpoint is None:
            return
        scheduler = self.lr_scheduler
        scheduler.base_lrs = [self.args.learning_rate for _ in scheduler.base_lrs]
        for group, shape in zip(self.optimizer.param_groups, scheduler.lr_lambdas, strict=True):
            group["initial_lr"] = self.args.learning_rate
            group["lr"] = self.args.learning_rate * shape(scheduler.last_epoch)
        scheduler._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = Path(self.args.output_dir)
        if together.processes() > 1:
            self._save_together(folder, model, trial)
            return
        while True:
            try:
                self._write_checkpoint(folder, model, trial)
                break
            except OutOfRoom as full:
                self.wait_for_room(full)
        prune(folder, self.keep_checkpoints, best_step(self.state))

    def _save_together(self, folder: Path, model: Any, trial: Any) -> None:
        """Several processes: each adds the state of its random numbers, the first does all else. Nobody can wait here
        for room on a disk that another process finds full, so that ends the run."""
        name = f"checkpoint-{self.state.global_step}"
        if together.is_first():
            shutil.rmtree(folder / SAVING, ignore_errors=True)
        together.wait_for_all()
        self._saving_into = folder / SAVING
        super()._save_checkpoint(model, trial)  # type: ignore[misc]
        self._saving_into = None
        together.wait_for_all()
        if together.is_first():
            write_hashes(folder / SAVING / name)
            publish_folder(folder / SAVING / name, folder / name)
            shutil.rmtree(folder / SAVING)
            prune(folder, self.keep_checkpoints, best_step(self.state))
        together.wait_for_all()

    def _write_checkpoint(self, folder: Path, model: Any, trial: Any) -> None:
        name = f"checkpoint-{self.state.global_step}"
        self._saving_into = folder / SAVING
        shutil.rmtree(self._saving_into, ignore_errors=True)
        try:
            super()._save_checkpoint(model, trial)  # type: ignore[misc]
            write_hashes(self._saving_into / name)
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
