"""Rows from a template on the Datasets tab: its YAML, a preview of what it makes and refuses, its use as a source."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from itertools import islice
from typing import Any

import gradio as gr
import yaml

from datasets_src.expansion import Expansion, ExpansionSpec, Refusal, expand
from jobs.errors import BadInput
from jobs.files import write_text
from jobs.workspace import Workspace
from ui.components import typing
from ui.dataset_draft import TAB
from ui.drafts import read_draft, save_draft
from ui.page import Page, Settings
from ui.spec_list import Item
from ui.words import count

KEY = "expansion"
# A preview makes no more rows than this: enough to see what is refused, in a moment.
ROWS_TRIED = 5_000
ROWS_SHOWN = 5
EXAMPLE = """\
name: recipes
parameters:
  dish: [soup, curry, stew]
  minutes: {start: 10, stop: 60, step: 10}
  people: [2, 4, 6]
derived:
  pace: '"quick" if minutes <= 20 else "slow"'
constraints:
  - not (dish == "stew" and minutes < 30)
template:
  prompt: I have {{ minutes }} minutes and want a {{ dish }} for {{ people }}. What do you suggest?
  answer: A {{ pace }} {{ dish }} for {{ people }}, ready in {{ minutes }} minutes.
mode: sample
count: 40
"""
ABOUT = (
    "A template is written once; its parameters make many rows of it, without a model. Change the example and look at "
    "what comes of it: **parameters** vary, **constraints** rule out combinations, **derived** values follow from them."
)


@dataclass(frozen=True)
class ExpansionPanel:
    """The components."""

    yaml: Any
    preview: Any
    shown: Any
    use: Any
    error: Any


@dataclass(frozen=True)
class Tried:
    """What a template makes: the first rows, how many it made (`complete`: all), and what was refused on the way."""

    rows: list[dict[str, Any]]
    made: int
    complete: bool
    refusals: list[Refusal]


def lay_out() -> ExpansionPanel:
    """Draw it here."""
    with gr.Accordion("Expand a template", open=False, elem_id="expansion"):
        gr.Markdown(ABOUT)
        text = gr.Textbox(
            EXAMPLE,
            lines=16,
            max_lines=30,
            label="Template (YAML)",
            elem_classes="hearth-code",
            elem_id="expansion-yaml",
        )
        with gr.Row(elem_classes="hearth-buttons"):
            preview = gr.Button("Preview", size="sm", elem_id="expansion-preview")
            use = gr.Button("Use these rows", size="sm", variant="primary", elem_id="expansion-use")
        error = gr.HTML(visible=False)
        shown = gr.HTML("", elem_id="expansion-rows")
    return ExpansionPanel(text, preview, shown, use, error)


def wire(page: Page, panel: ExpansionPanel) -> None:
    """Connect the preview and keep what is typed. Using the rows is the tab's."""

    def keep(workspace: Workspace, text: str) -> list[Any]:
        save_draft(workspace, TAB, **{KEY: text if text.strip() != EXAMPLE.strip() else None})
        return []

    def preview(_: Workspace, text: str) -> list[Any]:
        return [tried_html(tried(parsed(text)))]

    page.load(lambda workspace: [read_draft(workspace, TAB).get(KEY, EXAMPLE)], [panel.yaml])
    page.on(typing(panel.yaml), keep, [panel.yaml], [], panel.error, quiet=True)
    page.on(panel.preview.click, preview, [panel.yaml], [panel.shown], panel.error)


def parsed(text: str) -> ExpansionSpec:
    """Raises BadInput that names every problem."""
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"Line {mark.line + 1}" if mark else "The text"
        reason = str(getattr(error, "problem", None) or error)
        raise BadInput(f"{line} is not YAML.", reason, "Check indentation and quotes there.") from error
    return ExpansionSpec.parse(values, "The template")


def tried(spec: ExpansionSpec) -> Tried:
    """Make the first rows. Raises BadInput where an expression fails or nothing comes of it."""
    expansion: Expansion = expand(spec)
    rows = list(islice(iter(expansion), ROWS_TRIED + 1))
    return Tried(rows[:ROWS_SHOWN], min(len(rows), ROWS_TRIED), len(rows) <= ROWS_TRIED, expansion.refusals)


def tried_html(found: Tried) -> str:
    """How many rows, the first ones, and what was refused with its reason."""
    made = count(found.made, "row") if found.complete else f"more than {count(found.made, 'row')}"
    refused = "".join(
        f"<li><b>{count(each.count, 'time')}</b> {escape(_reason(each))}{_examples(each)}</li>"
        for each in found.refusals
    )
    listed = f"<h4>Refused</h4><ul>{refused}</ul>" if refused else '<p class="quiet">Nothing was refused.</p>'
    rows = "".join(_row(row) for row in found.rows)
    return f'<div class="hearth-result"><p><b>{made}</b>; the first of them:</p>{rows}{listed}</div>'


def _reason(refusal: Refusal) -> str:
    words = {
        "constraint": f"the constraint {refusal.what} doesn't hold",
        "duplicate": "the row was made already",
        "contradiction": "the same prompt has another answer already",
        "empty": f"{refusal.what or 'a text'} is empty",
    }
    return words[refusal.reason]


def _examples(refusal: Refusal) -> str:
    shown = "; ".join(
        ", ".join(f"{name} {value}" for name, value in each["scenario"].items()) for each in refusal.examples
    )
    return f"<div class='quiet'>such as {escape(shown)}</div>" if shown else ""


def _row(row: dict[str, Any]) -> str:
    turns = "".join(
        f'<div class="turn"><b>{escape(str(turn["role"]))}</b> {escape(_text(turn["content"]))}</div>'
        for turn in row["messages"]
    )
    return f'<div class="hearth-made">{turns}</div>'


def _text(content: Any) -> str:
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def source_of(settings: Settings, workspace: Workspace, text: str) -> list[Item]:
    """Keep the template as a file, which is a source like any other. Raises BadInput."""
    spec = parsed(text)
    found = tried(spec)
    if settings.demo and not found.complete:
        raise BadInput(
            f"The template makes more than {ROWS_TRIED:,} rows.",
            "The demo is shared, so it takes less.",
            "Lower `count`, or run Hearth on your own machine.",
        )
    path = workspace.uploads / f"{spec.name}.yaml"
    write_text(path, text.strip() + "\n")
    return [{"path": str(path.relative_to(workspace.root))}]
