"""The evaluate job on tiny models: what it leaves behind, and that it says what it should."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evaluation import job, sharing
from evaluation.spec import EvaluateSpec
from evaluation.store import load_scores
from jobs.context import JobContext
from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput, Missing, Stopped
from jobs.workspace import Workspace
from tests.evaluation.conftest import conversation, publish_rows

MakeContext = Callable[..., JobContext]

GAME_TASK = '''
"""A task with everything: a lenient score, baselines and games."""
from evaluation.tasks import items_from_conversations
NAME, DESCRIPTION, METRIC, LENIENT_METRIC = "toy game", "A <b>toy</b>.", "short", "any"
def items(rows, all_rows):
    assert len(all_rows) > len(rows)
    return items_from_conversations(rows)
def score(answer, item):
    return {"short": float(len(answer) % 2), "any": 1.0}
def references(items, all_rows, seed):
    return {"ceiling": [1.0 for _ in items], "random": [0.25 for _ in items]}
def play(choose, options):
    games = [{"tag": "bfs" if n % 2 else "dfs", "score": 0, "won": False} for n in range(options.games)]
    for turn in range(options.max_steps):
        for game, answer in zip(games, choose([[{"role": "user", "content": "Move?"}] for _ in games])):
            game["score"] += len(answer) > 0
    return games
def reference_games(options):
    return {"teacher": [{"score": 99, "won": True}]}
'''


@pytest.fixture
def compared(
    context_of: MakeContext, balls: str, lively_model: Path, tiny_adapter: Path, second_adapter: Path
) -> JobContext:
    """A context to compare a base with two of its adapters."""
    models = [str(lively_model), f"adapter:{tiny_adapter}", f"adapter:{second_adapter}"]
    return context_of(
        "evaluate", models=models, data=balls, metrics=["perplexity"], max_new_tokens=4, batch_size=5, precision="fp32"
    )


def test_a_comparison_leaves_scores_verdicts_and_a_report(
    compared: JobContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[Any] = []
    load = sharing.SharedLoad
    monkeypatch.setattr(job, "SharedLoad", lambda files, **options: loads.append(files) or load(files, **options))
    figures = job.run(compared)

    assert len(loads) == 1, "a base and its adapters are loaded once"
    assert {path.name for path in compared.artifacts} == {"scores.parquet", "report.json", "report.html", "report.md"}
    assert len(figures["verdicts"]) == 2
    assert [measure["metric"] for measure in figures["measures"]] == ["exact_match", "nll"]
    assert (figures["items"], figures["groups"]) == (12, 6)
    assert [model["metric"] for model in figures["models"]] == ["contains", "exact_match", "exact_match"]
    json.dumps(figures, allow_nan=False)

    rows = load_scores(compared.path / "scores.parquet")
    assert len(rows) == 36
    assert {row.group for row in rows} == {f"pair {number}" for number in range(6)}
    assert all(row.answer is not None and row.scores.keys() == {"exact_match", "contains", "nll"} for row in rows)
    nll = figures["measures"][1]["verdicts"]
    first, second = ([row.scores["nll"] for row in rows[start : start + 12]] for start in (0, 12))
    assert nll[0]["difference"] == pytest.approx(sum(second) / 12 - sum(first) / 12)


def test_progress_and_values_used_are_recorded(compared: JobContext) -> None:
    job.run(compared)
    resolved = compared.directory.resolved
    assert resolved is not None
    assert resolved["data"]["value"].startswith("balls@")
    assert resolved["items"]["value"] == 12
    assert resolved["precision"]["value"] == "fp32" and resolved["device"]["value"] in ("cpu", "cuda:0")
    assert compared.status.progress == 1.0


def test_a_task_file_brings_baselines_and_games(
    context_of: MakeContext, balls: str, lively_model: Path, tiny_adapter: Path, tmp_path: Path
) -> None:
    path = tmp_path / "toy_game.py"
    path.write_text(GAME_TASK, encoding="utf-8")
    context = context_of(
        "evaluate",
        models=[str(lively_model), f"adapter:{tiny_adapter}"],
        data=balls,
        task=str(path),
        max_items=7,
        max_new_tokens=3,
        games=3,
        game_steps=2,
    )
    figures = job.run(context)
    assert figures["items"] == 7
    standings = figures["measures"][0]["standings"]
    assert [(line["name"], line["metric"]) for line in standings[1:]] == [
        ("first", "short"),
        ("ceiling", "short"),
        ("random", "short"),
    ]
    assert standings[0]["metric"] == "any", "an untrained model is scored leniently"
    games = {(line["model"], line["tag"]): line for line in figures["games"]}
    assert games["first", ""]["games"] == 3 and games["first", "dfs"]["games"] == 2
    assert games["teacher", ""]["means"] == {"score": 99.0, "won": 1.0}
    assert len((context.path / "games.jsonl").read_text(encoding="utf-8").splitlines()) == 7
    rows = load_scores(context.path / "scores.parquet")
    assert {row.model for row in rows if row.kind == "reference"} == {"ceiling", "random"}
    assert "A &lt;b&gt;toy&lt;/b&gt;." in (context.path / "report.html").read_text(encoding="utf-8")


def test_one_model_alone_is_measured_without_a_verdict(context_of: MakeContext, balls: str, lively_model: Path) -> None:
    figures = job.run(context_of("evaluate", models=[str(lively_model)], data=balls, task="perplexity"))
    assert figures["verdicts"] == []
    assert figures["measures"][0]["unit"] == "perplexity"
    assert figures["models"][0]["token_perplexity"] > 1


def test_the_draw_of_questions_follows_the_seed(
    context_of: MakeContext, workspace: Workspace, lively_model: Path
) -> None:
    data = publish_rows(workspace, [conversation(number) for number in range(30)], name="many")

    def drawn(seed: int) -> list[str]:
        context = context_of(
            "evaluate", models=[str(lively_model)], data=data, task="perplexity", max_items=5, seed=seed
        )
        job.run(context)
        return [row.item for row in load_scores(context.path / "scores.parquet")]

    assert drawn(1) == drawn(1) != drawn(2)
    assert len(drawn(1)) == 5


def test_a_stop_ends_the_job_without_a_report(compared: JobContext) -> None:
    compared.directory.request_stop()
    with pytest.raises(Stopped):
        job.run(compared)
    assert not (compared.path / "report.json").exists()


def test_a_missing_dataset_is_said_before_a_model_is_loaded(context_of: MakeContext, lively_model: Path) -> None:
    with pytest.raises(Missing, match="no dataset 'nothing'"):
        job.run(context_of("evaluate", models=[str(lively_model)], data="nothing"))


def test_baselines_that_do_not_fit_the_items_are_refused(
    context_of: MakeContext, balls: str, lively_model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "broken.py"
    path.write_text(GAME_TASK.replace("[1.0 for _ in items]", "[1.0]"), encoding="utf-8")
    with pytest.raises(BadInput, match="1 scores for its reference 'ceiling'"):
        job.run(context_of("evaluate", models=[str(lively_model)], data=balls, task=str(path)))


def test_a_spec_says_all_its_problems_at_once() -> None:
    with pytest.raises(BadInput) as caught:
        EvaluateSpec.parse({"models": [], "dta": "x", "batch_size": 0})
    for word in ("models", "dta: unknown option (did you mean data?)", "batch_size"):
        assert word in caught.value.what
    with pytest.raises(BadInput, match="data: is required"):
        EvaluateSpec.parse({"models": ["embedded"]})
    with pytest.raises(BadInput, match="listed twice"):
        EvaluateSpec.parse({"models": ["embedded", "embedded"], "data": "x"})


def test_a_trained_model_is_reported_with_the_time_that_its_training_took(
    context_of: MakeContext, workspace: Workspace, balls: str, lively_model: Path, tiny_adapter: Path
) -> None:
    path = workspace.new_job_path("train")
    spec = {"model": str(lively_model), "data": balls}
    trained = JobDirectory.create(path, kind="train", title="Balls", spec=spec, resource=None)
    shutil.copytree(tiny_adapter, path / "adapter")
    trained.write_status(Status(State.SUCCEEDED))
    trained.write_manifest({"figures": {}, "artifacts": {}, "seconds": 90.0})
    models = [str(lively_model), f"job:{trained.id}"]
    context = context_of("evaluate", models=models, data=balls, max_new_tokens=2, precision="fp32")
    assert [model["training_seconds"] for model in job.run(context)["models"]] == [None, 90.0]
    assert "Training (minutes)" in (context.path / "report.html").read_text(encoding="utf-8")


def test_a_task_with_questions_of_its_own_asks_these_whatever_dataset_is_named(
    context_of: MakeContext, balls: str, lively_model: Path
) -> None:
    context = context_of("evaluate", models=[str(lively_model)], data=balls, task="general", max_items=3)
    assert job.run(context)["items"] == 3
    assert (context.directory.resolved or {})["data"]["value"] == job.OWN_QUESTIONS
