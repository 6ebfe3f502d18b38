"""Which model, and which context length, rows are looked at for: those that the forms of the tabs name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jobs.workspace import Workspace
from models.local_files import local_tokenizer
from trainer.spec import TrainSpec
from ui.drafts import read_draft
from ui.mask_view import Sight
from ui.page import Settings
from ui.paths import check_model
from ui.preset_panel import preset_layer
from ui.training_form import defaults


@dataclass(frozen=True)
class TrainingChoice:
    """A model's name and a context length in tokens."""

    model: str
    max_length: int

    def sight(self, settings: Settings, workspace: Workspace) -> Sight | None:
        """What looking at rows takes; None while the model's files aren't here. Raises BadInput or Missing."""
        check_model(settings, workspace, self.model)
        tokenizer = local_tokenizer(self.model, workspace)
        return None if tokenizer is None else Sight(tokenizer, self.model, self.max_length)


def training_choice(workspace: Workspace, report: dict[str, Any] | None = None) -> TrainingChoice:
    """What the Datasets form says, else what the rows were counted with, else what the Training form says."""
    entered = read_draft(workspace, "datasets").get("form", {})
    counted = (report or {}).get("tokens") or {}
    training = _training(workspace)
    # A field that was emptied by hand is not what the rows were counted with before.
    known = {**{name: counted.get(name) for name in ("model", "max_length")}, **entered}
    return TrainingChoice(
        model=str(known.get("model") or training["model"]),
        max_length=_length(known.get("max_length")) or training["max_length"],
    )


def stamp(workspace: Workspace) -> str:
    """Changes whenever a form names another model or length; cheap to make."""
    forms = [read_draft(workspace, tab).get("form", {}) for tab in ("datasets", "training")]
    return repr([(form.get("model"), form.get("max_length"), form.get("preset")) for form in forms])


def _length(value: Any) -> int | None:
    """A length that somebody is perhaps still typing."""
    return int(value) if isinstance(value, int | float) and value >= 1 else None


def _training(workspace: Workspace) -> dict[str, Any]:
    """The Training tab's model and length: entered, or what stands there before."""
    model, length = (TrainSpec.model_fields[name].default for name in ("model", "max_length"))
    form = read_draft(workspace, "training").get("form", {})
    preset = preset_layer(form)
    entered = {**defaults(workspace), **(preset.values if preset else {}), **form}
    return {"model": entered.get("model") or model, "max_length": _length(entered.get("max_length")) or length}
