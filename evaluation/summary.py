"""What the report says, as plain JSON values: standings with intervals, verdicts, slices, games, examples, cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import exp
from typing import Any

from evaluation.statistics import mean, mean_interval
from evaluation.store import ItemScore
from evaluation.tasks import NLL, Task
from evaluation.verdict import Measure, ModelScores, Settings, compare_models

EXAMPLES = 8


@dataclass(frozen=True)
class Contestant:
    """A model as the report names it. `untrained`: as published, so that it may be scored leniently."""

    name: str
    ref: str
    untrained: bool


@dataclass(frozen=True)
class Scoreboard:
    """All rows of one evaluation by model and item; the first contestant is the reference of every comparison."""

    task: Task
    contestants: Sequence[Contestant]
    rows: Sequence[ItemScore]
    settings: Settings
    score_untrained_leniently: bool

    def metric_of(self, model: str, metric: str) -> str:
        """The metric that stands for `metric` with this model: the task's lenient one for an untrained model."""
        lenient = self.task.lenient_metric if self.score_untrained_leniently else None
        if metric != self.task.metric or lenient is None:
            return metric
        untrained = any(contestant.untrained for contestant in self.contestants if contestant.name == model)
        return lenient if untrained else metric

    def of(self, model: str) -> list[ItemScore]:
        return [row for row in self.rows if row.model == model]

    def baselines(self) -> list[str]:
        """Names of the task's own references, in order."""
        return list(dict.fromkeys(row.model for row in self.rows if row.kind == "reference"))

    def metrics(self) -> list[str]:
        """The task's main metric first, then what else was measured with every model (not the lenient form)."""
        found = {metric for row in self.rows if row.kind == "model" for metric in row.scores}
        others = sorted(found - {self.task.metric, self.task.lenient_metric})
        return [self.task.metric, *others]


