"""The running server that the Serving tab shows: where it listens, what requests may name, lines to copy."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

from jobs.directory import JobDirectory, State, Status
from jobs.errors import BadInput, Missing
from jobs.files import read_json
from jobs.workspace import Workspace
from serving.spec import AUTO, ServeSpec

# As serving.job writes it; that module is the server's own, and takes longer to load than a page may.
ADDRESS = "address.json"
QUESTION = "Hello! What can you do?"


@dataclass(frozen=True)
class Running:
    """A server that listens. `address`: http://host:port."""

    job: JobDirectory
    address: str
    spec: ServeSpec

    @property
    def models(self) -> list[str]:
        """What a request may name: `auto` first, then models, rules and ensembles."""
        router = self.spec.router
        routes = [rule.name for rule in router.rules] + [each.name for each in router.ensembles] if router else []
        return [AUTO, *(name for name, _ in self.spec.named_models()), *routes]


def running_of(job: JobDirectory, status: Status) -> Running | None:
    """The server of a job, None where it doesn't listen (yet)."""
    said = read_json(job.path / ADDRESS)
    if status.state is not State.RUNNING or said is None:
        return None
    return Running(job, str(said["address"]), ServeSpec.parse(job.header["spec"]))


def shown_server(workspace: Workspace, job: JobDirectory | None) -> Running:
    """The server of the job that is shown, else any that listens. Raises Missing."""
    jobs = [*([job] if job else []), *workspace.list_jobs("serve")]
    for each in jobs:
        found = running_of(each, each.status())
        if found is not None:
            return found
    raise Missing(
        "No server listens.", "There is nobody to ask.", "Press “Start the server”, and wait until it listens."
    )


def curl_line(running: Running) -> str:
    """What a terminal sends."""
    body = json.dumps({"model": AUTO, "messages": [{"role": "user", "content": QUESTION}]})
    key = ' \\\n  -H "Authorization: Bearer $HEARTH_KEY"' if running.spec.keys else ""
    kind = "-H 'Content-Type: application/json'"
    return f"curl {running.address}/v1/chat/completions \\\n  {kind}{key} \\\n  -d {shlex.quote(body)}"


def python_lines(running: Running) -> str:
    """The same with OpenAI's own client (`pip install openai`)."""
    key = 'os.environ["HEARTH_KEY"]' if running.spec.keys else '"none"'
    imports = "import os\n\n" if running.spec.keys else ""
    return (
        f"{imports}from openai import OpenAI\n\n"
        f'client = OpenAI(base_url="{running.address}/v1", api_key={key})\n'
        f'message = {{"role": "user", "content": {json.dumps(QUESTION)}}}\n'
        f'answer = client.chat.completions.create(model="{AUTO}", messages=[message])\n'
        "print(answer.choices[0].message.content)"
    )


def require_served(running: Running, model: str) -> str:
    """The model's name. Raises BadInput for one that this server hasn't got."""
    if model not in running.models:
        raise BadInput(
            f"This server has no model '{model}'.",
            f"It has {', '.join(running.models)}.",
            "Choose one of these; auto leaves the choice to the server.",
        )
    return model
