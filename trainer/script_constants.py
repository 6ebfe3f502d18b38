"""What a run was made with, read from its own files, as the constants of a script with the origin of each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.directory import JobDirectory
from jobs.errors import Missing
from models.backends.unsloth import ALL_LINEAR
from models.chat_template import ChatTokenizer
from models.embedded import HUB_ID
from models.reference import ModelRef
from trainer.plan import Plan, with_changes
from trainer.script_model import Constant, Library
from trainer.spec import TrainSpec

NEEDED = (
    "base",
    "data",
    "backend",
    "precision",
    "learning_rate",
    "total_steps",
    "evaluate_every",
    "batching",
    "optimiser",
)
DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}


@dataclass(frozen=True)
class Decided:
    """What the run resolved: value and origin by name, and its plan as it stood last."""

    spec: TrainSpec
    plan: Plan
    resolved: dict[str, Any]
    changes: list[dict[str, Any]]

    def value(self, name: str) -> Any:
        return self.resolved[name]["value"]

    def origin(self, name: str) -> str:
        """Where a value came from, or that it was changed on the way."""
        if any(name in change["plan"] for change in self.changes):
            return "changed on the way, see above"
        return str(self.resolved[name]["origin"])

    def spec_origin(self, name: str, option: str) -> str:
        if any(name in change["plan"] for change in self.changes):
            return "changed on the way, see above"
        return f"the spec's {option}"


def read_decided(job: JobDirectory) -> Decided:
    """The run's settings from its own files. Raises Missing when they were not all decided."""
    resolved = job.resolved or {}
    missing = [name for name in NEEDED if name not in resolved]
    if missing:
        raise Missing(
            f"{job.id} didn't get as far as deciding how to train.",
            f"Its {', '.join(missing)} was never written down.",
            "Resume it, or start it again; a script can be written as soon as it trains.",
        )
    spec = TrainSpec.parse(job.header["spec"])
    values = {name: resolved[name]["value"] for name in NEEDED}
    first = Plan(
        backend=values["backend"],
        dtype=values["precision"],
        learning_rate=values["learning_rate"],
        total_steps=values["total_steps"],
        evaluate_every=values["evaluate_every"],
        batch_size=spec.optimisation.batch_size,
        gradient_accumulation=spec.optimisation.gradient_accumulation,
        gradient_checkpointing=spec.optimisation.gradient_checkpointing,
        batching=values["batching"],
        optimiser=values["optimiser"],
        max_length=spec.max_length,
    )
    changes = [change for change in job.changes if change.get("plan")]
    return Decided(spec, with_changes(first, changes), resolved, changes)


def constants_of(decided: Decided, tokenizer: ChatTokenizer, library: Library, *, measured: bool) -> list[Constant]:
    """All constants of the script, in order. `measured`: there are held-out rows."""
    return [
        *_model(decided.value("base")),
        Constant("PAD_ID", repr(tokenizer.pad_id), "the tokenizer's; masked wherever it stands"),
        *_optimisation(decided),
        *([_constant(decided, "evaluate_every")] if measured else []),
        *_adapter(decided, library),
        *_objective(decided),
    ]


def _model(base: dict[str, Any]) -> list[Constant]:
    """The model under a name that works elsewhere, where it has one."""
    folder = base["folder"]
    if ModelRef.parse(base["text"]).kind == "hub":
        constants = [Constant("MODEL", repr(base["text"]), "the spec's model, a Hub id")]
    elif base["text"] == "embedded" and revision_of(base):
        constants = [Constant("MODEL", repr(HUB_ID), "the spec's model, embedded: this is its Hub id")]
    elif base["text"] == "embedded":
        origin = f"embedded, converted from 4-bit weights; elsewhere take {HUB_ID}, whose weights differ a little"
        constants = [Constant("MODEL", repr(folder), origin)]
    else:
        constants = [Constant("MODEL", repr(folder), "a folder of the machine that trained: copy it along")]
    revision = revision_of(base)
    if revision:
        constants.append(Constant("REVISION", repr(revision), "the Hub's version of it that was trained"))
    if base.get("adapter"):
        origin = "the adapter that training went on from, on the machine that trained: copy it along"
        constants.append(Constant("ADAPTER", repr(base["adapter"]), origin))
    return constants


