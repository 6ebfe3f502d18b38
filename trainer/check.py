"""What can be said against a run before a job is started for it, by page and command line alike."""

from __future__ import annotations

from datasets_src.store import open_version
from jobs.workspace import Workspace
from models.reference import require_usable
from trainer.kinds import require_kind
from trainer.spec import TrainSpec
from trainer.trackers import require_trackers


def require_trainable(spec: TrainSpec, workspace: Workspace) -> None:
    """Raises Missing or BadInput where model, dataset or trackers can't be used. Fetches and loads nothing."""
    require_usable(spec.model, workspace)
    require_kind(spec.method.objective, open_version(workspace, spec.data))
    for name in spec.saving.evaluate_on:
        require_kind(spec.method.objective, open_version(workspace, name))
    require_trackers(spec.saving.trackers)
