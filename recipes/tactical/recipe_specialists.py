"""One specialist per domain on the base that they share, judged beside the adviser for all domains; then they vote."""

from __future__ import annotations

from functools import partial

from datasets_src.store import open_version
from evaluation.store import FILE, load_scores
from evaluation.verdict import Settings
from jobs.directory import JobDirectory, State
from jobs.errors import Missing
from jobs.spec import Spec
from jobs.workspace import Workspace
from recipes.recipe import Outcome, Progress, Recipe, Run, Step
from recipes.tactical import pipeline
from recipes.tactical.ensemble import compare, ensemble_spec, in_words
from recipes.tactical.recipe import ADVISER
from recipes.tactical.results import outcome_lines
from recipes.tactical.state import DOMAINS, Domain

DATASET = "tactical"


def general_adviser(workspace: Workspace) -> JobDirectory:
    """The newest training of the recipe `tactical`. Raises Missing where there is none."""
    trained = [job for job in workspace.list_jobs("train") if job.header["title"] == ADVISER]
    done = [job for job in trained if job.status().state is State.SUCCEEDED]
    if not done:
        raise Missing(
            "There is no adviser for all domains yet.",
            "The specialists learn from its dataset, and are judged beside it.",
            "Run `python cli.py demo tactical` in this workspace first.",
        )
    return done[0]


def _steps_of(domain: Domain) -> tuple[Step, Step]:
    name = pipeline.specialist_name(domain)
    return (
        Step(f"data-{domain}", f"{domain} rows", "data.build", f"{domain} rows", partial(_data, domain=domain)),
        Step(f"train-{domain}", name, "train", name, partial(_training, domain=domain)),
    )


def _write_rows(run: Run, progress: Progress) -> None:
    general_adviser(run.workspace)
    version = open_version(run.workspace, DATASET)
    for number, domain in enumerate(DOMAINS):
        progress(number / len(DOMAINS), domain)
        pipeline.write_specialist_rows(run.workspace, version, domain)


def _data(run: Run, domain: Domain) -> Spec:
    return pipeline.specialist_data_spec(run.workspace, domain)


def _training(run: Run, domain: Domain) -> Spec:  # noqa: ARG001 (every step is given the run)
    return pipeline.specialist_spec(domain)


def _evaluation(run: Run) -> Spec:
    specialists = [f"job:{run.jobs[f'train-{domain}'].id}" for domain in DOMAINS]
    return pipeline.evaluate_spec([f"job:{general_adviser(run.workspace).id}", *specialists])


def _outcome(run: Run) -> Outcome:
    job = run.jobs["evaluate"]
    verdict = compare(load_scores(job.path / FILE), ensemble_spec(), Settings(0.95, 0.03, 0))
    lines = [
        in_words(verdict),
        "",
        *outcome_lines(run.figures("evaluate")),
        "",
        "What to do next",
        f"  read the report      {job.path / 'report.html'}",
        f"  serve them all       python cli.py serve recipes/tactical/serve.yaml --workspace {run.workspace.root}",
    ]
    return Outcome(lines, {"ensemble": verdict.sentence})


RECIPE = Recipe(
    name="tactical",
    title="Tactical guidance: specialists that vote",
    about="After the one before: an adapter for each domain, and whether their vote beats the best. Takes longer.",
    rows=1,
    size="Not used: the rows are those of the recipe `tactical`.",
    rows_name="Rows by domain",
    write_rows=_write_rows,
    steps=(
        *(step for domain in DOMAINS for step in _steps_of(domain)),
        Step("evaluate", "Verdict", "evaluate", "Specialists", _evaluation),
    ),
    outcome=_outcome,
)
