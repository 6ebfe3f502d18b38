"""The rows of a run as tokens: what is learned from, and what is measured on, for every objective."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from datasets_src.rows import Part
from datasets_src.store import DatasetVersion, open_version
from datasets_src.tokens import (
    MarkedRow,
    TokenisedPair,
    fit_length,
    marked_rows,
    split_length,
    tokenised_pairs,
    tokenised_rows,
)
from jobs.context import JobContext
from jobs.errors import BadInput
from jobs.workspace import Workspace
from models.chat_template import ChatTokenizer, TokenisedRow
from trainer.kinds import WHAT_IS_LEARNED, require_kind
from trainer.spec import TrainSpec

Item = dict[str, Any]
Progress = Callable[[int, int], None]

HELD_OUT = "held_out"


@dataclass(frozen=True)
class Rows:
    """What one part of a dataset gives. `lengths` are the items' tokens, all that the model computes with."""

    items: list[Item]
    lengths: list[int]
    cut: int = 0
    dropped: int = 0


@dataclass(frozen=True)
class TrainingRows:
    """The rows to learn from, and samples of held-out rows by name: `held_out` and every further dataset's name."""

    train: Rows
    evaluation: dict[str, list[Item]] = field(default_factory=dict)
    held_out: list[dict[str, Any]] = field(default_factory=list)

    @property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return max(self.train.lengths)


def read_rows(context: JobContext, spec: TrainSpec, version: DatasetVersion, tokenizer: ChatTokenizer) -> TrainingRows:
    """Tokenise everything the run needs. Raises BadInput when nothing of it can be learned."""

    def progress(done: int, total: int) -> None:
        context.check_stop()
        context.progress(None, f"Tokenising row {done} of {total}")

    objective = spec.method.objective
    if objective == "sft" and version.kind in WHAT_IS_LEARNED:
        context.log(f"{version.id} holds {WHAT_IS_LEARNED[version.kind]}")
    train = rows_of(spec, version, "train", tokenizer, context.workspace, progress)
    if not train.items:
        raise BadInput(
            f"No row of {version.name} has anything to train on.",
            f"With max_length {spec.max_length} every row is cut before its answer begins.",
            "Raise max_length, or shorten the prompts.",
        )
    if train.cut:
        context.log(
            f"{train.cut} rows are longer than {spec.max_length} tokens and lost their end; {train.dropped} of "
            "them had no answer left and were left out."
        )
    evaluation = {}
    versions = {HELD_OUT: version, **{name: open_version(context.workspace, name) for name in spec.saving.evaluate_on}}
    for name, each in versions.items():
        items = rows_of(spec, each, "eval", tokenizer, context.workspace, progress).items
        sample = random.Random(spec.seed).sample(items, min(spec.saving.evaluate_rows, len(items)))
        if sample:
            evaluation[name.split("@")[0]] = sample
        elif name != HELD_OUT:
            context.log(f"{name} has no held-out rows, so nothing is measured on it.")
    return TrainingRows(train, evaluation, version.eval())


def rows_of(
    spec: TrainSpec,
    version: DatasetVersion,
    part: Part,
    tokenizer: ChatTokenizer,
    workspace: Workspace,
    progress: Progress | None = None,
) -> Rows:
    """The rows of one part as the objective's items. Raises BadInput when they are of the wrong kind."""
    objective = spec.method.objective
    require_kind(objective, version)
    source = (version, part, tokenizer, workspace, progress)
    match objective:
        case "sft":
            fitting = fit_length(tokenised_rows(*source), spec.max_length)
            items = [plain_item(row) for row in fitting.rows]
            return Rows(items, [len(row.input_ids) for row in fitting.rows], fitting.cut, fitting.dropped)
        case "continued":
            rows = split_length(tokenised_rows(*source, "whole"), spec.max_length)
            rows = [row for row in rows if len(row.input_ids) > 1]
            return Rows([plain_item(row) for row in rows], [len(row.input_ids) for row in rows])
        case "dpo" | "orpo":
            return _pairs(tokenised_pairs(*source), spec.max_length)
        case "kto":
            pairs = version.kind == "preference"
            marked = _marks_of_pairs(tokenised_pairs(*source)) if pairs else marked_rows(*source)
            return _marked(marked, spec.max_length)


