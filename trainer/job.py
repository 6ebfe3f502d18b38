"""The train job: set up, decide what `auto` means, and try until it is done: smaller when memory is full, slower when
the loss is no number, paused while the disk is full. Each change is recorded and told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jobs.context import JobContext
from jobs.errors import OutOfRoom, UserError
from models.attention import use_row_attention
from trainer import together
from trainer.attempt import Finished, Trouble, attempt, items_of, memory_was_full, what_was_full
from trainer.disk import wait_for_room
from trainer.plan import Plan, difference, make_plan, with_changes
from trainer.recovery import Change, after_divergence, after_memory_was_full
from trainer.setup import Setup, load_for_training, precision_of, set_up


class TrainingFailed(UserError):
    """Nothing is left that the run could give up."""

    kind = "training"


def run(context: JobContext) -> dict[str, Any]:
    """Train. Returns the figures for the manifest; leaves adapter/ or model/ in the job's folder."""
    setup = set_up(context)
    _cap_memory(setup)
    plan, model = first_plan(context, setup)
    together.begin({"resolved": context.directory.resolved, "attempt": context.attempt})
    while True:
        if model is None:
            _free_memory()
            model = _load(context, setup, plan.dtype, gradient_checkpointing=plan.gradient_checkpointing)
        outcome = attempt(context, setup, plan, model)
        if isinstance(outcome, Finished):
            return outcome.figures
        model = None
        plan = _after(context, setup, plan, outcome)
        context.begin_again()


def first_plan(context: JobContext, setup: Setup) -> tuple[Plan, Any]:
    """The plan as it was decided at the start and changed since, and the model it was tried on."""
    spec = setup.spec
    dtype = precision_of(context, setup)
    model = _load(context, setup, dtype, gradient_checkpointing=spec.optimisation.gradient_checkpointing)
    with _room_for_model(setup):
        keeps_rows_apart = use_row_attention(model)
    plan = make_plan(
        context,
        spec,
        setup.hardware,
        setup.backend.name,
        setup.parameters,
        keeps_rows_apart=keeps_rows_apart,
        count_items=lambda batching: len(items_of(setup, batching, spec.max_length).items),
    )
    changed = with_changes(plan, context.directory.changes)
    return changed, model if changed.gradient_checkpointing == plan.gradient_checkpointing else None


def _load(context: JobContext, setup: Setup, dtype: str, *, gradient_checkpointing: bool) -> Any:
    context.progress(None, f"Loading {setup.base.name}")
    with _room_for_model(setup):
        return load_for_training(setup, dtype=dtype, gradient_checkpointing=gradient_checkpointing)


@contextmanager
def _room_for_model(setup: Setup) -> Iterator[None]:
    """Raises OutOfRoom where the model doesn't fit even without a batch: there is nothing smaller to try."""
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        if not memory_was_full(error):
            raise
        raise OutOfRoom(
            f"{setup.base.name} doesn't fit into memory, before any row is trained.",
            f"{what_was_full(error)}.",
            f"{', or '.join(_smaller_models(setup))}, or close what else uses the memory.",
        ) from error


def _smaller_models(setup: Setup) -> list[str]:
    qlora = [] if setup.spec.method.adapter == "qlora" else ["Train with qlora (method.adapter)"]
    return [*qlora, "choose a smaller model" if qlora else "Choose a smaller model"]


def _cap_memory(setup: Setup) -> None:
    """Some drivers move what doesn't fit into system memory, many times slower: stay below what is really free."""
    import torch

    if setup.limit is not None and torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(setup.limit.fraction)


def _after(context: JobContext, setup: Setup, plan: Plan, trouble: Trouble) -> Plan:
    """The plan to go on with. Raises when nothing is left to give up."""
    if together.processes() > 1:
        raise _ended_together(trouble)
    match trouble.kind:
        case "disk":
            folder = context.path / "checkpoints"
            wait_for_room(context, folder, OutOfRoom(trouble.what, "", ""))
            return plan
        case "memory":
            change = after_memory_was_full(plan, _longest_row(setup)) if setup.spec.safety.recover else None
            if change is None:
                raise _memory_is_full(setup, plan, trouble)
        case _:
            tries = sum("diverged" in each for each in context.directory.changes)
            change = after_divergence(plan, tries, setup.spec.safety.retries_after_nan)
            if change is None:
                raise _no_number(plan, tries, trouble)
    _tell(context, plan, change, trouble)
    return change.plan


def _tell(context: JobContext, plan: Plan, change: Change, trouble: Trouble) -> None:
    changed = {"plan": difference(plan, change.plan)}
    if trouble.kind == "diverged":
        changed["diverged"] = {"what": trouble.what}
    reason = f"memory was full: {trouble.what}" if trouble.kind == "memory" else trouble.what
    context.change(change.what, reason, **changed)


def _longest_row(setup: Setup) -> int:
    return max(int(length) for item in setup.rows.train.items for length in item.get("row_lengths", [0]))


def _ended_together(trouble: Trouble) -> TrainingFailed:
    """With several processes the others wait within a step, which can't be taken back."""
    fixes = {
        "memory": "Start again with a smaller batch_size and more gradient_accumulation, or gradient checkpointing.",
        "diverged": "Start again with a lower learning_rate.",
        "disk": "Free some space, then resume.",
    }
    return TrainingFailed(
        f"{trouble.what.rstrip('.')}.",
        "Several processes train together, and a run of these can't change its settings on the way.",
        f"{fixes[trouble.kind]} What was saved until then is kept.",
    )


def _memory_is_full(setup: Setup, plan: Plan, trouble: Trouble) -> OutOfRoom:
    what = f"Memory is full, with one row of up to {setup.rows.longest} tokens at a time."
    if not setup.spec.safety.recover:
        what = f"Memory is full with batches of {plan.batch_size} rows of up to {setup.rows.longest} tokens."
    fixes = ["lower max_length"]
    if setup.spec.method.adapter != "qlora":
        fixes.insert(0, "train with qlora (method.adapter)")
    if not setup.spec.safety.recover:
        fixes.insert(0, "let the run go on by itself (safety.recover)")
    return OutOfRoom(
        what,
        f"{trouble.what}. Nothing is left that the run could give up by itself.",
        f"To go on: {', or '.join(fixes)}, or choose a smaller model. `python cli.py fit` says what fits.",
    )


def _no_number(plan: Plan, tries: int, trouble: Trouble) -> TrainingFailed:
    return TrainingFailed(
        f"{trouble.what}, also with the learning rate lowered {tries} times, to {plan.learning_rate:.3g}.",
        "Something else than the learning rate makes the loss no number: rows without sense, or fp16 overflowing.",
        "Look at the rows trained before that step, try precision bf16 or fp32, then resume or start anew.",
    )


def _free_memory() -> None:
    """Give what the failed attempt held back to the system."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
