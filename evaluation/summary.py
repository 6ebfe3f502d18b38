"""What the report says, as plain JSON values: standings with intervals, verdicts, slices, games, examples, cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import exp
from typing import Any

from evaluation.costs import ModelCost
from evaluation.groups import effective_groups, mean, score_kind
from evaluation.intervals import difference_interval, mean_interval
from evaluation.metrics import CorpusScore, higher_is_better
from evaluation.store import ItemScore
from evaluation.tasks import NLL, Task
from evaluation.verdict import Measure, ModelScores, Settings, compare_models, enough_items

EXAMPLES = 8


@dataclass(frozen=True)
class Contestant:
    """A model as the report names it. `untrained`: as published, so that it may be scored leniently;
    `training_seconds`: how long the job that made it took, where one did."""

    name: str
    ref: str
    untrained: bool
    training_seconds: float | None = None


@dataclass(frozen=True)
class Scoreboard:
    """All rows of one evaluation by model and item; the first contestant is the reference of every comparison."""

    task: Task
    contestants: Sequence[Contestant]
    rows: Sequence[ItemScore]
    settings: Settings
    score_untrained_leniently: bool
    costs: Mapping[str, ModelCost] = field(default_factory=dict)
    corpus_scores: Mapping[str, Mapping[str, CorpusScore]] = field(default_factory=dict)

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
    cost = board.costs.get(contestant.name)
    if cost is not None:
        values |= cost.as_values() | {"ended_share": mean([float(row.ended or False) for row in rows])}
    corpus = board.corpus_scores.get(contestant.name, {})
    if corpus:
        values["corpus"] = {metric: asdict(score) for metric, score in corpus.items()}
    scored = [row for row in rows if NLL in row.scores and row.scored_tokens]
    if scored:
        count = sum(row.scored_tokens or 0 for row in scored)
        values["token_perplexity"] = exp(sum(row.scores[NLL] * (row.scored_tokens or 0) for row in scored) / count)
    return values


def _measure(board: Scoreboard, metric: str) -> dict[str, Any]:
    """One measure: how each model and baseline stands, and each model's verdict against the first."""
    columns = _columns(board, metric)
    every_score = [score for column in columns.models for score in column.scores]
    higher = board.task.higher_is_better if metric == board.task.metric else higher_is_better(metric)
    measure = Measure.of(metric, higher, every_score)
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
    """Scores of one metric, of the models that have any, over the items that all of these have a score for; and the
    groups of these items."""

    models: list[ModelScores]
    baselines: list[ModelScores]
    groups: list[str]


def _columns(board: Scoreboard, metric: str, tag: str | None = None) -> Columns:
    """The columns of `metric`, over all items or those of one tag."""
    every = [contestant.name for contestant in board.contestants]
    used = {name: board.metric_of(name, metric) for name in every}
    scores = {name: {row.item: row.scores.get(used[name]) for row in board.of(name)} for name in every}
    names = [name for name in every if any(score is not None for score in scores[name].values())]
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
            slices.append(
                {
                    "tag": tag or "(no tag)",
                    "items": len(columns.groups),
                    "standings": standings,
                    "differences": [_difference(columns, column, board) for column in columns.models[1:]],
                }
            )
    return slices


def _difference(columns: Columns, column: ModelScores, board: Scoreboard) -> dict[str, Any]:
    """A model's lead over the first on the items of one tag, without a test: tags are for looking, not for claims."""
    first = columns.models[0]
    interval = difference_interval(first.scores, column.scores, columns.groups, board.settings.confidence)
    return {
        "candidate": column.model,
        "difference": mean(column.scores) - mean(first.scores),
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "enough_items": enough_items(effective_groups(columns.groups), score_kind((*first.scores, *column.scores))),
    }


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
    gained most, and some where both did alike; and all items, in order."""
    first, second = board.contestants[0], board.contestants[min(1, len(board.contestants) - 1)]
    by_model = {each.name: {row.item: row for row in board.of(each.name)} for each in board.contestants}
    metrics = {each.name: board.metric_of(each.name, board.task.metric) for each in board.contestants}
    every = {item: _example([rows[item] for rows in by_model.values()], metrics) for item in by_model[first.name]}
    sign = 1 if board.task.higher_is_better else -1
    gain = {}
    for item in every:
        before, after = (by_model[name][item].scores.get(metrics[name]) for name in (first.name, second.name))
        if before is not None and after is not None:
            gain[item] = sign * (after - before)
    worst = sorted(gain, key=lambda item: gain[item])
    return {
        "regressions": [every[item] for item in worst if gain[item] < 0][:EXAMPLES],
        "gains": [every[item] for item in reversed(worst) if gain[item] > 0][:EXAMPLES],
        "alike": [every[item] for item in gain if gain[item] == 0][:EXAMPLES],
        "all": list(every.values()),
    }


def _example(rows: Sequence[ItemScore], metrics: Mapping[str, str]) -> dict[str, Any]:
    """One item with what each model answered."""
    return {
        "item": rows[0].item,
        "tag": rows[0].tag,
        "prompt": rows[0].prompt,
        "reference": rows[0].reference,
        "answers": [
            {"model": row.model, "answer": row.answer, "score": row.scores.get(metrics[row.model])} for row in rows
        ],
    }
