"""What each step of a round is told: the specs of its jobs, made from the plan, and all of it tried before a start."""

from __future__ import annotations

from datasets_src.store import open_version
from evaluation.spec import EvaluateSpec
from evaluation.tasks import load_task
from evaluation.verdict import FEWEST
from jobs.children import Step
from jobs.errors import BadInput, Missing
from jobs.kinds import spec_class
from jobs.workspace import Workspace
from models.reference import ModelRef
from serving.loop.spec import LoopSpec
from serving.loop.state import Reference
from serving.registry import Registry, Version

NEW, REGRESSION, GENERAL = "evaluate_new", "evaluate_regression", "evaluate_general"


def new_rows_step(spec: LoopSpec, round_id: str) -> Step:
    """The chats alone, so that some of them can be held out."""
    options = {name: value for name, value in spec.data.items() if name != "sources"}
    source = {"path": f"job:{round_id}"}
    own = {"name": f"{spec.name}-new", "sources": [source], "eval_fraction": spec.held_out}
    return Step("build_new", "data.build", f"{spec.name}: new chats", {"on_bad_rows": "skip", **options, **own})


def all_rows_step(spec: LoopSpec, new_rows: str, reference: Reference) -> Step | None:
    """The new chats with the rows that production was trained on; None where there is nothing beside the new ones.

    Both come with their own parts: what was held out stays held out, and nothing more is.
    """
    replayed = reference.trained_on if spec.replay > 0 else None
    beside = list(spec.data.get("sources", []))
    if replayed is None and not beside:
        return None
    old = [{"path": f"dataset:{replayed}", "weight": spec.replay}] if replayed else []
    sources = [{"path": f"dataset:{new_rows}"}, *old, *beside]
    own = {"name": spec.name, "sources": sources, "eval_fraction": 0.0}
    return Step("build", "data.build", f"{spec.name}: all rows", {"on_bad_rows": "skip", **spec.data, **own})


def train_step(spec: LoopSpec, data: str, reference: Reference) -> Step:
    """The training of the new version."""
    start = reference.ref if spec.train_from == "production" else reference.base
    values = {"model": start, "name": f"{spec.name} round", **spec.train, "data": data}
    return Step("train", "train", f"{spec.name}: training", values)


def evaluate_steps(spec: LoopSpec, new_rows: str, reference: Reference, candidate: str) -> list[Step]:
    """Production against the new version: on the held-out new chats, the regression set, and general abilities."""
    models = [reference.ref, candidate]
    chosen = {
        NEW: ("new chats", new_rows, spec.new_task, spec.new_options),
        REGRESSION: ("regression set", spec.regression.data, spec.regression.task, spec.regression.options),
        GENERAL: ("general abilities", "", "general", spec.general_options),
    }
    return [
        Step(
            key,
            "evaluate",
            f"{spec.name}: {title}",
            {**options, "models": models, "data": data, "task": task},
        )
        for key, (title, data, task, options) in chosen.items()
    ]


def reference_of(version: Version) -> Reference:
    """A version as what a round compares with."""
    lineage = version.lineage
    return Reference(version.label, version.number, version.ref, lineage.base, lineage.data)


def require_runnable(spec: LoopSpec, workspace: Workspace) -> Reference:
    """Try all that can be tried before a round starts; the version in production.

    Raises Missing or BadInput: no version in production, files that were changed, options that a step would refuse, a
    regression set too small to say anything.
    """
    registry = Registry(workspace)
    version = registry.resolve(spec.model)
    found = registry.check(version)
    if not found.usable:
        raise Missing(
            f"{version.label} can't be compared with.",
            found.sentence,
            "Roll back to a version that is there, or register and promote one.",
        )
    reference = reference_of(version)
    _require_start(spec, reference)
    _require_questions(spec, workspace)
    _require_options(spec, reference)
    return reference


def _require_start(spec: LoopSpec, reference: Reference) -> None:
    if "model" in spec.train:
        return
    if spec.train_from == "base" and reference.base is None:
        raise Missing(
            f"The base of {reference.label} isn't known.",
            f"It was registered as {reference.ref}, which tells nothing of its training.",
            "Say under `train` what `model` to start from.",
        )
    if spec.train_from == "production" and ModelRef.parse(reference.ref).asked:
        raise BadInput(
            f"{reference.label} can't be trained on.",
            f"{reference.ref} only answers; its weights can't be changed here.",
            "Start from its base (`train_from: base`).",
        )


def _require_questions(spec: LoopSpec, workspace: Workspace) -> None:
    """The regression set has to be there, and large enough for a verdict at all."""
    task = load_task(spec.regression.task, workspace)
    load_task(spec.new_task, workspace)
    if task.rows is None and not spec.regression.data:
        raise BadInput(
            "regression.data: names no dataset.",
            f"The task '{spec.regression.task}' asks about a dataset's rows.",
            "Name one as name@version, or choose a task with questions of its own.",
        )
    rows = len(task.rows()) if task.rows is not None else open_version(workspace, spec.regression.data).eval_rows
    wanted = spec.regression.options.get("max_items", EvaluateSpec.model_fields["max_items"].default)
    asked = rows if not isinstance(wanted, int) else min(rows, wanted)
    if asked < FEWEST["binary"]:
        raise BadInput(
            f"The regression set asks {asked} questions.",
            f"Fewer than {FEWEST['binary']} can't show that something got worse.",
            "Use a dataset with more held-out rows, or raise max_items.",
        )


def _require_options(spec: LoopSpec, reference: Reference) -> None:
    """Every step's spec, with names in the place of what is only known later; all problems in one error."""
    later = f"{spec.name}-new@later"
    all_rows = all_rows_step(spec, later, reference)
    steps = [
        new_rows_step(spec, "later"),
        *([all_rows] if all_rows else []),
        train_step(spec, later, reference),
        *evaluate_steps(spec, later, reference, "job:later"),
    ]
    problems = list(dict.fromkeys(problem for step in steps for problem in _problems(step)))
    if problems:
        raise BadInput(
            f"The plan {spec.name} has {'1 problem' if len(problems) == 1 else f'{len(problems)} problems'}:\n"
            + "\n".join(f"  - {line}" for line in problems),
            "A round of it could not be finished.",
            "Mend the lines above; nothing was started or written.",
        )


def _problems(step: Step) -> list[str]:
    places = {"build_new": "data", "build": "data", "train": "train", NEW: "new_options", REGRESSION: "regression"}
    place = places.get(step.key, "general_options")
    try:
        spec_class(step.kind).parse(step.spec)
    except BadInput as error:
        return [f"{place}.{line.removeprefix('  - ')}" for line in error.what.splitlines()[1:]]
    return []
