"""The export's checks: each file is compared with the trained model, and parity.json says what was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from export.checks import CheckName
from export.description import Description
from export.make import Made
from export.parity.behaviour import Tokens
from export.parity.comparisons import COMPARISONS, Comparing, task_of
from export.parity.prompts import check_prompts, spread
from export.parity.recommend import Machine, Recommendation, cache_bytes, memory_to_run, recommend
from export.parity.report import FileReport, document, label_of
from export.rendering import NOT_VERIFIED
from export.source import Source
from export.spec import ExportSpec
from export.stages import SkippedError, Stages
from jobs.context import JobContext
from jobs.errors import UserError
from jobs.files import write_json
from models.hardware import probe

_ROW_TOKENS = 2048


@dataclass(frozen=True)
class Checked:
    """What is known of the files; `unverified`: checks that were not made or not finished, and why."""

    files: list[FileReport]
    unverified: dict[CheckName, str]
    recommendation: Recommendation
    verified: bool


def check_files(
    context: JobContext, spec: ExportSpec, source: Source, made: Made, described: Description, stages: Stages
) -> Checked:
    """Make the checks that the spec asks for.
    One that can't be made, or is skipped, leaves its reason. Writes parity.json.
    """
    cache = cache_bytes(source.config, described.parameters.context_length)
    reports = {
        path.name: FileReport(path.name, label_of(path), size, memory_to_run(size, cache))
        for path in made.all
        for size in [_size(path)]
    }
    checks = Comparing(
        context,
        spec,
        source,
        described,
        stages,
        {path.name: path for path in made.gguf},
        made.merged,
        check_prompts(source.rows, spec.check_prompts),
        _rows(source, spec.check_rows),
        reports,
    )
    for name, check in COMPARISONS.items():
        _make(checks, name, check)
    files = list(checks.reports.values())
    on_card = [file for file in files if file.name in checks.gguf]
    advice = recommend(on_card, Machine.of(probe(context.path)))
    report = document(files, checks.unverified, advice.to_json(), asdict(described.template), NOT_VERIFIED)
    write_json(context.path / "parity.json", report)
    context.artifact(context.path / "parity.json")
    for file in files:
        context.log(f"{file.name}: {file.verdict}")
    return Checked(files, checks.unverified, advice, report["verified"])


def _make(checks: Comparing, name: CheckName, check: Callable[[Comparing], None]) -> None:
    """One check, or the reason why there is none."""
    reason = _why_not(checks, name)
    if reason is None:
        try:
            with checks.stages.stage(name, begun_before=name == "task" and checks.context.attempt > 1):
                check(checks)
        except SkippedError:
            reason = "skipped"
        except UserError as error:
            # What can't be checked is said to be unverified; the files are no worse for it.
            reason = f"{error.what} {error.why}"
    if reason is not None:
        checks.unverified[name] = reason
        checks.context.log(f"Unverified ({name}): {reason}")


def _why_not(checks: Comparing, name: CheckName) -> str | None:
    if name not in checks.spec.checks:
        return "left out by the export's options"
    if name in ("answers", "behaviour") and not checks.prompts:
        return "there are no held-out answers, or their dataset is gone"
    if name == "task" and task_of(checks) is None:
        return "no task was chosen, and the evaluation of the model, such as by perplexity, asks no questions"
    return None


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.glob("*.safetensors"))
    return path.stat().st_size


def _rows(source: Source, count: int) -> list[Tokens]:
    """Held-out conversations as ids and labels, those with an answer, cut to a bounded length."""
    rows: list[Tokens] = []
    for row in spread(source.rows, count):
        tokens = source.tokenise(row)
        if tokens is not None and tokens.cut(_ROW_TOKENS).trained_tokens:
            short = tokens.cut(_ROW_TOKENS)
            rows.append((short.input_ids, short.labels))
    return rows
