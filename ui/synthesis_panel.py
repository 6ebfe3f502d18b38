"""Rows written by teachers on the Datasets tab: what to make and by whom, what it will take, the job that does it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import islice
from pathlib import Path
from typing import Any

import gradio as gr
import orjson

from datasets_src.synthesis.spec import SynthesisSpec
from datasets_src.synthesis.teacher_spec import TeacherSpec
from jobs.directory import JobDirectory, Status
from jobs.errors import BadInput, UserError
from jobs.workspace import Workspace
from ui import demo, job_panel, own_rows, spec_list
from ui import form as forms
from ui.dataset_draft import TAB
from ui.drafts import read_draft, save_draft
from ui.form import Beside, Form
from ui.page import Page, Settings
from ui.paths import inside
from ui.rows_view import rows_table
from ui.spec_list import Card, Item, SpecList
from ui.words import count

DRAFT = "synthesis"
TEACHERS = "teachers"
KIND = "data.synthesise"
EMBEDDED: Item = {"model": "embedded"}
# What a new teacher begins with, by the words on its button.
NEW_TEACHERS: dict[str, Item] = {
    "Add one of Ollama": {"model": "ollama:llama3.2"},
    "Add one at an endpoint": {"model": "openai:model-name", "base_url": "https://api.example.com/v1"},
    "Add the embedded model": EMBEDDED,
}
# Some 60 of them are held out: as many as a verdict of long answers needs.
ROWS_AT_FIRST = 200
MOST_ROWS_IN_DEMO = 20
ROWS_SHOWN = 5
ABOUT = (
    "A *teacher* is a larger model that writes rows for a smaller one to learn from: questions and answers about your "
    "documents, answers to your prompts, or new tasks like your examples."
)
NOTHING = "Nothing was written yet. Press “Start writing” once the estimate looks right."


@dataclass(frozen=True)
class SynthesisPanel:
    """`listed`: the teachers as cards with an editor."""

    form: Form
    uploads: Any
    listed: SpecList
    add: dict[str, Any]
    estimate: Any
    start: Any
    expected: Any
    error: Any
    panel: job_panel.JobPanel
    rows: Any
    use: Any


def lay_out(page: Page) -> SynthesisPanel:
    """Draw it here."""
    with gr.Accordion("Have a teacher write rows", open=True, elem_id="synthesis"):
        gr.Markdown(ABOUT)
        with gr.Row(equal_height=False):
            with gr.Column(scale=6, min_width=320):
                uploads = gr.File(
                    label="Upload documents or rows",
                    file_types=own_rows.ENDINGS,
                    file_count="multiple",
                    type="filepath",
                    elem_id="synthesis-uploads",
                    height=160,
                )
                form = forms.lay_out(
                    SynthesisSpec,
                    DRAFT,
                    "python cli.py data synthesise spec.yaml",
                    hide=(TEACHERS,),
                    complete=with_teachers,
                    take=take_teachers,
                    base=lambda _: first_values(page.settings),
                )
                gr.Markdown("**Teachers**")
                listed = spec_list.lay_out(
                    TeacherSpec, DRAFT, TEACHERS, teacher_card, applies=option_applies, first=[EMBEDDED]
                )
                with listed.column:
                    shown = [each for each in listed.fields if each.depth == "essential"]
                    spec_list.lay_out_options(listed, [each.path for each in shown])
                    with gr.Accordion("More about this teacher", open=False):
                        rest = [each.path for each in listed.fields if each not in shown]
                        spec_list.lay_out_options(listed, rest)
                with gr.Row(elem_classes="hearth-buttons", visible=not page.settings.demo):
                    add = {words: gr.Button(words, size="sm") for words in NEW_TEACHERS}
            with gr.Column(scale=5, min_width=320):
                with gr.Row(elem_classes="hearth-buttons"):
                    estimate = gr.Button("Estimate", size="sm", elem_id="estimate")
                    start = gr.Button("Start writing", size="sm", variant="primary", elem_id="synthesise")
                error = gr.HTML(visible=False)
                expected = gr.HTML("", elem_id="expected")
                panel = job_panel.lay_out(TAB, KIND, NOTHING, name="synthesis")
                use = gr.Button("Use these rows", variant="primary", visible=False, elem_id="synthesis-use")
                rows = gr.HTML("", elem_id="synthesis-rows")
                job_panel.lay_out_details(panel)
                beside = Beside(listed.show, listed.outputs)
                forms.lay_out_yaml(page, form, error, beside)
    return SynthesisPanel(form, uploads, listed, add, estimate, start, expected, error, panel, rows, use)


def wire(page: Page, panel: SynthesisPanel) -> None:
    """Connect the form, the teachers and the job. Using the rows is the tab's."""
    form = panel.form

    def upload(workspace: Workspace, files: list[str] | None) -> list[Any]:
        kept = keep_input(workspace, [own_rows.keep_file(page, workspace, Path(file)) for file in files or []])
        forms.enter(workspace, DRAFT, {"input": str(kept.relative_to(workspace.root))})
        return form.initial(workspace)

    def expect(workspace: Workspace, *values: Any) -> list[Any]:
        return [expected_html(workspace, checked_spec(page.settings, workspace, form, values))]

    def start(workspace: Workspace, *values: Any) -> list[Any]:
        spec = checked_spec(page.settings, workspace, form, values)
        shown = expected_html(workspace, spec)
        return [shown, *job_panel.start(panel.panel, workspace, spec.model_dump(mode="json"), spec.name)]

    def adding(item: Item) -> Any:
        def add(workspace: Workspace) -> list[Any]:
            panel.listed.add(workspace, [item])
            return [*panel.listed.show(workspace), form.initial(workspace)[-1]]

        return add

    yaml_alone = Beside(lambda workspace: [form.initial(workspace)[-1]], [form.yaml])
    page.load(lambda workspace: form.initial(workspace), [*form.inputs, form.yaml])
    page.on(panel.uploads.upload, upload, [panel.uploads], [*form.inputs, form.yaml], panel.error)
    page.on(panel.estimate.click, expect, form.inputs, [panel.expected], panel.error)
    page.on(panel.start.click, start, form.inputs, [panel.expected, *panel.panel.outputs], panel.error)
    spec_list.wire(page, panel.listed, panel.error, yaml_alone)
    page.load(panel.listed.show, panel.listed.outputs)
    for words, button in panel.add.items():
        page.on(button.click, adding(NEW_TEACHERS[words]), [], [*panel.listed.outputs, form.yaml], panel.error)
    job_panel.wire(page, panel.panel, result, [panel.rows, panel.use])


