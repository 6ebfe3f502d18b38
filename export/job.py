"""The export job: merge, convert, quantise, describe and check what a training job made.

    adapter/ merged/ <name>-adapter.gguf      as asked for
    <name>-F16.gguf …       each with its Modelfile-F16 …
    for-vllm/ …             folders ready for other programs
    evaluation/             the report on the task's scores
    parity.json README.md   what the checks found, and how to use the files
    work/                   what is needed on the way; removed at the end

Every file appears under its name only when it is whole, so a killed export goes on after the last finished stage.
"""

from __future__ import annotations

import shutil
from typing import Any

from export.card import model_card
from export.check import Checked, check_files
from export.checks import IN_WORDS
from export.description import describe
from export.kits import write_kits
from export.make import WORK, Made, export_adapter, make_weights
from export.plan import needed_bytes, planned_stages, require_makeable
from export.readme import Contents, modelfile_name, readme
from export.source import Source, open_source
from export.spec import ExportSpec
from export.stages import Stages, rates, told_seconds
from jobs.context import JobContext
from jobs.files import require_free_space, write_text
from models.hardware import probe


def run(context: JobContext) -> dict[str, Any]:
    """Export. Returns sizes and verdicts for the manifest."""
    spec = ExportSpec.parse(context.spec)
    require_makeable(spec)
    context.progress(0.0, "Looking at the training job")
    source = open_source(spec, context.workspace)
    context.resolve("name", source.name, "spec" if spec.name else "the training job's title")
    context.resolve("data", source.data, "the training job")
    described = describe(context, spec, source)
    already = sum(file.stat().st_size for file in context.path.rglob("*") if file.is_file())
    require_free_space(context.path, max(0, needed_bytes(spec, source) - already), "This export")
    stages = _stages(context, spec, source)
    export_adapter(context, spec, source, stages)
    made = make_weights(context, spec, source, stages)
    for file in made.gguf:
        _publish_text(context, modelfile_name(file.name), described.parts(file.name).text)
    checked = check_files(context, spec, source, made, described, stages) if made.gguf else None
    contents = Contents.of(source.name, spec, made, checked, described)
    write_kits(context, spec, contents)
    _publish_text(context, "README.md", readme(source, contents))
    _publish_text(context, "MODEL_CARD.md", model_card(context.workspace, source, contents))
    shutil.rmtree(context.path / WORK, ignore_errors=True)
    return {**_figures(made, checked), "stage_rates": stages.measured, "template": described.template_note}


def _stages(context: JobContext, spec: ExportSpec, source: Source) -> Stages:
    card_here = bool(probe(context.path).gpus)
    planned = planned_stages(spec, source, rates(context.workspace, card=card_here))
    context.log(f"This should take about {told_seconds(sum(stage.expected for stage in planned))}.")
    return Stages(context, planned)


def _publish_text(context: JobContext, name: str, text: str) -> None:
    write_text(context.path / name, text)
    context.artifact(context.path / name)


def _figures(made: Made, checked: Checked | None) -> dict[str, Any]:
    files = checked.files if checked else []
    failed = [file.name for file in files if file.failed]
    count = f"{len(made.gguf)} GGUF file{'' if len(made.gguf) == 1 else 's'}"
    if not made.gguf:
        message = "Done"
    elif failed:
        message = f"{count}; look at the check of {', '.join(failed)}"
    elif not any(file.checked for file in files):
        message = f"{count}, unverified"
    elif checked is not None and checked.unverified:
        message = f"{count}, checked except for {', '.join(IN_WORDS[name] for name in checked.unverified)}"
    else:
        message = f"{count}, checked against the trained model"
    return {
        "message": message,
        "verified": checked is not None and checked.verified,
        "unverified": checked.unverified if checked else {},
        "recommendation": checked.recommendation.to_json() if checked else None,
        "size_bytes": {file.name: file.stat().st_size for file in made.gguf},
        "parity": {file.name: file.verdict for file in files},
    }
