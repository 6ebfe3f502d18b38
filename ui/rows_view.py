"""Files, rows and datasets as HTML: what a file holds, and what a build made of it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import islice
from typing import Any

import orjson

from datasets_src.checks import CHECKS
from datasets_src.inspect import Inspection
from datasets_src.store import DatasetVersion
from ui.errors import error_box
from ui.row_cards import short_row_html
from ui.words import count

LISTED_PROBLEMS = 10
LONGEST_TEXT = 600
SAMPLE_ROWS = 4


def inspection_html(inspection: Inspection, name: str, *, raw_only: bool = False) -> str:
    """A source before anything is built from it. `raw_only`: its rows as they stand in it, without a word on them."""
    more = "" if inspection.complete else "more than "
    head = f"<h4>{escape(name)}</h4><p>{more}{count(inspection.rows, 'row')}"
    columns = f"<p class='quiet'>Columns: {escape(', '.join(inspection.columns))}</p>"
    if raw_only:
        return f"{columns}{_raw_rows(inspection.raw_rows)}"
    if inspection.format is None:
        box = error_box(
            f"The columns of {name} fit no known format.",
            inspection.evidence,
            "Say under “Which column holds what” what they mean; another format asks for other columns.",
        )
        return f"{head}</p>{columns}{box}{_raw_rows(inspection.raw_rows)}"
    head += (
        f", read as <b>{escape(inspection.title)}</b> <span class='quiet'>({escape(inspection.evidence)})</span></p>"
    )
    return head + columns + _problems(inspection) + _found(inspection) + rows_table(inspection.samples)


def _problems(inspection: Inspection) -> str:
    if not inspection.bad:
        which = "Every row" if inspection.complete else f"Each of the first {inspection.rows:,} rows"
        return f'<p class="good">{which} can be used.</p>'
    lines = "\n".join(f"- {problem}" for problem in inspection.problems[:LISTED_PROBLEMS])
    fix = "Press “Check rows”: there you choose what happens to them."
    return error_box(f"{count(inspection.bad, 'row')} can't be used:\n{lines}", "", fix)


def _found(inspection: Inspection) -> str:
    """What the checks found that stops no build."""
    harmless = [check for check in CHECKS if check.default != "stop" and inspection.found.get(check.name)]
    parts = [f"{check.title.lower()} ({count(inspection.found[check.name], 'row')})" for check in harmless]
    if not parts:
        return ""
    return f'<p class="quiet">Also found: {escape(", ".join(parts))}. “Check rows” tells more of it.</p>'


def _raw_rows(rows: Sequence[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = "".join(f"<th translate='no'>{escape(name)}</th>" for name in names)
    lines = ([f"<td translate='no'>{_short(row.get(name, ''))}</td>" for name in names] for row in rows)
    body = "".join(f"<tr>{''.join(line)}</tr>" for line in lines)
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def rows_table(rows: Sequence[dict[str, Any]]) -> str:
    """Canonical rows of any kind: who says what, and where they come from."""
    lines = []
    for row in rows:
        place = f"{row.get('source', '')}, row {row.get('row', '')}"
        tag = f"<br><span class='chip tag'>{escape(str(row['tag']))}</span>" if row.get("tag") else ""
        says = short_row_html(row, LONGEST_TEXT, line_ends=True)
        lines.append(f"<tr><td>{says}</td><td class='quiet'>{escape(place)}{tag}</td></tr>")
    return f'<div class="scroll"><table class="rows"><tr><th>Row</th><th>From</th></tr>{"".join(lines)}</table></div>'


def dataset_html(version: DatasetVersion, report: dict[str, Any]) -> str:
    """What a build made: its summary, warnings, and the first rows. `report`: of that very build."""
    first, *rest = report["summary"]
    sentences = "".join(f"<li>{escape(sentence)}</li>" for sentence in rest)
    warnings = "".join(f'<p class="warning">{escape(warning)}</p>' for warning in report["warnings"])
    title = f"<h3>{escape(version.id)}</h3><p><b>{escape(first)}</b></p>"
    return f"{title}{warnings}<ul>{sentences}</ul><h4>First rows</h4>{rows_table(first_rows(version, SAMPLE_ROWS))}"


def first_rows(version: DatasetVersion, number: int, start: int = 0) -> list[dict[str, Any]]:
    """`number` training rows from `start` on, without reading the rest."""
    with (version.folder / "train.jsonl").open("rb") as file:
        return [orjson.loads(line) for line in islice(file, start, start + number)]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return escape(text[:LONGEST_TEXT] + ("…" if len(text) > LONGEST_TEXT else "")).replace("\n", "<br>")
