"""The job of kind "ollama": a GGUF becomes a model of an Ollama server, is asked, checked and, if wanted, pushed.

    digest.json     the file's SHA-256, so that a resumed job doesn't compute it again
    creating.json   that the model was begun: what a killed attempt left under that name is its own to finish
    ollama.json     what the check found

Ollama keeps whole files only: an upload that was cut off begins again, one that arrived is not repeated.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from export.gguf_file import read_gguf
from export.ollama.blobs import Progress, Upload, remembered_digest
from export.ollama.client import ModelParts, OllamaClient
from export.ollama.recipe import read_recipe, recipe_beside
from export.ollama.source import Weights, find_weights, held_out, training_of, training_tokenizer
from export.ollama.spec import OllamaSpec
from export.ollama.verify import Check, verify
from jobs.context import JobContext
from jobs.errors import BadInput
from jobs.files import read_json, write_json
from models.endpoints.ollama import ollama_address

HELD_OUT = 4
DIGEST, CREATING, RESULT = "digest.json", "creating.json", "ollama.json"


def run(context: JobContext) -> dict[str, Any]:
    """Create the model. Returns its name, the server, what was sent and what the check found."""
    spec = OllamaSpec.parse(context.spec, where="the Ollama spec")
    context.progress(0.0, "Looking for the file and the server")
    weights = find_weights(spec.gguf, context.workspace)
    parts = _parts(context, weights)
    with OllamaClient(context.decided("address") or ollama_address(spec.address)) as client:
        version = client.require_recent()
        # Kept once a server answered: until then, resuming looks anew at where it is.
        context.resolve("address", client.address, "spec" if spec.address else "OLLAMA_HOST, else this machine")
        mine = read_json(context.path / CREATING) is not None
        client.require_free(spec.name, replace=spec.replace or mine)
        digest = remembered_digest(weights.path, context.path / DIGEST, _bytes(context, 0.0, 0.1, "Reading the file"))
        sent = _upload(context, client, weights, digest)
        _create(context, client, spec, weights, digest, parts)
        check = _verify(context, client, spec, weights, parts)
        if spec.push:
            _push(context, client, spec)
    return {
        "message": _message(spec, check),
        "model": spec.name,
        "server": client.address,
        "server_version": version,
        "digest": digest,
        "sent_bytes": sent.sent,
        "verified": check is not None and check.passed,
        "check": check.verdict if check else "not verified in Ollama: the spec asks for no check",
        "answer": check.answer if check else None,
        "pushed": spec.push,
    }


def _parts(context: JobContext, weights: Weights) -> ModelParts:
    """Read before anything is sent, so that a Modelfile with a mistake is told of at once."""
    recipe = recipe_beside(weights.path)
    if recipe is None:
        context.log(f"No Modelfile for {weights.path.name} beside it: Ollama takes everything from the file itself.")
        parts = ModelParts()
    else:
        context.log(f"System prompt, template and parameters come from {recipe.name}.")
        parts = read_recipe(recipe).parts
    # A Modelfile of an export doesn't hold the licence, the GGUF does.
    return parts if parts.license else replace(parts, license=read_gguf(weights.path).value("general.license"))


def _bytes(context: JobContext, start: float, share: float, doing: str) -> Progress:
    """Progress in bytes with the time left, over `share` of the job's progress from `start` on."""
    begun = time.monotonic()

    def progress(done: int, total: int) -> None:
        context.check_stop()
        seconds = time.monotonic() - begun
        left = (total - done) * seconds / done if done and seconds > 1 else None
        said = f"{doing}: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB"
        if left is not None:
            said += f", {done / 1e6 / seconds:,.0f} MB/s"
        context.progress(start + share * done / max(1, total), said, left)

    return progress


def _upload(context: JobContext, client: OllamaClient, weights: Weights, digest: str) -> Upload:
    try:
        sent = client.upload(weights.path, digest, _bytes(context, 0.1, 0.6, f"Sending to {client.address}"))
    except BadInput:
        # The file is not what the note says: look at it anew when the job is resumed.
        (context.path / DIGEST).unlink(missing_ok=True)
        raise
    told = f"Sent {sent.sent / 1e6:,.0f} MB." if sent.sent else "The server has this file already: nothing was sent."
    context.log(told)
    context.check_stop()
    return sent


def _create(
    context: JobContext, client: OllamaClient, spec: OllamaSpec, weights: Weights, digest: str, parts: ModelParts
) -> None:
    """Make the model; what this job's own killed attempt may have made is made again."""
    ours = read_json(context.path / CREATING) is not None and _made_of(client, spec.name, digest)
    statuses = client.create(spec.name, {weights.path.name: digest}, parts, replace=spec.replace or ours)
    write_json(context.path / CREATING, {"model": spec.name, "digest": digest})
    for status in statuses:
        context.progress(0.75, f"Creating {spec.name}: {status}")
    context.log(f"Created {spec.name} at {client.address}.")
    context.check_stop()


def _made_of(client: OllamaClient, name: str, digest: str) -> bool:
    """Whether there is a model of that name, and it is made of this file."""
    return client.exists(name) and client.show(name).made_of(digest)


def _verify(
    context: JobContext, client: OllamaClient, spec: OllamaSpec, weights: Weights, parts: ModelParts
) -> Check | None:
    if not spec.check:
        context.log("Not verified in Ollama: the spec asks for no check.")
        return None
    context.progress(0.8, "Asking the model in Ollama")

    def progress(done: int, total: int) -> None:
        context.check_stop()
        context.progress(0.85 + 0.1 * done / total, f"Comparing prompts: {done} of {total} conversations")

    training = training_of(weights, context.workspace)
    tokenizer = training_tokenizer(training) if training else None
    own = held_out(training, context.workspace, HELD_OUT) if training else []
    check = verify(client, spec.name, parts, tokenizer, own=own, answer_tokens=spec.answer_tokens, progress=progress)
    # What asks next loads it again in a moment; until then its memory is free for other work.
    client.unload(spec.name)
    write_json(context.path / RESULT, check.to_json())
    context.artifact(context.path / RESULT)
    context.log(check.verdict)
    return check


def _push(context: JobContext, client: OllamaClient, spec: OllamaSpec) -> None:
    for line in client.push(spec.name, confirmed=spec.push):
        context.check_stop()
        done = f": {line.done / 1e6:,.0f} of {line.total / 1e6:,.0f} MB" if line.done and line.total else ""
        context.progress(0.95, f"Pushing {spec.name}: {line.status}{done}")
    context.log(f"Pushed {spec.name}.")


def _message(spec: OllamaSpec, check: Check | None) -> str:
    pushed = ", pushed" if spec.push else ""
    if check is None or check.unverified is not None:
        return f"{spec.name} is in Ollama{pushed}; not verified there"
    found = "checked" if check.passed else "look at the check before you use it"
    return f"{spec.name} is in Ollama{pushed}; {found}"
