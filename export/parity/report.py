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

SCHEMA_VERSION = 3
UNVERIFIED, NOT_MADE = "unverified", "–"


def label_of(path: Path) -> str:
    """A file's short name: Q4_K_M of player-Q4_K_M.gguf; that of a folder as it is."""
    return path.stem.rpartition("-")[2] if path.suffix == ".gguf" else path.name


@dataclass(frozen=True)
class TaskResult:
    """The task's own score of a file, and the verdict beside the trained model; `outcome` as evaluation/verdict.py.

    Both were asked the same `items` questions, fewer than an evaluation asks, so that the scores may differ from its.
    """

    task: str
    score: float
    reference_score: float
    items: int
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
        """Of llama.cpp: as many of so many held-out prompts, and of the other conversations that were tried."""
        check = self.report.checks[0]
        names = [*check.same, *(found.conversation for found in check.differences)]
        own, same = sum(name in self.own for name in names), sum(name in self.own for name in check.same)
        return f"{same} of {own} held-out, {len(check.same) - same} of {len(names) - own} others"

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
    def cost_is_noise(self) -> bool:
        """Whether the perplexity may as well be the trained model's."""
        return self.behaviour is not None and self.behaviour.cost_low <= 0 <= self.behaviour.cost_high

    @property
    def unchecked(self) -> list[CheckName]:
        """The checks that were not made of this file."""
        made: dict[CheckName, object] = {
            "rendering": self.rendering,
            "answers": self.answers,
            "behaviour": self.behaviour,
            "task": self.task,
        }
        return [name for name, found in made.items() if found is None]

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
            "figures": _figures(self),
        }


def _row(file: FileReport) -> dict[str, str]:
    """What the table says of a file: short, with units."""
    answers = file.answers
    # A merged folder isn't a file for llama.cpp: there only its probabilities are compared.
    missing = UNVERIFIED if file.name.endswith(".gguf") else NOT_MADE
    return {
        "File": file.label,
        "Size": told_size(file.size_bytes),
        "Perplexity": _told_loss(file),
        "Same answers": f"{answers.same_answers} of {answers.prompts}" if answers else missing,
        "Stops": f"{answers.stopped} of {answers.should_stop}" if answers else missing,
        "Same prompts": file.rendering.short if file.rendering else missing,
        "Task": _told_task(file.task) if file.task else missing,
    }


def _told_loss(file: FileReport) -> str:
    if file.behaviour is None:
        return UNVERIFIED
    return "no loss measured" if file.cost_is_noise else f"{told_cost(file.behaviour.cost)}"


def _told_task(task: TaskResult) -> str:
    """The score beside the trained model's, in percent where it is a share."""
    items = "1 item" if task.items == 1 else f"{task.items:,} items"
    if not 0 <= task.score <= 1:
        return f"{task.score:.3g} (trained {task.reference_score:.3g}) on {items}"
    told = f"{100 * task.score:.1f} % (trained {100 * task.reference_score:.1f} %) on {items}"
    return f"{told}: {task.outcome}" if task.outcome in ("better", "worse") else told


def _figures(file: FileReport) -> dict[str, str]:
    """Everything that was measured of a file, for whoever wants to know more."""
    found, answers = file.behaviour, file.answers
    figures = {"Memory to run": told_size(file.memory_bytes)}
    if answers is not None and answers.tokens_per_second:
        figures["Speed"] = f"{answers.tokens_per_second:.0f} tokens/s here"
    if found is not None:
        interval = f"95 % CI {told_cost(found.cost_low)} to {told_cost(found.cost_high)}"
        figures["Perplexity"] = (
            f"{found.perplexity:.3f}, {told_cost(found.cost)} ({interval}) on {found.tokens:,} tokens"
        )
        figures["KL divergence"] = (
            f"{found.divergence:.4f} nats (how far its expectations are from the trained model's)"
        )
        figures["Same likeliest token"] = f"{100 * found.agreement:.1f} % of {found.places:,} places"
    if file.task is not None:
        figures[f"Task {file.task.task}"] = file.task.sentence
    return figures


def told_size(size_bytes: float) -> str:
    """In MB, from a GB on in GB."""
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"


def told_cost(cost: float) -> str:
    """A share as signed percent, never minus nothing."""
    text = f"{100 * cost:+.1f} %"
    return "0.0 %" if text in ("+0.0 %", "-0.0 %") else text


def markdown(files: Sequence[FileReport]) -> str:
    """The table as Markdown, and below it all figures."""
    rows = [_row(file) for file in files]
    heads = list(rows[0])
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    lines += [f"| {' | '.join(row.values())} |" for row in rows]
    more = [f"- {file.label}: {'; '.join(f'{name} {text}' for name, text in _figures(file).items())}" for file in files]
    return "\n".join([*lines, "", *more])


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
