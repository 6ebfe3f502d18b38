"""The train job: resolve what `auto` means, tokenise, train with checkpoints, leave an adapter (or a model) behind."""

from __future__ import annotations

import importlib.metadata
import json
import random
import shutil
import time
from pathlib import Path
from typing import Any

from datasets_src.store import DatasetVersion, open_version
from datasets_src.tokens import fit_length, tokenised_rows
from jobs.context import JobContext
from jobs.errors import BadInput, OutOfRoom, Stopped
from jobs.files import publish_folder, require_free_space, write_json, write_text
from models.backends import choose_backend, get_backend
from models.chat_template import ChatTokenizer, TokenisedRow
from models.folder import TOKENIZER_FILES, count_parameters
from models.hardware import Hardware, probe
from models.precision import choose_precision
from models.reference import ResolvedModel, resolve
from trainer.checkpoints import latest_checkpoint
from trainer.reporting import make_callback, memory_gb
from trainer.sft import Plan, build_trainer, default_learning_rate, load_for_training, total_steps
from trainer.spec import TrainSpec

LIBRARIES = ("torch", "transformers", "trl", "peft", "datasets", "bitsandbytes", "unsloth", "unsloth_zoo")
# What supervised training makes of rows that are no plain conversations.
WHAT_IS_LEARNED: dict[str, str] = {
    "preference": "preference pairs: the chosen answers are learned, the rejected ones are not used.",
    "unpaired": "answers marked good or bad: the good ones are learned, the bad ones are not used.",
    "text": "plain text: every token of it is learned.",
}


def run(context: JobContext) -> dict[str, Any]:
    """Train. Returns the figures for the manifest; leaves adapter/ or model/ in the job's folder."""
    spec = TrainSpec.parse(context.spec)
    hardware = probe(context.path)
    context.progress(None, "Loading the base model's files")
    # The backend comes before anything that imports transformers: Unsloth has to be first.
    backend_choice = choose_backend(spec.backend, hardware)
    backend = get_backend(context.resolve("backend", backend_choice.value, backend_choice.origin))
    base = _base(context, spec)
    version = open_version(context.workspace, context.decided("data") or spec.data)
    tokenizer = ChatTokenizer.load(base.folder)
    train, evaluation = _rows(context, spec, version, tokenizer)
    plan = _plan(context, spec, hardware, base, version, len(train), backend.name)
    context.progress(None, f"Loading {base.name}")
    model = load_for_training(backend, base.folder, spec, plan)
    trainer = build_trainer(
        model,
        tokenizer,
        train,
        evaluation,
        spec,
        plan,
        context.path / "checkpoints",
        lambda collator: make_callback(context, collator),
    )
    seconds = _train(context, trainer, spec)
    _save(context, trainer.model, base, spec)
    return _figures(trainer, seconds, plan)


def _base(context: JobContext, spec: TrainSpec) -> ResolvedModel:
    """The model to start from; of a resumed run the very folder that its first attempt found."""
    known = context.decided("base")
    if known is not None:
        return ResolvedModel(known["name"], Path(known["folder"]))
    base = resolve(spec.model, context.workspace)
    if base.adapter is not None:
        raise BadInput(
            f"model: {spec.model} is itself an adapter.",
            "This run can only start from a base model.",
            "Name the base model it was trained from.",
        )
    context.resolve("base", {"text": spec.model, "name": base.name, "folder": str(base.folder)}, "spec")
    return base


def _rows(
    context: JobContext, spec: TrainSpec, version: DatasetVersion, tokenizer: ChatTokenizer
) -> tuple[list[TokenisedRow], list[TokenisedRow]]:
    """Training rows, and the sample of held-out rows on which the loss is measured on the way."""

    def progress(done: int, total: int) -> None:
        context.check_stop()
        context.progress(None, f"Tokenising row {done} of {total}")

    if version.kind in WHAT_IS_LEARNED:
        context.log(f"{version.id} holds {WHAT_IS_LEARNED[version.kind]}")
    train = fit_length(tokenised_rows(version, "train", tokenizer, context.workspace, progress), spec.max_length)
    if not train.rows:
        raise BadInput(
            f"No row of {version.name} has anything to train on.",
            f"With max_length {spec.max_length} every row is cut before its answer begins.",
            "Raise max_length, or shorten the prompts.",
        )
    if train.cut:
        context.log(
            f"{train.cut} rows are longer than {spec.max_length} tokens and lost their end; {train.dropped} of "
            "them had no answer left and were left out."
        )
    held_out = fit_length(tokenised_rows(version, "eval", tokenizer, context.workspace, progress), spec.max_length).rows
    sample = random.Random(spec.seed).sample(held_out, min(spec.saving.evaluate_rows, len(held_out)))
    return train.rows, sample


