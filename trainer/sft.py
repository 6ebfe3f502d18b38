"""Supervised fine-tuning on the assistant's tokens, with LoRA, QLoRA or all weights, on either backend.

One recipe: load → adapter → TRL's SFTTrainer over rows that are already tokens with labels → save.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.backends import Backend, LoadOptions, LoraOptions
from models.chat_template import ChatTokenizer, TokenisedRow
from trainer.checkpoints import AtomicCheckpoints
from trainer.reporting import CountingCollator
from trainer.sampler import EpochSampler
from trainer.spec import TrainSpec


@dataclass(frozen=True)
class Plan:
    """What `auto` became, fixed at the start of a run and kept when it is resumed."""

    backend: str
    dtype: str
    learning_rate: float
    total_steps: int
    evaluate_every: int


def default_learning_rate(parameters: int, adapter: str) -> tuple[float, str]:
    """A rate that works for most rows, by the model's size; training all weights wants a tenth of an adapter's."""
    rate, size = next(
        (rate, size)
        for limit, rate, size in ((5e8, 1e-3, "under 0.5B"), (3e9, 4e-4, "under 3B"), (math.inf, 2e-4, "3B and more"))
        if parameters < limit
    )
    if adapter == "none":
        return rate / 10, f"default for all weights of a model {size}"
    return rate, f"default for an adapter on a model {size}"


def total_steps(spec: TrainSpec, rows: int) -> int:
    """Optimiser steps of the whole run, the last incomplete batch of each epoch included."""
    batches = math.ceil(rows / spec.optimisation.batch_size)
    per_epoch = max(1, math.ceil(batches / spec.optimisation.gradient_accumulation))
    steps = max(1, math.ceil(per_epoch * spec.optimisation.epochs))
    return min(steps, spec.optimisation.max_steps or steps)


def load_for_training(backend: Backend, folder: Path, spec: TrainSpec, plan: Plan) -> Any:
    """The model in `folder`, with a fresh adapter unless all weights are trained."""
    method = spec.method
    options = LoadOptions(
        dtype=plan.dtype,
        quantisation="4bit" if method.adapter == "qlora" else "none",
        max_length=spec.max_length,
        full=method.adapter == "none",
        gradient_checkpointing=spec.optimisation.gradient_checkpointing,
        seed=spec.seed,
    )
    model = backend.load(folder, options)
    if method.adapter == "none":
        return model
    lora = LoraOptions(method.rank, method.alpha, method.dropout, method.target_modules, method.rslora)
    return backend.add_adapter(model, lora, options)


def build_trainer(
    model: Any,
    tokenizer: ChatTokenizer,
    train: list[TokenisedRow],
    evaluation: list[TokenisedRow],
    spec: TrainSpec,
    plan: Plan,
    folder: Path,
    make_callback: Callable[[CountingCollator], Any],
) -> Any:
    """TRL's SFTTrainer with our rows, order and checkpoints (in `folder`). Import the backend before calling this."""
    from transformers import AutoTokenizer
    from trl import SFTTrainer
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    class Trainer(AtomicCheckpoints, SFTTrainer):  # type: ignore[misc]
        """Ours first, so that its checkpoints and order win."""

    collator = CountingCollator(DataCollatorForLanguageModeling(pad_token_id=tokenizer.pad_id))
    trainer = Trainer(
        model=model,
        args=_arguments(spec, plan, folder, evaluate=bool(evaluation)),
        train_dataset=_dataset(train),
        eval_dataset=_dataset(evaluation) if evaluation else None,
        data_collator=collator,
        processing_class=AutoTokenizer.from_pretrained(tokenizer.folder),
        callbacks=[make_callback(collator)],
    )
    trainer.keep_checkpoints = spec.saving.keep_checkpoints
    trainer.sampler = EpochSampler([len(row.input_ids) for row in train], spec.optimisation.batch_size, spec.seed)
    _quiet(trainer)
    return trainer


def _dataset(rows: list[TokenisedRow]) -> Any:
    from datasets import Dataset

    return Dataset.from_dict({"input_ids": [row.input_ids for row in rows], "labels": [row.labels for row in rows]})


def _quiet(trainer: Any) -> None:
    """Progress goes to the job's own files; transformers' bars and tables would only fill the log."""
    from transformers.trainer_callback import PrinterCallback, ProgressCallback

    trainer.remove_callback(ProgressCallback)
    trainer.remove_callback(PrinterCallback)


def _arguments(spec: TrainSpec, plan: Plan, folder: Path, *, evaluate: bool) -> Any:
    import torch
    from trl import SFTConfig

    optimisation = spec.optimisation
    on_gpu = torch.cuda.is_available()
    return SFTConfig(
        output_dir=str(folder),
        max_length=None,
        # The rows are tokens with labels already: TRL must neither tokenise, template, cut nor mask again.
        dataset_kwargs={"skip_prepare_dataset": True},
        # Logits only where a label is. Unsloth brings a loss of its own for that.
        loss_type="chunked_nll" if plan.backend == "peft" else "nll",
        per_device_train_batch_size=optimisation.batch_size,
        per_device_eval_batch_size=optimisation.batch_size,
        gradient_accumulation_steps=optimisation.gradient_accumulation,
        gradient_checkpointing=optimisation.gradient_checkpointing,
        num_train_epochs=optimisation.epochs,
        max_steps=plan.total_steps,
        learning_rate=plan.learning_rate,
        lr_scheduler_type=optimisation.schedule,
        warmup_steps=int(plan.total_steps * optimisation.warmup_ratio),
        weight_decay=optimisation.weight_decay,
        max_grad_norm=optimisation.max_grad_norm,
        optim="adamw_8bit" if optimisation.optimiser == "adamw_8bit" and on_gpu else "adamw_torch_fused",
        bf16=plan.dtype == "bf16",
        fp16=plan.dtype == "fp16",
        use_cpu=not on_gpu,
        logging_steps=1,
        logging_first_step=True,
        save_strategy="steps",
        save_steps=spec.saving.checkpoint_every,
        eval_strategy="steps" if evaluate else "no",
        eval_steps=plan.evaluate_every if evaluate else None,
        seed=spec.seed,
        data_seed=spec.seed,
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=on_gpu,
    )
