"""What a task is: one small Python file that turns data rows into questions and scores the answers.

A task file holds plain names at module level. It is found by a built-in name, by the name of a file in the workspace's
folder `tasks` ("mine" for tasks/mine.py), by a recipe's name ("snake"), by its path ("my/task.py") or as a module
("recipes.snake.task").

    NAME = "snake decisions"             shown in reports
    DESCRIPTION = "…"                    one or two sentences: what is asked and what counts as right
    METRIC = "accuracy"                  the main score, a key of what `score` returns
    LENIENT_METRIC = "lenient"           optional: the score used instead for an untrained reference model
    HIGHER_IS_BETTER = True              optional, True when left out

    def items(rows: list[dict], all_rows: list[dict]) -> list[TaskItem]
        `rows`: the eval part of the dataset; `all_rows`: train and eval together. Ids are unique.
    def score(answer: str, item: TaskItem) -> dict[str, float]
        The same keys for every item. 0/1 scores get an exact McNemar test, others a permutation test.
    def rows() -> list[dict]
        Optional: questions of the task's own, for an evaluation without a dataset.
    def references(items: list[TaskItem], all_rows: list[dict], seed: int) -> dict[str, list[float]]
        Optional: what to compare the models with, such as "random" or "ceiling": a main score per item, in order.
    def play(choose: Choose, options: PlayOptions) -> list[dict]
        Optional: whole games. `choose` takes the prompts (messages) of one turn of all running games and returns an
        answer for each. One flat dict per game: a text "tag" if games differ in kind; numbers and booleans are
        averaged in the report ({"tag": "bfs", "won": True, "score": 12, "steps": 140}).
    def reference_games(options: PlayOptions) -> dict[str, list[dict]]
        Optional: games of other players, such as a teacher, to compare with; as `play` returns them.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from datasets_src.rows import conversation_of
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace

Message = dict[str, Any]
Row = dict[str, Any]
Choose = Callable[[list[list[Message]]], list[str]]

BUILT_IN = {
    "exact_match": "evaluation.builtin.exact_match",
    "perplexity": "evaluation.builtin.perplexity",
    "general": "evaluation.builtin.general",
}
LM_EVAL = "lm_eval:"
RECIPES = Path(__file__).resolve().parent.parent / "recipes"
NLL = "nll"


@dataclass(frozen=True)
class TaskItem:
    """One question. `group`: items of one group are not independent (one source document, one game);
    `tag`: the slice it is reported under; `extra`: what `score` needs besides (JSON values)."""

    id: str
    messages: list[Message]
    reference: str
    group: str
    tag: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    tools: list[dict[str, Any]] | None = None


@dataclass(frozen=True)
class PlayOptions:
    """How whole games are played: how many in all, the most turns of one, and the seed of the starting positions."""

    games: int
    max_steps: int
    seed: int


@dataclass(frozen=True)
class StandardAnswer:
    """What a benchmark of another program said of one item: the answer as text, and its scores."""

    text: str
    scores: dict[str, float]


@dataclass(frozen=True)
class Task:
    """A loaded task file. `score` is None where no answers are generated (the perplexity task); `rows` where the task
    asks about a dataset alone; `digest` is of the file's content. `answers` (loaded model, items, batch size): the task
    asks and scores by itself, as a benchmark of another program does."""

    name: str
    description: str
    metric: str
    lenient_metric: str | None
    higher_is_better: bool
    items: Callable[[list[Row], list[Row]], list[TaskItem]]
    score: Callable[[str, TaskItem], dict[str, float]] | None
    references: Callable[[list[TaskItem], list[Row], int], dict[str, list[float]]] | None
    play: Callable[[Choose, PlayOptions], list[dict[str, Any]]] | None
    reference_games: Callable[[PlayOptions], dict[str, list[dict[str, Any]]]] | None
    source: str
    rows: Callable[[], list[Row]] | None = None
    digest: str = ""
    answers: Callable[[Any, Sequence[TaskItem], int], list[StandardAnswer]] | None = None


def load_task(text: str, workspace: Workspace | None = None) -> Task:
    """The task that `text` names, see the top of this file; without a workspace there is no folder of its tasks.

    Raises Missing when nothing is there, BadInput when what is there is not a task (all problems in one message).
    """
    if text.startswith(LM_EVAL):
        from evaluation.lm_eval_task import lm_eval_task

        return lm_eval_task(text)
    path = task_file(text, workspace)
    if path is not None:
        return _task_from(_module_from_file(path), text)
    in_recipe = (RECIPES / text / "task.py").is_file() if text.isidentifier() else False
    return _task_from(_module_by_name(BUILT_IN.get(text, f"recipes.{text}.task" if in_recipe else text)), text)


def tasks_folder(workspace: Workspace) -> Path:
    """Where a person's own task files lie."""
    return workspace.root / "tasks"


def task_file(text: str, workspace: Workspace | None) -> Path | None:
    """The file that `text` names, by its path or as one of the workspace's tasks; None for a name of another kind."""
    if text.endswith(".py"):
        path = Path(text)
        own = tasks_folder(workspace) / text if workspace is not None and not path.is_absolute() else path
        return own if not path.is_file() and own.is_file() else path
    if workspace is None or text in BUILT_IN or not text.replace("-", "_").isidentifier():
        return None
    own = tasks_folder(workspace) / f"{text}.py"
    return own if own.is_file() else None


