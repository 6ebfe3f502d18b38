"""The probe: one real forward and backward pass of the longest batch before training, to see what memory it takes.

Nothing of it stays: no weight changes, gradients are dropped, random states are put back. Only the worker calls this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

from jobs.context import JobContext
from models.hardware import GB
from trainer.collate import COUNTED
from trainer.memory.constants import CUDA_CONTEXT
from trainer.memory.records import corrected

if TYPE_CHECKING:
    from trainer.plan import Plan
    from trainer.setup import Setup


@dataclass(frozen=True)
class Probed:
    """The longest batch's `tokens`, and the bytes at the peak: on a GPU the allocator's, else the process's growth."""

    tokens: int
    bytes: int


def probe_longest_batch(context: JobContext, setup: Setup, plan: Plan, trainer: Any) -> None:
    """Try the longest batch, where that is wanted, and record what it took. Raises when memory is full."""
    wanted = setup.spec.safety.probe
    if wanted == "never" or (wanted == "auto" and not setup.hardware.gpus):
        return
    context.progress(None, "Trying the longest batch")
    probed = one_step(trainer, plan.batch_size)
    optimiser = setup.estimated.optimiser.bytes
    better = corrected(setup.estimated, probed.bytes + optimiser)
    context.resolve("memory_probe_gb", round(better.total / GB, 2), f"one step on {probed.tokens} tokens")
    context.log(
        f"The longest batch ({probed.tokens:,} tokens) takes {better.total / GB:.2f} GB with the optimiser's state; "
        f"estimated were {setup.estimated.total / GB:.2f} GB."
    )


def one_step(trainer: Any, batch_size: int) -> Probed:
    """Forward and backward of the longest `batch_size` items of the trainer's rows."""
    import torch

    lengths = trainer.sampler._lengths
    longest = sorted(range(len(lengths)), key=lambda place: -lengths[place])[:batch_size]
    batch = trainer.data_collator([trainer.train_dataset[place] for place in longest])
    _, tokens = batch.pop(COUNTED)
    model, on_gpu = trainer.model, torch.cuda.is_available()
    before = psutil.Process().memory_info().rss
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    with torch.random.fork_rng():
        model.train()
        try:
            with trainer.compute_loss_context_manager():
                loss = trainer.compute_loss(model, trainer._prepare_inputs(batch))
            trainer.accelerator.backward(loss)
            held = psutil.Process().memory_info().rss
        finally:
            model.zero_grad(set_to_none=True)
    trainer._metrics["train"].clear()
    trainer._total_train_tokens = 0
    # The allocator's figure lacks what CUDA itself takes of the card, which the estimate counts.
    return Probed(tokens, torch.cuda.max_memory_reserved() + CUDA_CONTEXT if on_gpu else max(held, before))
