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
from trainer.collate import COUNTED, Counted, marked, pairs
from trainer.loop import SafeLoop
from trainer.plan import Plan
from trainer.rows import Item
from trainer.spec import TrainSpec


class ChunkedRows:
    """Mixed into TRL's DPO and KTO trainers: log-probabilities of rows one after the other, never whole logits."""

    accelerator: Any
    flat: bool = False

    def compute_in_chunks(self) -> None:
        """TRL has this path only together with the package liger-kernel, though nothing of that is used in it."""
        from trl.models.utils import _ForwardRedirection

        self.use_liger_kernel = True
        self._forward_redirection = _ForwardRedirection()

    def compute_ref_log_probs(self, model: Any, inputs: Any) -> Any:
        """Asked for already while the trainer is being built, where the reference is computed beforehand."""
        self.compute_in_chunks()
        inputs = {name: value for name, value in inputs.items() if name != COUNTED}
        return super().compute_ref_log_probs(model, inputs)  # type: ignore[misc]

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
) -> Any:
    """The trainer of dpo, orpo or kto, whose checkpoints go into `folder`."""
    from datasets import Dataset
    from transformers import AutoTokenizer

    kto = spec.method.objective == "kto"
    beforehand = ask_reference_beforehand(spec, plan, len(train))
    shared = common_arguments(spec, plan, folder, evaluate=bool(evaluation)) | {"precompute_ref_log_probs": beforehand}
    trainer = _trainer_class(spec.method.objective, flat=plan.flat)(
        model=model,
        args=(_kto_arguments if kto else _dpo_arguments)(spec, shared),
        train_dataset=Dataset.from_list(train),
        eval_dataset={name: Dataset.from_list(items) for name, items in evaluation.items()} or None,
        data_collator=Counted((marked if kto else pairs)(tokenizer.pad_id), flat=plan.flat),
        processing_class=AutoTokenizer.from_pretrained(tokenizer.folder),
    )
    trainer.compute_in_chunks()
    if beforehand or spec.method.objective == "orpo" or _changes_nothing(trainer.model):
        _drop_reference(trainer.model)
    return trainer


def ask_reference_beforehand(spec: TrainSpec, plan: Plan, rows: int) -> bool:
    """Whether what the reference says of each row is computed once, before training.

    Where all weights are trained, the model before its first step is the only reference there is. With an adapter it
    costs one pass over the rows and saves one in each epoch: worth it when rows come again.
    """
    if spec.method.adapter == "none":
        return True
    return spec.method.objective != "orpo" and plan.total_steps * plan.effective_batch >= 2 * rows


def _drop_reference(model: Any) -> None:
    """TRL always copies the adapter as reference; where it says nothing that isn't known, it goes."""
    if "ref" in getattr(model, "peft_config", {}):
        model.delete_adapter("ref")


def _changes_nothing(model: Any) -> bool:
    """Whether the adapter is fresh: its second matrices are zero, and nothing is trained whole beside it."""
    if any("modules_to_save" in name for name, _ in model.named_parameters()):
        return False
    return all(not bool(value.any()) for name, value in model.named_parameters() if "lora_B.ref" in name)


def _dpo_arguments(spec: TrainSpec, shared: dict[str, Any]) -> Any:
    from trl import DPOConfig

    preference = spec.preference
    mixed = preference.sft_weight > 0
    return DPOConfig(
        **shared,
        max_length=None,
        beta=preference.beta,
        loss_type=[preference.loss, "sft"] if mixed else [preference.loss],
        loss_weights=[1.0, preference.sft_weight] if mixed else None,
    )


def _kto_arguments(spec: TrainSpec, shared: dict[str, Any]) -> Any:
    from trl import KTOConfig

    preference = spec.preference
    return KTOConfig(
        **shared,
        max_length=None,
        beta=preference.beta,
        desirable_weight=preference.good_weight,
        undesirable_weight=preference.bad_weight,
    )


def _trainer_class(objective: str, *, flat: bool) -> Any:
    """TRL's trainer with ours before it, so that its checkpoints, order and log-probabilities win."""
    from trl import DPOTrainer, KTOTrainer

    from trainer.orpo import orpo_trainer

    theirs = {"dpo": DPOTrainer, "kto": KTOTrainer}.get(objective) or orpo_trainer()
    return type("Trainer", (SafeLoop, ChunkedRows, theirs), {"flat": flat})
