"""The comparisons of an export's files with the trained model, each a check that can be left out or skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from export.checks import CheckName
from export.description import Description
from export.llama_cpp import running
from export.make import WORK
from export.parity.answers import Reference, check_answers
from export.parity.behaviour import Behaviour, Expected, Tokens, behaviour, expect
from export.parity.prompts import Prompt
from export.parity.report import FileReport, Rendered, label_of
from export.parity.task_scores import newest_task, score_files
from export.rendering import TEMPLATE, Renderer, compare_renderings, conversations_to_compare
from export.source import Source
from export.spec import ExportSpec
from export.stages import Stages
from export.templates.choose import template_renderer
from export.templates.conversations import Conversation
from jobs.context import JobContext
from models.hardware import probe

_BATCH = 8
_CONTEXT_STEP = 256


@dataclass
class Comparing:
    """What the checks share, and what they found so far."""

    context: JobContext
    spec: ExportSpec
    source: Source
    described: Description
    stages: Stages
    gguf: Mapping[str, Path]
    merged: Path | None
    prompts: list[Prompt]
    rows: list[Tokens]
    reports: dict[str, FileReport]
    unverified: dict[CheckName, str] = field(default_factory=dict)

    def note(self, name: str, **found: Any) -> None:
        self.reports[name] = replace(self.reports[name], **found)


def _rendering(checks: Comparing) -> None:
    own = [Conversation(prompt.place, prompt.messages, prompt.tools) for prompt in checks.prompts]
    conversations = conversations_to_compare(own)
    others: dict[str, Renderer] = {}
    if checks.described.template.text is not None:
        others[TEMPLATE] = template_renderer(checks.described.template, checks.described.system)
    for number, (name, path) in enumerate(checks.gguf.items()):
        with running(path, _context_length(checks)) as llama:
            report = compare_renderings(
                checks.source.tokenizer, llama, conversations, others, system_prompt=checks.described.system
            )
        checks.note(name, rendering=Rendered(report, frozenset(prompt.place for prompt in checks.prompts)))
        checks.stages.done((number + 1) / len(checks.gguf), name)


def _answers(checks: Comparing) -> None:
    parts = len(checks.gguf) + 1

    def progress(part: int, done: int, who: str) -> None:
        count = len(checks.prompts)
        checks.stages.done((part + done / count) / parts, f"{who}, {done} of {count} prompts")

    with _trained(checks) as loaded:
        references = _references(checks, loaded, lambda done: progress(0, done, "the trained model"))
    for number, (name, path) in enumerate(checks.gguf.items(), start=1):
        with running(path, _context_length(checks)) as llama:
            found = check_answers(
                llama,
                checks.source.tokenizer,
                checks.prompts,
                references,
                checks.spec.check_tokens,
                exact=label_of(path) in ("F16", "BF16", "F32"),
                progress=lambda done, number=number, name=name: progress(number, done, name),  # type: ignore[misc]
            )
        checks.note(name, answers=found)


def _references(checks: Comparing, loaded: Any, progress: Callable[[int], None]) -> list[Reference]:
    """The trained model's own greedy answers."""
    from evaluation.generate import generate

    answers = generate(
        loaded,
        [prompt.messages for prompt in checks.prompts],
        max_new_tokens=checks.spec.check_tokens,
        batch_size=_BATCH,
        tools=[prompt.tools for prompt in checks.prompts],
        on_progress=progress,
    )
    return [Reference(answer.text, answer.token_ids, answer.ended) for answer in answers]


def _behaviour(checks: Comparing) -> None:
    files = [path for path in (checks.merged, *checks.gguf.values()) if path is not None]
    parts = len(files) + 1
    store = checks.context.path / WORK / "expected.bin"
    store.parent.mkdir(exist_ok=True)

    def part(number: int, who: str) -> Callable[[float], None]:
        return lambda share: checks.stages.done((number + share) / parts, who)

    with _trained(checks) as loaded:
        expected = expect(loaded.model, checks.rows, store, part(0, "the trained model"))
    for number, path in enumerate(files, start=1):
        checks.note(path.name, behaviour=_of_file(checks, path, expected, part(number, path.name)))


def _of_file(checks: Comparing, path: Path, expected: Expected, progress: Callable[[float], None]) -> Behaviour:
    from export.parity.unpacked import unpacked

    with unpacked(path, checks.source, _precision(checks)) as model:
        return behaviour(model, checks.rows, expected, progress)


def _task_scores(checks: Comparing) -> None:
    task = task_of(checks)
    assert task is not None
    source = checks.source
    results = score_files(
        checks.context,
        task=task,
        data=source.data,
        training=source.job.id,
        files=checks.gguf,
        items=checks.spec.task_items,
        progress=checks.stages.done,
    )
    for name, result in results.items():
        checks.note(name, task=result)


def task_of(checks: Comparing) -> str | None:
    if checks.spec.task is not None:
        return checks.spec.task
    return newest_task(checks.context.workspace, checks.source.job.id)


def _context_length(checks: Comparing) -> int:
    """Room for the longest prompt and its answer."""
    lengths = [len(checks.source.tokenizer.encode_prompt(prompt.messages, prompt.tools)) for prompt in checks.prompts]
    return ((max(lengths, default=0) + checks.spec.check_tokens) // _CONTEXT_STEP + 2) * _CONTEXT_STEP


@contextmanager
def _trained(checks: Comparing) -> Iterator[Any]:
    """The trained model as it was trained: the adapter on its base."""
    from evaluation.sharing import free_memory
    from models.load import load_resolved

    loaded = load_resolved(checks.source.model, precision=_precision(checks))
    try:
        yield loaded
    finally:
        del loaded
        free_memory()


def _precision(checks: Comparing) -> str:
    """float32 where it fits: then a difference is the file's, not the rounding of the model it is compared with."""
    hardware = probe(checks.context.path)
    free = hardware.gpus[0].memory_free if hardware.gpus else hardware.memory_free
    fits = 4 * checks.source.parameters * 1.5 < free
    origin = "fits the free memory, so that its rounding plays no part" if fits else "float32 would not fit"
    value: str = checks.context.resolve("check_precision", "fp32" if fits else "auto", origin)
    return value


COMPARISONS: dict[CheckName, Callable[[Comparing], None]] = {
    "rendering": _rendering,
    "answers": _answers,
    "behaviour": _behaviour,
    "task": _task_scores,
}
