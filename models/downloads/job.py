"""The download job: fetches a model whole; resumed, it goes on with the same version where it was cut."""

from __future__ import annotations

from typing import Any

from jobs.context import JobContext
from models.download import require_reachable
from models.downloads.cached import folder_of
from models.downloads.fetch import fetch_model
from models.downloads.files import open_repository
from models.downloads.place import models_place
from models.downloads.progress import Telling, sized
from models.downloads.spec import DownloadSpec


def run(context: JobContext) -> dict[str, Any]:
    """Entry point of the kind `model.download`."""
    spec = DownloadSpec.parse(context.spec)
    storage = folder_of(spec.model)
    context.resolve("place", str(storage), models_place().origin)
    context.progress(None, f"Asking the Hub for {spec.model}")
    require_reachable(spec.model)
    repository = open_repository(spec.model, context.decided("commit"))
    context.resolve("commit", repository.commit, "the newest on the Hub when the download began")
    watch = Telling(context)
    fetched = fetch_model(repository, storage, watch)
    return {
        "message": f"{spec.model} is here: {sized(fetched.size)} in {fetched.files} files, every checksum right",
        "model": spec.model,
        "folder": str(fetched.folder),
        "commit": fetched.commit,
        "files": fetched.files,
        "bytes": fetched.size,
        "bytes_fetched": watch.fetched,
    }
