"""Ollama from the terminal: put an exported GGUF into it, list, chat, push, remove, free its memory."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cli.shared import ANY_OPTION, DetachOption, JsonOption, WorkspaceOption, console, open_workspace, run_job, show
from jobs.arguments import spec_values
from jobs.errors import BadInput

ollama_app = typer.Typer(
    no_args_is_help=True, help="Models of an Ollama server: create, list, chat, push, remove, unload."
)

AddressOption = Annotated[
    str | None,
    typer.Option("--address", help="host:port or http://host:port. Default: OLLAMA_HOST, else this machine."),
]


@ollama_app.command(context_settings=ANY_OPTION)
def create(
    context: typer.Context,
    gguf: Annotated[str, typer.Argument(help="job:ID/FILE of an export, a path in the workspace, or a YAML file.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
    detach: DetachOption = False,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite a model of that name.")] = False,
) -> None:
    """Make a model of a GGUF: job:ID/FILE --name NAME [--push_confirmation NAME]; its Modelfile beside it is used."""
    from export.ollama.source import find_weights
    from export.ollama.spec import OllamaSpec

    from_file = gguf.endswith((".yaml", ".yml"))
    values, where = spec_values([gguf, *context.args] if from_file else ["--gguf", gguf, *context.args])
    parsed = OllamaSpec.parse({**values, "replace": True} if replace else values, where)
    place = open_workspace(workspace)
    weights = find_weights(parsed.gguf, place)
    spec = parsed.model_dump(mode="json")
    if parsed.gguf.startswith("job:") and weights.export is not None:
        spec["gguf"] = f"job:{weights.export.id}/{weights.path.name}"
    run_job(place, "ollama", spec, parsed.name, as_json, detach)


@ollama_app.command("list")
def list_all(address: AddressOption = None, as_json: JsonOption = False) -> None:
    """The server's models, and what each holds in memory now."""
    from export.ollama.client import OllamaClient

    with OllamaClient(address) as client:
        models, loaded = client.models(), {model.name: model for model in client.loaded()}
        found = {"address": client.address, "version": client.version()}
    lines = [
        f"{model.name:<40} {model.bytes / 1e9:6.2f} GB  {model.parameters:>8} {model.quantisation:<8}"
        + (f" in memory: {loaded[model.name].bytes / 1e9:.2f} GB" if model.name in loaded else "")
        for model in models
    ]
    held = {name: asdict(model) for name, model in loaded.items()}
    rows = [{**asdict(model), "loaded": held.get(model.name)} for model in models]
    show({**found, "models": rows}, as_json, "\n".join(lines) or f"Ollama at {found['address']} has no model yet.")


@ollama_app.command()
def remove(
    name: Annotated[str, typer.Argument(help="As `list` shows it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    address: AddressOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete a model from the server. The exported file stays."""
    from export.ollama.client import OllamaClient

    with OllamaClient(address) as client:
        client.show(name)  # before asking about a model that isn't there
        if not yes and not typer.confirm(f"Delete {name} from {client.address}?", err=True):
            raise BadInput(f"{name} was not deleted.", "It wasn't confirmed.", "Answer y, or give --yes.")
        client.delete(name)
        show({"removed": name, "address": client.address}, as_json, f"Removed {name} from {client.address}.")


@ollama_app.command()
def unload(
    name: Annotated[str | None, typer.Argument(help="As `list` shows it. Without one, all are unloaded.")] = None,
    address: AddressOption = None,
    as_json: JsonOption = False,
) -> None:
    """Free the memory that Ollama's models take. They are loaded again when they are next asked."""
    from export.ollama.client import OllamaClient

    with OllamaClient(address) as client:
        before = [model for model in client.loaded() if name is None or model.name in (name, f"{name}:latest")]
        if name is not None and not before:
            client.show(name)  # raises for a name that the server doesn't know
        for model in before:
            client.unload(model.name)
    freed = sum(model.bytes for model in before)
    names = ", ".join(model.name for model in before)
    text = f"Unloaded {names}: {freed / 1e9:.2f} GB." if before else "No model was in memory."
    show({"unloaded": [asdict(model) for model in before], "bytes": freed}, as_json, text)


@ollama_app.command()
def chat(
    name: Annotated[str, typer.Argument(help="As `list` shows it.")],
    message: Annotated[str, typer.Argument(help="What to ask.")],
    tokens: Annotated[int, typer.Option(min=1, help="The answer's length at most.")] = 512,
    address: AddressOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a model one thing; its answer is shown as it is written."""
    from export.ollama.client import OllamaClient

    written = ""
    with OllamaClient(address) as client:
        for piece in client.chat(name, [{"role": "user", "content": message}], num_predict=tokens):
            written += piece.text
            if not as_json:
                print(piece.text, end="" if piece.finish_reason is None else "\n", flush=True)
    if as_json:
        show({"model": name, "answer": written, "finish_reason": piece.finish_reason}, as_json, "")


@ollama_app.command()
def push(
    name: Annotated[str, typer.Argument(help="your-account/model, as `list` shows it.")],
    confirm: Annotated[str | None, typer.Option(help="The name once more, instead of being asked for it.")] = None,
    address: AddressOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish a model where its name says (ollama.com): others can see and download it."""
    from export.ollama.client import OllamaClient
    from export.ollama.names import parse_name, require_namespace

    require_namespace(parse_name(name))
    with OllamaClient(address) as client:
        client.show(name)  # before asking about a model that isn't there
        given = confirm or typer.prompt(f"Publish {name}? Write its name once more", err=True)
        for line in client.push(name, confirmed=given.strip() == name):
            done = f" {line.done / 1e6:,.0f} of {line.total / 1e6:,.0f} MB" if line.done and line.total else ""
            console.print(f"{line.status}{done}")
    show({"pushed": name, "address": client.address}, as_json, f"Pushed {name}.")
