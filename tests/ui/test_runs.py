"""The list of runs: found, picked, compared, tagged, deleted and brought back; the queue; all of it read from disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from filelock import FileLock

from jobs import bin as job_bin
from jobs.annotations import annotate
from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput, Missing
from jobs.lease import Lease
from jobs.workspace import Workspace
from models.hardware import probe
from ui import queue_panel, runs_compare, runs_panel
from ui.page import SKIP, Page, Settings


def run(workspace: Workspace, title: str, losses: tuple[float, ...] = (2.0, 1.0), **spec: Any) -> JobDirectory:
    values = {"model": "embedded", "data": "sums", **spec}
    place = workspace.new_job_path("train")
    job = JobDirectory.create(place, kind="train", title=title, spec=values, resource="cpu")
    job.write_status(Status(State.SUCCEEDED))
    for step, loss in enumerate(losses, start=1):
        job.append_event({"type": "metric", "attempt": 1, "step": step, "time": 0.0, "loss": loss})
    return job


def table(workspace: Workspace) -> str:
    return str(runs_panel.show_list(workspace)[0])


def test_an_empty_workspace_says_what_the_list_is_for(workspace: Workspace) -> None:
    assert "No runs yet" in table(workspace)
    assert "The bin is empty" in runs_panel.show_list(workspace)[1]


def test_a_row_shows_the_manifests_figures_else_the_last_ones(workspace: Workspace) -> None:
    done = run(workspace, "done")
    done.write_manifest(
        {"seconds": 65.0, "figures": {"final_loss": 0.5, "eval_loss": 0.6, "tokens_per_second": 1234.0}}
    )
    assert all(text in table(workspace) for text in ("0.500", "0.600", "1,234", "1 min 5 s"))
    run(workspace, "unfinished", (3.0, 0.125))
    assert "0.125" in table(workspace)


def test_search_narrows_the_list_and_is_kept(workspace: Workspace) -> None:
    run(workspace, "snake")
    annotate(run(workspace, "poems"), tags=["keeper"])
    runs_panel.save_draft(workspace, runs_panel.DRAFT, search="keeper")
    assert "poems" in table(workspace) and "snake" not in table(workspace)
    runs_panel.save_draft(workspace, runs_panel.DRAFT, search="nothing-like-it")
    assert "No run has “nothing-like-it” in it" in table(workspace)


def test_the_list_is_only_made_anew_when_something_changed(workspace: Workspace) -> None:
    job = run(workspace, "one")
    cursor = runs_panel.show_list(workspace)[-1]
    assert runs_panel.show_list(workspace, cursor) == [SKIP] * 4
    annotate(job, note="new")
    assert "new" in runs_panel.show_list(workspace, cursor)[0]


def test_what_is_picked_survives_a_refresh_and_its_curves_lie_over_one_another(workspace: Workspace) -> None:
    first, second = run(workspace, "a", (2.0, 1.0)), run(workspace, "b", (4.0, 3.0))
    for job in (first, second):
        runs_panel.toggle(workspace, job.id)
    picked = runs_panel.picked_runs(Workspace(workspace.root))
    rows, colours = runs_compare.overlaid(picked, "loss")
    assert {(row[0], row[2]) for row in rows["data"]} == {(1, "a"), (2, "a"), (1, "b"), (2, "b")}
    assert len(set(colours.values())) == 2
    runs_panel.toggle(workspace, first.id)
    assert [job.id for job in runs_panel.picked_runs(workspace)] == [second.id]


def test_other_runs_are_drawn_by_the_chart_that_was_hidden(workspace: Workspace) -> None:
    first, second = run(workspace, "a"), run(workspace, "b")

    def visible(shown: list[Any]) -> list[bool]:
        return [each["elem_classes"] == runs_compare.SHOWN for each in shown[1:3]]

    one = runs_compare.show([first], "loss")
    two = runs_compare.show([first, second], "loss", one[-1])
    first.append_event({"type": "metric", "attempt": 1, "step": 9, "time": 0.0, "loss": 0.5})
    same = runs_compare.show([first, second], "loss", two[-1])
    assert visible(one) == visible(runs_compare.show([first], "loss")) != visible(two) == visible(same)
    assert runs_compare.show([first, second], "loss", same[-1]) == [SKIP] * 7


def test_runs_of_one_title_are_told_apart(workspace: Workspace) -> None:
    names = runs_compare.run_names([run(workspace, "same"), run(workspace, "same")])
    assert len(set(names)) == 2


def test_without_a_held_out_loss_the_overlay_says_so(workspace: Workspace) -> None:
    shown = runs_compare.show([run(workspace, "a")], "eval_loss")
    assert shown[1]["elem_classes"] == shown[2]["elem_classes"] == runs_compare.AWAY
    assert "held-out rows" in shown[3]["value"]


def test_two_picked_runs_show_what_differs(workspace: Workspace) -> None:
    picked = [run(workspace, "a", method={"rank": 8}), run(workspace, "b", method={"rank": 32})]
    html = runs_compare.difference_of(picked)
    assert "method.rank" in html and "<td>8</td><td>32</td>" in html and "data" not in html
    assert runs_compare.difference_of(picked[:1]) == ""


def test_more_runs_than_colours_are_refused(workspace: Workspace) -> None:
    jobs = [run(workspace, str(number)) for number in range(runs_compare.MOST_RUNS + 1)]
    for job in jobs[:-1]:
        runs_panel.toggle(workspace, job.id)
    with pytest.raises(BadInput, match="picked already"):
        runs_panel.toggle(workspace, jobs[-1].id)


def test_typed_tags_are_not_put_back_while_the_same_run_is_picked(workspace: Workspace) -> None:
    job = run(workspace, "a")
    runs_panel.toggle(workspace, job.id)
    shown = runs_panel.show_picked(workspace)
    about = repr([job.id])
    assert about in shown
    compared = shown[6]
    assert all(value is SKIP for value in runs_panel.show_picked(workspace, about, compared))


def test_deleting_asks_with_what_builds_on_the_run(workspace: Workspace) -> None:
    job = run(workspace, "base")
    later = run(workspace, "after it", model=f"job:{job.id}")
    assert later.id in runs_panel.deletion_question(workspace, [job])
    assert later.id not in runs_panel.deletion_question(workspace, [job, later])


def test_a_title_can_not_smuggle_html_into_the_page(workspace: Workspace) -> None:
    job = run(workspace, "<img src=x onerror=alert(1)>")
    annotate(job, tags=["<b>"], note="<i>")
    runs_panel.toggle(workspace, job.id)
    question = runs_panel.deletion_question(workspace, [job])
    job_bin.delete(workspace, job)
    binned = runs_panel.show_list(workspace)[1]
    for html in (table(workspace), question, binned):
        assert "<img" not in html and "<b><" not in html and "<i>" not in html


def test_the_panel_acts_on_the_page_as_its_functions_do(workspace: Workspace) -> None:
    job = run(workspace, "one", method={"rank": 8})
    taken: list[dict[str, Any]] = []
    with gr.Blocks() as blocks:
        page = Page(Settings(workspace.root), gr.Tabs(), gr.Textbox())
        panel = runs_panel.lay_out(page, "training", lambda _, spec: taken.append(spec))
    handlers = {
        (target[0], target[1]): event.fn for event in blocks.fns.values() for target in event.targets if event.fn
    }

    def click(component: Any, *values: Any) -> list[Any]:
        result = handlers[(component._id, "click")](None, *values)
        assert result[-1].visible is False, result[-1].value
        return list(result)

    runs_panel.toggle(workspace, job.id)
    click(panel.again)
    assert taken == [{"model": "embedded", "data": "sums", "method": {"rank": 8}}]
    click(panel.save, "good, kept", "a note")
    assert job.notes == {"tags": ["good", "kept"], "note": "a note"}
    asked = click(panel.delete)[2]
    assert workspace.list_jobs() != [], "asking deletes nothing"
    click(panel.confirm, asked)
    assert workspace.list_jobs() == [] and len(job_bin.in_bin(workspace)) == 1
    click(panel.empty)
    assert len(job_bin.in_bin(workspace)) == 1, "asking deletes nothing"
    click(panel.empty_confirm)
    assert job_bin.in_bin(workspace) == []


@pytest.fixture
def waiting(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[JobDirectory]]:
    """Three jobs whose locks are held, in the queue; the last is another workspace's."""
    monkeypatch.setenv("HEARTH_CACHE", str(tmp_path / "cache"))
    other = Workspace(tmp_path / "elsewhere")
    jobs = [run(workspace, "first"), run(workspace, "second"), run(other, "foreign")]
    lease = Lease(probe(workspace.root).resource)
    queue = [{"path": str(job.path), "title": job.header["title"]} for job in jobs]
    (lease.folder / f"{lease.resource}.queue.json").write_text(json.dumps(queue))
    with ExitStack() as stack:
        for job in jobs:
            stack.enter_context(FileLock(job.lock_path))
        yield jobs


