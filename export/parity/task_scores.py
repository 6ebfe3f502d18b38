"""The task's own score of every file, by an evaluation inside the export: its report and its verdicts are kept too."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evaluation.job import run as run_evaluation
from export.parity.report import TaskResult
from jobs.context import JobContext
from jobs.directory import JobDirectory
from jobs.workspace import Workspace

FOLDER = "evaluation"
KEPT = ("report.html", "report.md", "report.json", "scores.parquet")
MAX_NEW_TOKENS = 64

Progress = Callable[[float, str], None]


class _Inner(JobContext):
    """The evaluation's context: its folder lies in the export's, which is told of its progress and stops it."""

    def __init__(self, outer: JobContext, spec: dict[str, Any], progress: Progress) -> None:
        folder = outer.path / FOLDER
        known = (folder / "spec.json").is_file()
        if not known:  # begun by an attempt that was killed before it wrote anything
            shutil.rmtree(folder, ignore_errors=True)
        directory = (
            JobDirectory(folder)
            if known
            else JobDirectory.create(folder, kind="evaluate", title="Files", spec=spec, resource=None)
        )
        super().__init__(directory, attempt=2 if known else 1, started=time.time())
        self.workspace = outer.workspace
        self._outer = outer
        self._told = progress

    def progress(self, fraction: float | None, message: str, eta_seconds: float | None = None) -> None:  # noqa: ARG002
        self._told(fraction or 0.0, message)

    def should_stop(self) -> bool:
        return self._outer.should_stop()


def newest_task(workspace: Workspace, training: str) -> str | None:
    """The task of the newest evaluation that had the model of that training job, None where there was none.

    Perplexity is none of them: it can't be asked of a file, and is what the comparison of probabilities measures.
    """
    for job in workspace.list_jobs("evaluate"):
        spec = job.header["spec"]
        task = str(spec.get("task", "exact_match"))
        if f"job:{training}" in spec["models"] and job.manifest is not None and task != "perplexity":
            return task
    return None


def score_files(
    outer: JobContext,
    *,
    task: str,
    data: str | None,
    training: str,
    files: Mapping[str, Path],
    items: int,
    progress: Progress,
) -> dict[str, TaskResult]:
    """Each file's result by its name. The trained model is the reference; all are asked the same questions.

    Raises what the evaluation does: BadInput for a task that doesn't fit the data, Stopped, and what `progress` raises.
    """
    spec = {
        "models": [f"job:{training}", *(str(path) for path in files.values())],
        "data": data or "",
        "task": task,
        "max_items": items,
        "max_new_tokens": MAX_NEW_TOKENS,
        "games": 0,
    }
    inner = _Inner(outer, spec, progress)
    figures = run_evaluation(inner)
    for name in KEPT:
        if (inner.path / name).is_file():
            outer.artifact(inner.path / name)
    verdicts = figures["measures"][0]["verdicts"]
    return {
        name: TaskResult(
            task,
            found["candidate_mean"],
            found["reference_mean"],
            found["items"],
            found["outcome"],
            found["sentence"],
        )
        for name, found in zip(files, verdicts, strict=True)
    }
