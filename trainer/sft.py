"""Supervised fine-tuning and continued pre-training: TRL's SFTTrainer over rows that are already tokens with labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.chat_template import ChatTokenizer
from trainer.arguments import common_arguments
from trainer.collate import Counted, flat_rows, padded_rows
from trainer.loop import SafeLoop
from trainer.plan import Plan
from trainer.rows import Item
from trainer.spec import TrainSpec


def build_sft(
    model: Any,
    tokenizer: ChatTokenizer,
    train: list[Item],
    evaluation: dict[str, list[Item]],
    spec: TrainSpec,
    plan: Plan,
    folder: Path,
) -> Any:
    """The trainer, whose checkpoints go into `folder`. Import the backend before calling this."""
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    from trainer.frozen_head import FrozenHeadLoss, use_frozen_head

    frozen = plan.backend == "peft" and spec.method.adapter != "none" and use_frozen_head(model)
    mixed = (SafeLoop, FrozenHeadLoss) if frozen else (SafeLoop,)
    # Ours first, so that its checkpoints, order and loss win.
    trainer_class = type("Trainer", (*mixed, SFTTrainer), {})
    arguments = SFTConfig(
        **common_arguments(spec, plan, folder, evaluate=bool(evaluation)),
        max_length=None,
        # The rows are tokens with labels already: TRL must neither tokenise, template, cut nor mask again.
        dataset_kwargs={"skip_prepare_dataset": True},
        # Logits only where a label is, where the output layer is trained too. Unsloth brings a loss of its own for
        # that; TRL's reads the layer's own weights, past an adapter on it.
        loss_type="chunked_nll" if plan.backend == "peft" and not frozen and not spec.method.adapts_head else "nll",
        neftune_noise_alpha=spec.optimisation.neftune_alpha,
    )
    return trainer_class(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_list(train),
        eval_dataset={name: Dataset.from_list(items) for name, items in evaluation.items()} or None,
        data_collator=Counted(flat_rows if plan.flat else padded_rows(tokenizer.pad_id)),
        processing_class=AutoTokenizer.from_pretrained(tokenizer.folder),
    )
