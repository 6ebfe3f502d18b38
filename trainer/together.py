"""Several processes that make one run together: who is first, what they agree on, and which rows each of them gets.

With one process everything here does nothing. Only the first process decides and writes; the others follow it.
"""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from typing import Any

from jobs.errors import BadInput
from trainer.plan import Plan
from trainer.rows import Item, Rows
from trainer.sampler import EpochSampler

# A row in which nothing is learned: it fills up the last step of an epoch without changing it.
EMPTY: Item = {"input_ids": [0, 0], "labels": [-100, -100], "row_lengths": [2]}


def processes() -> int:
    """How many make this run together."""
    distributed = _distributed()
    return int(distributed.get_world_size()) if distributed else 1


def is_first() -> bool:
    """Whether this is the process that owns the job's folder."""
    distributed = _distributed()
    return distributed is None or distributed.get_rank() == 0


def hand_on(value: Any) -> Any:
    """What the first process passes, in all of them. All have to call it."""
    distributed = _distributed()
    if distributed is None:
        return value
    box = [value]
    distributed.broadcast_object_list(box, src=0)
    return box[0]


_begun = False


def begin(decisions: dict[str, Any] | None) -> None:
    """The first process has decided everything and begins to train; None: it won't. The others wait for this."""
    global _begun
    if is_first() and not _begun:
        hand_on(decisions)
        _begun = True


def agree(decision: bool) -> bool:
    """The first process's decision, in all of them at the same point. All have to call it."""
    return bool(hand_on(decision))


def wait_for_all() -> None:
    """Return once every process is here."""
    distributed = _distributed()
    if distributed is not None:
        distributed.barrier()


def _distributed() -> Any | None:
    """torch.distributed where it connects several processes."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return None
    return torch.distributed if torch.distributed.get_world_size() > 1 else None


def share_of(plan: Plan, count: int) -> Plan:
    """What each of `count` processes does of a step, so that together they make the plan's rows a step.

    The batch is divided where it can be, else the accumulation. Raises BadInput when neither can.
    """
    if plan.batch_size % count == 0:
        return replace(plan, batch_size=plan.batch_size // count)
    if plan.gradient_accumulation % count == 0:
        return replace(plan, gradient_accumulation=plan.gradient_accumulation // count)
    raise not_shareable(plan.batch_size, plan.gradient_accumulation, count)


def not_shareable(batch_size: int, accumulation: int, count: int) -> BadInput:
    """What is said when `count` processes can't share the rows of a step."""
    return BadInput(
        f"Batches of {batch_size} rows with accumulation {accumulation} can't be shared by {count} processes.",
        "The rows of a step are the same however many processes there are, so one of the two has to divide.",
        f"Choose a batch_size or gradient_accumulation that {count} divides, or another number of processes.",
    )


def shared_rows(train: Rows, plan: Plan, seed: int, count: int) -> tuple[list[Item], EpochSampler]:
    """The trainer's items and their order, such that each step of `count` processes has the rows that one would take.

    accelerate hands batches to the processes in turn, so whole steps stay whole as long as none is short.
    """
    by_length = plan.batching == "by_length"
    if count == 1:
        return train.items, EpochSampler(train.lengths, plan.effective_batch, seed, by_length=by_length)
    fills = "input_ids" in train.items[0]
    order = SharedOrder(train.lengths, plan.effective_batch, seed, by_length=by_length)
    order.share(share_of(plan, count).batch_size, filler=len(train.items) if fills else None)
    return ([*train.items, EMPTY] if fills else train.items), order


class SharedOrder(EpochSampler):
    """An order whose last step is as long as the others.

    It is filled up with rows in which nothing is learned, spread over the batches; where there are none (pairs and
    marks, whose loss is a mean of rows), with the epoch's first rows, as accelerate does.
    """

    _batch = 1
    _filler: int | None = None

    def share(self, batch_size: int, filler: int | None) -> None:
        """`batch_size` of each process; `filler`: the number of the empty row."""
        self._batch = batch_size
        self._filler = filler

    def __len__(self) -> int:
        return math.ceil(len(self._lengths) / self._batch_size) * self._batch_size

    def order(self, epoch: int) -> list[int]:
        rows = super().order(epoch)
        short = len(rows) % self._batch_size
        if not short:
            return rows
        missing = self._batch_size - short
        if self._filler is None:
            return rows + [rows[place % len(rows)] for place in range(missing)]
        last = rows[-short:] + [self._filler] * missing
        batches = self._batch_size // self._batch
        return rows[:-short] + [row for number in range(batches) for row in last[number::batches]]
