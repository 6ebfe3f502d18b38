"""Where models are kept is shown and can be chosen; what lies there is listed and can be deleted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs import launcher
from jobs.errors import BadInput, Missing
from jobs.workspace import Workspace
from models.download import cached_snapshot, download_snapshot
from models.downloads.cached import cached_models, remove_cached
from models.downloads.place import VARIABLE, apply_place, choose_place, models_place
from models.downloads.token import log_in, log_out, login_state
from tests.models.downloads.conftest import MODEL
from tests.models.downloads.fake_hub import FakeHub

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture
def usual(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing in the environment names a place."""
    request.getfixturevalue("hub")
    monkeypatch.delenv(VARIABLE)
    return models_place().folder


def test_the_usual_place_is_the_hubs_own(usual: Path, tmp_path: Path) -> None:
    assert usual == tmp_path / "hub-home" / "hub"


def test_a_chosen_place_is_used_here_and_by_every_job(usual: Path, tmp_path: Path) -> None:
    chosen = tmp_path / "large disk" / "models"
    assert choose_place(str(chosen)).folder == chosen
    assert download_snapshot(MODEL).is_relative_to(chosen)
    program = "from huggingface_hub import constants; print(constants.HF_HUB_CACHE)"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.strip() == str(chosen)
    del os.environ[VARIABLE]
    apply_place()
    assert os.environ[VARIABLE] == str(chosen)
    assert choose_place("").folder == usual
    assert not cached_models()


@pytest.mark.usefixtures("hub")
def test_the_environment_goes_before_what_was_chosen(tmp_path: Path) -> None:
    assert not models_place().movable
    with pytest.raises(BadInput, match="can't be chosen here"):
        choose_place(str(tmp_path))


@pytest.mark.parametrize("text", ["models", "/proc/nowhere"])
def test_a_place_that_nothing_can_be_kept_in_is_refused(usual: Path, text: str) -> None:
    with pytest.raises(BadInput):
        choose_place(text)
    assert models_place().folder == usual


@pytest.mark.usefixtures("hub")
def test_cached_models_are_listed_and_deleted(workspace: Workspace) -> None:
    download_snapshot(MODEL)
    (model,) = cached_models()
    assert (model.hub_id, model.complete) == (MODEL, True)
    assert remove_cached(workspace, MODEL) == model.size
    assert cached_snapshot(MODEL) is None
    assert cached_models() == []
    with pytest.raises(Missing, match="isn't in"):
        remove_cached(workspace, MODEL)


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("name", ["../secrets", "a/b/c", "", "a/../b"])
def test_only_a_hub_id_names_what_is_deleted(workspace: Workspace, name: str) -> None:
    with pytest.raises(BadInput, match="no Hub id"):
        remove_cached(workspace, name)


def test_a_model_that_a_job_uses_is_not_deleted(hub: FakeHub, workspace: Workspace) -> None:
    hub.slow = 0.2
    job = launcher.start(workspace, "model.download", {"model": MODEL}, title=MODEL, resource="cpu")
    (Path(os.environ[VARIABLE]) / "models--someone--small" / "blobs").mkdir(parents=True, exist_ok=True)
    with pytest.raises(BadInput, match="is in use"):
        remove_cached(workspace, MODEL)
    launcher.stop(job, wait_seconds=20)


def test_a_token_goes_into_the_hubs_own_store_and_leaves_again(hub: FakeHub, tmp_path: Path) -> None:
    hub.tokens = {"hf_secret": "ada"}
    assert not login_state().there
    assert "“hearth”" in log_in(" hf_secret ").words
    assert (tmp_path / "hub-home" / "token").read_text() == "hf_secret"
    assert not log_out().there


@pytest.mark.usefixtures("hub")
def test_a_token_that_the_hub_does_not_know_is_kept_nowhere() -> None:
    with pytest.raises(BadInput, match="doesn't take this token") as error:
        log_in("hf_wrong_secret")
    assert "hf_wrong" not in str(error.value)
    assert not login_state().there
