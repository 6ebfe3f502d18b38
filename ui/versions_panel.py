"""The Versions step of the Datasets tab: every version that was built, where it comes from, and handing it out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from datasets_src.compare import compare
from datasets_src.hand_out import FileFormat, hand_out, push
from datasets_src.store import DatasetVersion, list_versions, open_version
from jobs.errors import BadInput, UserError
from jobs.workspace import Workspace
from ui import picks
from ui.clicks import Click, acting_html, on_click
from ui.dataset_draft import TAB
from ui.drafts import read_draft, save_draft
from ui.job_view import empty
from ui.page import SKIP, Page
from ui.versions_view import (
    card_markdown,
    comparison_html,
    lineage_html,
    push_question,
    pushed_html,
    saved_html,
    versions_html,
)

KEY = "version"
PRIVATE, PUBLIC = "Only me and those I let in", "Everybody"


@dataclass(frozen=True)
class VersionsPanel:
    """The components: the list, then what belongs to the version that is chosen in it."""

    listed: Any
    cursor: Any
    column: Any
    lineage: Any
    card: Any
    see: Any
    load: Any
    save: dict[FileFormat, Any]
    files: Any
    other: picks.Pick
    compare: Any
    difference: Any
    repository: Any
    who: Any
    upload: Any
    question: Any
    asked: Any
    sure: Any
    confirm: Any
    cancel: Any
    error: Any
    compare_error: Any
    push_error: Any

    @property
    def outputs(self) -> list[Any]:
        return [self.listed, self.cursor, self.column, self.lineage, self.card]

    @property
    def results(self) -> list[Any]:
        """What was made of the version that was chosen before; emptied when another is."""
        return [self.files, self.difference, self.question, self.sure]


def lay_out(page: Page) -> VersionsPanel:
    """Draw the step here."""
    listed = acting_html(elem_id="versions")
    with gr.Column(visible=False, elem_classes="hearth-editor") as column:
        lineage = gr.HTML("", elem_id="lineage")
        with gr.Row(elem_classes="hearth-buttons"):
            see = gr.Button("Show its rows", size="sm", elem_id="see-version")
            load = gr.Button("Load its options into the form", size="sm")
            save: dict[FileFormat, Any] = {
                "jsonl": gr.Button("Save as JSONL", size="sm", elem_id="save-jsonl"),
                "parquet": gr.Button("Save as Parquet", size="sm", elem_id="save-parquet"),
            }
        error = gr.HTML(visible=False)
        files = gr.HTML("", elem_id="saved")
        with gr.Accordion("Compare with another version", open=False):
            other = picks.lay_out(
                TAB, "compare_with", earlier_options, "With", "What differs is told from there to here."
            )
            compare_button = gr.Button("Compare", size="sm", elem_id="compare")
            compare_error = gr.HTML(visible=False)
            difference = gr.HTML("", elem_id="difference")
        with gr.Accordion("Dataset card", open=False):
            card = gr.Markdown("", elem_classes="hearth-readme")
        with gr.Accordion("Upload to the Hugging Face Hub", open=False, visible=not page.settings.demo):
            with gr.Row(equal_height=False):
                repository = gr.Textbox(
                    label="To", info="Your name on the Hub, and one for the dataset.", placeholder="owner/name",
                    elem_id="push-to", min_width=220,
                )  # fmt: skip
                who = gr.Radio([PRIVATE, PUBLIC], value=PRIVATE, label="Who can see it", min_width=220)
            upload = gr.Button("Upload…", size="sm", elem_id="push")
            push_error = gr.HTML(visible=False)
            question = gr.HTML("", elem_id="push-question")
            asked = gr.Textbox(visible=False)
            with gr.Row(visible=False, elem_classes="hearth-buttons") as sure:
                confirm = gr.Button("Yes, upload it", size="sm", variant="primary")
                cancel = gr.Button("No", size="sm")
    cursor = gr.Textbox(visible=False)
    return VersionsPanel(
        listed, cursor, column, lineage, card, see, load, save, files, other, compare_button, difference,
        repository, who, upload, question, asked, sure, confirm, cancel, error, compare_error, push_error,
    )  # fmt: skip


def wire(page: Page, panel: VersionsPanel) -> None:
    """Connect the list, the comparison and the ways out. Showing rows and loading options are the tab's."""

    def poll(workspace: Workspace, known: str = "") -> list[Any]:
        return show(workspace, known or "")

    def choose(workspace: Workspace, click: Click) -> list[Any]:
        save_draft(workspace, TAB, **{KEY: click.about})
        return [*show(workspace), "", "", "", gr.Row(visible=False)]

    def compare_now(workspace: Workspace, reference: str | None) -> Iterator[list[Any]]:
        yield from _telling("Comparing …", lambda: compared(workspace, reference))

    page.poll(TAB, poll, [panel.cursor], panel.outputs)
    page.load(poll, panel.outputs)
    on_click(page, panel.listed, choose, [], [*panel.outputs, *panel.results], panel.error)
    for file_format, save in panel.save.items():
        page.stream(save.click, _saving(file_format), [], [panel.files], panel.error)
    picks.wire(page, panel.other)
    page.stream(panel.compare.click, compare_now, [panel.other.component], [panel.difference], panel.compare_error)
    if not page.settings.demo:
        _wire_push(page, panel)


