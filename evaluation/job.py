"""The job of kind "evaluate": ask every model the same questions, store each score, and give a verdict."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evaluation.measure import Meter, measure_items, play_games, play_options, plays, stages
from evaluation.report import write_report
from evaluation.sharing import SharedLoad, free_memory
from evaluation.spec import EvaluateSpec
from evaluation.store import FILE, ItemScore, prompt_text, save_scores
from evaluation.summary import Contestant, Scoreboard, summarise
from evaluation.tasks import Row, Task, TaskItem, checked_items, load_task
from evaluation.verdict import Settings
from jobs.context import JobContext
from jobs.errors import BadInput
from jobs.files import write_text

if TYPE_CHECKING:
    from models.reference import ResolvedModel

REPORT_VERSION = 1
UNTRAINED_KINDS = ("embedded", "hub", "local")


@dataclass(frozen=True)
class Entry:
    """A model of the comparison and where its files are."""

    contestant: Contestant
    files: ResolvedModel


@dataclass(frozen=True)
class Measured:
    """Rows and games of the models, by name."""

    rows: dict[str, list[ItemScore]]
    games: dict[str, list[dict[str, Any]]]


def run(context: JobContext) -> dict[str, Any]:
    """Leaves scores.parquet, report.json, report.html (and games.jsonl); returns the figures for the manifest."""
    spec = EvaluateSpec.parse(context.spec)
    context.progress(None, "reading the dataset")
    task = load_task(spec.task)
    items, all_rows = _questions(context, spec, task)
    baselines = _baselines(task, items, all_rows, spec.seed)
    entries = _entries(context, spec)
    measured = _measure_all(context, spec, task, items, entries)
    rows = [row for entry in entries for row in measured.rows[entry.contestant.name]] + baselines
    context.artifact(save_scores(context.path / FILE, rows))
    board = Scoreboard(
        task=task,
        contestants=[entry.contestant for entry in entries],
        rows=rows,
        settings=Settings(spec.confidence, spec.smallest_gap, spec.seed),
        score_untrained_leniently=spec.lenient_untrained,
    )
    games = [game for entry in entries for game in measured.games[entry.contestant.name]]
    return _report(context, board, games + _reference_games(context, spec, task))


def _questions(context: JobContext, spec: EvaluateSpec, task: Task) -> tuple[list[TaskItem], list[Row]]:
    """The items asked (a seeded draw of at most max_items, in their own order), and all rows of the dataset."""
    from datasets_src.store import open_version

    version = open_version(context.workspace, context.decided("data") or spec.data)
    context.resolve("data", version.id, f"'{spec.data}' at the start of the job")
    rows = version.eval()
    all_rows = version.train() + rows
    items = checked_items(task, rows, all_rows)
    if spec.max_items is not None and spec.max_items < len(items):
        drawn = sorted(random.Random(spec.seed).sample(range(len(items)), spec.max_items))
        context.resolve("items", len(drawn), f"drawn from {len(items)} with seed {spec.seed}")
        return [items[index] for index in drawn], all_rows
    context.resolve("items", len(items), "all of the eval part")
    return items, all_rows


def _baselines(task: Task, items: Sequence[TaskItem], all_rows: list[Row], seed: int) -> list[ItemScore]:
    """A row per baseline and item."""
    if task.references is None:
        return []
    rows = []
    for name, scores in task.references(list(items), all_rows, seed).items():
        if len(scores) != len(items):
            raise BadInput(
                f"The task '{task.name}' gave {len(scores)} scores for its reference '{name}'.",
                f"There are {len(items)} items, and each needs one.",
                "Return a list with a score per item from its references function.",
            )
        rows += [_baseline_row(task, name, item, score) for item, score in zip(items, scores, strict=True)]
    return rows


def _baseline_row(task: Task, name: str, item: TaskItem, score: float) -> ItemScore:
    return ItemScore(
        model=name,
        kind="reference",
        item=item.id,
        group=item.group,
        tag=item.tag,
        prompt=prompt_text(item.messages),
        reference=item.reference,
        answer=None,
        scores={task.metric: float(score)},
    )


def _reference_games(context: JobContext, spec: EvaluateSpec, task: Task) -> list[dict[str, Any]]:
    """Games of the task's other players, under their names."""
    if task.reference_games is None or not plays(task, spec):
        return []
    context.progress(1.0, "playing the reference games")
    played = task.reference_games(play_options(spec))
    return [{"model": name, **game} for name, games in played.items() for game in games]


def _entries(context: JobContext, spec: EvaluateSpec) -> list[Entry]:
    """Find every model's files. Names are unique: models of the same name are told by how they were given."""
    from models.reference import ModelRef, resolve

    entries: list[Entry] = []
    taken: set[str] = set()
    for text in spec.models:
        context.progress(None, f"finding {text}")
        ref = ModelRef.parse(text)
        files = resolve(ref, context.workspace)
        name = files.name if files.name not in taken else f"{files.name} ({text})"
        taken.add(name)
        untrained = ref.kind in UNTRAINED_KINDS and files.adapter is None
        entries.append(Entry(Contestant(name, text, untrained), files))
    return entries


def _measure_all(
    context: JobContext, spec: EvaluateSpec, task: Task, items: Sequence[TaskItem], entries: Sequence[Entry]
) -> Measured:
    """One load for each base, whatever number of adapters it has."""
    meter = Meter(context, [weight for _ in entries for weight in stages(task, spec, len(items))])
    measured = Measured({}, {})
    for folder in dict.fromkeys(entry.files.folder for entry in entries):
        sharing = [entry for entry in entries if entry.files.folder == folder]
        with meter.paused():
            context.progress(context.status.progress, f"loading {folder.name}")
            shared = SharedLoad(
                [entry.files for entry in sharing], quantisation=spec.quantisation, precision=spec.precision
            )
        context.resolve("precision", shared.loaded.dtype, shared.loaded.origin["precision"])
        context.resolve("device", shared.loaded.device, "where the model was loaded")
        for entry in sharing:
            name = entry.contestant.name
            with shared.answering(entry.files) as loaded:
                measured.rows[name] = measure_items(loaded, name, task, items, spec, meter)
                measured.games[name] = play_games(loaded, name, task, spec, meter) if plays(task, spec) else []
        del shared, loaded
        free_memory()
    return measured


def _report(context: JobContext, board: Scoreboard, games: list[dict[str, Any]]) -> dict[str, Any]:
    """Write the report; returns its figures without the examples."""
    context.progress(1.0, "writing the report")
    if games:
        lines = "".join(json.dumps(game, ensure_ascii=False) + "\n" for game in games)
        write_text(context.path / "games.jsonl", lines)
        context.artifact(context.path / "games.jsonl")
    resolved = context.directory.resolved or {}
    summary = summarise(board, games)
    report = {
        "schema_version": REPORT_VERSION,
        "title": " against ".join(contestant.name for contestant in reversed(board.contestants)),
        "created": time.strftime("%Y-%m-%d %H:%M"),
        "data": resolved["data"]["value"],
        **summary,
        "resolved": resolved,
    }
    for path in write_report(context.path, report):
        context.artifact(path)
    for verdict in summary["measures"][0]["verdicts"]:
        context.log(f"{verdict['candidate']} against {verdict['reference']}: {verdict['sentence']}")
    figures = {key: value for key, value in summary.items() if key != "examples"}
    return {"verdicts": [verdict["sentence"] for verdict in summary["measures"][0]["verdicts"]], **figures}
