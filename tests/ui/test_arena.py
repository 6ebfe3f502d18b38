"""The arena on the page: what it shows of the votes, and the one click from votes to a training."""

from __future__ import annotations

from typing import Any

import pytest

from datasets_src.interactions.records import Vote
from datasets_src.interactions.store import Interactions
from datasets_src.store import open_version
from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from trainer.spec import TrainSpec
from ui.arena_panel import build_pairs, rated, show, training_spec
from ui.arena_view import arena_html


def trained(workspace: Workspace, title: str) -> str:
    """A finished training, as far as lists of trainings look at one; its reference."""
    path = workspace.new_job_path("train")
    spec = TrainSpec.parse({"model": "embedded", "data": "mine", "max_length": 300}).model_dump(mode="json")
    job = JobDirectory.create(path, kind="train", title=title, spec=spec, resource=None)
    job.write_status(Status(State.SUCCEEDED))
    return f"job:{job.id}"


def vote(workspace: Workspace, number: int, preferred: Any, model_b: str) -> None:
    prompt = [{"role": "user", "content": f"Question {number}?"}]
    texts = (f"Answer {number}.", f"Another answer to {number}.")
    Interactions(workspace).vote(
        Vote(prompt, *texts, preferred, "embedded", model_b, conversation=f"c{number}", blind=True)
    )


def test_without_votes_the_page_says_how_to_vote(workspace: Workspace) -> None:
    html, button, _ = show(workspace)
    assert "No votes yet" in html and button.visible is False


def test_models_are_rated_under_the_names_that_people_know(workspace: Workspace) -> None:
    model = trained(workspace, "Snake player")
    for number in range(30):
        vote(workspace, number, "b" if number % 5 else "a", model)
    standing = rated(workspace, list(Interactions(workspace).find_votes()))
    assert [each["model"] for each in standing["ratings"]] == ["Snake player", "embedded"]
    html = arena_html(standing)
    assert "30 votes, 30 of them blind" in html and "Settled: Snake player is better than embedded" in html
    assert "80 % <span class='quiet'>of 30</span>" in html and "job:" not in html
    shown, button, cursor = show(workspace)
    assert shown == html and button.visible is True
    assert show(workspace, cursor)[0] != html, "nothing is drawn again while no vote was given"


def test_one_click_makes_pairs_of_the_votes_and_fills_in_a_dpo_training(workspace: Workspace) -> None:
    model = trained(workspace, "Snake player")
    for number in range(24):
        vote(workspace, number, "tie" if number % 4 == 0 else "b", model)
    words = list(build_pairs(workspace))
    assert words and all("Building the pairs" in each for each in words)
    version = open_version(workspace, "votes")
    assert version.train_rows + version.eval_rows == 18
    spec = TrainSpec.parse(training_spec(workspace))
    assert (spec.model, spec.data, spec.method.objective, spec.max_length) == (model, "votes", "dpo", 300)


def test_votes_that_prefer_nothing_are_no_ground_for_a_training(workspace: Workspace) -> None:
    vote(workspace, 1, "bad", trained(workspace, "Snake player"))
    with pytest.raises(BadInput, match="no pair to learn from"):
        list(build_pairs(workspace))


def test_without_a_training_there_is_nothing_to_go_on_from(workspace: Workspace) -> None:
    vote(workspace, 1, "a", "gguf")
    with pytest.raises(Missing, match="no trained model"):
        training_spec(workspace)
