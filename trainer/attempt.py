"""One attempt at a run: build the trainer, go on from the newest good checkpoint, train to the end or to trouble.

What went wrong comes back as a value, so that nothing of the failed attempt stays in memory when the next begins.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from jobs.context import JobContext
from jobs.errors import OutOfRoom, Stopped, disk_full
from models.attention import use_row_attention
from models.hardware import GB
from trainer import result, together
from trainer.checkpoints import find_checkpoint, set_aside
from trainer.disk import wait_for_room
from trainer.memory.probe import probe_longest_batch
from trainer.memory.records import record_run
from trainer.monitor import Monitor
from trainer.options import Batching
from trainer.plan import Plan
from trainer.preference import build_preference
from trainer.recovery import Diverged
from trainer.reporting import Watch, make_callback
from trainer.rows import Rows, pack
from trainer.samples import make_answerer, sample_prompts
from trainer.setup import Setup
from trainer.sft import build_sft
from trainer.trackers import open_trackers

# What libraries say when memory is full in errors that aren't PyTorch's own.
FULL_WORDS = ("out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED", "cudaErrorMemoryAllocation")


@dataclass(frozen=True)
class Finished:
    """The run is done; `figures` go into the manifest."""

    figures: dict[str, Any]


@dataclass(frozen=True)
class Trouble:
    """Why an attempt ended before its time."""

    kind: Literal["memory", "diverged", "disk"]
    what: str


def attempt(context: JobContext, setup: Setup, plan: Plan, model: Any) -> Finished | Trouble:
    """Train a freshly loaded `model` by `plan`. Raises Stopped once the checkpoint is safe."""
    try:
        return Finished(_train(context, setup, plan, model))
    except Diverged as error:
        return Trouble("diverged", str(error))
    except OutOfRoom as error:
        return Trouble("disk", error.what)
    except (MemoryError, RuntimeError, OSError) as error:
        if memory_was_full(error):
            return Trouble("memory", what_was_full(error))
        if disk_full(error, str(context.path)) is not None:
            return Trouble("disk", str(error))
        raise


def memory_was_full(error: BaseException) -> bool:
    """Whether an error says that there is no more memory; PyTorch's own class for it is a RuntimeError."""
    return isinstance(error, MemoryError) or any(word.lower() in str(error).lower() for word in FULL_WORDS)


def what_was_full(error: BaseException) -> str:
    """The first sentence of such an error, without its full stop; PyTorch's goes on with advice for programmers."""
    return (str(error) or "The system gives no more memory").split(". ")[0].strip().rstrip(".")


def _train(context: JobContext, setup: Setup, plan: Plan, model: Any) -> dict[str, Any]:
    if plan.flat:
        use_row_attention(model)
    trainer = _build(context, setup, plan, model)
    checkpoint = together.hand_on(_newest_checkpoint(context) if together.is_first() else None)
    if checkpoint is None:
        probe_longest_batch(context, setup, plan, trainer)
    with Monitor(setup.hardware.gpus[0].index if setup.hardware.gpus else None) as monitor:
        spec = setup.spec
        trackers = open_trackers(
            spec.saving.trackers if together.is_first() else [],
            context.path.name,
            spec.title,
            context.spec,
            context.path,
            context.log,
        )
        # Closed whatever comes: the next attempt opens them again.
        with closing(trackers):
            watch = Watch(monitor, trackers, spec.saving.early_stopping)
            prompts = sample_prompts(spec, setup.rows.held_out)
            answer = make_answerer(context, trainer.model, setup.backend, setup.tokenizer, prompts)
            trainer.add_callback(make_callback(context, lambda: trainer.tokens, watch, answer))
            context.log(_trained_share(trainer.model))
            context.progress(0.0, "Training begins")
            started = time.monotonic()
            trained = trainer.train_from(checkpoint, spec.saving.early_stopping)
            seconds = time.monotonic() - started
        peak = monitor.peak_process_bytes
    if together.agree(context.should_stop()) and trainer.state.global_step < trainer.state.max_steps:
        raise Stopped
    result.save_result(context, trainer, setup.base, setup.spec)
    if together.is_first() and trained:
        _record_memory(context, setup, plan, peak)
    figures = result.figures(trainer, seconds, plan, (trainer.tokens, trainer.computed))
    memory = {"peak_process_gb": round(peak / GB, 2)} if peak else {}
    return {**figures, **memory, "estimated_gb": round(setup.estimated.total / GB, 2)}


def _record_memory(context: JobContext, setup: Setup, plan: Plan, peak: int | None) -> None:
    """Estimate and truth, side by side in the workspace's records."""
    probed = (context.directory.resolved or {}).get("memory_probe_gb")
    record_run(
        context.workspace,
        job=context.path.name,
        model=setup.base.name,
        card=setup.hardware.device,
        settings={"plan": asdict(plan), "setting": asdict(setup.setting), "method": setup.spec.method.model_dump()},
        estimated=setup.estimated,
        probed=round(probed["value"] * GB) if probed else None,
        peak=peak,
    )


def items_of(setup: Setup, batching: Batching, max_length: int) -> Rows:
    """What the trainer is given: rows, or packs of them."""
    return pack(setup.rows.train, max_length) if batching == "packing" else setup.rows.train


def _build(context: JobContext, setup: Setup, plan: Plan, model: Any) -> Any:
    build = build_sft if setup.spec.method.objective in ("sft", "continued") else build_preference
    train = items_of(setup, plan.batching, plan.max_length)
    folder = context.path / "checkpoints"
    items, order = together.shared_rows(train, plan, setup.spec.seed, together.processes())
    share = together.share_of(plan, together.processes())
    trainer = build(model, setup.tokenizer, items, setup.rows.evaluation, setup.spec, share, folder)
    trainer.keep_checkpoints = setup.spec.saving.keep_checkpoints
    trainer.sampler = order
    trainer.wait_for_room = lambda full: wait_for_room(context, folder, full)
    _quiet(trainer)
    return trainer


def _quiet(trainer: Any) -> None:
    """Progress goes to the job's own files; transformers' bars and tables would only fill the log."""
    from transformers.trainer_callback import PrinterCallback, ProgressCallback

    trainer.remove_callback(ProgressCallback)
    trainer.remove_callback(PrinterCallback)


def _newest_checkpoint(context: JobContext) -> Path | None:
    """Where to go on from; damaged ones are set aside, and said."""
    if context.attempt == 1:
        return None
    found = find_checkpoint(context.path / "checkpoints")
    set_aside(found.damaged)
    for path in found.damaged:
        context.change(f"{path.name} is damaged and left aside", "its files are not as they were written")
    if found.checkpoint is None:
        context.change("Beginning anew", "no good checkpoint was saved before the run was interrupted")
    else:
        context.change(f"Going on from {found.checkpoint.name.replace('-', ' ')}", "the run was interrupted")
    return found.checkpoint


def _trained_share(model: Any) -> str:
    trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return f"{trainable:,} of {sum(p.numel() for p in model.parameters()):,} weights are trained."
