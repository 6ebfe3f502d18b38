"""What can be said of a server before it is started: models that aren't there, keys that lack, arms not served."""

from __future__ import annotations

from jobs.errors import BadInput
from jobs.workspace import Workspace
from models.reference import require_usable
from serving.experiments import Experiments
from serving.keys import Keys
from serving.registry.records import PREFIX
from serving.registry.store import resolve_registered
from serving.spec import ServeSpec


def resolved_texts(workspace: Workspace, spec: ServeSpec) -> list[str]:
    """The text that names each model now, those of the registry resolved. Raises Missing."""
    texts = [text for _, text in spec.named_models()]
    return [resolve_registered(workspace, text) if text.startswith(PREFIX) else text for text in texts]


def require_startable(workspace: Workspace, spec: ServeSpec) -> None:
    """Raises BadInput or Missing."""
    for text in resolved_texts(workspace, spec):
        require_usable(text, workspace)
    if spec.keys and not any(key.revoked is None for key in Keys(workspace).all()):
        raise BadInput(
            "The server would ask for a key.",
            "There is none yet, so nobody could use it.",
            "Make one (on the page under “API keys”, or `python cli.py keys new NAME`), or turn `keys` off.",
        )
    if spec.experiment is not None:
        _require_arms(workspace, spec, spec.experiment)


def _require_arms(workspace: Workspace, spec: ServeSpec, name: str) -> None:
    """Raises Missing for an experiment that isn't there, BadInput where its arms' models aren't served."""
    arms = [arm.model for arm in Experiments(workspace).find(name).spec.arms]
    served = [served for served, _ in spec.named_models()]
    lacking = [model for model in arms if model not in served]
    if lacking:
        raise BadInput(
            f"The experiment '{name}' compares {', '.join(arms)}.",
            f"This server would not have {', '.join(lacking)}; it would have {', '.join(served)}.",
            "Choose these models under these names, as NAME=MODEL, or leave `experiment` empty.",
        )
