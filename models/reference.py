"""ModelRef: the ways to name a model, and where its files are.

embedded              the default model, which needs neither Hub nor GPU
org/name              a Hugging Face Hub id
path/to/folder        a model saved by transformers (safetensors)
job:<id>              what a train job made: its adapter with its base, or its whole model
job:<id>@<step>       the same as it was at that step, where a checkpoint of it is kept
adapter:<folder>      a PEFT adapter with its base
path/to/file.gguf     a GGUF file, answered for by llama.cpp
ollama:<name>         a model of Ollama, at OLLAMA_HOST or on this machine
https://…/v1#<name>   a model of an OpenAI-compatible endpoint
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from jobs.directory import JobDirectory
from jobs.errors import BadInput, Missing
from jobs.files import read_json
from jobs.workspace import Workspace

RefKind = Literal["embedded", "hub", "local", "job", "adapter", "gguf", "ollama", "endpoint"]
# Models that answer through a chat endpoint: their weights are not in our hands.
ASKED_KINDS = ("gguf", "ollama", "endpoint")


@dataclass(frozen=True)
class ModelRef:
    """A model as a person names it; `target` is the text without its prefix."""

    kind: RefKind
    target: str

    @property
    def text(self) -> str:
        return f"{self.kind}:{self.target}" if self.kind in ("job", "adapter", "ollama") else self.target

    @property
    def asked(self) -> bool:
        """Whether it is asked through a chat endpoint rather than loaded from its weights."""
        return self.kind in ASKED_KINDS

    @property
    def short(self) -> str:
        """What reports call a model that is asked: the file's, Ollama's or the endpoint's name of it."""
        if self.kind == "gguf":
            return Path(self.target).stem
        return self.target.rpartition("#")[2] if self.kind == "endpoint" else self.target

    @classmethod
    def parse(cls, text: str) -> ModelRef:
        """Raises BadInput for a text that names no model in any of the ways above."""
        text = text.strip()
        if text == "embedded":
            return cls("embedded", text)
        if text.startswith(("http://", "https://")):
            _require_endpoint(text)
            return cls("endpoint", text)
        for kind in ("job", "adapter", "ollama"):
            if text.startswith(f"{kind}:") and text != f"{kind}:":
                return cls(kind, text.removeprefix(f"{kind}:"))  # type: ignore[arg-type]
        if text.lower().endswith(".gguf"):
            return cls("gguf", text)
        if text and Path(text).expanduser().is_dir():
            return cls("local", str(Path(text).expanduser().resolve()))
        if re.fullmatch(r"[\w.-]+/[\w.-]+", text):
            return cls("hub", text)
        raise BadInput(
            f"'{text}' names no model.",
            "It is neither a folder that exists, nor a Hub id such as org/name, nor a .gguf file, nor `job:<id>`, "
            "`ollama:<name>` or an endpoint's address.",
            "Check the spelling, or use `embedded` for the model that comes with Hearth.",
        )


@dataclass(frozen=True)
class ResolvedModel:
    """Where a model's files are: `folder` holds base weights and tokenizer, `adapter` a PEFT adapter on top."""

    name: str
    folder: Path
    adapter: Path | None = None


def resolve(ref: ModelRef | str, workspace: Workspace | None = None) -> ResolvedModel:
    """Find (download, convert) a model's files. Raises Missing or BadInput with what to do."""
    ref = ModelRef.parse(ref) if isinstance(ref, str) else ref
    match ref.kind:
        case "embedded":
            from models.embedded import NAME, embedded_folder

            return ResolvedModel(NAME, embedded_folder())
        case "hub":
            from models.download import download_snapshot

            return ResolvedModel(ref.target.split("/")[-1], download_snapshot(ref.target))
        case "local":
            return ResolvedModel(Path(ref.target).name, _require_weights(Path(ref.target)))
        case "job":
            return _resolve_job(ref, workspace)
        case "adapter":
            return resolve_adapter(Path(ref.target).expanduser(), workspace)
        case _:
            raise BadInput(
                f"'{ref.text}' can't be used here.",
                "This step needs the model's own weights (safetensors), which a GGUF file or an endpoint doesn't give.",
                "Name a Hub id, a folder, or `job:<id>`.",
            )


