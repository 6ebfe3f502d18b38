"""A sweep as one table: how each run stands, its figures, and its quality where an evaluation measured it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from math import exp
from typing import Any

from jobs.directory import JobDirectory, State
from jobs.workspace import Workspace
from trainer.sweep import StartedRun, Sweep, job_of

NOT_STARTED = "not started"
DELETED = "deleted"
# The first that a run's figures hold: the card's memory where there is one, else the system's.
PEAKS = ("gpu_memory_gb", "memory_gb")


@dataclass(frozen=True)
class Quality:
    """What the newest evaluation says of a run: the task's main measure, its mean and interval in its own unit."""

    task: str
    data: str
    metric: str
    unit: str
    higher_is_better: bool
    mean: float
    low: float | None
    high: float | None
    job: str

    @property
    def compared(self) -> tuple[str, str, str]:
        """Qualities are only comparable where these are the same."""
        return self.task, self.data, self.metric

    @property
    def text(self) -> str:
        """Such as `93.1% (89.0% to 96.2%)`; perplexity for nats."""
        if self.low is None or self.high is None:
            return self._shown(self.mean)
        return f"{self._shown(self.mean)} ({self._shown(self.low)} to {self._shown(self.high)})"

    def _shown(self, value: float) -> str:
        match self.unit:
            case "points":
                return f"{100 * value:.1f}%"
            case "perplexity":
                return f"{exp(value):.2f}"
            case _:
                return f"{value:.3g}"


@dataclass(frozen=True)
class Row:
    """One run. Losses are means over the end of training and over held-out rows; memory in GB; None is not known."""

    title: str
    values: dict[str, Any]
    job: str | None
    state: str
    message: str
    final_loss: float | None
    eval_loss: float | None
    tokens_per_second: float | None
    minutes: float | None
    peak_gb: float | None
    quality: Quality | None


@dataclass(frozen=True)
class Column:
    """A column of figures: its title, how to get at it, and whether less is better."""

    title: str
    value: Callable[[Row], float | None]
    less_is_better: bool = True


COLUMNS: dict[str, Column] = {
    "quality": Column("Quality", lambda row: row.quality.mean if row.quality else None, less_is_better=False),
    "eval_loss": Column("Held-out loss", lambda row: row.eval_loss),
    "final_loss": Column("Final loss", lambda row: row.final_loss),
    "tokens_per_second": Column("Tokens/s", lambda row: row.tokens_per_second, less_is_better=False),
    "minutes": Column("Minutes", lambda row: row.minutes),
    "peak_gb": Column("Peak memory (GB)", lambda row: row.peak_gb),
}


@dataclass(frozen=True)
class Best:
    """The place of the best row in the table it was asked of, and by what it is best."""

    place: int
    by: str


def table(workspace: Workspace, sweep: Sweep) -> list[Row]:
    """A row for each run, in the order of the sweep."""
    measured = list(_measured(workspace)) if any(run.job for run in sweep.runs) else []
    return [_row(workspace, run, measured) for run in sweep.runs]


def _row(workspace: Workspace, run: StartedRun, measured: Sequence[tuple[str, Quality]]) -> Row:
    job = job_of(workspace, run)
    state, message = _state(run, job)
    figures = (job.manifest or {}).get("figures", {}) if job else {}
    seconds = figures.get("training_seconds")
    return Row(
        title=run.title,
        values=run.values,
        job=run.job,
        state=state,
        message=message,
        final_loss=figures.get("final_loss"),
        eval_loss=figures.get("eval_loss"),
        tokens_per_second=figures.get("tokens_per_second"),
        minutes=None if seconds is None else seconds / 60,
        peak_gb=next((figures[name] for name in PEAKS if figures.get(name) is not None), None),
        quality=next((each for name, each in measured if run.job and _names(name, run.job)), None),
    )


def _state(run: StartedRun, job: JobDirectory | None) -> tuple[str, str]:
    if job is None:
        return (DELETED, "") if run.job else (NOT_STARTED, "")
    status = job.status()
    return str(status.state), status.error or status.message


def _measured(workspace: Workspace) -> Iterator[tuple[str, Quality]]:
    """What finished evaluations say, newest first: the model as the evaluation named it, and its quality."""
    for job in workspace.list_jobs("evaluate"):
        figures = (job.manifest or {}).get("figures", {})
        main = next((measure for measure in figures.get("measures", []) if measure["main"]), None)
        if main is None:
            continue
        standings = {standing["name"]: standing for standing in main["standings"] if standing["kind"] == "model"}
        data = (job.resolved or {}).get("data", {}).get("value", job.header["spec"]["data"])
        for model in figures["models"]:
            standing = standings[model["name"]]
            yield (
                model["ref"],
                Quality(
                    task=figures["task"]["name"],
                    data=data,
                    metric=main["metric"],
                    unit=main["unit"],
                    higher_is_better=main["higher_is_better"],
                    mean=standing["mean"],
                    low=standing["low"],
                    high=standing["high"],
                    job=job.id,
                ),
            )


def _names(reference: str, job: str) -> bool:
    """Whether a model's name, such as job:ab12, means what that job made: whole ids, their beginning, their end."""
    kind, _, text = reference.partition(":")
    return kind == "job" and text != "" and (job.startswith(text) or job.endswith(text))


def in_order(rows: Sequence[Row], column: str) -> list[Row]:
    """The rows with the best of a column first; those that have no figure there last, in their own order."""
    value = COLUMNS[column].value
    known = [row for row in rows if value(row) is not None]
    rest = [row for row in rows if value(row) is None]
    return [*sorted(known, key=lambda row: value(row) or 0.0, reverse=not _less_is_better(rows, column)), *rest]


def _less_is_better(rows: Sequence[Row], column: str) -> bool:
    if column == "quality":
        return any(row.quality is not None and not row.quality.higher_is_better for row in rows)
    return COLUMNS[column].less_is_better


def best(rows: Sequence[Row]) -> Best | None:
    """The best finished run: by quality where several were measured alike, else by held-out or final loss."""
    done = [place for place, row in enumerate(rows) if row.state == State.SUCCEEDED]
    alike = Counter(quality.compared for place in done if (quality := rows[place].quality))
    compared = alike.most_common(1)[0] if alike else None
    if compared and compared[1] > 1:
        same = [place for place in done if (found := rows[place].quality) and found.compared == compared[0]]
        return Best(_first([rows[place] for place in same], same, "quality"), compared[0][2])
    for column in ("eval_loss", "final_loss"):
        known = [place for place in done if COLUMNS[column].value(rows[place]) is not None]
        if len(known) > 1:
            return Best(_first([rows[place] for place in known], known, column), COLUMNS[column].title.lower())
    return None


def _first(rows: Sequence[Row], places: Sequence[int], column: str) -> int:
    """The place of the row that stands first by a column."""
    top = in_order(rows, column)[0]
    return next(place for row, place in zip(rows, places, strict=True) if row is top)


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows as plain data."""
    return [asdict(row) for row in rows]
