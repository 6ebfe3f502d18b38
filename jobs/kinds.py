"""Every kind of job: where its function is, and whether it needs the machine to itself."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobs.spec import Spec


@dataclass(frozen=True)
class Kind:
    """`target` is `module:function`; `heavy` work holds the lease on the GPU (or, without one, on the machine).

    `spec` is `module:class` of the kind's spec, where jobs that start others have to try theirs beforehand. `answers`:
    it runs until it is stopped, and has nothing to say while nobody asks or nothing is due.
    """

    target: str
    heavy: bool
    label: str
    spec: str | None = None
    answers: bool = False


KINDS: dict[str, Kind] = {
    "data.build": Kind(
        "datasets_src.build:run", heavy=False, label="Build dataset", spec="datasets_src.spec:DatasetSpec"
    ),
    "data.check": Kind("datasets_src.build:run_check", heavy=False, label="Check rows"),
    "data.synthesise": Kind("datasets_src.synthesis.job:run", heavy=False, label="Write rows"),
    "model.download": Kind("models.downloads.job:run", heavy=False, label="Download model"),
    "train": Kind("trainer.job:run", heavy=True, label="Train", spec="trainer.spec:TrainSpec"),
    "evaluate": Kind("evaluation.job:run", heavy=True, label="Evaluate", spec="evaluation.spec:EvaluateSpec"),
    "judge": Kind("evaluation.judge.job:run", heavy=True, label="Judge answers"),
    "pairs": Kind("evaluation.pairs.job:run", heavy=True, label="Make preference pairs"),
    "chat": Kind("evaluation.chat:run", heavy=True, label="Chat side by side", answers=True),
    "export": Kind("export.job:run", heavy=True, label="Export"),
    "hub": Kind("export.hub:run", heavy=False, label="Upload to the Hub"),
    "serve": Kind("serving.job:run", heavy=False, label="Serve", answers=True),
    "ollama": Kind("export.ollama.job:run", heavy=False, label="Create in Ollama"),
    "loop": Kind(
        "serving.loop.job:run", heavy=False, label="Loop round", spec="serving.loop.spec:LoopSpec", answers=True
    ),
    "recipe": Kind("recipes.job:run", heavy=False, label="Whole example", spec="recipes.spec:RecipeSpec"),
    "loop.watch": Kind("serving.loop.watch:run", heavy=False, label="Watch a loop plan", answers=True),
}


def spec_class(kind: str) -> type[Spec]:
    """The class of a kind's spec, imported only now. Raises KeyError for a kind that names none."""
    target = KINDS[kind].spec
    if target is None:
        raise KeyError(kind)
    module, _, name = target.partition(":")
    found: type[Spec] = getattr(importlib.import_module(module), name)
    return found
