"""The export's last stage: compare each GGUF with the trained model's own answers, and write parity.json."""

from __future__ import annotations

from pathlib import Path

from export.parity import OLLAMA_NOTE, FileCheck, Prompt, Reference, check_file
from export.source import Source, check_prompts
from export.spec import ExportSpec
from jobs.context import JobContext
from jobs.files import write_json
from models.hardware import probe

_BATCH = 8


def check_weights(context: JobContext, spec: ExportSpec, source: Source, weights: list[Path]) -> list[FileCheck]:
    """Check the files; none when the spec asks for no check or there is nothing to ask. Writes parity.json."""
    prompts = check_prompts(source, spec.check_prompts)
    reason = None
    if spec.check_prompts == 0:
        reason = "the spec asks for no check"
    elif not prompts:
        reason = "there are no held-out rows, or their dataset is gone"
    if reason is None:
        references = _references(context, spec, source, prompts)
        checks = [
            _check_one(context, spec, source, file, prompts, references, 0.7 + 0.3 * number / len(weights))
            for number, file in enumerate(weights)
        ]
    else:
        checks = []
        context.log(f"Unverified: {reason}.")
    report = {
        "verified": bool(checks),
        "reason": reason,
        "compared_with": f"the trained model in transformers, greedy, up to {spec.check_tokens} tokens",
        "ollama": OLLAMA_NOTE,
        "files": [check.to_json() for check in checks],
    }
    write_json(context.path / "parity.json", report)
    context.artifact(context.path / "parity.json")
    return checks


def _check_one(
    context: JobContext,
    spec: ExportSpec,
    source: Source,
    file: Path,
    prompts: list[Prompt],
    references: list[Reference],
    start: float,
) -> FileCheck:
    """`start`: where this file's check begins in the whole job's progress."""
    context.progress(start, f"Checking {file.name}")

    def progress(done: int) -> None:
        context.check_stop()
        context.progress(start, f"Checking {file.name}: {done} of {len(prompts)} prompts")

    check = check_file(file, source.tokenizer, prompts, references, spec.check_tokens, progress)
    context.log(f"{file.name}: {check.verdict}")
    return check


def _references(context: JobContext, spec: ExportSpec, source: Source, prompts: list[Prompt]) -> list[Reference]:
    """The trained model's own greedy answers."""
    from evaluation.generate import generate
    from models.load import load_resolved

    context.progress(0.6, "Asking the trained model")
    loaded = load_resolved(source.model, precision=_check_precision(context, source))

    def progress(done: int) -> None:
        context.check_stop()
        context.progress(0.6 + 0.1 * done / len(prompts), f"Asking the trained model: {done} of {len(prompts)} prompts")

    answers = generate(
        loaded,
        [prompt.messages for prompt in prompts],
        max_new_tokens=spec.check_tokens,
        batch_size=_BATCH,
        tools=[prompt.tools for prompt in prompts],
        on_progress=progress,
    )
    return [Reference(answer.text, answer.token_ids, answer.ended) for answer in answers]


def _check_precision(context: JobContext, source: Source) -> str:
    """float32 where it fits: then a difference is the file's, not the rounding of the model it is compared with."""
    hardware = probe(context.path)
    free = hardware.gpus[0].memory_free if hardware.gpus else hardware.memory_free
    fits = 4 * source.parameters * 1.5 < free
    origin = "fits the free memory, so that its rounding plays no part" if fits else "float32 would not fit"
    value: str = context.resolve("check_precision", "fp32" if fits else "auto", origin)
    return value
