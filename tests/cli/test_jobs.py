"""Commands about jobs in this process: searching, tagging, deleting, the queue, comparing."""

from __future__ import annotations

import json
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cli.jobs import jobs_app
from cli.runs import compare
from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace

app = typer.Typer()
app.add_typer(jobs_app, name="jobs")
app.command()(compare)


def job(workspace: Workspace, title: str, kind: str = "train", **spec: Any) -> JobDirectory:
    made = JobDirectory.create(workspace.new_job_path(kind), kind=kind, title=title, spec=spec, resource=None)
    made.write_status(Status(State.SUCCEEDED, message="Done"))
    return made


def run(workspace: Workspace, *arguments: str) -> Any:
    """The command's JSON. What it raises is raised."""
    done = CliRunner().invoke(app, [*arguments, "--json", "--workspace", str(workspace.root)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def text(workspace: Workspace, *arguments: str) -> str:
    return CliRunner().invoke(app, [*arguments, "--workspace", str(workspace.root)], catch_exceptions=False).stdout


def test_list_finds_by_words_and_kind(workspace: Workspace) -> None:
    snake = job(workspace, "snake", data="moves")
    job(workspace, "poems")
    job(workspace, "snake judged", "evaluate")
    assert [row["job"] for row in run(workspace, "jobs", "list", "--search", "moves succeeded")] == [snake.id]
    assert {row["title"] for row in run(workspace, "jobs", "list", "--kind", "train")} == {"snake", "poems"}
    assert "No job fits" in text(workspace, "jobs", "list", "--search", "nothing")
    with pytest.raises(BadInput, match="no kind"):
        run(workspace, "jobs", "list", "--kind", "trian")


def test_tags_and_notes_are_listed_and_taken_away_again(workspace: Workspace) -> None:
    made = job(workspace, "snake")
    run(workspace, "jobs", "tag", made.id, "good, kept")
    run(workspace, "jobs", "note", made.id, "rank 8 is enough")
    assert "snake #good #kept · Done · rank 8 is enough" in text(workspace, "jobs", "list")
    run(workspace, "jobs", "tag", made.id, "")
    (row,) = run(workspace, "jobs", "list")
    assert (row["tags"], row["note"]) == ([], "rank 8 is enough")


def test_deleted_jobs_come_back_until_the_bin_is_emptied(workspace: Workspace) -> None:
    made = job(workspace, "snake")
    built = job(workspace, "export", "export", job=made.id)
    assert run(workspace, "jobs", "delete", made.id) == [{"job": made.id, "dependants": [built.id]}]
    assert run(workspace, "jobs", "bin")["jobs"][0]["title"] == "snake"
    run(workspace, "jobs", "restore", made.id)
    assert len(run(workspace, "jobs", "list")) == 2
    run(workspace, "jobs", "delete", made.id, built.id)
    assert "come free with --empty" in text(workspace, "jobs", "bin")
    assert run(workspace, "jobs", "bin", "--empty")["freed_bytes"] > 0
    assert "The bin is empty." in text(workspace, "jobs", "bin")
    with pytest.raises(Missing):
        run(workspace, "jobs", "restore", made.id)


def test_of_several_jobs_none_is_deleted_when_one_is_not_there(workspace: Workspace) -> None:
    made = job(workspace, "snake")
    with pytest.raises(Missing):
        run(workspace, "jobs", "delete", made.id, "nope")
    assert len(run(workspace, "jobs", "list")) == 1


def test_an_idle_machine_has_an_empty_queue_and_what_does_not_wait_is_not_moved(workspace: Workspace) -> None:
    known = run(workspace, "jobs", "queue")
    assert (known["running"], known["waiting"]) == (None, [])
    assert "Nothing waits." in text(workspace, "jobs", "queue")
    with pytest.raises(Missing, match="doesn't wait"):
        run(workspace, "jobs", "move", job(workspace, "snake").id, "1")


def test_compare_shows_what_differs_and_the_figures_of_both(workspace: Workspace) -> None:
    first, second = (
        job(workspace, "a", method={"rank": 8}, data="d"),
        job(workspace, "b", method={"rank": 32}, data="d"),
    )
    for made, loss in ((first, 1.25), (second, 1.125)):
        made.write_manifest({"figures": {"eval_loss": loss}})
    known = run(workspace, "compare", first.id, second.id)
    assert known["spec"] == [{"path": "method.rank", "first": 8, "second": 32}]
    assert known["figures"] == [{"path": "eval_loss", "first": 1.25, "second": 1.125}]
    shown = text(workspace, "compare", first.id, second.id)
    assert "method.rank" in shown and "1.25" in shown and "1.125" in shown
