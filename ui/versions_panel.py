"""The Versions step of the Datasets tab: every version that was built, where it comes from, and handing it out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from datasets_src.compare import compare
from datasets_src.hand_out import FileFormat, hand_out, push
from datasets_src.store import DatasetVersion, list_versions, open_version
from jobs.errors import BadInput
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
    sure: Any
    confirm: Any
    cancel: Any
    error: Any

    @property
    def outputs(self) -> list[Any]:
        return [self.listed, self.cursor, self.column, self.lineage, self.card]

    @property
    def results(self) -> list[Any]:
        """What was made of the version that was chosen before; emptied when another is."""
        return [self.files, self.difference, self.question, self.sure]


def lay_out(page: Page) -> VersionsPanel:
    """Draw the step here."""
    error = gr.HTML(visible=False)
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
        files = gr.HTML("", elem_id="saved")
        with gr.Accordion("Compare with another version", open=False):
            other = picks.lay_out(
                TAB, "compare_with", earlier_options, "With", "What differs is told from there to here."
            )
            compare_button = gr.Button("Compare", size="sm", elem_id="compare")
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
            question = gr.HTML("", elem_id="push-question")
            with gr.Row(visible=False, elem_classes="hearth-buttons") as sure:
                confirm = gr.Button("Yes, upload it", size="sm", variant="primary")
                cancel = gr.Button("No", size="sm")
    cursor = gr.Textbox(visible=False)
    return VersionsPanel(
        listed, cursor, column, lineage, card, see, load, save, files, other, compare_button, difference,
        repository, who, upload, question, sure, confirm, cancel, error,
    )  # fmt: skip


def wire(page: Page, panel: VersionsPanel) -> None:
    """Connect the list, the comparison and the ways out. Showing rows and loading options are the tab's."""

    def poll(workspace: Workspace, known: str = "") -> list[Any]:
        return show(workspace, known or "")

    def choose(workspace: Workspace, click: Click) -> list[Any]:
        save_draft(workspace, TAB, **{KEY: click.about})
        return [*show(workspace), "", "", "", gr.Row(visible=False)]

    def compare_now(workspace: Workspace, reference: str | None) -> Iterator[list[Any]]:
        yield [empty("Comparing …")]
        yield [compared(workspace, reference)]

    page.poll(TAB, poll, [panel.cursor], panel.outputs)
    page.load(poll, panel.outputs)
    on_click(page, panel.listed, choose, [], [*panel.outputs, *panel.results], panel.error)
    for file_format, save in panel.save.items():
        page.stream(save.click, _saving(file_format), [], [panel.files], panel.error)
    picks.wire(page, panel.other)
    page.stream(panel.compare.click, compare_now, [panel.other.component], [panel.difference], panel.error)
    if not page.settings.demo:
        _wire_push(page, panel)


def _wire_push(page: Page, panel: VersionsPanel) -> None:
    asking = [panel.question, panel.sure]

    def ask(workspace: Workspace, repository: str, who: str) -> list[Any]:
        version = required(workspace)
        return [push_question(version, repository_name(repository), private=who != PUBLIC), gr.Row(visible=True)]

    def upload(workspace: Workspace, repository: str, who: str) -> Iterator[list[Any]]:
        version = required(workspace)
        yield [empty(f"{version.id} is being uploaded: this page may be left meanwhile …"), gr.Row(visible=False)]
        folder = workspace.cache / "push" / version.version
        address = push(version, repository_name(repository), private=who != PUBLIC, folder=folder)
        yield [pushed_html(address), SKIP]

    page.on(panel.upload.click, ask, [panel.repository, panel.who], asking, panel.error)
    page.stream(panel.confirm.click, upload, [panel.repository, panel.who], asking, panel.error)
    page.on(panel.cancel.click, lambda _: ["", gr.Row(visible=False)], [], asking, panel.error)


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
    def save(workspace: Workspace) -> Iterator[Sequence[Any]]:
        yield [empty("Writing the files …")]
        yield [saved(workspace, file_format)]

    return save


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
