"""What a run's memory depends on besides its options: backend, number format, device, how loss and attention work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from models.attention import LONGEST_PLAIN
from models.backends import choose_backend
from models.hardware import GB, Hardware
from models.precision import choose_precision
from trainer.memory.constants import LOSS_BUDGET, LOSS_BUDGETS, LOSS_SHARE
from trainer.spec import TrainSpec

Logits = Literal["chunked", "in_place", "full"]


@dataclass(frozen=True)
class Setting:
    """How the run computes. `precision` is the format of the computation and of weights that aren't quantised.

    `logits`: chunked is what Hearth's recipes do, a few rows of logits at a time; full is plain transformers, which
    holds all of them several times; in_place is Unsloth before its chunked loss, whose gradient overwrote the logits.
    `attention`: eager holds the scores (rows × heads × length²), fused never does.
    `float32_embeddings`: in qlora, PEFT's `prepare_model_for_kbit_training` turns all that isn't quantised to 32 bit.
    `offloaded_embedding`: in qlora, Unsloth's input embeddings lie in system memory, see `offloads_embedding`.
    `loss_budget`: bytes for the logits of Unsloth's loss, see `loss_budget`.
    `master_weights`: training all weights keeps them in 32 bit, since 16 bit would swallow small steps.
    """

    backend: Literal["unsloth", "peft"] = "unsloth"
    precision: Literal["bf16", "fp16", "fp32"] = "bf16"
    device: Literal["gpu", "cpu"] = "gpu"
    attention: Literal["fused", "eager"] = "fused"
    logits: Logits = "chunked"
    float32_embeddings: bool = False
    master_weights: bool = True
    offloaded_embedding: bool = False
    loss_budget: int = LOSS_BUDGET

    @property
    def value_bytes(self) -> int:
        """Bytes of one value of the computation."""
        return 4 if self.precision == "fp32" else 2


def loss_budget(memory: int) -> int:
    """Bytes for the logits of Unsloth's loss on a card (or a limit) of `memory` bytes: what the recipe has to set as
    UNSLOTH_CE_LOSS_TARGET_GB (in GiB) before Unsloth is imported. More is a little quicker."""
    smallest, largest = LOSS_BUDGETS
    return max(smallest, min(largest, round(memory * LOSS_SHARE)))


def offloads_embedding(spec: TrainSpec, setting: Setting) -> bool:
    """Whether Unsloth is to keep the input embeddings in system memory (`offload_embedding`): only the rows of a batch
    are then copied to the card, which saves a gigabyte of an 8B model. For qlora, where they aren't trained."""
    trained = "embed_tokens" in [*spec.method.modules_to_save, *spec.method.target_modules]
    return setting.offloaded_embedding and spec.method.adapter == "qlora" and not trained


def setting_for(spec: TrainSpec, hardware: Hardware) -> Setting:
    """The setting that a run of `spec` will choose on this machine. Raises BadInput or Missing as the choices do."""
    backend = choose_backend(spec.backend, hardware).value
    precision = choose_precision(spec.precision, hardware).value
    memory = hardware.gpus[0].memory_total if hardware.gpus else hardware.memory_total
    limit = spec.safety.memory_limit_gb
    short = not hardware.gpus and spec.max_length <= LONGEST_PLAIN
    return Setting(
        backend="unsloth" if backend == "unsloth" else "peft",
        precision=precision,  # type: ignore[arg-type]
        device="gpu" if hardware.gpus else "cpu",
        attention="eager" if short else "fused",
        float32_embeddings=False,
        offloaded_embedding=backend == "unsloth" and bool(hardware.gpus),
        loss_budget=loss_budget(min(memory, round(limit * GB)) if limit else memory),
    )
