"""Serving models: `serve` starts the server, `keys` gives and revokes API keys, `forget` deletes what a user said."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cli.shared import DetachOption, JsonOption, WorkspaceOption, open_workspace, run_job, show
from jobs.arguments import spec_values

keys_app = typer.Typer(no_args_is_help=True, help="API keys of this workspace's servers.")


def serve(
    context: typer.Context, workspace: WorkspaceOption = None, as_json: JsonOption = False, detach: DetachOption = False
) -> None:
    """Serve models over OpenAI's interface: [SPEC.yaml] --models '[NAME=job:ID, embedded]' --port 8000."""
    from serving.check import require_startable
    from serving.spec import ServeSpec

    parsed = ServeSpec.parse(*spec_values(context.args))
    place = open_workspace(workspace)
    require_startable(place, parsed)
    run_job(place, "serve", parsed.model_dump(mode="json"), parsed.title, as_json, detach)


@keys_app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="Whose key it is.")],
    per_minute: Annotated[int | None, typer.Option(min=1, help="Most requests a minute.")] = None,
    tokens_per_day: Annotated[int | None, typer.Option(min=1, help="Most tokens a day, read and written.")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. It is shown this once."""
    from serving.keys import Keys

    key = Keys(open_workspace(workspace)).create(name, requests_per_minute=per_minute, tokens_per_day=tokens_per_day)
    show({"name": name, "key": key}, as_json, f"{key}\nKeep it now: it can't be shown again.")


@keys_app.command("list")
def list_all(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """The keys there are, without the keys themselves."""
    from serving.keys import Keys

    found = Keys(open_workspace(workspace)).all()
    lines = [f"{key.name}  …{key.ending}  {'revoked' if key.revoked else 'in use'}" for key in found]
    show([key.as_json() for key in found], as_json, "\n".join(lines) or "No keys yet: python cli.py keys new NAME")


@keys_app.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(help="Whose key.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Refuse a key from now on."""
    from serving.keys import Keys

    Keys(open_workspace(workspace)).revoke(name)
    show({"revoked": name}, as_json, f"The key '{name}' is refused from now on.")


def forget(
    user: Annotated[str, typer.Argument(help="The id that requests named as `user`.")],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask first.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete what a user said and did: chats, votes, outcomes of experiments. It can't be undone."""
    from serving.forget import forget_user

    if not yes and not typer.confirm("Delete everything of this user, for good?", err=True):
        raise typer.Exit(130)
    forgotten = forget_user(open_workspace(workspace), user)
    show(asdict(forgotten), as_json, forgotten.sentence)