def _plan(
    context: JobContext,
    spec: TrainSpec,
    hardware: Hardware,
    base: ResolvedModel,
    version: DatasetVersion,
    rows: int,
    backend: str,
) -> Plan:
    """Decide and record every value that the spec left open."""
    precision = choose_precision(spec.precision, hardware)
    rate, rate_origin = spec.optimisation.learning_rate, "asked for"
    if rate == "auto":
        rate, rate_origin = default_learning_rate(count_parameters(base.folder), spec.method.adapter)
    steps = total_steps(spec, rows)
    every = spec.saving.evaluate_every or max(1, steps // 5)
    context.resolve("hardware", hardware.describe(), "probed")
    context.resolve("data", f"{version.name}@{version.version}", "latest version" if "@" not in spec.data else "spec")
    context.resolve("rows", rows, "rows with an answer within max_length")
    context.resolve("seed", spec.seed, "spec")
    context.resolve("libraries", _library_versions(), "installed")
    return Plan(
        backend=backend,
        dtype=context.resolve("precision", precision.value, precision.origin),
        learning_rate=context.resolve("learning_rate", rate, rate_origin),
        total_steps=context.resolve("total_steps", steps, f"{rows} rows, batch {spec.optimisation.batch_size}"),
        evaluate_every=context.resolve(
            "evaluate_every", every, "spec" if spec.saving.evaluate_every else "a fifth of the run"
        ),
    )


def _library_versions() -> dict[str, str]:
    versions = {}
    for library in LIBRARIES:
        try:
            versions[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            versions[library] = "not installed"
    return versions


def _train(context: JobContext, trainer: Any, spec: TrainSpec) -> float:
    """Run to the end or to a stop. Returns the seconds it took; raises Stopped after the checkpoint is safe."""
    import torch

    checkpoint = latest_checkpoint(context.path / "checkpoints") if context.attempt > 1 else None
    if checkpoint is not None:
        context.change(f"Going on from {checkpoint.name.replace('-', ' ')}", "the run was interrupted")
    trainable = sum(parameter.numel() for parameter in trainer.model.parameters() if parameter.requires_grad)
    # Weights and Adam's two moments in float32; twice, since the new checkpoint is there before the old one goes.
    require_free_space(context.path, 2 * 12 * trainable, "Saving checkpoints")
    context.log(f"{trainable:,} of {sum(p.numel() for p in trainer.model.parameters()):,} weights are trained.")
    context.progress(0.0, "Training begins")
    started = time.monotonic()
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except torch.OutOfMemoryError as error:
        raise OutOfRoom(
            f"The GPU's memory is full: batches of up to {spec.max_length} tokens don't fit.",
            str(error).split(". ")[0],
            "Halve the batch size and double the accumulation, turn on gradient checkpointing, or train with qlora.",
        ) from error
    if context.should_stop() and trainer.state.global_step < trainer.state.max_steps:
        raise Stopped
    return time.monotonic() - started


def _save(context: JobContext, model: Any, base: ResolvedModel, spec: TrainSpec) -> None:
    """Write adapter/ (or model/ when all weights were trained) with everything needed to use it elsewhere."""
    context.progress(1.0, "Saving the result")
    name = "model" if spec.method.adapter == "none" else "adapter"
    temporary = context.path / f".{name}.part"
    shutil.rmtree(temporary, ignore_errors=True)
    model.save_pretrained(temporary, safe_serialization=True)
    for file in TOKENIZER_FILES:
        if (base.folder / file).exists():
            shutil.copy2(base.folder / file, temporary / file)
    if name == "adapter":
        _name_base(temporary, base.folder)
    write_json(
        temporary / "hearth.json",
        {"base": spec.model, "base_name": base.name, "data": spec.data, "job": context.path.name},
    )
    write_text(temporary / "README.md", _card(base, spec, name))
    publish_folder(temporary, context.path / name)
    context.artifact(context.path / name)


def _name_base(adapter: Path, base: Path) -> None:
    """Backends differ in what they note as the base; plain PEFT needs a place it can load from."""
    path = adapter / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    write_json(path, {**config, "base_model_name_or_path": str(base)})


def _card(base: ResolvedModel, spec: TrainSpec, name: str) -> str:
    use = (
        'model = AutoPeftModelForCausalLM.from_pretrained("adapter")'
        if name == "adapter"
        else 'model = AutoModelForCausalLM.from_pretrained("model")'
    )
    library = "peft" if name == "adapter" else "transformers"
    return (
        f"---\nlibrary_name: {library}\ntags: [hearth]\n---\n\n# {spec.title}\n\n"
        f"Fine-tuned with Hearth from {base.name} on the dataset `{spec.data}`.\n\n```python\n"
        f"from {library} import {use.split(' = ')[1].split('.')[0]}\n{use}\n```\n\n"
        f"## Settings\n\n```yaml\n{spec.to_yaml()}```\n"
    )


def _figures(trainer: Any, seconds: float, plan: Plan) -> dict[str, Any]:
    history = trainer.state.log_history
    losses = [entry["loss"] for entry in history if "loss" in entry]
    held_out = [entry["eval_loss"] for entry in history if "eval_loss" in entry]
    recent = losses[-max(1, len(losses) // 10) :]
    return {
        "steps": trainer.state.global_step,
        "first_loss": losses[0] if losses else None,
        "final_loss": sum(recent) / len(recent) if recent else None,
        "eval_loss": held_out[-1] if held_out else None,
        "training_seconds": round(seconds, 1),
        "backend": plan.backend,
        **{name: round(value, 2) for name, value in memory_gb().items()},
    }