def plain_item(row: TokenisedRow) -> Item:
    return {"input_ids": row.input_ids, "labels": row.labels, "row_lengths": [len(row.input_ids)]}


def _pairs(pairs: list[TokenisedPair], longest: int) -> Rows:
    """Both answers of a pair have to keep something of themselves within the length."""
    cut = [TokenisedPair(pair.chosen.cut(longest), pair.rejected.cut(longest)) for pair in pairs]
    kept = [pair for pair in cut if pair.chosen.trained_tokens and pair.rejected.trained_tokens]
    items = [
        {
            "chosen_ids": pair.chosen.input_ids,
            "chosen_labels": pair.chosen.labels,
            "rejected_ids": pair.rejected.input_ids,
            "rejected_labels": pair.rejected.labels,
        }
        for pair in kept
    ]
    lengths = [len(pair.chosen.input_ids) + len(pair.rejected.input_ids) for pair in kept]
    too_long = sum(max(len(pair.chosen.input_ids), len(pair.rejected.input_ids)) > longest for pair in pairs)
    return Rows(items, lengths, too_long, len(pairs) - len(kept))


def _marks_of_pairs(pairs: list[TokenisedPair]) -> list[MarkedRow]:
    return [mark for pair in pairs for mark in (MarkedRow(pair.chosen, True), MarkedRow(pair.rejected, False))]


def _marked(marked: list[MarkedRow], longest: int) -> Rows:
    """Each row beside one whose answer belongs to another prompt: KTO measures with these how far the model has moved.

    (Ethayarajh et al. 2024, section 4.1: the estimate of the KL divergence.)
    """
    kept = [MarkedRow(mark.row.cut(longest), mark.good) for mark in marked]
    kept = [mark for mark in kept if mark.row.trained_tokens]
    items: list[Item] = []
    for number, mark in enumerate(kept):
        other = mismatched(mark.row, kept[number - 1].row, longest)
        items.append(
            {
                "ids": mark.row.input_ids,
                "labels": mark.row.labels,
                "other_ids": other.input_ids,
                "other_labels": other.labels,
                "good": mark.good,
            }
        )
    lengths = [len(item["ids"]) + len(item["other_ids"]) for item in items]
    return Rows(items, lengths, sum(len(mark.row.input_ids) > longest for mark in marked), len(marked) - len(kept))


def mismatched(row: TokenisedRow, other: TokenisedRow, longest: int) -> TokenisedRow:
    """The prompt of `row` with the answer of `other`."""
    prompt = row.input_ids[: first_label(row)]
    answer = other.input_ids[first_label(other) :]
    joined = TokenisedRow(prompt + answer, [-100] * len(prompt) + answer)
    return joined.cut(longest)


def first_label(row: TokenisedRow) -> int:
    """The place of the first trained token."""
    return next(place for place, label in enumerate(row.labels) if label != -100)


def pack(rows: Rows, longest: int) -> Rows:
    """Rows put together into packs of at most `longest` tokens: the longest first, each where the least room is left.

    Best-fit decreasing, as in TRL's `bfd` packing; the result depends on the rows alone.
    """
    open_packs: list[tuple[int, list[Item]]] = []
    by_room: dict[int, list[int]] = {}
    for place in sorted(range(len(rows.items)), key=lambda place: -rows.lengths[place]):
        item, length = rows.items[place], rows.lengths[place]
        room = next((room for room in range(length, longest + 1) if by_room.get(room)), None)
        if room is None:
            open_packs.append((longest - length, [item]))
            by_room.setdefault(longest - length, []).append(len(open_packs) - 1)
            continue
        number = by_room[room].pop()
        open_packs[number] = (room - length, [*open_packs[number][1], item])
        by_room.setdefault(room - length, []).append(number)
    packed = [_joined(items) for _, items in open_packs]
    return Rows(packed, [len(item["input_ids"]) for item in packed], rows.cut, rows.dropped)


def _joined(items: list[Item]) -> Item:
    return {
        "input_ids": [token for item in items for token in item["input_ids"]],
        "labels": [label for item in items for label in item["labels"]],
        "row_lengths": [length for item in items for length in item["row_lengths"]],
    }