def first_values(settings: Settings) -> dict[str, Any]:
    """What the form begins with."""
    count = MOST_ROWS_IN_DEMO if settings.demo else ROWS_AT_FIRST
    return {"name": "my-rows", "mode": "question_answer", "domains": [{"name": "general", "count": count}]}


def keep_input(workspace: Workspace, files: list[Path]) -> Path:
    """What was uploaded as one input: the file, or a folder with all of them. Raises BadInput for none."""
    if not files:
        raise BadInput("Nothing was uploaded.", "No file was chosen.", "Choose one or more files.")
    if len(files) == 1:
        return files[0]
    stamp = hashlib.sha256("\0".join(sorted(path.name for path in files)).encode()).hexdigest()[:8]
    folder = workspace.uploads / f"documents-{stamp}"
    folder.mkdir(parents=True, exist_ok=True)
    for path in files:
        shutil.copyfile(path, folder / path.name)
    return folder


def with_teachers(workspace: Workspace, values: dict[str, Any]) -> dict[str, Any]:
    """The form's values with the teachers that are listed; the embedded model before anything is."""
    return {**values, TEACHERS: read_draft(workspace, DRAFT).get(TEACHERS, [EMBEDDED])}


def take_teachers(workspace: Workspace, values: dict[str, Any]) -> None:
    """Keep the teachers of a spec that was read from YAML."""
    parsed = [TeacherSpec.parse(teacher) for teacher in values[TEACHERS]]
    save_draft(workspace, DRAFT, **{TEACHERS: [each.model_dump(mode="json", exclude_defaults=True) for each in parsed]})


