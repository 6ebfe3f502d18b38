"""The timer asks which parts of the page are due, and only these are fetched."""

from __future__ import annotations

import time
from typing import Any

import gradio as gr
import pytest
from filelock import FileLock

from jobs.directory import JobDirectory, State, Status
from jobs.workspace import Workspace
from ui import job_panel
from ui.page import SKIP, Page, Settings


@pytest.fixture
def page(workspace: Workspace) -> Page:
    with gr.Blocks():
        return Page(Settings(workspace.root), gr.Tabs(), gr.Textbox())


def due(page: Page, opened: str, *values: Any) -> str:
    return page._which_are_due(None, opened, *values)


def test_only_parts_of_the_open_tab_that_changed_are_due(page: Page) -> None:
    with gr.Blocks():
        shown = [gr.Textbox() for _ in range(3)]
    for tab, cursor in (("", shown[0]), ("training", shown[1]), ("export", shown[2])):
        page.poll(tab, lambda _, known: [SKIP] if known == "now" else ["now"], [cursor], [cursor])
    assert due(page, "training", "old", "old", "old") == "0 1"
    assert due(page, "training", "now", "old", "old") == "1"
    assert due(page, "export", "now", "old", "now") == ""


def test_a_part_that_fails_is_due_so_that_its_error_is_shown(page: Page) -> None:
    def fails(_: Workspace) -> list[Any]:
        raise RuntimeError("broken")

    page.poll("", fails, [], [])
    assert due(page, "training") == "0"


def test_progress_changes_what_the_job_does_and_a_new_state_changes_everything(
    workspace: Workspace,
) -> None:
    with gr.Blocks():
        panel = job_panel.lay_out("training", "train", "Nothing yet.")
    job = JobDirectory.create(workspace.new_job_path("train"), kind="train", title="t", spec={}, resource=None)
    shown = dict(zip(panel.outputs, panel.show(workspace), strict=True))
    with FileLock(job.lock_path):
        for step in (1, 2):
            job.write_status(Status(State.RUNNING, message=f"step {step}", updated=time.time()))
            if step == 1:
                shown = dict(zip(panel.outputs, panel.show(workspace), strict=True))
        assert panel.show(workspace, shown[panel.cursor]) == [SKIP for _ in panel.outputs]
        moment = panel.show_moment(workspace, shown[panel.cursor], shown[panel.moment])
        assert "step 2" in moment[1].lower()
        assert panel.show_moment(workspace, shown[panel.cursor], moment[0]) == [SKIP] * 3
    job.write_status(Status(State.SUCCEEDED, message="Done", updated=time.time()))
    # The end is shown with all that belongs to it, never by the part that only follows what the job does.
    assert panel.show_moment(workspace, shown[panel.cursor], moment[0]) == [SKIP] * 3
    assert panel.show(workspace, shown[panel.cursor])[0] is not SKIP
