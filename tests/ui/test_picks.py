"""A dropdown of what was made before follows the newest until somebody chooses; "none" may be such a choice."""

from __future__ import annotations

import gradio as gr

from jobs.workspace import Workspace
from ui.picks import Option, Pick


def test_the_newest_is_followed_and_a_choice_stays(workspace: Workspace) -> None:
    there: list[Option] = [("first", "1"), ("none", "")]
    pick = Pick("tab", "key", lambda _: there, gr.Dropdown(), gr.Textbox())
    assert pick.value(workspace) == "1"
    there.insert(0, ("second", "2"))
    assert pick.value(workspace) == "2"
    pick.keep(workspace, "1")
    assert pick.value(workspace) == "1"
    pick.keep(workspace, "")
    assert pick.value(workspace) == ""
    there.insert(0, ("third", "3"))
    assert pick.value(workspace) == ""
    pick.keep(workspace, "3")
    there.insert(0, ("fourth", "4"))
    assert pick.value(workspace) == "4"


def test_where_nothing_is_no_option_an_empty_choice_is_none(workspace: Workspace) -> None:
    pick = Pick("tab", "key", lambda _: [("first", "1")], gr.Dropdown(), gr.Textbox())
    pick.keep(workspace, "")
    assert pick.value(workspace) == "1"
