"""Experiments on the Serving tab: started from the form, told with intervals, stopped after one question."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from serving.experiments import Experiments, ExperimentSpec, Outcome
from serving.spec import ServeSpec
from tests.ui.serving_page import build, count_inputs, error_of, handler
from ui import serving_experiments
from ui.drafts import read_draft, save_draft
from ui.page import SKIP, Settings
from ui.serving_choice import keep_models, require_startable
from ui.serving_experiments import ALL, served_arms, started, stopped
from ui.serving_experiments_view import mean_told

SPEC = {
    "name": "short-answers",
    "arms": [{"model": "small", "percentage": 50}, {"model": "large", "percentage": 50, "name": "<large>"}],
    "outcome": "rating",
    "window_hours": 1,
}


@pytest.fixture(autouse=True)
def nothing_drawn() -> Iterator[None]:
    serving_experiments._DRAWINGS.forget()
    yield
    serving_experiments._DRAWINGS.forget()


def run_with_users(workspace: Workspace, users: int) -> Experiments:
    """Each user asks once, long enough ago to count; the second arm's answers are rated better."""
    experiments = Experiments(workspace)
    started(workspace, ExperimentSpec.parse(SPEC))
    then = time.time() - 10_000
    for number in range(users):
        assignment = experiments.assign("short-answers", f"user-{number}", None)
        experiments.expose(assignment, f"r{number}", then + number)
        good = assignment.arm == "<large>"
        experiments.record(f"r{number}", Outcome(error=False, seconds=1.0, rating=5 if good else 2), then + number + 1)
    return experiments


def results(workspace: Workspace) -> str:
    return str(serving_experiments.show(workspace)[1])


def test_without_experiments_it_says_what_to_do(workspace: Workspace) -> None:
    listed, drawn, column, _, cursor = serving_experiments.show(workspace)
    assert "No experiment yet" in listed and drawn == "" and column["visible"] is False
    assert serving_experiments.show(workspace, cursor) == [SKIP] * 5
    with pytest.raises(Missing, match="No experiment is chosen"):
        stopped(workspace, ALL, "")


def test_the_form_begins_with_the_served_models_in_equal_parts(workspace: Workspace) -> None:
    assert served_arms(workspace) == {}, "one model is nothing to compare"
    keep_models(workspace, ["a=embedded", "b=embedded", "c=embedded"])
    arms = served_arms(workspace)["arms"]
    assert ExperimentSpec.parse({**SPEC, "arms": arms}).shares == {"a": 33.3, "b": 33.3, "c": 33.4}


def test_a_verdict_stands_first_and_no_mean_without_its_interval(workspace: Workspace) -> None:
    run_with_users(workspace, 200)
    html = results(workspace)
    assert "&lt;large&gt; is better than small by" in html and "always-valid 95 % interval" in html
    assert "5.00 stars" in html and "2.00 stars" in html and "looked at any time" in html
    assert "control" in html and "An arm that surely fails on more than 10 % of requests" in html
    assert "<large>" not in html


def test_nothing_is_claimed_while_no_user_counts_yet(workspace: Workspace) -> None:
    run_with_users(workspace, 0)
    html = results(workspace)
    assert "nothing can be said yet" in html and "nothing yet" in html


def test_starting_one_has_the_next_server_share_requests_out(workspace: Workspace) -> None:
    keep_models(workspace, ["small=embedded", "large=embedded"])
    started(workspace, ExperimentSpec.parse(SPEC))
    assert read_draft(workspace, "serving")["form"]["experiment"] == "short-answers"
    spec = ServeSpec.parse({"models": ["small=embedded"], "experiment": "short-answers"})
    with pytest.raises(BadInput, match="compares small, large"):
        require_startable(Settings(workspace.root), workspace, spec)
    both = spec.model_copy(update={"models": ("small=embedded", "large=embedded")})
    require_startable(Settings(workspace.root), workspace, both)
    with pytest.raises(Missing, match="no experiment 'other'"):
        require_startable(Settings(workspace.root), workspace, both.model_copy(update={"experiment": "other"}))


def test_every_problem_of_the_form_is_told_and_its_yaml_has_no_salt(workspace: Workspace) -> None:
    blocks = build(workspace)
    press = handler(blocks, "start-experiment")
    values = [None] * count_inputs(blocks, "start-experiment")
    told = error_of(press(None, *values))
    assert "problems:" in told and "name: " in told and "arms: " in told and not Experiments(workspace).list_all()
    spec = ExperimentSpec.parse(SPEC)
    assert "salt" not in serving_experiments._without_salt(spec)
    assert ExperimentSpec.parse(serving_experiments._without_salt(spec)).shares == spec.shares


def test_stopping_asks_once_and_tells_why_it_was_stopped(workspace: Workspace) -> None:
    experiments = run_with_users(workspace, 4)
    blocks = build(workspace)
    question = handler(blocks, "stop-experiment")(None, "<large>")
    assert "Stop &lt;large&gt;" in question[0] and experiments.find("short-answers").stopped_arms == {}
    handler(blocks, "stop-for-good")(None, question[2], "it rambles")
    assert experiments.find("short-answers").stopped_arms == {"<large>": "it rambles"}
    assert "was stopped: it rambles" in results(workspace)
    done = handler(blocks, "stop-for-good")(None, ALL, "")
    assert not experiments.find("short-answers").running and done[6]["visible"] is False
    assert "was stopped: stopped by hand" in results(workspace)


def test_a_refused_stop_keeps_the_reason_where_it_was_typed(workspace: Workspace) -> None:
    run_with_users(workspace, 0)
    answer = handler(build(workspace), "stop-for-good")(None, "small", "because")
    assert "can&#x27;t be stopped" in error_of(answer) and answer[3] == SKIP


def test_the_demo_starts_and_stops_none(workspace: Workspace) -> None:
    blocks = build(workspace, demo=True)
    values = [None] * count_inputs(blocks, "start-experiment")
    for elem_id, given in (("start-experiment", values), ("stop-for-good", [ALL, ""])):
        assert "can&#x27;t be done in the demo" in error_of(handler(blocks, elem_id)(None, *given))


def test_an_experiment_that_was_chosen_stays_chosen(workspace: Workspace) -> None:
    started(workspace, ExperimentSpec.parse(SPEC))
    started(workspace, ExperimentSpec.parse({**SPEC, "name": "second"}))
    assert serving_experiments.chosen_name(workspace) == "second"
    save_draft(workspace, serving_experiments.TAB, chosen="short-answers")
    assert "<h3>short-answers" in results(workspace)
    save_draft(workspace, serving_experiments.TAB, chosen="deleted")
    assert serving_experiments.chosen_name(workspace) in ("second", "short-answers")


def test_means_are_told_in_peoples_units() -> None:
    assert mean_told("rating", 0.75) == "4.00 stars"
    assert mean_told("success", 0.25) == "25.0 %"
    assert mean_told("latency", 1 / 3) == "2.00 s"
    assert mean_told("length", 2.0) == "64 tokens"
    assert mean_told("rating", None) == "–"
