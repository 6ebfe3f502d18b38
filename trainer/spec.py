"""TrainSpec: everything that can be said about one training run."""

from __future__ import annotations

from typing import Any, Literal

import yaml
from pydantic import model_validator

from jobs.spec import Spec, option
from trainer.options import MethodSpec, OptimisationSpec, PreferenceSpec, SafetySpec, SavingSpec
from trainer.presets import PRESETS, PresetName, with_preset


class TrainSpec(Spec):
    """One training run."""

    preset: PresetName | None = option(
        None,
        label="Preset",
        help="Settings that belong together; whatever else is given wins over them. "
        + " ".join(f"{name}: {preset.help}" for name, preset in PRESETS.items()),
        depth="essential",
    )
    name: str = option(
        "", label="Name", help="How this run is called in lists. Empty: the dataset's name.", max_length=80
    )
    model: str = option(
        "embedded",
        label="Model",
        help="What to start from: embedded (SmolLM2-135M, comes along), a Hub id such as Qwen/Qwen3-0.6B, a folder, or "
        "job:ID, whose adapter is then trained on.",
        depth="essential",
        min_length=1,
    )
    data: str = option(
        label="Dataset",
        help="Name of a built dataset, with @version for one other than the latest.",
        depth="essential",
        min_length=1,
    )
    max_length: int = option(
        1024,
        ge=16,
        le=1_000_000,
        label="Longest row",
        help="Tokens. Longer rows are cut at the end; longer texts of continued pre-training become several.",
    )
    method: MethodSpec = option(MethodSpec, label="Method", help="What is trained.")
    preference: PreferenceSpec = option(PreferenceSpec, label="Preferences", help="For dpo, orpo and kto.")
    optimisation: OptimisationSpec = option(OptimisationSpec, label="Optimisation", help="How it is trained.")
    saving: SavingSpec = option(SavingSpec, label="Saving and measuring", help="What is kept on the way.")
    safety: SafetySpec = option(SafetySpec, label="Memory and faults", help="What keeps a run alive.")
    backend: Literal["auto", "unsloth", "peft"] = option(
        "auto", label="Backend", help="auto takes Unsloth where it can run, else plain PEFT.", depth="everything"
    )
    precision: Literal["auto", "bf16", "fp16", "fp32"] = option(
        "auto",
        label="Precision",
        help="Number format of the computation. auto takes the best this machine has.",
        depth="everything",
    )
    seed: int = option(
        0,
        ge=0,
        le=2**31 - 1,
        label="Seed",
        help="The same seed on the same machine gives the same model.",
        depth="everything",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, values: Any) -> Any:
        return with_preset(values) if isinstance(values, dict) else values

    def beside_preset(self) -> dict[str, Any]:
        """What the spec says beside its preset and the defaults, nested: read back, it gives the same spec."""
        bare = TrainSpec(data=self.data, preset=self.preset).model_dump(mode="json")
        said = {"preset": self.preset} if self.preset else {}
        return {**said, "data": self.data, **_differing(self.model_dump(mode="json"), bare)}

    def to_yaml(self, *, only_changed: bool = False) -> str:
        """The spec as YAML; `only_changed` leaves out what its preset and the defaults say anyway."""
        if not only_changed:
            return super().to_yaml()
        return str(yaml.safe_dump(self.beside_preset(), sort_keys=False, allow_unicode=True))

    @property
    def title(self) -> str:
        return self.name or self.data.split("@")[0]


def _differing(values: dict[str, Any], bare: dict[str, Any]) -> dict[str, Any]:
    """The nested values that are others than in `bare`."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if value != bare[name]:
            found[name] = _differing(value, bare[name]) if isinstance(value, dict) else value
    return found
