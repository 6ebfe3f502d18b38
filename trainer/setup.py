"""Everything a run needs before its first attempt, found once: machine, backend, base model, rows, memory's limits."""

from __future__ import annotations

import importlib.metadata
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datasets_src.store import open_version
from jobs.context import JobContext
from jobs.errors import BadInput
from models.backends import Backend, LoadOptions, LoraOptions, choose_backend, get_backend
from models.base_template import is_base_template
from models.chat_template import ChatTokenizer
from models.folder import count_parameters
from models.hardware import GB, Hardware, probe
from models.precision import choose_precision
from models.reference import ResolvedModel, resolve
from models.shape import ModelShape
from trainer.memory.estimate import MemoryEstimate, estimate
from trainer.memory.fit import fits
from trainer.memory.limits import Limit, free_for_run, require_disk, require_memory, run_limit
from trainer.memory.rows import as_long_as_rows
from trainer.memory.setting import Setting, loss_budget, offloads_embedding, setting_for
from trainer.memory.shape import read_shape
from trainer.rows import TrainingRows, read_rows
from trainer.spec import TrainSpec
from trainer.trackers import require_trackers

LIBRARIES = ("torch", "transformers", "trl", "peft", "datasets", "bitsandbytes", "unsloth", "unsloth_zoo")


@dataclass(frozen=True)
class Setup:
    """What stays the same over all attempts of a run. `base` names the adapter that is trained on, if there is one.

    `limit` is what the run may take of the card, None without one.
    """

    spec: TrainSpec
    hardware: Hardware
    backend: Backend
    base: ResolvedModel
    tokenizer: ChatTokenizer
    rows: TrainingRows
    shape: ModelShape
    setting: Setting
    estimated: MemoryEstimate
    limit: Limit | None

    @property
    def parameters(self) -> int:
        return count_parameters(self.base.folder)


def set_up(context: JobContext) -> Setup:
    """Look at everything, and refuse what can't work before any model is loaded."""
    spec = TrainSpec.parse(context.spec)
    require_trackers(spec.saving.trackers)
    hardware = probe(context.path)
    context.progress(None, "Loading the base model's files")
    limit = run_limit(hardware.gpus[0], spec.safety.memory_limit_gb) if hardware.gpus else None
    # The backend comes before anything that imports transformers: Unsloth has to be first.
    choice = choose_backend(spec.backend, hardware)
    backend_name = context.resolve("backend", choice.value, choice.origin)
    if limit is not None:
        os.environ["UNSLOTH_CE_LOSS_TARGET_GB"] = f"{loss_budget(limit.bytes) / 2**30:.3f}"
    backend = get_backend(backend_name)
    base = _base(context, spec)
    shape, setting = read_shape(base.folder), replace(setting_for(spec, hardware), backend=backend_name)
    version = open_version(context.workspace, context.decided("data") or spec.data)
    needs_template = spec.method.objective != "continued"
    tokenizer = ChatTokenizer.load(base.folder, needs_template=needs_template)
    if is_base_template(tokenizer.template):
        context.resolve("chat_template", "Hearth's own", "the model has none; it is saved with the result")
    rows = read_rows(context, spec, version, tokenizer)
    real = as_long_as_rows(spec, _longest(rows))
    estimated = estimate(shape, real, setting)
    _check_room(context, real, hardware, shape, setting, estimated)
    context.resolve("hardware", hardware.describe(), "probed")
    context.resolve("data", f"{version.name}@{version.version}", "spec" if "@" in spec.data else "latest version")
    context.resolve("rows", len(rows.train.items), "rows with an answer within max_length")
    context.resolve("seed", spec.seed, "spec")
    context.resolve("libraries", _library_versions(), "installed")
    return Setup(spec, hardware, backend, base, tokenizer, rows, shape, setting, estimated, limit)


def _longest(rows: TrainingRows) -> int:
    return max(len(ids) for item in rows.train.items for name, ids in item.items() if name.endswith("ids"))


def _base(context: JobContext, spec: TrainSpec) -> ResolvedModel:
    """The model to start from; of a resumed run the very folders that its first attempt found."""
    known = context.decided("base")
    if known is not None:
        adapter = known.get("adapter")
        return ResolvedModel(known["name"], Path(known["folder"]), Path(adapter) if adapter else None)
    base = resolve(spec.model, context.workspace)
    text = spec.model
    if base.adapter is not None:
        if spec.method.adapter == "none":
            raise BadInput(
                f"model: {spec.model} is an adapter.",
                "With method.adapter none all weights would be trained, which an adapter is no part of.",
                "Choose lora or qlora, or merge it first (export, target merged).",
            )
        text = str((_noted(base.adapter) or {}).get("base") or base.folder)
        context.log(f"Training goes on from the adapter {spec.model}; its rank and layers stay as they are.")
    value = {"text": text, "name": base.name, "folder": str(base.folder), "adapter": str(base.adapter or "") or None}
    context.resolve("base", value, "spec")
    return base


def _noted(adapter: Path) -> dict[str, Any] | None:
    from jobs.files import read_json

    noted = read_json(adapter / "hearth.json")
    return dict(noted) if noted else None


def _check_room(
    context: JobContext,
    spec: TrainSpec,
    hardware: Hardware,
    shape: ModelShape,
    setting: Setting,
    estimated: MemoryEstimate,
) -> None:
    """Memory and disk, before anything is loaded. A card that may be too small is said, not refused: the run adapts."""
    require_memory(shape, spec, setting, estimated, hardware)
    for warning in require_disk(shape, spec, hardware):
        context.log(warning)
    free = free_for_run(hardware, spec.safety.memory_limit_gb)
    context.resolve("memory_estimate_gb", round(estimated.total / GB, 2), f"of {free / GB:.2f} GB that may be used")
    if not fits(estimated, free):
        context.log(
            f"The run will need about {estimated.total / GB:.1f} GB, and {free / GB:.1f} GB may be used. It starts, "
            "and takes smaller batches when memory is full; `python cli.py fit` finds settings that fit from the start."
        )


def _library_versions() -> dict[str, str]:
    versions = {}
    for library in LIBRARIES:
        try:
            versions[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            versions[library] = "not installed"
    return versions


def load_for_training(setup: Setup, *, dtype: str, gradient_checkpointing: bool) -> Any:
    """The model, with its earlier adapter or a fresh one unless all weights are trained."""
    spec, method = setup.spec, setup.spec.method
    options = LoadOptions(
        dtype=dtype,
        quantisation="4bit" if method.adapter == "qlora" else "none",
        max_length=spec.max_length,
        full=method.adapter == "none",
        gradient_checkpointing=gradient_checkpointing,
        seed=spec.seed,
        adapter=setup.base.adapter,
        offload_embedding=offloads_embedding(spec, setup.setting),
    )
    model = setup.backend.load(setup.base.folder, options)
    if method.adapter == "none" or setup.base.adapter is not None:
        return model
    lora = LoraOptions(
        rank=method.rank,
        alpha=method.alpha,
        dropout=method.dropout,
        target_modules=method.target_modules,
        rslora=method.rslora,
        dora=method.dora,
        modules_to_save=tuple(method.modules_to_save),
        loftq_from=setup.base.folder if method.loftq else None,
    )
    return setup.backend.add_adapter(model, lora, options)


def precision_of(context: JobContext, setup: Setup) -> str:
    """The number format, decided and recorded."""
    choice = choose_precision(setup.spec.precision, setup.hardware)
    return str(context.resolve("precision", choice.value, choice.origin))
