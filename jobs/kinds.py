"""Every kind of job: where its function is, and whether it needs the machine to itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """`target` is `module:function`; `heavy` work holds the lease on the GPU (or, without one, on the machine)."""

    target: str
    heavy: bool
    label: str


KINDS: dict[str, Kind] = {
    "data.build": Kind("datasets_src.build:run", heavy=False, label="Build dataset"),
    "data.check": Kind("datasets_src.build:run_check", heavy=False, label="Check rows"),
    "data.synthesise": Kind("datasets_src.synthesis.job:run", heavy=False, label="Write rows"),
    "train": Kind("trainer.job:run", heavy=True, label="Train"),
    "evaluate": Kind("evaluation.job:run", heavy=True, label="Evaluate"),
    "judge": Kind("evaluation.judge.job:run", heavy=True, label="Judge answers"),
    "pairs": Kind("evaluation.pairs.job:run", heavy=True, label="Make preference pairs"),
    "chat": Kind("evaluation.chat:run", heavy=True, label="Chat side by side"),
    "export": Kind("export.job:run", heavy=True, label="Export"),
    "hub": Kind("export.hub:run", heavy=False, label="Upload to the Hub"),
    "ollama": Kind("export.ollama.job:run", heavy=False, label="Create in Ollama"),
}
