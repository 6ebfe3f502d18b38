"""A model in the Hub's cache counts only when nothing of it is missing."""

from __future__ import annotations

import json
from pathlib import Path

from models.download import is_complete


def test_a_download_without_its_last_shard_is_not_complete(tmp_path: Path) -> None:
    for name in ("config.json", "tokenizer.json", "model-00001-of-00002.safetensors"):
        (tmp_path / name).write_text("{}")
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    assert not is_complete(tmp_path)
    (tmp_path / "model-00002-of-00002.safetensors").write_text("")
    assert is_complete(tmp_path)


def test_one_file_of_weights_needs_no_index(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer.json").write_text("{}")
    assert not is_complete(tmp_path)
    (tmp_path / "model.safetensors").write_text("")
    assert is_complete(tmp_path)
