"""Sweeps on the Training tab: values to try over what stands in the form, and a table of what came of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from jobs.directory import State
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from trainer.presets import PRESETS
from trainer.spec import TrainSpec
from trainer.sweep import Sweep, SweepSpec, expand, go_on, list_sweeps, open_sweep, option_names, start
from trainer.sweep_table import COLUMNS, DELETED, NOT_STARTED, Row, best, in_order, table
from ui import picks
from ui.choices import dataset_options
from ui.clicks import Click, acting_html, button, on_click
from ui.demo import MOST_STEPS
from ui.drafts import read_draft, save_draft
from ui.fields import form_fields, from_raw, values_of_raw
from ui.job_view import empty
from ui.page import SKIP, Page
from ui.words import STATES, count, when

TAB = "training"
KEY, SORT = "sweep", "sweep_sort"
NOTHING = (
    "No sweep yet. Name options with the values to try, such as method.rank and 8, 16, 32; all else is as under Train. "
    "Each combination becomes a training of its own, and here they are compared."
)
SHOWN_RUNS = 6
Base = Callable[[Workspace], dict[str, Any]]
Cells = Sequence[Sequence[str]]


@dataclass(frozen=True)
class SweepPanel:
    """The components: what to try, and the table of a chosen sweep."""

    name: Any
    tried: Any
    preview: Any
    start: Any
    error: Any
    chosen: picks.Pick
    resume: Any
    shown: Any
    cursor: Any

    @property
    def outputs(self) -> list[Any]:
        return [self.shown, self.resume, self.cursor]


def lay_out(page: Page, base: Base) -> SweepPanel:
    """Draw the panel here and wire it. `base`: nested values of the Training form before anything is entered."""
    with gr.Row(equal_height=False):
        name = gr.Textbox(
            label="Name", info="How the sweep is called in lists.", value="sweep", elem_id="sweep-name", min_width=220
        )
        chosen = picks.lay_out(TAB, KEY, sweep_options, "Sweep", "Which one the table shows.")
    tried = gr.Dataframe(
        value=[["optimisation.learning_rate", "1e-4, 2e-4"], ["", ""]],
        headers=["Option", "Values"],
        datatype="str",
        type="array",
        column_count=2,
        interactive=True,
        column_widths=["50%", "50%"],
        label="Values to try, separated by commas: every combination of the lines is trained; a cell's ⋮ adds lines",
        elem_id="sweep-grid",
        buttons=[],
    )
    preview = gr.HTML("", elem_id="sweep-preview")
    with gr.Row(elem_classes="hearth-buttons"):
        begin = gr.Button("Start the sweep", size="sm", variant="primary", elem_id="sweep-start")
        resume = gr.Button("Go on with what isn't done", size="sm", visible=False, elem_id="sweep-resume")
    error = gr.HTML(visible=False)
    shown = acting_html(empty(NOTHING), elem_id="sweep-table")
    cursor = gr.Textbox(visible=False)
    panel = SweepPanel(name, tried, preview, begin, error, chosen, resume, shown, cursor)
    _wire(page, panel, base)
    return panel


def _wire(page: Page, panel: SweepPanel, base: Base) -> None:
    def look(workspace: Workspace, name: str, cells: Cells) -> list[Any]:
        return [preview_html(workspace, base(workspace), name, cells)]

    def begin(workspace: Workspace, name: str, cells: Cells) -> list[Any]:
        refuse_in_demo(page)
        sweep = start(workspace, entered(workspace, base(workspace), name, cells), _resource(workspace))
        save_draft(workspace, TAB, **{KEY: sweep.id})
        return show(workspace)

    def proceed(workspace: Workspace) -> list[Any]:
        sweep = shown_sweep(workspace)
        if sweep is not None:
            go_on(workspace, sweep, _resource(workspace))
        return show(workspace)

    def choose(workspace: Workspace, sweep_id: str) -> list[Any]:
        panel.chosen.keep(workspace, open_sweep(workspace, sweep_id).id)
        return show(workspace)

    def sort(workspace: Workspace, click: Click) -> list[Any]:
        save_draft(workspace, TAB, **{SORT: click.about or None})
        return show(workspace)

    page.on(
        [panel.tried.input, panel.name.input], look, [panel.name, panel.tried], [panel.preview], panel.error, quiet=True
    )
    page.on(panel.start.click, begin, [panel.name, panel.tried], panel.outputs, panel.error)
    page.on(panel.resume.click, proceed, [], panel.outputs, panel.error)
    page.on(panel.chosen.component.input, choose, [panel.chosen.component], panel.outputs, panel.error)
    on_click(page, panel.shown, sort, [], panel.outputs, panel.error)
    picks.wire(page, panel.chosen)
    page.load(show, panel.outputs)
    page.poll(TAB, show, [panel.cursor], panel.outputs)


def refuse_in_demo(page: Page) -> None:
    """Raises BadInput where strangers share the machine: a sweep is many runs."""
    if page.settings.demo:
        raise BadInput(
            "Sweeps can't be started in the demo.",
            f"The demo is shared: it takes single runs of at most {MOST_STEPS} steps.",
            "Run Hearth on your own machine.",
        )


def sweep_options(workspace: Workspace) -> list[picks.Option]:
    """Label and id of each sweep, newest first."""
    return [
        (f"{each.name} · {count(len(each.runs), 'run')} · {when(each.created)}", each.id)
        for each in list_sweeps(workspace)
    ]


def entered(workspace: Workspace, base: dict[str, Any], name: str, cells: Cells) -> SweepSpec:
    """The sweep as it is entered: the form's values, and the table's lines. Raises BadInput or Missing."""
    if not dataset_options(workspace):
        raise Missing("There is no dataset yet.", "A model is trained on one.", "Build one on the Datasets tab.")
    fields = form_fields(TrainSpec)
    data = picks.Pick(TAB, "data", dataset_options, None, None).value(workspace)
    typed = values_of_raw(fields, {**read_draft(workspace, TAB).get("form", {}), "data": data})
    grid = grid_of(cells)
    # As in the form: a preset stands over what was there before, and what was entered over the preset.
    preset = PRESETS.get(typed.get("preset"))  # type: ignore[arg-type]
    under = {} if "preset" in grid else over(base, preset.values if preset else {})
    return SweepSpec.parse({"name": name, "base": over(under, typed), "grid": grid}, "The sweep")


def grid_of(cells: Cells) -> dict[str, list[Any]]:
    """Values by dotted option, read as the form reads them; empty lines are passed over.

    Raises BadInput for an option that stands there twice.
    """
    fields = {field.path: field for field in form_fields(TrainSpec)}
    grid: dict[str, list[Any]] = {}
    for line in cells:
        path, text = (str(cell or "").strip() for cell in (*line, "", "")[:2])
        if not path and not text:
            continue
        if path in grid:
            raise BadInput(f"{path} stands there twice.", "Its values belong together.", "Write them in one line.")
        parts = [part.strip() for part in text.split(",") if part.strip()]
        grid[path] = [from_raw(fields[path], part) if path in fields else part for part in parts]
    return grid


def over(base: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Both nested mappings in one; what `above` says wins."""
    both = dict(base)
    for name, value in above.items():
        inner = both.get(name)
        both[name] = over(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return both


def preview_html(workspace: Workspace, base: dict[str, Any], name: str, cells: Cells) -> str:
    """How many runs come of what is entered, and which; what is wrong with it, where something is."""
    if not any(cell for line in cells for cell in line):
        known = ", ".join(each for each in option_names() if each.startswith(("method.r", "optimisation.l")))
        return f"<p class='quiet'>Options have the names that the form's YAML shows, such as {escape(known)}.</p>"
    try:
        runs = expand(entered(workspace, base, name, cells))
    except (BadInput, Missing) as problem:
        lines = "".join(f"<div>{escape(line)}</div>" for line in problem.what.splitlines())
        return f'<div class="quiet" data-problem="true">{lines}</div>'
    shown = "".join(f"<li>{escape(run.title)}</li>" for run in runs[:SHOWN_RUNS])
    rest = f"<li class='quiet'>and {len(runs) - SHOWN_RUNS} more</li>" if len(runs) > SHOWN_RUNS else ""
    return f"<p>{count(len(runs), 'run')} will be trained, one after the other:</p><ul>{shown}{rest}</ul>"


def shown_sweep(workspace: Workspace) -> Sweep | None:
    """The sweep chosen last, else the newest."""
    sweeps = list_sweeps(workspace)
    wanted = read_draft(workspace, TAB).get(KEY)
    return next((each for each in sweeps if each.id == wanted), sweeps[0] if sweeps else None)


def show(workspace: Workspace, cursor: str | None = None) -> list[Any]:
    """The table, the button that goes on, and a cursor; all skipped when nothing changed since `cursor`."""
    sweep = shown_sweep(workspace)
    if sweep is None:
        now = "nothing"
        return [SKIP] * 3 if now == cursor else [empty(NOTHING), gr.Button(visible=False), now]
    rows = table(workspace, sweep)
    sort = str(read_draft(workspace, TAB).get(SORT, ""))
    html = table_html(sweep, rows, sort)
    now = hashlib.sha256(html.encode()).hexdigest()[:12]
    if now == cursor:
        return [SKIP] * 3
    left = any(row.state == NOT_STARTED or _resumable(row.state) for row in rows)
    return [html, gr.Button(visible=left), now]


def _resumable(state: str) -> bool:
    return state in STATES and State(state).resumable


def table_html(sweep: Sweep, rows: Sequence[Row], sort: str) -> str:
    """All runs with their figures; a click on a column's title puts its best first."""
    ordered = in_order(rows, sort) if sort in COLUMNS else list(rows)
    found = best(ordered)
    lines = "".join(_line(row, found is not None and found.place == place) for place, row in enumerate(ordered))
    heads = "".join(f"<th class='number'>{_head(name, sort)}</th>" for name in COLUMNS)
    by_run = button("sort", "", "Run", pressed=sort not in COLUMNS, label="In the order of the sweep")
    note = f"<p class='quiet'>Best by {escape(found.by)}. {_caution(found.by)}</p>" if found else ""
    return (
        f"<div class='hearth-versions scroll' data-sweep='{escape(sweep.id)}'><table>"
        f"<tr><th>{by_run}</th><th>State</th>{heads}</tr>{lines}</table></div>{note}"
    )


def _caution(by: str) -> str:
    if "loss" in by:
        return "A loss says little of the answers: compare models on the Evaluation tab, and their scores show here."
    return "Where intervals overlap, the difference may be chance."


def _head(name: str, sort: str) -> str:
    column = COLUMNS[name]
    return button("sort", name, column.title, pressed=name == sort, label=f"Best first by {column.title.lower()}")


def _line(row: Row, is_best: bool) -> str:
    cells = "".join(f"<td class='number'>{_cell(row, name)}</td>" for name in COLUMNS)
    mark = " <strong>best</strong>" if is_best else ""
    state = STATES.get(row.state, {NOT_STARTED: "Not started", DELETED: "Deleted"}.get(row.state, row.state))
    said = f" title='{escape(row.message, quote=True)}'" if row.message else ""
    chip = f"<span class='chip {row.state if row.state in STATES else ''}'{said}>{state}</span>"
    return f"<tr class='{'chosen' if is_best else ''}'><td>{escape(row.title)}{mark}</td><td>{chip}</td>{cells}</tr>"


def _cell(row: Row, name: str) -> str:
    if name == "quality" and row.quality:
        about = f"{row.quality.metric} on {row.quality.data}, job {row.quality.job}"
        return f"<span title='{escape(about, quote=True)}'>{escape(row.quality.text)}</span>"
    value = COLUMNS[name].value(row)
    return "" if value is None else f"{value:,.0f}" if name == "tokens_per_second" else f"{value:.4g}"


def _resource(workspace: Workspace) -> str:
    from models.hardware import probe

    return probe(workspace.root).resource