def _wire_push(page: Page, panel: VersionsPanel) -> None:
    """Ask first; what is then uploaded is what was asked about, whatever is typed or chosen meanwhile."""

    def ask(workspace: Workspace, repository: str, who: str) -> list[Any]:
        version, name, private = required(workspace), repository_name(repository), who != PUBLIC
        asked = json.dumps({"version": version.id, "repository": name, "private": private})
        return [push_question(version, name, private=private), gr.Row(visible=True), asked]

    def upload(workspace: Workspace, asked: str) -> Iterator[list[Any]]:
        wanted = json.loads(asked)
        version = open_version(workspace, wanted["version"])
        folder = workspace.cache / "push" / version.version

        def uploaded() -> str:
            return pushed_html(push(version, wanted["repository"], private=wanted["private"], folder=folder))

        said = f"{version.id} is being uploaded: this page may be left meanwhile …"
        for shown in _telling(said, uploaded):
            yield [*shown, gr.Row(visible=False)]

    asking, error = [panel.question, panel.sure], panel.push_error
    page.on(panel.upload.click, ask, [panel.repository, panel.who], [*asking, panel.asked], error)
    page.stream(panel.confirm.click, upload, [panel.asked], asking, error)
    page.on(panel.cancel.click, lambda _: ["", gr.Row(visible=False)], [], asking, error)


def _telling(said: str, make: Callable[[], str]) -> Iterator[list[Any]]:
    """Say what is being done, then show what came of it; nothing when it can't be done."""
    yield [empty(said)]
    try:
        made = make()
    except UserError:
        yield [""]
        raise
    yield [made]


def chosen(workspace: Workspace) -> DatasetVersion | None:
    """The version that was chosen in the list, else the one built last."""
    versions = list_versions(workspace)
    wanted = read_draft(workspace, TAB).get(KEY)
    return next((each for each in versions if each.id == wanted), versions[0] if versions else None)


def required(workspace: Workspace) -> DatasetVersion:
    """The chosen version, opened. Raises BadInput without one, or when it was changed after it was built."""
    version = chosen(workspace)
    if version is None:
        raise BadInput("There is no version yet.", "None was built here.", "Press “Build dataset” first.")
    return open_version(workspace, version.id)


def show(workspace: Workspace, known: str = "") -> list[Any]:
    """Values of the panel's outputs; skipped when they are as `known`."""
    versions, version = list_versions(workspace), chosen(workspace)
    now = repr(([(each.id, each.built) for each in versions], version and version.id))
    if now == known:
        return [SKIP] * 5
    html = versions_html(versions, version.id if version else None)
    if version is None:
        return [html, now, gr.Column(visible=False), "", ""]
    return [html, now, gr.Column(visible=True), lineage_html(version), card_markdown(version)]


def earlier_options(workspace: Workspace) -> list[picks.Option]:
    """The other versions, those of the same name first, the latest of them before."""
    version = chosen(workspace)
    others = [each for each in list_versions(workspace) if version is not None and each.id != version.id]
    others.sort(key=lambda each: version is None or each.name != version.name)
    return [(each.id, each.id) for each in others]


def compared(workspace: Workspace, reference: str | None) -> str:
    """How the chosen version differs from another. Raises BadInput without one."""
    version = required(workspace)
    if not reference:
        raise BadInput("There is nothing to compare with.", "No other version was built.", "Build another one first.")
    return comparison_html(compare(open_version(workspace, reference), version))


def _saving(file_format: FileFormat) -> Callable[[Workspace], Iterator[Sequence[Any]]]:
    return lambda workspace: _telling("Writing the files …", lambda: saved(workspace, file_format))


def saved(workspace: Workspace, file_format: FileFormat) -> str:
    """Write the chosen version's files into the workspace's cache; links that download them."""
    version = required(workspace)
    folder = workspace.cache / "saved" / f"{version.name}-{version.version}-{file_format}"
    return saved_html(version, hand_out(version, folder, file_format))


def repository_name(text: str) -> str:
    """Raises BadInput for what names no place on the Hub."""
    name = text.strip().removeprefix("https://huggingface.co/datasets/").strip("/")
    if name.count("/") != 1:
        raise BadInput(
            f"'{text}' names no place on the Hub.", "A dataset there is owner/name.", "Write it so, as in anna/recipes."
        )
    return name
