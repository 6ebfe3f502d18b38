"""What the page shows of a build and of versions: result, advice, lineage, differences, and handing them out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from datasets_src.build import build
from datasets_src.spec import DatasetSpec
from datasets_src.store import DatasetVersion, list_versions
from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput
from jobs.workspace import Workspace
from tests.toys import write_rows
from trainer.spec import TrainSpec
from ui import build_panel, filling, versions_panel
from ui import form as forms
from ui.advice_view import advice_html, settings_advised
from ui.drafts import save_draft
from ui.page import SKIP, Page, Settings
from ui.versions_view import card_markdown, lineage_html, push_question, versions_html

ADVICE = [
    {"topic": "context_length", "value": 1024, "sentence": "1,024 holds every row.", "warning": False},
    {"topic": "epochs", "value": 3, "sentence": "3 passes over `a` <b>.", "warning": False},
    {"topic": "learning_rate", "value": 0.0002, "sentence": "2e-4 is usual.", "warning": False},
    {"topic": "model", "value": "instruct", "sentence": "An instruct model.", "warning": False},
    {"topic": "rows", "value": None, "sentence": "Too few.", "warning": True},
]


def built(workspace: Workspace, rows: int, name: str = "sums", **more: Any) -> DatasetVersion:
    lines: list[dict[str, Any]] = [
        {"prompt": f"What is {number} plus 1?", "completion": str(number + 1), **more} for number in range(rows)
    ]
    write_rows(workspace.uploads / "a.jsonl", lines)
    return build(DatasetSpec.parse({"name": name, "sources": [{"path": "uploads/a.jsonl"}]}), workspace)


def job_of(workspace: Workspace, version: DatasetVersion | None) -> JobDirectory:
    job = JobDirectory.create(
        workspace.new_job_path("data.build"), kind="data.build", title="d", spec={}, resource=None
    )
    if version is not None:
        job.write_manifest({"figures": {"dataset": version.id}, "artifacts": {}, "seconds": 1})
    return job


def test_a_finished_build_shows_what_was_made_and_leads_on(workspace: Workspace) -> None:
    version = built(workspace, 60)
    decide, report, advice, take, _, found, go_on = build_panel.result(
        workspace, job_of(workspace, version), Status(State.SUCCEEDED)
    )
    assert version.id in report and "54 rows to train on and 6 to judge by" in report and "What is" in report
    assert "passes over 54 rows" in advice
    assert take.visible and found.visible and go_on.visible and not decide.visible


def test_a_build_that_rows_stopped_leads_to_the_cards(workspace: Workspace) -> None:
    write_rows(workspace.uploads / "a.jsonl", [{"prompt": "Two?", "completion": ""}])
    with pytest.raises(BadInput) as stopped:
        build(DatasetSpec.parse({"name": "d", "sources": [{"path": "uploads/a.jsonl"}]}), workspace)
    job = job_of(workspace, None)
    by_rows = Status(State.FAILED, message=stopped.value.what, error_kind="bad_input", error=str(stopped.value))
    assert build_panel.result(workspace, job, by_rows)[0].visible
    otherwise = Status(State.FAILED, message="There is no file a.jsonl.", error_kind="missing", error="-")
    assert not build_panel.result(workspace, job, otherwise)[0].visible


def test_advice_is_told_with_its_reason_and_its_warnings() -> None:
    html = advice_html(ADVICE)
    assert "<code>a</code> &lt;b&gt;" in html and html.count('class="warned"') == 1


def test_advice_is_taken_over_to_the_training_form(workspace: Workspace) -> None:
    import json

    with gr.Blocks():
        form = forms.lay_out(TrainSpec, "training", "python cli.py train spec.yaml")
        form.yaml = gr.Textbox()
        page = Page(Settings(workspace.root), gr.Tabs(), gr.Textbox())
        filling.fill_when_entered(page, form)
    (polled,) = page.polled
    before = polled.handler(workspace, "")
    assert polled.handler(workspace, before[-1]) == [SKIP for _ in before], "nothing was entered from elsewhere"
    save_draft(workspace, "training", form={"method.rank": 4})
    job = job_of(workspace, None)
    (job.path / "report.json").write_text(json.dumps({"advice": ADVICE}))
    said = build_panel.advice_taken(workspace, job)
    assert "Longest row 1024, Epochs 3, Learning rate 0.0002" in said
    shown = dict(zip(form.components, polled.handler(workspace, before[-1]), strict=False))
    spec = form.parse(workspace, [{**shown, "data": "d"}[path] for path in form.components])
    assert isinstance(spec, TrainSpec)
    assert (spec.max_length, spec.optimisation.epochs, spec.optimisation.learning_rate) == (1024, 3, 0.0002)
    assert spec.method.rank == 4, "what was entered by hand stays"


def test_only_settings_with_a_value_are_taken_over() -> None:
    assert settings_advised([{**ADVICE[0], "value": None}, ADVICE[3]]) == {}


def test_versions_are_listed_with_where_they_come_from(workspace: Workspace) -> None:
    assert "Build dataset" in versions_html([], None)
    first, second = built(workspace, 40), built(workspace, 60)
    html = versions_html(list_versions(workspace), second.id)
    assert html.index(second.id) < html.index(first.id) and "a.jsonl" in html and ">54<" in html
    assert html.count('aria-pressed="true"') == 1
    lineage = lineage_html(second)
    assert "prompt_completion" in lineage and second.report["sources"][0]["identity"][:12] in lineage


def test_the_card_shows_without_the_lines_for_the_hub(workspace: Workspace) -> None:
    version = built(workspace, 40)
    assert version.card.startswith("---\n")
    text = card_markdown(version)
    assert not text.startswith("---") and "license" not in text.splitlines()[0] and len(text) > 100


def test_two_versions_are_compared_in_words_with_examples(workspace: Workspace) -> None:
    first, second = built(workspace, 40), built(workspace, 43)
    assert versions_panel.chosen(workspace) == second
    assert versions_panel.earlier_options(workspace)[0][1] == first.id
    html = versions_panel.compared(workspace, first.id)
    assert f"{first.id} → {second.id}" in html and "3 new in the second" in html and "What is 42 plus 1?" in html
    save_draft(workspace, "datasets", version=first.id)
    assert "3 gone from the first" in versions_panel.compared(workspace, second.id)
    with pytest.raises(BadInput, match="nothing to compare"):
        versions_panel.compared(workspace, None)


def test_equal_rows_under_two_names_are_said_to_be_the_same(workspace: Workspace) -> None:
    first = built(workspace, 40)
    built(workspace, 40, name="again")
    assert "Both hold the same 40 rows." in versions_panel.compared(workspace, first.id)


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_a_version_is_saved_as_files_to_download(workspace: Workspace, file_format: Any) -> None:
    import polars

    version = built(workspace, 40)
    html = versions_panel.saved(workspace, file_format)
    folder = workspace.cache / "saved" / f"{version.name}-{version.version}-{file_format}"
    assert f"train.{file_format}" in html and "README.md" in html and str(folder) in html
    read = polars.read_parquet if file_format == "parquet" else polars.read_ndjson
    assert len(read(folder / f"train.{file_format}")) == version.train_rows
    assert versions_panel.saved(workspace, file_format) == html, "saving twice is no error"


def test_an_upload_to_the_hub_is_asked_for_by_what_where_and_who(workspace: Workspace) -> None:
    version = built(workspace, 40)
    private, public = (push_question(version, "anna/sums", private=each) for each in (True, False))
    assert version.id in private and "40 rows" in private and "anna/sums" in private
    assert "you and those you let in" in private and "everybody" in public
    assert versions_panel.repository_name(" https://huggingface.co/datasets/anna/sums/ ") == "anna/sums"
    for name in ("", "sums", "a/b/c"):
        with pytest.raises(BadInput, match="no place on the Hub"):
            versions_panel.repository_name(name)


def clicks_of(workspace: Workspace, button: str, *, demo: bool) -> list[Any]:
    """What a click on a button of the versions' step calls."""
    with gr.Blocks() as blocks:
        page = Page(Settings(workspace.root, demo=demo), gr.Tabs(), gr.Textbox())
        panel = versions_panel.lay_out(page)
        versions_panel.wire(page, panel)
    return [fn.fn for fn in blocks.fns.values() if (getattr(panel, button)._id, "click") in fn.targets]


def test_the_demo_uploads_nothing(workspace: Workspace) -> None:
    assert len(clicks_of(workspace, "confirm", demo=False)) == 1
    assert clicks_of(workspace, "confirm", demo=True) == []


def test_what_is_uploaded_is_what_was_asked_about(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    version = built(workspace, 40)
    (ask,) = clicks_of(workspace, "upload", demo=False)
    question, _, asked, _ = ask(None, "anna/sums", versions_panel.PRIVATE)
    assert version.id in question
    built(workspace, 60)  # meanwhile another version is the newest
    (upload,) = clicks_of(workspace, "confirm", demo=False)
    saying, ended, refused = upload(None, asked)
    assert f"{version.id} is being uploaded" in saying[0] and ended[0] == ""
    assert "HF_HUB_OFFLINE is set" in refused[-1].value


def test_a_changed_version_is_not_handed_out(workspace: Workspace) -> None:
    version = built(workspace, 40)
    rows = Path(version.folder / "train.jsonl")
    rows.write_bytes(rows.read_bytes().replace(b"What", b"Whut"))
    with pytest.raises(BadInput, match="changed after it was built"):
        versions_panel.saved(workspace, "jsonl")
