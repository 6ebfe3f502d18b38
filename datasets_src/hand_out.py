"""A dataset version for others: as JSONL or Parquet files with its card, or on the Hugging Face Hub."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson

from datasets_src.rows import PARTS, Row, json_value
from datasets_src.store import DatasetVersion
from jobs.errors import BadInput
from jobs.files import require_free_space, write_text
from models.hub import require_online, require_visibility, the_hub

if TYPE_CHECKING:
    import pyarrow as pa

FileFormat = Literal["jsonl", "parquet"]
# Columns that hold what differs from row to row; Parquet wants one type for each, so they are written as JSON text.
AS_TEXT = ("tools", "answer", "extra")
ROWS_AT_A_TIME = 5000


def hand_out(version: DatasetVersion, folder: Path, file_format: FileFormat) -> list[Path]:
    """Write train and test rows with the dataset card (README.md) into `folder`, which is made.

    The card's front matter names the files, so the folder is a dataset that `datasets.load_dataset` reads as it is.
    Raises BadInput when the folder holds other things, OutOfRoom for a full disk.
    """
    _require_own_folder(folder)
    size = sum((version.folder / f"{part}.jsonl").stat().st_size for part in ("train", "eval"))
    folder.mkdir(parents=True, exist_ok=True)
    require_free_space(folder, size, f"Writing {version.id}")
    written = []
    for part, name in (("train", "train"), ("eval", "test")):
        source = version.folder / f"{part}.jsonl"
        if source.stat().st_size:
            path = folder / f"{name}.{file_format}"
            _write_parquet(source, path) if file_format == "parquet" else shutil.copyfile(source, path)
            written.append(path)
    card = version.card.replace("train.jsonl", f"train.{file_format}").replace("eval.jsonl", f"test.{file_format}")
    write_text(folder / "README.md", card)
    return [*written, folder / "README.md"]


def _require_own_folder(folder: Path) -> None:
    known = {"README.md", *(f"{name}.{ending}" for name in ("train", "test") for ending in ("jsonl", "parquet"))}
    others = [path.name for path in folder.iterdir() if path.name not in known] if folder.is_dir() else []
    if others:
        raise BadInput(
            f"{folder} holds other things, such as {others[0]}.",
            "A dataset is written into a folder of its own.",
            "Name a new or an empty folder.",
        )


def _write_parquet(source: Path, path: Path) -> None:
    """Batch by batch; the columns are those that any row has."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema(source)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for rows in _batches(source):
            writer.write_table(pa.Table.from_pylist([_flat(row, schema) for row in rows], schema=schema))


def _schema(source: Path) -> pa.Schema:
    """The columns of all rows. Turns keep their structure; a turn's tool calls are JSON text."""
    import pyarrow as pa

    turn = pa.struct([(name, pa.string()) for name in ("role", "content", "tool_calls", "name", "tool_call_id")])
    turns = {name: pa.list_(turn) for names in PARTS.values() for name in names if name != "text"}
    types: dict[str, Any] = {**turns, "row": pa.int64(), "label": pa.bool_()}
    names = dict.fromkeys(name for rows in _batches(source) for row in rows for name in row)
    return pa.schema([(name, types.get(name, pa.string())) for name in names])


def _batches(source: Path) -> Iterator[list[Row]]:
    with source.open("rb") as file:
        while lines := file.readlines(ROWS_AT_A_TIME * 400):
            yield [orjson.loads(line) for line in lines]


def _flat(row: Row, schema: pa.Schema) -> Row:
    flat = {name: row.get(name) for name in schema.names}
    for name, value in flat.items():
        if name in AS_TEXT and value is not None:
            flat[name] = orjson.dumps(value, default=json_value).decode()
        elif isinstance(value, list):
            flat[name] = [_flat_turn(turn) for turn in value]
    return flat


def _flat_turn(turn: dict[str, Any]) -> dict[str, Any]:
    calls = turn.get("tool_calls")
    return {**turn, "tool_calls": orjson.dumps(calls).decode() if calls else None}


def push(version: DatasetVersion, repository: str, *, private: bool, folder: Path) -> str:
    """Upload a version to the Hub as Parquet with its card; the address of the dataset there.

    `folder` is where the files are made first. The caller has asked for confirmation. Raises Missing without a login
    or a connection, BadInput for a name that the Hub refuses.
    """
    require_online()
    hand_out(version, folder, "parquet")
    with the_hub(repository, "dataset") as hub:
        hub.create_repo(repository, repo_type="dataset", private=private, exist_ok=True)
        there = bool(hub.dataset_info(repository).private)
        require_visibility(repository, "dataset", private=private, there=there)
        hub.upload_folder(
            repo_id=repository, repo_type="dataset", folder_path=folder, commit_message=f"Version {version.version}"
        )
    return f"https://huggingface.co/datasets/{repository}"
