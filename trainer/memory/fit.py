"""Make it fit: the largest sensible batch × length × rank for a card, and in words what was given up for it.

What is given up, in this order: rows at once (accumulating more, so that every change of the weights is made from as
many rows as before), time (gradient checkpointing), the optimiser's precision, the weights' precision, long rows, and
last the adapter's size. A step is only taken where the ones before it don't suffice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from models.hardware import GB
from models.shape import ModelShape
from trainer.memory.constants import MARGIN_SHARE
from trainer.memory.estimate import MemoryEstimate, estimate
from trainer.memory.setting import Setting
from trainer.spec import TrainSpec

SHORTEST = 256
LOWEST_RANK = 4
LENGTH_STEP = 64


@dataclass(frozen=True)
class Change:
    """One changed option: its dotted name, before and after, the bytes that saves (below 0: takes), the sentence."""

    option: str
    before: Any
    after: Any
    saved: int
    words: str


@dataclass(frozen=True)
class Fit:
    """What fits. `values` are the changed options, nested as in a spec; empty where nothing had to change.

    `spec` is the run with them. When `fits` is False even the smallest settings don't fit: `spec` then holds these, and
    `help` names the smallest thing that would help. `margin` is kept free beside the estimate, in bytes.
    """

    fits: bool
    spec: TrainSpec
    values: dict[str, Any]
    changes: tuple[Change, ...]
    before: MemoryEstimate
    after: MemoryEstimate
    free_bytes: int
    help: str = field(default="")

    @property
    def margin(self) -> int:
        return margin(self.after)

    @property
    def words(self) -> list[str]:
        """One sentence for each change; that all fits as it is; or that it doesn't, and what would help."""
        lines = [change.words for change in self.changes]
        if not self.fits:
            return [*lines, self.help]
        return lines or [f"Fits as it is: {self.after.total / GB:.1f} of {self.free_bytes / GB:.1f} GB."]


def margin(estimated: MemoryEstimate) -> int:
    """Bytes to keep free beside an estimate, which may be off by that much."""
    return round(estimated.total * MARGIN_SHARE)


def fits(estimated: MemoryEstimate, free_bytes: int) -> bool:
    """Whether a run fits, the margin included."""
    return estimated.total + margin(estimated) <= free_bytes


def fit(shape: ModelShape, spec: TrainSpec, setting: Setting, free_bytes: int, *, use_room: bool = False) -> Fit:
    """`spec` with as little given up as `free_bytes` needs, and the same effective batch.

    Where something was given up, or with `use_room`, as many rows at once as fit, up to the effective batch.
    """
    before = estimate(shape, spec, setting)
    if fits(before, free_bytes) and not use_room:
        return Fit(True, spec, {}, (), before, before, free_bytes)
    smallest = spec
    for number, candidate in enumerate(_steps(spec, setting)):
        largest = spec.optimisation.effective_batch if number or use_room else spec.optimisation.batch_size
        for batched in _batches(candidate, largest):
            after = estimate(shape, batched, setting)
            if fits(after, free_bytes):
                kept = _given_back(shape, spec, batched, setting, free_bytes)
                return _result(shape, spec, kept, setting, free_bytes)
            smallest = batched
    return _result(shape, spec, smallest, setting, free_bytes)


def _steps(spec: TrainSpec, setting: Setting) -> Iterator[TrainSpec]:
    """The spec, then with more and more given up, batches apart."""
    yield spec
    if not spec.optimisation.gradient_checkpointing:
        spec = _with(spec, "optimisation", gradient_checkpointing=True)
        yield spec
    if spec.optimisation.optimiser == "adamw" and setting.device == "gpu":
        spec = _with(spec, "optimisation", optimiser="adamw_8bit")
        yield spec
    for adapter in {"none": ("lora", "qlora"), "lora": ("qlora",)}.get(spec.method.adapter, ()):
        spec = _with(spec, "method", adapter=adapter)
        yield spec
    shorter = _shorter(spec.max_length)
    for length in shorter:
        yield spec.model_copy(update={"max_length": length})
    rank, alpha = spec.method.rank, spec.method.alpha
    for lower in _lower(rank):
        spec = _with(spec, "method", rank=lower, alpha=max(1, round(alpha * lower / rank)))
        # With a smaller adapter rows may be longer again.
        for length in (spec.max_length, *shorter):
            yield spec.model_copy(update={"max_length": length})


def _given_back(shape: ModelShape, spec: TrainSpec, found: TrainSpec, setting: Setting, free_bytes: int) -> TrainSpec:
    """What a later step made unnecessary to give up stays as it was asked for."""
    for name in ("optimiser", "gradient_checkpointing"):
        back = _with(found, "optimisation", **{name: getattr(spec.optimisation, name)})
        if fits(estimate(shape, back, setting), free_bytes):
            found = back
    return found


