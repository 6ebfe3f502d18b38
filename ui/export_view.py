"""An export as HTML: its stages while it runs; then what the checks found, the files, and the texts beside them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from jobs.directory import JobDirectory
from jobs.files import read_json
from ui.job_view import artifacts, file_links
from ui.words import duration

SHOWN_DIFFERENCES = 5


def running_html(job: JobDirectory) -> tuple[str, bool]:
    """The stages of a job that runs, with the expected time of each, and whether the present one can be skipped."""
    status = job.status()
    plans = [event for event in job.events() if event["type"] == "plan"]
    if not status.state.active or not plans:
        return "", False
    lines, skippable, before = [], False, True
    for stage in plans[-1]["stages"]:
        here = status.message.startswith(stage["label"])
        before = before and not here
        sign = "▶" if here else "✓" if before else "·"
        skippable = skippable or (here and stage["kind"] in ("rendering", "answers", "behaviour", "task"))
        lines.append(f"<li>{sign} {escape(stage['label'])}: about {duration(max(1.0, stage['expected']))}</li>")
    return f'<ul class="hearth-stages">{"".join(lines)}</ul>', skippable


def summary_html(job: JobDirectory, figures: dict[str, Any]) -> str:
    """The recommendation, the table of all files, what differs, and the downloads."""
    report = read_json(job.path / "parity.json") or {"files": []}
    parts = []
    advice = figures.get("recommendation")
    if advice:
        tone = "better" if advice["file"] else "worse"
        parts.append(f'<div class="verdict {tone}">{escape(advice["sentence"])}</div>')
    if report["files"]:
        parts += [_table(report["files"]), _unverified(report), _differences(report["files"])]
    weights = [job.path / name for name in figures["size_bytes"]]
    others = [path for path in artifacts(job) if path not in weights and path.parent == job.path]
    parts.append(f"<h4>Files</h4>{file_links(job, weights)}{file_links(job, others)}")
    return f'<div class="hearth-result">{"".join(parts)}</div>'


def _table(files: Sequence[dict[str, Any]]) -> str:
    """A column for each file, a row for each thing that was measured."""
    rows = [file["table"] for file in files]
    heads = [f"<th class='{'' if file['passed'] else 'warning'}'>{escape(file['label'])}</th>" for file in files]
    lines = [
        f"<tr><th>{escape(title)}</th>{''.join(f'<td>{escape(row[title])}</td>' for row in rows)}</tr>"
        for title in list(rows[0])[1:]
    ]
    return (
        "<h4>Beside the trained model, on held-out rows</h4>"
        f'<div class="scroll"><table id="parity"><tr><th></th>{"".join(heads)}</tr>{"".join(lines)}</table></div>'
    )


def _unverified(report: dict[str, Any]) -> str:
    lines = [f"{name}: {reason}" for name, reason in report.get("unverified", {}).items()]
    lines.append(str(report.get("ollama", "")))
    items = "".join(f"<li>{escape(line)}</li>" for line in lines if line)
    return f"<p class='quiet'>Unverified:</p><ul class='quiet'>{items}</ul>" if items else ""


def _differences(files: Sequence[dict[str, Any]]) -> str:
    """Prompts that became other tokens, and the first answers that are others."""
    parts = []
    for file in files:
        prompts = [found for check in (file["rendering"] or {}).get("checks", []) for found in check["differences"]]
        pairs = [(found["conversation"], found["expected"], found["found"]) for found in prompts]
        answers = (file["answers"] or {}).get("differences", [])
        pairs += [(found["place"], found["expected"], found["found"]) for found in answers]
        if pairs:
            rows = "".join(
                f"<tr><td>{escape(place)}</td><td><pre>{escape(expected)}</pre></td><td><pre>{escape(found)}</pre></td></tr>"
                for place, expected, found in pairs[:SHOWN_DIFFERENCES]
            )
            more = f", the first {SHOWN_DIFFERENCES} of {len(pairs)}" if len(pairs) > SHOWN_DIFFERENCES else ""
            parts.append(
                f"<details><summary>{escape(file['label'])}: what differs{more}</summary><div class='scroll'><table>"
                f"<tr><th>Where</th><th>Trained model</th><th>This file</th></tr>{rows}</table></div></details>"
            )
    return "".join(parts)


def texts_of(job: JobDirectory) -> tuple[str, list[Path]]:
    """The README's text, and the Modelfiles."""
    readme = job.path / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    return text, sorted(job.path.glob("Modelfile*"))


def modelfiles_html(texts: Sequence[Path]) -> str:
    return "".join(
        f"<h4>{escape(path.name)}</h4><pre>{escape(path.read_text(encoding='utf-8'))}</pre>" for path in texts
    )
