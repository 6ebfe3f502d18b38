"""Which files of a repository make up a model, and what each of them has to be: size and checksum as the Hub says."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from jobs.errors import BadInput
from models.folder import TOKENIZER_FILES

INDEX = "model.safetensors.index.json"
# What stands beside the weights. Folders inside a repository hold other formats of the same model.
BESIDE = ("*.json", "*.jinja", "tokenizer.model", "*.txt", "LICENSE*", "README.md")
TOKENIZER = (*TOKENIZER_FILES, "generation_config.json")
BLOCK = 1 << 20


@dataclass(frozen=True)
class HubFile:
    """A file of a repository. `sha256` is of its content where Git LFS keeps it, else `git_sha1` names its blob."""

    path: str
    size: int
    git_sha1: str
    sha256: str | None = None

    @property
    def blob(self) -> str:
        """Its name among the blobs of the Hub's cache."""
        return self.sha256 or self.git_sha1

    def checksum_of(self, path: Path) -> str:
        """The checksum that `path` really has, made the way of `blob`."""
        if self.sha256:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
        return digest.hexdigest()


@dataclass(frozen=True)
class Repository:
    """A model's repository as it was at `commit`."""

    hub_id: str
    commit: str
    files: tuple[HubFile, ...]

    def named(self, path: str) -> HubFile | None:
        return next((file for file in self.files if file.path == path), None)

    def beside_weights(self) -> list[HubFile]:
        """Config, tokenizer, licence and the like, the index of the weights included."""
        return self._matching(BESIDE)

    def tokenizer(self) -> list[HubFile]:
        """What renders and tokenises conversations."""
        return self._matching(TOKENIZER)

    def weights(self, index: dict[str, Any] | None) -> list[HubFile]:
        """The files of the weights: those that `index` names, else the one file. Raises BadInput where none fit.

        Others may lie beside them, such as Mistral's consolidated.safetensors: the same weights once more.
        """
        names = sorted(set(index["weight_map"].values())) if index else ["model.safetensors"]
        found = [file for name in names if (file := self.named(name))]
        if len(found) == len(names):
            return found
        raise BadInput(
            f"'{self.hub_id}' has no weights that Hearth reads.",
            f"It lacks {', '.join(name for name in names if not self.named(name))}. Weights from outside are read "
            "from safetensors files alone: other formats could run code.",
            "Choose a model with safetensors weights; most have them, or a copy that has.",
        )

    def _matching(self, patterns: Sequence[str]) -> list[HubFile]:
        return [file for file in self.files if any(fnmatch(file.path, each) for each in patterns) and _on_top(file)]


def _on_top(file: HubFile) -> bool:
    return "/" not in file.path


def open_repository(hub_id: str, commit: str | None = None) -> Repository:
    """What the Hub says of a model, at `commit` or as it is now. Raises Missing or BadInput."""
    from huggingface_hub import HfApi

    from models.downloads.failures import told

    with told(hub_id):
        info = HfApi().model_info(hub_id, revision=commit, files_metadata=True)
    files = tuple(
        HubFile(each.rfilename, each.size or 0, each.blob_id or "", each.lfs.sha256 if each.lfs else None)
        for each in info.siblings or []
    )
    return Repository(hub_id, str(info.sha), files)
