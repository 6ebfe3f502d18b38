"""Sweeps: what runs come of a spec, how they are started, and the table of what came of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from jobs import launcher
from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput, Missing, OutOfRoom
from jobs.workspace import Workspace
from tests.toys import publish_rows
from trainer.sweep import Sweep, SweepSpec, expand, go_on, job_of, list_sweeps, open_sweep, start
from trainer.sweep_table import best, in_order, table

ROW = {"messages": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}]}
BASE = {"model": "embedded", "data": "sums", "optimisation": {"max_steps": 2}}
LR, RANK = "optimisation.learning_rate", "method.rank"


def sweep_of(**values: Any) -> SweepSpec:
    return SweepSpec.parse({"name": "ranks", "base": BASE, **values})


def test_a_grid_gives_every_combination_the_last_option_fastest() -> None:
    runs = expand(sweep_of(grid={LR: [0.001, "1e-4"], RANK: [8, 16]}))
    assert [run.title for run in runs] == [
        "lr 0.001 · rank 8",
        "lr 0.001 · rank 16",
        "lr 0.0001 · rank 8",
        "lr 0.0001 · rank 16",
    ]
    assert [run.spec.method.rank for run in runs] == [8, 16, 8, 16]
    assert runs[2].spec.optimisation.learning_rate == runs[2].values[LR] == 1e-4
    assert {run.spec.optimisation.max_steps for run in runs} == {2}, "the base holds for all"


def test_single_runs_are_run_with_every_combination() -> None:
    runs = expand(sweep_of(runs=[{LR: 1e-3, "name": "fast"}, {"seed": 7}], grid={RANK: [4, 8]}))
    assert [run.title for run in runs] == [
        "lr 0.001 · name fast · rank 4",
        "lr 0.001 · name fast · rank 8",
        "seed 7 · rank 4",
        "seed 7 · rank 8",
    ]
    assert [run.spec.title for run in runs] == ["fast", "fast", "sums", "sums"]


def test_options_of_the_same_last_name_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.sweep.option_names", lambda: ("one.rank", "two.rank"))
    from trainer.sweep import _title

    assert _title({"one.rank": 1, "two.rank": 2}) == "one.rank 1 · two.rank 2"


def test_presets_can_be_compared() -> None:
    runs = expand(sweep_of(grid={"preset": ["quick_lora", "card_8gb"]}))
    assert [run.spec.method.adapter for run in runs] == ["lora", "qlora"]
    assert {run.spec.optimisation.max_steps for run in runs} == {2}, "what is said besides wins over a preset"


def test_every_problem_of_a_sweep_is_listed_with_its_option() -> None:
    spec = sweep_of(
        base={"data": "sums", "max_lenght": 512},
        grid={"method.rang": [1], "rank": [8], LR: [3, "fast", 0.1], "seed": []},
        runs=[{"saving.keep_checkpoints": 0}],
    )
    with pytest.raises(BadInput) as caught:
        expand(spec)
    message = str(caught.value)
    for part in (
        "7 problems",
        "method.rang: unknown option (did you mean method.rank?)",
        "rank: unknown option (did you mean method.rank?)",
        "seed: has no values to try",
        "max_lenght: unknown option (did you mean max_length?)\n",
        "learning_rate: must be more than 0 and at most 1 (given: 3",
        "lr fast]",
        "saving.keep_checkpoints",
    ):
        assert part in message, message


def test_a_problem_that_all_runs_share_is_said_once() -> None:
    with pytest.raises(BadInput) as caught:
        expand(sweep_of(base={}, grid={RANK: list(range(1, 50))}))
    assert caught.value.what.count("data: is required") == 1
    assert "1 problem:" in caught.value.what


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"grid": {RANK: list(range(1, 102)), "seed": [0, 1]}}, "202 runs come of it; at most 200"),
        ({}, "one of them has to say what differs"),
        ({"grid": {RANK: [8, 8]}}, "rank 8: is there twice"),
        ({"runs": [{RANK: 8}, {RANK: 8, "seed": 0}]}, "the same as rank 8"),
        ({"grid": {RANK: [8, 16]}, "runs": [{RANK: 4}]}, "in the grid and in single runs"),
    ],
)
def test_sweeps_that_make_no_sense_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        expand(sweep_of(**values))


@pytest.fixture
def started(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A workspace with a dataset, whose workers end at once instead of training."""
    import sys

    publish_rows(workspace, "sums", [ROW], [ROW])
    monkeypatch.setattr(launcher, "WORKER_COMMAND", [sys.executable, "-c", "pass"])
    yield workspace


