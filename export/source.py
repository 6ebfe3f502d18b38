"""What an export starts from: a finished training job, its base model, its held-out conversations."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets_src.store import open_version
from export.gguf import GgufMetadata, read_card
from export.parity import Prompt
from export.spec import ExportSpec
from export.tensors import read_shards
from jobs.directory import JobDirectory
from jobs.errors import BadInput, Missing
from jobs.files import read_json
from jobs.workspace import Workspace
from models.chat_template import ChatTokenizer
from models.embedded import HUB_ID
from models.reference import ModelRef, ResolvedModel, resolve


@dataclass(frozen=True)
class Source:
    """`rows`: the held-out rows; `parameters`: numbers in the base's weights; `base_text`: the base as training
    named it; `data`: the dataset as name@version, None when it is gone."""

    job: JobDirectory
    name: str
    model: ResolvedModel
    tokenizer: ChatTokenizer
    base_text: str
    data: str | None
    rows: list[dict[str, Any]]
    parameters: int
    weight_bytes: int

    @property
    def tuned(self) -> Path:
        """The folder that training wrote."""
        return self.model.adapter or self.model.folder

    @property
    def hub_id(self) -> str | None:
        """Where others can get the base."""
        if self.base_text == "embedded":
            return HUB_ID
        return self.base_text if ModelRef.parse(self.base_text).kind == "hub" else None

    def metadata(self) -> GgufMetadata:
        """What the files say about themselves; licence and languages are the base's."""
        card = read_card(self.model.folder)
        noted = read_json(self.model.folder / "manifest.json") or {}
        if "license" not in card and isinstance(noted.get("license"), str):
            card["license"] = noted["license"]
        data = f" on {self.data}" if self.data else ""
        base = self.hub_id or Path(self.base_text).name
        return GgufMetadata(self.name, f"Fine-tuned with Hearth from {base}{data}.", card, self.hub_id)


def open_source(spec: ExportSpec, workspace: Workspace) -> Source:
    """Find everything. Raises Missing or BadInput when the job isn't a finished training."""
    job = workspace.job(spec.job)
    header = job.header
    if header["kind"] != "train":
        raise BadInput(
            f"{job.id} is no training job.",
            f"Its kind is {header['kind']}, and an export starts from what a training made.",
            "`python cli.py jobs list` shows the training jobs.",
        )
    model = resolve(f"job:{job.id}", workspace)
    shards = read_shards(model.folder)
    data, rows = _held_out(job, workspace)
    return Source(
        job=job,
        name=spec.name or _file_name(header["title"] or job.id),
        model=model,
        tokenizer=ChatTokenizer.load(model.adapter or model.folder),
        base_text=header["spec"]["model"],
        data=data,
        rows=rows,
        parameters=sum(tensor.elements for shard in shards for tensor in shard.tensors),
        weight_bytes=sum(tensor.size for shard in shards for tensor in shard.tensors),
    )


def _file_name(title: str) -> str:
    """A name that files, Ollama and the Hub all take."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", title).strip("-._")[:80] or "model"


def _held_out(job: JobDirectory, workspace: Workspace) -> tuple[str | None, list[dict[str, Any]]]:
    """The dataset version that was trained on, and its held-out rows; nothing when it was deleted since."""
    used = (job.resolved or {}).get("data", {}).get("value") or job.header["spec"]["data"]
    try:
        version = open_version(workspace, used)
    except Missing:
        return None, []
    return version.id, [dict(row) for row in version.eval()]


def check_prompts(source: Source, count: int) -> list[Prompt]:
    """Up to `count` held-out conversations, evenly spread over the rows, each cut where its last answer begins."""
    prompts = [prompt for prompt in map(_prompt, source.rows) if prompt is not None]
    if len(prompts) <= count:
        return prompts
    return [prompts[number * len(prompts) // count] for number in range(count)]


def _prompt(row: dict[str, Any]) -> Prompt | None:
    messages = row["messages"]
    ends = [number for number, message in enumerate(messages) if message["role"] == "assistant"]
    if not ends or ends[-1] == 0:
        return None
    return Prompt(f"{row['source']}, row {row['row']}", messages[: ends[-1]], row.get("tools"))
