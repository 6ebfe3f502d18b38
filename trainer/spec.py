"""TrainSpec: everything that can be said about one training run."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from jobs.spec import Spec, option


class MethodSpec(Spec):
    """What is trained, and how much of the model may change."""

    adapter: Literal["lora", "qlora", "none"] = option(
        "lora",
        label="What to train",
        help="lora trains a small adapter (a few per cent of the weights). qlora does so on a model held in 4 bit, "
        "whose weights then take about a quarter of the memory. none trains every weight: most memory, rarely better.",
        depth="essential",
    )
    rank: int = option(
        16, ge=1, le=512, label="Rank", help="Size of the adapter. More can learn more, and costs memory."
    )
    alpha: int = option(
        32, ge=1, le=1024, label="Alpha", help="How strongly the adapter counts: it is scaled by alpha / rank."
    )
    dropout: float = option(
        0.0, ge=0.0, lt=1.0, label="Dropout", help="Share of adapter inputs dropped at random in training."
    )
    target_modules: list[str] | Literal["all-linear"] = option(
        "all-linear",
        label="Layers",
        help="Layers that get an adapter: all-linear, or a list of names such as q_proj, v_proj.",
        depth="everything",
    )
    rslora: bool = option(
        False,
        label="Rank-stabilised",
        help="Scale by alpha / √rank (Kalajdzievski 2023); for ranks of 64 and more.",
        depth="everything",
    )


class OptimisationSpec(Spec):
    """How the weights are changed, step by step."""

    learning_rate: float | Literal["auto"] = option(
        "auto", label="Learning rate", help="Size of each change. auto chooses by the model's size and what is trained."
    )
    batch_size: int = option(
        8, ge=1, le=1024, label="Batch size", help="Rows worked on at once. More needs more memory."
    )
    gradient_accumulation: int = option(
        1,
        ge=1,
        le=1024,
        label="Accumulation",
        help="Batches summed up before each change of the weights: a larger batch for no more memory.",
    )
    epochs: float = option(
        1.0, gt=0, le=1000, label="Epochs", help="How often all rows are gone through.", depth="essential"
    )
    max_steps: int | None = option(
        None,
        ge=1,
        label="At most steps",
        help="Stop after this many steps, whatever the epochs say. Empty: no limit.",
        depth="essential",
    )
    warmup_ratio: float = option(
        0.05, ge=0, le=1, label="Warm-up", help="Share of the steps in which the learning rate rises."
    )
    schedule: Literal["linear", "cosine", "constant"] = option(
        "cosine", label="Schedule", help="How the learning rate falls after the warm-up."
    )
    weight_decay: float = option(
        0.0, ge=0, le=1, label="Weight decay", help="Pull of all weights towards zero.", depth="everything"
    )
    max_grad_norm: float = option(
        1.0, gt=0, label="Gradient limit", help="Longer gradients are cut to this length.", depth="everything"
    )
    optimiser: Literal["adamw", "adamw_8bit"] = option(
        "adamw",
        label="Optimiser",
        help="adamw_8bit keeps its state in 8 bit: less memory, GPU only.",
        depth="everything",
    )
    gradient_checkpointing: bool = option(
        False,
        label="Gradient checkpointing",
        help="Compute parts twice instead of keeping them: less memory, slower.",
    )


class SavingSpec(Spec):
    """What is kept and measured on the way."""

    checkpoint_every: int = option(
        50, ge=1, label="Save every", help="Steps between checkpoints, from which a stopped or killed run goes on."
    )
    keep_checkpoints: int = option(
        2, ge=1, le=100, label="Keep", help="How many checkpoints stay on the disk.", depth="everything"
    )
    evaluate_every: int | None = option(
        None,
        ge=1,
        label="Measure every",
        help="Steps between measuring the loss on held-out rows. Empty: five times a run.",
    )
    evaluate_rows: int = option(
        64, ge=0, label="Measure on", help="How many held-out rows are used for that. 0: none.", depth="everything"
    )


class TrainSpec(Spec):
    """One training run."""

    name: str = option(
        "", label="Name", help="How this run is called in lists. Empty: the dataset's name.", max_length=80
    )
    model: str = option(
        "embedded",
        label="Model",
        help="What to start from: embedded (SmolLM2-135M, comes along), a Hub id such as Qwen/Qwen3-0.6B, a folder.",
        depth="essential",
        min_length=1,
    )
    data: str = option(
        label="Dataset",
        help="Name of a built dataset, with @version for one other than the latest.",
        depth="essential",
        min_length=1,
    )
    max_length: int = option(
        1024, ge=16, le=1_000_000, label="Longest row", help="Tokens. Longer rows are cut at the end."
    )
    method: MethodSpec = option(MethodSpec, label="Method", help="What is trained.")
    optimisation: OptimisationSpec = option(OptimisationSpec, label="Optimisation", help="How it is trained.")
    saving: SavingSpec = option(SavingSpec, label="Saving and measuring", help="What is kept on the way.")
    backend: Literal["auto", "unsloth", "peft"] = option(
        "auto", label="Backend", help="auto takes Unsloth where it can run, else plain PEFT.", depth="everything"
    )
    precision: Literal["auto", "bf16", "fp16", "fp32"] = option(
        "auto",
        label="Precision",
        help="Number format of the computation. auto takes the best this machine has.",
        depth="everything",
    )
    seed: int = option(
        0,
        ge=0,
        le=2**31 - 1,
        label="Seed",
        help="The same seed on the same machine gives the same model.",
        depth="everything",
    )

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        rate = self.optimisation.learning_rate
        if rate != "auto" and not 0 < rate <= 1:
            raise ValueError(f"optimisation.learning_rate: must be more than 0 and at most 1 (given: {rate})")
        return self

    @property
    def title(self) -> str:
        return self.name or self.data.split("@")[0]
