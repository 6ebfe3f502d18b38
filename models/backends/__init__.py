"""The two ways to load a model for training, behind one Protocol, and the choice between them with its reason."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from jobs.errors import BadInput, Missing
from models.hardware import Hardware
from models.precision import Choice
from models.quiet import quiet_libraries

Quantisation = Literal["none", "4bit", "8bit"]


@dataclass(frozen=True)
class LoadOptions:
    """How to load. `dtype` is bf16, fp16 or fp32; `max_length` in tokens; `full` trains all weights.

    `adapter` is the folder of an earlier adapter that is loaded on top, to be trained on. `offload_embedding`: the
    input embeddings, which aren't trained, may lie in system memory where the backend can do that.
    """

    dtype: str
    quantisation: Quantisation = "none"
    max_length: int = 2048
    full: bool = False
    gradient_checkpointing: bool = False
    seed: int = 0
    adapter: Path | None = None
    offload_embedding: bool = False


@dataclass(frozen=True)
class LoraOptions:
    """A LoRA adapter (Hu et al. 2021). `target_modules` names the layers, or is `all-linear`.

    `modules_to_save` are trained whole beside it. `loftq_from` is the folder of the 16-bit weights that the adapter of
    a 4-bit model makes up for at its start (Li et al. 2023).
    """

    rank: int
    alpha: int
    dropout: float
    target_modules: list[str] | Literal["all-linear"]
    rslora: bool = False
    dora: bool = False
    modules_to_save: tuple[str, ...] = ()
    loftq_from: Path | None = None


class Backend(Protocol):
    """What the recipes need of a way to train."""

    name: str

    def load(self, folder: Path, options: LoadOptions) -> Any:
        """The base model in `folder` on its device, with the earlier adapter if one is named, ready to be trained."""

    def add_adapter(self, model: Any, lora: LoraOptions, options: LoadOptions) -> Any:
        """The model with a fresh, trainable adapter."""

    def prepare_for_generation(self, model: Any) -> None:
        """Switch the model to answering."""

    def prepare_for_training(self, model: Any) -> None:
        """Switch it back to being trained."""


def unsloth_problem(hardware: Hardware) -> str | None:
    """Why Unsloth can't train on this machine, None when it can. Looks for its files; imports nothing."""
    if importlib.util.find_spec("unsloth") is None:
        return "Unsloth isn't installed"
    zoo = importlib.util.find_spec("unsloth_zoo")
    if zoo is None or zoo.origin is None:
        return "unsloth_zoo isn't installed"
    if not hardware.gpus and not (Path(zoo.origin).parent / "cpu").is_dir():
        return "there is no GPU, and this version of Unsloth can't train on a CPU"
    return None


def choose_backend(wanted: str, hardware: Hardware) -> Choice:
    """`unsloth` or `peft`, with why. Raises Missing when Unsloth was asked for and can't run here."""
    problem = unsloth_problem(hardware)
    if wanted == "auto":
        if problem is None:
            where = hardware.gpus[0].name if hardware.gpus else "this CPU"
            return Choice("unsloth", f"Unsloth can train on {where}")
        return Choice("peft", problem)
    if wanted == "unsloth" and problem is not None:
        raise Missing(
            "backend: unsloth was asked for.",
            f"It can't run here: {problem}.",
            "Choose backend: auto or peft, or install with `make` (README).",
        )
    if wanted not in ("unsloth", "peft"):
        raise BadInput(f"backend: {wanted} is unknown.", "There are two backends.", "Choose auto, unsloth or peft.")
    return Choice(wanted, "asked for")


def get_backend(name: str) -> Backend:
    """The backend of that name. Unsloth has to be imported before trl and transformers: call this first in a worker."""
    quiet_libraries()
    if name == "unsloth":
        from models.backends.unsloth import UnslothBackend

        return UnslothBackend()
    from models.backends.peft import PeftBackend

    return PeftBackend()
