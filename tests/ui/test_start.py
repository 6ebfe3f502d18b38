"""The Start tab without a browser: machines played by tests, the path through the workspace, what the demo hides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from filelock import FileLock

from datasets_src.build import build
from datasets_src.spec import DatasetSpec
from jobs.directory import JobDirectory, State, Status
from jobs.errors import Missing
from jobs.workspace import Workspace
from models.doctor.facts import Facts, Tried
from models.doctor.findings import examine
from recipes.recipe import recipe_names
from tests.models.doctor import machines
from tests.toys import write_rows
from tests.ui.serving_page import handler
from ui import start_examples, start_machine, start_opening, start_tab
from ui.clicks import Click
from ui.dataset_draft import OWN, SNAKE, chosen_source
from ui.doctor_panel import keep_trial, kept_trial, with_hub
from ui.doctor_view import findings_html
from ui.drafts import read_draft, save_draft
from ui.page import Page, Settings
from ui.start_goals import choose_goal
from ui.start_machine import calm, machine_html, reach_of
from ui.start_path import next_step, path
from ui.start_view import jobs_html, path_html


def stands(workspace: Workspace) -> list[str]:
    return [step.stand for step in path(workspace)]


def build_rows(workspace: Workspace, name: str = "mine") -> None:
    rows = [{"prompt": f"What is {number} + 1?", "completion": str(number + 1)} for number in range(40)]
    write_rows(workspace.uploads / "rows.jsonl", [dict(row) for row in rows])
    build(DatasetSpec.parse({"name": name, "sources": [{"path": "uploads/rows.jsonl"}]}), workspace)


def job(workspace: Workspace, kind: str, state: State, figures: dict[str, Any] | None = None) -> JobDirectory:
    """A job that ended, or runs, as if a worker had done it."""
    spec = {"model": "embedded", "data": "mine"}
    made = JobDirectory.create(workspace.new_job_path(kind), kind=kind, title="My run", spec=spec, resource=None)
    made.write_status(Status(state))
    if state is State.SUCCEEDED:
        made.write_manifest({"figures": figures or {}, "artifacts": {}, "seconds": 1})
    return made


def page_html(facts: Facts) -> str:
    """What the page shows of a machine."""
    return machine_html(calm(facts)) + findings_html(examine(calm(facts)), None)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (machines.NO_CARD, ["none; the processor computes", "This machine trains models up to <b>Qwen3-0.6B</b>"]),
        (machines.one_card(8), ["Your card trains models up to <b>Qwen3-8B</b>", "<b>Qwen3-8B</b>.", "held by Xorg"]),
        (machines.one_card(12), ["Your card trains models up to <b>Qwen3-14B</b>", "11.5 of 12.0 GB free"]),
        (machines.one_card(16), ["chats with models up to <b>Qwen3-14B</b>"]),
        (machines.one_card(24), ["chats with models up to <b>Qwen3-30B-A3B</b>"]),
        (machines.SEVERAL, ["NVIDIA GeForce RTX 4060, and 1 more", "CUDA_VISIBLE_DEVICES=1 python app.py"]),
        (machines.OLD_DRIVER, ["driver 470.256", "speaks CUDA 11.4 at most", "ubuntu-drivers install"]),
        (machines.PROCESSOR_TORCH, ["built for processors alone", "--force-reinstall torch==2.10.0"]),
        (machines.FULL_DISK, ["0.4 of 500.0 GB free", "To mend", "python cli.py exports list"]),
        (machines.NO_NETWORK, ["The Hub doesn&#x27;t answer.", "<code>embedded</code> work as ever"]),
        (machines.ON_WINDOWS_DRIVE, ["on a Windows drive", "export HEARTH_WORKSPACE=~/hearth-workspace"]),
        (machines.HELD_BY_OLLAMA, ["held by ollama (7.4 GB), Xorg", "Right now, beside what others hold"]),
    ],
)
def test_the_page_says_of_each_machine_what_it_has_and_what_mends_it(facts: Facts, said: list[str]) -> None:
    html = page_html(facts)
    for each in said:
        assert each in html


def test_a_name_from_the_machine_is_never_markup() -> None:
    card = machines.card(12, "<script>alert(1)</script>")
    assert "<script>" not in page_html(machines.with_cards(card))


def test_a_fresh_workspace_begins_with_the_choice_of_a_goal(workspace: Workspace) -> None:
    assert stands(workspace) == ["next", "later", "later", "later", "later", "later"]
    html = path_html(workspace, path(workspace), reach_of(machines.one_card(8)))
    assert "Next: choose what it should learn" in html and "Begin another model" not in html
    assert "Nothing has run yet" in jobs_html(workspace)
    assert not workspace.root.exists(), "looking writes nothing"


def test_a_goal_prepares_the_other_tabs_and_can_be_changed(workspace: Workspace) -> None:
    choose_goal(workspace, "preferences")
    assert chosen_source(workspace) == OWN
    assert read_draft(workspace, "training")["form"]["method.objective"] == "dpo"
    assert stands(workspace)[:2] == ["done", "next"]
    choose_goal(workspace, "snake")
    assert chosen_source(workspace) == SNAKE
    assert read_draft(workspace, "training")["form"]["method.objective"] == "sft"


def test_every_step_follows_from_what_lies_in_the_workspace(workspace: Workspace) -> None:
    build_rows(workspace)
    assert stands(workspace) == ["done", "done", "next", "later", "later", "later"]
    save_draft(workspace, "training", form={"model": "embedded"})
    assert stands(workspace)[2:4] == ["done", "next"]
    training = job(workspace, "train", State.FAILED)
    assert stands(workspace)[3] == "failed"
    training.write_status(Status(State.FAILED, error="The card is full.\nwhy: others hold it"))
    assert path(workspace)[3].says == "My run failed: The card is full. Open it to see what to do."
    training.write_status(Status(State.SUCCEEDED))
    training.write_manifest({"figures": {}, "artifacts": {}, "seconds": 1})
    assert stands(workspace)[3:] == ["done", "next", "later"]
    job(workspace, "evaluate", State.SUCCEEDED, {"verdicts": ["better by 12.3 points"]})
    assert path(workspace)[4].says == "Better by 12.3 points"
    job(workspace, "export", State.SUCCEEDED)
    now = next_step(path(workspace))
    assert now and now.key == "use" and "Now put one into Ollama" in now.says
    assert start_opening.open_step(workspace, "use") == "export"
    assert read_draft(workspace, "export")["part"] == "ollama"
    job(workspace, "ollama", State.SUCCEEDED, {"model": "mine"})
    assert stands(workspace) == ["done"] * 6
    assert "ollama run mine" in path_html(workspace, path(workspace), reach_of(machines.NO_CARD))


def test_new_rows_ask_for_a_new_training(workspace: Workspace) -> None:
    build_rows(workspace)
    job(workspace, "train", State.SUCCEEDED)
    assert stands(workspace)[3] == "done"
    build_rows(workspace, "newer")
    assert stands(workspace)[3] == "next"


def test_beginning_again_leaves_what_was_made(workspace: Workspace) -> None:
    build_rows(workspace)
    training = job(workspace, "train", State.SUCCEEDED)
    start_tab.begin_again(workspace)
    assert stands(workspace)[0] == "next"
    assert workspace.job(training.id).path.is_dir()
    assert "My run" in jobs_html(workspace)


@pytest.mark.parametrize(
    ("gb", "model", "preset"), [(8, "Qwen/Qwen3-4B", "card_8gb"), (16, "Qwen/Qwen3-4B", "card_16gb")]
)
def test_the_offered_model_comes_with_the_settings_for_the_card(
    gb: float, model: str, preset: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_tab, "facts_of", lambda _root: machines.one_card(gb))
    build_rows(workspace)
    html = path_html(workspace, path(workspace), reach_of(machines.one_card(gb)))
    assert f'data-do="take" data-about="{model}"' in html and "Take SmolLM2-135M" in html
    start_tab.take_model(page_of(workspace), workspace, model)
    assert read_draft(workspace, "training")["form"] == {"model": model, "preset": preset}


def test_without_the_hub_the_model_that_comes_along_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    found = reach_of(machines.one_card(12))
    monkeypatch.setattr(start_machine, "cached_snapshot", lambda _hub_id: None)
    monkeypatch.setattr(start_machine, "hub_state", lambda: "offline")
    assert start_machine.within_reach(found).begin == "embedded"
    monkeypatch.setattr(start_machine, "hub_state", lambda: "online")
    assert start_machine.within_reach(found) == found


def test_the_checks_know_at_once_whether_the_hub_answers() -> None:
    assert with_hub(Tried(), "offline").hub is False
    assert with_hub(Tried(hub=True), "off") == Tried(hub=False, offline_wanted=True)
    assert with_hub(Tried(hub=True), "unknown").hub is True


def page_of(workspace: Workspace, *, demo: bool = False) -> Page:
    return Page(Settings(workspace.root, demo=demo), None, None)  # type: ignore[arg-type]


def test_a_step_opens_its_tab_prepared(workspace: Workspace) -> None:
    choose_goal(workspace, "documents")
    page = page_of(workspace)
    assert start_tab.acted(page, workspace, Click("open", "rows")) == "datasets"
    assert read_draft(workspace, "datasets")["step"] == "make"
    assert start_tab.acted(page, workspace, Click("open", "train")) == "training"
    assert start_tab.acted(page, workspace, Click("open", "judge")) == "evaluation"
    assert start_tab.acted(page, workspace, Click("goal", "answers")) is None
    assert start_tab.acted(page, workspace, Click("open", "nonsense")) is None


def test_a_job_opens_the_tab_that_shows_it(workspace: Workspace) -> None:
    running = job(workspace, "evaluate", State.SUCCEEDED, {"verdicts": ["better"]})
    assert start_tab.acted(page_of(workspace), workspace, Click("job", running.id)) == "evaluation"
    with pytest.raises(Missing):
        start_tab.acted(page_of(workspace), workspace, Click("job", "gone"))


def test_every_kind_of_job_has_a_place_on_the_page() -> None:
    from jobs.kinds import KINDS
    from ui.layout import TABS

    assert set(start_opening.PLACES) == set(KINDS)
    assert {tab for tab, _ in start_opening.PLACES.values()} <= set(TABS)


def test_what_trying_told_is_kept_until_other_libraries_are_installed(workspace: Workspace) -> None:
    facts = machines.NO_NETWORK
    keep_trial(workspace, facts)
    kept = read_draft(workspace, "doctor")
    assert kept_trial(kept, facts) == facts.tried
    other = replace(facts, libraries=replace(facts.libraries, versions={"torch": "2.11.0"}))
    assert kept_trial(kept, other) is None
    assert kept_trial({}, facts) is None


def test_the_demo_shows_nothing_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ui.layout import build_page

    def private(_root: Path) -> Facts:
        raise AssertionError("the demo read the machine")

    monkeypatch.setattr(start_tab, "facts_of", private)
    blocks = build_page(Settings(tmp_path, demo=True))
    shown = [str(block.value) for block in blocks.blocks.values() if getattr(block, "elem_id", "") == "this-machine"]
    assert len(shown) == 1 and "A shared demo" in shown[0]
    ids = [getattr(block, "elem_id", "") for block in blocks.blocks.values()]
    assert "check-everything" not in ids and "doctor" not in ids


def test_every_recipe_is_a_button_that_runs_it_as_a_job(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[str, dict[str, Any]]] = []

    def start(workspace: Workspace, kind: str, spec: dict[str, Any], title: str, resource: str) -> JobDirectory:  # noqa: ARG001
        started.append((kind, spec))
        path = workspace.new_job_path(kind)
        return JobDirectory.create(path, kind=kind, title=title, spec=spec, resource=None)

    monkeypatch.setattr(start_examples.job_panel.launcher, "start", start)

    class Told:
        _data = {"action": "run", "about": "nava"}  # noqa: RUF012 - as Gradio has it

    with gr.Blocks() as blocks:
        start_examples.lay_out(Page(Settings(workspace.root), gr.Tabs(), gr.Textbox()))
    shown = handler(blocks, "examples")(Told(), None)
    assert started == [("recipe", {"name": "nava", "rows": None})] and "Nava, a path language" in str(shown)
    path = workspace.new_job_path("recipe")
    running = JobDirectory.create(path, kind="recipe", title="Snake", spec={"name": "snake"}, resource=None)
    with FileLock(running.lock_path):
        running.write_status(Status(State.RUNNING))
        assert "Snake is running" in str(handler(blocks, "examples")(Told(), None)[-1].value)
    assert len(started) == 1
    listed = start_examples.examples_html()
    assert all(f'data-about="{name}"' in listed for name in recipe_names())


def test_a_finished_example_tells_what_it_came_to(workspace: Workspace) -> None:
    done = job(workspace, "recipe", State.SUCCEEDED, {"lines": ["Verdict: better", "  <b> of 3"]})
    assert "Verdict: better\n  &lt;b&gt; of 3" in start_examples.result(workspace, done, done.status())[0]
    assert start_opening.open_job(workspace, done.id) == "start"
