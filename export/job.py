"""The export job: merge, convert, quantise, describe and check what a training job made.

    adapter/ merged/        as asked for
    <name>-F16.gguf …       each with its Modelfile-F16 …
    parity.json README.md   what the check found, and how to use the files
    work/                   what is needed on the way; removed at the end

Every file appears under its name only when it is whole, so a killed export goes on after the last finished stage.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from datasets_src.rows import conversation_of
from export.check import check_weights
from export.make import WORK, export_adapter, make_weights
from export.modelfile import Parameters, choose_system_prompt, dropped_characters, modelfile
from export.parity import FileCheck
from export.readme import Contents, modelfile_name, readme
from export.source import Source, open_source
from export.spec import ExportSpec
from jobs.context import JobContext
from jobs.files import require_free_space, write_text

# Bytes per parameter; Q4_K_M for models whose rows are no multiple of 256, which take the most.
_BYTES = {"f16": 2.0, "q8_0": 1.07, "q4_k_m": 0.85}
_VOCABULARY_BYTES = 30_000_000


def run(context: JobContext) -> dict[str, Any]:
    """Export. Returns sizes and verdicts for the manifest."""
    spec = ExportSpec.parse(context.spec)
    context.progress(0.0, "Looking at the training job")
    source = open_source(spec, context.workspace)
    context.resolve("name", source.name, "spec" if spec.name else "the training job's title")
    context.resolve("data", source.data, "the training job")
    # Before the long work, so that a system prompt that can't be written is said at once.
    parameters = _parameters(context, spec, source)
    system = _system_prompt(context, spec, source)
    modelfile("model.gguf", system, parameters)
    already = sum(file.stat().st_size for file in context.path.rglob("*") if file.is_file())
    require_free_space(context.path, max(0, needed_bytes(spec, source) - already), "This export")
    if "adapter" in spec.to:
        export_adapter(context, source)
    weights = make_weights(context, spec, source)
    for file in weights:
        _publish_text(context, modelfile_name(file.name), modelfile(file.name, system, parameters))
    checks = check_weights(context, spec, source, weights) if weights else []
    contents = Contents(
        gguf=[file.name for file in weights],
        adapter="adapter" in spec.to,
        merged="merged" in spec.to,
        context_length=parameters.context_length,
        checks=checks,
    )
    _publish_text(context, "README.md", readme(source, contents))
    shutil.rmtree(context.path / WORK, ignore_errors=True)
    return _figures(weights, checks)


def needed_bytes(spec: ExportSpec, source: Source) -> int:
    """Disk space that the export takes at its fullest."""
    needed = 0.0
    if "gguf" in spec.to:
        kinds = {"f16", *spec.quantisations}
        needed += sum(_BYTES[kind] * source.parameters + _VOCABULARY_BYTES for kind in kinds)
    if "merged" in spec.to or ("gguf" in spec.to and source.model.adapter is not None):
        needed += source.weight_bytes + _VOCABULARY_BYTES
    if "adapter" in spec.to and source.model.adapter is not None:
        needed += sum(file.stat().st_size for file in source.model.adapter.rglob("*") if file.is_file())
    return int(needed)


def _parameters(context: JobContext, spec: ExportSpec, source: Source) -> Parameters:
    config = json.loads((source.model.folder / "config.json").read_text(encoding="utf-8"))
    longest = config.get("max_position_embeddings") or spec.context_length
    origin = "spec" if spec.context_length <= longest else f"the model was made for {longest}"
    return Parameters(
        stop=tuple(source.tokenizer.stop_tokens),
        context_length=context.resolve("context_length", min(spec.context_length, longest), origin),
        temperature=spec.temperature,
        top_p=spec.top_p,
        top_k=spec.top_k,
        repeat_penalty=spec.repeat_penalty,
    )


def _system_prompt(context: JobContext, spec: ExportSpec, source: Source) -> str | None:
    conversations = [conversation_of(row)[0] for row in source.rows]
    chosen = choose_system_prompt(spec.system_prompt, conversations, source.tokenizer)
    dropped = dropped_characters(chosen.text or "")
    if dropped:
        context.log(f"Ollama's reader of Modelfiles leaves out these characters of the system prompt: {dropped!a}")
    text: str | None = context.resolve("system_prompt", chosen.text, chosen.origin)
    return text


def _publish_text(context: JobContext, name: str, text: str) -> None:
    write_text(context.path / name, text)
    context.artifact(context.path / name)


def _figures(weights: list[Path], checks: list[FileCheck]) -> dict[str, Any]:
    verdicts = {check.file: check.verdict for check in checks}
    unsure = [check.file for check in checks if not check.passed]
    if not weights:
        message = "Done"
    elif not checks:
        message = f"{len(weights)} GGUF files, unverified"
    elif unsure:
        message = f"{len(weights)} GGUF files; look at the check of {', '.join(unsure)}"
    else:
        message = f"{len(weights)} GGUF files, checked against the trained model"
    return {
        "message": message,
        "verified": bool(checks) and not unsure,
        "size_bytes": {file.name: file.stat().st_size for file in weights},
        "parity": verdicts,
    }
