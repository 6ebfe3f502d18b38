"""Hearth from a terminal: everything the page does. Progress and messages go to stderr, the result to stdout.

Exit status: 0 done, 1 the job failed, 2 bad input or something missing, 130 stopped.
"""

from __future__ import annotations

import sys

import typer

from cli.data import data_app
from cli.demo import demo
from cli.doctor import doctor
from cli.evaluation import arena, judge, pairs, task_app
from cli.experiments import experiments_app
from cli.export import export, exports_app
from cli.fit import fit
from cli.jobs import jobs_app
from cli.loop import loop_app
from cli.models import models_app
from cli.ollama import ollama_app
from cli.registry import registry_app
from cli.rent import rent
from cli.route import route_app
from cli.runs import compare
from cli.script import script
from cli.serve import forget, keys_app, serve
from cli.shared import ANY_OPTION, DetachOption, JsonOption, WorkspaceOption, open_workspace, run_job
from cli.sweep import sweep_app
from jobs.arguments import spec_values
from jobs.errors import BadInput, Missing, UserError, disk_full
from models.downloads.place import apply_place

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, help=__doc__
)
app.add_typer(data_app, name="data")
app.add_typer(jobs_app, name="jobs")
app.add_typer(sweep_app, name="sweep")
app.add_typer(task_app, name="task")
app.add_typer(exports_app, name="exports")
app.add_typer(ollama_app, name="ollama")
app.add_typer(experiments_app, name="experiments")
app.add_typer(keys_app, name="keys")
app.add_typer(loop_app, name="loop")
app.add_typer(models_app, name="models")
app.add_typer(registry_app, name="registry")
app.add_typer(route_app, name="route")
app.command(context_settings=ANY_OPTION)(export)
app.command(context_settings=ANY_OPTION)(fit)
app.command(context_settings=ANY_OPTION)(rent)
app.command(context_settings=ANY_OPTION)(serve)
app.command(context_settings=ANY_OPTION)(judge)
app.command(context_settings=ANY_OPTION)(pairs)
app.command()(arena)
app.command()(compare)
app.command()(demo)
app.command()(doctor)
app.command()(forget)
app.command()(script)


@app.command(context_settings=ANY_OPTION)
def train(
    context: typer.Context,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    detach: DetachOption = False,
) -> None:
    """Train: [SPEC.yaml] and any option by its dotted name, such as --model M --data D --method.rank 8."""
    from trainer.check import require_trainable
    from trainer.spec import TrainSpec

    parsed = TrainSpec.parse(*spec_values(context.args))
    require_trainable(parsed, open_workspace(workspace))
    run_job(open_workspace(workspace), "train", parsed.model_dump(mode="json"), parsed.title, as_json, detach)


@app.command(context_settings=ANY_OPTION)
def evaluate(
    context: typer.Context,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    detach: DetachOption = False,
) -> None:
    """Compare models on held-out rows: [SPEC.yaml] --models '[embedded, job:ID]' --data D --task T."""
    from datasets_src.store import open_version
    from evaluation.spec import EvaluateSpec
    from models.reference import require_usable

    parsed = EvaluateSpec.parse(*spec_values(context.args))
    if parsed.data:
        open_version(open_workspace(workspace), parsed.data)
    for model in parsed.models:
        require_usable(model, open_workspace(workspace))
    title = f"{parsed.data.split('@')[0] or parsed.task}: {len(parsed.models)} models"
    run_job(open_workspace(workspace), "evaluate", parsed.model_dump(mode="json"), title, as_json, detach)


def main() -> None:
    """The boundary: what the user can mend becomes a message, anything else keeps its traceback."""
    apply_place()
    try:
        app()
    except UserError as error:
        print(f"{error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, BadInput | Missing) else 1)
    except OSError as error:
        full = disk_full(error, "the workspace")
        if full is None:
            raise
        print(full, file=sys.stderr)
        sys.exit(1)