def revision_of(base: dict[str, Any]) -> str | None:
    """The commit of a model from the Hub, as its cache names the folder."""
    folder = Path(base["folder"])
    named = folder.parent.name == "snapshots" and re.fullmatch(r"[0-9a-f]{40}", folder.name)
    return folder.name if named else None


def _constant(decided: Decided, name: str) -> Constant:
    """A resolved value, as it stood last."""
    return Constant(name.upper(), repr(getattr(decided.plan, name)), decided.origin(name))


def _optimisation(decided: Decided) -> list[Constant]:
    spec, plan = decided.spec.optimisation, decided.plan
    dtype = "float32" if decided.spec.method.adapter == "none" and plan.dtype == "fp16" else DTYPES[plan.dtype]
    lowest = "{'min_lr_rate': 0.1}" if spec.schedule == "cosine_with_min_lr" else "{}"
    noise = spec.neftune_alpha
    return [
        Constant("SEED", repr(decided.spec.seed), "the spec's seed"),
        Constant("DTYPE", f"torch.{dtype}", f"{plan.dtype}: {decided.origin('precision')}"),
        Constant("BATCH_SIZE", repr(plan.batch_size), decided.spec_origin("batch_size", "optimisation.batch_size")),
        Constant(
            "GRADIENT_ACCUMULATION",
            repr(plan.gradient_accumulation),
            decided.spec_origin("gradient_accumulation", "optimisation.gradient_accumulation"),
        ),
        Constant("EPOCHS", repr(spec.epochs), "the spec's optimisation.epochs"),
        _constant(decided, "total_steps"),
        _constant(decided, "learning_rate"),
        Constant("SCHEDULE", repr(spec.schedule), "the spec's optimisation.schedule"),
        Constant("SCHEDULE_OPTIONS", lowest, "what the schedule needs to know"),
        Constant(
            "WARMUP_STEPS",
            repr(int(plan.total_steps * spec.warmup_ratio)),
            f"the spec's optimisation.warmup_ratio, {spec.warmup_ratio} of the steps",
        ),
        Constant("WEIGHT_DECAY", repr(spec.weight_decay), "the spec's optimisation.weight_decay"),
        Constant("MAX_GRAD_NORM", repr(spec.max_grad_norm), "the spec's optimisation.max_grad_norm"),
        _constant(decided, "optimiser"),
        *([Constant("NEFTUNE_ALPHA", repr(noise), "the spec's optimisation.neftune_alpha")] if noise else []),
    ]


def _adapter(decided: Decided, library: Library) -> list[Constant]:
    method, constants = decided.spec.method, []
    if library == "unsloth":
        constants.append(Constant("MAX_LENGTH", repr(decided.spec.max_length), "the spec's max_length, in tokens"))
    if method.adapter == "none" or decided.value("base").get("adapter"):
        return constants
    linear = method.target_modules == "all-linear" and library == "unsloth"
    return [
        *constants,
        Constant("RANK", repr(method.rank), "the spec's method.rank"),
        Constant("ALPHA", repr(method.alpha), "the spec's method.alpha"),
        Constant("DROPOUT", repr(method.dropout), "the spec's method.dropout"),
        Constant(
            "TARGET_MODULES",
            repr(ALL_LINEAR if linear else method.target_modules),
            f"the spec's method.target_modules{', all-linear' if linear else ''}",
        ),
        Constant("MODULES_TO_SAVE", repr(method.modules_to_save or None), "the spec's method.modules_to_save"),
        Constant("RANK_STABILISED", repr(method.rslora), "the spec's method.rslora"),
        Constant("DORA", repr(method.dora), "the spec's method.dora"),
    ]


def _objective(decided: Decided) -> list[Constant]:
    """The constants of preference training."""
    names = {
        "dpo": ("beta", "loss", "sft_weight"),
        "orpo": ("beta",),
        "kto": ("beta", "good_weight", "bad_weight"),
    }.get(decided.spec.method.objective, ())
    return [
        Constant(name.upper(), repr(getattr(decided.spec.preference, name)), f"the spec's preference.{name}")
        for name in names
    ]
