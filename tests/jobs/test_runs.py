"""What a person does with finished jobs: say something of them, find them, compare, delete, bring back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from jobs import bin as job_bin
from jobs.annotations import Annotations, annotate, annotations_of, search, split_tags
from jobs.compare import Difference, clone, compare, differences
from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput, Missing
from jobs.files import read_json_again, write_json
from jobs.workspace import Workspace


def finished(workspace: Workspace, title: str, kind: str = "train", **spec: Any) -> JobDirectory:
    place = workspace.new_job_path(kind)
    job = JobDirectory.create(place, kind=kind, title=title, spec=spec, resource=None)
    job.write_status(Status(State.SUCCEEDED))
    return job


def test_tags_and_note_are_kept_in_the_jobs_folder_each_by_itself(workspace: Workspace) -> None:
    job = finished(workspace, "one")
    assert annotations_of(job) == Annotations()
    annotate(job, tags=split_tags("good, #snake , good,"))
    annotate(job, note="  rank 32 was enough  ")
    assert annotations_of(JobDirectory(job.path)) == Annotations(("good", "snake"), "rank 32 was enough")
    annotate(job, tags=[])
    assert annotations_of(job) == Annotations((), "rank 32 was enough")


def test_what_can_not_be_kept_is_refused_and_nothing_is_lost(workspace: Workspace) -> None:
    job = finished(workspace, "one")
    annotate(job, tags=["kept"], note="kept")
    for wrong in ({"tags": ["x" * 41]}, {"tags": [str(number) for number in range(21)]}, {"note": "x" * 4001}):
        with pytest.raises(BadInput):
            annotate(job, **wrong)  # type: ignore[arg-type]
    assert annotations_of(job) == Annotations(("kept",), "kept")


@pytest.mark.parametrize("text", ["snake", "RANK 32", "qwen", "alpaca", "good", "succeeded snake", ""])
def test_a_job_is_found_by_title_note_model_dataset_tag_and_state(workspace: Workspace, text: str) -> None:
    job = finished(workspace, "Snake run", model="Qwen/Qwen3-0.6B", data="alpaca@1")
    annotate(job, tags=["good"], note="rank 32 was enough")
    assert [found.id for found in search(workspace.list_jobs(), text)] == [job.id]


def test_a_job_is_not_found_when_one_of_the_words_is_missing(workspace: Workspace) -> None:
    finished(workspace, "Snake run", model="embedded", data="alpaca")
    assert search(workspace.list_jobs(), "snake failed") == []


def test_a_deleted_job_is_gone_from_the_list_and_comes_back_whole(workspace: Workspace) -> None:
    job = finished(workspace, "one")
    (job.path / "adapter").mkdir()
    (job.path / "adapter" / "weights").write_bytes(b"x" * 1000)
    job_bin.delete(workspace, job)
    assert workspace.list_jobs() == []
    (held,) = job_bin.in_bin(workspace)
    assert held.job.id == job.id and held.size_bytes > 1000
    back = job_bin.restore(workspace, job.id[-4:])
    assert back.path == job.path and (back.path / "adapter" / "weights").read_bytes() == b"x" * 1000
    assert back.status().state is State.SUCCEEDED


def test_a_job_that_a_worker_holds_is_not_deleted(workspace: Workspace) -> None:
    job = finished(workspace, "one")
    job.write_status(Status(State.RUNNING))
    with FileLock(job.lock_path), pytest.raises(BadInput, match="Stop it first"):
        job_bin.delete(workspace, job)
    assert job.path.is_dir()


def test_emptying_says_how_much_came_free_and_leaves_the_other_jobs(workspace: Workspace) -> None:
    kept, gone = finished(workspace, "kept"), finished(workspace, "gone")
    (gone.path / "model").write_bytes(b"x" * 5000)
    job_bin.delete(workspace, gone)
    assert 5000 < job_bin.empty(workspace) < 10_000
    assert job_bin.in_bin(workspace) == []
    assert [job.id for job in workspace.list_jobs()] == [kept.id]
    with pytest.raises(Missing, match="is empty"):
        job_bin.restore(workspace, gone.id)


def test_a_name_that_leads_out_of_the_bin_restores_nothing(workspace: Workspace) -> None:
    job = finished(workspace, "one")
    with pytest.raises(Missing):
        job_bin.restore(workspace, f"../jobs/{job.id}")


def test_evaluations_exports_and_trainings_that_name_a_job_are_its_dependants(workspace: Workspace) -> None:
    job, other = finished(workspace, "base"), finished(workspace, "other", model="embedded")
    evaluation = finished(workspace, "e", "evaluate", models=["embedded", f"job:{job.id}"])
    export = finished(workspace, "x", "export", job=job.id)
    later = finished(workspace, "dpo", model=f"job:{job.id[-6:]}")
    by_path = finished(workspace, "path", model=f"adapter:{job.path}/adapter")
    found = {each.id for each in job_bin.dependants(workspace, job)}
    assert found == {evaluation.id, export.id, later.id, by_path.id}
    assert job_bin.dependants(workspace, other) == []


def test_only_the_options_that_differ_are_told_by_their_dotted_names() -> None:
    first = {"model": "a", "method": {"rank": 8, "alpha": 32}, "layers": ["q", "v"], "only": 1}
    second = {"model": "a", "method": {"rank": 16, "alpha": 32}, "layers": ["q"], "method2": None}
    assert differences(first, second) == [
        Difference("method.rank", 8, 16),
        Difference("layers", ["q", "v"], ["q"]),
        Difference("only", 1, None),
    ]


def test_two_jobs_compare_by_spec_by_what_they_used_and_by_their_figures(workspace: Workspace) -> None:
    first, second = finished(workspace, "a", rank=8), finished(workspace, "b", rank=8)
    first.write_resolved({"learning_rate": {"value": 1e-4, "origin": "default"}})
    second.write_resolved({"learning_rate": {"value": 2e-4, "origin": "asked for"}})
    first.write_manifest({"figures": {"eval_loss": 1.5, "message": "Done"}})
    second.append_event({"type": "metric", "attempt": 1, "step": 1, "time": 0.0, "eval_loss": 1.2})
    found = compare(first, second)
    assert found.spec == []
    assert found.resolved == [Difference("learning_rate", 1e-4, 2e-4)]
    assert found.figures == [Difference("eval_loss", 1.5, 1.2)]


def test_a_clone_is_its_own(workspace: Workspace) -> None:
    job = finished(workspace, "a", method={"rank": 8})
    copied = clone(job)
    copied.spec["method"]["rank"] = 99
    assert job.header["spec"] == {"method": {"rank": 8}} and copied.title == "a"


def test_a_file_that_was_replaced_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert read_json_again(path) is None
    for value in ("x", "y", "z"):
        write_json(path, value)
        assert read_json_again(path) == value
    path.unlink()
    assert read_json_again(path) is None
