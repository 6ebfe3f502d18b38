"""Unsloth: the default wherever it can run. Imported here alone, and before trl and transformers."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from jobs.workspace import cache_folder
from models.attention import use_quickest_attention
from models.backends import LoadOptions, LoraOptions

# What Unsloth spells out for `all-linear`: the projections of attention and feed-forward layers.
ALL_LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def import_unsloth() -> Any:
    """Import Unsloth without its side effects: no statistics, no installing, its compiled code in our cache."""
    os.environ["UNSLOTH_DISABLE_STATISTICS"] = "1"
    os.environ["UNSLOTH_AUTO_INSTALL"] = "0"
    os.environ.setdefault("UNSLOTH_COMPILE_LOCATION", str(cache_folder() / "unsloth_compiled"))
    early = [name for name in ("trl", "transformers") if name in sys.modules and "unsloth" not in sys.modules]
    if early:
        raise RuntimeError(f"{early} were imported before unsloth, which would leave their trainers unpatched.")
    import unsloth

    _keep_trl_log_probabilities()
    return unsloth


def _keep_trl_log_probabilities() -> None:
    """Without a GPU, Unsloth replaces the function by which TRL takes log-probabilities in chunks. What stands in its
    place returns what TRL 1.15 wants: five values, where the trainers of 1.14 want two. TRL's own runs on a CPU too."""
    from trl.trainer import utils

    utils._ChunkedLogProbFunction = getattr(utils._ChunkedLogProbFunction, "_kernel", utils._ChunkedLogProbFunction)


class UnslothBackend:
    """See `Backend`."""

    name = "unsloth"

    def __init__(self) -> None:
        self._unsloth = import_unsloth()

    def load(self, folder: Path, options: LoadOptions) -> Any:
        from models.backends.peft import torch_dtype

        model, _ = self._unsloth.FastLanguageModel.from_pretrained(
            model_name=str(options.adapter or folder),
            max_seq_length=options.max_length,
            dtype=torch_dtype(options.dtype),
            load_in_4bit=options.quantisation == "4bit",
            load_in_8bit=options.quantisation == "8bit",
            full_finetuning=options.full,
            use_gradient_checkpointing="unsloth" if options.gradient_checkpointing else False,
            offload_embedding=options.offload_embedding,
        )
        use_quickest_attention(model, options.max_length)
        return model

    def add_adapter(self, model: Any, lora: LoraOptions, options: LoadOptions) -> Any:
        adapted = self._unsloth.FastLanguageModel.get_peft_model(
            model,
            r=lora.rank,
            target_modules=ALL_LINEAR if lora.target_modules == "all-linear" else lora.target_modules,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            use_rslora=lora.rslora,
            use_dora=lora.dora,
            modules_to_save=list(lora.modules_to_save) or None,
            use_gradient_checkpointing="unsloth" if options.gradient_checkpointing else False,
            random_state=options.seed,
        )
        if lora.loftq_from is not None:
            from models.backends.loftq import start_from_what_4bit_lost

            start_from_what_4bit_lost(adapted, lora.loftq_from)
        return adapted

    def prepare_for_generation(self, model: Any) -> None:
        self._unsloth.FastLanguageModel.for_inference(model)

    def prepare_for_training(self, model: Any) -> None:
        self._unsloth.FastLanguageModel.for_training(model)