def test_starting_queues_a_job_for_each_run_and_keeps_the_sweep(started: Workspace) -> None:
    sweep = start(started, sweep_of(grid={RANK: [4, 8]}), "cpu")
    assert open_sweep(started, sweep.id) == open_sweep(started, sweep.id[-4:]) == sweep == list_sweeps(started)[0]
    jobs = [job_of(started, run) for run in sweep.runs]
    assert [job.header["title"] for job in jobs if job] == ["ranks: rank 4", "ranks: rank 8"]
    assert [job.header["spec"]["method"]["rank"] for job in jobs if job] == [4, 8]
    assert {job.header["resource"] for job in jobs if job} == {"cpu"}


def test_nothing_is_written_when_a_run_cannot_be(started: Workspace) -> None:
    with pytest.raises(Missing, match="no dataset 'other'"):
        start(started, sweep_of(grid={"data": ["sums", "other"]}), "cpu")
    with pytest.raises(BadInput):
        start(started, sweep_of(grid={RANK: [0]}), "cpu")
    assert not started.list_jobs() and not list_sweeps(started)
    with pytest.raises(Missing, match="None was started"):
        open_sweep(started, "x")


def test_a_start_that_fails_half_way_says_what_was_started_and_can_go_on(
    started: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch, count = launcher._launch, iter(range(100))

    def fails_at_third(job: JobDirectory) -> None:
        if next(count) == 2:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        launch(job)

    monkeypatch.setattr(launcher, "_launch", fails_at_third)
    with pytest.raises(OutOfRoom, match="Only 2 of the 4 runs"):
        start(started, sweep_of(grid={RANK: [2, 4, 6, 8]}), "cpu")
    (sweep,) = list_sweeps(started)
    assert [run.job is not None for run in sweep.runs] == [True, True, False, False]
    assert [row.state for row in table(started, sweep)][2:] == ["not started", "not started"]
    done = go_on(started, sweep, "cpu")
    assert done.unstarted == 0 and [run.job for run in done.runs][:2] == [run.job for run in sweep.runs][:2]
    assert open_sweep(started, sweep.id) == done


def test_going_on_resumes_what_was_stopped_and_leaves_the_rest_alone(started: Workspace) -> None:
    sweep = start(started, sweep_of(grid={RANK: [4, 8]}), "cpu")
    stopped, done = (job for run in sweep.runs if (job := job_of(started, run)))
    finish(stopped, State.STOPPED, {})
    finish(done, State.SUCCEEDED, {})
    go_on(started, sweep, "cpu")
    assert stopped.status().state is State.QUEUED
    assert not (done.path / "launched.json").exists(), "what is done is not launched again"


def finish(job: JobDirectory, state: State, figures: dict[str, Any]) -> None:
    """Leave behind what a worker that ended so leaves."""
    (job.path / "launched.json").unlink()
    job.write_status(Status(state, message="Done", updated=0.0))
    if state is State.SUCCEEDED:
        job.write_manifest({"figures": figures, "artifacts": {}, "seconds": 1})


def evaluated(workspace: Workspace, means: dict[str, tuple[float, float, float]], metric: str = "exact_match") -> str:
    """A finished evaluation as the evaluate job leaves it: models by reference with mean and interval."""
    spec = {"models": list(means), "data": "sums"}
    path = workspace.new_job_path("evaluate")
    job = JobDirectory.create(path, kind="evaluate", title="e", spec=spec, resource=None)
    standings = [
        {"name": ref, "kind": "model", "metric": metric, "mean": mean, "low": low, "high": high}
        for ref, (mean, low, high) in means.items()
    ]
    measure = {"metric": metric, "main": True, "unit": "points", "higher_is_better": True, "standings": standings}
    models = [{"name": ref, "ref": ref} for ref in means]
    job.write_resolved({"data": {"value": "sums@abc", "origin": "latest"}})
    job.write_manifest({"figures": {"task": {"name": metric}, "models": models, "measures": [measure]}})
    return job.id


def finished(workspace: Workspace) -> Sweep:
    """A sweep of four: two done, one failed, one waiting."""
    sweep = start(workspace, sweep_of(grid={RANK: [2, 4, 6, 8]}), "cpu")
    first, second, third, _ = (job for run in sweep.runs if (job := job_of(workspace, run)))
    common = {"training_seconds": 90.0, "tokens_per_second": 1000.0, "memory_gb": 3.0}
    finish(first, State.SUCCEEDED, {"final_loss": 0.5, "eval_loss": 0.9, **common})
    finish(second, State.SUCCEEDED, {"final_loss": 0.6, "eval_loss": 0.8, **common, "gpu_memory_gb": 2.0})
    finish(third, State.FAILED, {})
    return sweep


def test_the_table_shows_state_figures_and_the_best_by_held_out_loss(started: Workspace) -> None:
    rows = table(started, finished(started))
    assert [row.state for row in rows] == ["succeeded", "succeeded", "failed", "queued"]
    assert [row.eval_loss for row in rows] == [0.9, 0.8, None, None]
    assert [row.peak_gb for row in rows] == [3.0, 2.0, None, None]
    assert rows[0].minutes == 1.5 and rows[0].values == {RANK: 2}
    found = best(rows)
    assert found is not None and (found.place, found.by) == (1, "held-out loss")
    assert [row.title for row in in_order(rows, "final_loss")] == ["rank 2", "rank 4", "rank 6", "rank 8"]
    assert [row.title for row in in_order(rows, "eval_loss")][:2] == ["rank 4", "rank 2"]


def test_quality_joins_from_evaluations_and_decides_what_is_best(started: Workspace) -> None:
    sweep = finished(started)
    first, second = (str(run.job) for run in sweep.runs[:2])
    job = evaluated(started, {"embedded": (0.2, 0.1, 0.3), f"job:{first}": (0.93, 0.89, 0.962)})
    rows = table(started, sweep)
    assert rows[0].quality is not None and rows[0].quality.text == "93.0% (89.0% to 96.2%)"
    assert rows[0].quality.job == job and rows[1].quality is None
    found = best(rows)
    assert found is not None and found.by == "held-out loss", "one measured run is not compared with any"
    evaluated(started, {f"job:{second[-4:]}": (0.7, 0.6, 0.8)})
    rows = table(started, sweep)
    found = best(rows)
    assert found is not None and (found.place, found.by) == (0, "exact_match")
    assert [row.title for row in in_order(rows, "quality")][:2] == ["rank 2", "rank 4"]


def test_qualities_of_different_tasks_are_not_compared(started: Workspace) -> None:
    sweep = finished(started)
    evaluated(started, {f"job:{sweep.runs[0].job}": (0.1, 0.0, 0.2)})
    evaluated(started, {f"job:{sweep.runs[1].job}": (0.9, 0.8, 1.0)}, metric="decision")
    found = best(table(started, sweep))
    assert found is not None and found.by == "held-out loss"


def test_a_deleted_run_keeps_its_line(started: Workspace) -> None:
    sweep = finished(started)
    job = job_of(started, sweep.runs[0])
    assert job is not None
    job.path.rename(started.root / "elsewhere")
    rows = table(started, sweep)
    assert (rows[0].title, rows[0].state, rows[0].final_loss) == ("rank 2", "deleted", None)
