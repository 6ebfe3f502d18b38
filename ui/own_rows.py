"""Rows of one's own on the Datasets tab: every way in which a source is added to those of the dataset."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from datasets_src.interactions import InteractionFilter
from datasets_src.readers import READERS
from datasets_src.spec import DATASET, HUB, INTERACTIONS, JOB, SourceSpec
from datasets_src.store import list_versions
from jobs.errors import BadInput
from jobs.workspace import Workspace
from ui import picks
from ui.components import component
from ui.dataset_draft import OWN, TAB, change_source
from ui.demo import LARGEST_UPLOAD
from ui.drafts import read_draft
from ui.fields import form_fields, to_raw, values_of_raw
from ui.form import Beside, enter_quietly
from ui.held_out import hold_out_enough
from ui.page import Page
from ui.paths import keep_upload
from ui.spec_list import Item, SpecList
from ui.words import STATES, count, size, when

# What a file may be called: whatever a reader knows, and the YAML of an expansion.
ENDINGS = sorted({*READERS, ".yaml", ".yml"})
FROM_FILE = "its file"
KINDS = "Tables and rows: JSONL, JSON, CSV, TSV, Parquet, XLSX. Texts: TXT, Markdown, PDF, DOCX, HTML. Templates: YAML."
AND_INFO = "What was said to served models. Every condition that is given has to fit; without any, all of it is taken."


@dataclass(frozen=True)
class OwnRows:
    """The components that sources come in by. Of those that choose among what was made before, the picks."""

    uploads: Any
    pasted: Any
    use_pasted: Any
    hub: dict[str, Any]
    use_hub: Any
    dataset: picks.Pick
    use_dataset: Any
    job: picks.Pick
    use_job: Any
    logged: dict[str, Any]
    use_logged: Any


def lay_out(page: Page) -> OwnRows:
    """Draw them here."""
    uploads = gr.File(
        label="Upload files",
        file_count="multiple",
        file_types=ENDINGS,
        type="filepath",
        height=130,
        elem_id=f"{TAB}-uploads",
    )
    gr.Markdown(KINDS, elem_classes="quiet")
    with gr.Accordion("Other ways to add rows", open=False), gr.Tabs(overflow_behavior="wrap"):
        with gr.Tab("Paste"):
            pasted = gr.Textbox(
                lines=5,
                max_lines=15,
                label="Rows",
                info='A line each, such as {"prompt": "…", "completion": "…"}; or CSV with a line of column names.',
                elem_id=f"{TAB}-pasted",
            )
            use_pasted = gr.Button("Use these rows", size="sm")
        with gr.Tab("Hub", visible=not page.settings.demo):
            hub = _hub_fields()
            use_hub = gr.Button("Use this dataset", size="sm")
        with gr.Tab("Dataset built here"):
            dataset = picks.lay_out(TAB, "add_dataset", version_options, "Dataset", "Its rows are read once each.")
            use_dataset = gr.Button("Use its rows", size="sm")
        with gr.Tab("Written by a teacher"):
            job = picks.lay_out(TAB, "add_job", synthesis_options, "Run", "Of “Make rows”, where teachers write them.")
            use_job = gr.Button("Use its rows", size="sm")
        with gr.Tab("Logged chats"):
            gr.Markdown(AND_INFO)
            logged = _fields_of(InteractionFilter)
            use_logged = gr.Button("Use what was said", size="sm")
    return OwnRows(uploads, pasted, use_pasted, hub, use_hub, dataset, use_dataset, job, use_job, logged, use_logged)


def _hub_fields() -> dict[str, Any]:
    """The dataset's id, and which part of it."""
    known = {each.path: each for each in form_fields(SourceSpec)}
    with gr.Row(equal_height=False):
        name = gr.Textbox(
            label="Dataset",
            info="Its id, as in owner/name.",
            placeholder="owner/name",
            elem_id=f"{TAB}-hub",
            min_width=220,
        )
        return {"name": name, **{each: component(known[each]) for each in ("config", "split", "revision")}}


def _fields_of(spec: type[InteractionFilter]) -> dict[str, Any]:
    with gr.Row(equal_height=False):
        return {each.path: component(each) for each in form_fields(spec)}


def wire(page: Page, own: OwnRows, sources: SpecList, everything: Beside, error: gr.HTML) -> None:
    """Have each of them add a source and show what is in it."""

    def adding(make: Callable[..., list[Item]]) -> Callable[..., list[Any]]:
        def add(workspace: Workspace, *values: Any) -> list[Any]:
            add_sources(workspace, sources, make(workspace, *values))
            return [None, *everything.show(workspace)]

        return add

    ways = (
        (own.uploads.upload, uploaded(page), [own.uploads]),
        (own.use_pasted.click, pasted_source, [own.pasted]),
        (own.use_hub.click, hub_source(list(own.hub)), list(own.hub.values())),
        (own.use_dataset.click, dataset_source, [own.dataset.component]),
        (own.use_job.click, job_source, [own.job.component]),
        (own.use_logged.click, logged_source(list(own.logged)), list(own.logged.values())),
    )
    # Drawn empty, a field for a number shows 0.
    page.load(
        lambda _: [to_raw(each, each.default) for each in form_fields(InteractionFilter)], list(own.logged.values())
    )
    for trigger, make, inputs in ways:
        page.on(trigger, adding(make), inputs, [own.uploads, *everything.outputs], error)
    for pick in (own.dataset, own.job):
        picks.wire(page, pick)
        page.on(pick.component.input, _keeping(pick), [pick.component], [], error, quiet=True)


