"""Datasets of the Hub are read by `datasets`; a local folder stands in for one, since both are read the same way."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datasets_src.readers.hub import _explanation, hub_version, read_hub
from jobs.errors import BadInput, Missing, UserError

PROJECT = Path(__file__).resolve().parents[3]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    yield


def folder(path: Path, files: dict[str, list[dict[str, Any]] | str]) -> str:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else "".join(json.dumps(row) + "\n" for row in content)
        (path / name).write_text(text, encoding="utf-8")
    return str(path)


@pytest.fixture
def two_splits(tmp_path: Path) -> str:
    train = [{"q": f"q{n}", "messages": [{"role": "user", "content": f"{n}"}]} for n in range(1500)]
    return folder(tmp_path / "data", {"train.jsonl": train, "test.jsonl": train[:2]})


def refusal(*asked: str | None) -> UserError:
    with pytest.raises(UserError) as error:
        list(read_hub(*asked))
    return error.value


def test_every_split_is_read_and_says_what_it_is_for(two_splits: str) -> None:
    rows = list(read_hub(two_splits, None, None, None))
    assert [row.number for row in rows] == list(range(1, 1503))
    assert [row.part for row in rows] == ["train"] * 1500 + ["eval"] * 2
    assert rows[0].values == {"q": "q0", "messages": [{"role": "user", "content": "0"}]}
    assert rows[1500].values == rows[0].values
    assert rows[-1].fraction == 1.0


@pytest.mark.parametrize(("split", "count"), [("test", 2), ("train[:10]", 10), ("train[:1]+test", 3)])
def test_a_split_that_is_named_is_for_whatever_it_is_asked_for(two_splits: str, split: str, count: int) -> None:
    rows = list(read_hub(two_splits, None, split, None))
    assert [row.part for row in rows] == [None] * count


def test_an_unknown_split_is_refused_with_the_known_ones(two_splits: str) -> None:
    error = refusal(two_splits, None, "validation", None)
    assert isinstance(error, BadInput)
    assert "no split 'validation'" in error.what
    assert "train, test" in error.why


@pytest.mark.parametrize("config", [None, "fr"])
def test_configurations_are_named_when_none_or_an_unknown_one_is_asked_for(tmp_path: Path, config: str | None) -> None:
    card = "---\nconfigs:\n" + "".join(
        f"- config_name: {name}\n  data_files: {name}/*.jsonl\n" for name in ("en", "de")
    )
    files: dict[str, Any] = {
        "README.md": card + "---\n",
        "en/train.jsonl": [{"q": "hi"}],
        "de/train.jsonl": [{"q": "ja"}],
    }
    path = folder(tmp_path / "data", files)
    error = refusal(path, config, None, None)
    assert isinstance(error, BadInput)
    assert "en, de" in error.why
    assert [row.values for row in read_hub(path, "de", None, None)] == [{"q": "ja"}]


def test_classes_are_read_by_their_names(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])}
    )
    table = datasets.Dataset.from_dict({"text": ["a", "b", "c"], "label": [1, 0, -1]}, features=features)
    (tmp_path / "data").mkdir()
    table.to_parquet(str(tmp_path / "data" / "train.parquet"))
    assert [row.values["label"] for row in read_hub(str(tmp_path / "data"), None, None, None)] == ["good", "bad", None]


def test_a_dataset_that_is_a_script_is_refused_unread(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    path = folder(tmp_path / "data", {"data.py": f"open({str(ran)!r}, 'w')", "train.jsonl": [{"q": 1}]})
    error = refusal(path, None, None, None)
    assert "a script (data.py), which would run on this machine" in error.why
    assert "refs/convert/parquet" in error.fix
    assert not ran.exists()


@pytest.mark.parametrize("files", [{"notes.xyz": "nothing"}, {"train.jsonl": '{"q": 1}\n{"q": \n'}])
def test_a_dataset_without_readable_files_is_refused(tmp_path: Path, files: dict[str, Any]) -> None:
    error = refusal(folder(tmp_path / "data", files), None, None, None)
    assert isinstance(error, BadInput)
    assert "can't be read" in error.what


@pytest.mark.parametrize("asked", ["nobody/nothing", "nothing"])
def test_a_dataset_that_can_not_be_downloaded_is_missing(asked: str) -> None:
    error = refusal(asked, None, None, None)
    assert isinstance(error, Missing)
    assert "can't be reached" in error.why


@pytest.mark.parametrize("asked", ["json", "pandas", "a b/c", "../x", "a/b/c", ""])
def test_what_is_no_id_of_a_dataset_is_refused(asked: str) -> None:
    assert "is no dataset on the Hub" in refusal(asked, None, None, None).what


def test_a_folder_of_the_same_name_is_not_taken_for_a_dataset_of_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path / "owner" / "name", {"train.jsonl": [{"q": 1}]})
    monkeypatch.chdir(tmp_path)
    assert isinstance(refusal("owner/name", None, None, None), Missing)


def test_the_version_changes_with_the_content_and_with_the_split(two_splits: str) -> None:
    versions = {hub_version(two_splits, None, split, None) for split in (None, "train", "test")}
    assert len(versions) == 3
    assert hub_version(two_splits, None, "train", None) in versions
    folder(Path(two_splits), {"train.jsonl": [{"q": "another", "messages": [{"role": "user", "content": "0"}]}]})
    assert hub_version(two_splits, None, "train", None) not in versions


def test_another_revision_than_asked_for_is_never_taken(two_splits: str) -> None:
    # `datasets` does so where the Hub can't be reached; a folder has no revisions, and so shows the same.
    error = refusal(two_splits, None, None, COMMIT)
    assert isinstance(error, Missing)
    assert f"Revision {COMMIT}" in error.what


def test_what_the_hub_answers_is_told_apart() -> None:
    from datasets.exceptions import DatasetNotFoundError

    # The words are those of datasets 4.8.
    cases = {
        "a/b is gated": "Dataset 'a/b' is a gated dataset on the Hub. You must be authenticated to access it.",
        "has no revision v9": "Revision 'v9' doesn't exist for dataset 'a/b' on the Hub.",
        "There is no dataset a/b": "Dataset 'a/b' doesn't exist on the Hub or cannot be accessed.",
    }
    for expected, said in cases.items():
        error = _explanation(DatasetNotFoundError(said), "a/b", None, "v9")
        assert isinstance(error, Missing)
        assert expected in error.what


def test_reading_a_dataset_imports_no_torch(two_splits: str) -> None:
    code = (
        "import sys; from datasets_src.readers.hub import read_hub; next(read_hub(sys.argv[1])); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, two_splits], cwd=PROJECT, check=False).returncode == 0
