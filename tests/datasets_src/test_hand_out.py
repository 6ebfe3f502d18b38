"""What is handed out is a dataset that the `datasets` library reads as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from datasets_src.hand_out import hand_out, push
from jobs.errors import BadInput, Missing

from .conftest import BuildRows, Rows

CALL = json.dumps({"name": "add", "arguments": {"a": 1}})
TOOLS = json.dumps([{"name": "add"}])


def talks(count: int) -> Rows:
    return [
        {
            "conversations": [
                {"from": "human", "value": f"What is {number}?"},
                {"from": "function_call", "value": CALL},
                {"from": "observation", "value": "2"},
                {"from": "gpt", "value": str(number)},
            ],
            "tools": TOOLS,
            "level": number if number % 2 else f"level {number}",
        }
        for number in range(count)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_the_datasets_library_reads_the_folder(
    file_format: str, build_rows: BuildRows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from datasets import load_dataset

    version = build_rows(talks(60))
    written = hand_out(version, tmp_path / "out", "parquet" if file_format == "parquet" else "jsonl")
    assert {path.name for path in written} == {f"train.{file_format}", f"test.{file_format}", "README.md"}
    loaded = load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(part) for name, part in loaded.items()} == {
        "train": version.train_rows,
        "test": version.eval_rows,
    }
    first, row = version.train()[0], loaded["train"][0]
    assert [turn["content"] for turn in row["messages"]] == [turn["content"] for turn in first["messages"]]
    calls = row["messages"][1]["tool_calls"]
    call = json.loads(calls)[0] if isinstance(calls, str) else calls[0]
    assert call["function"]["name"] == "add"


def test_the_card_names_the_files_that_are_there(build_rows: BuildRows, sums: Rows, tmp_path: Path) -> None:
    version = build_rows(sums)
    hand_out(version, tmp_path / "out", "parquet")
    front = yaml.safe_load((tmp_path / "out" / "README.md").read_text(encoding="utf-8").split("---")[1])
    paths = [file["path"] for file in front["configs"][0]["data_files"]]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["README.md", *sorted(paths)]


def test_a_folder_with_other_things_is_left_alone(build_rows: BuildRows, sums: Rows, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(BadInput, match=r"thesis\.txt"):
        hand_out(build_rows(sums), folder, "jsonl")
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]


def test_pushing_without_a_connection_says_so(
    build_rows: BuildRows, sums: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(Missing, match="can't be reached"):
        push(build_rows(sums), "me/sums", private=True, folder=tmp_path / "push")
