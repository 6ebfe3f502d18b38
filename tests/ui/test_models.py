"""The Models tab without a browser: what is found, what its buttons do, and that a token stays where it belongs."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from jobs.directory import State
from jobs.errors import BadInput
from jobs.workspace import Workspace
from models.download import download_snapshot
from models.downloads.cached import cached_models
from models.hardware import GB, Gpu, Hardware
from tests.jobs.conftest import wait_until_over
from tests.models.downloads import conftest
from tests.models.downloads.conftest import MODEL
from tests.models.downloads.fake_hub import FakeHub
from tests.ui.serving_page import error_of, handler
from trainer.choosing import Room, Wanted, offers, room_of
from ui import hub_state, models_acts, models_here, models_tab, models_view
from ui.drafts import read_draft, save_draft
from ui.page import SKIP, Page, Settings

hub = conftest.hub


def room(gigabytes: float) -> Room:
    return room_of(Hardware([], 8, round(32 * GB), round(24 * GB), 10**12, "a processor"), gigabytes)


def names(wanted: Wanted, gigabytes: float = 8) -> list[str]:
    return [each.model.ref for each in offers(wanted, room(gigabytes))]


def build(settings: Settings) -> gr.Blocks:
    """The tab alone."""
    with gr.Blocks() as blocks:
        models_tab.lay_out(Page(settings, gr.Tabs(), gr.Textbox()), lambda _, tab: [gr.Tabs(selected=tab), tab])
    return blocks


def call(workspace: Workspace, elem_id: str, *values: Any, event: str = "click") -> list[Any]:
    """What the page gets when that happens; the request is that of a page without a cookie."""
    request = SimpleNamespace(cookies={})
    answer = handler(build(Settings(workspace.root)), elem_id, event)(request, *values)
    return list(answer)


@pytest.mark.usefixtures("hub")
def test_a_search_finds_what_fits_the_card() -> None:
    assert "Qwen/Qwen3-8B" in names(Wanted("qwen3 8b", fits="qlora"))
    assert "Qwen/Qwen3-14B" not in names(Wanted(fits="qlora"))
    assert "Qwen/Qwen3-14B" in names(Wanted(fits="qlora"), 16)
    assert names(Wanted("embedded")) == ["embedded"]
    assert names(Wanted(kind="base", licence="mit")) == []
    german = names(Wanted(language="de"), 12)
    assert "Qwen/Qwen3-4B" in german
    assert "HuggingFaceTB/SmolLM2-360M" not in german


@pytest.mark.usefixtures("hub")
def test_a_card_says_what_is_unknown() -> None:
    (card,) = offers(Wanted("mistral-7b-instruct"), room(8))
    html = models_view.offers_html([card], room(8), everything=False)
    assert "languages unknown" in html
    assert "Whether its owner wants terms accepted first is unknown" in html
    assert "too large" in html
    olmo = offers(Wanted("olmo-2-0425-1b"), room(8))
    assert "download size unknown" in models_view.offers_html(olmo, room(8), everything=False)


@pytest.mark.usefixtures("hub")
def test_the_list_is_short_at_first_and_whole_when_asked() -> None:
    found = offers(Wanted(), room(8))
    short = models_view.offers_html(found, room(8), everything=False)
    assert short.count("<article") == models_view.FIRST
    assert f"Show {len(found) - models_view.FIRST} more" in short
    assert models_view.offers_html(found, room(8), everything=True).count("<article") == len(found)
    assert "Take out a word" in models_view.offers_html([], room(8), everything=False)


def test_memory_is_held_against_a_card_with_nothing_else_on_it() -> None:
    card = Gpu(0, "a card", round(12 * GB), round(1 * GB), (8, 9), "")
    busy = room_of(Hardware([card], 8, round(32 * GB), round(24 * GB), 10**12, "a processor"))
    assert busy.bytes > 11e9
    assert "with nothing else on it" in busy.words


@pytest.mark.usefixtures("hub")
def test_a_model_is_carried_over_to_the_training_form(workspace: Workspace, tmp_path: Path) -> None:
    answer = call(workspace, "train-other", "Qwen/Qwen3-4B")
    assert answer[1] == "training"
    draft = read_draft(workspace, "training")
    assert draft["form"]["model"] == "Qwen/Qwen3-4B"
    assert draft["part"] == "train"
    models_acts.train_on(Settings(workspace.root), workspace, str(tmp_path))
    assert read_draft(workspace, "training")["form"]["model"] == str(tmp_path)


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(
    ("text", "why"), [("", "No model is named"), ("nothing", "names no model"), ("x.gguf", "trained")]
)
def test_what_names_no_model_to_train_is_refused(workspace: Workspace, text: str, why: str) -> None:
    assert why in error_of(call(workspace, "train-other", text))


def test_a_folder_elsewhere_is_refused_where_others_can_reach_the_page(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="outside the workspace"):
        models_acts.train_on(Settings(workspace.root, local=False), workspace, str(tmp_path))


def test_a_download_is_started_once_and_shown(hub: FakeHub, workspace: Workspace) -> None:
    hub.slow = 0.05
    call(workspace, "download-other", MODEL)
    call(workspace, "download-other", f" https://huggingface.co/{MODEL} ")
    (job,) = workspace.list_jobs(models_acts.KIND)
    hub.slow = 0.0
    assert wait_until_over(job, 60) is State.SUCCEEDED
    assert "is on this machine already" in error_of(call(workspace, "download-other", MODEL))
    _, cards, _ = models_tab.show(workspace)
    assert "on this machine" not in cards  # it is none of the catalogue's
    assert MODEL in models_here.show(workspace)[0]


def test_what_is_here_is_offered_without_a_connection(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    download_snapshot(MODEL)
    monkeypatch.setattr(hub_state, "_ASKED", hub_state._Asked())
    hub.stop()
    hub_state._ask()
    assert hub_state._ASKED.state == "offline"
    line = models_view.hub_html("offline", len(cached_models()))
    assert "it doesn’t answer" in line
    assert "1 model on this machine can be used" in line
    assert models_view.hub_html("online", 1) == ""


def test_a_download_without_a_connection_is_refused_at_once(hub: FakeHub, workspace: Workspace) -> None:
    hub.stop()
    assert "reached" in error_of(call(workspace, "download-other", "someone/else"))
    assert not workspace.list_jobs(models_acts.KIND)


@pytest.mark.usefixtures("hub")
def test_deleting_asks_once(workspace: Workspace) -> None:
    download_snapshot(MODEL)
    assert "It can be downloaded again" not in models_here.show(workspace)[0]
    save_draft(workspace, models_tab.TAB, asking=MODEL)
    asked = models_here.show(workspace)[0]
    assert "It can be downloaded again" in asked
    assert 'data-do="keep"' in asked
    assert models_here.show(workspace, asked) == [SKIP, SKIP]


def test_a_token_that_is_entered_stands_in_no_draft(hub: FakeHub, workspace: Workspace, tmp_path: Path) -> None:
    hub.tokens = {"hf_of_ada": "ada"}
    state, field, _ = call(workspace, "hub-log-in", "hf_of_ada")
    assert "Logged in" in state
    assert field == ""
    assert (tmp_path / "hub-home" / "token").read_text() == "hf_of_ada"
    for path in workspace.root.rglob("*"):
        assert not path.is_file() or "hf_of_ada" not in path.read_text()
    refused = error_of(call(workspace, "hub-log-in", "hf_of_nobody"))
    assert "take this token" in refused
    assert "hf_of_nobody" not in refused


@pytest.mark.usefixtures("hub")
def test_the_place_is_shown_and_moved(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_CACHE")
    assert "usual place" in models_here.place_html()
    shown, field, _ = call(workspace, "place-choose", str(tmp_path / "elsewhere"))
    assert str(tmp_path / "elsewhere") in shown
    assert field == ""
    assert "usual place" in call(workspace, "place-usual")[0]


def test_a_demo_downloads_nothing(workspace: Workspace) -> None:
    settings = Settings(workspace.root, demo=True)
    build(settings)
    with pytest.raises(BadInput, match="demo"):
        models_acts.train_on(settings, workspace, "Qwen/Qwen3-4B")
    with pytest.raises(BadInput, match="demo"):
        models_here.move(settings, "/data")


@pytest.mark.usefixtures("hub")
def test_filters_of_another_version_are_forgotten(workspace: Workspace) -> None:
    save_draft(workspace, models_tab.TAB, wanted={"colour": "red"})
    assert models_tab.wanted_of(workspace) == Wanted()
    save_draft(workspace, models_tab.TAB, wanted={"kind": "large"})
    assert models_tab.wanted_of(workspace) == Wanted()


@pytest.mark.usefixtures("hub")
def test_the_list_is_made_anew_only_when_something_changed(workspace: Workspace) -> None:
    *_, cursor = models_tab.show(workspace)
    assert models_tab.show(workspace, cursor) == [SKIP, SKIP, SKIP]
    save_draft(workspace, models_tab.TAB, wanted={"text": "granite"})
    assert "granite-3.3-2b" in models_tab.show(workspace, cursor)[1]
    assert json.dumps(models_tab.filters_of(workspace)) == '["granite", "", "", "", "", null, false]'
