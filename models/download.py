"""A model's files by its Hub id: those in the Hub's cache, else fetched from the Hub, or why they can't be had."""

from __future__ import annotations

import os
from pathlib import Path

from jobs.files import read_json

CHECK_SECONDS = 4.0


def cached_snapshot(hub_id: str) -> Path | None:
    """The newest complete copy in the Hub's cache, None when there is none. No network."""
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(hub_id, "config.json")
    if not isinstance(config, str):
        return None
    folder = Path(config).parent
    return folder if is_complete(folder) else None


def is_complete(folder: Path) -> bool:
    """Whether an interrupted download left nothing out: config, tokenizer, and every shard that the index names."""
    if not (folder / "config.json").exists() or not (folder / "tokenizer.json").exists():
        return False
    index = read_json(folder / "model.safetensors.index.json")
    names = set(index["weight_map"].values()) if index else {"model.safetensors"}
    return all((folder / name).exists() for name in names)


def turned_off() -> bool:
    """Whether the user turned the Hub off for this process and those it starts."""
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")


def hub_reachable() -> bool:
    """Whether the Hub answers within a few seconds."""
    if turned_off():
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
    if cached_snapshot(hub_id) is None:
        require_reachable(hub_id)


def require_reachable(hub_id: str) -> None:
    """Raise Missing, with what can be used instead of `hub_id`, where the Hub doesn't answer."""
    from models.downloads.failures import unreachable

    if turned_off():
        raise unreachable(hub_id, "HF_HUB_OFFLINE is set")
    if not hub_reachable():
        raise unreachable(hub_id, f"it didn't answer within {CHECK_SECONDS:.0f} seconds")


def download_snapshot(hub_id: str) -> Path:
    """Download (or complete) a model. Raises Missing for an unknown or gated one, or without a connection."""
    known = cached_snapshot(hub_id)
    if known is not None:
        return known
    from models.downloads.cached import folder_of
    from models.downloads.fetch import fetch_model
    from models.downloads.files import open_repository
    from models.downloads.progress import Printing

    require_reachable(hub_id)
    return fetch_model(open_repository(hub_id), folder_of(hub_id), Printing()).folder


def download_tokenizer(hub_id: str) -> Path:
    """The tokenizer and chat template of a model, without its weights. Raises as `download_snapshot` does."""
    from huggingface_hub import try_to_load_from_cache

    known = try_to_load_from_cache(hub_id, "tokenizer.json")
    if isinstance(known, str):
        return Path(known).parent
    from models.downloads.cached import folder_of
    from models.downloads.fetch import fetch_tokenizer
    from models.downloads.files import open_repository
    from models.downloads.progress import Printing

    require_reachable(hub_id)
    return fetch_tokenizer(open_repository(hub_id), folder_of(hub_id), Printing()).folder
