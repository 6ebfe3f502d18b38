"""The assistant example: a first version is used, what people say makes a second one, and an attack makes none."""

from __future__ import annotations

from typing import Any

from jobs.spec import Spec
from recipes.assistant import pipeline
from recipes.recipe import Outcome, Progress, Recipe, Run, Step
from serving.registry import Registry

FIRST = "Assistant 1"


def _write_rows(run: Run, progress: Progress) -> None:
    pipeline.write_rows(run.workspace, run.rows, progress)


def _data(run: Run) -> Spec:
    return pipeline.data_spec(run.workspace, "data.yaml")


def _first(_run: Run) -> Spec:
    return pipeline.train_spec(FIRST, pipeline.NAME)


def _questions(run: Run) -> Spec:
    return pipeline.data_spec(run.workspace, "questions.yaml")


def _answers(run: Run) -> Spec:
    return pipeline.evaluate_spec(f"job:{run.jobs['first'].id}", data="assistant-questions")


def _use(run: Run) -> None:
    pipeline.put_into_production(run.workspace, run.jobs["first"].id)
    pipeline.use(run.workspace, run.jobs["answers"], FIRST, run.rows, f"{pipeline.NAME}@1")


def _attack(run: Run) -> None:
    pipeline.attack(run.workspace, run.rows, Registry(run.workspace).resolve(pipeline.NAME).label)


def _loop(run: Run) -> Spec:
    return pipeline.loop_spec(run.workspace)


def _against_base(run: Run) -> Spec:
    return pipeline.against_base_spec(Registry(run.workspace).resolve(pipeline.NAME).ref)


def fixed_questions(run: Run, round_key: str) -> dict[str, Any]:
    """What a round's evaluation on the fixed questions found: production before it, then the new version."""
    job = run.workspace.job(run.figures(round_key)["jobs"]["evaluate_regression"])
    assert job.manifest is not None  # a round that ended well has it
    return dict(job.manifest["figures"])


def _outcome(run: Run) -> Outcome:
    registry = Registry(run.workspace)
    production = registry.resolve(pipeline.NAME)
    lines = [
        f"Verdict: {production.label} against its untrained base: {_sentence(run.figures('verdict'))}",
        "",
        "After honest use (right answers to the fixed questions, 95 % interval)",
        f"  learnt from {run.figures('honest')['chosen']['sentence']}",
        *_table(fixed_questions(run, "honest")),
        f"  {run.figures('honest')['outcome']}: {run.figures('honest')['sentence']}",
        "",
        "After the attack",
        f"  learnt from {run.figures('attack')['chosen']['sentence']}",
        f"  {run.figures('attack')['outcome']}: {run.figures('attack')['sentence']}",
        "",
        f"In production: {production.label} ({production.ref})",
        *(f"  {change.action} {pipeline.NAME}@{change.number}" for change in registry.history(pipeline.NAME)),
        "",
        "What to do next",
        f"  read the report   {run.jobs['verdict'].path / 'report.html'}",
        f"  serve it          python cli.py serve recipes/assistant/serve.yaml --workspace {run.workspace.root}",
        "  with real people  recipes/assistant/README.md: log their chats, and let loop.yaml do all of this",
    ]
    return Outcome(lines, {"production": production.label, "fixed": fixed_questions(run, "honest")})


def _sentence(figures: dict[str, Any]) -> str:
    return str(figures["measures"][0]["verdicts"][0]["sentence"])


def _table(figures: dict[str, Any]) -> list[str]:
    """Each model's share of right answers, in all and for every topic and mode."""
    names = [standing["name"] for standing in figures["measures"][0]["standings"]]
    parts = [("all", figures["measures"][0]["items"], figures["measures"][0]["standings"])]
    parts += [(part["tag"], part["items"], part["standings"]) for part in figures["slices"]]
    widths = [max(18, len(name)) + 3 for name in names]
    heading = f"  {'':<28}{'asked':>6}" + _cells(names, widths)
    rows = ((label, asked, [_percent(standing) for standing in standings]) for label, asked, standings in parts)
    return [heading, *(f"  {label:<28}{asked:>6}{_cells(cells, widths)}" for label, asked, cells in rows)]


def _cells(cells: list[str], widths: list[int]) -> str:
    return "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))


def _percent(standing: dict[str, Any]) -> str:
    if standing["low"] is None or standing["kind"] == "reference":
        return f"{standing['mean']:.1%}"
    return f"{standing['mean']:.1%} ({standing['low']:.0%}–{standing['high']:.0%})"


RECIPE = Recipe(
    name="assistant",
    title="An assistant that learns from its users",
    about="What people say in chats makes the next version, which is promoted when it is better; an attack makes none.",
    rows=pipeline.CHATS,
    size="Chats of the simulated users.",
    rows_name="Fact sheets and questions",
    write_rows=_write_rows,
    steps=(
        Step("data", "First dataset", "data.build", "assistant", _data),
        Step("first", "First version", "train", FIRST, _first),
        Step("questions", "What people will ask", "data.build", "assistant-questions", _questions),
        Step("answers", "The first version is used", "evaluate", f"{FIRST} answers its users", _answers),
        Step("honest", "A round on what they said", "loop", "assistant-loop: round", _loop, before=_use),
        Step("verdict", "Against the untrained base", "evaluate", "Assistant against its base", _against_base),
        Step("attack", "A round on an attack", "loop", "assistant-loop: round", _loop, before=_attack),
    ),
    outcome=_outcome,
)
