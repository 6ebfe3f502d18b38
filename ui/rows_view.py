"""Files, rows and datasets as HTML: what a file holds, what a build made of it, and which tokens are trained."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import islice
from typing import Any

import orjson

from datasets_src.inspect import Inspection
from datasets_src.store import DatasetVersion
from models.chat_template import ChatTokenizer
from ui.errors import error_box
from ui.words import count

LISTED_PROBLEMS = 10
LONGEST_TEXT = 600
SAMPLE_ROWS = 8


def inspection_html(inspection: Inspection, name: str) -> str:
    """A file before anything is built from it."""
    more = "" if inspection.complete else "more than "
    head = f"<h4>{escape(name)}</h4><p>{more}{count(inspection.rows, 'row')}"
    columns = f"<p class='quiet'>Columns: {escape(', '.join(inspection.columns))}</p>"
    if inspection.format is None:
        box = error_box(
            f"The columns of {name} fit no known format.",
            inspection.evidence,
            "Say what they mean in the table below, under Column names: `prompt: question, completion: reply`.",
        )
        return f"{head}</p>{columns}{box}{_raw_rows(inspection.raw_rows)}"
    head += (
        f", read as <b>{escape(inspection.title)}</b> <span class='quiet'>({escape(inspection.evidence)})</span></p>"
    )
    return head + columns + _problems(inspection) + rows_table(inspection.samples)


def _problems(inspection: Inspection) -> str:
    if not inspection.bad:
        return '<p class="good">Every row can be used.</p>'
    lines = "\n".join(f"- {problem}" for problem in inspection.problems[:LISTED_PROBLEMS])
    fix = "Mend these rows, or leave them out: More settings, Rows that can't be used: skip."
    return error_box(f"{count(inspection.bad, 'row')} can't be used:\n{lines}", "", fix)


def _raw_rows(rows: Sequence[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{_short(row.get(name, ''))}</td>" for name in names) + "</tr>" for row in rows
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def rows_table(rows: Sequence[dict[str, Any]]) -> str:
    """Canonical rows: who says what, and where they come from."""
    lines = []
    for row in rows:
        turns = "".join(
            f'<div class="turn {escape(turn["role"])}"><b>{escape(turn["role"])}</b> {_short(turn["content"])}</div>'
            for turn in row["messages"]
        )
        place = f"{row.get('source', '')}, row {row.get('row', '')}"
        tag = f"<br><span class='chip tag'>{escape(str(row['tag']))}</span>" if row.get("tag") else ""
        lines.append(f"<tr><td>{turns}</td><td class='quiet'>{escape(place)}{tag}</td></tr>")
    return f'<div class="scroll"><table class="rows"><tr><th>Row</th><th>From</th></tr>{"".join(lines)}</table></div>'


def dataset_html(version: DatasetVersion) -> str:
    """What a build made: its summary, warnings, and the first rows."""
    report = version.report
    first, *rest = report["summary"]
    sentences = "".join(f"<li>{escape(sentence)}</li>" for sentence in rest)
    warnings = "".join(f'<p class="warning">{escape(warning)}</p>' for warning in report["warnings"])
    title = f"<h3>{escape(version.id)}</h3><p><b>{escape(first)}</b></p>"
    return f"{title}{warnings}<ul>{sentences}</ul><h4>First rows</h4>{rows_table(first_rows(version, SAMPLE_ROWS))}"


def first_rows(version: DatasetVersion, number: int, start: int = 0) -> list[dict[str, Any]]:
    """`number` training rows from `start` on, without reading the rest."""
    with (version.folder / "train.jsonl").open("rb") as file:
        return [orjson.loads(line) for line in islice(file, start, start + number)]


def mask_html(tokenizer: ChatTokenizer, row: dict[str, Any]) -> str:
    """A row as its tokens: those that are trained stand out. Raises BadInput when the template refuses the row."""
    tokenised = tokenizer.tokenise(row["messages"], row.get("tools"))
    pieces = "".join(
        f'<span class="{"trained" if trained else "given"}">{_visible(text)}</span>'
        for text, trained in tokenizer.token_pieces(tokenised)
    )
    about = f"{len(tokenised.input_ids)} tokens, {tokenised.trained_tokens} of them trained (marked)"
    return f'<p class="quiet">{about}</p><div class="mask">{pieces}</div>'


def _visible(text: str) -> str:
    return escape(text).replace("\n", "⏎<br>")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return escape(text[:LONGEST_TEXT] + ("…" if len(text) > LONGEST_TEXT else "")).replace("\n", "<br>")
