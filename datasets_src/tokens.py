"""A dataset version as token ids with labels, made once per tokenizer and template, read by all who need tokens."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from datasets_src.rows import Part, Row, conversation_of, learns_last_only
from datasets_src.store import DatasetVersion
from jobs.errors import BadInput
from jobs.workspace import Workspace
from models.chat_template import ChatTokenizer, TokenisedRow

View = Literal["learned", "whole", "pairs", "marked"]


@dataclass(frozen=True)
class FittingRows:
    """Rows cut to a length: `cut` of them lost their end; `dropped` had nothing left to train and aren't among them."""

    rows: list[TokenisedRow]
    cut: int
    dropped: int


@dataclass(frozen=True)
class TokenisedPair:
    """A preference: the conversation with the chosen and with the rejected answer; labels on the answer alone."""

    chosen: TokenisedRow
    rejected: TokenisedRow


@dataclass(frozen=True)
class MarkedRow:
    """A conversation whose last answer is marked good or bad; labels on that answer alone."""

    row: TokenisedRow
    good: bool


def tokenised_rows(
    version: DatasetVersion,
    part: Part,
    tokenizer: ChatTokenizer,
    workspace: Workspace,
    on_progress: Callable[[int, int], None] | None = None,
    view: View = "learned",
) -> list[TokenisedRow]:
    """Ids and labels of every row of `part`, in order, from the workspace's cache when they were made before.

    `learned` labels the answers, `whole` every token; `pairs` gives two rows for each (chosen, rejected), `marked`
    also the answers that are marked bad. Raises BadInput naming the row whose conversation the chat template refuses.
    """
    path = workspace.cache / "tokens" / f"{_key(version, part, tokenizer, view)}.parquet"
    if path.exists():
        table = pq.read_table(path)
        columns = zip(table["input_ids"].to_pylist(), table["labels"].to_pylist(), strict=True)
        return [TokenisedRow(ids, labels) for ids, labels in columns]
    marked = version.train() if part == "train" else version.eval()
    # Of answers marked good or bad, only the good ones are to be learned.
    rows = [row for row in marked if view == "marked" or row.get("label") is not False]
    tokenised: list[TokenisedRow] = []
    for number, row in enumerate(rows):
        try:
            tokenised += _VIEWS[view](tokenizer, row)
        except BadInput as error:
            where = f"Row {row.get('row', number + 1)} of {row.get('source', version.name)}: {error.what}"
            raise BadInput(where, error.why, error.fix) from error
        if on_progress is not None and number % 200 == 0:
            on_progress(number, len(rows))
    _write(path, tokenised)
    return tokenised


def tokenised_pairs(
    version: DatasetVersion,
    part: Part,
    tokenizer: ChatTokenizer,
    workspace: Workspace,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[TokenisedPair]:
    """Every preference of `part`. Raises as `tokenised_rows`."""
    rows = tokenised_rows(version, part, tokenizer, workspace, on_progress, "pairs")
    return [TokenisedPair(chosen, rejected) for chosen, rejected in zip(rows[::2], rows[1::2], strict=True)]


def marked_rows(
    version: DatasetVersion,
    part: Part,
    tokenizer: ChatTokenizer,
    workspace: Workspace,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[MarkedRow]:
    """Every answer of `part` that is marked good or bad. Raises as `tokenised_rows`."""
    rows = tokenised_rows(version, part, tokenizer, workspace, on_progress, "marked")
    labels = [bool(row["label"]) for row in (version.train() if part == "train" else version.eval())]
    return [MarkedRow(row, good) for row, good in zip(rows, labels, strict=True)]


def tokenise(tokenizer: ChatTokenizer, row: Row) -> TokenisedRow:
    """A row as the model is trained on it: of a preference the chosen answer, of plain text all of it.

    Raises BadInput when the chat template refuses it.
    """
    messages, tools = conversation_of(row)
    return (
        tokenizer.tokenise_text(row["text"])
        if "text" in row
        else tokenizer.tokenise(messages, tools, learns_last_only(row))
    )


def _tokenise_whole(tokenizer: ChatTokenizer, row: Row) -> list[TokenisedRow]:
    tokenised = tokenise(tokenizer, row)
    return [TokenisedRow(tokenised.input_ids, list(tokenised.input_ids))]


def _tokenise_pair(tokenizer: ChatTokenizer, row: Row) -> list[TokenisedRow]:
    answers = (row["chosen"], row["rejected"])
    return [tokenizer.tokenise([*row["prompt"], *answer], row.get("tools"), True) for answer in answers]


_VIEWS: dict[View, Callable[[ChatTokenizer, Row], list[TokenisedRow]]] = {
    "learned": lambda tokenizer, row: [tokenise(tokenizer, row)],
    "whole": _tokenise_whole,
    "pairs": _tokenise_pair,
    "marked": lambda tokenizer, row: [tokenise(tokenizer, row)],
}


def fit_length(rows: list[TokenisedRow], max_length: int) -> FittingRows:
    """Cut rows to `max_length` tokens; leave out those that then have no trained token."""
    cut = [row.cut(max_length) for row in rows]
    kept = [row for row in cut if row.trained_tokens > 0]
    shortened = sum(len(row.input_ids) > max_length for row in rows)
    return FittingRows(kept, cut=shortened, dropped=len(cut) - len(kept))


def split_length(rows: list[TokenisedRow], max_length: int) -> list[TokenisedRow]:
    """Rows of at most `max_length` tokens: longer ones become several, nothing is lost."""
    return [
        TokenisedRow(row.input_ids[start : start + max_length], row.labels[start : start + max_length])
        for row in rows
        for start in range(0, len(row.input_ids), max_length)
    ]


def _key(version: DatasetVersion, part: Part, tokenizer: ChatTokenizer, view: View) -> str:
    """Everything the tokens depend on, as one hash."""
    digest = hashlib.sha256(f"2/{version.name}@{version.version}/{part}/{view}/".encode())
    digest.update((tokenizer.folder / "tokenizer.json").read_bytes())
    digest.update(tokenizer.template.encode())
    digest.update(str(tokenizer.stop_ids).encode())
    return digest.hexdigest()[:24]


def _write(path: Path, rows: list[TokenisedRow]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = pa.array([row.input_ids for row in rows], type=pa.list_(pa.int32()))
    labels = pa.array([row.labels for row in rows], type=pa.list_(pa.int32()))
    temporary = path.with_suffix(f".{os.getpid()}.part")
    pq.write_table(pa.table({"input_ids": ids, "labels": labels}), temporary, compression="zstd")
    os.replace(temporary, path)
