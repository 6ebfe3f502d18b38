"""What leads from one tab to the next opens it where the step is done."""

from __future__ import annotations

from jobs.workspace import Workspace
from ui.drafts import read_draft
from ui.layout import go_on
from ui.parts import open_part


def test_next_opens_the_part_that_a_tab_begins_with_whatever_was_looked_at_last(workspace: Workspace) -> None:
    open_part(workspace, "training", "sweep")
    tabs, opened = go_on(workspace, "training")
    assert (tabs.selected, opened) == ("training", "training")
    assert read_draft(workspace, "page")["tab"] == "training"
    draft = read_draft(workspace, "training")
    assert "part" not in draft
    assert draft["part_opened"] == 2, "so that an open page follows"
