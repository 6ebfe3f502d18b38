"""The job of kind "evaluate": ask every model the same questions, store each score, and give a verdict."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evaluation.answerers import LoadedAnswerer, asking
from evaluation.item_log import ItemLog
from evaluation.measure import (
    Measured,
    Subject,
    Work,
    check_metrics,
    measure,
    needs_losses,
    play_options,
    plays,
    stages,
)
from evaluation.meter import Meter
from evaluation.report import write_report
from evaluation.sharing import SharedLoad, free_memory
from evaluation.spec import EvaluateSpec
from evaluation.store import FILE, ItemScore, prompt_text, save_scores
from evaluation.summary import Contestant, Scoreboard, summarise
from evaluation.tasks import NLL, Row, Task, TaskItem, checked_items, load_task
from evaluation.verdict import Settings
from jobs.context import JobContext
from jobs.errors import BadInput
from jobs.files import write_text
from models.reference import ModelRef

if TYPE_CHECKING:
    from models.reference import ResolvedModel

REPORT_VERSION = 1
UNTRAINED_KINDS = ("embedded", "hub", "local")
OWN_QUESTIONS = "the task's own questions"


@dataclass(frozen=True)
class Entry:
    """A model of the comparison, and where its files are (None: it is asked rather than loaded)."""

    contestant: Contestant
    ref: ModelRef
    files: ResolvedModel | None


def run(context: JobContext) -> dict[str, Any]:
    """Leaves items.jsonl, scores.parquet, the report (and games.jsonl); returns the figures for the manifest.

    Resumed, it goes on from items.jsonl.
    """
    spec = EvaluateSpec.parse(context.spec)
    context.progress(None, "reading the dataset")
    task = load_task(spec.task, context.workspace)
    items, all_rows = _questions(context, spec, task)
    check_metrics(items, spec)
    _require_measurable(context, spec, task)
    baselines = _baselines(task, items, all_rows, spec.seed)
    entries = _entries(context, spec)
    measured = _measure_all(context, spec, task, items, entries)
    names = [entry.contestant.name for entry in entries]
    rows = [row for name in names for row in measured[name].rows] + baselines
    context.artifact(save_scores(context.path / FILE, rows))
    board = Scoreboard(
        task=task,
        contestants=[entry.contestant for entry in entries],
        rows=rows,
        settings=Settings(spec.confidence, spec.smallest_gap, spec.seed),
        score_untrained_leniently=spec.lenient_untrained,
        costs={name: cost for name in names if (cost := measured[name].cost) is not None},
        corpus_scores={name: measured[name].corpus for name in names},
    )
    games = [game for name in names for game in measured[name].games]
    return _report(context, board, games + _reference_games(context, spec, task))


def _questions(context: JobContext, spec: EvaluateSpec, task: Task) -> tuple[list[TaskItem], list[Row]]:
    """The items asked (a seeded draw of at most max_items, in their own order), and all rows of the dataset."""
    rows, all_rows = _rows(context, spec, task)
    items = checked_items(task, rows, all_rows)
    if spec.max_items is not None and spec.max_items < len(items):
        drawn = sorted(random.Random(spec.seed).sample(range(len(items)), spec.max_items))
        context.resolve("items", len(drawn), f"drawn from {len(items)} with seed {spec.seed}")
        return [items[index] for index in drawn], all_rows
    context.resolve("items", len(items), "all of them")
    return items, all_rows


def _rows(context: JobContext, spec: EvaluateSpec, task: Task) -> tuple[list[Row], list[Row]]:
    """The rows to ask about, and those with all others: the task's own where it has any, else the dataset's."""
    from datasets_src.store import open_version

    if spec.data and task.rows is None:
        version = open_version(context.workspace, context.decided("data") or spec.data)
        context.resolve("data", version.id, f"'{spec.data}' at the start of the job")
        rows = version.eval()
        return rows, version.train() + rows
    if task.rows is None:
        raise BadInput(
            "No dataset is named.",
            f"The task '{task.name}' has no questions of its own: it asks about a dataset's rows.",
            "Name a dataset under `data`, or choose a task such as general.",
        )
    rows = task.rows()
    context.resolve("data", OWN_QUESTIONS, f"{spec.task} brings them; no dataset is asked about")
    return rows, rows


def _require_measurable(context: JobContext, spec: EvaluateSpec, task: Task) -> None:
    """A loss can't be had from a model that only answers: refused where it is the task, else told."""
    asked = [text for text in spec.models if ModelRef.parse(text).asked]
    if task.answers is not None and (spec.metrics or spec.samples > 1):
        raise BadInput(
            f"The task '{task.name}' is scored by its own program.",
            "Hearth's metrics and repeated answers don't apply to it.",
            "Leave out metrics and samples.",
        )
    if not asked or not (needs_losses(task, spec) or task.answers is not None):
        return
    if task.metric == NLL or task.answers is not None:
        raise BadInput(
            f"The task '{task.name}' can't be measured for {', '.join(asked)}.",
            "Perplexity needs the probability of every token of a given text; a GGUF file's server, Ollama and "
            "endpoints only write answers.",
            "Leave these models out, name them by their weights (safetensors), or choose a task with answers.",
        )
    context.log(f"Perplexity is not measured for {', '.join(asked)}: models that are asked only write answers")


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
    from models.reference import require_usable, resolve

    entries: list[Entry] = []
    taken: set[str] = set()
    for text in spec.models:
        context.progress(None, f"finding {text}")
        ref = ModelRef.parse(text)
        if ref.asked:
            require_usable(text, context.workspace)
        files = None if ref.asked else resolve(ref, context.workspace)
        short = files.name if files is not None else ref.short
        name = short if short not in taken else f"{short} ({text})"
        taken.add(name)
        untrained = ref.kind in UNTRAINED_KINDS and files is not None and files.adapter is None
        entries.append(Entry(Contestant(name, text, untrained, _training_seconds(context, ref)), ref, files))
    return entries


