"""The Datasets tab: from files or the Snake example to a dataset version, with a look at the rows on the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from datasets_src.spec import DatasetSpec
from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput
from jobs.spec import read_yaml
from jobs.workspace import Workspace
from recipes.snake.generate import DATA_SPEC, generate
from ui import form as forms
from ui import job_panel, own_rows
from ui.choices import dataset_of
from ui.drafts import read_draft, save_draft
from ui.job_view import empty
from ui.local_files import local_tokenizer
from ui.own_rows import SNAKE_FOLDER
from ui.page import SKIP, Page
from ui.paths import inside
from ui.picks import forget
from ui.rows_view import dataset_html, first_rows, mask_html
from ui.words import count

TAB = "datasets"
SNAKE, OWN = "Snake example", "My own rows"
SNAKE_ROWS = 1500
ABOUT_SNAKE = (
    "Four programs (BFS, DFS, A* and a Hamiltonian cycle) play Snake; their moves become rows. A small model learns "
    "them in minutes, so this shows the whole way. Pressing **Build dataset** writes the rows first (about 5 seconds)."
)


def lay_out(page: Page, go_on: Any) -> None:
    """Draw the tab and wire it. `go_on`: the button that leads to the next tab."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            source = gr.Radio([SNAKE, OWN], value=SNAKE, label="Rows from")
            about = gr.Markdown(ABOUT_SNAKE)
            own = own_rows.lay_out()
            form = forms.lay_out(DatasetSpec, TAB, "python cli.py data build spec.yaml", base=base_values)
            error = gr.HTML(visible=False)
            build = gr.Button("Build dataset", variant="primary", elem_id="build")
            forms.lay_out_yaml(page, form, error)
        with gr.Column(scale=6, min_width=320):
            panel = job_panel.lay_out(
                TAB,
                "data.build",
                "No dataset yet. Press “Build dataset”: with nothing changed, it builds the Snake example.",
            )
            go_on.render()
            report = gr.HTML("", elem_id="dataset")
            masks = _lay_out_masks(page, panel)

    def load(workspace: Workspace) -> list[Any]:
        chosen = chosen_source(workspace)
        return [chosen, own_rows.look_again(workspace, form), *_visible(chosen), *form.initial(workspace)]

    def choose(workspace: Workspace, chosen: str) -> list[Any]:
        change_source(workspace, chosen)
        return [*_visible(chosen), *form.initial(workspace)]

    def start(workspace: Workspace, chosen: str, *values: Any) -> Iterator[list[Any]]:
        spec = checked_spec(workspace, form, values)
        if chosen == SNAKE and not snake_rows_are_there(workspace):
            yield panel.says("The four teachers play Snake and write their rows: about 5 seconds …")
            generate(workspace.root / SNAKE_FOLDER, SNAKE_ROWS, seed=0)
        forget(workspace, "training", "data")
        yield job_panel.start(panel, workspace, spec.model_dump(mode="json"), spec.name)

    shown = [about, own.column, *form.inputs, form.yaml]
    page.load(load, [source, own.looked, *shown])
    page.on(source.input, choose, [source], shown, error)
    own_rows.wire(page, own, form, error)
    page.stream(build.click, start, [source, *form.inputs], panel.outputs, error)
    job_panel.wire(page, panel, result, [report, masks, go_on])


def _lay_out_masks(page: Page, panel: job_panel.JobPanel) -> Any:
    """The part that shows which tokens of a row are trained."""
    with gr.Accordion("What a model is trained on in a row", open=False, visible=False) as masks:
        row = gr.Number(1, label="Row", info="Number of the training row.", step=1)
        mask = gr.HTML("")

    def show(workspace: Workspace, number: float | None) -> list[Any]:
        return [mask_of(workspace, panel.shown_job(workspace), int(number or 1))]

    page.on([row.change, masks.expand], show, [row], [mask], panel.error, quiet=True)
    return masks


def chosen_source(workspace: Workspace) -> str:
    return str(read_draft(workspace, TAB).get("source", SNAKE))


def change_source(workspace: Workspace, chosen: str) -> None:
    """Bring out what was entered for this source before, and keep what is entered for the other."""
    draft, left = read_draft(workspace, TAB), chosen_source(workspace)
    if chosen != left:
        kept = {left: draft.get("form", {})}
        save_draft(workspace, TAB, source=chosen, form=draft.get("other", {}).get(chosen, {}), other=kept)


def _visible(chosen: str) -> list[Any]:
    return [gr.Markdown(visible=chosen == SNAKE), gr.Column(visible=chosen == OWN)]


def base_values(workspace: Workspace) -> dict[str, Any]:
    """What the form shows before anything is entered: the Snake example's spec, or a name alone."""
    return snake_values() if chosen_source(workspace) == SNAKE else {"name": "my-data", "sources": []}


def snake_values() -> dict[str, Any]:
    """The recipe's spec, with its files where the page writes them."""
    values = dict(read_yaml(DATA_SPEC))
    sources = [{**source, "path": f"{SNAKE_FOLDER}/{source['path']}"} for source in values["sources"]]
    return {**values, "sources": sources}


def snake_rows_are_there(workspace: Workspace) -> bool:
    """Whether the teachers have played already; the spec is written last."""
    return (workspace.root / SNAKE_FOLDER / DATA_SPEC.name).is_file()


def checked_spec(workspace: Workspace, form: forms.Form, values: tuple[Any, ...]) -> DatasetSpec:
    """The spec on screen, its files inside the workspace. Raises BadInput."""
    raw = form.values(workspace, values)
    if not raw.get("sources"):
        raise BadInput(
            "There are no rows yet.", "No file is listed.", "Upload a file or paste rows, or choose the Snake example."
        )
    spec = form.parse(workspace, values)
    assert isinstance(spec, DatasetSpec)
    for source in spec.sources:
        inside(workspace, source.path)
    return spec


def result(workspace: Workspace, job: JobDirectory, status: Status) -> list[Any]:
    """What a finished build made, and whether going on makes sense."""
    manifest = job.manifest
    version = dataset_of(workspace, manifest["figures"]["dataset"]) if manifest else None
    if status.state is not State.SUCCEEDED or version is None:
        return ["", gr.Accordion(visible=False), gr.Button(visible=False)]
    return [
        f'<div class="hearth-result">{dataset_html(version)}</div>',
        gr.Accordion(visible=True),
        gr.Button(visible=True),
    ]


def mask_of(workspace: Workspace, job: JobDirectory | None, number: int) -> Any:
    """The tokens of a training row, by the tokenizer of the model that the Training tab names."""
    manifest = job.manifest if job else None
    version = dataset_of(workspace, manifest["figures"]["dataset"]) if manifest else None
    if version is None:
        return SKIP
    if not 1 <= number <= version.train_rows:
        raise BadInput(
            f"There is no row {number}.",
            f"The dataset has {count(version.train_rows, 'row')} to train on.",
            "Enter a smaller number.",
        )
    model = str(read_draft(workspace, "training").get("form", {}).get("model", "embedded"))
    tokenizer = local_tokenizer(model, workspace)
    if tokenizer is None:
        return empty(
            f"The files of {model} aren't on this machine yet; training fetches them, then the tokens show here."
        )
    return mask_html(tokenizer, first_rows(version, 1, number - 1)[0])
