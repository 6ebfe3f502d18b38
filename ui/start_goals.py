"""What somebody wants a model to learn, and what that prepares on the other tabs."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.errors import BadInput
from jobs.workspace import Workspace
from trainer.options import Objective
from ui import form as forms
from ui import training_form
from ui.dataset_draft import OWN, SNAKE, prepare
from ui.drafts import read_draft, save_draft

TAB = "start"
OBJECTIVE = "method.objective"


@dataclass(frozen=True)
class Goal:
    """`rows` says what to bring; `source` and `step` are where the Datasets tab begins, `objective` how is trained."""

    key: str
    title: str
    about: str
    rows: str
    source: str
    step: str
    objective: Objective


GOALS = (
    Goal(
        "snake",
        "Play Snake",
        "The example: nothing to bring, a model in minutes, and the whole way once.",
        "Press “Build dataset”: four programs play, and their moves become rows.",
        SNAKE,
        "sources",
        "sft",
    ),
    Goal(
        "answers",
        "Answer like my examples",
        "You have questions with answers, or chats, in a table or a JSON file.",
        "Upload your file, look at its rows, then press “Build dataset”.",
        OWN,
        "sources",
        "sft",
    ),
    Goal(
        "documents",
        "Know my documents",
        "You have PDF, Word or text files; a larger model writes questions and answers from them.",
        "Upload your documents, choose a teacher that writes the rows, then build a dataset of them.",
        OWN,
        "make",
        "sft",
    ),
    Goal(
        "texts",
        "Write like my texts",
        "You have plain texts whose language or style it should take on.",
        "Upload your texts, then press “Build dataset”.",
        OWN,
        "sources",
        "continued",
    ),
    Goal(
        "preferences",
        "Prefer better answers",
        "You have pairs: for the same question one answer that is good and one that isn't.",
        "Upload your pairs (chosen and rejected), then press “Build dataset”.",
        OWN,
        "sources",
        "dpo",
    ),
)


def chosen_goal(workspace: Workspace) -> Goal | None:
    key = read_draft(workspace, TAB).get("goal")
    return next((goal for goal in GOALS if goal.key == key), None)


def choose_goal(workspace: Workspace, key: str) -> Goal:
    """Keep the choice, and prepare the tabs for it. Raises BadInput for a goal that isn't there."""
    goal = next((goal for goal in GOALS if goal.key == key), None)
    if goal is None:
        raise BadInput(f"There is no goal '{key}'.", "It isn't one of those listed.", "Choose one of the list.")
    save_draft(workspace, TAB, goal=goal.key)
    prepare(workspace, goal.source, goal.step)
    entered = read_draft(workspace, training_form.TAB).get("form", {})
    if goal.objective != "sft" or OBJECTIVE in entered:
        forms.enter(workspace, training_form.TAB, {OBJECTIVE: goal.objective})
    return goal