def _training_seconds(context: JobContext, ref: ModelRef) -> float | None:
    """How long the training that `ref` names took; None for other models and for a step of an unfinished one."""
    if ref.kind != "job":
        return None
    manifest = context.workspace.job(ref.target.partition("@")[0]).manifest
    return float(manifest["seconds"]) if manifest and "seconds" in manifest else None


def _measure_all(
    context: JobContext, spec: EvaluateSpec, task: Task, items: Sequence[TaskItem], entries: Sequence[Entry]
) -> dict[str, Measured]:
    """By name. One model is in memory at a time; one load serves a base, whatever number of adapters it has."""
    weights = [
        weight for entry in entries for weight in stages(task, spec, len(items), with_losses=entry.files is not None)
    ]
    work = Work(task, items, spec, ItemLog(context.path), Meter(context, weights))
    measured: dict[str, Measured] = {}
    for folder in dict.fromkeys(entry.files.folder for entry in entries if entry.files is not None):
        sharing = [entry for entry in entries if entry.files is not None and entry.files.folder == folder]
        measured |= _measure_sharing(context, work, sharing)
        free_memory()
    for entry in entries:
        if entry.files is None:
            with _asked(context, entry, work) as subject:
                measured[entry.contestant.name] = measure(subject, work)
    return measured


def _measure_sharing(context: JobContext, work: Work, sharing: Sequence[Entry]) -> dict[str, Measured]:
    """Models of one base, one after the other: full batches of one adapter are as quick as batches that mix them."""
    files = [entry.files for entry in sharing if entry.files is not None]
    with work.meter.paused():
        context.progress(context.status.progress, f"loading {files[0].folder.name}")
        shared = SharedLoad(files, quantisation=work.spec.quantisation, precision=work.spec.precision)
    context.resolve("precision", shared.loaded.dtype, shared.loaded.origin["precision"])
    context.resolve("device", shared.loaded.device, "where the model was loaded")
    measured = {}
    for entry, each in zip(sharing, files, strict=True):
        with shared.answering(each) as loaded:
            subject = Subject(entry.contestant.ref, entry.contestant.name, LoadedAnswerer(loaded), loaded)
            measured[entry.contestant.name] = measure(subject, work)
    return measured


@contextmanager
def _asked(context: JobContext, entry: Entry, work: Work) -> Iterator[Subject]:
    """A model that is asked, until the block ends."""
    name = entry.contestant.name
    with work.meter.paused():
        context.progress(context.status.progress, f"opening {name}")
    by = {"gguf": "llama.cpp in this process", "ollama": "Ollama", "endpoint": "its endpoint"}[entry.ref.kind]
    context.resolve(f"answers of {name}", by, f"'{entry.contestant.ref}'")
    with asking(entry.ref, work.spec, context.check_stop) as answerer:
        yield Subject(entry.contestant.ref, name, answerer, None)


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