def summarise(board: Scoreboard, games: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Everything that report.json holds about the results; see the functions below for each part."""
    main = board.of(board.contestants[0].name)
    return {
        "task": {
            "name": board.task.name,
            "description": board.task.description,
            "metric": board.task.metric,
            "lenient_metric": board.task.lenient_metric,
            "source": board.task.source,
        },
        "items": len(main),
        "groups": len({row.group for row in main}),
        "confidence": board.settings.confidence,
        "models": [_model(board, contestant) for contestant in board.contestants],
        "measures": [_measure(board, metric) for metric in board.metrics()],
        "slices": _slices(board),
        "games": _games(games),
        "examples": _examples(board),
    }


def _model(board: Scoreboard, contestant: Contestant) -> dict[str, Any]:
    """Name, which metric it is scored with, and what its answers cost."""
    rows = board.of(contestant.name)
    values = asdict(contestant) | {"metric": board.metric_of(contestant.name, board.task.metric)}
    seconds = sum(row.seconds or 0.0 for row in rows)
    tokens = sum(row.answer_tokens or 0 for row in rows)
    if seconds:
        values |= {
            "seconds": seconds,
            "answer_tokens": tokens,
            "tokens_per_second": tokens / seconds,
            "ended_share": mean([float(row.ended or False) for row in rows]),
        }
    scored = [row for row in rows if NLL in row.scores and row.scored_tokens]
    if scored:
        count = sum(row.scored_tokens or 0 for row in scored)
        values["token_perplexity"] = exp(sum(row.scores[NLL] * (row.scored_tokens or 0) for row in scored) / count)
    return values


def _measure(board: Scoreboard, metric: str) -> dict[str, Any]:
    """One measure: how each model and baseline stands, and each model's verdict against the first."""
    columns = _columns(board, metric)
    every_score = [score for column in columns.models for score in column.scores]
    measure = Measure.of(metric, board.task.higher_is_better if metric == board.task.metric else True, every_score)
    verdicts = compare_models(measure, columns.models[0], columns.models[1:], columns.groups, board.settings)
    return {
        "metric": metric,
        "main": metric == board.task.metric,
        "unit": measure.unit,
        "higher_is_better": measure.higher_is_better,
        "items": len(columns.groups),
        "standings": [
            *(_standing("model", column, columns.groups, board) for column in columns.models),
            *(_standing("reference", column, columns.groups, board) for column in columns.baselines),
        ],
        "verdicts": [asdict(verdict) for verdict in verdicts],
    }


@dataclass(frozen=True)
class Columns:
    """Scores of one metric over the items that every model has a score for, and the groups of these items."""

    models: list[ModelScores]
    baselines: list[ModelScores]
    groups: list[str]


def _columns(board: Scoreboard, metric: str, tag: str | None = None) -> Columns:
    """The columns of `metric`, over all items or those of one tag."""
    names = [contestant.name for contestant in board.contestants]
    used = {name: board.metric_of(name, metric) for name in names}
    scores = {name: {row.item: row.scores.get(used[name]) for row in board.of(name)} for name in names}
    kept = [
        row
        for row in board.of(names[0])
        if (tag is None or row.tag == tag) and all(scores[name][row.item] is not None for name in names)
    ]
    models = [ModelScores(name, used[name], [scores[name][row.item] or 0.0 for row in kept]) for name in names]
    baselines = []
    for name in board.baselines() if metric == board.task.metric else []:
        by_item = {row.item: row.scores[metric] for row in board.of(name)}
        baselines.append(ModelScores(name, metric, [by_item[row.item] for row in kept]))
    return Columns(models, baselines, [row.group for row in kept])


def _standing(kind: str, column: ModelScores, groups: Sequence[str], board: Scoreboard) -> dict[str, Any]:
    interval = mean_interval(column.scores, groups, board.settings.confidence)
    return {
        "name": column.model,
        "kind": kind,
        "metric": column.metric,
        "mean": mean(column.scores),
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "interval_method": interval.method if interval else "none",
    }


def _slices(board: Scoreboard) -> list[dict[str, Any]]:
    """The main measure for each tag apart; empty when there is one tag or none."""
    tags = list(dict.fromkeys(row.tag for row in board.of(board.contestants[0].name)))
    if len(tags) < 2:
        return []
    slices = []
    for tag in sorted(tags):
        columns = _columns(board, board.task.metric, tag)
        if columns.groups:
            standings = [
                *(_standing("model", column, columns.groups, board) for column in columns.models),
                *(_standing("reference", column, columns.groups, board) for column in columns.baselines),
            ]
            slices.append({"tag": tag or "(no tag)", "items": len(columns.groups), "standings": standings})
    return slices


def _games(games: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means of the games' figures, for each model in all and for each tag."""
    gathered: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for game in games:
        gathered[game["model"], ""].append(game)
    for game in games:
        if game.get("tag"):
            gathered[game["model"], str(game["tag"])].append(game)
    return [
        {"model": model, "tag": tag, "games": len(played), "means": _means(played)}
        for (model, tag), played in gathered.items()
    ]


def _means(records: Sequence[dict[str, Any]]) -> dict[str, float]:
    names = [name for name, value in records[0].items() if isinstance(value, bool | int | float)]
    return {name: mean([float(record[name]) for record in records]) for name in names}


def _examples(board: Scoreboard) -> dict[str, list[dict[str, Any]]]:
    """Answers to read: where the second model (the last of a single one) fell furthest behind the first, where it
    gained most, and some where both did alike."""
    first, second = board.contestants[0], board.contestants[min(1, len(board.contestants) - 1)]
    before = {
        row.item: row.scores.get(board.metric_of(first.name, board.task.metric), 0.0) for row in board.of(first.name)
    }
    after = {
        row.item: row.scores.get(board.metric_of(second.name, board.task.metric), 0.0) for row in board.of(second.name)
    }
    sign = 1 if board.task.higher_is_better else -1
    gain = {item: sign * (after[item] - before[item]) for item in before}
    worst = sorted(gain, key=lambda item: gain[item])
    return {
        "regressions": [_example(board, item) for item in worst if gain[item] < 0][:EXAMPLES],
        "gains": [_example(board, item) for item in reversed(worst) if gain[item] > 0][:EXAMPLES],
        "alike": [_example(board, item) for item in gain if gain[item] == 0][:EXAMPLES],
    }


def _example(board: Scoreboard, item: str) -> dict[str, Any]:
    rows = [next(row for row in board.of(contestant.name) if row.item == item) for contestant in board.contestants]
    return {
        "item": item,
        "tag": rows[0].tag,
        "prompt": rows[0].prompt,
        "reference": rows[0].reference,
        "answers": [
            {
                "model": row.model,
                "answer": row.answer,
                "score": row.scores.get(board.metric_of(row.model, board.task.metric)),
            }
            for row in rows
        ],
    }
