"""The learning loop on the Serving tab: plans told in words, rounds with their decision, a person's yes or no."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from serving.loop.spec import LoopSpec
from serving.loop.state import Reference, RoundState
from serving.registry.store import Registry
from tests.toys import save_tiny_model
from tests.ui.serving_page import build, error_of, handler
from ui import serving_loop
from ui.drafts import save_draft
from ui.page import Settings
from ui.serving_loop import example_plan, plan_of, plan_text, told_plan, usable_plan

PLAN = """
name: helper-loop
model: helper
when: {min_new: 200, every_hours: 24}
train: {method: {rank: 8}}
regression: {data: d@0123456789ab}
"""


@pytest.fixture
def waiting(workspace: Workspace, tiny_model: Path, tmp_path: Path) -> JobDirectory:
    """A round that passed and waits, as its worker leaves it."""
    registry = Registry(workspace)
    registry.register("helper", str(tiny_model))
    registry.promote("helper", 1, "first")
    registry.register("helper", str(save_tiny_model(tmp_path / "new", hidden_size=32)))
    plan = LoopSpec.parse(serving_loop.values_in(LoopSpec, PLAN))
    job = JobDirectory.create(
        workspace.new_job_path("loop"),
        kind="loop",
        title="helper-loop: round",
        spec=plan.model_dump(mode="json"),
        resource=None,
    )
    reference = Reference("helper@1", 1, str(tiny_model), None, None)
    RoundState(job.path).note(reference=reference, version=2, children={"build_new": "gone", "train": "gone-too"})
    sentence = "Better on the new chats, and worse nowhere: <b>by 12 points</b>"
    figures: dict[str, Any] = {
        "outcome": "waiting",
        "sentence": sentence,
        "version": "helper@2",
        "against": "helper@1",
        "chosen": {"sentence": "210 chats of 9 users"},
        "findings": {"new": {"about": "the new chats", "outcome": "better", "sentence": "better by 12 points"}},
    }
    job.write_status(Status(State.SUCCEEDED, message=sentence))
    job.write_manifest({"figures": figures, "artifacts": {}, "seconds": 1, "finished": 1})
    return job


def shown(workspace: Workspace, job: JobDirectory) -> list[Any]:
    return serving_loop.result(workspace, job, job.status())


def test_a_plan_is_told_in_words_and_so_is_every_problem_of_it() -> None:
    words = told_plan(PLAN)
    assert "as soon as there are 200 new rated chats or every 24 hours" in words and "waits for your approval" in words
    assert "No plan yet" in told_plan(" ")
    wrong = told_plan("name: Helper\nmodel: helper@2\nwhen: {}\nregression: {data: d}")
    assert all(part in wrong for part in ("lower-case", "without a version", "say every_hours", "name a version too"))
    assert "line 2 is not YAML" in told_plan("name: a\n  model: [")


def test_the_example_is_a_valid_plan_for_what_is_in_production(workspace: Workspace, tiny_model: Path) -> None:
    assert "No plan" not in told_plan(example_plan(workspace))
    Registry(workspace).register("Helper.v2", str(tiny_model))
    Registry(workspace).promote("Helper.v2", 1, "first")
    plan = LoopSpec.parse(serving_loop.values_in(LoopSpec, example_plan(workspace)))
    assert plan.model == "Helper.v2" and plan.name == "helper-v2-loop"
    press = handler(build(workspace), "example-plan")
    assert press(None)[0] == plan_text(workspace)
    assert "would replace it" in error_of(press(None))


def test_a_round_shows_its_decision_findings_and_steps(workspace: Workspace, waiting: JobDirectory) -> None:
    html, column = shown(workspace, waiting)
    assert "Better on the new chats" in html and "&lt;b&gt;by 12 points" in html and "210 chats of 9 users" in html
    assert "job gone, deleted" in html and column.visible
    listed = serving_loop.rounds_html(serving_loop.rounds(workspace), waiting.id)
    assert "waits for you" in listed and "helper@2" in listed


def test_approving_puts_the_version_into_production(workspace: Workspace, waiting: JobDirectory) -> None:
    done = handler(build(workspace), "approve-round")(None, "looks right")
    assert error_of(done) == "" and done[1].visible is False and "approved" in done[0]
    assert Registry(workspace).resolve("helper").number == 2
    again = handler(build(workspace), "approve-round")(None, "")
    assert "doesn&#x27;t wait for approval" in error_of(again)
    assert shown(workspace, waiting)[1].visible is False


def test_rejecting_needs_a_reason_and_retires_the_version(workspace: Workspace, waiting: JobDirectory) -> None:
    press = handler(build(workspace), "reject-round")
    assert "No reason is given" in error_of(press(None, " "))
    assert shown(workspace, waiting)[1].visible
    press(None, "it stammers")
    assert Registry(workspace).get("helper", 2).stage == "retired"
    assert Registry(workspace).resolve("helper").number == 1


def test_a_round_gives_its_plan_back_as_yaml(waiting: JobDirectory) -> None:
    again = LoopSpec.parse(serving_loop.values_in(LoopSpec, plan_of(waiting)))
    assert again == LoopSpec.parse(waiting.header["spec"])


def test_a_plan_that_can_not_be_carried_out_starts_nothing(workspace: Workspace) -> None:
    blocks = build(workspace)
    for elem_id, values in (("begin-round", [PLAN, True]), ("watch-plan", [PLAN])):
        assert "The registry has no helper" in error_of(handler(blocks, elem_id)(None, *values))
        assert "There is no plan" in error_of(handler(blocks, elem_id)(None, " ", *values[1:]))
    assert not workspace.list_jobs("loop") and not workspace.list_jobs("loop.watch")
    assert "There is no newly rated chat" in handler(blocks, "is-due")(None, PLAN)[0]


def test_a_plan_may_not_name_code_or_files_of_elsewhere(workspace: Workspace, tmp_path: Path) -> None:
    here, others = Settings(workspace.root), Settings(workspace.root, local=False)
    with pytest.raises(BadInput, match="can't be used on the page"):
        usable_plan(here, workspace, f"{PLAN}new_task: os.path\n")
    assert usable_plan(here, workspace, f"{PLAN}new_task: recipes.snake.task\n").new_task == "recipes.snake.task"
    for data in (
        f"sources: [{{path: {tmp_path}/rows.jsonl}}]",
        "sources: [{path: ../x.csv}]",
        "contamination: [/x.csv]",
    ):
        rows = f"{PLAN}data: {{{data}}}\n"
        usable_plan(here, workspace, rows)
        with pytest.raises(BadInput, match="outside the workspace"):
            usable_plan(others, workspace, rows)
    with pytest.raises(Missing, match="There is no plan"):
        usable_plan(here, workspace, "")


def test_the_demo_begins_and_watches_no_round(workspace: Workspace) -> None:
    blocks = build(workspace, demo=True)
    for elem_id, values in (("begin-round", [PLAN, False]), ("watch-plan", [PLAN]), ("approve-round", [""])):
        assert "can&#x27;t be done in the demo" in error_of(handler(blocks, elem_id)(None, *values))


def test_what_was_written_stays_when_a_round_is_looked_at(workspace: Workspace, waiting: JobDirectory) -> None:
    class Told:
        _data = {"action": "choose", "about": waiting.id}  # noqa: RUF012 - as Gradio has it

    press = handler(build(workspace), "rounds")
    assert "helper-loop" in press(Told(), None)[0]
    save_draft(workspace, serving_loop.TAB, plan="name: mine")
    assert press(Told(), None)[0] == "name: mine"
