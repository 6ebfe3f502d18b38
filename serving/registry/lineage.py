"""Where a model came from: its reference in full, the training and export behind it, and its base's licence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from jobs.directory import JobDirectory
from jobs.errors import BadInput, Missing
from jobs.files import read_json
from jobs.kinds import spec_class
from jobs.workspace import Workspace
from models.reference import ModelRef, require_usable, resolve
from serving.registry.records import Licences, Lineage


def full_reference(text: str, workspace: Workspace) -> str:
    """A model text that means the same from everywhere: job ids whole, paths absolute.

    Raises BadInput or Missing for a text that names no model, or a job that isn't there.
    """
    ref = ModelRef.parse(text)
    match ref.kind:
        case "job":
            job, _, step = ref.target.partition("@")
            return f"job:{workspace.job(job).id}{f'@{step}' if step else ''}"
        case "adapter":
            return f"adapter:{Path(ref.target).expanduser().resolve()}"
        case "gguf":
            return str(Path(ref.target).expanduser().resolve())
        case _:
            return ref.text


def require_servable(full: str, workspace: Workspace) -> None:
    """Refuse what couldn't be served later: an unfinished training, files that aren't there. Fetches nothing."""
    ref = ModelRef.parse(full)
    if ref.kind == "job":
        job = workspace.job(ref.target.partition("@")[0])
        if job.header["kind"] != "train":
            raise BadInput(
                f"{job.id} is no training job.",
                f"Its kind is {job.header['kind']}, and what is served is made by a training.",
                "Name the training, or a GGUF file of an export by its path.",
            )
        resolve(ref, workspace)
    elif ref.kind == "adapter":
        resolve(ref, workspace)
    else:
        require_usable(full, workspace)


def lineage_of(full: str, workspace: Workspace) -> Lineage:
    """What the workspace's jobs (or the note beside an adapter) tell of a model; nothing where they tell nothing."""
    ref = ModelRef.parse(full)
    match ref.kind:
        case "job":
            return _of_training(workspace.job(ref.target.partition("@")[0]))
        case "adapter":
            return _of_adapter(Path(ref.target), workspace)
        case "gguf":
            return _of_file(Path(ref.target), workspace)
        case "ollama":
            return _of_ollama(ref.target, workspace)
        case _:
            return Lineage(base=full)


def licences_of(lineage: Lineage, workspace: Workspace) -> Licences:
    """The base's licence from the card in its folder, where that is on this machine; of data nothing is known."""
    folder = _base_folder(lineage, workspace)
    return Licences(base=_stated_licence(folder) if folder is not None else None)


def _of_training(job: JobDirectory) -> Lineage:
    spec, resolved = _whole_spec(job), job.resolved or {}
    method = spec.get("method") or {}
    parent = spec.get("model")
    base = resolved.get("base", {}).get("value", {}).get("text") or parent
    words = [str(method[name]) for name in ("objective", "adapter") if method.get(name)]
    return Lineage(
        base=base,
        parent=parent if parent != base else None,
        data=resolved.get("data", {}).get("value") or spec.get("data"),
        method=", ".join(words) or None,
        spec=yaml.safe_dump(spec, sort_keys=False, allow_unicode=True),
        job=job.id,
    )


def _whole_spec(job: JobDirectory) -> dict[str, Any]:
    """The training's spec with its defaults written out; as it stands where this version of Hearth can't read it."""
    written = dict(job.header["spec"])
    try:
        return spec_class("train").parse(written).model_dump(mode="json")
    except BadInput:
        return written


def _of_adapter(folder: Path, workspace: Workspace) -> Lineage:
    """Hearth notes beside an adapter which job made it; of others the base alone is known."""
    noted: dict[str, Any] = read_json(folder / "hearth.json") or {}
    job = _job_if_there(noted.get("job"), workspace)
    if job is not None:
        return _of_training(job)
    config: dict[str, Any] = read_json(folder / "adapter_config.json") or {}
    return Lineage(
        base=noted.get("base") or config.get("base_model_name_or_path"), data=noted.get("data"), job=noted.get("job")
    )


def _of_file(path: Path, workspace: Workspace) -> Lineage:
    """The export around a file, and through it the training."""
    if not path.is_relative_to(workspace.jobs):
        return Lineage()
    export = _job_if_there(path.relative_to(workspace.jobs).parts[0], workspace)
    if export is None or export.header["kind"] != "export":
        return Lineage()
    trained = _job_if_there(export.header["spec"].get("job"), workspace)
    known = _of_training(trained) if trained is not None else Lineage(job=export.header["spec"].get("job"))
    return Lineage(**{**known.__dict__, "export": export.id})


def _of_ollama(name: str, workspace: Workspace) -> Lineage:
    """The newest finished job that created the model in Ollama, and the file it took."""
    for job in workspace.list_jobs("ollama"):
        if job.manifest is None or job.manifest["figures"].get("model") != name:
            continue
        text = str(job.header["spec"].get("gguf", ""))
        place = workspace.jobs / text.removeprefix("job:") if text.startswith("job:") else workspace.root / text
        return _of_file(place.resolve(), workspace)
    return Lineage()


def _job_if_there(job_id: Any, workspace: Workspace) -> JobDirectory | None:
    if not isinstance(job_id, str) or not job_id:
        return None
    try:
        return workspace.job(job_id)
    except (Missing, BadInput):  # deleted since, or of another workspace
        return None


def _base_folder(lineage: Lineage, workspace: Workspace) -> Path | None:
    """Where the base's files are, without fetching any."""
    job = _job_if_there(lineage.job, workspace)
    if job is not None and job.resolved is not None and "base" in job.resolved:
        return Path(job.resolved["base"]["value"]["folder"])
    found = Path(lineage.base).expanduser() if lineage.base else None
    return found if found is not None and found.is_dir() else None


def _stated_licence(folder: Path) -> str | None:
    """From the front matter of the folder's README, else from the note that Hearth leaves beside what it converted."""
    readme = folder / "README.md"
    text = readme.read_text(encoding="utf-8", errors="replace") if readme.is_file() else ""
    front = re.match(r"---\n(.*?)\n---", text, re.DOTALL)
    try:
        card = yaml.safe_load(front[1]) if front else None
    except yaml.YAMLError:
        card = None  # a card that can't be read states nothing
    stated = card.get("license") if isinstance(card, dict) else None
    stated = stated or (read_json(folder / "manifest.json") or {}).get("license")
    return stated if isinstance(stated, str) else None
