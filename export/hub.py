"""The job "hub": an export's adapter, merged model or GGUF files go to the Hugging Face Hub, with their model card.

The upload goes file by file through huggingface_hub, which skips what the Hub has already: a stopped one goes on.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import model_validator

from jobs.context import JobContext
from jobs.directory import JobDirectory
from jobs.errors import BadInput, Missing
from jobs.spec import Spec, option
from jobs.workspace import Workspace
from models.hub import require_visibility, the_hub

Part = Literal["adapter", "merged", "gguf"]


class HubSpec(Spec):
    """What goes to the Hub. The login is the Hub's own (`hf auth login`); no token stands here."""

    export: str = option(
        label="Export", help="A finished export's job id; its beginning is enough.", depth="essential", min_length=1
    )
    repository: str = option(
        label="Repository", help="owner/name on the Hub.", depth="essential", pattern=r"^[\w.-]+/[\w.-]+$"
    )
    confirmation: str = option(
        label="Write the repository's name once more",
        help="What is on the Hub may be seen and copied by others: hence the question.",
        depth="essential",
    )
    files: list[Part] = option(
        lambda: ["adapter", "merged", "gguf"],
        label="Upload",
        help="Those of these that the export has.",
        depth="essential",
        min_length=1,
    )
    private: bool = option(True, label="Private", help="Only you can see it; can be changed on the Hub.")

    @model_validator(mode="after")
    def _confirmed(self) -> Self:
        if self.confirmation != self.repository:
            raise ValueError("confirmation: has to repeat the repository's name exactly")
        return self


def run(context: JobContext) -> dict[str, Any]:
    """Upload. Returns the address."""
    spec = HubSpec.parse(context.spec, where="the Hub spec")
    export = find_export(context.workspace, spec.export)
    context.progress(0.0, "Laying out the files")
    folder = context.path / "repository"
    lay_out(export, spec.files, folder)
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    total = sum((folder / name).stat().st_size for name in names) or 1
    with the_hub(spec.repository, "model") as hub:
        hub.create_repo(spec.repository, private=spec.private, exist_ok=True)
        there = bool(hub.model_info(spec.repository).private)
        require_visibility(spec.repository, "model", private=spec.private, there=there)
        done = 0
        for name in names:
            context.check_stop()
            size = (folder / name).stat().st_size
            context.progress(done / total, f"Uploading {name}: {size / 1e6:,.0f} of {total / 1e6:,.0f} MB")
            hub.upload_file(path_or_fileobj=folder / name, path_in_repo=name, repo_id=spec.repository)
            done += size
    shutil.rmtree(folder)
    address = f"https://huggingface.co/{spec.repository}"
    return {"message": f"{len(names)} files at {address}", "address": address, "size_bytes": total}


def find_export(workspace: Workspace, job_id: str) -> JobDirectory:
    """Raises BadInput for a job that is no export, Missing for one that isn't finished."""
    job = workspace.job(job_id)
    if job.header["kind"] != "export":
        raise BadInput(f"{job.id} is no export.", f"It is of the kind {job.header['kind']}.", "Name an export.")
    if job.manifest is None:
        raise Missing(f"Export {job.id} isn't finished.", "Its files may still change.", "Wait, or resume it.")
    return job


def lay_out(export: JobDirectory, parts: list[Part], folder: Path) -> None:
    """The repository's files in `folder`, linked rather than copied: the card as README.md; the merged model or, where
    there is none, the adapter at the top; GGUF files with their Modelfiles beside. Raises Missing when none is there.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    found = [part for part in parts if list(_files(export, part))]
    if not found:
        raise Missing(
            f"Export {export.id} has none of {', '.join(parts)}.",
            "There is nothing to upload.",
            "Export these first, or choose others.",
        )
    for part in found:
        place = folder / "adapter" if part == "adapter" and "merged" in found else folder
        place.mkdir(exist_ok=True)
        for file in _files(export, part):
            _link(file, place / file.name)
    shutil.copyfile(export.path / "MODEL_CARD.md", folder / "README.md")
    if (export.path / "parity.json").is_file():
        shutil.copyfile(export.path / "parity.json", folder / "parity.json")


def _files(export: JobDirectory, part: Part) -> Iterator[Path]:
    if part == "gguf":
        yield from sorted(export.path.glob("*.gguf"))
        yield from sorted(export.path.glob("Modelfile*"))
        return
    # The adapter's own card would take the place of the model's.
    yield from (path for path in sorted((export.path / part).glob("*")) if path.is_file() and path.name != "README.md")


def _link(file: Path, place: Path) -> None:
    try:
        os.link(file, place)
    except OSError:
        shutil.copyfile(file, place)
