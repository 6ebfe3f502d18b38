"""The plan of a learning loop as a form, which begins with how the model in production was trained and judged."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr

from datasets_src.store import list_versions
from jobs.errors import Missing, UserError
from jobs.workspace import Workspace
from serving.loop.spec import LoopSpec
from serving.loop.suggest import suggested_plan
from serving.registry.store import Registry
from ui import filling
from ui import form as forms
from ui.errors import error_box
from ui.fields import Raw
from ui.form import Follower, Form
from ui.page import Page, Settings
from ui.paths import check_model, check_task, inside
from ui.picks import Option, Pick
from ui.serving_loop_view import NO_MODEL, plan_html
from ui.serving_stamps import stamp
from ui.task_choices import list_tasks, task_for
from ui.words import count

TAB = "serving_loop"
OWN_TASK = re.compile(r"recipes\.\w+\.task")
OWN_QUESTIONS = "none: the task has questions of its own"


def lay_out(page: Page) -> Form:
    """Draw the form here, and below it what the plan will do; wire both."""
    error = gr.HTML(visible=False)
    form = forms.lay_out(
        LoopSpec,
        TAB,
        "python cli.py loop run plan.yaml",
        picked={
            "model": model_options,
            "regression.data": question_options,
            "regression.task": task_options,
            "new_task": task_options,
        },
        base=suggested,
        base_name="as the one in production",
        essentials=_draw_essentials,
    )
    told = gr.HTML("", elem_id="plan-shown")
    form.followers.append(Follower(told, lambda workspace, raw: told_plan(workspace, form, raw)))
    forms.lay_out_yaml(page, form, error)
    filling.fill(page, form, "model", error)
    return form


def _draw_essentials(form: Form) -> None:
    """In the order of the spec, each group under its heading."""
    forms.draw_groups(form, "essential", [each for each in form.shown if each.depth == "essential"])


def model_options(workspace: Workspace) -> Sequence[Option]:
    """The registered names that have a version in production, by which a round is measured."""
    found = Registry(workspace).find(stage="production")
    return [(f"{version.name} · {version.label} is in production", version.name) for version in found]


def question_options(workspace: Workspace) -> Sequence[Option]:
    """The datasets by their versions, that of the suggestion first, else the newest; then none."""
    known = [(f"{each.id} · {count(each.eval_rows, 'row')} to ask", each.id) for each in list_versions(workspace)]
    first = _suggestion(workspace).get("regression", {}).get("data")
    return [*sorted(known, key=lambda option: option[1] != first), (OWN_QUESTIONS, "")]


def task_options(workspace: Workspace) -> Sequence[Option]:
    """The tasks, that of the suggestion first; without one, what suits the newest dataset."""
    newest = next(iter(list_versions(workspace)), None)
    first = _suggestion(workspace).get("new_task") or task_for(newest)
    return list_tasks(workspace, first)


def suggested(workspace: Workspace) -> dict[str, Any]:
    """What stands in the form for the model that is chosen; nothing while none is in production."""
    picked = ("model", "new_task")
    values = {name: value for name, value in _suggestion(workspace).items() if name not in picked}
    if "regression" in values:
        values["regression"] = {"options": values["regression"]["options"]}
    return values


def _suggestion(workspace: Workspace) -> dict[str, Any]:
    model = Pick(TAB, "model", model_options, None, None).value(workspace)
    return _read(workspace.root, model, stamp(workspace.root / "registry.sqlite")) if model else {}


@lru_cache(maxsize=8)
def _read(root: Path, model: str, _as_of: str) -> dict[str, Any]:
    """Read once for each state of the registry: every keystroke asks what stands under it."""
    try:
        return suggested_plan(Workspace(root), model)
    except UserError:  # retired, or taken out of production, since it was chosen
        return {}


def told_plan(workspace: Workspace, form: Form, raw: Raw) -> str:
    """What a plan will do, or everything that is wrong with it, as HTML."""
    if not model_options(workspace):
        return NO_MODEL
    try:
        plan = form.parse(workspace, [raw[path] for path in form.components])
    except UserError as problem:
        return error_box(problem.what, problem.why, problem.fix)
    assert isinstance(plan, LoopSpec)
    return plan_html(plan)


def usable_plan(settings: Settings, workspace: Workspace, form: Form, values: Sequence[Any]) -> LoopSpec:
    """The plan on screen, which names nothing that this page may not. Raises BadInput or Missing."""
    if not model_options(workspace):
        raise Missing(
            "No model is in production.",
            "A round makes the next version of one, and compares with it.",
            "Register a model under “Models” and promote it.",
        )
    plan = form.parse(workspace, values)
    assert isinstance(plan, LoopSpec)
    return allowed_plan(settings, workspace, plan)


def allowed_plan(settings: Settings, workspace: Workspace, plan: LoopSpec) -> LoopSpec:
    """The plan with absolute paths. Raises BadInput for code or files that this page may not reach."""
    plan = plan.with_absolute_paths(workspace.root)
    for task in (plan.new_task, plan.regression.task):
        if settings.demo or not OWN_TASK.fullmatch(task):
            check_task(settings, workspace, task)
    if "model" in plan.train:
        check_model(settings, workspace, str(plan.train["model"]))
    for path in _files_of(plan):
        if not settings.local:
            inside(workspace, path)
    return plan


def _files_of(plan: LoopSpec) -> list[str]:
    """The files that a plan with absolute paths reads."""
    named = [each for key in ("sources", "contamination") for each in plan.data.get(key) or []]
    paths = [each.get("path") if isinstance(each, dict) else each for each in named]
    return [path for path in paths if isinstance(path, str) and Path(path).is_absolute()]
