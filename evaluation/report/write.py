"""Writes a report: report.json for programs, report.html and report.md for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evaluation.report.markdown import render_markdown
from evaluation.report.page import render
from evaluation.report.text import mended
from jobs.files import write_json, write_text


def write_report(folder: Path, report: dict[str, Any]) -> list[Path]:
    """Write report.json, report.html and report.md into the folder; returns their paths.

    What can't be written in UTF-8 is made visible first, so that all three are made of what report.json holds.
    """
    report = mended(report)
    json_path, html_path, markdown_path = (folder / f"report.{ending}" for ending in ("json", "html", "md"))
    write_json(json_path, report)
    write_text(html_path, render(report))
    write_text(markdown_path, render_markdown(report))
    return [json_path, html_path, markdown_path]
