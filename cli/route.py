"""Commands about routes: train a classifier of requests, and ask which model would answer a text, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.shared import JsonOption, WorkspaceOption, open_workspace, show
from jobs.spec import read_yaml
from jobs.workspace import Workspace
from serving.router.chooser import Chooser
from serving.router.classifier.model import load, save
from serving.router.conditions import Classifies
from serving.router.decision import Decision
from serving.router.question import Question, looked_at
from serving.router.spec import AUTO, RouterSpec

route_app = typer.Typer(no_args_is_help=True, help="Which model answers: train a classifier, try the rules.")


@route_app.command("train")
def route_train(
    data: Annotated[str, typer.Option(help="A dataset with tags: NAME or NAME@VERSION.")],
    name: Annotated[str, typer.Option(help="The classifier's name; one of that name is replaced.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a classifier that tells a request's tag from its text, and say how often it is right on held-out rows."""
    from datasets_src.store import open_version
    from serving.router.classifier.model import folder_of
    from serving.router.classifier.training import train

    place = open_workspace(workspace)
    folder_of(place, name)
    trained = train(open_version(place, data))
    folder = save(place, name, trained.classifier, trained.report.as_json())
    value = {"name": name, "path": str(folder), "labels": trained.classifier.labels, **trained.report.as_json()}
    show(value, as_json, f"{trained.report.text}\n{folder}")


@route_app.command("ask")
def route_ask(
    spec: Annotated[Path, typer.Argument(help="A ServeSpec with `router:`, or a RouterSpec alone, as YAML.")],
    text: Annotated[str, typer.Argument(help="What would be asked.")],
    tag: Annotated[str | None, typer.Option(help="The request's tag.")] = None,
    mode: Annotated[str | None, typer.Option(help="The request's reasoning mode.")] = None,
    user: Annotated[str | None, typer.Option(help="Who asks; weights stick to users.")] = None,
    conversation: Annotated[str | None, typer.Option(help="Where no user is known, weights stick to this.")] = None,
    asked: Annotated[str, typer.Option("--model", help="The model or route that the request names.")] = AUTO,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Which model would answer a text, and why. Nothing is served or asked."""
    parsed = _router_spec(spec)
    chooser = Chooser(parsed, parsed.models, _classifiers(parsed, open_workspace(workspace)))
    decision = chooser.choose(Question(looked_at(text), tag, mode, user, conversation), asked)
    members = chooser.ensembles[decision.target].asked(tag) if decision.target in chooser.ensembles else {}
    show({**decision.as_json(), "members": members}, as_json, _told(decision, members))


def _router_spec(path: Path) -> RouterSpec:
    values: Any = read_yaml(path)
    own = values["router"] if isinstance(values, dict) and "router" in values else values
    return RouterSpec.parse(own, str(path))


def _classifiers(spec: RouterSpec, workspace: Workspace) -> dict[str, Classifies]:
    return {name: load(workspace, name) for name in spec.classifiers}


def _told(decision: Decision, members: dict[str, float]) -> str:
    lines = [f"{decision.target} would answer.", f"  route: {decision.route}", f"  why:   {decision.reason}"]
    if members:
        lines.append(f"  asks:  {', '.join(f'{name} (weight {weight:g})' for name, weight in members.items())}")
    return "\n".join([*lines, *(f"  not {passed}" for passed in decision.passed)])