def _shorter(length: int) -> list[int]:
    """Lengths below `length`, each three quarters of the one before, in whole steps."""
    lengths: list[int] = []
    while (length := int(length * 0.75) // LENGTH_STEP * LENGTH_STEP) >= SHORTEST:
        lengths.append(length)
    return lengths


def _lower(rank: int) -> list[int]:
    ranks: list[int] = []
    while (rank := rank // 2) >= LOWEST_RANK:
        ranks.append(rank)
    return ranks


def _batches(spec: TrainSpec, largest: int) -> Iterator[TrainSpec]:
    """Micro-batches that make up the same effective batch, the largest first."""
    whole = spec.optimisation.effective_batch
    for size in range(min(largest, whole), 0, -1):
        # Both options stop at 1,024 (trainer/options.py).
        if whole % size == 0 and size <= 1024 and whole // size <= 1024:
            yield _with(spec, "optimisation", batch_size=size, gradient_accumulation=whole // size)


def _with(spec: TrainSpec, group: str, **values: Any) -> TrainSpec:
    return spec.model_copy(update={group: getattr(spec, group).model_copy(update=values)})


def _result(shape: ModelShape, spec: TrainSpec, found: TrainSpec, setting: Setting, free_bytes: int) -> Fit:
    """The changes from `spec` to `found`, one after the other, with what each saves."""
    before = estimate(shape, spec, setting)
    changes: list[Change] = []
    values: dict[str, Any] = {}
    current = spec
    for step in _differences(spec, found):
        after = _applied(current, step)
        saved = estimate(shape, current, setting).total - estimate(shape, after, setting).total
        changes.append(_change(current, after, step, saved))
        values = _merge(values, step)
        current = after
    final = estimate(shape, found, setting)
    enough = fits(final, free_bytes)
    text = "" if enough else _help(shape, found, setting, free_bytes)
    return Fit(enough, found, values, tuple(changes), before, final, free_bytes, text)


def _differences(spec: TrainSpec, found: TrainSpec) -> list[dict[str, Any]]:
    """What changed, as nested values in the order of giving up; a larger batch comes last: it takes what was saved."""
    old, new = spec.optimisation, found.optimisation
    batch = {"optimisation": {"batch_size": new.batch_size, "gradient_accumulation": new.gradient_accumulation}}
    steps: list[dict[str, Any]] = [batch] if new.batch_size < old.batch_size else []
    for name in ("gradient_checkpointing", "optimiser"):
        if getattr(new, name) != getattr(old, name):
            steps.append({"optimisation": {name: getattr(new, name)}})
    if found.method.adapter != spec.method.adapter:
        steps.append({"method": {"adapter": found.method.adapter}})
    if found.max_length != spec.max_length:
        steps.append({"max_length": found.max_length})
    if found.method.rank != spec.method.rank:
        steps.append({"method": {"rank": found.method.rank, "alpha": found.method.alpha}})
    return [*steps, batch] if new.batch_size > old.batch_size else steps


def _applied(spec: TrainSpec, step: dict[str, Any]) -> TrainSpec:
    for name, value in step.items():
        spec = _with(spec, name, **value) if isinstance(value, dict) else spec.model_copy(update={name: value})
    return spec


def _merge(values: dict[str, Any], step: dict[str, Any]) -> dict[str, Any]:
    return {
        **values,
        **{key: {**values.get(key, {}), **new} if isinstance(new, dict) else new for key, new in step.items()},
    }


def _change(before: TrainSpec, after: TrainSpec, step: dict[str, Any], saved: int) -> Change:
    """The step under its first option's name, and the sentence that says what it saves."""
    group, value = next(iter(step.items()))
    option = f"{group}.{next(iter(value))}" if isinstance(value, dict) else group
    old, new = _value(before, option), _value(after, option)
    accumulation = after.optimisation.gradient_accumulation
    what = {
        "optimisation.batch_size": f"batch {old} → {new}, accumulation {accumulation}",
        "optimisation.gradient_checkpointing": "gradient checkpointing on (about a third slower)",
        "optimisation.optimiser": f"optimiser {old} → {new}",
        "method.adapter": f"{old} → {new}" if old != "none" else f"an adapter ({new}) in place of all weights",
        "max_length": f"rows of up to {old:,} → {new:,} tokens; longer ones are cut" if group == "max_length" else "",
        "method.rank": f"rank {old} → {new}",
    }[option]
    effect = f"saves {saved / GB:.1f} GB" if saved >= 0 else f"uses {-saved / GB:.1f} GB of the room left, quicker"
    return Change(option, old, new, saved, f"{what}: {effect}")


def _value(spec: TrainSpec, option: str) -> Any:
    current: Any = spec
    for name in option.split("."):
        current = getattr(current, name)
    return current


def _help(shape: ModelShape, smallest: TrainSpec, setting: Setting, free_bytes: int) -> str:
    """What the smallest settings still lack, and what would help."""
    needed = estimate(shape, smallest, setting)
    lacking = needed.total + margin(needed) - free_bytes
    text = (
        f"Even batch {smallest.optimisation.batch_size} × {smallest.max_length:,} tokens doesn't fit: "
        f"{lacking / GB:.1f} GB are lacking of {(needed.total + margin(needed)) / GB:.1f} GB."
    )
    if needed.weights.bytes > 0.5 * needed.total:
        room = max(0.0, free_bytes / (1 + MARGIN_SHARE) - (needed.total - needed.weights.bytes))
        share = needed.weights.bytes / shape.parameters
        return f"{text} Most of it are the weights: a model of up to {_size(room / share)} parameters would fit."
    return f"{text} Close other programs that use the card, or take a card with that much more."


def _size(parameters: float) -> str:
    return f"{parameters / 1e9:.1f} billion" if parameters >= 1e9 else f"{parameters / 1e6:.0f} million"
