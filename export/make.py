"""The stages of an export that write weights. Each result appears under its name only when it is whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from export.gguf import convert
from export.merge import copy_model_files, merge
from export.quantise import quantise
from export.source import Source
from export.spec import ExportSpec
from export.tensor_types import Mix
from jobs.context import JobContext
from jobs.errors import BadInput
from jobs.files import publish_folder, write_json

WORK = "work"
_MIXES: tuple[Mix, ...] = ("q8_0", "q4_k_m")


def export_adapter(context: JobContext, source: Source) -> None:
    """A copy that names its base as others can get it."""
    adapter = source.model.adapter
    if adapter is None:
        raise BadInput(
            f"{source.job.id} trained the whole model, so there is no adapter.",
            "An adapter comes from training with lora or qlora.",
            "Export it as merged or gguf.",
        )
    final = context.artifact(context.path / "adapter")
    if not final.exists():
        context.progress(0.02, "Copying the adapter")
        temporary = _fresh(context.path / WORK / "adapter.part")
        shutil.copytree(adapter, temporary, dirs_exist_ok=True)
        if source.hub_id and source.base_text != "embedded":
            config = temporary / "adapter_config.json"
            values = json.loads(config.read_text(encoding="utf-8"))
            write_json(config, {**values, "base_model_name_or_path": source.hub_id})
        publish_folder(temporary, final)
    context.check_stop()


def make_weights(context: JobContext, spec: ExportSpec, source: Source) -> list[Path]:
    """Merge, convert and quantise as asked. Returns the GGUF files, the largest first."""
    if "gguf" not in spec.to:
        if "merged" in spec.to:
            _merged(context, spec, source)
        return []
    kept = [kind for kind in ("f16", *_MIXES) if kind in spec.quantisations]
    files = [context.artifact(context.path / _file_name(source, kind)) for kind in kept]
    if "merged" not in spec.to and all(file.exists() for file in files):
        return files
    f16 = (context.path if "f16" in kept else context.path / WORK) / _file_name(source, "f16")
    _convert(context, source, _merged(context, spec, source), f16)
    mixes = [mix for mix in _MIXES if mix in kept]
    for number, mix in enumerate(mixes):
        start, share = 0.4 + 0.2 * number / len(mixes), 0.2 / len(mixes)
        _quantise(context, f16, context.path / _file_name(source, mix), mix, start, share)
    return files


def _file_name(source: Source, kind: str) -> str:
    return f"{source.name}-{kind.upper()}.gguf"


def _quantise(context: JobContext, f16: Path, target: Path, mix: Mix, start: float, share: float) -> None:
    """`start` and `share`: where this stage lies in the whole job's progress."""
    label = f"Quantising to {mix.upper()}"

    def write(part: Path) -> None:
        report = quantise(f16, part, mix, lambda done: context.progress(start + share * done, label))
        context.log(f"{mix.upper()} by {report.engine}: {report.types}")

    context.progress(start, label)
    _once(context, target, write)
    context.check_stop()


def _merged(context: JobContext, spec: ExportSpec, source: Source) -> Path:
    """The folder with whole 16-bit weights: training's own when it trained all of them, else merged ones."""
    wanted = "merged" in spec.to
    if source.model.adapter is None and not wanted:
        return source.model.folder
    final = context.path / "merged" if wanted else context.path / WORK / "merged"
    if wanted:
        context.artifact(final)
    if final.exists():
        return final
    temporary = _fresh(context.path / WORK / "merged.part")
    context.progress(0.05, "Merging the adapter into the base model")
    if source.model.adapter is None:
        _copy_model(source.model.folder, temporary)
    else:
        report = merge(
            source.model.folder,
            source.model.adapter,
            temporary,
            lambda done: context.progress(0.05 + 0.2 * done, "Merging the adapter into the base model"),
        )
        context.log(f"Merged: {report.changed} of {report.tensors} tensors changed.")
    publish_folder(temporary, final)
    context.check_stop()
    return final


def _copy_model(model: Path, output: Path) -> None:
    copy_model_files(model, model, output)
    for file in model.glob("model*.safetensors*"):
        shutil.copyfile(file, output / file.name)


def _convert(context: JobContext, source: Source, model: Path, target: Path) -> None:
    context.progress(0.25, "Converting to GGUF")
    _once(context, target, lambda part: convert(model, part, source.metadata()))
    context.check_stop()


def _once(context: JobContext, target: Path, write: Callable[[Path], None]) -> None:
    """Have `write` write a file in work/ and move it to `target` when it is whole; an earlier attempt's is kept."""
    if target.exists():
        return
    part = context.path / WORK / f"{target.name}.part"
    part.parent.mkdir(exist_ok=True)
    try:
        write(part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
