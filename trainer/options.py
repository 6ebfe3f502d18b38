"""The groups of options of a training run: what is trained, from which kind of rows, how, and what is kept."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from jobs.spec import Spec, option

Objective = Literal["sft", "continued", "dpo", "orpo", "kto"]
Batching = Literal["padding_free", "packing", "by_length", "padded"]


class MethodSpec(Spec):
    """What is trained, and how much of the model may change."""

    objective: Objective = option(
        "sft",
        label="Learns from",
        help="sft: answers. continued: plain text, every token of it (continued pre-training). dpo and orpo: pairs of "
        "a chosen and a rejected answer; dpo keeps close to the model it starts from, orpo learns the answers as well. "
        "kto: answers marked good or bad.",
        depth="essential",
    )
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
    modules_to_save: list[str] = option(
        [],
        label="Also train whole",
        help="Modules trained in full beside the adapter, such as embed_tokens, lm_head: for new words or languages.",
        depth="everything",
    )
    rslora: bool = option(
        False,
        label="Rank-stabilised",
        help="Scale by alpha / √rank (Kalajdzievski 2023); for ranks of 64 and more.",
        depth="everything",
    )
    dora: bool = option(
        False,
        label="DoRA",
        help="Learn length and direction of the weights apart (Liu et al. 2024): often a little better, slower.",
        depth="everything",
    )
    loftq: bool = option(
        False,
        label="LoftQ",
        help="Start a qlora adapter so that it makes up for what 4 bit lost (Li et al. 2023).",
        depth="everything",
    )

    @property
    def adapts_head(self) -> bool:
        """Whether the output layer gets an adapter."""
        return self.adapter != "none" and "lm_head" in self.target_modules

    @property
    def trains_head(self) -> bool:
        """Whether the output layer may change, which is so for the embeddings too where both share their weights."""
        tables = ("lm_head", "embed_tokens")
        return self.adapter == "none" or any(name in tables for name in (*self.modules_to_save, *self.target_modules))

    @model_validator(mode="after")
    def _check_adapter(self) -> Self:
        if self.adapts_head and self.objective in ("dpo", "orpo", "kto"):
            raise ValueError(
                f"target_modules: {self.objective} can't train an adapter on lm_head; put it under modules_to_save"
            )
        if self.loftq and self.adapter != "qlora":
            raise ValueError(f"loftq: makes up for 4-bit weights, so it needs adapter qlora (given: {self.adapter})")
        if self.adapter == "none" and (self.dora or self.rslora or self.modules_to_save):
            raise ValueError("dora, rslora and modules_to_save: belong to an adapter (given: adapter none)")
        return self


class PreferenceSpec(Spec):
    """How dpo, orpo and kto weigh answers against each other; other objectives don't read it."""

    beta: float = option(
        0.1,
        gt=0,
        le=10,
        label="Beta",
        help="dpo and kto: how closely the model stays to the one it starts from (more is closer). orpo: how much the "
        "pairs count beside the chosen answers themselves.",
    )
    loss: Literal["sigmoid", "ipo", "hinge"] = option(
        "sigmoid",
        label="Loss of pairs",
        help="dpo: sigmoid (Rafailov et al. 2023), ipo (Azar et al. 2023) for pairs that are all clear, or hinge "
        "(Zhao et al. 2023).",
        depth="everything",
    )
    sft_weight: float = option(
        0.0,
        ge=0,
        le=100,
        label="Answers as well",
        help="dpo: how much learning the chosen answers themselves counts beside the pairs; keeps answers fluent.",
    )
    good_weight: float = option(
        1.0,
        gt=0,
        le=100,
        label="Weight of good",
        help="kto: how much an answer marked good counts.",
        depth="everything",
    )
    bad_weight: float = option(
        1.0, gt=0, le=100, label="Weight of bad", help="kto: how much an answer marked bad counts.", depth="everything"
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
    schedule: Literal["linear", "cosine", "constant", "cosine_with_min_lr", "polynomial", "inverse_sqrt"] = option(
        "cosine",
        label="Schedule",
        help="How the learning rate falls after the warm-up; cosine_with_min_lr ends at a tenth of it.",
    )
    weight_decay: float = option(
        0.0, ge=0, le=1, label="Weight decay", help="Pull of all weights towards zero.", depth="everything"
    )
    max_grad_norm: float = option(
        1.0, gt=0, label="Gradient limit", help="Longer gradients are cut to this length.", depth="everything"
    )
    optimiser: Literal["adamw", "adamw_8bit", "paged_adamw", "paged_adamw_8bit", "adafactor"] = option(
        "adamw",
        label="Optimiser",
        help="adamw_8bit keeps its state in 8 bit: less memory. The paged ones move state to system memory when the "
        "card is full. Both need a GPU; on a CPU plain adamw runs in their place.",
        depth="everything",
    )
    gradient_checkpointing: bool = option(
        False,
        label="Gradient checkpointing",
        help="Compute parts twice instead of keeping them: less memory, slower.",
    )
    batching: Batching | Literal["auto"] = option(
        "auto",
        label="Batches",
        help="padding_free: rows one after the other, nothing computed for padding. packing: full blocks of max_length "
        "from several rows. by_length: rows of similar length together. padded: as they come. auto: the quickest that "
        "this model computes exactly.",
        depth="everything",
    )
    neftune_alpha: float | None = option(
        None,
        gt=0,
        le=100,
        label="Noise on inputs",
        help="NEFTune (Jain et al. 2023): noise on the embeddings, often 5; can make chat answers better. Empty: none.",
        depth="everything",
    )

    @property
    def effective_batch(self) -> int:
        """Rows that one change of the weights is made from."""
        return self.batch_size * self.gradient_accumulation

    @model_validator(mode="after")
    def _check_rate(self) -> Self:
        rate = self.learning_rate
        if rate != "auto" and not 0 < rate <= 1:
            raise ValueError(f"learning_rate: must be more than 0 and at most 1 (given: {rate})")
        return self


class SamplePrompt(Spec):
    """A prompt that is answered again and again during training."""

    prompt: str = option(label="Prompt", help="What a user would say.", depth="essential", min_length=1)


class SavingSpec(Spec):
    """What is kept and measured on the way."""

    checkpoint_every: int = option(
        50, ge=1, label="Save every", help="Steps between checkpoints, from which a stopped or killed run goes on."
    )
    keep_checkpoints: int = option(
        2,
        ge=1,
        le=100,
        label="Keep",
        help="How many checkpoints stay on the disk, beside the best.",
        depth="everything",
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
    evaluate_on: list[str] = option(
        [],
        label="Measure also on",
        help="Further datasets whose held-out rows are measured apart, such as one of general questions.",
        depth="everything",
    )
    result: Literal["last", "best"] = option(
        "last",
        label="Keep as result",
        help="last: the weights after the last step. best: those with the lowest held-out loss.",
    )
    early_stopping: int | None = option(
        None,
        ge=1,
        le=100,
        label="Stop early after",
        help="Stop when the held-out loss did not get lower this many times in a row. Empty: never.",
    )
    samples: int = option(
        2,
        ge=0,
        le=20,
        label="Sample answers",
        help="Prompts of held-out rows that are answered at each measuring, so that you see what changes. 0: none.",
        depth="everything",
    )
    sample_prompts: list[SamplePrompt] = option(
        [],
        label="Prompts of your own",
        help="Prompts answered instead of those of held-out rows.",
        depth="everything",
    )
    trackers: list[Literal["trackio", "tensorboard", "wandb"]] = option(
        [],
        label="Report also to",
        help="Other places where the curves go: Trackio and TensorBoard keep them on this machine, W&B (wandb) sends "
        "them to its server.",
        depth="everything",
    )


class SafetySpec(Spec):
    """What is done so that a run survives: memory, and values that are no numbers."""

    memory_limit_gb: float | None = option(
        None,
        gt=0,
        label="Memory limit",
        help="GB of the GPU that the run may take, to rehearse a smaller card. Empty: what is free.",
        depth="everything",
    )
    probe: Literal["auto", "always", "never"] = option(
        "auto",
        label="Try the longest batch",
        help="Before training, compute one step on the longest rows to see what memory is really needed. auto: on a "
        "GPU.",
        depth="everything",
    )
    recover: bool = option(
        True,
        label="Go on when memory is full",
        help="Go on from the last checkpoint with smaller batches (same effective batch), then gradient checkpointing, "
        "then shorter packs.",
        depth="everything",
    )
    retries_after_nan: int = option(
        3,
        ge=0,
        le=20,
        label="Tries after NaN",
        help="How often a run goes back to its last checkpoint with half the learning rate when the loss is no number.",
        depth="everything",
    )
