"""Which file becomes a model: a GGUF of a finished export, or one that lies inside the workspace."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from export.gguf_file import read_gguf
from export.templates.conversations import Conversation
from jobs.directory import JobDirectory
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace

if TYPE_CHECKING:
    from models.chat_template import ChatTokenizer


@dataclass(frozen=True)
class Weights:
    """A GGUF file, and the export job that made it where that is known."""

    path: Path
    export: JobDirectory | None


def find_weights(text: str, workspace: Workspace) -> Weights:
    """The file that `job:<id>/<file>`, or a path, names. Raises Missing or BadInput."""
    if text.startswith("job:"):
        job_id, _, file = text.removeprefix("job:").partition("/")
        weights = _of_job(workspace.job(job_id), file)
    else:
        path = (workspace.root / Path(text).expanduser()).resolve()
        weights = Weights(path, _job_around(path, workspace))
        if not path.is_relative_to(workspace.root):
            raise BadInput(f"{text} is not used.", "It lies outside the workspace.", f"Copy it into {workspace.root}.")
    _require_gguf(weights.path)
    return weights


def _of_job(job: JobDirectory, file: str) -> Weights:
    if job.header["kind"] != "export":
        raise BadInput(f"{job.id} is no export.", f"Its kind is {job.header['kind']}.", "Name a finished export.")
    if job.manifest is None:
        raise Missing(
            f"Export {job.id} isn't finished.",
            f"It is {job.status().state}, so its files may still change.",
            "Wait until it is done, or resume it.",
        )
    path = (job.path / file).resolve()
    made = sorted(found.name for found in job.path.glob("*.gguf"))
    if not file or not path.is_relative_to(job.path.resolve()) or not path.is_file():
        raise Missing(
            f"Export {job.id} has no file '{file}'.",
            f"Its GGUF files are {', '.join(made)}." if made else "It has no GGUF file.",
            "Write job:ID/FILE with one of them." if made else "Export with `--to gguf`.",
        )
    return Weights(path, job)


def _job_around(path: Path, workspace: Workspace) -> JobDirectory | None:
    """The finished export in whose folder a file lies."""
    folder = path.parent
    if folder.parent != workspace.jobs.resolve() or not (folder / "spec.json").is_file():
        return None
    job = JobDirectory(folder)
    return job if job.header["kind"] == "export" and job.manifest is not None else None


def _require_gguf(path: Path) -> None:
    """Looked at here, so that nothing is sent for nothing."""
    if not path.is_file():
        raise Missing(f"There is no file {path}.", "The model is made of it.", "Check the path.")
    with path.open("rb") as file:
        begins = file.read(4)
    if begins != b"GGUF":
        raise BadInput(f"{path.name} is no GGUF file.", "It doesn't begin with GGUF.", "Choose a .gguf file.")
    if read_gguf(path).value("general.type") == "adapter":
        raise BadInput(
            f"{path.name} holds an adapter, not a model.",
            "Ollama would need its base model as well, in exactly the form that it was trained on.",
            "Choose one of the export's other GGUF files: they hold base and adapter together.",
        )


def training_of(weights: Weights, workspace: Workspace) -> JobDirectory | None:
    """The job that trained the model; None where it is not at hand."""
    if weights.export is None:
        return None
    try:
        return workspace.job(weights.export.header["spec"]["job"])
    except Missing:
        return None


def training_tokenizer(training: JobDirectory) -> ChatTokenizer | None:
    """The tokenizer and template that the model was trained with; None where the training left none."""
    from models.chat_template import ChatTokenizer

    folder = next((training.path / name for name in ("adapter", "model") if (training.path / name).is_dir()), None)
    return ChatTokenizer.load(folder) if folder is not None and (folder / "tokenizer.json").is_file() else None


def held_out(training: JobDirectory, workspace: Workspace, count: int) -> list[Conversation]:
    """Up to `count` held-out conversations up to where the model answers; none where their dataset is gone."""
    from datasets_src.store import open_version
    from export.parity.prompts import check_prompts

    used = (training.resolved or {}).get("data", {}).get("value") or training.header["spec"].get("data")
    try:
        rows = [dict(row) for row in open_version(workspace, used).eval()] if used else []
    except Missing:
        return []
    return [Conversation(prompt.place, prompt.messages, prompt.tools) for prompt in check_prompts(rows, count)]
