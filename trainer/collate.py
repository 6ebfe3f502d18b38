"""Rows become batches: one after the other, or side by side with padding; real and computed tokens are counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from trainer.rows import Item

IGNORED = -100
Batch = dict[str, Any]


COUNTED = "counted"


@dataclass(frozen=True)
class Counted:
    """A collator whose batches say how much they hold: `counted`, the rows' own tokens and those computed with.

    The count goes with the batch, which is made one step before it is trained. `flat`: nothing is computed for
    padding, though the batch has some, since rows are put one after the other later.
    """

    collate: Callable[[list[Item]], Batch]
    flat: bool = False

    def __call__(self, items: list[Item]) -> Batch:
        batch = self.collate(items)
        padded = sum(batch[name].numel() for name in ("input_ids", "KL_input_ids") if name in batch)
        tokens = sum(len(values) for item in items for name, values in item.items() if name.endswith("ids"))
        return {**batch, COUNTED: (tokens, tokens if self.flat else padded)}


def flat_rows(items: list[Item]) -> Batch:
    """Rows (or packs) as one long row: input_ids, labels and position_ids are (1, tokens)."""
    import torch

    from models.attention import flat_inputs

    rows = [row for item in items for row in _rows(item["input_ids"], item["row_lengths"])]
    labels = [row for item in items for row in _rows(item["labels"], item["row_lengths"])]
    # What a row's first token is can't be told from the row before it.
    flat = [label for row in labels for label in [IGNORED, *row[1:]]]
    return {**flat_inputs(rows), "labels": torch.tensor([flat])}


def _rows(values: list[int], lengths: list[int]) -> list[list[int]]:
    starts = [sum(lengths[:number]) for number in range(len(lengths))]
    return [values[start : start + length] for start, length in zip(starts, lengths, strict=True)]


def padded_rows(pad_id: int) -> Callable[[list[Item]], Batch]:
    """Rows side by side, padded on the right: input_ids, labels and attention_mask are (rows, longest)."""

    def collate(items: list[Item]) -> Batch:
        ids = [item["input_ids"] for item in items]
        return {
            "input_ids": _padded(ids, pad_id),
            "labels": _padded([item["labels"] for item in items], IGNORED),
            "attention_mask": _padded([[1] * len(row) for row in ids], 0),
        }

    return collate


def pairs(pad_id: int) -> Callable[[list[Item]], Batch]:
    """What TRL's DPOTrainer takes: the chosen rows above the rejected ones, and which tokens are their answers."""

    def collate(items: list[Item]) -> Batch:
        ids = [item["chosen_ids"] for item in items] + [item["rejected_ids"] for item in items]
        labels = [item["chosen_labels"] for item in items] + [item["rejected_labels"] for item in items]
        return {**_masked(ids, labels, pad_id), **_references(items)}

    return collate


def marked(pad_id: int) -> Callable[[list[Item]], Batch]:
    """What TRL's KTOTrainer takes: rows, their marks, and the same prompts with answers to others (`KL_`)."""

    def collate(items: list[Item]) -> Batch:
        import torch

        own = _masked([item["ids"] for item in items], [item["labels"] for item in items], pad_id)
        other = _masked([item["other_ids"] for item in items], [item["other_labels"] for item in items], pad_id)
        return {
            **own,
            **{f"KL_{name}": value for name, value in other.items()},
            "label": torch.tensor([item["good"] for item in items]),
            **_references(items),
        }

    return collate


def _references(items: list[Item]) -> Batch:
    """What the reference said of the rows, where TRL asked it beforehand."""
    import torch

    return {name: torch.tensor([item[name] for item in items]) for name in items[0] if name.startswith("ref_")}


def _masked(ids: list[list[int]], labels: list[list[int]], pad_id: int) -> Batch:
    return {
        "input_ids": _padded(ids, pad_id),
        "attention_mask": _padded([[1] * len(row) for row in ids], 0),
        "completion_mask": _padded([[int(label != IGNORED) for label in row] for row in labels], 0),
    }


def _padded(rows: list[list[int]], value: int) -> Any:
    import torch

    longest = max(len(row) for row in rows)
    return torch.tensor([row + [value] * (longest - len(row)) for row in rows])