def order(workspace: Workspace) -> list[str]:
    return [each.title for each in Lease(probe(workspace.root).resource).queue()]


def test_waiting_jobs_move_up_and_down(workspace: Workspace, waiting: list[JobDirectory]) -> None:
    queue_panel.move(workspace, str(waiting[1].path), -1)
    assert order(workspace) == ["second", "first", "foreign"]
    queue_panel.move(workspace, str(waiting[1].path), 1)
    queue_panel.move(workspace, str(waiting[1].path), 1)
    assert order(workspace) == ["first", "foreign", "second"]


def test_jobs_of_another_workspace_are_only_named(workspace: Workspace, waiting: list[JobDirectory]) -> None:
    html = queue_panel.queue_view(workspace, "", demo=False)[0]["value"]
    assert "foreign" in html and "from elsewhere" in html
    assert str(waiting[2].path) not in html
    with pytest.raises(Missing):
        queue_panel.move(workspace, str(waiting[2].path), -1)


@pytest.mark.usefixtures("waiting")
def test_visitors_of_a_demo_do_not_see_whose_job_waits(workspace: Workspace) -> None:
    html = queue_panel.queue_view(workspace, "", demo=True)[0]["value"]
    assert "another visitor’s job" in html
    assert "foreign" not in html and "elsewhere" not in html


def test_the_queue_is_hidden_when_nothing_waits(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTH_CACHE", str(tmp_path / "cache"))
    assert queue_panel.queue_view(workspace, "", demo=False) == [SKIP, SKIP]
    assert queue_panel.queue_view(workspace, "old", demo=False)[0]["visible"] is False
