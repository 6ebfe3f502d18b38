"""One specialist per domain on the base that they share, judged beside the adviser for all domains.

    python cli.py demo tactical
    python -m recipes.tactical.specialists --general job:ID

Then, from their answers: python -m recipes.tactical.ensemble job:ID_OF_THE_EVALUATION
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from rich.console import Console

from datasets_src.store import open_version
from jobs.errors import UserError
from jobs.spec import Spec
from jobs.workspace import Workspace
from models.reference import require_usable
from recipes.demo import Demo
from recipes.recipe import Outcome, Progress, Recipe, Run, Step
from recipes.tactical import pipeline
from recipes.tactical.results import outcome_lines
from recipes.tactical.state import DOMAINS, Domain

DATASET = "tactical"


def specialists(general: str) -> Recipe:
    """The steps: for each domain its rows and its training, then all of them beside `general` (such as job:<id>)."""
    steps = [step for domain in DOMAINS for step in _steps_of(domain)]
    judged = Step("evaluate", "Verdict", "evaluate", "Specialists", partial(_evaluation, general=general))
    return Recipe(
        name="tactical",
        title="Tactical guidance: specialists",
        rows=1,
        size="Not used: the rows are those of the dataset.",
        rows_name="Rows by domain",
        write_rows=_write_rows,
        steps=(*steps, judged),
        outcome=_outcome,
    )


def _steps_of(domain: Domain) -> tuple[Step, Step]:
    name = pipeline.specialist_name(domain)
    return (
        Step(f"data-{domain}", f"{domain} rows", "data.build", f"{domain} rows", partial(_data, domain=domain)),
        Step(f"train-{domain}", name, "train", name, partial(_training, domain=domain)),
    )


def _write_rows(run: Run, progress: Progress) -> None:
    version = open_version(run.workspace, DATASET)
    for number, domain in enumerate(DOMAINS):
        progress(number / len(DOMAINS), domain)
        pipeline.write_specialist_rows(run.workspace, version, domain)


def _data(run: Run, domain: Domain) -> Spec:
    return pipeline.specialist_data_spec(run.workspace, domain)


def _training(run: Run, domain: Domain) -> Spec:  # noqa: ARG001 (every step is given the run)
    return pipeline.specialist_spec(domain)


def _evaluation(run: Run, general: str) -> Spec:
    return pipeline.evaluate_spec([general, *(f"job:{run.jobs[f'train-{domain}'].id}" for domain in DOMAINS)])


def _outcome(run: Run) -> Outcome:
    job = run.jobs["evaluate"]
    lines = [
        *outcome_lines(run.figures("evaluate")),
        "",
        "What to do next",
        f"  read the report      {job.path / 'report.html'}",
        f"  let them vote        python -m recipes.tactical.ensemble job:{job.id} --workspace {run.workspace.root}",
    ]
    return Outcome(lines)


def main() -> None:
    """The command line: see the top of this file."""
    parser = argparse.ArgumentParser(description="Train and judge a specialist for each domain.")
    parser.add_argument("--general", required=True, help="the adviser for all domains, as job:ID")
    parser.add_argument("--workspace", type=Path, default=Workspace.default().root)
    options = parser.parse_args()
    workspace = Workspace(options.workspace)
    try:
        require_usable(options.general, workspace)
        open_version(workspace, DATASET)
    except UserError as error:
        parser.exit(2, f"{error}\n")
    result = Demo(workspace, specialists(options.general), None, Console(stderr=True, highlight=False)).run()
    print(result.text)
    sys.exit(result.exit_status)


if __name__ == "__main__":
    main()