def teacher_card(_: Workspace, item: Item) -> Card:
    """A teacher as a card: where it is and what is known of its price."""
    try:
        teacher = TeacherSpec.parse(item)
    except UserError as problem:
        return Card(str(item.get("model", "")), escape(problem.what), "bad")
    where = {"embedded": "on this machine, for trying out", "ollama": "Ollama", "openai": teacher.base_url or ""}
    price = "free" if teacher.free else "prices given" if teacher.priced else "prices not given, so the cost is unknown"
    share = "" if teacher.weight == 1 else f"share {teacher.weight:g}"
    return Card(teacher.title, " · ".join(escape(part) for part in (where[teacher.kind], price, share) if part))


def option_applies(item: Item, option: str) -> bool:
    """Whether an option of TeacherSpec says anything about this teacher."""
    embedded = item.get("model") == "embedded"
    return not (
        embedded and option in ("base_url", "api_key_variable", "price_in", "price_out", "stream", "extra_body")
    )


def checked_spec(settings: Settings, workspace: Workspace, form: Form, values: Sequence[Any]) -> SynthesisSpec:
    """The spec on screen, its input inside the workspace. Raises BadInput."""
    spec = form.parse(workspace, values)
    assert isinstance(spec, SynthesisSpec)
    if spec.input is not None:
        inside(workspace, spec.input)
    elsewhere = [teacher.title for teacher in spec.teachers if teacher.kind != "embedded"]
    if settings.demo and elsewhere:
        raise BadInput(
            f"{', '.join(elsewhere)} can't be asked in the demo.",
            "The demo sends nothing to other machines.",
            "Use the embedded model, or run Hearth on your own machine.",
        )
    for domain in spec.domains:
        demo.check_small(settings, f"Rows of {domain.name}", domain.count, MOST_ROWS_IN_DEMO)
    return spec


def expected_html(workspace: Workspace, spec: SynthesisSpec) -> str:
    """What the job will take. Raises Missing or BadInput for an input that can't be used."""
    from datasets_src.synthesis.preview import estimate

    found = estimate(spec, workspace.root)
    unknown = "cost unknown, since not all prices are given"
    cost = unknown if found.cost is None else f"cost about {found.cost:.4g}" if found.cost else "free"
    return (
        f'<p class="expected">About <b>{count(found.calls, "request")}</b>, {found.tokens_in:,} tokens to read and '
        f"{found.tokens_out:,} to write; <b>{cost}</b>. <span class='quiet'>If every answer is of use: refused rows "
        "and retries come on top.</span></p>"
    )


def result(_: Workspace, job: JobDirectory, status: Status) -> list[Any]:
    """The first rows that were written, and whether they can be used."""
    path = job.path / "rows.jsonl"
    rows = [{**row, "source": job.header["title"], "row": place} for place, row in enumerate(first_rows(path), start=1)]
    manifest = job.manifest or {}
    sentences = [*manifest.get("figures", {}).get("summary", []), *manifest.get("figures", {}).get("warnings", [])]
    said = "".join(f"<li>{escape(str(sentence))}</li>" for sentence in sentences)
    table = f"<h4>First rows</h4>{rows_table(rows)}" if rows else ""
    html = f'<div class="hearth-result"><ul>{said}</ul>{table}</div>' if said or rows else ""
    return [html, gr.Button(visible=bool(rows) and not status.state.active)]


def first_rows(path: Path) -> list[dict[str, Any]]:
    """The first rows of a file that may still grow."""
    if not path.is_file():
        return []
    with path.open("rb") as file:
        return [orjson.loads(line) for line in islice(file, ROWS_SHOWN) if line.endswith(b"\n")]


def source_of(panel: SynthesisPanel, workspace: Workspace) -> list[Item]:
    """The rows of the run that is shown, as a source. Raises BadInput without one."""
    job = panel.panel.shown_job(workspace)
    return own_rows.job_source(workspace, job.id if job is not None else None)
