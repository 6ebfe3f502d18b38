"""Dataset versions on disk: immutable, named by the hash of their rows, complete or not there at all.

datasets/<name>/<version>/   train.jsonl  eval.jsonl  left_out.jsonl  index.parquet  report.json  card.md  spec.yaml
                             manifest.json (last)
datasets/<name>/builds.jsonl one line for each build, so that rebuilding older rows makes them the latest again
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock

from datasets_src.rows import Kind, RawRow, Row, kind_of
from datasets_src.spec import NAME_PATTERN
from datasets_src.write import ROW_FILES
from jobs.errors import BadInput, Missing, disk_full
from jobs.files import (
    append_json_line,
    publish_folder,
    read_json_lines,
    require_free_space,
    sha256,
    write_json,
    write_text,
)
from jobs.workspace import Workspace

SCHEMA_VERSION = 2
FILES = (*ROW_FILES, "report.json", "card.md", "spec.yaml")


@dataclass(frozen=True)
class DatasetVersion:
    """A published version. `built` is the time of its latest build, in seconds since 1970."""

    name: str
    version: str
    folder: Path
    train_rows: int
    eval_rows: int
    built: float

    @property
    def id(self) -> str:
        """`name@version`, as specs write it."""
        return f"{self.name}@{self.version}"

    def train(self) -> list[Row]:
        """The training rows in their order, copies made by weights included."""
        return _read_lines(self.folder / "train.jsonl")

    def eval(self) -> list[Row]:
        """The rows kept for evaluation."""
        return _read_lines(self.folder / "eval.jsonl")

    @property
    def kind(self) -> Kind:
        """What its rows are: conversations, preferences, unpaired preferences or texts."""
        with (self.folder / "train.jsonl").open("rb") as file:
            return kind_of(orjson.loads(next(file)))

    @property
    def report(self) -> dict[str, Any]:
        return dict(orjson.loads((self.folder / "report.json").read_bytes()))

    @property
    def card(self) -> str:
        return (self.folder / "card.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Description:
    """What is written beside a version's rows."""

    report: dict[str, Any]
    card: str
    spec_yaml: str


def write_description(folder: Path, description: Description) -> None:
    write_json(folder / "report.json", description.report)
    write_text(folder / "card.md", description.card)
    write_text(folder / "spec.yaml", description.spec_yaml)


def publish(
    workspace: Workspace,
    name: str,
    bytes_needed: int,
    write: Callable[[Path], str],
    describe: Callable[[str], Description],
) -> DatasetVersion:
    """Write a version, or find that these very rows are there already; an existing version is never written again.

    `write` writes the row files (about `bytes_needed`) into a folder and gives their version; `describe` the rest.
    Raises OutOfRoom when the disk is full, having left every earlier version as it was.
    """
    place = workspace.datasets / name
    try:
        place.mkdir(parents=True, exist_ok=True)
        # One build of a dataset writes at a time, so whatever unfinished folder is found belongs to a killed one.
        with FileLock(place / ".lock"):
            _remove_unfinished(place)
            require_free_space(place, bytes_needed + 2**20, f"Writing the dataset {name}")
            version = _write_version(place, write, describe)
            append_json_line(place / "builds.jsonl", {"version": version, "time": time.time()})
    except OSError as error:
        full = disk_full(error, str(place))
        if full is None:
            raise
        raise full from error
    return open_version(workspace, f"{name}@{version}")


def _write_version(place: Path, write: Callable[[Path], str], describe: Callable[[str], Description]) -> str:
    temporary = place / ".new.part"
    temporary.mkdir()
    try:
        version = write(temporary)
        known = _read_version(place / version)
        if known is None or not _unchanged(known):
            write_description(temporary, describe(version))
            write_json(temporary / "manifest.json", _manifest(place.name, version, temporary))
            publish_folder(temporary, place / version)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return version


def _manifest(name: str, version: str, folder: Path) -> dict[str, Any]:
    files = {name: {"bytes": (folder / name).stat().st_size, "sha256": sha256(folder / name)} for name in FILES}
    rows = {part: _count_lines(folder / f"{part}.jsonl") for part in ("train", "eval")}
    header = {"schema_version": SCHEMA_VERSION, "name": name, "version": version, "created": time.time()}
    return {**header, "rows": rows, "files": files}


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _remove_unfinished(place: Path) -> None:
    for leftover in place.glob(".*.part"):
        shutil.rmtree(leftover)


