"""What `auto` became: the values that a run is really made with, fixed at its start, and changed only when said so."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from jobs.context import JobContext
from models.hardware import Hardware
from models.precision import choose_precision
from trainer.options import Batching
from trainer.spec import TrainSpec


@dataclass(frozen=True)
class Plan:
    """The values. `max_length` in tokens; batches in rows (packs, when rows are packed)."""

    backend: str
    dtype: str
    learning_rate: float
    total_steps: int
    evaluate_every: int
    batch_size: int
    gradient_accumulation: int
    gradient_checkpointing: bool
    batching: Batching
    optimiser: str
    max_length: int

    @property
    def effective_batch(self) -> int:
        return self.batch_size * self.gradient_accumulation

    @property
    def flat(self) -> bool:
        """Whether rows stand one after the other rather than padded side by side."""
        return self.batching in ("padding_free", "packing")


def make_plan(
    context: JobContext,
    spec: TrainSpec,
    hardware: Hardware,
    backend: str,
    parameters: int,
    *,
    keeps_rows_apart: bool,
    count_items: Callable[[Batching], int],
) -> Plan:
    """Decide and record every value that the spec left open.

    `parameters` of the base model; `keeps_rows_apart`: it can take rows one after the other; `count_items`: how many
    rows (or packs) a way of batching makes.
    """
    precision = choose_precision(spec.precision, hardware)
    rate, rate_origin = spec.optimisation.learning_rate, "asked for"
    if rate == "auto":
        rate, rate_origin = default_learning_rate(parameters, spec)
    optimiser, optimiser_origin = choose_optimiser(spec.optimisation.optimiser, on_gpu=bool(hardware.gpus))
    batching, batching_origin = choose_batching(spec, keeps_rows_apart=keeps_rows_apart)
    batching = context.resolve("batching", batching, batching_origin)
    optimisation, items = spec.optimisation, count_items(batching)
    steps = total_steps(spec, items)
    every = spec.saving.evaluate_every or max(1, steps // 5)
    items_name = "packs" if batching == "packing" else "rows"
    return Plan(
        backend=backend,
        dtype=context.resolve("precision", precision.value, precision.origin),
        learning_rate=context.resolve("learning_rate", rate, rate_origin),
        total_steps=context.resolve(
            "total_steps", steps, f"{items} {items_name}, {optimisation.effective_batch} a step"
        ),
        evaluate_every=context.resolve(
            "evaluate_every", every, "spec" if spec.saving.evaluate_every else "a fifth of the run"
        ),
        batch_size=optimisation.batch_size,
        gradient_accumulation=optimisation.gradient_accumulation,
        gradient_checkpointing=optimisation.gradient_checkpointing,
        batching=batching,
        optimiser=context.resolve("optimiser", optimiser, optimiser_origin),
        max_length=spec.max_length,
    )


def default_learning_rate(parameters: int, spec: TrainSpec) -> tuple[float, str]:
    """A rate that works for most rows, by the model's size and by what is learned.

    Training all weights wants a tenth of an adapter's rate; pairs and marks a twentieth of what answers want (the
    papers of DPO, KTO and ORPO train at 5e-7 to 8e-6 with all weights, where answers are learned at 1e-5 to 1e-4).
    """
    rate, size = next(
        (rate, size)
        for limit, rate, size in ((5e8, 1e-3, "under 0.5B"), (3e9, 4e-4, "under 3B"), (math.inf, 2e-4, "3B and more"))
        if parameters < limit
    )
    what = "an adapter on a model"
    if spec.method.adapter == "none":
        rate, what = rate / 10, "all weights of a model"
    if spec.method.objective in ("dpo", "orpo", "kto"):
        return rate / 20, f"default for {spec.method.objective}, {what} {size}"
    return rate, f"default for {what} {size}"


def choose_optimiser(wanted: str, *, on_gpu: bool) -> tuple[str, str]:
    """transformers' name for it. bitsandbytes keeps 8-bit and paged state on GPUs alone."""
    if wanted == "adafactor":
        return "adafactor", "asked for"
    if wanted == "adamw":
        return "adamw_torch_fused", "asked for"
    if not on_gpu:
        return "adamw_torch_fused", f"{wanted} needs a GPU; there is none here"
    return {"adamw_8bit": "adamw_8bit", "paged_adamw": "paged_adamw_32bit", "paged_adamw_8bit": "paged_adamw_8bit"}[
        wanted
    ], "asked for"


def choose_batching(spec: TrainSpec, *, keeps_rows_apart: bool) -> tuple[Batching, str]:
    """Rows one after the other where the model computes them exactly, else those of similar length together."""
    wanted, objective = spec.optimisation.batching, spec.method.objective
    if wanted in ("by_length", "padded"):
        return wanted, "asked for"
    if not keeps_rows_apart:
        return "by_length", "this model can't keep rows apart that stand one after the other"
    if wanted == "packing" and objective not in ("sft", "continued"):
        return "padding_free", f"{objective} compares whole rows, so they aren't packed"
    if wanted != "auto":
        return wanted, "asked for"
    if objective == "continued":
        return "packing", "plain text: full blocks"
    return "padding_free", "nothing is computed for padding"


def total_steps(spec: TrainSpec, rows: int) -> int:
    """Optimiser steps of the whole run, the last incomplete batch of each epoch included."""
    per_epoch = max(1, math.ceil(rows / spec.optimisation.effective_batch))
    steps = max(1, math.ceil(per_epoch * spec.optimisation.epochs))
    return min(steps, spec.optimisation.max_steps or steps)


def with_changes(plan: Plan, changes: list[dict[str, Any]]) -> Plan:
    """The plan as it stood when a run was interrupted: what was changed on the way stays changed."""
    names = {field.name for field in fields(Plan)}
    for change in changes:
        plan = replace(plan, **{name: value for name, value in change.get("plan", {}).items() if name in names})
    return plan


def difference(before: Plan, after: Plan) -> dict[str, Any]:
    """The values that `after` has otherwise, as they are recorded."""
    return {name: value for name, value in asdict(after).items() if value != asdict(before)[name]}
