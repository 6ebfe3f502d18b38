"""The models commands, run in this process; a fake Hub answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.models import models_app
from jobs.errors import BadInput, Missing
from models.download import cached_snapshot
from tests.models.downloads import conftest
from tests.models.downloads.conftest import MODEL
from tests.models.downloads.fake_hub import FakeHub

hub = conftest.hub


@pytest.fixture(autouse=True)
def _hub(hub: FakeHub) -> Iterator[FakeHub]:
    yield hub


def run(folder: Path, *arguments: str, answer: str = "", status: int = 0) -> str:
    result = CliRunner().invoke(
        models_app, [*arguments, "--workspace", str(folder / "workspace")], input=answer, catch_exceptions=False
    )
    assert result.exit_code == status, result.output
    return result.stdout


def test_the_list_holds_models_against_a_card(tmp_path: Path) -> None:
    said = run(tmp_path, "list", "qwen3", "8b", "--gpu-gb", "8")
    assert "held against a card of 8 GB" in said
    line = next(line for line in said.splitlines() if "Qwen/Qwen3-8B " in line)
    assert re.search(r"QLoRA +[67]\.\d GB ✓  LoRA +\d\d\.\d GB  ", line)


def test_the_list_as_json_says_what_is_known_and_null_for_what_is_not(tmp_path: Path) -> None:
    said = json.loads(run(tmp_path, "list", "mistral-7b", "--kind", "instruct", "--gpu-gb", "16", "--json"))
    (model,) = said["models"]
    assert model["hub_id"] == "mistralai/Mistral-7B-Instruct-v0.3"
    assert model["gated"] is None
    assert model["languages"] is None
    assert model["fits"] == {"qlora": True, "lora": False}


def test_filters_are_refused_that_do_not_exist(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="'medium' is no kind"):
        run(tmp_path, "list", "--kind", "medium")


def test_a_model_is_downloaded_listed_and_removed(tmp_path: Path) -> None:
    done = json.loads(run(tmp_path, "download", MODEL, "--json"))
    assert done["state"] == "succeeded"
    assert done["figures"]["bytes_fetched"] == done["figures"]["bytes"]
    listed = json.loads(run(tmp_path, "list", "--here", "--json"))
    assert [each["hub_id"] for each in listed["others"]] == [MODEL]
    with pytest.raises(BadInput, match="wasn't confirmed"):
        run(tmp_path, "remove", MODEL, answer="n\n")
    assert "are free again" in run(tmp_path, "remove", MODEL, answer="y\n")
    assert cached_snapshot(MODEL) is None


def test_a_download_that_cannot_be_ends_with_status_2(tmp_path: Path, hub: FakeHub) -> None:
    hub.gated = {MODEL}
    run(tmp_path, "download", MODEL, status=2)


def test_what_is_not_there_cannot_be_removed(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="isn't in"):
        run(tmp_path, "remove", "someone/else", "--yes")


def test_the_place_is_told(tmp_path: Path) -> None:
    said = CliRunner().invoke(models_app, ["place", "--json"], catch_exceptions=False).stdout
    assert json.loads(said)["folder"] == str(tmp_path / "hub-home" / "hub")
