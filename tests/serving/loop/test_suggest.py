"""A suggested plan repeats how the version in production was trained and judged, and says what it can't know."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.directory import JobDirectory, State, Status
from jobs.errors import Missing
from jobs.files import write_json
from jobs.workspace import Workspace
from serving.loop.spec import LoopSpec
from serving.loop.suggest import suggested_plan
from serving.registry import Registry
from tests.serving.loop.conftest import plan_values, write_training
from tests.toys import publish_rows


@pytest.fixture
def trained(place: Workspace, base: Path) -> JobDirectory:
    """A training with options of its own, on the dataset `fixed`."""
    options = {
        "model": str(base),
        "data": plan_values(place)["regression"]["data"],
        "name": "Helper",
        "max_length": 256,
        "method": {"objective": "sft", "adapter": "lora", "rank": 4},
    }
    job = JobDirectory.create(place.new_job_path("train"), kind="train", title="Helper", spec=options, resource=None)
    write_training(job, base, options["data"])
    return job


def evaluated(place: Workspace, trained: JobDirectory, data: str, **task: str) -> JobDirectory:
    """A finished evaluation of it, as its worker leaves it."""
    spec = {"models": [f"job:{trained.id}"], "data": data, "batch_size": 4, **task}
    job = JobDirectory.create(place.new_job_path("evaluate"), kind="evaluate", title="e", spec=spec, resource=None)
    job.write_resolved({"data": {"value": data}})
    standing = {"kind": "model", "name": "Helper", "mean": 1.5, "low": 1.0, "high": 2.0}
    figures = {
        "models": [{"name": "Helper", "ref": f"job:{trained.id}"}],
        "task": {"name": "perplexity"},
        "measures": [{"metric": "nll", "main": True, "unit": "nats", "standings": [standing], "verdicts": []}],
    }
    job.write_status(Status(State.SUCCEEDED))
    job.write_manifest({"figures": figures, "artifacts": {}, "seconds": 1, "finished": 1})
    return job


def test_it_trains_and_judges_as_the_one_in_production(place: Workspace, trained: JobDirectory) -> None:
    data = plan_values(place)["regression"]["data"]
    evaluated(place, trained, data, task="perplexity")
    evaluated(place, trained, "general", task="general")
    registry = Registry(place)
    registry.register("My.Helper", f"job:{trained.id}")
    registry.promote("My.Helper", 1, "first")
    values = suggested_plan(place, "My.Helper")
    plan = LoopSpec.parse(values)
    assert (plan.name, plan.model) == ("my-helper-loop", "My.Helper")
    assert plan.train == {"max_length": 256, "method": {"rank": 4}}, "the base, the data and the name are the round's"
    assert (plan.new_task, plan.regression.task, plan.regression.data) == ("perplexity", "perplexity", data)
    assert plan.new_options == plan.regression.options == {"batch_size": 4}


def test_a_task_that_is_the_default_is_kept_as_well(place: Workspace, trained: JobDirectory) -> None:
    """Rows with long answers would be asked for perplexity, were it not for what was asked before."""
    said = {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "because " * 20}]}
    data = publish_rows(place, "long", [said], [said]).id
    judging = evaluated(place, trained, data)
    registry = Registry(place)
    registry.register("helper", f"job:{trained.id}")
    registry.promote("helper", 1, "first")
    assert suggested_plan(place, "helper")["new_task"] == "exact_match"
    write_json(judging.path / "spec.json", {**judging.header, "spec": {"gone": "since"}})
    assert suggested_plan(place, "helper")["new_task"] == "perplexity"


def test_one_that_was_never_judged_is_asked_what_suits_its_rows(place: Workspace, trained: JobDirectory) -> None:
    registry = Registry(place)
    registry.register("helper", f"job:{trained.id}")
    registry.promote("helper", 1, "first")
    plan = LoopSpec.parse(suggested_plan(place, "helper"))
    assert plan.regression.data == plan_values(place)["regression"]["data"] and plan.new_task == "exact_match"


def test_what_it_was_made_of_may_be_gone(place: Workspace) -> None:
    values = suggested_plan(place, "bot")  # trained on old@v, which isn't there
    assert values["regression"]["data"] == "" and values["new_task"] == "exact_match"
    with pytest.raises(Missing, match="nobody"):
        suggested_plan(place, "nobody")
