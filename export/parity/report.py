"""What is known of each file, as one table and as parity.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.checks import CheckName
from export.parity.answers import AnswerCheck
from export.parity.behaviour import Behaviour
from export.rendering import RenderingReport

SCHEMA_VERSION = 2
UNVERIFIED, NOT_MADE = "unverified", "–"


def label_of(path: Path) -> str:
    """A file's short name: Q4_K_M of player-Q4_K_M.gguf; that of a folder as it is."""
    return path.stem.rpartition("-")[2] if path.suffix == ".gguf" else path.name


@dataclass(frozen=True)
class TaskResult:
    """The task's own score of a file, and the verdict beside the trained model; `outcome` as evaluation/verdict.py."""

    task: str
    score: float
    reference_score: float
    outcome: str
    sentence: str


@dataclass(frozen=True)
class Rendered:
    """How prompts came out; `own`: names of the held-out prompts among the compared conversations.

    A held-out prompt or a plain chat that differs is a fault. Of rare ones (tools, empty turns, …) the differences are
    listed: the model may never meet them.
    """

    report: RenderingReport
    own: frozenset[str]

    @property
    def passed(self) -> bool:
        return self.report.passed

    @property
    def short(self) -> str:
        """Of llama.cpp: as many of so many held-out prompts, and of all trials."""
        check = self.report.checks[0]
        names = [*check.same, *(found.conversation for found in check.differences)]
        own, same = sum(name in self.own for name in names), sum(name in self.own for name in check.same)
        return f"{same} of {own}, trials {len(check.same) - same} of {len(names) - own}"

    @property
    def sentence(self) -> str:
        """In words, without a full stop."""
        return f"same prompt tokens on {self.short}"

    def to_json(self) -> dict[str, Any]:
        return {**self.report.to_json(), "passed": self.passed, "sentence": self.sentence}


@dataclass(frozen=True)
class FileReport:
    """A file (or the merged folder) and what its checks found; a check that was not made is None.

    `memory_bytes`: what it takes when used; `label`: its short name, such as Q4_K_M.
    """

    name: str
    label: str
    size_bytes: int
    memory_bytes: int
    rendering: Rendered | None = None
    answers: AnswerCheck | None = None
    behaviour: Behaviour | None = None
    task: TaskResult | None = None

    @property
    def cost(self) -> float | None:
        """How much higher its perplexity is than the trained model's; None where it was not measured."""
        return self.behaviour.cost if self.behaviour else None

    @property
    def worse_at_task(self) -> bool:
        return self.task is not None and self.task.outcome == "worse"

    @property
    def failed(self) -> bool:
        """Whether a check found that it doesn't behave as trained (a worse score is a cost, not a fault)."""
        return any(check is not None and not check.passed for check in (self.rendering, self.answers))

    @property
    def checked(self) -> bool:
        return any((self.rendering, self.answers, self.behaviour, self.task))

    @property
    def verdict(self) -> str:
        """One sentence, without a full stop."""
        parts = []
        if self.rendering is not None:
            parts.append(self.rendering.sentence)
        if self.answers is not None:
            parts.append(self.answers.sentence)
        if self.behaviour is not None:
            found = self.behaviour
            parts.append(
                f"perplexity {told_cost(found.cost)}, likeliest token the same at {100 * found.agreement:.1f} %"
            )
        if self.task is not None:
            parts.append(f"{self.task.task}: {self.task.sentence}")
        warning = ". Look at the differences before you use this file" if self.failed else ""
        return ("; ".join(parts) or "not checked") + warning

    def to_json(self) -> dict[str, Any]:
        return {
            "file": self.name,
            "label": self.label,
            "size_bytes": self.size_bytes,
            "memory_bytes": self.memory_bytes,
            "passed": self.checked and not self.failed,
            "verdict": self.verdict,
            "rendering": self.rendering.to_json() if self.rendering else None,
            "answers": self.answers.to_json() if self.answers else None,
            "behaviour": self.behaviour.to_json() if self.behaviour else None,
            "task": vars(self.task) if self.task else None,
            "table": _row(self),
        }


def table(files: Sequence[FileReport]) -> list[dict[str, str]]:
    """The rows that page, README and card show: a column's title and its text, with units."""
    return [_row(file) for file in files]


def _row(file: FileReport) -> dict[str, str]:
    found, answers, task = file.behaviour, file.answers, file.task
    # A merged folder isn't a file for llama.cpp: there only its probabilities are compared.
    missing = UNVERIFIED if file.name.endswith(".gguf") else NOT_MADE
    return {
        "File": file.label,
        "Size": told_size(file.size_bytes),
        "Memory to run": told_size(file.memory_bytes),
        "Speed": f"{answers.tokens_per_second:.0f} tokens/s" if answers and answers.tokens_per_second else NOT_MADE,
        "Same prompt tokens": file.rendering.short if file.rendering else missing,
        "Same answers": f"{answers.same_answers} of {answers.prompts}" if answers else missing,
        "Stops": f"{answers.stopped} of {answers.should_stop}" if answers else missing,
        "Perplexity": f"{found.perplexity:.3f} ({told_cost(found.cost)})" if found else UNVERIFIED,
        "KL divergence": f"{found.divergence:.4f} nats" if found else UNVERIFIED,
        "Same likeliest token": f"{100 * found.agreement:.1f} %" if found else UNVERIFIED,
        "Task": f"{100 * task.score:.1f}: {task.sentence}" if task else missing,
    }


def told_size(size_bytes: float) -> str:
    """In MB, from a GB on in GB."""
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"


def told_cost(cost: float) -> str:
    """A share as signed percent, never minus nothing."""
    text = f"{100 * cost:+.1f} %"
    return "0.0 %" if text in ("+0.0 %", "-0.0 %") else text


def markdown(files: Sequence[FileReport]) -> str:
    """The table as Markdown."""
    rows = table(files)
    heads = list(rows[0])
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    lines += [f"| {' | '.join(row.values())} |" for row in rows]
    return "\n".join(lines)


def document(
    files: Sequence[FileReport],
    unverified: Mapping[CheckName, str],
    recommendation: dict[str, Any],
    template: dict[str, Any],
    ollama: str,
) -> dict[str, Any]:
    """What parity.json holds. `unverified`: checks that were not made, and why; `template`: the Modelfile's."""
    return {
        "schema_version": SCHEMA_VERSION,
        "verified": bool(files) and not unverified and all(file.checked and not file.failed for file in files),
        "unverified": dict(unverified),
        "ollama": ollama,
        "template": template,
        "recommendation": recommendation,
        "files": [file.to_json() for file in files],
    }
