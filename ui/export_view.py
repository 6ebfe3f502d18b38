"""An export as HTML: its stages while it runs; then what the checks found, the files, and the texts beside them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from export.checks import IN_WORDS
from export.parity.report import SCHEMA_VERSION
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
    report = read_json(job.path / "parity.json") or {"schema_version": SCHEMA_VERSION, "files": []}
    parts = []
    advice = figures.get("recommendation")
    if advice:
        parts.append(_advice(advice))
    if report.get("schema_version") != SCHEMA_VERSION:
        parts.append(
            "<p class='quiet'>Made by an earlier version of Hearth: export again to see what each file costs.</p>"
        )
    elif report["files"]:
        parts += [_table(report["files"]), _unverified(report), _differences(report["files"])]
    weights = [job.path / name for name in figures["size_bytes"]]
    others = [path for path in artifacts(job) if path not in weights and path.parent == job.path]
    parts.append(f"<h4>Downloads</h4>{file_links(job, weights)}")
    parts.append(f"<details><summary>Modelfiles, card and reports</summary>{file_links(job, others)}</details>")
    return f'<div class="hearth-result">{"".join(parts)}</div>'


def _advice(advice: dict[str, Any]) -> str:
    """Which file to use; green only where nothing of it is left unchecked."""
    caution = advice.get("caution", "")
    tone = "worse" if not advice["file"] else "open" if caution else "better"
    more = [text for text in (caution, advice.get("others", "")) if text]
    lines = "".join(f"<span class='plain'>{escape(text)}</span>" for text in more)
    return f'<div class="verdict small {tone}">{escape(advice["sentence"])}{lines}</div>'


def _table(files: Sequence[dict[str, Any]]) -> str:
    """A row for each file; what else was measured is folded away."""
    rows = [file["table"] for file in files]
    head = "".join(f"<th>{escape(title)}</th>" for title in rows[0])
    lines = []
    for file, row in zip(files, rows, strict=True):
        tone = "" if file["passed"] else " class='warning'"
        lines.append(f"<tr{tone}>{''.join(f'<td>{escape(text)}</td>' for text in row.values())}</tr>")
    return (
        "<h4>Beside the trained model, on held-out rows</h4>"
        f'<div class="scroll"><table id="parity"><tr>{head}</tr>{"".join(lines)}</table></div>'
        f"<details><summary>All figures</summary>{''.join(map(_figures, files))}</details>"
    )


def _figures(file: dict[str, Any]) -> str:
    lines = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in file["figures"].items()
    )
    return f"<h5>{escape(file['label'])}</h5><table>{lines}</table>"


def _unverified(report: dict[str, Any]) -> str:
    lines = [f"{IN_WORDS[name]}: {reason}" for name, reason in report["unverified"].items()]
    lines.append("in Ollama: create the model there under “Ollama”, and it is asked")
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<p class='quiet'>Not verified</p><ul class='quiet'>{items}</ul>"


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
