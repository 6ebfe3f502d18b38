"""Rows of one's own on the Datasets tab: uploaded or pasted, looked at before anything is built from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from datasets_src.inspect import inspect_file
from jobs.errors import BadInput, UserError
from jobs.files import write_text
from jobs.workspace import Workspace
from ui.demo import LARGEST_UPLOAD
from ui.errors import explain
from ui.form import Form
from ui.job_view import empty
from ui.page import Page
from ui.paths import inside, keep_upload
from ui.rows_view import inspection_html
from ui.words import size

SNAKE_FOLDER = "uploads/snake"
INSPECTED_ROWS = 200_000
ROWS_LOOKED_AT_AGAIN = 2_000
PASTED = "pasted"
NOTHING_GIVEN = "Upload a file or paste rows: what is in them shows here."


@dataclass(frozen=True)
class OwnRows:
    """The components: where files come in, and where what is in them shows."""

    column: Any
    uploads: Any
    pasted: Any
    use: Any
    looked: Any


def lay_out() -> OwnRows:
    """Draw them here, hidden."""
    with gr.Column(visible=False) as column:
        uploads = gr.File(
            label="Files (JSONL, JSON, CSV or Parquet)",
            file_count="multiple",
            file_types=[".jsonl", ".json", ".csv", ".parquet"],
            type="filepath",
            height=130,
        )
        with gr.Accordion("Or paste rows", open=False):
            pasted = gr.Textbox(
                lines=5,
                max_lines=15,
                label="Rows",
                info='A line each, such as {"prompt": "…", "completion": "…"}; or CSV with a line of column names.',
            )
            use = gr.Button("Use these rows", size="sm")
        looked = gr.HTML(empty(NOTHING_GIVEN))
    return OwnRows(column, uploads, pasted, use, looked)


def wire(page: Page, own: OwnRows, form: Form, error: gr.HTML) -> None:
    """Have what comes in looked at, and listed in the form."""

    def add(workspace: Workspace, files: list[str] | None, *values: Any) -> list[Any]:
        kept = [keep_file(page, workspace, Path(file)) for file in files or []]
        return [look(workspace, kept), *with_sources(workspace, form, values, kept)]

    def add_pasted(workspace: Workspace, text: str, *values: Any) -> list[Any]:
        kept = [keep_pasted(workspace, text)]
        return [look(workspace, kept), *with_sources(workspace, form, values, kept)]

    shown = [own.looked, *form.inputs, form.yaml]
    page.on(own.uploads.upload, add, [own.uploads, *form.inputs], shown, error)
    page.on(own.use.click, add_pasted, [own.pasted, *form.inputs], shown, error)


def keep_file(page: Page, workspace: Workspace, uploaded: Path) -> Path:
    """Keep an uploaded file. Raises BadInput in the demo for a large one."""
    length = uploaded.stat().st_size
    if page.settings.demo and length > LARGEST_UPLOAD:
        raise BadInput(
            f"{uploaded.name} has {size(length)}.",
            f"The demo takes files of up to {size(LARGEST_UPLOAD)}.",
            "Upload a part of it, or run Hearth on your own machine.",
        )
    return keep_upload(workspace, uploaded)


def keep_pasted(workspace: Workspace, text: str) -> Path:
    """Write pasted rows to a file, in the place of what was pasted before. Raises BadInput for none."""
    if not text.strip():
        raise BadInput("There is nothing to use.", "No row was pasted.", "Paste rows into the field first.")
    ending = ".jsonl" if text.lstrip().startswith("{") else ".json" if text.lstrip().startswith("[") else ".csv"
    path = workspace.uploads / f"{PASTED}{ending}"
    write_text(path, text.strip() + "\n")
    return path


def look(workspace: Workspace, files: list[Path], most: int = INSPECTED_ROWS) -> str:
    """What is in the files; a file that can't be read shows why, and the others all the same."""
    parts = []
    for path in files:
        try:
            parts.append(inspection_html(inspect_file(inside(workspace, str(path)), max_rows=most), path.name))
        except UserError as error:
            parts.append(explain(error))
    return f'<div class="hearth-look">{"".join(parts)}</div>' if parts else empty("No file was given.")


def look_again(workspace: Workspace, form: Form) -> str:
    """What is in the files that the draft lists, for a page that is opened again: their first rows."""
    listed = [row[0] for row in form.kept(workspace).get("sources", []) if row and row[0]]
    files = [workspace.root / name for name in listed if not name.startswith(SNAKE_FOLDER)]
    files = [path for path in files if path.is_file()]
    return look(workspace, files, ROWS_LOOKED_AT_AGAIN) if files else empty(NOTHING_GIVEN)


def with_sources(workspace: Workspace, form: Form, values: tuple[Any, ...], files: list[Path]) -> list[Any]:
    """The form with `files` added to its sources, kept as a draft; and its YAML."""
    raw = form.raw(values)
    rows = [row for row in raw["sources"] or [] if any(cell not in (None, "") for cell in row)]
    known = {row[0] for row in rows}
    width = len(next(field for field in form.shown if field.path == "sources").columns)
    names = [str(path.relative_to(workspace.root)) for path in files]
    if any(path.stem == PASTED for path in files):  # mended rows stand in for those that were pasted first
        rows = [row for row in rows if Path(row[0]).stem != PASTED]
        known = {row[0] for row in rows}
    raw["sources"] = [*rows, *[[name, *[""] * (width - 1)] for name in names if name not in known]]
    shown = [raw[path] for path in form.components]
    form.keep(workspace, shown)
    return [*shown, form.as_yaml(workspace, shown)]
