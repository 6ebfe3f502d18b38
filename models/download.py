"""Getting a model's files from the Hugging Face Hub into the Hub's own cache, or saying why not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from jobs.errors import Missing
from jobs.files import read_json
from models.folder import TOKENIZER_FILES

# Weights as safetensors only: a pickle from outside could run code.
PATTERNS = ["*.safetensors", "*.json", "*.jinja", "tokenizer.model", "*.txt", "LICENSE*", "README.md"]
CHECK_SECONDS = 4.0


def cached_snapshot(hub_id: str) -> Path | None:
    """The newest complete copy in the Hub's cache, None when there is none. No network."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(hub_id, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    return folder if is_complete(folder) else None


def is_complete(folder: Path) -> bool:
    """Whether an interrupted download left nothing out: config, tokenizer, and every shard that the index names."""
    if not (folder / "config.json").exists() or not (folder / "tokenizer.json").exists():
        return False
    index = read_json(folder / "model.safetensors.index.json")
    names = set(index["weight_map"].values()) if index else {"model.safetensors"}
    return all((folder / name).exists() for name in names)


def hub_reachable() -> bool:
    """Whether the Hub answers within a few seconds."""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return False
    import httpx
    from huggingface_hub import constants

    try:
        httpx.head(constants.ENDPOINT, timeout=CHECK_SECONDS, follow_redirects=True)
    except httpx.HTTPError:
        return False
    return True


def require_obtainable(hub_id: str) -> None:
    """Raise Missing for a model that is neither here nor can be fetched: worth asking before a job waits its turn."""
    if cached_snapshot(hub_id) is None and not hub_reachable():
        raise Missing(
            f"The model '{hub_id}' isn't on this machine.",
            "The Hugging Face Hub can't be reached, so it can't be downloaded.",
            "Connect once and try again, give a local folder, or use `embedded`, which needs no connection.",
        )


def download_snapshot(hub_id: str) -> Path:
    """Download (or complete) a model. Raises Missing for an unknown or gated one, or without a connection."""
    require_obtainable(hub_id)
    return cached_snapshot(hub_id) or _download(hub_id, PATTERNS)


def download_tokenizer(hub_id: str) -> Path:
    """The tokenizer and chat template of a model, without its weights. Raises as `download_snapshot` does."""
    from huggingface_hub import try_to_load_from_cache

    known = try_to_load_from_cache(hub_id, "tokenizer.json")
    if isinstance(known, str):
        return Path(known).parent
    require_obtainable(hub_id)
    return _download(hub_id, [*TOKENIZER_FILES, "generation_config.json"])


def _download(hub_id: str, patterns: Sequence[str]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(patterns)))
    except GatedRepoError as error:
        raise Missing(
            f"The model '{hub_id}' is gated.",
            "Its owner asks you to accept terms first.",
            f"Accept them at https://huggingface.co/{hub_id}, then log in with `hf auth login`.",
        ) from error
    except RepositoryNotFoundError as error:
        raise Missing(
            f"The Hub knows no model '{hub_id}'.",
            "The name is misspelled, or the model is private and this machine isn't logged in.",
            "Check the spelling on huggingface.co; for a private model run `hf auth login`.",
        ) from error
