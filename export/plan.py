"""What an export will do, stage by stage, with the time that each should take. Needs no model to be loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from export.checks import CheckName
from export.quantisations import Plain, Quantisation, available, estimated_bytes
from export.source import Source
from export.spec import ExportSpec
from export.stages import Stage, StageKind
from jobs.errors import Missing
from models.llama_programs import find_tool

# Tokens of a held-out row, where nothing is known of it.
_TYPICAL_TOKENS = 200
_TASK_TOKENS = 32


def planned_stages(spec: ExportSpec, source: Source, rates: Mapping[StageKind, float]) -> list[Stage]:
    """In the order in which they run."""
    stages: list[Stage] = []

    def add(name: str, kind: StageKind, label: str, size: float) -> None:
        stages.append(Stage(name, kind, label, size, size / 1e9 * rates[kind]))

    if "adapter" in spec.to or "adapter_gguf" in spec.to:
        add("adapter", "copy", "Copying the adapter", source.adapter_bytes)
    if spec.wants_merged or (spec.wants_gguf and source.model.adapter is not None):
        add("merge", "merge", "Merging the adapter into the base model", source.weight_bytes)
    if not spec.wants_gguf:
        return stages
    add("convert", "convert", "Converting to GGUF", source.parameters)
    if spec.importance_matrix:
        add("importance", "importance", "Measuring which weights matter", source.parameters)
    for kind in made_from(source.source_kind(spec.quantisations), spec.quantisations):
        add(f"quantise {kind}", "quantise", f"Quantising to {kind.upper()}", source.parameters)
    for name, size in _check_sizes(spec, source).items():
        add(name, name, _LABELS[name], size)
    return stages


def made_from(whole: Plain, wanted: Sequence[Quantisation]) -> list[Quantisation]:
    """The files that are made of the one that the converter writes."""
    return [kind for kind in wanted if kind != whole]


_LABELS: dict[CheckName, str] = {
    "rendering": "Comparing prompts",
    "answers": "Comparing answers",
    "behaviour": "Comparing probabilities",
    "task": "Comparing scores at the task",
}


def _check_sizes(spec: ExportSpec, source: Source) -> dict[CheckName, float]:
    """Parameters × tokens that each check goes through, over all files and the trained model."""
    files = 1 + len(spec.quantisations)
    rows = min(spec.check_rows, len(source.rows))
    prompts = min(spec.check_prompts, len(source.rows))
    sizes: dict[CheckName, float] = {
        "rendering": files * source.parameters,
        "answers": files * prompts * spec.check_tokens * source.parameters,
        "behaviour": (files + 1) * rows * _TYPICAL_TOKENS * source.parameters,
        "task": files * min(spec.task_items, len(source.rows) or spec.task_items) * _TASK_TOKENS * source.parameters,
    }
    return {name: size for name, size in sizes.items() if name in spec.checks}


def require_makeable(spec: ExportSpec) -> None:
    """Raise Missing, before any work, for a size that can't be made on this machine."""
    if not spec.wants_gguf:
        return
    missing = {kind: why for kind, why in available().items() if why is not None}
    reasons: dict[str, str] = {kind: missing[kind] for kind in spec.quantisations if kind in missing}
    if spec.importance_matrix and not (find_tool("llama-imatrix") and find_tool("llama-quantize")):
        reasons = {"importance_matrix": "needs llama.cpp's programs llama-imatrix and llama-quantize", **reasons}
    if reasons:
        raise Missing(
            f"Not everything can be made here: {'; '.join(f'{name} {why}' for name, why in reasons.items())}.",
            "These come with llama.cpp, and are nowhere to be found.",
            "Install llama.cpp so that its programs are on the PATH, or leave these out.",
        )


def needed_bytes(spec: ExportSpec, source: Source) -> int:
    """Disk space that the export takes at its fullest."""
    needed = 0
    if spec.wants_gguf:
        needed += sum(_file_bytes(source, kind) for kind in _kinds(spec, source))
    if spec.wants_merged or (spec.wants_gguf and source.model.adapter is not None):
        needed += source.weight_bytes + 30_000_000
    return needed + 2 * source.adapter_bytes


def _kinds(spec: ExportSpec, source: Source) -> Sequence[Quantisation]:
    """With the unrounded file that the others are made of."""
    return tuple(dict.fromkeys((source.source_kind(spec.quantisations), *spec.quantisations)))


def _file_bytes(source: Source, kind: Quantisation) -> int:
    return estimated_bytes(kind, source.parameters, source.vocabulary, source.rows_even)