def _keeping(pick: picks.Pick) -> Callable[[Workspace, str | None], list[Any]]:
    def keep(workspace: Workspace, value: str | None) -> list[Any]:
        pick.keep(workspace, value)
        return []

    return keep


def add_sources(workspace: Workspace, sources: SpecList, items: list[Item]) -> None:
    """List them in the dataset of one's own rows, which is shown from now on."""
    change_source(workspace, OWN)
    if items and not sources.items(workspace):
        name_after(workspace, called(workspace, str(items[0].get("path") or "")))
    sources.add(workspace, items)
    hold_out_enough(workspace, sources.items(workspace))


def called(workspace: Workspace, path: str) -> str:
    """What a source is known by: a job by its title, a dataset without its version; "" where it has no name."""
    if path.startswith(JOB):
        return str(workspace.job(path.removeprefix(JOB)).header["title"])
    return "" if path == INTERACTIONS else path.removeprefix(DATASET).partition("@")[0]


def name_after(workspace: Workspace, path: str) -> None:
    """Name the dataset after its first source, unless somebody named it."""
    name = re.sub(r"[^a-z0-9_-]+", "-", Path(path).stem.lower()).strip("-_")[:64]
    if name and "name" not in read_draft(workspace, TAB).get("form", {}):
        enter_quietly(workspace, TAB, {"name": name}, FROM_FILE)


def uploaded(page: Page) -> Callable[..., list[Item]]:
    def make(workspace: Workspace, files: list[str] | None) -> list[Item]:
        kept = [keep_file(page, workspace, Path(file)) for file in files or []]
        return [{"path": str(path.relative_to(workspace.root))} for path in kept]

    return make


def keep_file(page: Page, workspace: Workspace, uploaded_file: Path) -> Path:
    """Keep an uploaded file. Raises BadInput in the demo for a large one."""
    length = uploaded_file.stat().st_size
    if page.settings.demo and length > LARGEST_UPLOAD:
        raise BadInput(
            f"{uploaded_file.name} has {size(length)}.",
            f"The demo takes files of up to {size(LARGEST_UPLOAD)}.",
            "Upload a part of it, or run Hearth on your own machine.",
        )
    return keep_upload(workspace, uploaded_file)


def pasted_source(_: Workspace, text: str) -> list[Item]:
    """Pasted rows stand in the spec itself. Raises BadInput for none."""
    if not text.strip():
        raise BadInput("There is nothing to use.", "No row was pasted.", "Paste rows into the field first.")
    return [{"text": text.strip()}]


def hub_source(names: list[str]) -> Callable[..., list[Item]]:
    def make(_: Workspace, *values: Any) -> list[Item]:
        given = dict(zip(names, values, strict=True))
        name = str(given.pop("name") or "").strip().removeprefix(HUB)
        if not name:
            raise BadInput("There is nothing to use.", "No dataset was named.", "Write its id, as in owner/name.")
        return [{"path": HUB + name, **{option: str(value).strip() for option, value in given.items() if value}}]

    return make


def dataset_source(_: Workspace, reference: str | None) -> list[Item]:
    """Raises BadInput when none is chosen."""
    if not reference:
        raise BadInput("There is nothing to use.", "No dataset was built here yet.", "Build one first.")
    return [{"path": DATASET + reference}]


def job_source(_: Workspace, job_id: str | None) -> list[Item]:
    """Raises BadInput when none is chosen."""
    if not job_id:
        raise BadInput(
            "There is nothing to use.", "No teacher has written rows here yet.", "Have one write some under Make rows."
        )
    return [{"path": JOB + job_id}]


def logged_source(names: list[str]) -> Callable[..., list[Item]]:
    def make(_: Workspace, *values: Any) -> list[Item]:
        fields = [each for each in form_fields(InteractionFilter) if each.path in names]
        given = values_of_raw(fields, dict(zip(names, values, strict=True)))
        chosen = InteractionFilter.parse(given, "These conditions").model_dump(mode="json", exclude_defaults=True)
        where = {name: _plain(value) for name, value in chosen.items()}
        return [{"path": INTERACTIONS, **({"where": where} if where else {})}]

    return make


def _plain(value: Any) -> str:
    """A condition as `where` writes it: YAML in a line."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def version_options(workspace: Workspace) -> list[picks.Option]:
    """Every version of every dataset, the latest built first."""
    return [
        (f"{each.id} · {count(each.train_rows + each.eval_rows, 'row')} · {when(each.built)}", each.id)
        for each in list_versions(workspace)
    ]


def synthesis_options(workspace: Workspace) -> list[picks.Option]:
    """Every run in which teachers wrote rows, newest first; a stopped one has those that it came to."""
    jobs = [(job, job.status().state) for job in workspace.list_jobs("data.synthesise")]
    ended = [(job, state) for job, state in jobs if not state.active and (job.path / "rows.jsonl").is_file()]
    return [
        (f"{job.header['title']} · {when(job.header['created'])} · {STATES[state].lower()}", job.id)
        for job, state in ended
    ]
