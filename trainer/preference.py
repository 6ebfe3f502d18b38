"""Learning from preferences: TRL's DPOTrainer and KTOTrainer, and ORPO on top, over rows that are already tokens.

Nothing is computed for padding, and log-probabilities are taken chunk by chunk, so that the logits of a whole batch
never exist. The reference of dpo and kto is the model as it was at the start: a fresh adapter switched off, or a frozen
copy of the adapter that is trained on. There is never a second model in memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.attention import flat_inputs
from models.chat_template import ChatTokenizer
from trainer.arguments import common_arguments
from trainer.collate import Counted, marked, pairs
from trainer.loop import SafeLoop
from trainer.plan import Plan
from trainer.rows import Item
from trainer.spec import TrainSpec


class ChunkedRows:
    """Mixed into TRL's DPO and KTO trainers: log-probabilities of rows one after the other, never whole logits."""

    accelerator: Any
    flat: bool = False

    def compute_in_chunks(self, *, flat: bool) -> None:
        """Call when the trainer is built. TRL has this path only together with the package liger-kernel, though
        nothing of that package is used in it."""
        from trl.models.utils import _ForwardRedirection

        self.use_liger_kernel = True
        self._forward_redirection = _ForwardRedirection()
        self.flat = flat

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset

    def _get_per_token_logps_and_entropies(
        self, model: Any, model_kwargs: dict[str, Any], input_ids: Any, completion_mask: Any
    ) -> tuple[Any, Any, Any]:
        """Log-probability and entropy of each answer's tokens, (rows, tokens − 1), zero elsewhere."""
        if not self.flat:
            return super()._get_per_token_logps_and_entropies(  # type: ignore[misc,no-any-return]
                model, model_kwargs, input_ids, completion_mask
            )
        import torch

        real = model_kwargs["attention_mask"].bool()
        rows = [row[keep].tolist() for row, keep in zip(input_ids.cpu(), real.cpu(), strict=True)]
        inputs = {name: _moved(value, input_ids.device) for name, value in flat_inputs(rows).items()}
        logps, entropies, outputs = super()._get_per_token_logps_and_entropies(  # type: ignore[misc]
            model, {**inputs, "use_cache": False}, inputs["input_ids"], completion_mask[real][None]
        )

        def side_by_side(flat: Any) -> Any:
            # The first token of all has no log-probability; those of the other rows are no answer's and are zero.
            values = torch.nn.functional.pad(flat[0], (1, 0))
            return values.new_zeros(real.shape).masked_scatter(real, values)[:, 1:]

        return side_by_side(logps), side_by_side(entropies), outputs


def _moved(value: Any, device: Any) -> Any:
    return value.to(device) if hasattr(value, "to") else value


def build_preference(
    model: Any,
    tokenizer: ChatTokenizer,
    train: list[Item],
    evaluation: dict[str, list[Item]],
    spec: TrainSpec,
    plan: Plan,
    folder: Path,
) -> tuple[Any, Counted]:
    """The trainer of dpo, orpo or kto, whose checkpoints go into `folder`, and its collator."""
    from datasets import Dataset
    from transformers import AutoTokenizer

    kto = spec.method.objective == "kto"
    collator = Counted((marked if kto else pairs)(tokenizer.pad_id), flat=plan.flat)
    trainer = (_kto_class() if kto else _orpo_class() if spec.method.objective == "orpo" else _dpo_class())(
        model=model,
        args=(_kto_arguments if kto else _dpo_arguments)(spec, plan, folder, evaluate=bool(evaluation)),
        train_dataset=Dataset.from_list(train),
        eval_dataset={name: Dataset.from_list(items) for name, items in evaluation.items()} or None,
        data_collator=collator,
        processing_class=AutoTokenizer.from_pretrained(tokenizer.folder),
    )
    trainer.compute_in_chunks(flat=plan.flat)
    _drop_needless_reference(trainer, spec)
    return trainer, collator


def _drop_needless_reference(trainer: Any, spec: TrainSpec) -> None:
    """TRL always copies the adapter as reference. One that changes nothing yet is the same as none, for no memory."""
    adapters = getattr(trainer.model, "peft_config", {})
    if "ref" not in adapters:
        return
    if spec.method.objective == "orpo" or _changes_nothing(trainer.model):
        trainer.model.delete_adapter("ref")


def _changes_nothing(model: Any) -> bool:
    """Whether the adapter is fresh: its second matrices are zero, and nothing is trained whole beside it."""
    if any("modules_to_save" in name for name, _ in model.named_parameters()):
        return False
    return all(not bool(value.any()) for name, value in model.named_parameters() if "lora_B.ref" in name)


def _dpo_arguments(spec: TrainSpec, plan: Plan, folder: Path, *, evaluate: bool) -> Any:
    from trl import DPOConfig

    preference = spec.preference
    mixed = preference.sft_weight > 0
    return DPOConfig(
        **common_arguments(spec, plan, folder, evaluate=evaluate),
        max_length=None,
        beta=preference.beta,
        loss_type=[preference.loss, "sft"] if mixed else [preference.loss],
        loss_weights=[1.0, preference.sft_weight] if mixed else None,
        # Where all weights are trained, the only reference is the model before its first step.
        precompute_ref_log_probs=spec.method.adapter == "none",
    )


def _kto_arguments(spec: TrainSpec, plan: Plan, folder: Path, *, evaluate: bool) -> Any:
    from trl import KTOConfig

    preference = spec.preference
    return KTOConfig(
        **common_arguments(spec, plan, folder, evaluate=evaluate),
        max_length=None,
        beta=preference.beta,
        desirable_weight=preference.good_weight,
        undesirable_weight=preference.bad_weight,
        precompute_ref_log_probs=spec.method.adapter == "none",
    )


def _dpo_class() -> Any:
    from trl import DPOTrainer

    class Trainer(SafeLoop, ChunkedRows, DPOTrainer):  # type: ignore[misc]
        """Ours first, so that its checkpoints, order and log-probabilities win."""

        def compute_ref_log_probs(self, model: Any, inputs: Any) -> Any:
            self.use_liger_kernel = True  # asked for while the trainer is still being built
            return super().compute_ref_log_probs(model, inputs)

    return Trainer


def _kto_class() -> Any:
    from trl import KTOTrainer

    class Trainer(SafeLoop, ChunkedRows, KTOTrainer):  # type: ignore[misc]
        """Ours first, so that its checkpoints, order and log-probabilities win."""

        def compute_ref_log_probs(self, model: Any, inputs: Any) -> Any:
            self.use_liger_kernel = True  # asked for while the trainer is still being built
            return super().compute_ref_log_probs(model, inputs)

    return Trainer


def _orpo_class() -> Any:
    from trainer.orpo import orpo_trainer

    return orpo_trainer()
