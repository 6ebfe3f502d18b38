"""A recipe as a job: its steps are jobs, what is done is not done again, and one that fails stops what follows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datasets_src.spec import DatasetSpec
from jobs.context import JobContext
from jobs.directory import JobDirectory, State, Status
from jobs.errors import Missing, Stopped
from jobs.files import write_text
from jobs.workspace import Workspace
from recipes import job as recipe_job
from recipes.coder import teachers
from recipes.recipe import Outcome, Progress, Recipe, Run, Step
from recipes.spec import RecipeSpec

done: list[str] = []


def _write(run: Run, progress: Progress) -> None:
    done.append("rows")
    rows = [{"prompt": f"{number} + 1?", "completion": str(number + 1)} for number in range(run.rows)]
    write_text(run.workspace.uploads / "toy" / "rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    progress(1.0, "written")


def _build(name: str, file: str) -> Any:
    def spec(run: Run) -> DatasetSpec:
        return DatasetSpec.parse({"name": name, "sources": [{"path": str(run.workspace.uploads / "toy" / file)}]})

    return spec


def toy(second: str = "rows.jsonl") -> Recipe:
    """Two datasets, the second of the file `second`."""
    return Recipe(
        name="toy",
        title="Toy",
        about="Two datasets.",
        rows=60,
        size="Rows.",
        rows_name="Toy rows",
        write_rows=_write,
        steps=(
            Step("one", "First dataset", "data.build", "one", _build("one", "rows.jsonl")),
            Step("two", "Second dataset", "data.build", "two", _build("two", second), lambda _: done.append("before")),
        ),
        outcome=lambda run: Outcome([f"Built of {run.rows} rows"], {"size": run.figures("two")["train_rows"]}),
    )


@pytest.fixture
def begun(workspace: Workspace) -> JobDirectory:
    done.clear()
    spec = RecipeSpec(name="toy").model_dump(mode="json")
    job = JobDirectory.create(workspace.new_job_path("recipe"), kind="recipe", title="Toy", spec=spec, resource=None)
    job.write_status(Status(State.RUNNING))
    return job


def test_its_steps_are_jobs_and_none_is_repeated(begun: JobDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace.of_job(begun.path)
    monkeypatch.setattr(recipe_job, "load_recipe", lambda _: toy("missing.jsonl"))
    with pytest.raises(Missing, match="two did not end well") as raised:
        recipe_job.run(JobContext(begun, attempt=1, started=0.0))
    assert "goes on with this step" in str(raised.value)
    assert done == ["rows", "before"] and len(workspace.list_jobs("data.build")) == 2

    rows = workspace.uploads / "toy" / "rows.jsonl"
    (workspace.uploads / "toy" / "missing.jsonl").write_bytes(rows.read_bytes())
    figures = recipe_job.run(JobContext(begun, attempt=2, started=0.0))
    assert done == ["rows", "before"] and len(workspace.list_jobs("data.build")) == 2
    begun.write_manifest({"figures": figures, "artifacts": {}, "seconds": 3})
    whole = recipe_job.as_json(begun)
    assert [stage["name"] for stage in whole["stages"]] == ["Toy rows", "First dataset", "Second dataset"]
    assert whole["one"]["dataset"].startswith("one@") and whole["size"] == whole["two"]["train_rows"] > 0
    text = "\n".join(recipe_job.told(begun))
    assert "Built of 60 rows" in text and str(workspace.jobs) in text and f"--workspace {workspace.root}" in text


def test_stopping_it_stops_its_step(begun: JobDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe_job, "load_recipe", lambda _: toy())
    begun.request_stop()
    with pytest.raises(Stopped):
        recipe_job.run(JobContext(begun, attempt=1, started=0.0))
    assert all(not job.status().state.active for job in Workspace.of_job(begun.path).list_jobs("data.build"))


def test_the_coders_teachers_are_found_again_at_their_port(tmp_path: Path) -> None:
    teachers.local_address.cache_clear()
    with teachers.serving() as address:
        port = int(address.split(":")[2].split("/")[0])
        write_text(tmp_path / "teachers.port", str(port))
        taken = teachers.local_address(tmp_path)
        assert taken != address, "another program has the port"
    noted = (tmp_path / "teachers.port").read_text()
    assert f":{noted}/" in taken
    teachers.local_address.cache_clear()
