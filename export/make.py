"""The stages of an export that write weights. Each result appears under its name only when it is whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from export.adapter_gguf import convert_adapter
from export.gguf import convert
from export.importance import measure_importance
from export.merge import copy_model_files, merge
from export.plan import made_from
from export.quantisations import Plain, Quantisation
from export.quantise import quantise
from export.source import Source
from export.spec import ExportSpec
from export.stages import Stages
from jobs.context import JobContext
from jobs.errors import BadInput
from jobs.files import publish_folder, write_json

WORK = "work"


@dataclass(frozen=True)
class Made:
    """What an export wrote: GGUF files, the largest first, and the merged folder where it was asked for or is still
    needed."""

    gguf: list[Path]
    merged: Path | None

    @property
    def all(self) -> list[Path]:
        return [path for path in (self.merged, *self.gguf) if path is not None]


def export_adapter(context: JobContext, spec: ExportSpec, source: Source, stages: Stages) -> None:
    """A copy that names its base as others can get it, and one as GGUF, as the spec asks for."""
    adapter = source.model.adapter
    wanted = [target for target in ("adapter", "adapter_gguf") if target in spec.to]
    if not wanted:
        return
    if adapter is None:
        raise BadInput(
            f"{source.job.id} trained the whole model, so there is no adapter.",
            "An adapter comes from training with lora or qlora.",
            "Export it as merged or gguf.",
        )
    with stages.stage("adapter"):
        if "adapter" in wanted:
            final = context.artifact(context.path / "adapter")
            if not final.exists():
                temporary = _fresh(context.path / WORK / "adapter.part")
                shutil.copytree(adapter, temporary, dirs_exist_ok=True)
                _name_base(temporary, source)
                publish_folder(temporary, final)
        if "adapter_gguf" in wanted:
            target = context.artifact(context.path / f"{source.name}-adapter.gguf")
            _once(context, target, lambda part: convert_adapter(source.model.folder, adapter, part))
    context.check_stop()


def _name_base(folder: Path, source: Source) -> None:
    if source.hub_id and source.base_text != "embedded":
        config = folder / "adapter_config.json"
        values = json.loads(config.read_text(encoding="utf-8"))
        write_json(config, {**values, "base_model_name_or_path": source.hub_id})


def make_weights(context: JobContext, spec: ExportSpec, source: Source, stages: Stages) -> Made:
    """Merge, convert and quantise as asked. What an earlier attempt finished is kept."""
    if not spec.wants_gguf:
        return Made([], _merged(context, spec, source, stages) if spec.wants_merged else None)
    files = {kind: context.artifact(context.path / _file_name(source, kind)) for kind in spec.quantisations}
    merged = _merged(context, spec, source, stages)
    missing = [kind for kind, file in files.items() if not file.exists()]
    whole = source.source_kind(spec.quantisations)
    unrounded = files.get(whole, context.path / WORK / _file_name(source, whole))
    with stages.stage("convert", begun_before=unrounded.exists() or not missing):
        if missing:
            _convert(context, source, merged, unrounded, whole, stages)
    importance = _importance(context, spec, source, stages, unrounded) if missing else None
    for kind in made_from(whole, spec.quantisations):
        with stages.stage(f"quantise {kind}", begun_before=files[kind].exists()):
            _quantise(context, unrounded, files[kind], kind, importance, stages)
    sizes = sorted(files.values(), key=lambda file: file.stat().st_size, reverse=True)
    return Made(sizes, merged if source.model.adapter is not None or spec.wants_merged else None)


def _file_name(source: Source, kind: str) -> str:
    return f"{source.name}-{kind.upper()}.gguf"


def _importance(context: JobContext, spec: ExportSpec, source: Source, stages: Stages, weights: Path) -> Path | None:
    """The importance matrix, where it was asked for."""
    if not spec.importance_matrix:
        return None
    target = context.path / WORK / "importance.gguf"
    texts = source.training_texts()
    with stages.stage("importance"):
        _once(context, target, lambda part: measure_importance(weights, texts, part, stages.done))
    return target


def _quantise(
    context: JobContext, source_file: Path, target: Path, kind: Quantisation, importance: Path | None, stages: Stages
) -> None:
    def write(part: Path) -> None:
        report = quantise(source_file, part, kind, stages.done, importance)
        context.log(f"{kind.upper()} by {report.engine}: {report.types}")

    _once(context, target, write)
    context.check_stop()


def _merged(context: JobContext, spec: ExportSpec, source: Source, stages: Stages) -> Path:
    """The folder with whole 16-bit weights: training's own when it trained all of them, else merged ones."""
    wanted = spec.wants_merged
    if source.model.adapter is None and not wanted:
        return source.model.folder
    final = context.path / "merged" if wanted else context.path / WORK / "merged"
    if wanted:
        context.artifact(final)
    with stages.stage("merge", begun_before=final.exists()):
        if not final.exists():
            temporary = _fresh(context.path / WORK / "merged.part")
            if source.model.adapter is None:
                _copy_model(source.model.folder, temporary)
            else:
                adapter = source.model.adapter
                fine = spec.wants_gguf and source.merges_finely(spec.quantisations)
                report = merge(source.model.folder, adapter, temporary, stages.done, fine=fine)
                context.log(f"Merged: {report.changed} of {report.tensors} tensors changed.")
            publish_folder(temporary, final)
    context.check_stop()
    return final


def _copy_model(model: Path, output: Path) -> None:
    copy_model_files(model, model, output)
    for file in model.glob("model*.safetensors*"):
        shutil.copyfile(file, output / file.name)


def _convert(context: JobContext, source: Source, model: Path, target: Path, kind: Plain, stages: Stages) -> None:
    _once(context, target, lambda part: convert(model, part, source.metadata(), kind, progress=stages.done))
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