def _module_from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise Missing(f"There is no task file {path}.", "The task is read from it.", "Check the path and its spelling.")
    name = f"hearth_task_{path.stem}"
    description = importlib.util.spec_from_file_location(name, path)
    assert description is not None and description.loader is not None  # a path ending in .py always has a loader
    module = importlib.util.module_from_spec(description)
    sys.modules[name] = module  # dataclasses in the file look their module up
    try:
        description.loader.exec_module(module)
    except SyntaxError as error:
        raise BadInput(f"{path}, line {error.lineno} is not Python.", str(error.msg), "Mend that line.") from error
    return module


def _module_by_name(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise  # the task was found; something it imports was not
        raise Missing(
            f"There is no task '{name}'.",
            f"It is neither built in ({', '.join(BUILT_IN)}), nor a file in the workspace's folder tasks, nor a module "
            "that can be imported.",
            "Give a path ending in .py, or a module such as recipes.snake.task.",
        ) from error
    except SyntaxError as error:
        place = f"{error.filename}, line {error.lineno}"
        raise BadInput(f"{place} is not Python.", str(error.msg), "Mend that line.") from error


def _task_from(module: ModuleType, source: str) -> Task:
    problems = list(_problems(module))
    if problems:
        raise BadInput(
            f"{source} is not a task:\n" + "\n".join(f"  - {line}" for line in problems),
            "A task file needs certain names at module level.",
            "evaluation/tasks.py lists them; recipes/snake/task.py is an example.",
        )
    return Task(
        name=module.NAME,
        description=module.DESCRIPTION,
        metric=module.METRIC,
        lenient_metric=getattr(module, "LENIENT_METRIC", None),
        higher_is_better=getattr(module, "HIGHER_IS_BETTER", True),
        items=module.items,
        score=getattr(module, "score", None),
        references=getattr(module, "references", None),
        play=getattr(module, "play", None),
        reference_games=getattr(module, "reference_games", None),
        source=source,
        rows=getattr(module, "rows", None),
        digest=hashlib.sha256(Path(str(module.__file__)).read_bytes()).hexdigest()[:16],
    )


def _problems(module: ModuleType) -> list[str]:
    problems = []
    for name in ("NAME", "DESCRIPTION", "METRIC"):
        if not isinstance(getattr(module, name, None), str):
            problems.append(f"{name} is missing, or not a text")
    needed = ["items"] if getattr(module, "METRIC", None) == NLL else ["items", "score"]
    for name in needed:
        if not callable(getattr(module, name, None)):
            problems.append(f"the function {name}(…) is missing")
    for name in ("rows", "references", "play", "reference_games"):
        if hasattr(module, name) and not callable(getattr(module, name)):
            problems.append(f"{name} is not a function")
    return problems


def checked_items(task: Task, rows: list[Row], all_rows: list[Row]) -> list[TaskItem]:
    """The task's items. Raises BadInput when there are none or two share an id."""
    items = task.items(rows, all_rows)
    if not items:
        raise BadInput(
            f"The task '{task.name}' found nothing to ask.",
            f"None of the {len(rows)} rows of the eval part became an item.",
            "Choose another dataset or task, or enlarge the eval part.",
        )
    seen: set[str] = set()
    for item in items:
        if item.id in seen:
            raise BadInput(
                f"The task '{task.name}' gave two items the id '{item.id}'.",
                "Scores are compared item by item.",
                "Make ids unique in its items function.",
            )
        seen.add(item.id)
    return items


def checked_score(task: Task, answer: str, item: TaskItem) -> dict[str, float]:
    """The task's scores of one answer. Raises BadInput when the main score is missing or a score is no number."""
    assert task.score is not None, "asked to score a task that generates no answers"
    scores = task.score(answer, item)
    needed = [name for name in (task.metric, task.lenient_metric) if name is not None]
    if not isinstance(scores, dict) or any(name not in scores for name in needed):
        raise BadInput(
            f"The task '{task.name}' gave no {' and '.join(needed)} for item '{item.id}'.",
            f"Its score function returned {scores!r}.",
            "Return a dict with those keys and numbers.",
        )
    for name, value in scores.items():
        if not isinstance(value, bool | int | float):
            raise BadInput(
                f"The task '{task.name}' scored item '{item.id}' with {name} = {value!r}.",
                "A score has to be a number.",
                "Return numbers from its score function.",
            )
    return {name: float(value) for name, value in scores.items()}


def items_from_conversations(rows: list[Row]) -> list[TaskItem]:
    """One item per row that ends in an assistant turn: everything before it is the prompt, that turn the reference."""
    items = []
    for number, row in enumerate(rows, start=1):
        messages, tools = conversation_of(row)
        if not messages or messages[-1]["role"] != "assistant":
            continue
        row_name = f"{row.get('source', 'eval')}:{row.get('row', number)}"
        items.append(
            TaskItem(
                id=f"{number:06d} {row_name}",
                messages=messages[:-1],
                reference=messages[-1].get("content") or "",
                group=str(row.get("group", row_name)),
                tag=str(row.get("tag") or ""),
                extra=_extra(row, messages[-1]),
                tools=tools,
            )
        )
    return items


def _extra(row: Row, answer: Message) -> dict[str, Any]:
    """The row's other columns, and the calls that the expected answer makes."""
    extra: dict[str, Any] = row.get("extra") or {}
    return {**extra, "tool_calls": answer["tool_calls"]} if answer.get("tool_calls") else extra
