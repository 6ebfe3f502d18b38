"""What an export starts from: a finished training job, its base model, its held-out conversations."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets_src.rows import conversation_of
from datasets_src.store import open_version
from export.gguf import GgufMetadata, read_card, stored_kind
from export.quantisations import Plain, Quantisation, source_kind
from export.spec import ExportSpec
from export.tensors import read_shards
from jobs.directory import JobDirectory
from jobs.errors import BadInput, Missing
from jobs.files import read_json
from jobs.workspace import Workspace
from models.chat_template import ChatTokenizer, TokenisedRow
from models.embedded import HUB_ID
from models.reference import ModelRef, ResolvedModel, resolve


@dataclass(frozen=True)
class Source:
    """`rows`: the held-out rows; `parameters`: numbers in the base's weights, most of which are kept in `stored`;
    `base_text`: the base as training named it; `data`: the dataset as name@version, None when it is gone."""

    job: JobDirectory
    workspace: Workspace
    name: str
    model: ResolvedModel
    tokenizer: ChatTokenizer
    base_text: str
    data: str | None
    rows: list[dict[str, Any]]
    parameters: int
    weight_bytes: int
    stored: Plain

    def merges_finely(self, wanted: Sequence[Quantisation]) -> bool:
        """Whether what the adapter changes in BF16 weights is kept in F16 for the `wanted` files; not where one of them
        is to be in BF16 itself."""
        return self.model.adapter is not None and self.stored == "bf16" and "bf16" not in wanted

    def source_kind(self, wanted: Sequence[Quantisation]) -> Plain:
        """The one kind to convert to, from which all `wanted` files are made."""
        return source_kind(wanted, "f16" if self.merges_finely(wanted) else self.stored)

    @property
    def tuned(self) -> Path:
        """The folder that training wrote."""
        return self.model.adapter or self.model.folder

    @property
    def adapter_bytes(self) -> int:
        adapter = self.model.adapter
        return sum(file.stat().st_size for file in adapter.rglob("*") if file.is_file()) if adapter else 0

    @property
    def config(self) -> dict[str, Any]:
        """The base's config.json; of a model of several parts that of the language model."""
        values = json.loads((self.model.folder / "config.json").read_text(encoding="utf-8"))
        return {**values, **values.get("text_config", {})}

    @property
    def rows_even(self) -> bool:
        """Whether rows of weights are a multiple of 256, as llama.cpp's K types want them."""
        return int(self.config.get("hidden_size", 0)) % 256 == 0

    @property
    def vocabulary(self) -> int:
        return int(self.config.get("vocab_size", 0))

    def tokenise(self, row: dict[str, Any]) -> TokenisedRow | None:
        """A held-out row as it was trained; None where it has no answer."""
        messages, tools = conversation_of(row)
        if messages[0]["role"] == "text":
            return self.tokenizer.tokenise_text(messages[0]["content"])
        return self.tokenizer.tokenise(messages, tools) if messages[-1]["role"] == "assistant" else None

    def training_texts(self) -> list[str]:
        """The training rows as the model reads them, for measuring which weights matter."""
        if self.data is None:
            return []
        rows = open_version(self.workspace, self.data).train()
        return [
            self.tokenizer.decode(row.input_ids, skip_special_tokens=False) for row in map(self.tokenise, rows) if row
        ]

    @property
    def hub_id(self) -> str | None:
        """Where others can get the base."""
        if self.base_text == "embedded":
            return HUB_ID
        return self.base_text if ModelRef.parse(self.base_text).kind == "hub" else None

    @property
    def card(self) -> dict[str, Any]:
        """What the base's own card says of its licence and languages."""
        card = read_card(self.model.folder)
        noted = read_json(self.model.folder / "manifest.json") or {}
        if "license" not in card and isinstance(noted.get("license"), str):
            card["license"] = noted["license"]
        return card

    @property
    def license(self) -> str | None:
        """The base's licence by its short name, where it is known."""
        found = self.card.get("license")
        return found if isinstance(found, str) else None

    def metadata(self) -> GgufMetadata:
        """What the files say about themselves; licence and languages are the base's."""
        card = self.card
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
        workspace=workspace,
        name=spec.name or _file_name(header["title"] or job.id),
        model=model,
        tokenizer=ChatTokenizer.load(model.adapter or model.folder),
        base_text=header["spec"]["model"],
        data=data,
        rows=rows,
        parameters=sum(tensor.elements for shard in shards for tensor in shard.tensors),
        weight_bytes=sum(tensor.size for shard in shards for tensor in shard.tensors),
        stored=stored_kind(model.folder),
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