def require_usable(text: str, workspace: Workspace) -> None:
    """What can be said of a model before a job is started for it, without fetching anything. Raises as `resolve`."""
    ref = ModelRef.parse(text)
    if ref.kind == "hub":
        from models.download import require_obtainable

        require_obtainable(ref.target)
    elif ref.kind == "local":
        _require_weights(Path(ref.target))
    elif ref.kind == "job":
        _job_and_step(ref, workspace)
    elif ref.kind == "gguf":
        require_gguf(ref)


def require_gguf(ref: ModelRef) -> Path:
    """The GGUF file of a reference. Raises Missing when it isn't there."""
    path = Path(ref.target).expanduser()
    if not path.is_file():
        raise Missing(f"There is no file {path}.", "The GGUF model is read from it.", "Check the path.")
    return path


def _require_endpoint(text: str) -> None:
    parts = urlsplit(text)
    if not parts.hostname or not parts.fragment or parts.username or parts.query:
        raise BadInput(
            "An endpoint's address and its model are written as https://host/v1#model.",
            "What was given lacks the host or the model's name, or holds a password or query.",
            "Write for example http://127.0.0.1:8000/v1#my-model; a key is read from an environment variable.",
        )


def _resolve_job(ref: ModelRef, workspace: Workspace | None) -> ResolvedModel:
    if workspace is None:
        raise BadInput(f"'{ref.text}' names a job.", "No workspace is known here.", "Name the folder of its adapter.")
    job, step = _job_and_step(ref, workspace)
    if step is not None:
        return _resolve_checkpoint(job, step, workspace)
    if job.manifest is None:
        raise Missing(
            f"Training {job.id} isn't finished.",
            f"It is {job.status().state}, so it has no finished model yet.",
            "Wait until it is done, or resume it.",
        )
    if (job.path / "adapter").is_dir():
        resolved = resolve_adapter(job.path / "adapter", workspace)
        return ResolvedModel(job.header["title"], resolved.folder, resolved.adapter)
    return ResolvedModel(job.header["title"], _require_weights(job.path / "model"))


def _job_and_step(ref: ModelRef, workspace: Workspace) -> tuple[JobDirectory, int | None]:
    """The job of `job:<id>` or `job:<id>@<step>`, and that step."""
    name, _, step = ref.target.partition("@")
    if step and not step.isdigit():
        raise BadInput(f"'{ref.text}' names no step.", f"'{step}' is no number.", "Write job:ID@STEP, or job:ID.")
    return workspace.job(name), int(step) if step else None


def _resolve_checkpoint(job: JobDirectory, step: int, workspace: Workspace) -> ResolvedModel:
    folder = job.path / "checkpoints" / f"checkpoint-{step}"
    if not folder.is_dir():
        kept = sorted(int(path.name.split("-")[1]) for path in folder.parent.glob("checkpoint-*"))
        raise Missing(
            f"Training {job.id} keeps no step {step}.",
            f"Kept are {', '.join(map(str, kept))}." if kept else "It keeps no checkpoint.",
            "Name one of these, or leave out @STEP for the result.",
        )
    name = f"{job.header['title']} @{step}"
    if not (folder / "adapter_config.json").exists():
        return ResolvedModel(name, _require_weights(folder))
    base = resolve((job.resolved or {})["base"]["value"]["text"], workspace)
    return ResolvedModel(name, base.folder, folder)


def resolve_adapter(adapter: Path, workspace: Workspace | None = None) -> ResolvedModel:
    """An adapter's folder with its base. Hearth notes the base in hearth.json, others in their config."""
    config = read_json(adapter / "adapter_config.json")
    if config is None:
        raise Missing(
            f"{adapter} holds no adapter.", "There is no adapter_config.json in it.", "Give the folder that has one."
        )
    noted = read_json(adapter / "hearth.json") or {}
    base = resolve(noted.get("base") or config["base_model_name_or_path"], workspace)
    return ResolvedModel(adapter.name, base.folder, adapter)


def _require_weights(folder: Path) -> Path:
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise Missing(
            f"{folder} holds no model.",
            "A model is a folder with config.json and weights in safetensors.",
            "Give the folder that holds these files; weights in .bin or .pt are refused: loading them can run code.",
        )
    return folder
