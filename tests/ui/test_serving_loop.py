"""The learning loop on the Serving tab: plans told in words, rounds with their decision, a person's yes or no."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput
from jobs.workspace import Workspace
from serving.loop.spec import LoopSpec
from serving.loop.state import Reference, RoundState
from serving.registry.store import Registry
from tests.toys import publish_rows, save_tiny_model
from tests.ui.serving_page import build, error_of, handler
from ui import serving_loop, serving_plan
from ui.form import Form, enter
from ui.layers import values_in
from ui.page import Page, Settings
from ui.serving_plan import allowed_plan, told_plan

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
    plan = LoopSpec.parse(values_in(LoopSpec, PLAN))
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


def values_on_screen(workspace: Workspace) -> list[Any]:
    """What the form's fields show, in their order."""
    form = form_of(workspace)
    return form.initial(workspace)[: len(form.inputs)]


def form_of(workspace: Workspace) -> Form:
    with gr.Blocks():
        return serving_plan.lay_out(Page(Settings(workspace.root), gr.Tabs(), gr.Textbox()))


def told(workspace: Workspace, **entered: Any) -> str:
    """What the page says of the plan after `entered`, with __ for the dots of names."""
    form = form_of(workspace)
    raw = {**form.shows(workspace), **{name.replace("__", "."): value for name, value in entered.items()}}
    return told_plan(workspace, form, raw)


@pytest.fixture
def served(workspace: Workspace, tiny_model: Path) -> str:
    """A model in production that nothing is known of, and a dataset; the dataset's version."""
    Registry(workspace).register("Helper.v2", str(tiny_model))
    Registry(workspace).promote("Helper.v2", 1, "first")
    return publish_rows(workspace, "fixed", [conversation("A?")], [conversation(f"{n}?") for n in range(24)]).id


def test_the_form_begins_with_a_plan_for_what_is_in_production(workspace: Workspace, served: str) -> None:
    words = told(workspace)
    assert "Helper.v2" in words and "as soon as there are 200 new rated chats" in words
    assert "waits for your approval" in words
    form = form_of(workspace)
    plan = form.parse(workspace, values_on_screen(workspace))
    assert isinstance(plan, LoopSpec)
    assert (plan.model, plan.name, plan.interactions.min_rating) == ("Helper.v2", "helper-v2-loop", 4)
    assert plan.regression.data == served, "it knows of none, so the newest"
    assert serving_plan.question_options(workspace)[-1] == (serving_plan.OWN_QUESTIONS, "")
    assert form.from_yaml(form.as_yaml(workspace, values_on_screen(workspace))) == form.shows(workspace)


def test_what_is_entered_is_told_and_so_is_every_problem_of_it(workspace: Workspace, served: str) -> None:
    assert "or every 24 hours" in told(workspace, when__every_hours=24, regression__data=served)
    wrong = told(workspace, name="Helper", train="rank 8", when__min_new=None)
    assert all(part in wrong for part in ("lower-case", "say every_hours", "takes lines such as `name: value`"))
    assert "every round decides on that itself" in told(workspace, train="data: d")
    form = form_of(workspace)
    typed = {**form.shows(workspace), "train": "method: {rank: 8}\nseed: 3"}
    plan = form.parse(workspace, [typed[path] for path in form.components])
    assert isinstance(plan, LoopSpec) and plan.train == {"method": {"rank": 8}, "seed": 3}


def test_without_a_model_in_production_it_says_what_to_do(workspace: Workspace) -> None:
    assert "register it under “Models” and promote it" in told(workspace)


def test_a_round_shows_its_decision_findings_and_steps(workspace: Workspace, waiting: JobDirectory) -> None:
    html, column, _ = shown(workspace, waiting)
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


def test_a_round_gives_its_plan_back(workspace: Workspace, waiting: JobDirectory) -> None:
    blocks = build(workspace)
    shown_yaml = handler(blocks, "take-plan")(None)
    form = form_of(workspace)
    assert form.parse(workspace, values_on_screen(workspace)) == LoopSpec.parse(waiting.header["spec"])
    assert "helper-loop" in str(shown_yaml)


def test_a_plan_that_can_not_be_carried_out_starts_nothing(workspace: Workspace, tiny_model: Path) -> None:
    blocks = build(workspace)
    empty = values_on_screen(workspace)
    for elem_id, values in (("begin-round", [True, *empty]), ("watch-plan", empty)):
        assert "No model is in production" in error_of(handler(blocks, elem_id)(None, *values))
    Registry(workspace).register("helper", str(tiny_model))
    Registry(workspace).promote("helper", 1, "first")
    values = values_on_screen(workspace)
    for elem_id, given in (("begin-round", [True, *values]), ("watch-plan", values)):
        assert "names no dataset" in error_of(handler(blocks, elem_id)(None, *given))
    assert not workspace.list_jobs("loop") and not workspace.list_jobs("loop.watch")
    assert "There is no newly rated chat" in handler(blocks, "is-due")(None, *values)[0]


def test_a_plan_may_not_name_code_or_files_of_elsewhere(workspace: Workspace, tmp_path: Path) -> None:
    here, others = Settings(workspace.root), Settings(workspace.root, local=False)

    def allowed(settings: Settings, more: str) -> LoopSpec:
        return allowed_plan(settings, workspace, LoopSpec.parse(values_in(LoopSpec, f"{PLAN}{more}\n")))

    with pytest.raises(BadInput, match="can't be used on the page"):
        allowed(here, "new_task: os.path")
    assert allowed(here, "new_task: recipes.snake.task").new_task == "recipes.snake.task"
    for data in (
        f"sources: [{{path: {tmp_path}/rows.jsonl}}]",
        "sources: [{path: ../x.csv}]",
        "contamination: [/x.csv]",
    ):
        allowed(here, f"data: {{{data}}}")
        with pytest.raises(BadInput, match="outside the workspace"):
            allowed(others, f"data: {{{data}}}")


def test_the_demo_begins_and_watches_no_round(workspace: Workspace) -> None:
    blocks = build(workspace, demo=True)
    values = values_on_screen(workspace)
    for elem_id, given in (("begin-round", [False, *values]), ("watch-plan", values), ("approve-round", [""])):
        assert "can&#x27;t be done in the demo" in error_of(handler(blocks, elem_id)(None, *given))


def test_what_was_entered_stays_when_a_round_is_looked_at(workspace: Workspace, waiting: JobDirectory) -> None:
    class Told:
        _data = {"action": "choose", "about": waiting.id}  # noqa: RUF012 - as Gradio has it

    enter(workspace, serving_plan.TAB, {"name": "mine"})
    assert "helper@2" in str(handler(build(workspace), "rounds")(Told(), None)[0])
    shown = dict(zip(form_of(workspace).components, values_on_screen(workspace), strict=True))
    assert shown["name"] == "mine"


def conversation(question: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": "yes."}]}
