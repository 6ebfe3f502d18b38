"""The part of a trainer's arguments that all objectives share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trainer.plan import Plan
from trainer.spec import TrainSpec


def common_arguments(spec: TrainSpec, plan: Plan, folder: Path, *, evaluate: bool) -> dict[str, Any]:
    """Keyword arguments of transformers' TrainingArguments; checkpoints go into `folder`."""
    import torch

    optimisation = spec.optimisation
    on_gpu = torch.cuda.is_available()
    return {
        "output_dir": str(folder),
        "per_device_train_batch_size": plan.batch_size,
        "per_device_eval_batch_size": plan.batch_size,
        "gradient_accumulation_steps": plan.gradient_accumulation,
        # The backend has switched it on in the model, Unsloth in a way of its own.
        "gradient_checkpointing": False,
        "num_train_epochs": optimisation.epochs,
        "max_steps": plan.total_steps,
        "learning_rate": plan.learning_rate,
        "lr_scheduler_type": optimisation.schedule,
        "lr_scheduler_kwargs": {"min_lr_rate": 0.1} if optimisation.schedule == "cosine_with_min_lr" else {},
        "warmup_steps": int(plan.total_steps * optimisation.warmup_ratio),
        "weight_decay": optimisation.weight_decay,
        "max_grad_norm": optimisation.max_grad_norm,
        "optim": plan.optimiser,
        "bf16": plan.dtype == "bf16",
        "fp16": plan.dtype == "fp16",
        "use_cpu": not on_gpu,
        "logging_steps": 1,
        "logging_first_step": True,
        # A loss that is no number is never averaged away: the loop notices it.
        "logging_nan_inf_filter": False,
        "save_strategy": "steps",
        "save_steps": spec.saving.checkpoint_every,
        "eval_strategy": "steps" if evaluate else "no",
        "eval_steps": plan.evaluate_every if evaluate else None,
        "prediction_loss_only": True,
        "remove_unused_columns": False,
        "seed": spec.seed,
        "data_seed": spec.seed,
        "report_to": [],
        "disable_tqdm": True,
        "dataloader_pin_memory": on_gpu,
    }
