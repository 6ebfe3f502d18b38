"""A first plan for a model in production: trained and judged as that one was, so that rounds compare like with like."""

from __future__ import annotations

import re
from typing import Any

import yaml

from datasets_src.store import open_version
from evaluation.spec import EvaluateSpec
from evaluation.suited import suited_task
from jobs.errors import UserError
from jobs.kinds import spec_class
from jobs.workspace import Workspace
from serving.loop.spec import OWN_EVALUATION, OWN_TRAINING
from serving.registry import Registry, Version
from serving.registry.records import Evidence

ENOUGH_NEW = 200
GOOD_RATING = 4
LONGEST_NAME = 50
# The training's own name, and what its base was: a round says both itself.
OF_THAT_RUN = (*OWN_TRAINING, "name", "model")


def suggested_plan(workspace: Workspace, model: str) -> dict[str, Any]:
    """Values of a LoopSpec. The regression data is "" where nothing tells of any, which a plan then has to say.

    Raises Missing or BadInput where no version of the model is in production.
    """
    version = Registry(workspace).resolve(model)
    # Questions that a task brings along, such as those of general ability, are no regression set of this model's own.
    judged = next((each for each in version.evidence if each.main and _with_version(workspace, each.data)), None)
    data = _with_version(workspace, judged.data if judged else version.lineage.data or "")
    asked = _as_judged(workspace, judged) if judged else {}
    task = str(asked.pop("task", "") or _suited(workspace, data))
    return {
        "name": f"{re.sub(r'[^a-z0-9_-]+', '-', version.name.lower()).strip('-')[:LONGEST_NAME] or 'model'}-loop",
        "model": version.name,
        "when": {"min_new": ENOUGH_NEW},
        "interactions": {"min_rating": GOOD_RATING},
        "train": _as_trained(workspace, version),
        "new_task": task,
        "new_options": asked,
        "regression": {"data": data, "task": task, "options": dict(asked)},
    }


def _as_trained(workspace: Workspace, version: Version) -> dict[str, Any]:
    """The options of the training behind a version, beside the defaults."""
    job = version.lineage.job
    return (_said_by(workspace, job, "train", OF_THAT_RUN) if job else None) or {}


def _as_judged(workspace: Workspace, evidence: Evidence) -> dict[str, Any]:
    """The options of the evaluation that an evidence is from, its task among them; nothing where it is gone."""
    own = tuple(name for name in OWN_EVALUATION if name != "task")
    said = _said_by(workspace, evidence.job, "evaluate", own)
    return {"task": EvaluateSpec.model_fields["task"].default, **said} if said is not None else {}


def _said_by(workspace: Workspace, job_id: str, kind: str, own: tuple[str, ...]) -> dict[str, Any] | None:
    """What a job's spec says beside the defaults, without the options of its own; None of one that is gone."""
    try:
        spec = spec_class(kind).parse(workspace.job(job_id).header["spec"])
    except UserError:  # deleted since, or written by another version of Hearth
        return None
    said: dict[str, Any] = yaml.safe_load(spec.to_yaml(only_changed=True)) or {}
    return {name: value for name, value in said.items() if name not in own}


def _with_version(workspace: Workspace, data: str) -> str:
    """`data` as name@version, so that the questions stay the same; "" for what isn't there."""
    try:
        return open_version(workspace, data).id if data else ""
    except UserError:
        return ""


def _suited(workspace: Workspace, data: str) -> str:
    return suited_task(open_version(workspace, data).eval()) if data else "exact_match"