def open_version(workspace: Workspace, reference: str) -> DatasetVersion:
    """The version that `name@version` names, or the latest of `name`. Raises Missing, or BadInput if it was changed."""
    name, _, version = reference.partition("@")
    versions = list_versions(workspace, name) if NAME_PATTERN.fullmatch(name) else []
    if not versions:
        known = sorted({version.name for version in list_versions(workspace)})
        raise Missing(
            f"There is no dataset '{name}' in {workspace.root}.",
            f"It holds {', '.join(known)}." if known else "None was built there yet.",
            "Build one (`python cli.py data build SPEC.yaml`), or choose another --workspace.",
        )
    found = next((known for known in versions if not version or known.version == version), None)
    if found is None:
        raise Missing(
            f"The dataset '{name}' has no version '{version}'.",
            f"Its versions are {', '.join(known.version for known in versions)}.",
            "Name one of them, or none for the latest.",
        )
    if not _unchanged(found):
        raise BadInput(
            f"The dataset version {found.id} was changed after it was built.",
            f"A file in {found.folder} no longer has the content that its manifest states.",
            "Build it again from its spec; the same rows get the same version.",
        )
    return found


def list_versions(workspace: Workspace, name: str | None = None) -> list[DatasetVersion]:
    """All complete versions, or those of one dataset, the latest built first; nothing that is unfinished or cut."""
    if not workspace.datasets.is_dir():
        return []
    places = [workspace.datasets / name] if name is not None else list(workspace.datasets.iterdir())
    folders = [folder for place in places if place.is_dir() for folder in place.glob("[!.]*")]
    versions = [version for folder in folders if (version := _read_version(folder)) is not None]
    return sorted(versions, key=lambda version: (version.built, version.version), reverse=True)


def _read_version(folder: Path) -> DatasetVersion | None:
    """The version in a folder, or None unless its manifest and every file that this names are there in full."""
    manifest = _read_manifest(folder)
    if manifest is None or any(_size(folder / name) != known["bytes"] for name, known in manifest["files"].items()):
        return None
    rows = manifest["rows"]
    built = max(manifest["created"], _last_built(folder))
    return DatasetVersion(folder.parent.name, folder.name, folder, rows["train"], rows["eval"], built)


def _read_manifest(folder: Path) -> dict[str, Any] | None:
    try:
        manifest = orjson.loads((folder / "manifest.json").read_bytes())
    except (FileNotFoundError, NotADirectoryError, orjson.JSONDecodeError):
        return None
    if not isinstance(manifest, dict) or manifest.get("version") != folder.name:
        return None
    return manifest if set(FILES) <= set(manifest["files"]) else None


def _last_built(folder: Path) -> float:
    builds = read_json_lines(folder.parent / "builds.jsonl")
    return max((build["time"] for build in builds if build["version"] == folder.name), default=0.0)


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _unchanged(version: DatasetVersion) -> bool:
    """Whether every file still has the content that the manifest states. Files are hashed once, not at each opening."""
    manifest = _read_manifest(version.folder)
    return manifest is not None and all(
        _hash(path, path.stat().st_mtime_ns, path.stat().st_size) == known["sha256"]
        for path, known in ((version.folder / name, known) for name, known in manifest["files"].items())
    )


@lru_cache(maxsize=256)
def _hash(path: Path, _modified_ns: int, _size: int) -> str:
    return sha256(path)


def _read_lines(path: Path) -> list[Row]:
    with path.open("rb") as file:
        return [orjson.loads(line) for line in file]


def read_version(version: DatasetVersion) -> Iterator[RawRow]:
    """A version's rows as a source of another dataset: each once, with the part that it is in."""
    total = version.train_rows + version.eval_rows
    seen: set[tuple[str, int]] = set()
    lines = 0
    for part in ("train", "eval"):
        with (version.folder / f"{part}.jsonl").open("rb") as file:
            for line in file:
                lines += 1
                row = orjson.loads(line)
                origin = (row.pop("source"), row.pop("row"))
                if origin in seen:
                    continue
                seen.add(origin)
                parent = f"{version.id}: {origin[0]}, row {origin[1]}"
                values = {**row.pop("extra", {}), **row, "parent": parent}
                yield RawRow(len(seen), values, lines / total, part=part)
