"""The cards of a check: what they say, that a remedy chosen on one is in the spec, and what follows from it."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest

from datasets_src.build import check
from datasets_src.spec import DatasetSpec
from jobs.directory import JobDirectory
from jobs.workspace import Workspace
from tests.toys import write_rows
from ui import health_panel, rows_choice
from ui.dataset_draft import OWN, SOURCES, TAB, change_source, enter, lay_out_form, spec_on_screen
from ui.drafts import save_draft
from ui.form import Form
from ui.health import health_html
from ui.rows_state import read_view

FAULTS = [
    {"prompt": "What is <b>?", "completion": ""},
    {"prompt": "Whom do I ask?", "completion": "Write to anna.schmidt@posteo.de, she knows."},
]


@pytest.fixture
def form() -> Form:
    with gr.Blocks():
        return lay_out_form()


@pytest.fixture
def checked(workspace: Workspace) -> JobDirectory:
    """A finished check of 40 good rows, a copy of one, an empty answer and an e-mail address."""
    rows: list[dict[str, Any]] = [
        {"prompt": f"What is {number} plus 1?", "completion": str(number + 1)} for number in range(40)
    ]
    write_rows(workspace.uploads / "a.jsonl", [*rows, dict(rows[3]), *[dict(fault) for fault in FAULTS]])
    change_source(workspace, OWN)
    save_draft(workspace, TAB, **{SOURCES: [{"path": "uploads/a.jsonl"}]})
    spec = DatasetSpec.parse({"name": "my-data", "sources": [{"path": "uploads/a.jsonl"}]})
    place = workspace.new_job_path("data.check")
    job = JobDirectory.create(
        place, kind="data.check", title="my-data", spec=spec.model_dump(mode="json"), resource=None
    )
    check(spec, workspace, rows_choice.rows_of_check(place))
    job.write_manifest({"figures": {}, "artifacts": {}, "seconds": 1})
    return job


def cards() -> health_panel.Cards:
    with gr.Blocks():
        return health_panel.lay_out()


def html_of(workspace: Workspace, form: Form) -> str:
    return str(cards().show(workspace, form)[0])


def card(html: str, name: str) -> str:
    """The card of one check."""
    return html.split(f'data-check="{name}"')[1].split("</article>")[0]


@pytest.mark.usefixtures("checked")
def test_each_check_that_found_something_has_a_card(workspace: Workspace, form: Form) -> None:
    html = html_of(workspace, form)
    assert "43 rows read from 1 source. 3 checks found something" in html
    empty = card(html, "empty_turn")
    assert "<b>1 row</b>" in empty and "2.3 % of all" in empty and "stops the build" in empty
    assert "Show 1 example" in empty and ">42<" in empty and "completion" in empty and "is empty" in empty
    assert "left out" in card(html, "exact_duplicate") and "kept" in card(html, "email")
    assert "A build would stop now: empty turns" in html
    assert "checks found nothing" in html and "Repetition" not in html.split("<details>")[0]


def test_a_report_without_findings_says_so() -> None:
    report = {"sources": [{"read": 5}], "checks": []}
    assert "5 rows read from 1 source. No check found anything." in health_html(report, {})


def test_what_a_file_holds_is_no_html() -> None:
    example = {"file": "<i>.jsonl", "row": 1, "field": "<u>", "what": "is <b>", "why": "<s>"}
    found = {
        **{"name": "x", "title": "T", "explanation": "E", "group": "quality", "count": 1, "remedy": "keep"},
        **{"remedies": ["drop", "keep"], "fix_in_words": "", "examples": [example]},
    }
    html = health_html({"sources": [{"read": 5}], "checks": [found]}, {"x": "keep"})
    assert not any(tag in html for tag in ("<i>", "<u>", "<s>", "is <b>"))


@pytest.mark.usefixtures("checked")
def test_a_remedy_is_written_into_the_spec_and_stays(workspace: Workspace, form: Form) -> None:
    assert "changed since" not in html_of(workspace, form)
    health_panel.choose_remedy(workspace, form, "empty_turn", "drop")
    health_panel.choose_remedy(workspace, form, "email", "fix")
    again = Workspace(workspace.root)
    spec = spec_on_screen(again, form)
    assert spec is not None and spec.remedies == {"empty_turn": "drop", "email": "fix"}
    assert "remedies:\n  empty_turn: drop\n  email: fix" in form.initial(again)[-1]
    html = html_of(again, form)
    assert 'data-about="email=fix" aria-pressed="true"' in html and "mended" in card(html, "email")
    assert "A build would stop" not in html
    assert "What happens to rows was changed since then. Check again, or build." in html


@pytest.mark.usefixtures("checked")
def test_the_default_of_a_check_needs_no_word_in_the_spec(workspace: Workspace, form: Form) -> None:
    health_panel.choose_remedy(workspace, form, "email", "drop")
    health_panel.choose_remedy(workspace, form, "email", "keep")
    spec = spec_on_screen(workspace, form)
    assert spec is not None and spec.remedies == {}


@pytest.mark.usefixtures("checked")
def test_every_unusable_row_can_be_left_out_at_once(workspace: Workspace, form: Form) -> None:
    health_panel.choose_remedy(workspace, form, "email", "fix")
    health_panel.leave_out_unusable(workspace, form)
    spec = spec_on_screen(workspace, form)
    assert spec is not None and spec.on_bad_rows == "skip" and spec.remedies == {"email": "fix"}
    assert "A build would stop" not in html_of(workspace, form)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"near_duplicates": 0.9}, "Options were changed since then"),
        ({"languages": ["de"]}, "Options were changed since then"),
        ({"name": "other", "eval_fraction": 0.3}, ""),
    ],
)
@pytest.mark.usefixtures("checked")
def test_cards_say_when_the_options_are_others_than_checked(
    workspace: Workspace, form: Form, changes: dict[str, Any], words: str
) -> None:
    enter(workspace, form, **changes)
    html = html_of(workspace, form)
    assert words in html if words else "changed since" not in html


@pytest.mark.usefixtures("checked")
def test_cards_say_when_the_sources_are_others_than_checked(workspace: Workspace, form: Form) -> None:
    save_draft(workspace, TAB, **{SOURCES: [{"path": "uploads/a.jsonl", "tag": "A"}]})
    assert "read from other sources than those on screen" in html_of(workspace, form)


@pytest.mark.usefixtures("checked")
def test_cards_are_drawn_again_only_when_something_changed(workspace: Workspace, form: Form) -> None:
    _, cursor = cards().show(workspace, form)
    assert cards().show(workspace, form, cursor) == [gr.skip(), gr.skip()]
    health_panel.choose_remedy(workspace, form, "email", "drop")
    assert cards().show(workspace, form, cursor) != [gr.skip(), gr.skip()]


def test_the_rows_of_a_check_are_shown_in_the_part_that_has_them(workspace: Workspace, checked: JobDirectory) -> None:
    folder = rows_choice.choose_job(workspace, checked)
    assert folder == checked.path / "rows"
    rows_choice.ask_for_check(workspace, folder, "exact_duplicate")
    wanted = read_view(workspace).wanted
    assert (wanted.check, wanted.part) == ("exact_duplicate", "left_out")
    rows_choice.ask_for_check(workspace, folder, "email")
    assert read_view(workspace).wanted.part in ("train", "eval")


def test_rows_follow_the_newest_check_or_build(workspace: Workspace, checked: JobDirectory) -> None:
    from datasets_src.build import build

    assert rows_choice.folder_of(workspace) == checked.path / "rows"
    spec = {"name": "my-data", "sources": [{"path": "uploads/a.jsonl"}], "on_bad_rows": "skip"}
    version = build(DatasetSpec.parse(spec), workspace)
    assert rows_choice.folder_of(workspace) == version.folder
    rows_choice.choose(workspace, rows_choice.CHECK + checked.id)
    assert rows_choice.folder_of(workspace) == checked.path / "rows"
